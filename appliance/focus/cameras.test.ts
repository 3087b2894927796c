import { describe, expect, test } from "bun:test";
import { NS } from "../wire/namespaces.ts";
import { attr, child, children, type Element, xml } from "../wire/xml.ts";
import { conditionOf, type SimulatedClient, SimulatedWorld, stockSources } from "./simulated-world.ts";

const ROOM = "standup@muc.meet.test";
const OTHER = "other@muc.meet.test";

const camera = (nick: string, on: boolean): Element =>
  xml("SourceInfo", {}, JSON.stringify({ [`${nick}-v0`]: { muted: !on } }));
const join = (world: SimulatedWorld, nick: string, room = ROOM): SimulatedClient =>
  world.join(room, nick, { presence: [camera(nick, true)] });
const switchCamera = (world: SimulatedWorld, client: SimulatedClient, on: boolean): void =>
  world.updatePresence(client, [camera(client.nick, on)]);

/** A property of the conference as its members see it last. */
function property(world: SimulatedWorld, key: string, room = ROOM): string | undefined {
  const presence = world.sent.findLast(
    (each) =>
      each.getName() === "presence" && attr(each, "to") === `${room}/focus` && child(each, "versions") !== undefined,
  );
  const properties = presence === undefined ? undefined : child(presence, "conference-properties", NS.focus);
  const found =
    properties === undefined ? undefined : children(properties, "property").find((each) => attr(each, "key") === key);
  return found === undefined ? undefined : attr(found, "value");
}

/** What a bridge was last told of an endpoint's video. */
function mutedAt(world: SimulatedWorld, nick: string, bridge = "jvb1"): boolean | undefined {
  const requests = world.bridges.get(bridge)?.requests ?? [];
  return requests.flatMap((each) => each.endpoints).findLast((each) => each.id === nick && each.forceMute !== undefined)
    ?.forceMute?.video;
}

/** What only our bridges say. */
const OURS = { parley_quality_step: "0" };

/** Ana and Ben see each other on a bridge that forwards four cameras and no more; it has reported that. */
function pair(): { world: SimulatedWorld; ana: SimulatedClient; ben: SimulatedClient } {
  const world = new SimulatedWorld().start(["jvb1"]);
  world.bridgePresence("jvb1", { ...OURS, parley_camera_room: "4" });
  const ana = join(world, "aaaaaaaa");
  const ben = join(world, "bbbbbbbb");
  expect([ana.mutes.length, ben.mutes.length]).toEqual([0, 0]);
  world.advance(11_000);
  world.bridgePresence("jvb1", { parley_camera_room: "2", stress_level: "0.5" });
  return { world, ana, ben };
}

