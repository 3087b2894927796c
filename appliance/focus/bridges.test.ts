import { describe, expect, test } from "bun:test";
import { later, type Millis, millis } from "../time.ts";
import { NS } from "../wire/namespaces.ts";
import { xml } from "../wire/xml.ts";
import { type Bridge, type BridgeSettings, Bridges } from "./bridges.ts";
import { Outbox } from "./outbox.ts";
import { Requests } from "./requests.ts";

const SETTINGS: BridgeSettings = {
  health: "iq",
  overload: 0.8,
  maxParticipants: 80,
  strategy: "single",
  refuseCamerasAt: 0.9,
  refuseConferencesAt: 1,
};
const NOW = millis(1000);

function brewery(settings: Partial<BridgeSettings> = {}) {
  const outbox = new Outbox();
  const requests = new Requests(outbox, "t");
  const lost: string[] = [];
  let available = 0;
  const bridges = new Bridges({ ...SETTINGS, ...settings }, outbox, requests, {
    lost: (_, bridge) => lost.push(bridge.id),
    available: () => available++,
  });
  const presence = (
    nick: string,
    stats: Record<string, string | number> = {},
    now: Millis = NOW,
    type?: string,
  ): void => {
    const all = { drain: "false", version: "1", ...stats };
    bridges.presence(
      now,
      xml(
        "presence",
        { from: `brewery@muc/${nick}`, type },
        xml(
          "stats",
          { xmlns: NS.colibri },
          Object.entries(all).map(([name, value]) => xml("stat", { name, value })),
        ),
      ),
    );
  };
  const bridge = (nick: string): Bridge => {
    const found = bridges.find(nick);
    if (found === undefined) throw new Error(`no bridge ${nick}`);
    return found;
  };
  const select = (
    used: readonly (readonly [string, number])[] = [],
    region?: string,
    pinned?: string,
    now = NOW,
  ): string | undefined =>
    bridges.select(now, { used: new Map(used.map(([nick, count]) => [bridge(nick), count])), region, pinned })?.id;
  return { bridges, presence, bridge, select, lost, available: () => available };
}

describe("selection", () => {
  test("the least loaded one", () => {
    const { presence, select } = brewery();
    presence("a", { stress_level: 0.5 });
    presence("b", { stress_level: 0.2 });
    expect(select()).toBe("b");
  });

  test("endpoints of the last 20 s count before the bridge reports them", () => {
    const { presence, select, bridge } = brewery();
    presence("a", { stress_level: 0.2 });
    presence("b", { stress_level: 0.215, average_participant_stress: 0.01 });
    bridge("a").added(NOW);
    bridge("a").added(NOW);
    expect(select()).toBe("b");
    expect(select([], undefined, undefined, later(NOW, 20_001))).toBe("a");
  });

  test("a bridge drains until it says otherwise, and drained ones are the last choice", () => {
    const { bridges, presence, select } = brewery();
    bridges.presence(NOW, xml("presence", { from: "brewery@muc/a" }, xml("stats", { xmlns: NS.colibri })));
    presence("b", { stress_level: 0.7, version: "" });
    expect(select()).toBe("b");
    presence("b", { drain: "true" });
    presence("a", { drain: "false" });
    expect(select()).toBe("a");
  });

  test("a conference stays where it is, even on a draining bridge, and never splits in the single strategy", () => {
    const { presence, select } = brewery();
    presence("a", { drain: "true", stress_level: 0.9 });
    presence("b");
    expect(select([["a", 3]])).toBe("a");
    presence("a", { shutting_down: "true" });
    expect(select([["a", 3]])).toBeUndefined();
    expect(select()).toBe("b");
  });

  test("graceful shutdown is avoided, shutting down is out", () => {
    const { presence, select } = brewery();
    presence("a", { graceful_shutdown: "true" });
    presence("b", { stress_level: 0.9 });
    expect(select()).toBe("b");
    presence("b", { shutting_down: "true" });
    expect(select()).toBe("a");
  });

  test("one version a conference; a pin wins", () => {
    const { presence, select } = brewery({ strategy: "split" });
    presence("a", { version: "1", relay_id: "a" });
    presence("b", { version: "2", relay_id: "b" });
    presence("c", { version: "1", relay_id: "c", stress_level: 0.5 });
    expect(select([["a", 5]])).toBe("c");
    expect(select([], undefined, "2")).toBe("b");
    expect(select([], undefined, "3")).toBeUndefined();
  });

  test("with mixed versions allowed, bridges of two makers share a conference", () => {
    const { presence, select } = brewery({ strategy: "split", mixedVersions: true });
    presence("a", { version: "1", relay_id: "a" });
    presence("b", { version: "2", relay_id: "b" });
    expect(select([["a", 5]])).toBe("b");
  });

  test("by region: near and idle, else what the conference uses, else the least loaded", () => {
    const { presence, select } = brewery({ strategy: "region", region: "home" });
    presence("a", { region: "home", stress_level: 0.5, relay_id: "a" });
    presence("b", { region: "away", stress_level: 0.1, relay_id: "b" });
    expect(select()).toBe("a");
    expect(select([], "away")).toBe("b");
    expect(select([["a", 2]], "mars")).toBe("a");
    presence("a", { stress_level: 0.95 });
    expect(select()).toBe("b");
  });

  test("a full bridge is passed over for one that can be joined by a relay", () => {
    const { presence, select } = brewery({ strategy: "region", maxParticipants: 2 });
    presence("a", { relay_id: "a" });
    presence("b", { relay_id: "b", stress_level: 0.6 });
    expect(select([["a", 2]])).toBe("b");
  });

  test("by region: a near one before a far one, and what the conference uses there first", () => {
    const { presence, select } = brewery({ strategy: "region", regionGroups: [["east", "north"]] });
    presence("a", { region: "west", relay_id: "a" });
    presence("b", { region: "north", relay_id: "b", stress_level: 0.5 });
    presence("c", { region: "north", relay_id: "c", stress_level: 0.3 });
    expect(select([], "east")).toBe("c");
    expect(select([["b", 1]], "east")).toBe("b");
    presence("d", { region: "east", relay_id: "d", stress_level: 0.7 });
    expect(select([], "east")).toBe("d");
    presence("d", { stress_level: 0.9 });
    expect(select([], "east")).toBe("c");
    expect(select([], "south")).toBe("a");
  });

  test("within a region: the first participant says where, the others follow", () => {
    const { presence, select } = brewery({
      strategy: "intra-region",
      maxParticipants: 2,
      regionGroups: [["east", "west"]],
    });
    presence("a", { region: "west", relay_id: "a" });
    presence("b", { region: "east", relay_id: "b", stress_level: 0.4 });
    presence("c", { region: "east", relay_id: "c", stress_level: 0.5 });
    expect(select([], "east")).toBe("b");
    expect(select([["b", 1]], "west")).toBe("b");
    expect(select([["b", 2]], "west")).toBe("c");
    presence("c", { stress_level: 0.95 });
    expect(select([["b", 2]], "east")).toBe("a"); // nothing idle is left there
  });

  test("a bridge that its endpoints do not reach is passed over for five minutes", () => {
    const { presence, select, bridge } = brewery();
    presence("a");
    presence("b", { stress_level: 0.5 });
    const failing = bridge("a");
    failing.endpoints = 20;
    failing.restartRequested(NOW);
    failing.restartRequested(later(NOW, 1_000));
    expect([select(), failing.failingIce(NOW)]).toEqual(["a", false]); // a tenth is what happens
    failing.restartRequested(later(NOW, 61_500)); // of the last minute alone
    expect(select([], undefined, undefined, later(NOW, 61_500))).toBe("a");
    failing.restartRequested(later(NOW, 61_600));
    failing.restartRequested(later(NOW, 61_700));
    expect(select([], undefined, undefined, later(NOW, 61_700))).toBe("b");
    expect(select([["a", 3]], undefined, undefined, later(NOW, 61_700))).toBe("a"); // running conferences stay
    presence("b", { shutting_down: "true" });
    expect(select([], undefined, undefined, later(NOW, 61_700))).toBe("a"); // better than none
    presence("b", { shutting_down: "false" });
    expect(select([], undefined, undefined, later(NOW, 361_701))).toBe("a");
    failing.endpoints = 9;
    for (let i = 0; i < 9; i++) failing.restartRequested(later(NOW, 400_000));
    expect(failing.failingIce(later(NOW, 400_000))).toBe(false); // few endpoints prove nothing
  });

  test("without relay ids a conference is never split", () => {
    const { presence, select } = brewery({ strategy: "split" });
    presence("a");
    presence("b");
    expect(select([["a", 2]])).toBe("a");
  });
});

