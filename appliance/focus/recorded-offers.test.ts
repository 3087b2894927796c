/**
 * Offers of the original beside ours, element by element: with a data content (protocol/transcripts/sctp-offer-accept.txt), and to a client that takes its SSRCs
 * from the bridge (ssrc-rewriting-xmpp-p1.txt). The simulated bridge answers with the transport that the recorded one gave. Left aside: session ids.
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { conferenceModifiedElement, endpoint } from "../wire/colibri2.ts";
import { isJingleFault, type Jingle, readJingle } from "../wire/jingle.ts";
import { NS } from "../wire/namespaces.ts";
import { decodeJsonSources, NO_SOURCES } from "../wire/sources.ts";
import { attr, child, children, descend, type Element, parse, text, xml } from "../wire/xml.ts";
import { FEATURE } from "./codecs.ts";
import { canonical } from "./recorded.ts";
import { FOCUS, type SimulatedClient, SimulatedWorld, STOCK_FEATURES, testConfig } from "./simulated-world.ts";

interface Line {
  readonly fromClient: boolean;
  readonly stanza: Element;
}

function scene(title: string): Line[] {
  const all = readFileSync(new URL("./fixtures/offers.txt", import.meta.url), "utf8").split(/^== /m);
  const part = all.find((each) => each.startsWith(title)) ?? "";
  return part
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [, side, frame = ""] = /^[\d.]+ ([CS]) (.*)$/.exec(line) ?? [];
      if (side === undefined) return [];
      const stanza = parse(frame);
      if (stanza === undefined) throw new Error(`unreadable: ${frame.slice(0, 80)}`);
      return [{ fromClient: side === "C", stanza }];
    });
}

const jingleOf = (stanza: Element): Jingle => {
  const read = readJingle(child(stanza, "jingle", NS.jingle) ?? xml("x"));
  if (isJingleFault(read)) throw new Error(read.text);
  return read;
};

/** What belongs to one run: addresses, ids, what the original writes at its default. */
const ofARun = (element: Element, attribute: string): boolean => {
  const name = element.getName();
  if (name === "iq") return attribute !== "type";
  if (attribute === "sid" || (name === "bridge-session" && attribute === "id")) return true;
  return name === "fingerprint" && (attribute === "required" || attribute === "cryptex");
};

/** The room of the recorded scene with one other member, its bridge answering as the recorded one did. */
function world(offer: Jingle, options: Parameters<typeof testConfig>[0], nick: string, features: readonly string[]) {
  const made = new SimulatedWorld(testConfig(options)).start();
  const transport = offer.contents[0]?.transport;
  const bridge = made.bridges.get("jvb1");
  if (transport === undefined || bridge === undefined) throw new Error("no transport, or no bridge");
  const asked: string[][] = [];
  bridge.behaviour = (modify) => {
    const [first] = modify.endpoints;
    if (first?.create !== true || first.id !== nick) return undefined;
    asked.push([...first.capabilities]);
    bridge.meetings.get(modify.meetingId)?.add(nick);
    const { sctp } = first.transport ?? {};
    return conferenceModifiedElement({
      endpoints: [
        endpoint(nick, {
          transport: {
            iceControlling: false,
            useUniquePort: false,
            iceRestart: false,
            ice: transport,
            ...(sctp === undefined ? {} : { sctp: { port: 5000, role: "server" } }),
          },
        }),
      ],
      relays: [],
    });
  };
  const room = "scene@muc.meet.test";
  made.join(room, "0ther000", { accepts: () => NO_SOURCES, features });
  const client = made.join(room, nick, { accepts: undefined, features });
  return { made, client, asked };
}

const offersTo = (made: SimulatedWorld, client: SimulatedClient): Element[] =>
  made.sent.filter(
    (each) => attr(each, "to") === `${client.room}/${client.nick}` && descend(each, "jingle") !== undefined,
  );

/** Everything but the sources, which are of whoever else was in the room, and the trace (we make none; all zero there, signaling.md 4.1). */
const frame = (stanza: Element): unknown => {
  const copy = parse(stanza.toString()) ?? stanza;
  const jingle = child(copy, "jingle", NS.jingle);
  if (jingle !== undefined)
    jingle.children = children(jingle).filter((each) => !["json-message", "traceparent"].includes(each.getName()));
  return canonical(copy, ofARun);
};

