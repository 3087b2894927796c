/**
 * Which temporal layers passed when: the highest that passes now, and since which frame; for a frame that comes late, what passed at its place. Frames are named by
 * their RTP timestamps. Remembers the newest 16 changes.
 */
import { difference32 } from "../rtp/sequence.ts";

const CAPACITY = 16;

export class TemporalSteps {
  /** Change i took effect with the first frame after `#after[i]`; before it `#before[i]` was the highest layer. */
  readonly #after = new Uint32Array(CAPACITY);
  readonly #before = new Uint8Array(CAPACITY);
  #count = 0;

  /** All frames from now on. */
  begin(): void {
    this.#count = 0;
  }

  /** Frames newer than `after` have another highest layer than `before`, which held until then. */
  change(after: number, before: number): void {
    const slot = this.#count % CAPACITY;
    this.#after[slot] = after;
    this.#before[slot] = before;
    this.#count += 1;
  }

  /** The highest layer that passed at the place of a frame; `now`: the one that passes at the newest. */
  at(timestamp: number, now: number): number {
    let highest = now;
    for (let back = 1; back <= Math.min(CAPACITY, this.#count); back++) {
      const slot = (this.#count - back) % CAPACITY;
      if (difference32(timestamp, this.#after[slot] as number) > 0) break;
      highest = this.#before[slot] as number;
    }
    return highest;
  }
}
