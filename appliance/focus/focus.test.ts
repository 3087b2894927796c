/**
 * Dialogues: the life of a conference, signaling.md 5.1, driven by stanzas in virtual time.
 */
import { describe, expect, test } from "bun:test";
import { NS } from "../wire/namespaces.ts";
import { attr, child, children, type Element, xml } from "../wire/xml.ts";
import { FEATURE } from "./codecs.ts";
import {
  BREWERY,
  conditionOf,
  FOCUS,
  SimulatedWorld,
  STOCK_FEATURES,
  stockSources,
  testConfig,
} from "./simulated-world.ts";

const ROOM = "standup@muc.meet.test";

const presences = (world: SimulatedWorld, room = ROOM): Element[] =>
  world.sent.filter((each) => each.getName() === "presence" && attr(each, "to") === `${room}/focus`);
const property = (presence: Element | undefined, key: string): string | undefined => {
  const properties = presence === undefined ? undefined : child(presence, "conference-properties");
  const found = properties === undefined ? undefined : children(properties).find((each) => attr(each, "key") === key);
  return found === undefined ? undefined : attr(found, "value");
};

describe("a meeting", () => {
  test("alone there is no session; the second participant brings both into one", () => {
    const world = new SimulatedWorld().start();
    const ana = world.join(ROOM, "aaaaaaaa");
    expect(ana.jingle).toHaveLength(0);
    const ben = world.join(ROOM, "bbbbbbbb");
    expect(ana.jingle.map((each) => each.action)).toContain("session-initiate");
    expect(ben.jingle.map((each) => each.action)).toContain("session-initiate");
    expect([...ana.remote.keys()]).toEqual(["bbbbbbbb"]);
    expect([...ben.remote.keys()]).toEqual(["aaaaaaaa"]);
    expect([...(ana.remote.get("bbbbbbbb") ?? [])]).toHaveLength(3); // audio, first layer, its RTX
    expect(ana.bridgeSession).toBe(ben.bridgeSession);
    expect(property(presences(world).at(-1), "bridge-count")).toBe("1");
  });

  test("the request is answered when room and presence are ready, with the bare focus JID", () => {
    const world = new SimulatedWorld().start();
    const id = world.ask(ROOM, "x@meet.test/r");
    const answer = world.sent.find((each) => attr(each, "id") === id);
    const conference = answer === undefined ? undefined : child(answer, "conference", NS.focus);
    expect(attr(answer ?? xml("x"), "to")).toBe("focus.meet.test/x@meet.test/r");
    expect(conference?.attrs).toMatchObject({ ready: "true", focusjid: "focus@auth.meet.test", room: ROOM });
    const published = presences(world);
    expect(published.findIndex((each) => child(each, "versions") !== undefined)).toBeGreaterThan(0);
    expect(world.sent.indexOf(published.at(-1) ?? xml("x"))).toBeLessThan(world.sent.indexOf(answer ?? xml("x")));
  });

  test("nobody comes: the focus leaves after 15 s; a new request starts the 15 s again", () => {
    const world = new SimulatedWorld().start();
    world.ask(ROOM, "x@meet.test/r");
    world.advance(14_000);
    world.ask(ROOM, "x@meet.test/r");
    world.advance(14_000);
    expect(world.focus.conferences.size).toBe(1);
    world.advance(1_100);
    expect(world.focus.conferences.size).toBe(0);
    expect(attr(presences(world).at(-1) ?? xml("x"), "type")).toBe("unavailable");
    expect(world.rooms.has(ROOM)).toBe(false);
  });

  test("one left: after 20 s the session is terminated as expired, and offered again when somebody joins", () => {
    const world = new SimulatedWorld().start();
    const ana = world.join(ROOM, "aaaaaaaa");
    const ben = world.join(ROOM, "bbbbbbbb");
    world.leave(ben);
    world.advance(19_900);
    expect(ana.sid).toBeDefined();
    world.advance(200);
    expect(ana.jingle.at(-1)).toMatchObject({
      action: "session-terminate",
      reason: { condition: "expired", text: "Idle session timeout" },
    });
    expect(world.bridges.get("jvb1")?.meetings.size).toBe(0);
    expect(property(presences(world).at(-1), "bridge-count")).toBe("0");
    const eve = world.join(ROOM, "eeeeeeee");
    expect([...ana.remote.keys()]).toEqual(["eeeeeeee"]);
    expect([...eve.remote.keys()]).toEqual(["aaaaaaaa"]);
  });

  test("coming back within 20 s keeps the session of the one who stayed", () => {
    const world = new SimulatedWorld().start();
    const ana = world.join(ROOM, "aaaaaaaa");
    world.leave(world.join(ROOM, "bbbbbbbb"));
    world.advance(15_000);
    const { sid } = ana;
    world.join(ROOM, "bbbbbbbb");
    world.advance(60_000);
    expect(ana.sid).toBe(sid);
    expect([...ana.remote.keys()]).toEqual(["bbbbbbbb"]);
  });

  test("the last one leaves: everything is freed and the focus leaves at once", () => {
    const world = new SimulatedWorld().start();
    const ana = world.join(ROOM, "aaaaaaaa");
    const ben = world.join(ROOM, "bbbbbbbb");
    world.leave(ana);
    world.leave(ben);
    expect(world.focus.conferences.size).toBe(0);
    expect(world.bridges.get("jvb1")?.meetings.size).toBe(0);
    expect(world.rooms.has(ROOM)).toBe(false);
    world.advance(60_000);
    expect(world.focus.pendingRequests).toBeLessThan(2); // a health check at most
  });

  test("a leave before the bridge has answered leaves no endpoint behind", () => {
    const world = new SimulatedWorld().start();
    const bridge = world.bridges.get("jvb1");
    if (bridge === undefined) throw new Error("no bridge");
    world.join(ROOM, "aaaaaaaa");
    let gone = false;
    bridge.behaviour = () => {
      if (!gone) {
        gone = true;
        world.removeOccupant(ROOM, "bbbbbbbb");
      }
      return undefined;
    };
    world.join(ROOM, "bbbbbbbb");
    world.advance(30_000);
    expect([...(bridge.meetings.values().next().value ?? [])]).not.toContain("bbbbbbbb");
  });

  test("stock clients learn of a leave by presence; rewriting ones get a source-remove", () => {
    const world = new SimulatedWorld().start();
    const stock = world.join(ROOM, "aaaaaaaa");
    const flagged = world.join(ROOM, "ffffffff", { features: [...STOCK_FEATURES, FEATURE.ssrcRewriting] });
    const ben = world.join(ROOM, "bbbbbbbb");
    world.leave(ben);
    expect(stock.jingle.some((each) => each.action === "source-remove")).toBe(false);
    expect(flagged.jingle.filter((each) => each.action === "source-remove")).toHaveLength(1);
    expect(flagged.remote.has("bbbbbbbb")).toBe(false);
  });

  test("with SSRC rewriting the focus tells no sources and says so to the bridge", () => {
    const world = new SimulatedWorld(testConfig({ options: { ssrcRewriting: true } })).start();
    const ana = world.join(ROOM, "aaaaaaaa", { features: [...STOCK_FEATURES, FEATURE.ssrcRewriting] });
    const ben = world.join(ROOM, "bbbbbbbb");
    expect(ana.remote.size).toBe(0);
    expect(ben.remote.size).toBe(1);
    const created =
      world.bridges.get("jvb1")?.requests.flatMap((each) => each.endpoints.filter((one) => one.create)) ?? [];
    expect(created.find((each) => each.id === "aaaaaaaa")?.capabilities).toEqual(["source-names", "ssrc-rewriting"]);
    expect(created.find((each) => each.id === "bbbbbbbb")?.capabilities).toEqual(["source-names"]);
  });

  test("a client without JSON sources gets them in XML, with their owner", () => {
    const world = new SimulatedWorld().start();
    const old = world.join(ROOM, "aaaaaaaa", { features: [FEATURE.audio, FEATURE.video] });
    world.join(ROOM, "bbbbbbbb");
    expect([...(old.remote.get("bbbbbbbb") ?? [])]).toHaveLength(3);
    const add = world.sent.find(
      (each) => String(each).includes('action="source-add"') && attr(each, "to") === `${ROOM}/aaaaaaaa`,
    );
    expect(String(add)).not.toContain("json-message");
    expect(String(add)).toContain('owner="bbbbbbbb"');
  });

  test("a member that answers no disco#info is invited as a plain one after the time-out", () => {
    const world = new SimulatedWorld().start();
    const ana = world.join(ROOM, "aaaaaaaa");
    world.deliver(
      xml(
        "presence",
        { xmlns: NS.client, from: `${ROOM}/mute1234`, to: FOCUS },
        xml(
          "x",
          { xmlns: NS.mucUser },
          xml("item", { jid: "m@meet.test/r", affiliation: "none", role: "participant" }),
        ),
      ),
    );
    expect(ana.sid).toBeDefined();
    expect(world.focus.conferences.get(ROOM)?.participants.get("mute1234")?.features).toBeDefined(); // the server says item-not-found
  });
});

