/**
 * Our focus in the original's place: it is fed what the original was fed, and has to say what the original said, element by element.
 * Ids, session ids and the order among requests that do not depend on each other are its own.
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Millis, millis } from "../time.ts";
import { isColibriFault, readConferenceModify } from "../wire/colibri2.ts";
import { jingleElement } from "../wire/jingle.ts";
import { NS } from "../wire/namespaces.ts";
import { decodeJsonSources, type EndpointSources } from "../wire/sources.ts";
import { attr, child, children, descend, type Element, parse, text, xml } from "../wire/xml.ts";
import { Focus } from "./focus.ts";
import { canonical, ignored } from "./recorded.ts";
import { focusSettings } from "./settings.ts";
import { FOCUS, type SimulatedClient, SimulatedWorld, testConfig } from "./simulated-world.ts";

const fixture = (name: string): string[] => readFileSync(join(import.meta.dir, "fixtures", name), "utf8").split("\n");

/** What a stanza is about, so that the original's and ours can be paired. */
function subject(stanza: Element): string {
  const payload = children(stanza)[0];
  const jingle = payload?.getName() === "jingle" ? ` ${attr(payload, "action")}` : "";
  const modify =
    payload?.getName() === "conference-modify"
      ? children(payload, "endpoint")
          .map((each) => {
            const flags = [
              attr(each, "create") === "true" ? "create" : "",
              attr(each, "expire") === "true" ? "expire" : "",
            ];
            const ice = descend(each, "transport");
            flags.push(ice !== undefined && attr(ice, "ice-restart") === "true" ? "ice-restart" : "");
            return ` ${attr(each, "id")} ${flags.join("")} ${children(each)
              .map((one) => one.getName())
              .sort()}`;
          })
          .sort()
          .join("") + (attr(payload, "expire") === "true" ? " expire" : "")
      : "";
  return `${attr(stanza, "type")} ${attr(stanza, "to")} ${payload?.getName()} ${payload?.getNS()}${jingle}${modify}`;
}

const ROOM = "recbridge@muc.meet.test";
const BREWERY = "jvbbrewery@internal.auth.meet.test";

