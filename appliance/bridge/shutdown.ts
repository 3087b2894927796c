/**
 * How a bridge ends in an orderly way (bridge.md 1.13): running → graceful (no new conferences, until all are over) → shutting down (a minute in which
 * the focus moves whoever is left) → over.
 */
import type { Deadline } from "../deadlines.ts";
import { later, type Millis } from "../time.ts";

export type ShutdownState = "RUNNING" | "GRACEFUL_SHUTDOWN" | "SHUTTING_DOWN" | "OVER";

const GRACEFUL_LIMIT_MS = 24 * 3_600_000;
const SHUTTING_DOWN_MS = 60_000;

export class Shutdown {
  #state: ShutdownState = "RUNNING";
  #until: Millis | undefined;

  get state(): ShutdownState {
    return this.#state;
  }

  get refusesConferences(): boolean {
    return this.#state !== "RUNNING";
  }

  begin(now: Millis, graceful: boolean): void {
    if (this.#state === "OVER") return;
    if (!graceful) {
      this.#state = "OVER";
      this.#until = undefined;
    } else if (this.#state === "RUNNING") {
      this.#state = "GRACEFUL_SHUTDOWN";
      this.#until = later(now, GRACEFUL_LIMIT_MS);
    }
  }

  nextDeadline(): Deadline | undefined {
    return this.#until === undefined ? undefined : { at: this.#until, why: "shutdown" };
  }

  /** `participants`: how many are still here. True: the state has changed. */
  advance(now: Millis, participants: number): boolean {
    const before = this.#state;
    const due = this.#until !== undefined && now >= this.#until;
    if (this.#state === "GRACEFUL_SHUTDOWN" && (participants === 0 || due)) {
      this.#state = "SHUTTING_DOWN";
      this.#until = later(now, SHUTTING_DOWN_MS);
    } else if (this.#state === "SHUTTING_DOWN" && due) {
      this.#state = "OVER";
      this.#until = undefined;
    }
    return this.#state !== before;
  }
}
