/**
 * One conference on several bridges, bridge.md 7.1.
 */
import { expect, test } from "bun:test";
import { NS } from "../wire/namespaces.ts";
import { xml } from "../wire/xml.ts";
import { type SimulatedBridge, SimulatedWorld, stockSources, testConfig } from "./simulated-world.ts";

const ROOM = "standup@muc.meet.test";

function meeting(bridges: number, people: number) {
  const world = new SimulatedWorld(testConfig({ options: { bridgeStrategy: "split" } }));
  world.start([]);
  for (let i = 1; i <= bridges; i++) world.addBridge(`jvb${i}`, { relay_id: `r${i}` });
  const clients = Array.from({ length: people }, (_, i) => world.join(ROOM, `n${i}`));
  return { world, clients };
}
const bridge = (world: SimulatedWorld, nick: string): SimulatedBridge => {
  const found = world.bridges.get(nick);
  if (found === undefined) throw new Error(`no ${nick}`);
  return found;
};
const local = (each: SimulatedBridge): string[] => [...each.meetings.values()].flatMap((ids) => [...ids]).sort();
const relays = (each: SimulatedBridge) => each.requests.flatMap((modify) => modify.relays);

/** Every bridge knows, over its relays, exactly everybody else with exactly his SSRCs. */
function complete(world: SimulatedWorld): void {
  const conference = world.focus.conferences.get(ROOM);
  const used = [...world.bridges.values()].filter((each) => local(each).length > 0);
  for (const each of used) {
    const far = new Map([...each.relays.values()].flatMap((endpoints) => [...endpoints]));
    const others = used
      .filter((one) => one !== each)
      .flatMap(local)
      .sort();
    expect([...far.keys()].sort()).toEqual(others);
    for (const [id, ssrcs] of far)
      expect(ssrcs.sort()).toEqual((conference?.sources.of(id).sources ?? []).map(({ ssrc }) => ssrc).sort());
  }
}

test("a bridge that still has an earlier focus's conference: both have the room's meeting id afterwards, and are linked", () => {
  const world = new SimulatedWorld(testConfig({ options: { bridgeStrategy: "split" } }));
  world.start([]);
  for (const each of ["1", "2"]) world.addBridge(`jvb${each}`, { relay_id: `r${each}` });
  bridge(world, "jvb2").meetings.set(`meeting-of-${ROOM}`, new Set(["ghost"]));
  const clients = Array.from({ length: 4 }, (_, i) => world.join(ROOM, `n${i}`));
  expect(clients.map((each) => each.remote.size)).toEqual([3, 3, 3, 3]);
  for (const each of world.bridges.values()) {
    expect([...each.meetings.keys()]).toEqual([`meeting-of-${ROOM}`]);
    expect(local(each)).toHaveLength(2);
    expect(local(each)).not.toContain("ghost");
  }
  complete(world);
});

test("two bridges are linked: roles, transports exchanged, everybody known on both", () => {
  const { world, clients } = meeting(2, 4);
  const [one, two] = [bridge(world, "jvb1"), bridge(world, "jvb2")];
  expect([local(one).length, local(two).length]).toEqual([2, 2]);
  expect(relays(one)[0]).toMatchObject({
    id: "r2",
    create: true,
    meshId: "m0",
    transport: { iceControlling: true, useUniquePort: true },
  });
  expect(relays(two)[0]).toMatchObject({
    id: "r1",
    create: true,
    transport: { iceControlling: false, useUniquePort: false },
  });
  const remote = (each: SimulatedBridge) =>
    relays(each).find((relay) => relay.transport?.ice !== undefined)?.transport?.ice;
  expect(remote(one)).toMatchObject({
    ufrag: "relay-jvb2",
    fingerprints: [{ setup: "passive" }],
    webSockets: ["wss://jvb2/relay"],
  });
  expect(remote(two)).toMatchObject({ ufrag: "relay-jvb1", fingerprints: [{ setup: "active" }], webSockets: [] });
  complete(world);
  for (const client of clients) expect(client.remote.size).toBe(3);
});

test("sources and leaves travel to the bridges beyond", () => {
  const { world, clients } = meeting(2, 4);
  const [first, second] = clients;
  if (first === undefined || second === undefined) throw new Error("no clients");
  world.jingle(first, { action: "source-add", sources: new Map([["", stockSources(first.nick, "v1")]]) });
  complete(world);
  world.leave(second);
  complete(world);
  world.restart(first);
  complete(world);
});

test("three bridges form a full mesh", () => {
  const { world } = meeting(3, 6);
  for (const nick of ["jvb1", "jvb2", "jvb3"]) expect(bridge(world, nick).relays.size).toBe(2);
  complete(world);
});

test("a bridge is lost: its people move, the link to it is ended", () => {
  const { world, clients } = meeting(3, 6);
  world.removeBridge("jvb2");
  for (const client of clients) expect(client.remote.size).toBe(5);
  expect([...bridge(world, "jvb1").relays.keys()]).toEqual(["meeting-of-standup@muc.meet.test r3"]);
  complete(world);
});

test("one participant moves alone where the conference may be split", () => {
  const { world, clients } = meeting(2, 4);
  const [client] = clients;
  const one = world.focus.bridges.find("jvb1");
  if (client === undefined || one === undefined) throw new Error("nobody");
  const before = local(bridge(world, "jvb1"));
  const [moved] = before;
  world.input({ kind: "move", conference: ROOM, bridge: one, endpoints: [moved ?? ""] });
  expect(local(bridge(world, "jvb2"))).toContain(moved ?? "");
  expect(local(bridge(world, "jvb1"))).toEqual(before.slice(1));
  complete(world);
  for (const each of clients) expect(each.remote.size).toBe(3);
});

test("bridges without relay ids never share a conference", () => {
  const world = new SimulatedWorld(testConfig({ options: { bridgeStrategy: "split" } })).start(["jvb1", "jvb2"]);
  for (let i = 0; i < 4; i++) world.join(ROOM, `n${i}`);
  expect([...world.bridges.values()].filter((each) => local(each).length > 0)).toHaveLength(1);
});

test("the last one on a bridge leaves: its part of the conference ends, and the link", () => {
  const { world, clients } = meeting(2, 2);
  const [first, second] = clients;
  if (first === undefined || second === undefined) throw new Error("no clients");
  const third = world.join(ROOM, "third");
  world.leave(first);
  world.leave(third);
  const rest = [...world.bridges.values()].filter((each) => each.meetings.size > 0);
  expect(rest).toHaveLength(1);
  expect(rest[0]?.relays.size).toBe(0);
});

test("a bridge that announces a relay id and refuses links: its conference stays in one piece, nobody is blamed", () => {
  const { world, clients } = meeting(1, 2);
  const second = world.addBridge("jvb2", { relay_id: "r2" });
  for (const each of [bridge(world, "jvb1"), second])
    each.behaviour = (modify) =>
      modify.relays.length > 0
        ? xml("error", { type: "cancel" }, xml("feature-not-implemented", { xmlns: NS.stanzas }))
        : undefined;
  const all = [...clients, world.join(ROOM, "third"), world.join(ROOM, "fourth")];
  for (const client of all) expect(client.remote.size).toBe(3);
  expect([...world.bridges.values()].filter((each) => local(each).length > 0)).toHaveLength(1);
  expect(world.focus.bridges.operational(world.now)).toBe(2);
});
