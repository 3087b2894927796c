import { describe, expect, test } from "bun:test";

import { SimulatedWorld } from "./simulated-world.ts";

const ROOM = "standup@muc.meet.test";

describe("a meeting", () => {
  test("alone: no session; the second one brings both into one", () => {
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
  });
});