test("the focus's connection of a call of three, with AV moderation, ICE restart and session restart", () => {
  let ids = 0;
  const focus = new Focus(focusSettings(testConfig({ brewery: BREWERY, options: { codecs: { mid: true } } })), {
    id: (length) => "s".repeat(length - 4) + String(++ids).padStart(4, "0"),
    uuid: () => `uuid-${++ids}`,
  });
  let now: Millis = millis(1_000_000);
  const ours: Element[] = [];
  /** Our requests that have no answer yet, by subject; and recorded answers that came before the question. */
  const open = new Map<string, Element[]>();
  const early = new Map<string, Element[]>();
  /** The original's session id → ours, its bridge session id → ours. */
  const translated = new Map<string, string>();
  const theirs: Element[] = [];
  const theirRequests = new Map<string, Element>();
  const ourOffers: string[] = [];
  const theirOffers: string[] = [];
  let bridgeSession: string | undefined;

  const perform = (actions: ReturnType<Focus["handle"]>): void => {
    for (const action of actions) {
      if (action.kind !== "send") continue;
      const stanza = parse(action.stanza.toString());
      if (stanza === undefined) throw new Error("not XML");
      ours.push(stanza);
      const jingle = child(stanza, "jingle", NS.jingle);
      if (jingle !== undefined && attr(jingle, "action") === "session-initiate") {
        ourOffers.push(`${attr(stanza, "to")} ${attr(jingle, "sid")}`);
        bridgeSession = attr(child(jingle, "bridge-session", NS.focus) ?? xml("x"), "id");
      }
      const type = attr(stanza, "type");
      if (stanza.getName() !== "iq" || (type !== "get" && type !== "set")) continue;
      if (child(stanza, "healthcheck") !== undefined) {
        feed(
          xml("iq", { xmlns: NS.client, type: "result", id: attr(stanza, "id"), from: attr(stanza, "to"), to: FOCUS }),
        );
        continue;
      }
      const key = subject(stanza);
      const answer = early.get(key)?.shift();
      if (answer !== undefined) answered(stanza, answer);
      else open.set(key, [...(open.get(key) ?? []), stanza]);
    }
  };
  const feed = (stanza: Element): void => perform(focus.handle(now, { kind: "stanza", via: "client", stanza }));
  const answered = (question: Element, answer: Element): void => {
    answer.attrs.id = attr(question, "id");
    feed(answer);
  };
  const advance = (to: Millis): void => {
    for (let next = focus.nextDeadline(); next !== undefined && next.at <= to; next = focus.nextDeadline()) {
      now = millis(Math.max(now, next.at));
      perform(focus.handle(now, { kind: "tick" }));
    }
    now = to;
  };
  /** Offers pair in the order in which one participant gets them. */
  const sidOf = (recorded: string): string => {
    const offer = theirOffers.find((each) => each.endsWith(` ${recorded}`));
    if (offer === undefined) return recorded;
    const to = offer.split(" ")[0] ?? "";
    const place = theirOffers.filter((each) => each.startsWith(`${to} `)).indexOf(offer);
    return ourOffers.filter((each) => each.startsWith(`${to} `))[place]?.split(" ")[1] ?? recorded;
  };

  perform(focus.handle(now, { kind: "online", via: "client" }));
  feed(
    xml(
      "presence",
      { xmlns: NS.client, from: `${BREWERY}/focus`, to: FOCUS },
      xml(
        "x",
        { xmlns: NS.mucUser },
        xml("item", { affiliation: "none", role: "participant" }),
        xml("status", { code: "110" }),
      ),
    ),
  );
  const lines = fixture("focus-connection.txt").filter((line) => /^-?\d/.test(line));
  for (const [index, line] of lines.entries()) {
    const [, at = "", side = "", frame = ""] = /^(-?[\d.]+) ([CS]) (.*)$/.exec(line) ?? [];
    advance(millis(Math.max(now, 1_000_000 + (Number(at) + 10) * 1000)));
    const cut = frame.includes("[… cut by the recorder");
    if (side === "C") {
      const offered = /to='([^']+)'.*action='session-initiate'.*? sid='([^']+)'/.exec(frame);
      if (offered !== null) theirOffers.push(`${offered[1]} ${offered[2]}`);
      const stanza = cut ? undefined : parse(frame);
      if (stanza === undefined) {
        const id = / id='([^']+)'/.exec(frame)?.[1] ?? "";
        const to = / to='([^']+)'/.exec(frame)?.[1] ?? "";
        theirRequests.set(
          id,
          xml("iq", { to, type: "set" }, xml("jingle", { xmlns: NS.jingle, action: "session-initiate" })),
        );
        continue;
      }
      if (stanza.attrs.xmlns === undefined) stanza.attrs.xmlns = NS.client;
      theirs.push(stanza);
      if (stanza.getName() === "iq") theirRequests.set(attr(stanza, "id") ?? "", stanza);
      continue;
    }
    const stanza = cut ? acceptOf(frame, lines.slice(index + 1)) : parse(frame);
    if (stanza === undefined) throw new Error(`not readable: ${frame.slice(0, 100)}`);
    if (stanza.attrs.xmlns === undefined) stanza.attrs.xmlns = NS.client;
    const type = attr(stanza, "type");
    if (stanza.getName() === "iq" && (type === "result" || type === "error")) {
      const question = theirRequests.get(attr(stanza, "id") ?? "");
      if (question === undefined) continue;
      const key = subject(question);
      const waiting = open.get(key)?.shift();
      if (waiting !== undefined) answered(waiting, stanza);
      else early.set(key, [...(early.get(key) ?? []), stanza]);
      continue;
    }
    const jingle = child(stanza, "jingle", NS.jingle);
    if (jingle !== undefined) {
      const recorded = attr(jingle, "sid") ?? "";
      jingle.attrs.sid = sidOf(recorded);
      translated.set(jingle.attrs.sid, recorded);
      const session = child(jingle, "bridge-session", NS.focus);
      if (session !== undefined) session.attrs.id = bridgeSession;
    }
    feed(stanza);
  }
  advance(millis(now + 100));

  // What is not compared: ids, and what the original writes at its default.
  const drop = (element: Element, attribute: string): boolean => {
    const name = element.getName();
    if (name === "iq" && attribute === "id") return attr(element, "type") !== "result";
    if (attribute === "sid" || (name === "bridge-session" && attribute === "id")) return true;
    if (name === "fingerprint" && (attribute === "required" || attribute === "cryptex")) return true;
    if (name === "conference-modify" && ["create", "name", "rtcstats-enabled"].includes(attribute)) return true; // which of two simultaneous requests is first
    if (name === "iq" && attribute === "from") return true;
    return (
      name === "initial" ||
      (element.getNS() === NS.discoInfo && attribute === "node" && attr(element, "node") === undefined)
    );
  };
  const comparable = (stanza: Element): boolean => {
    const payload = children(stanza)[0];
    if (stanza.getName() !== "iq") return false; // presence is compared below
    if (attr(stanza, "to") === "muc.meet.test" || attr(stanza, "to") === "meet.test") return false; // the original looks at the MUC service
    if (payload?.getName() === "healthcheck") return false; // timed by its own clock
    return !(attr(stanza, "to") ?? "").startsWith(`${BREWERY}`) || payload?.getName() === "conference-modify";
  };
  const told = (stanzas: readonly Element[]): string[] =>
    stanzas.filter(comparable).map((each) => `${subject(each)} ${JSON.stringify(canonical(each, drop))}`);
  const missing = [...told(theirs)];
  const extra: string[] = [];
  for (const each of told(ours)) {
    const place = missing.indexOf(each);
    if (place === -1) extra.push(each);
    else missing.splice(place, 1);
  }
  // The offers and accepts that the recorder cut, and three differences on purpose (moderation.test.ts): who is approved, and everybody when
  // moderation ends, is freed at the bridge at once; the original frees p1 at the next mute and p2 only when he asks.
  const offers = (list: readonly string[]): number => list.filter((each) => each.includes("session-initiate")).length;
  const forceMutes = (list: readonly string[]): string[] => list.filter((each) => each.includes("force-mute"));
  expect(missing.filter((each) => !each.includes("force-mute"))).toEqual([]);
  expect(forceMutes(missing)).toHaveLength(0);
  expect(offers(extra)).toBe(3);
  expect(extra.filter((each) => !each.includes("session-initiate") && !each.includes("force-mute"))).toEqual([]);
  expect(forceMutes(extra)).toHaveLength(1); // p2, when moderation ends; p1's came at his approval instead of at his next mute

  const properties = (stanzas: readonly Element[]): string[] =>
    stanzas
      .filter((each) => each.getName() === "presence" && attr(each, "to") === `${ROOM}/focus`)
      .map((each) => {
        const list = child(each, "conference-properties", NS.focus);
        return (
          attr(each, "type") ??
          (list === undefined
            ? "join"
            : children(list)
                .map((one) => `${attr(one, "key")}=${attr(one, "value")}`)
                .join())
        );
      });
  expect(properties(ours)).toEqual(properties(theirs));
});

