/**
 * The core of `parley start`: which child processes should run, what to do when one fails, when to start a further bridge, how to stop.
 * Children are the control process and one process per bridge (design.md 2). Inputs come with `now`; actions are plain data for supervisor.ts.
 */
import { type Deadline, Deadlines } from "./deadlines.ts";
import { later, type Millis } from "./time.ts";

/** `control`, or a bridge by its index: bridge 0 takes the configured ports, bridge 1 the next ones. */
export type ChildId = "control" | `bridge-${number}`;

export type Ports = Readonly<Record<string, number>>;

export type SupervisionAction =
  | {
      readonly type: "spawn";
      readonly id: ChildId /** Ports of its last life, to be taken again; empty at first. */;
      readonly ports: Ports;
    }
  | { readonly type: "stop"; readonly id: ChildId; readonly deadlineMs: number }
  | { readonly type: "kill"; readonly id: ChildId }
  /** A bridge is to take no new conferences, or to take them again. */
  | { readonly type: "drain"; readonly id: ChildId; readonly on: boolean }
  /** Bridges whose channel the gateway relays changed. */
  | { readonly type: "bridges"; readonly running: readonly { readonly index: number; readonly ports: Ports }[] }
  /** Everything asked for at start is well, for the first time. */
  | { readonly type: "healthy" }
  | { readonly type: "log"; readonly level: "info" | "warn" | "error"; readonly message: string; readonly id: ChildId }
  /** All children are gone. */
  | { readonly type: "done"; readonly exitCode: number; readonly why: string };

export interface SupervisionOptions {
  readonly control: boolean;
  /** Bridges that run when idle; 0 where this machine runs none. */
  readonly bridges: number;
  readonly maxBridges: number;
  /** 0 … 1: a further bridge starts when all are above it. */
  readonly startNextAt: number;
  /** How long an extra bridge is without anybody before it ends, ms. */
  readonly stopIdleAfterMs: number;
}

interface Child {
  readonly id: ChildId;
  state: "starting" | "running" | "waiting" | "stopping";
  ports: Ports;
  /** Undefined: well. */
  fault: string | undefined;
  failures: number;
  since: Millis;
  /** An extra bridge that nobody needs any more: it drains, then it stops. */
  retiring: boolean;
  /** Its fault has been logged; what is not well yet just after its start is not. */
  complained: boolean;
  loaded: { stress: number; endpoints: number } | undefined;
  idleSince: Millis | undefined;
}

/** A child must say that it has started within this time; it is started again otherwise. A Pi 3 takes some 10 s. */
export const START_TIMEOUT_MS = 60_000;
/** A child sends its health every 2 s; one that is silent for this long hangs. */
export const SILENCE_MS = 20_000;
const FIRST_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 30_000;
/** A child that ran this long has recovered: the next failure is a first one. */
const STEADY_MS = 60_000;
/** A child that is not well for this long after its start has a fault; before, it is on its way. */
const SETTLING_MS = 10_000;
/** How long all bridges must be above the threshold: shorter peaks are joins. */
const LOADED_MS = 10_000;
/** From this stress on (the mean of ten seconds already) the next bridge is not waited for. */
const URGENT = 0.8;
/** How long a bridge drains before it ends: the focus hears of it with its next presence (5 s), what it had placed there before shows by then. */
const DRAIN_MS = 10_000;
/** What an orderly stop may take beyond its deadline before the process is killed. */
const GRACE_MS = 500;

const bridgeIndex = (id: ChildId): number | undefined =>
  id === "control" ? undefined : Number(id.slice("bridge-".length));

export class Supervision {
  readonly #options: SupervisionOptions;
  readonly #children = new Map<ChildId, Child>();
  readonly #deadlines = new Deadlines<string>();
  #healthy = false;
  #stopping: { deadlineMs: number; exitCode: number; why: string } | undefined;
  #loadedSince: Millis | undefined;

  constructor(options: SupervisionOptions) {
    this.#options = options;
  }

  start(now: Millis): SupervisionAction[] {
    // Bridges log in to xmpp: they follow once the control process has said its ports.
    return this.#options.control ? this.#spawn(now, "control") : this.#startBridges(now);
  }

  nextDeadline(): Deadline | undefined {
    return this.#deadlines.soonest();
  }

