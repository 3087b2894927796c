/**
 * Named deadlines of one core: at most one per name, `soonest()` says when to wake up and why.
 */
import type { Millis } from "./time.ts";

export interface Deadline {
  readonly at: Millis;
  readonly why: string;
}

export class Deadlines<Name extends string = string> {
  readonly #at = new Map<Name, Millis>();

  /** Sets or moves a deadline. */
  set(name: Name, at: Millis): void {
    this.#at.set(name, at);
  }

  clear(name: Name): void {
    this.#at.delete(name);
  }

  has(name: Name): boolean {
    return this.#at.has(name);
  }

  get(name: Name): Millis | undefined {
    return this.#at.get(name);
  }

  soonest(): Deadline | undefined {
    let best: Deadline | undefined;
    for (const [why, at] of this.#at) if (best === undefined || at < best.at) best = { at, why };
    return best;
  }

  /** Takes out and returns the names whose time has come, the earliest first. */
  due(now: Millis): Name[] {
    const due = [...this.#at].filter(([, at]) => at <= now).sort((a, b) => a[1] - b[1]);
    for (const [name] of due) this.#at.delete(name);
    return due.map(([name]) => name);
  }
}

/** The earlier of several deadlines. */
export const soonest = (...deadlines: readonly (Deadline | undefined)[]): Deadline | undefined => {
  let best: Deadline | undefined;
  for (const each of deadlines) if (each !== undefined && (best === undefined || each.at < best.at)) best = each;
  return best;
};
