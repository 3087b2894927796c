import { describe, expect, test } from "bun:test";
import {
  type ChildId,
  SILENCE_MS,
  START_TIMEOUT_MS,
  Supervision,
  type SupervisionAction,
  type SupervisionOptions,
} from "./supervision.ts";
import { type Millis, millis } from "./time.ts";

const CONTROL_PORTS = { xmpp: 5222, https: 443 };

/** Supervision on virtual time, with children that do as told. */
class World {
  now: Millis = millis(0);
  readonly supervision: Supervision;
  actions: SupervisionAction[] = [];

  constructor(options: Partial<SupervisionOptions> = {}) {
    this.supervision = new Supervision({
      control: true,
      bridges: 1,
      maxBridges: 3,
      startNextAt: 0.5,
      stopIdleAfterMs: 600_000,
      ...options,
    });
    this.take(this.supervision.start(this.now));
  }

  take(actions: readonly SupervisionAction[]): void {
    this.actions.push(...actions);
  }

  /** Lets time pass, with health reports of `alive` children every 2 s. */
  pass(ms: number, alive: readonly ChildId[] = []): void {
    const until = this.now + ms;
    let report = this.now + 2_000;
    for (;;) {
      const deadline = this.supervision.nextDeadline()?.at ?? Number.POSITIVE_INFINITY;
      const next = Math.min(deadline, alive.length > 0 ? report : Number.POSITIVE_INFINITY, until);
      this.now = millis(next);
      if (next === deadline) this.take(this.supervision.handleTimeout(this.now));
      if (next === report) {
        for (const id of alive) this.take(this.supervision.reported(this.now, id, undefined));
        report += 2_000;
      }
      if (next >= until) return;
    }
  }

  started(id: ChildId, ports: Readonly<Record<string, number>> = {}): void {
    this.take(this.supervision.started(this.now, id, ports));
  }
  well(id: ChildId): void {
    this.take(this.supervision.reported(this.now, id, undefined));
  }
  dies(id: ChildId, refused?: string): void {
    this.take(this.supervision.exited(this.now, id, "signal SIGKILL", refused));
  }
  load(id: ChildId, stress: number, endpoints: number): void {
    this.take(this.supervision.loaded(this.now, id, stress, endpoints));
  }

  /** Actions since the last call, without log lines, in short. */
  did(): string[] {
    const short = this.actions.flatMap((action): string[] => {
      switch (action.type) {
        case "log":
          return [];
        case "bridges":
          return [`bridges ${action.running.map((each) => each.index).join(",")}`];
        case "healthy":
          return ["healthy"];
        case "done":
          return [`done ${action.exitCode} ${action.why}`.trim()];
        case "drain":
          return [`drain ${action.id} ${action.on ? "on" : "off"}`];
        default:
          return [`${action.type} ${action.id}`];
      }
    });
    this.actions = [];
    return short;
  }
}

const running = (options: Partial<SupervisionOptions> = {}): World => {
  const world = new World(options);
  world.started("control", CONTROL_PORTS);
  world.started("bridge-0", { colibri: 9090 });
  world.well("control");
  world.well("bridge-0");
  world.did();
  return world;
};

describe("start", () => {
  test("bridges follow the control process; healthy is said once, when all are well", () => {
    const world = new World();
    expect(world.did()).toEqual(["spawn control"]);
    world.started("control", CONTROL_PORTS);
    expect(world.did()).toEqual(["spawn bridge-0"]);
    world.well("control");
    expect(world.did()).toEqual([]);
    world.started("bridge-0");
    world.take(world.supervision.reported(world.now, "bridge-0", "not in the brewery"));
    expect(world.did()).toEqual(["bridges 0"]);
    expect(world.supervision.faults()).toEqual(["bridge-0: not in the brewery"]);
    world.well("bridge-0");
    expect(world.did()).toEqual(["healthy"]);
    world.well("bridge-0");
    expect(world.did()).toEqual([]);
  });

  test("a part that says it cannot start ends everything with its line", () => {
    const world = new World();
    world.dies("control", "port 443 is taken");
    expect(world.did()).toEqual(["spawn control", "done 1 port 443 is taken"]);
  });

  test("a bridge that cannot start stops the control process too", () => {
    const world = new World();
    world.started("control", CONTROL_PORTS);
    world.dies("bridge-0", "no libssl");
    expect(world.did()).toEqual(["spawn control", "spawn bridge-0", "stop control"]);
    world.dies("control");
    expect(world.did()).toEqual(["done 1 no libssl"]);
  });

  test("a child that never says it has started is killed and started again", () => {
    const world = new World();
    world.did();
    world.pass(START_TIMEOUT_MS - 1);
    expect(world.did()).toEqual([]);
    world.pass(1);
    expect(world.did()).toEqual(["kill control"]);
    world.dies("control");
    expect(world.did()).toEqual(["spawn control"]);
  });

  test("without a control process bridges start at once", () => {
    const world = new World({ control: false, bridges: 2 });
    expect(world.did()).toEqual(["spawn bridge-0", "spawn bridge-1"]);
  });
});

