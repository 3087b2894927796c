/**
 * What was decided about recent frames: the decision about a frame's first packet holds for all its packets, late ones too. Ring of 64; keys are
 * unsigned numbers of 32 bits made from the frame's timestamp.
 *
 * The newest frame's decision lies in fields of its own besides: almost every packet belongs to it, and asks once for each receiver.
 */

const CAPACITY = 64;
/** Words of one decision: key, state, first, second. */
const WORDS = 4;
const KNOWN = 1;
const ACCEPTED = 2;

export class FrameDecisions {
  #key = -1;
  #newest = 0;
  #accepted = false;
  #first = 0;
  #second = 0;
  readonly #words = new Int32Array(CAPACITY * WORDS);

  /** Slot of the frame, −1: no decision is known. */
  find(key: number): number {
    if (this.#key === key) return this.#newest;
    const words = this.#words;
    const wanted = key | 0;
    for (let back = 1; back < CAPACITY; back++) {
      const slot = (this.#newest - back) & (CAPACITY - 1);
      if (words[slot * WORDS] === wanted && words[slot * WORDS + 1] !== 0) return slot;
    }
    return -1;
  }

  /** Slot of what was added last. */
  get newest(): number {
    return this.#newest;
  }

  /** Reads what the next packet will need (media-loop/ahead.ts); the number means nothing. */
  ahead(): number {
    return this.#second;
  }

  /** Remembers a decision with two numbers of the filter's own; the oldest goes. */
  add(key: number, accepted: boolean, first: number, second: number): void {
    const words = this.#words;
    this.#newest = (this.#newest + 1) & (CAPACITY - 1);
    const at = this.#newest * WORDS;
    words[at] = key;
    words[at + 1] = accepted ? KNOWN | ACCEPTED : KNOWN;
    words[at + 2] = first;
    words[at + 3] = second;
    this.#key = key;
    this.#accepted = accepted;
    this.#first = first;
    this.#second = second;
  }

  accepted(slot: number): boolean {
    return slot === this.#newest ? this.#accepted : ((this.#words[slot * WORDS + 1] as number) & ACCEPTED) !== 0;
  }

  first(slot: number): number {
    return slot === this.#newest ? this.#first : (this.#words[slot * WORDS + 2] as number);
  }

  second(slot: number): number {
    return slot === this.#newest ? this.#second : (this.#words[slot * WORDS + 3] as number);
  }

  clear(): void {
    this.#words.fill(0);
    this.#key = -1;
    this.#accepted = false;
  }
}
