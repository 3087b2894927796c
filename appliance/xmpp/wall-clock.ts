/**
 * The time of day for cores, which get monotonic instants: the difference between the two clocks, told by the shell whenever it changes (a
 * box without a battery learns the date after it has started).
 */
import type { EpochMillis, Millis } from "../time.ts";

export class WallClock {
  #epochMinusMonotonicMs = 0;

  set(epochMinusMonotonicMs: number): void {
    this.#epochMinusMonotonicMs = epochMinusMonotonicMs;
  }

  readonly toEpoch = (now: Millis): EpochMillis => Math.round(now + this.#epochMinusMonotonicMs) as EpochMillis;
}