describe("owners", () => {
  test("the first participant becomes owner, and the next one when he leaves", () => {
    const world = new SimulatedWorld().start();
    const ana = world.join(ROOM, "aaaaaaaa");
    world.join(ROOM, "bbbbbbbb");
    const grants = (): string[] =>
      world.sent
        .flatMap((each) => child(each, "query", NS.mucAdmin) ?? [])
        .map((query) => attr(child(query, "item") ?? query, "jid") ?? "");
    expect(grants()).toEqual(["aaaaaaaa-uuid@meet.test"]);
    world.leave(ana);
    expect(grants()).toEqual(["aaaaaaaa-uuid@meet.test", "bbbbbbbb-uuid@meet.test"]);
  });

  test("a recorder is never elected", () => {
    const world = new SimulatedWorld().start();
    const features = xml("features", {}, xml("feature", { var: FEATURE.jibri }));
    world.join(ROOM, "recorder", { presence: [features], domain: "hidden.meet.test" });
    const granted = (): boolean => world.sent.some((each) => child(each, "query", NS.mucAdmin) !== undefined);
    expect(granted()).toBe(false);
    world.join(ROOM, "aaaaaaaa");
    expect(world.rooms.get(ROOM)?.owners.has("aaaaaaaa-uuid@meet.test")).toBe(true);
  });

  test("breakout rooms mirror the owners of the main room", () => {
    const world = new SimulatedWorld().start();
    world.join("main@muc.meet.test", "aaaaaaaa");
    const breakout = "b1@breakout.meet.test";
    world.join(breakout, "aaaaaaaa");
    world.join(breakout, "bbbbbbbb");
    expect(world.rooms.get(breakout)?.owners.has("aaaaaaaa-uuid@meet.test")).toBe(true);
    expect(world.rooms.get(breakout)?.owners.has("bbbbbbbb-uuid@meet.test")).toBe(false);
  });

  test("somebody else's room is left again and the request fails", () => {
    const world = new SimulatedWorld().start();
    world.join(ROOM, "intruder", { ask: false }); // makes the room before the focus was asked
    const id = world.ask(ROOM, "x@meet.test/r");
    expect(conditionOf(world.sent.find((each) => attr(each, "id") === id))).toBe("internal-server-error");
    expect(world.focus.conferences.size).toBe(0);
    expect(world.rooms.get(ROOM)?.occupants.has("focus")).toBe(false);
  });
});