describe("a child that dies", () => {
  test("is started again at once with its ports, and the gateway forgets it meanwhile", () => {
    const world = running();
    world.dies("bridge-0");
    expect(world.actions.filter((action) => action.type === "spawn")).toEqual([
      { type: "spawn", id: "bridge-0", ports: { colibri: 9090 } },
    ]);
    expect(world.did()).toEqual(["bridges ", "spawn bridge-0"]);
    world.started("bridge-0", { colibri: 9090 });
    expect(world.did()).toEqual(["bridges 0"]);
  });

  test("the control process comes back without the bridges being touched", () => {
    const world = running();
    world.dies("control");
    expect(world.did()).toEqual(["spawn control"]);
    world.started("control", CONTROL_PORTS);
    expect(world.did()).toEqual(["bridges 0"]);
  });

  test("waits longer each time, 30 s at most, and starts anew after a steady minute", () => {
    const world = running();
    const waits: number[] = [];
    for (let round = 0; round < 9; round++) {
      world.dies("bridge-0");
      const from = world.now;
      while (!world.did().includes("spawn bridge-0")) world.pass(250, ["control"]);
      waits.push(world.now - from);
      world.started("bridge-0");
    }
    expect(waits).toEqual([0, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
    world.pass(61_000, ["control", "bridge-0"]);
    world.did();
    world.dies("bridge-0");
    expect(world.did()).toContain("spawn bridge-0");
  });

  test("a child that falls silent is killed", () => {
    const world = running();
    world.pass(SILENCE_MS - 1, ["control"]);
    expect(world.did()).toEqual([]);
    world.pass(1, ["control"]);
    expect(world.did()).toEqual(["kill bridge-0"]);
  });

  test("once healthy, a part that cannot start again is tried for ever", () => {
    const world = running();
    world.dies("control", "port 443 is taken");
    expect(world.did()).toEqual(["spawn control"]);
  });
});

test("a fault is logged once, and so is its end; what starts is given time", () => {
  const world = running();
  const logged = (): string[] =>
    world.actions.splice(0).flatMap((action) => (action.type === "log" ? [action.message] : []));
  const report = (fault: string | undefined): void =>
    world.take(world.supervision.reported(world.now, "bridge-0", fault));
  report("not connected");
  expect(logged()).toEqual([]);
  world.pass(10_000, ["control", "bridge-0"]);
  report("not connected");
  report("not connected");
  report("still not connected");
  expect(logged()).toEqual(["not connected"]);
  report(undefined);
  report(undefined);
  expect(logged()).toEqual(["well again"]);
});

describe("stop", () => {
  test("bridges first, then the control process", () => {
    const world = running();
    world.take(world.supervision.stop(world.now, 1_000));
    expect(world.did()).toEqual(["stop bridge-0"]);
    world.dies("bridge-0");
    expect(world.did()).toEqual(["stop control"]);
    world.dies("control");
    expect(world.did()).toEqual(["done 0"]);
    expect(world.supervision.nextDeadline()).toBeUndefined();
  });

  test("a child that does not stop in time is killed", () => {
    const world = running();
    world.take(world.supervision.stop(world.now, 1_000));
    world.pass(1_500);
    expect(world.did()).toEqual(["stop bridge-0", "kill bridge-0"]);
  });

  test("asked twice, everything is killed", () => {
    const world = running();
    world.take(world.supervision.stop(world.now, 60_000));
    world.take(world.supervision.stop(world.now, 60_000));
    expect(world.did()).toEqual(["stop bridge-0", "kill control", "kill bridge-0"]);
    world.dies("control");
    world.dies("bridge-0");
    expect(world.did()).toEqual(["done 0"]);
  });

  test("a child that waits for its next try is not waited for", () => {
    const world = running();
    world.dies("bridge-0");
    world.dies("bridge-0");
    world.did();
    world.take(world.supervision.stop(world.now, 1_000));
    expect(world.did()).toEqual(["stop control"]);
  });
});

describe("load", () => {
  test("a further bridge starts when all have been loaded for 10 s, up to the most", () => {
    const world = running({ maxBridges: 2 });
    world.load("bridge-0", 0.6, 20);
    world.pass(5_000, ["control", "bridge-0"]);
    world.load("bridge-0", 0.6, 20);
    expect(world.did()).toEqual([]);
    world.pass(5_000, ["control", "bridge-0"]);
    world.load("bridge-0", 0.6, 20);
    expect(world.did()).toEqual(["spawn bridge-1"]);
    world.started("bridge-1");
    for (let round = 0; round < 10; round++) {
      world.pass(5_000, ["control", "bridge-0", "bridge-1"]);
      world.load("bridge-0", 0.9, 20);
      world.load("bridge-1", 0.9, 20);
    }
    expect(world.did()).toEqual(["bridges 0,1"]);
  });

  test("a short peak starts nothing", () => {
    const world = running();
    for (let round = 0; round < 20; round++) {
      world.load("bridge-0", (round % 2) * 0.79, 20);
      world.pass(5_000, ["control", "bridge-0"]);
    }
    expect(world.did()).toEqual([]);
  });

  test("a bridge that is nearly full does not wait ten seconds for the next one", () => {
    const world = running({ maxBridges: 2 });
    world.load("bridge-0", 0.85, 20);
    expect(world.did()).toEqual(["spawn bridge-1"]);
    world.load("bridge-0", 0.85, 20);
    expect(world.did()).toEqual([]); // it is on its way
  });

  /** Two run, the second because of load; nobody is on it for the last ten minutes, and the first is calm. */
  const idleExtra = (): World => {
    const world = running({ maxBridges: 2 });
    world.load("bridge-0", 0.85, 20);
    world.started("bridge-1");
    world.did();
    for (let round = 0; round < 120; round++) {
      world.load("bridge-0", 0.1, 5);
      world.load("bridge-1", 0, 0);
      world.pass(5_000, ["control", "bridge-0", "bridge-1"]);
    }
    world.load("bridge-1", 0, 0);
    return world;
  };

  test("an extra bridge without endpoints drains after ten minutes, then stops, and is not started again", () => {
    const world = idleExtra();
    expect(world.did()).toEqual(["drain bridge-1 on"]);
    world.load("bridge-1", 0, 0);
    world.pass(10_000, ["control", "bridge-0", "bridge-1"]);
    expect(world.did()).toEqual(["stop bridge-1"]);
    world.dies("bridge-1");
    expect(world.did()).toEqual(["bridges 0"]);
  });

  test("somebody who came while it drains keeps it", () => {
    const world = idleExtra();
    world.load("bridge-1", 0, 2);
    world.pass(10_000, ["control", "bridge-0", "bridge-1"]);
    expect(world.did()).toEqual(["drain bridge-1 on", "drain bridge-1 off"]);
  });

  test("load that comes back while it drains keeps it, instead of starting a third", () => {
    const world = idleExtra();
    world.load("bridge-0", 0.9, 30);
    expect(world.did()).toEqual(["drain bridge-1 on", "drain bridge-1 off"]);
    world.pass(60_000, ["control", "bridge-0", "bridge-1"]);
    expect(world.did()).toEqual([]);
  });

  test("one that dies while it drains comes back like any other", () => {
    const world = idleExtra();
    world.did();
    world.dies("bridge-1");
    expect(world.did()).toEqual(["bridges 0", "spawn bridge-1"]);
    world.started("bridge-1");
    expect(world.did()).toEqual(["bridges 0,1"]);
  });

  test("the configured bridges stay, however idle", () => {
    const world = running();
    for (let round = 0; round < 200; round++) {
      world.load("bridge-0", 0, 0);
      world.pass(5_000, ["control", "bridge-0"]);
    }
    expect(world.did()).toEqual([]);
  });
});

test("any sequence of events ends in done once stop is asked for (seed 7)", () => {
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  for (let round = 0; round < 300; round++) {
    const world = new World({ maxBridges: 2 });
    const alive = new Set<ChildId>();
    let done = false;
    const settle = (): void => {
      for (const action of world.actions.splice(0)) {
        if (action.type === "spawn") alive.add(action.id);
        if (action.type === "kill" && alive.delete(action.id)) world.dies(action.id);
        if (action.type === "done") done = true;
      }
      if (world.actions.length > 0) settle();
    };
    settle();
    for (let step = 0; step < 40; step++) {
      const id = [...alive][random(alive.size)] ?? "control";
      switch (random(6)) {
        case 0:
          if (alive.delete(id)) world.dies(id);
          break;
        case 1:
          world.started(id);
          break;
        case 2:
          world.well(id);
          break;
        case 3:
          world.pass(random(30_000));
          break;
        case 4:
          world.load(id, random(2), random(3));
          break;
        case 5:
          world.take(world.supervision.reported(world.now, id, "unwell"));
          break;
      }
      settle();
    }
    world.take(world.supervision.stop(world.now, 1_000));
    settle();
    world.pass(60_000);
    settle();
    expect([round, done, alive.size]).toEqual([round, true, 0]);
  }
});