/** An accept that the recorder cut, made again from what the original told the bridge and the others because of it. */
function acceptOf(frame: string, following: readonly string[]): Element | undefined {
  const attribute = (name: string): string => new RegExp(`${name}='([^']+)'`).exec(frame)?.[1] ?? "";
  const nick = attribute("from").split("/")[1] ?? "";
  const update = following
    .map((line) => /^[-\d.]+ C (.*)$/.exec(line)?.[1])
    .find(
      (each) =>
        each?.includes("<conference-modify") === true &&
        each.includes(`<endpoint id='${nick}' stats-id`) &&
        each.includes("ufrag"),
    );
  const element = child(parse(update ?? "") ?? xml("x"), "conference-modify", NS.colibri2);
  const modify = element === undefined ? undefined : readConferenceModify(element);
  if (modify === undefined || isColibriFault(modify)) return undefined;
  const [endpoint] = modify.endpoints;
  const told = following.find((line) => line.includes("source-add") && line.includes(`{"sources":{"${nick}"`)) ?? "";
  const public_ = decodeJsonSources(/<json-message[^>]*>(.*)<\/json-message>/.exec(told)?.[1] ?? "");
  const msids = new Map(
    "reason" in public_ ? [] : (public_.get(nick)?.sources ?? []).map((each) => [each.name, each.msid]),
  );
  const all: EndpointSources = {
    sources: (endpoint?.sources ?? []).flatMap((each) =>
      each.sources.sources.map((source) => {
        const msid = msids.get(source.name);
        return msid === undefined ? source : { ...source, msid };
      }),
    ),
    groups: (endpoint?.sources ?? []).flatMap((each) => each.sources.groups),
  };
  const transport = endpoint?.transport?.ice;
  if (transport === undefined) return undefined;
  const jingle = jingleElement({
    action: "session-accept",
    sid: /<jingle.* sid='([^']+)'/.exec(frame)?.[1] ?? "",
    contents: (["audio", "video"] as const).map((media) => ({
      name: media,
      creator: "responder",
      media,
      transport: { ...transport, rtcpMux: false },
    })),
    sources: new Map([["", all]]),
  });
  return xml("iq", { xmlns: NS.client, type: "set", id: attribute("id"), from: attribute("from"), to: FOCUS }, jingle);
}

test("the recorder's cut accepts can be made again", () => {
  const lines = fixture("focus-connection.txt");
  const cuts = lines.flatMap((line, index) => (/ S .*session-accept.*cut by the recorder/.test(line) ? [index] : []));
  expect(cuts).toHaveLength(3);
  for (const index of cuts) expect(acceptOf(lines[index] ?? "", lines.slice(index + 1))).toBeDefined();
});

