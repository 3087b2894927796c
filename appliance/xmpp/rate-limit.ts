/**
 * A token bucket that may go into debt: what arrives while the level is above zero passes whole and is paid for afterwards, so a big stanza
 * is never refused for its size, only the next one waits.
 */
import type { Millis } from "../time.ts";

export class RateLimit {
  #level: number;
  #at: Millis;

  /** `perSecond` may be Infinity: no limit. `burst`: what may pass at once after silence. */
  constructor(
    now: Millis,
    private readonly perSecond: number,
    private readonly burst: number,
  ) {
    this.#level = burst;
    this.#at = now;
  }

  /** Takes the amount; it always passes when `waitMs` was 0. */
  spend(now: Millis, amount: number): void {
    this.#refill(now);
    this.#level -= amount;
  }

  /** Milliseconds until something may pass again; 0: now. */
  waitMs(now: Millis): number {
    this.#refill(now);
    return this.#level > 0 ? 0 : Math.ceil(((1 - this.#level) / this.perSecond) * 1000);
  }

  #refill(now: Millis): void {
    if (this.perSecond === Number.POSITIVE_INFINITY) this.#level = this.burst;
    else if (now > this.#at)
      this.#level = Math.min(this.burst, this.#level + ((now - this.#at) / 1000) * this.perSecond);
    this.#at = now;
  }
}