  /** The child listens and works; `ports` are kept over its restarts. */
  started(now: Millis, id: ChildId, ports: Ports): SupervisionAction[] {
    const child = this.#children.get(id);
    if (child?.state !== "starting") return [];
    child.state = "running";
    child.ports = ports;
    child.since = now;
    this.#deadlines.set(`silent ${id}`, later(now, SILENCE_MS));
    this.#deadlines.clear(`start ${id}`);
    if (id === "control") {
      const bridges = this.#bridges();
      return bridges.length === 0 ? this.#startBridges(now) : [this.#announce()];
    }
    return [this.#announce()];
  }

  /** The child says how it is; `fault` undefined is well. */
  reported(now: Millis, id: ChildId, fault: string | undefined): SupervisionAction[] {
    const child = this.#children.get(id);
    if (child?.state !== "running") return [];
    this.#deadlines.set(`silent ${id}`, later(now, SILENCE_MS));
    child.fault = fault;
    const actions: SupervisionAction[] = [];
    const grown = now - child.since >= SETTLING_MS;
    if (this.#healthy && fault !== undefined && grown && !child.complained) {
      child.complained = true;
      actions.push({ type: "log", level: "warn", message: fault, id });
    } else if (fault === undefined && child.complained) {
      child.complained = false;
      actions.push({ type: "log", level: "info", message: "well again", id });
    }
    if (!this.#healthy && this.#allWell()) {
      this.#healthy = true;
      actions.push({ type: "healthy" });
    }
    return actions;
  }

  /** Why it is not healthy yet, for people. */
  faults(): string[] {
    const lines: string[] = [];
    if (this.#options.control && !this.#children.has("control")) lines.push("control: not started");
    for (const child of this.#children.values())
      if (child.state !== "running" || child.fault !== undefined)
        lines.push(`${child.id}: ${child.state === "running" ? child.fault : child.state}`);
    return lines;
  }

  /** Load of a bridge: `stress` 0 … 1 (bridge.md 5.8), `endpoints` as in its statistics. */
  loaded(now: Millis, id: ChildId, stress: number, endpoints: number): SupervisionAction[] {
    const child = this.#children.get(id);
    if (child === undefined || bridgeIndex(id) === undefined || child.state !== "running") return [];
    child.loaded = { stress, endpoints };
    child.idleSince = endpoints > 0 ? undefined : (child.idleSince ?? now);
    return this.#scale(now);
  }

  /** The process is gone, for whatever reason. `refused`: it said itself that it cannot start, and why. */
  exited(now: Millis, id: ChildId, how: string, refused: string | undefined): SupervisionAction[] {
    const child = this.#children.get(id);
    if (child === undefined) return [];
    for (const name of ["start", "silent", "kill", "retry", "drained"]) this.#deadlines.clear(`${name} ${id}`);
    if (this.#stopping !== undefined || (child.retiring && child.state === "stopping")) {
      this.#children.delete(id);
      if (this.#stopping !== undefined) return this.#continueStop(now);
      return [{ type: "log", level: "info", message: "stopped, no longer needed", id }, this.#announce()];
    }
    if (refused !== undefined && !this.#healthy) {
      this.#children.delete(id);
      return this.#stop(now, { deadlineMs: 1_000, exitCode: 1, why: refused });
    }
    if (child.state === "running" && now - child.since > STEADY_MS) child.failures = 0;
    const wait = child.failures === 0 ? 0 : Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (child.failures - 1));
    child.failures++;
    child.fault = undefined;
    child.complained = false;
    child.loaded = undefined;
    child.retiring = false;
    const actions: SupervisionAction[] = [
      { type: "log", level: "error", message: `ended (${refused ?? how}); starting it again in ${wait} ms`, id },
    ];
    if (bridgeIndex(id) !== undefined) actions.push(this.#announce(id));
    if (wait === 0) return [...actions, ...this.#spawn(now, id)];
    child.state = "waiting";
    this.#deadlines.set(`retry ${id}`, later(now, wait));
    return actions;
  }

  /** Stops everything orderly: bridges first, because they say goodbye through the control process. */
  stop(now: Millis, deadlineMs: number): SupervisionAction[] {
    return this.#stop(now, { deadlineMs, exitCode: 0, why: "" });
  }

  handleTimeout(now: Millis): SupervisionAction[] {
    const actions: SupervisionAction[] = [];
    for (const name of this.#deadlines.due(now)) {
      const at = name.indexOf(" ");
      const id = name.slice(at + 1) as ChildId;
      switch (name.slice(0, at)) {
        case "retry":
          actions.push(...this.#spawn(now, id));
          break;
        case "start":
          actions.push({ type: "log", level: "error", message: "did not start in time", id }, { type: "kill", id });
          break;
        case "silent":
          actions.push({ type: "log", level: "error", message: "says nothing any more", id }, { type: "kill", id });
          break;
        case "kill":
          actions.push({ type: "log", level: "warn", message: "did not stop in time", id }, { type: "kill", id });
          break;
        case "drained":
          actions.push(...this.#drained(now, id));
          break;
      }
    }
    return actions;
  }

  #bridges(): Child[] {
    return [...this.#children.values()].filter((child) => child.id !== "control");
  }

  #allWell(): boolean {
    if (this.#options.control && !this.#children.has("control")) return false;
    if (this.#bridges().length < this.#options.bridges) return false;
    return [...this.#children.values()].every((child) => child.state === "running" && child.fault === undefined);
  }

  #startBridges(now: Millis): SupervisionAction[] {
    const actions: SupervisionAction[] = [];
    for (let index = 0; index < this.#options.bridges; index++) actions.push(...this.#spawn(now, `bridge-${index}`));
    return actions;
  }

  #spawn(now: Millis, id: ChildId): SupervisionAction[] {
    const child = this.#children.get(id) ?? {
      id,
      state: "starting",
      ports: {},
      fault: undefined,
      failures: 0,
      since: now,
      retiring: false,
      complained: false,
      loaded: undefined,
      idleSince: undefined,
    };
    child.state = "starting";
    child.since = now;
    this.#children.set(id, child);
    this.#deadlines.set(`start ${id}`, later(now, START_TIMEOUT_MS));
    return [{ type: "spawn", id, ports: child.ports }];
  }

  #announce(except?: ChildId): SupervisionAction {
    return {
      type: "bridges",
      running: this.#bridges()
        .filter((child) => child.state === "running" && child.id !== except)
        .map((child) => ({ index: bridgeIndex(child.id) ?? 0, ports: child.ports })),
    };
  }

  #scale(now: Millis): SupervisionAction[] {
    const bridges = this.#bridges().filter((child) => !child.retiring);
    const draining = this.#bridges().find((child) => child.retiring && child.state === "running");
    const allLoaded = bridges.every((child) => (child.loaded?.stress ?? 0) >= this.#options.startNextAt);
    if (draining !== undefined && allLoaded) return this.#keep(draining);
    if (!allLoaded || bridges.length >= this.#options.maxBridges) this.#loadedSince = undefined;
    else {
      this.#loadedSince ??= now;
      const urgent = bridges.every((child) => (child.loaded?.stress ?? 0) >= URGENT);
      if (!urgent && now - this.#loadedSince < LOADED_MS) return [];
      this.#loadedSince = undefined;
      for (let index = 0; index < this.#options.maxBridges; index++) {
        const id: ChildId = `bridge-${index}`;
        if (this.#children.has(id)) continue;
        return [
          { type: "log", level: "info", message: "starts because the others are loaded", id },
          ...this.#spawn(now, id),
        ];
      }
    }
    // The last one in goes first, and only one at a time.
    const extra = bridges.findLast((child) => (bridgeIndex(child.id) ?? 0) >= this.#options.bridges);
    const othersCalm = bridges.every(
      (child) => child === extra || (child.loaded?.stress ?? 1) < this.#options.startNextAt / 2,
    );
    if (
      extra?.state !== "running" ||
      !othersCalm ||
      extra.idleSince === undefined ||
      now - extra.idleSince < this.#options.stopIdleAfterMs
    )
      return [];
    extra.retiring = true;
    this.#deadlines.set(`drained ${extra.id}`, later(now, DRAIN_MS));
    return [{ type: "drain", id: extra.id, on: true }];
  }

  /** It takes conferences again. */
  #keep(child: Child): SupervisionAction[] {
    child.retiring = false;
    child.idleSince = undefined;
    this.#deadlines.clear(`drained ${child.id}`);
    return [{ type: "drain", id: child.id, on: false }];
  }

  #drained(now: Millis, id: ChildId): SupervisionAction[] {
    const child = this.#children.get(id);
    if (child?.retiring !== true || child.state !== "running") return [];
    // Somebody came while it was told: it goes on.
    return (child.loaded?.endpoints ?? 0) > 0 ? this.#keep(child) : this.#stopChild(now, child, 5_000);
  }

  #stopChild(now: Millis, child: Child, deadlineMs: number): SupervisionAction[] {
    child.state = "stopping";
    this.#deadlines.clear(`silent ${child.id}`);
    this.#deadlines.clear(`start ${child.id}`);
    this.#deadlines.set(`kill ${child.id}`, later(now, deadlineMs + GRACE_MS));
    return [{ type: "stop", id: child.id, deadlineMs }];
  }

  #stop(now: Millis, how: { deadlineMs: number; exitCode: number; why: string }): SupervisionAction[] {
    if (this.#stopping !== undefined) {
      // Asked twice: no more patience.
      this.#stopping = { ...this.#stopping, deadlineMs: 0 };
      return [...this.#children.values()]
        .filter((child) => child.state !== "waiting")
        .map((child) => ({ type: "kill", id: child.id }));
    }
    this.#stopping = how;
    for (const child of this.#children.values())
      if (child.state === "waiting") {
        this.#deadlines.clear(`retry ${child.id}`);
        this.#children.delete(child.id);
      }
    return this.#continueStop(now);
  }

  #continueStop(now: Millis): SupervisionAction[] {
    if (this.#stopping === undefined) return [];
    const bridges = this.#bridges();
    if (bridges.length > 0)
      return bridges
        .filter((child) => child.state !== "stopping")
        .flatMap((child) => this.#stopChild(now, child, this.#stopping?.deadlineMs ?? 0));
    const control = this.#children.get("control");
    if (control === undefined) return [{ type: "done", exitCode: this.#stopping.exitCode, why: this.#stopping.why }];
    return control.state === "stopping"
      ? []
      : this.#stopChild(now, control, Math.min(this.#stopping.deadlineMs, 2_000));
  }
}
