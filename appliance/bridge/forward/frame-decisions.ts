/**
 * What was decided about recent frames: the decision about a frame's first packet holds for all its packets, late ones too. Ring of 64; keys are
 * unsigned numbers made from the frame's timestamp.
 */

const CAPACITY = 64;

export class FrameDecisions {
  readonly #key = new Float64Array(CAPACITY).fill(-1);
  readonly #accepted = new Uint8Array(CAPACITY);
  readonly #first = new Int32Array(CAPACITY);
  readonly #second = new Int32Array(CAPACITY);
  #newest = 0;

  /** Slot of the frame, −1: no decision is known. */
  find(key: number): number {
    if (this.#key[this.#newest] === key) return this.#newest;
    for (let back = 1; back < CAPACITY; back++) {
      const slot = (this.#newest - back) & (CAPACITY - 1);
      if (this.#key[slot] === key) return slot;
    }
    return -1;
  }

  /** Remembers a decision with two numbers of the filter's own; the oldest goes. */
  add(key: number, accepted: boolean, first: number, second: number): void {
    this.#newest = (this.#newest + 1) & (CAPACITY - 1);
    this.#key[this.#newest] = key;
    this.#accepted[this.#newest] = accepted ? 1 : 0;
    this.#first[this.#newest] = first;
    this.#second[this.#newest] = second;
  }

  accepted(slot: number): boolean {
    return this.#accepted[slot] === 1;
  }

  first(slot: number): number {
    return this.#first[slot] as number;
  }

  second(slot: number): number {
    return this.#second[slot] as number;
  }

  clear(): void {
    this.#key.fill(-1);
  }
}