describe("bridges come and go", () => {
  test("a bridge leaves the brewery: everybody is in a new session elsewhere at once", () => {
    const world = new SimulatedWorld().start(["jvb1", "jvb2"]);
    const clients = ["aaaaaaaa", "bbbbbbbb", "cccccccc"].map((nick) => world.join(ROOM, nick));
    const before = clients.map((each) => each.sid);
    const first = [...world.bridges.values()].find((each) => each.meetings.size > 0)?.nick ?? "";
    world.removeBridge(first);
    for (const [index, client] of clients.entries()) {
      const actions = client.jingle.map((each) => each.action);
      expect(actions.filter((each) => each === "session-terminate")).toHaveLength(1);
      expect(client.jingle.find((each) => each.action === "session-terminate")?.reason?.condition).toBe("success");
      expect(client.sid).toBeDefined();
      expect(client.sid).not.toBe(before[index]);
      expect(client.remote.size).toBe(2);
    }
    expect([...world.bridges.values()][0]?.meetings.size).toBe(1);
  });

  test("no bridge: presence says so; a new one takes everybody", () => {
    const world = new SimulatedWorld().start([]);
    const ana = world.join(ROOM, "aaaaaaaa");
    const ben = world.join(ROOM, "bbbbbbbb");
    expect(child(presences(world).at(-1) ?? xml("x"), "bridgeNotAvailable")).toBeDefined();
    expect(ana.sid).toBeUndefined();
    world.addBridge("jvb1");
    expect(ana.sid).toBeDefined();
    expect(ben.remote.size).toBe(1);
    expect(child(presences(world).at(-1) ?? xml("x"), "bridgeNotAvailable")).toBeUndefined();
  });

  test("a bridge killed and started again (another nick): the same meeting goes on there", () => {
    const world = new SimulatedWorld().start(["jvb-1"]);
    const ana = world.join(ROOM, "aaaaaaaa");
    const ben = world.join(ROOM, "bbbbbbbb");
    world.removeBridge("jvb-1");
    expect(ana.sid).toBeUndefined();
    world.advance(2_000);
    world.addBridge("jvb-2");
    expect(ana.remote.size + ben.remote.size).toBe(2);
  });

  test("a bridge that does not answer an allocation is left alone for a minute", () => {
    const world = new SimulatedWorld().start(["jvb1", "jvb2"]);
    for (const each of world.bridges.values()) if (each.nick === "jvb1") each.behaviour = "silent";
    const ana = world.join(ROOM, "aaaaaaaa");
    world.join(ROOM, "bbbbbbbb");
    expect(ana.sid).toBeUndefined();
    world.advance(15_100);
    expect(ana.sid).toBeDefined();
    expect(world.bridges.get("jvb2")?.meetings.size).toBe(1);
    expect(world.focus.bridges.operational(world.now)).toBe(1);
  });

  test("a bridge that carries out too late what it was asked for keeps nothing of it", () => {
    // Seen with a Jitsi Videobridge that was just started: used again, it refused the conference that it still had.
    const world = new SimulatedWorld().start(["jvb1", "jvb2"]);
    const slow = world.bridges.get("jvb1");
    if (slow === undefined) throw new Error("no bridge");
    slow.behaviour = "late";
    const ana = world.join(ROOM, "aaaaaaaa");
    const ben = world.join(ROOM, "bbbbbbbb");
    expect(slow.meetings.size).toBe(1);
    world.advance(15_100);
    expect(ana.remote.size + ben.remote.size).toBe(2);
    expect(slow.meetings.size).toBe(0);
  });

  test("an earlier focus's conference under the same meeting id is ended, and ours takes its place under it", () => {
    const world = new SimulatedWorld().start();
    const bridge = world.bridges.get("jvb1");
    bridge?.meetings.set(`meeting-of-${ROOM}`, new Set(["ghost", "aaaaaaaa"]));
    const ana = world.join(ROOM, "aaaaaaaa");
    const ben = world.join(ROOM, "bbbbbbbb");
    expect(ana.remote.size + ben.remote.size).toBe(2);
    expect([...(bridge?.meetings.entries() ?? [])].map(([id, endpoints]) => [id, [...endpoints].sort()])).toEqual([
      [`meeting-of-${ROOM}`, ["aaaaaaaa", "bbbbbbbb"]],
    ]);
  });

  test("a bridge that has a stranger's conference of that id again and again: ours goes under another one", () => {
    const world = new SimulatedWorld().start(["jvb1"]);
    const bridge = world.bridges.get("jvb1");
    if (bridge === undefined) throw new Error("no bridge");
    let refused = 0;
    bridge.behaviour = (modify) => {
      if (!modify.create || modify.meetingId !== `meeting-of-${ROOM}`) return undefined;
      refused++;
      bridge.meetings.set(modify.meetingId, new Set(["stranger"]));
      return undefined;
    };
    const people = ["aaaaaaaa", "bbbbbbbb", "cccccccc"].map((nick) => world.join(ROOM, nick));
    expect(people.map((each) => each.remote.size)).toEqual([2, 2, 2]);
    const [conference] = world.focus.conferences.values();
    const id = conference?.bridges.meetingId ?? "";
    expect(id).not.toBe(`meeting-of-${ROOM}`);
    expect([...(bridge.meetings.get(id) ?? [])].sort()).toEqual(["aaaaaaaa", "bbbbbbbb", "cccccccc"]);
    expect(refused).toBe(4);
  });

  test("an endpoint that the bridge lost gets a new session, the others keep theirs", () => {
    const world = new SimulatedWorld().start();
    const ana = world.join(ROOM, "aaaaaaaa");
    const ben = world.join(ROOM, "bbbbbbbb");
    const [anaSid, benSid] = [ana.sid, ben.sid];
    for (const endpoints of world.bridges.get("jvb1")?.meetings.values() ?? []) endpoints.delete("aaaaaaaa");
    world.jingle(ana, { action: "source-add", sources: new Map([["", stockSources("aaaaaaaa", "v1")]]), contents: [] });
    expect(ana.sid).not.toBe(anaSid);
    expect(ben.sid).toBe(benSid);
    expect(ana.remote.size + ben.remote.size).toBe(2);
  });

  test("a bridge that refuses one participant keeps the others", () => {
    const world = new SimulatedWorld().start();
    const bridge = world.bridges.get("jvb1");
    if (bridge === undefined) throw new Error("no bridge");
    bridge.behaviour = (modify) =>
      modify.endpoints.some((each) => each.id === "bad00000" && each.create)
        ? xml("error", { type: "modify" }, xml("bad-request", { xmlns: NS.stanzas }))
        : undefined;
    const ana = world.join(ROOM, "aaaaaaaa");
    const bad = world.join(ROOM, "bad00000");
    const ben = world.join(ROOM, "bbbbbbbb");
    expect(bad.sid).toBeUndefined();
    expect(ana.remote.size + ben.remote.size).toBe(2);
    const [conference] = world.focus.conferences.values();
    expect([...(conference?.bridges.sessions.values() ?? [])].flatMap((each) => [...each.endpoints]).sort()).toEqual([
      "aaaaaaaa",
      "bbbbbbbb",
    ]);
    world.advance(60_000);
    expect(bad.jingle).toHaveLength(0);
  });

  test("a health check that fails moves the conferences; the bridge comes back when it is well", () => {
    const world = new SimulatedWorld().start(["jvb1"]);
    const ana = world.join(ROOM, "aaaaaaaa");
    world.join(ROOM, "bbbbbbbb");
    const bridge = world.bridges.get("jvb1");
    if (bridge === undefined) throw new Error("no bridge");
    bridge.behaviour = "silent";
    world.advance(22_000); // check at 10 s, 5 s time-out, retry 5 s later
    expect(ana.sid).toBeDefined();
    world.advance(8_000);
    expect(ana.sid).toBeUndefined();
    bridge.behaviour = "serve";
    bridge.meetings.clear();
    world.advance(15_000);
    expect(ana.sid).toBeDefined();
  });

  test("graceful shutdown during an allocation: others are found, the bridge is not blamed", () => {
    const world = new SimulatedWorld().start(["jvb1", "jvb2"]);
    const bridge = world.bridges.get("jvb1");
    if (bridge === undefined) throw new Error("no bridge");
    bridge.behaviour = () =>
      xml(
        "error",
        { type: "cancel" },
        xml("service-unavailable", { xmlns: NS.stanzas }),
        xml("error", { xmlns: NS.colibri2, reason: "graceful_shutdown" }),
      );
    const ana = world.join(ROOM, "aaaaaaaa");
    world.join(ROOM, "bbbbbbbb");
    expect(ana.sid).toBeDefined();
    expect(world.bridges.get("jvb2")?.meetings.size).toBe(1);
    expect(world.focus.bridges.operational(world.now)).toBe(2);
  });
});