describe("a bridge of ours, which says how many more cameras it can forward", () => {
  test("what comes with a camera too many is muted at the bridge and asked to mute; it hears and sees all the same", () => {
    const { world, ana, ben } = pair();
    const cleo = join(world, "cccccccc");
    expect(cleo.accepted).toBe(true);
    expect([...cleo.remote.keys()].sort()).toEqual(["aaaaaaaa", "bbbbbbbb"]);
    expect(cleo.jingle[0]?.startMuted).toEqual({ audio: false, video: true });
    expect(cleo.mutes.map((mute) => [mute.getNS(), attr(mute, "actor"), mute.getText()])).toEqual([
      [NS.jitmeetVideo, undefined, "true"],
    ]);
    expect(mutedAt(world, "cccccccc")).toBe(true);
    expect([ana.mutes.length, ben.mutes.length]).toEqual([0, 0]);
    expect([property(world, "video-limit-reached"), property(world, "parley_full")]).toEqual(["true", "true"]);
  });

  test("a client that goes on sending is asked again, not in a flood", () => {
    const { world } = pair();
    const cleo = join(world, "cccccccc");
    for (let second = 0; second < 20; second++) {
      world.advance(1_000);
      world.bridgePresence("jvb1", { parley_camera_room: "0" });
    }
    expect(cleo.mutes.length).toBeWithin(3, 6);
    expect(mutedAt(world, "cccccccc")).toBe(true);
  });

  test("switched off and on again while there is no room: off again; with room: it passes", () => {
    const { world, ben } = pair();
    const cleo = join(world, "cccccccc");
    switchCamera(world, cleo, false);
    world.advance(10_000);
    world.bridgePresence("jvb1", { parley_camera_room: "0", stress_level: "1" });
    switchCamera(world, cleo, true);
    expect(cleo.mutes).toHaveLength(2);
    switchCamera(world, cleo, false);
    world.leave(ben);
    world.advance(10_000);
    world.bridgePresence("jvb1", { parley_camera_room: "3", stress_level: "0.25" });
    for (const ms of [31_000, 16_000]) {
      world.advance(ms);
      world.bridgePresence("jvb1", { parley_camera_room: "3" });
    }
    expect([property(world, "video-limit-reached"), property(world, "parley_full")]).toEqual([undefined, undefined]);
    switchCamera(world, cleo, true);
    expect(cleo.mutes).toHaveLength(2);
    expect(mutedAt(world, "cccccccc")).toBe(false);
  });

  test("of ten who come within a second as many cameras go on as fit: what was let in counts at once", () => {
    const world = new SimulatedWorld().start(["jvb1"]);
    world.bridgePresence("jvb1", { parley_camera_room: "20" });
    const all = Array.from({ length: 10 }, (_, index) => join(world, `0000000${index}`));
    // Five who see each other are twenty.
    expect(all.map((client) => client.mutes.length === 0)).toEqual(all.map((_, index) => index < 5));
  });

  test("who has a camera keeps it when the bridge dies and another takes over that has no room", () => {
    const { world, ana, ben } = pair();
    world.addBridge("jvb2", { ...OURS, parley_camera_room: "0", stress_level: "1.2" });
    world.removeBridge("jvb1");
    world.advance(1_000);
    expect([ana.accepted, ben.accepted]).toEqual([true, true]);
    expect([ana.mutes.length, ben.mutes.length]).toEqual([0, 0]);
  });

  test("its limits on pictures are told to people", () => {
    const { world } = pair();
    world.bridgePresence("jvb1", { parley_quality_step: "2" });
    expect(property(world, "parley_quality_step")).toBe("2");
    world.bridgePresence("jvb1", { parley_quality_step: "0" });
    expect(property(world, "parley_quality_step")).toBeUndefined();
  });
});