test("a call of three as its clients see it: every request gets the recorded answer, and nothing else is said", () => {
  const room = "reccall@muc.meet.test";
  const world = new SimulatedWorld(testConfig({ options: { codecs: { mid: true } } })).start();
  const lines = fixture("call-of-three.txt").flatMap((line) => {
    const [, at, who = "", side = "", frame = ""] = /^([\d.]+) (p\d) ([CS]) (.*)$/.exec(line) ?? [];
    const stanza = parse(frame);
    return at === undefined || stanza === undefined ? [] : [{ at: Number(at) * 1000, who, side, stanza }];
  });
  const nicks = new Map<string, string>();
  for (const { who, side, stanza } of lines)
    if (side === "C" && stanza.getName() === "presence") nicks.set(who, attr(stanza, "to")?.split("/")[1] ?? "");
  const clients = new Map<string, SimulatedClient>();
  const expected: string[] = [];
  const begin = world.now;
  const mapped = new Map<string, string>();
  for (const { at, who, side, stanza } of lines) {
    world.advance(Math.max(0, begin + at - world.now));
    const nick = nicks.get(who) ?? "";
    const client = clients.get(who);
    const jingle = child(stanza, "jingle", NS.jingle);
    if (side === "S") {
      if (stanza.getName() !== "iq") continue;
      if (jingle !== undefined && attr(jingle, "action") === "session-initiate" && client?.sid !== undefined)
        mapped.set(attr(jingle, "sid") ?? "", client.sid);
      expected.push(`${nick} ${JSON.stringify(canonical(stanza, ignored))}`);
      continue;
    }
    if (stanza.getName() === "presence") {
      if (attr(stanza, "type") === "unavailable") world.removeOccupant(room, nick);
      else if (client === undefined)
        clients.set(who, world.join(room, nick, { ask: false, accepts: undefined, presence: children(stanza) }));
      else world.updatePresence(client, children(stanza));
      continue;
    }
    const item = descend(stanza, "query", "item");
    if (item !== undefined) {
      if (attr(item, "affiliation") === "owner") world.promote(room, nicks.get("p1") ?? "");
      else world.removeOccupant(room, attr(item, "nick") ?? "", ["307"]);
      continue;
    }
    const proxied = attr(stanza, "to") === "focus.meet.test";
    if (jingle !== undefined) jingle.attrs.sid = mapped.get(attr(jingle, "sid") ?? "") ?? "";
    if (jingle !== undefined && client !== undefined && attr(jingle, "action") === "session-accept")
      client.accepted = true;
    stanza.attrs.from = proxied ? `focus.meet.test/${nick}` : `${room}/${nick}`;
    stanza.attrs.to = FOCUS;
    world.deliver(stanza);
  }
  const said = world.sent
    .filter((each) => each.getName() === "iq" && child(each, "query") === undefined)
    .flatMap((each) => {
      const to = (attr(each, "to") ?? "").split("/")[1] ?? "";
      return [...nicks.values()].includes(to) ? [`${to} ${JSON.stringify(canonical(each, ignored))}`] : [];
    });
  expect(said.sort()).toEqual(expected.sort());
  expect(said.length).toBeGreaterThan(20);
});

/** Scenes of asked-of-the-focus.txt: name, room, lines. */
function scenes(): { name: string; room: string; lines: { at: number; who: string; side: string; frame: string }[] }[] {
  const result: ReturnType<typeof scenes> = [];
  for (const line of fixture("asked-of-the-focus.txt")) {
    const [, name, room = ""] = /^== (\S+) (\S+)/.exec(line) ?? [];
    if (name !== undefined) result.push({ name, room, lines: [] });
    const [, at, who = "", side = "", frame = ""] = /^([\d.]+) (p\d) ([CS]) (.*)$/.exec(line) ?? [];
    if (at !== undefined) result.at(-1)?.lines.push({ at: Number(at) * 1000, who, side, frame });
  }
  return result;
}

/** Where we answer otherwise, and why. */
const OTHERWISE: Readonly<Record<string, string>> = {
  odd7: "features: the original lists its library's",
  odd39: "a room elsewhere: the original stays silent",
  odd40: "no room: the original stays silent",
};

