/**
 * How many pictures of an encoding were dropped on purpose, so that picture ids close up behind them: also for a picture that comes late, at whose place
 * fewer had been dropped than by now. Remembers the newest 64.
 */
import { difference32 } from "../rtp/sequence.ts";

const CAPACITY = 64;

export class DroppedPictures {
  readonly #timestamps = new Uint32Array(CAPACITY);
  #total = 0;

  begin(): void {
    this.#total = 0;
  }

  /** In order: no picture after it has been seen. */
  drop(timestamp: number): void {
    this.#timestamps[this.#total % CAPACITY] = timestamp;
    this.#total += 1;
  }

  get total(): number {
    return this.#total;
  }

  /** How many were dropped before the place of a picture that comes late. */
  before(timestamp: number): number {
    let count = this.#total;
    for (let back = 1; back <= Math.min(CAPACITY, this.#total); back++) {
      if (difference32(this.#timestamps[(this.#total - back) % CAPACITY] as number, timestamp) < 0) break;
      count -= 1;
    }
    return count;
  }
}