describe("health", () => {
  test("presence-based: healthy=false is not operational, 45 s of silence is gone", () => {
    const { bridges, presence, select, lost } = brewery({ health: "presence" });
    presence("a", { healthy: "false" });
    expect(select()).toBeUndefined();
    presence("a", { healthy: "true" });
    expect(select()).toBe("a");
    presence("a", { healthy: "false" });
    expect(lost).toEqual(["a"]);
    for (let at = 1; at <= 6; at++) bridges.tick(later(NOW, at * 10_000));
    expect(bridges.find("a")).toBeUndefined();
  });

  test("a failed bridge is back after a minute, and those who wait are told", () => {
    const { bridges, presence, bridge, available } = brewery();
    presence("a");
    presence("b", { stress_level: 0.5 });
    const chosen = (ms: number) =>
      bridges.select(later(NOW, ms), { used: new Map(), region: undefined, pinned: undefined })?.id;
    bridges.failed(NOW, bridge("a"), "test");
    expect([chosen(0), chosen(59_999)]).toEqual(["b", "b"]);
    const before = available();
    bridges.tick(later(NOW, 60_000));
    expect(chosen(60_000)).toBe("a");
    expect(available()).toBeGreaterThan(before);
  });

  test("the only bridge there is is tried again after five seconds", () => {
    const { bridges, presence, select, bridge, available } = brewery();
    presence("a");
    bridges.failed(NOW, bridge("a"), "test");
    expect(select()).toBeUndefined();
    expect(bridges.nextDeadline()?.at).toBe(later(NOW, 5_000));
    const before = available();
    bridges.tick(later(NOW, 5_000));
    expect(bridges.select(later(NOW, 5_000), { used: new Map(), region: undefined, pinned: undefined })?.id).toBe("a");
    expect(available()).toBeGreaterThan(before);
  });

  test("nonsense in the statistics changes nothing", () => {
    const { presence, bridge } = brewery();
    presence("a", { stress_level: 0.4 });
    presence("a", { stress_level: "NaN", average_participant_stress: "-1", drain: "maybe" });
    expect(bridge("a")).toMatchObject({ stress: 0.4, participantStress: 0.01, drain: false });
  });
});