test("an administrator moves one endpoint where a conference cannot be split: everybody moves together, or nobody", () => {
  const world = new SimulatedWorld().start(["jvb1"]);
  const clients = ["aaaaaaaa", "bbbbbbbb", "cccccccc"].map((nick) => world.join(ROOM, nick));
  const from = world.focus.bridges.find("jvb1");
  if (from === undefined) throw new Error("no bridge");
  const sids = clients.map((each) => each.sid);
  world.input({ kind: "move", conference: ROOM, bridge: from, endpoints: ["aaaaaaaa"] });
  expect(clients.map((each) => each.sid)).toEqual(sids);
  world.addBridge("jvb2");
  world.input({ kind: "move", conference: ROOM, bridge: from, endpoints: ["aaaaaaaa"] });
  expect([...(world.bridges.get("jvb2")?.meetings.values().next().value ?? [])].sort()).toEqual(
    clients.map((each) => each.nick),
  );
  expect(world.bridges.get("jvb1")?.meetings.size).toBe(0);
  for (const each of clients) expect(each.remote.size).toBe(2);
});

test("a guest in the brewery who calls himself a bridge gets no meeting", () => {
  const world = new SimulatedWorld().start([]);
  for (const jid of ["evil@meet.test/x", undefined])
    world.deliver(
      xml(
        "presence",
        { xmlns: NS.client, from: `${BREWERY}/evil`, to: FOCUS },
        xml("stats", { xmlns: NS.colibri }, xml("stat", { name: "drain", value: "false" })),
        xml("x", { xmlns: NS.mucUser }, xml("item", { jid, affiliation: "none", role: "participant" })),
      ),
    );
  expect([...world.focus.bridges.all()]).toHaveLength(0);
  expect(world.logs.some((each) => each.message.includes("no service account"))).toBe(true);
});