test.each(scenes())(
  "$name: what was asked of the focus is answered alike, and the same mutes are sent",
  ({ room, lines }) => {
    const world = new SimulatedWorld(testConfig({ options: { codecs: { mid: true } } })).start();
    const begin = world.now;
    const clients = new Map<string, SimulatedClient>();
    // Who they are, by the addresses that frames to them carry; the first one is owner.
    for (const { who, side, frame } of lines.toSorted((a, b) => (a.who < b.who ? -1 : 1))) {
      const nick = /to='([0-9a-f]{8})-[-0-9a-f]+@meet\.test/.exec(frame)?.[1];
      if (side !== "S" || nick === undefined || clients.has(who) || (who === "p2" && clients.size < 2)) continue;
      if (clients.size === 0 && who !== "p0") world.join(room, "other000");
      if (who !== "p2") clients.set(who, world.join(room, nick));
    }
    const answers = new Map<string, string>();
    const expected: string[] = [];
    const mutes: string[] = [];
    const moderation = new Set<string>();
    for (const { at, who, side, frame } of lines) {
      world.advance(Math.max(0, begin + at - world.now));
      const id = / id=["']([^"']+)["']/.exec(frame)?.[1] ?? "";
      let client = clients.get(who);
      if (client === undefined) {
        const nick = /(?:\/|to=')([0-9a-f]{8})/.exec(frame)?.[1];
        if (nick === undefined || frame.includes("focus.meet.test")) continue;
        client = world.join(room, nick);
        clients.set(who, client);
      }
      const stanza = parse(frame);
      if (stanza === undefined) continue; // offers and accepts, cut: the simulated clients have their own
      const payload = children(stanza)[0];
      if (side === "S") {
        const name = payload?.getName();
        if (stanza.getName() === "message") {
          const body = text(child(stanza, "json-message") ?? xml("x"));
          const key = `${at < 18_000 ? "" : Math.floor(at / 4000)} ${JSON.stringify(Object.entries(JSON.parse(body)).sort())}`;
          if (moderation.has(key)) continue;
          moderation.add(key);
          world.deliver(
            xml(
              "message",
              { xmlns: NS.client, from: "avmoderation.meet.test", to: FOCUS },
              xml("json-message", { xmlns: NS.jitmeet }, body),
            ),
          );
        } else if (name === "mute" && attr(stanza, "type") === "set")
          mutes.push(`${client.nick} ${payload?.getNS()} ${attr(payload ?? xml("x"), "actor") ?? ""}`);
        else if (["result", "error"].includes(attr(stanza, "type") ?? "") && answers.has(id))
          expected.push(`${id} ${JSON.stringify(canonical(withoutEcho(stanza), ignored))}`);
        continue;
      }
      if (stanza.getName() !== "iq" || child(stanza, "query", NS.mucAdmin) !== undefined) continue;
      const jingle = child(stanza, "jingle", NS.jingle);
      if (jingle !== undefined) {
        if (attr(jingle, "action") === "session-accept") continue;
        if (attr(jingle, "sid") !== "nosuchsid") jingle.attrs.sid = client.sid;
        const session = child(jingle, "bridge-session", NS.focus);
        if (session !== undefined && attr(session, "id") !== "nosuch") session.attrs.id = client.bridgeSession;
        if (attr(jingle, "action") === "session-terminate") {
          client.sid = undefined;
          client.remote.clear();
        }
      }
      answers.set(id, frame);
      stanza.attrs.from =
        attr(stanza, "to") === "focus.meet.test"
          ? `focus.meet.test/${client.nick}-uuid@meet.test/res`
          : `${room}/${client.nick}`;
      stanza.attrs.to = FOCUS;
      world.deliver(stanza);
    }
    const ours = world.sent.flatMap((each) => {
      const id = attr(each, "id") ?? "";
      return answers.has(id) ? [`${id} ${JSON.stringify(canonical(withoutEcho(each), ignored))}`] : [];
    });
    const compared = (list: readonly string[]): string[] =>
      list.filter((each) => OTHERWISE[each.split(" ")[0] ?? ""] === undefined).sort();
    expect(compared(ours)).toEqual(compared(expected));
    const told = [...clients.values()].flatMap((client) =>
      client.mutes.map((mute) => `${client.nick} ${mute.getNS()} ${attr(mute, "actor") ?? ""}`),
    );
    expect(told.sort()).toEqual(mutes.sort());
    expect(expected.length).toBeGreaterThan(2);
  },
);

/** Texts beside a condition are for people, and the request that an error repeats is its sender's. */
function withoutEcho(stanza: Element): Element {
  if (attr(stanza, "type") !== "error") return stanza;
  const error = child(stanza, "error");
  const condition = error === undefined ? undefined : children(error).find((each) => each.getName() !== "text");
  return xml(
    "iq",
    { xmlns: NS.client, type: "error" },
    error &&
      xml("error", { type: attr(error, "type") }, condition && xml(condition.getName(), { xmlns: condition.getNS() })),
  );
}
