/**
 * Renumbering of one incoming stream toward one receiver: what is dropped on purpose leaves no gap, what was lost on the way keeps its gap, late packets
 * find the number that was kept for them. Extended sequence numbers (with roll-overs) in and out, below 2³¹ (at 200 packets a second, four months of one
 * stream): kept in columns of 32-bit integers, because numbers that are now integers and now doubles cost the hot path its compiled code.
 *
 * Declines: closing a gap after the fact. A late packet that is then not wanted leaves a hole; the receiver asks for it and is answered with padding
 * (forward/sender.ts).
 */

export class SequenceMap {
  // Packets that come in order need these two and nothing else.
  #highest = -1;
  /** Delta of the newest stretch. */
  #newestDelta = 0;

  /**
   * Ring of stretches: from `#start[i]` on (until the next stretch) out = in + `#delta[i]`; the numbers `#droppedFrom[i]` … `#start[i]` − 1 were dropped.
   */
  readonly #start: Int32Array;
  readonly #droppedFrom: Int32Array;
  readonly #delta: Int32Array;
  readonly #mask: number;
  /** Stretches ever begun; the newest is `#count` − 1. */
  #count = 0;

  /** `capacity`: stretches remembered, a power of two. */
  constructor(capacity: number) {
    this.#start = new Int32Array(capacity);
    this.#droppedFrom = new Int32Array(capacity);
    this.#delta = new Int32Array(capacity);
    this.#mask = capacity - 1;
  }

  /** Highest incoming number seen; −1 before `begin`. */
  get highest(): number {
    return this.#highest;
  }

  /** Reads what the next packet will need (media-loop/ahead.ts); the number means nothing. */
  ahead(): number {
    return this.#newestDelta;
  }

  /** From now on `incoming` goes out as `outgoing`; older incoming numbers are unknown. */
  begin(incoming: number, outgoing: number): void {
    this.#count = 0;
    this.#push(incoming, incoming, outgoing - incoming);
    this.#highest = incoming - 1;
  }

  /** Outgoing number for a packet that is forwarded; −1: it was dropped, or is too old to know. */
  map(incoming: number): number {
    if (incoming > this.#highest) {
      this.#highest = incoming;
      return incoming + this.#newestDelta;
    }
    for (let index = this.#count - 1; index >= 0 && index >= this.#count - 1 - this.#mask; index--) {
      const slot = index & this.#mask;
      if (incoming >= (this.#start[slot] as number)) return incoming + (this.#delta[slot] as number);
      if (incoming >= (this.#droppedFrom[slot] as number)) return -1;
    }
    return -1;
  }

  /**
   * The packet is not forwarded. `withGap`: the numbers missing just before it belong to the same frame and would not be forwarded either.
   */
  drop(incoming: number, withGap: boolean): void {
    if (incoming <= this.#highest) return;
    const newest = (this.#count - 1) & this.#mask;
    const expected = this.#highest + 1;
    const from = withGap ? expected : incoming;
    const delta = (this.#delta[newest] as number) - (incoming + 1 - from);
    this.#highest = incoming;
    if (from === this.#start[newest]) {
      // Goes on from the stretch of drops before it: no new stretch needed.
      this.#start[newest] = incoming + 1;
      this.#delta[newest] = delta;
      this.#newestDelta = delta;
    } else this.#push(incoming + 1, from, delta);
  }

  /** The incoming number that goes out as `outgoing` (whether it was forwarded or is still missing); −1: none, or too old to know. */
  incomingOf(outgoing: number): number {
    for (let index = this.#count - 1; index >= 0 && index >= this.#count - 1 - this.#mask; index--) {
      const slot = index & this.#mask;
      const incoming = outgoing - (this.#delta[slot] as number);
      if (incoming >= (this.#start[slot] as number)) return incoming <= this.#highest ? incoming : -1;
    }
    return -1;
  }

  #push(start: number, droppedFrom: number, delta: number): void {
    const slot = this.#count & this.#mask;
    this.#start[slot] = start;
    this.#droppedFrom[slot] = droppedFrom;
    this.#delta[slot] = delta;
    this.#newestDelta = delta;
    this.#count += 1;
  }
}