describe("the connection to the server", () => {
  test("a new login finds the meetings again", () => {
    const world = new SimulatedWorld().start();
    const ana = world.join(ROOM, "aaaaaaaa");
    const ben = world.join(ROOM, "bbbbbbbb");
    world.input({ kind: "offline", via: "client" });
    expect(world.focus.conferences.size).toBe(0);
    world.rooms.get(ROOM)?.occupants.delete("focus");
    world.rooms.get(BREWERY)?.occupants.delete("focus");
    world.advance(1_000);
    world.input({ kind: "online", via: "client" });
    expect(world.focus.conferences.has(ROOM)).toBe(true);
    expect(ana.remote.size + ben.remote.size).toBe(2);
  });

  test("kicked from a room or the room destroyed: the conference ends and its bridge is free", () => {
    const world = new SimulatedWorld().start();
    world.join(ROOM, "aaaaaaaa");
    world.join(ROOM, "bbbbbbbb");
    world.removeOccupant(ROOM, "focus", ["307"]);
    expect(world.focus.conferences.size).toBe(0);
    expect(world.bridges.get("jvb1")?.meetings.size).toBe(0);
  });

  test("thrown out of the brewery: joined again after a second", () => {
    const world = new SimulatedWorld().start();
    world.removeOccupant(BREWERY, "focus");
    expect(world.focus.health()).toContain("brewery");
    world.advance(1_100);
    expect(world.focus.health()).toBeUndefined();
    expect(world.focus.bridges.operational(world.now)).toBe(1);
  });

  test("a stop leaves all rooms and asks the bridges for nothing: media goes on", () => {
    const world = new SimulatedWorld().start();
    world.join(ROOM, "aaaaaaaa");
    world.join(ROOM, "bbbbbbbb");
    world.input({ kind: "stop" });
    expect(world.rooms.get(ROOM)?.occupants.has("focus")).toBe(false);
    expect(world.bridges.get("jvb1")?.meetings.size).toBe(1);
  });
});