test("sctp-offer-accept: a third content with the SCTP map, in the group; the answer is taken", () => {
  const [offer, accept] = scene("data content");
  if (offer === undefined || accept === undefined) throw new Error("no scene");
  const { made, client } = world(
    jingleOf(offer.stanza),
    { sctp: "on", options: { codecs: { mid: true } } },
    "7140bde4",
    STOCK_FEATURES,
  );
  const [ours] = offersTo(made, client);
  if (ours === undefined) throw new Error("no offer");
  expect(frame(ours)).toEqual(frame(offer.stanza));
  expect(jingleOf(ours).contents.map(({ name }) => name)).toEqual(
    jingleOf(offer.stanza).contents.map(({ name }) => name),
  );
  const { stanza } = accept;
  const jingle = child(stanza, "jingle", NS.jingle);
  if (jingle !== undefined) jingle.attrs["sid"] = client.sid;
  stanza.attrs.from = `${client.room}/${client.nick}`;
  stanza.attrs.to = FOCUS;
  made.deliver(stanza);
  expect(attr(client.answers.get(attr(stanza, "id") ?? "") ?? xml("x"), "type")).toBe("result");
  const update = made.bridges.get("jvb1")?.requests.at(-1)?.endpoints[0];
  expect([update?.id, update?.transport?.ice?.ufrag !== undefined]).toEqual(["7140bde4", true]);
});

test("ssrc-rewriting-xmpp-p1: the bridge is told, no sources of people are offered or added, and every request gets the recorded answer", () => {
  const lines = scene("SSRC rewriting");
  const theirs = lines.find(
    ({ stanza }) => attr(descend(stanza, "jingle") ?? xml("x"), "action") === "session-initiate",
  );
  if (theirs === undefined) throw new Error("no offer");
  const { made, client, asked } = world(
    jingleOf(theirs.stanza),
    { options: { ssrcRewriting: true, codecs: { mid: true } } },
    "7ffe259a",
    [...STOCK_FEATURES, FEATURE.ssrcRewriting],
  );
  const [ours] = offersTo(made, client);
  if (ours === undefined) throw new Error("no offer");
  expect(asked).toEqual([["source-names", "ssrc-rewriting"]]);
  expect(frame(ours)).toEqual(frame(theirs.stanza));
  const owners = (stanza: Element): string[] => {
    const sources = decodeJsonSources(text(descend(stanza, "jingle", "json-message") ?? xml("x")));
    return "reason" in sources ? [] : [...sources.keys()];
  };
  expect(owners(ours)).toEqual(owners(theirs.stanza).filter((each) => each === "jvb"));
  expect(owners(theirs.stanza)).toEqual(["jvb"]);

  const answers: [string, string][] = [];
  for (const { fromClient, stanza } of lines) {
    const id = attr(stanza, "id") ?? "";
    const type = attr(stanza, "type") ?? "";
    if (!fromClient) {
      if (type === "result" || type === "error") answers.push([id, type]);
      continue;
    }
    const jingle = child(stanza, "jingle", NS.jingle);
    if (jingle !== undefined) jingle.attrs["sid"] = client.sid;
    if (jingle !== undefined && attr(jingle, "action") === "session-accept") client.accepted = true;
    const conference = child(stanza, "conference", NS.focus);
    if (conference !== undefined) conference.attrs["room"] = client.room;
    stanza.attrs.from = conference === undefined ? `${client.room}/${client.nick}` : `focus.meet.test/${client.jid}`;
    stanza.attrs.to = FOCUS;
    made.deliver(stanza);
  }
  expect(answers.length).toBe(3);
  for (const [id, type] of answers)
    expect([id, made.sent.filter((each) => attr(each, "id") === id).map((each) => attr(each, "type"))]).toEqual([
      id,
      [type],
    ]);
  // Others come, share, leave: nothing of it is told.
  const third = made.join(client.room, "f1034883", { features: client.features });
  made.leave(third);
  expect(client.jingle.map(({ action }) => action)).toEqual(["session-initiate"]);
});
