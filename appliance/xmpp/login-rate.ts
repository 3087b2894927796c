/**
 * Logins an address may make (signaling.md 6.8, mod_rate_limit): above so many in a second all its connections, new ones too, are slowed down for a
 * minute. Nobody is refused.
 *
 * Bound: 10,000 addresses; the oldest is forgotten first.
 */
import type { Deadline } from "../deadlines.ts";
import { later, type Millis, seconds } from "../time.ts";
import { Timers } from "./timers.ts";

/** Bytes a second that a slowed connection may send. */
export const SLOW_BYTES_PER_SECOND = 200;
const SLOW = seconds(60);
const WINDOW = seconds(1);
const MAX_ADDRESSES = 10_000;

export class LoginRate {
  readonly #perSecond: number;
  readonly #windows = new Map<string, { readonly since: Millis; count: number }>();
  readonly #slow = new Timers<string>();

  /** `perSecond` 0: no limit. */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Somebody has logged in from there. True: from now on that address is slow. */
  noted(now: Millis, address: string): boolean {
    if (this.#perSecond === 0) return false;
    const window = this.#windows.get(address);
    if (window === undefined || now - window.since >= WINDOW) {
      this.#windows.delete(address);
      if (this.#windows.size >= MAX_ADDRESSES)
        for (const oldest of [...this.#windows.keys()].slice(0, 1)) this.#windows.delete(oldest);
      this.#windows.set(address, { since: now, count: 1 });
      return false;
    }
    if (++window.count <= this.#perSecond) return false;
    const fresh = !this.#slow.has(address);
    this.#slow.set(address, later(now, SLOW), "slowed address");
    return fresh;
  }

  isSlow(address: string): boolean {
    return this.#slow.has(address);
  }

  nextDeadline(): Deadline | undefined {
    return this.#slow.soonest();
  }

  /** Addresses whose minute is over. */
  due(now: Millis, work: (address: string) => void): void {
    this.#slow.due(now, work);
  }
}