describe("requests that nobody knows", () => {
  const cases: readonly [string, Element, "get" | "set", string][] = [
    ["an unknown IQ", xml("query", { xmlns: "urn:unknown" }), "get", "feature-not-implemented"],
    ["an unknown set", xml("query", { xmlns: "urn:unknown" }), "set", "feature-not-implemented"],
    ["conference by get", xml("conference", { xmlns: NS.focus, room: ROOM }), "get", "feature-not-implemented"],
    [
      "login-url without authentication",
      xml("login-url", { xmlns: NS.focus, room: ROOM }),
      "get",
      "feature-not-implemented",
    ],
    ["conference without room", xml("conference", { xmlns: NS.focus }), "set", "bad-request"],
    ["a room elsewhere", xml("conference", { xmlns: NS.focus, room: "x@elsewhere.test" }), "set", "bad-request"],
  ];
  test.each(cases)("%s is answered with an error", (_, payload, type, condition) => {
    const world = new SimulatedWorld().start();
    world.deliver(
      xml("iq", { xmlns: NS.client, type, id: "odd", from: "focus.meet.test/x@meet.test/r", to: FOCUS }, payload),
    );
    expect(conditionOf(world.sent.find((each) => attr(each, "id") === "odd"))).toBe(condition);
  });

  test("an IQ without payload is bad; disco, version and ping are answered", () => {
    const world = new SimulatedWorld().start();
    const iq = (id: string, ...payload: Element[]): void =>
      world.deliver(xml("iq", { xmlns: NS.client, type: "get", id, from: "x@meet.test/r", to: FOCUS }, payload));
    iq("none");
    iq("disco", xml("query", { xmlns: NS.discoInfo }));
    iq("version", xml("query", { xmlns: NS.version }));
    iq("ping", xml("ping", { xmlns: NS.ping }));
    const of = (id: string): Element | undefined => world.sent.find((each) => attr(each, "id") === id);
    expect(conditionOf(of("none"))).toBe("bad-request");
    expect(String(of("disco"))).toContain("terminate-restart");
    expect(attr(of("version") ?? xml("x"), "type")).toBe("result");
    expect(attr(of("ping") ?? xml("x"), "type")).toBe("result");
  });

  test("an upper-case room is answered in lower case", () => {
    const world = new SimulatedWorld().start();
    const id = world.ask("UpperCase@muc.meet.test", "x@meet.test/r");
    const answer = world.sent.find((each) => attr(each, "id") === id);
    expect(attr(child(answer ?? xml("x"), "conference") ?? xml("x"), "room")).toBe("uppercase@muc.meet.test");
  });

  test("the component answers as the address that was asked", () => {
    const world = new SimulatedWorld().start();
    world.input({
      kind: "stanza",
      via: "component",
      stanza: xml(
        "iq",
        { xmlns: NS.client, type: "set", id: "c1", from: "x@meet.test/r", to: "focus.meet.test" },
        xml("conference", { xmlns: NS.focus, room: ROOM }),
      ),
    });
    const answer = world.sent.find((each) => attr(each, "id") === "c1");
    expect(answer?.attrs).toMatchObject({ type: "result", from: "focus.meet.test", to: "x@meet.test/r" });
  });
});