describe("a bridge of ours that is not certain of its capacity, and says its stress only", () => {
  const add = (world: SimulatedWorld, client: SimulatedClient): string | undefined =>
    conditionOf(
      world.jingle(client, { action: "source-add", sources: new Map([["", stockSources(client.nick, "v1")]]) }),
    );

  const started = (bridges: readonly string[]): SimulatedWorld => {
    const world = new SimulatedWorld().start(bridges);
    for (const bridge of bridges) world.bridgePresence(bridge, OURS);
    return world;
  };

  test("beyond 0.9 nobody new may add a camera, who sends may; below 0.765 everybody", () => {
    const world = started(["jvb1"]);
    const ana = join(world, "aaaaaaaa");
    const ben = world.join(ROOM, "bbbbbbbb", { presence: [camera("bbbbbbbb", false)] });
    world.bridgePresence("jvb1", { stress_level: "0.95" });
    expect(add(world, ben)).toBe("resource-constraint");
    expect(add(world, ana)).toBeUndefined();
    expect(property(world, "video-limit-reached")).toBe("true");
    world.advance(60_000);
    world.bridgePresence("jvb1", { stress_level: "0.8" });
    expect(add(world, ben)).toBe("resource-constraint");
    world.bridgePresence("jvb1", { stress_level: "0.7" });
    expect(add(world, ben)).toBeUndefined();
    expect(world.focus.stats.camerasRefused).toBe(2);
  });

  test("full: no new conference, by name of the condition that clients know; those that run go on and may be joined", () => {
    const world = started(["jvb1"]);
    const ana = join(world, "aaaaaaaa");
    const ben = join(world, "bbbbbbbb");
    world.advance(31_000);
    world.bridgePresence("jvb1", { stress_level: "1.05" });
    const answerTo = (room: string): Element | undefined => {
      const id = world.ask(room, "new-uuid@meet.test/res");
      return world.sent.find((each) => attr(each, "id") === id);
    };
    expect(conditionOf(answerTo(OTHER))).toBe("resource-constraint");
    expect(world.focus.conferences.has(OTHER)).toBe(false);
    expect(conditionOf(answerTo(ROOM))).toBeUndefined();
    const cleo = join(world, "cccccccc");
    expect([ana, ben, cleo].map((client) => client.accepted)).toEqual([true, true, true]);
    world.advance(31_000);
    world.bridgePresence("jvb1", { stress_level: "0.8" });
    expect(conditionOf(answerTo(OTHER))).toBeUndefined();
    expect(world.focus.stats.conferencesRefused).toBe(1);
  });

  test("a meeting that ran before the focus was started again comes back, however full the bridge is with it", () => {
    const world = started(["jvb1"]);
    const ana = join(world, "aaaaaaaa");
    const ben = join(world, "bbbbbbbb");
    world.advance(60_000);
    world.bridgePresence("jvb1", { stress_level: "1.1" });
    ana.accepted = false;
    ben.accepted = false;
    world.restartFocus();
    world.advance(5_000);
    expect([ana.accepted, ben.accepted]).toEqual([true, true]);
    // Later strangers are turned away.
    world.advance(31_000);
    world.bridgePresence("jvb1", { stress_level: "1.1" });
    world.ask(OTHER, "new-uuid@meet.test/res");
    expect(world.focus.conferences.has(OTHER)).toBe(false);
  });

  test("a conference that was asked for before, and has no bridge yet, waits: it is told, and begins when there is room", () => {
    const world = started(["jvb1"]);
    const ana = join(world, "aaaaaaaa");
    world.bridgePresence("jvb1", { stress_level: "1.05" });
    const ben = join(world, "bbbbbbbb");
    expect([ana.accepted, ben.accepted]).toEqual([false, false]);
    const told = (): boolean =>
      world.sent
        .findLast((each) => each.getName() === "presence" && attr(each, "to") === `${ROOM}/focus`)
        ?.getChild("bridgeNotAvailable") !== undefined;
    expect(told()).toBe(true);
    world.advance(31_000);
    world.bridgePresence("jvb1", { stress_level: "0.3" });
    expect([ana.accepted, ben.accepted]).toEqual([true, true]);
    expect(told()).toBe(false);
  });

  test("one of two bridges is full: new conferences go to the other", () => {
    const world = started(["jvb1", "jvb2"]);
    world.bridgePresence("jvb1", { stress_level: "1.05" });
    world.bridgePresence("jvb2", { stress_level: "0.99" });
    join(world, "aaaaaaaa");
    join(world, "bbbbbbbb");
    expect(world.bridges.get("jvb2")?.meetings.size).toBe(1);
  });
});

test("a foreign bridge is never full, whatever it says of its stress: cameras and new conferences are let in, as by the original focus", () => {
  const world = new SimulatedWorld().start(["jvb1"]);
  world.bridgePresence("jvb1", { stress_level: "1.1" });
  const people = ["aaaaaaaa", "bbbbbbbb", "cccccccc"].map((nick) => join(world, nick));
  expect(people.map((each) => each.accepted)).toEqual([true, true, true]);
  expect(
    people.flatMap((each) => each.jingle.map((invitation) => invitation.startMuted?.video ?? false)),
  ).not.toContain(true);
  expect(people.map((each) => each.mutes.length)).toEqual([0, 0, 0]);
  expect(property(world, "video-limit-reached")).toBeUndefined();
  world.ask(OTHER, "new-uuid@meet.test/res");
  expect(world.focus.conferences.has(OTHER)).toBe(true);
});
