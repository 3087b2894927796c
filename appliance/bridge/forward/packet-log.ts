/**
 * History of received video, once per packet whoever takes it: one circular log of bytes for the whole loop. Positions grow without end; the bytes at
 * a position are there until the log has gone round. Bounds: HISTORY_MS and the log's size, whichever is reached first; policy: the oldest go.
 *
 * Why one log: memory does not grow with receivers or streams, writes are sequential, and at a meeting's rates it reaches back for many round trips. Why not all of
 * its size always: a small meeting would go through megabytes that nobody asks for again, which costs memory and caches.
 */
import { read32, write32 } from "../rtp/bytes.ts";

/** Bytes before each packet: its length. */
const HEADER = 8;
/** A round takes at least this long, unless the log is full before: so far back everything is there. A receiver's history remembers as much of an HD camera (history.ts). */
export const HISTORY_MS = 2_000;
/** Every so many bytes the log looks at the clock: whether it may begin again. */
const STEP = 512 * 1024;
/** Nothing that is added is longer: what may stay unused before the end of a round. */
const LONGEST = 2_048;

export class PacketLog {
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #size: number;
  /** Where the next packet comes, within the log, a multiple of 8. */
  #within = 0;
  /** Where the clock is looked at next. */
  #checkAt: number;
  /** Position of this round's first byte, and of the last round's; when this one began. */
  #round = 0;
  #lastRound = 0;
  #roundSince = 0;

  /** `start`, `size`: the log's place in `bytes`, multiples of 8. */
  constructor(bytes: Uint8Array, start: number, size: number) {
    this.#bytes = bytes;
    this.#start = start;
    this.#size = size;
    this.#checkAt = Math.min(STEP, size);
  }

  /** Copies a packet in; `room` free bytes are left behind it (padding). Returns its position. */
  add(nowMs: number, offset: number, length: number, room: number): number {
    const need = (HEADER + length + room + 7) & ~7;
    if (this.#within + need > this.#checkAt) this.#check(nowMs, need);
    const within = this.#within;
    write32(this.#bytes, this.#start + within, length);
    this.#bytes.copyWithin(this.#start + within + HEADER, offset, offset + length);
    this.#within = within + need;
    return this.#round + within;
  }

  /** Offset in the buffer of the packet at `position`; −1 when it has been overwritten. */
  find(position: number): number {
    const within = this.#find(position);
    return within < 0 ? -1 : this.#start + within + HEADER;
  }

  /** Whether the packet at `position` will still be there when `bytes` more have been added at this time. */
  holds(nowMs: number, position: number, bytes: number): boolean {
    const offset = this.#find(position);
    if (offset < 0) return false;
    // Before there it does not begin again.
    const end = this.#mayBegin(nowMs) ? this.#checkAt : this.#size;
    const head = this.#within + bytes + LONGEST;
    return position >= this.#round ? head <= end + offset : head <= Math.min(offset, end);
  }

  /** Length of the packet at a position that `find` has found. */
  length(position: number): number {
    return read32(this.#bytes, this.#start + this.#find(position));
  }

  /** Within the log; −1: not there any more. */
  #find(position: number): number {
    if (position >= this.#round) return position - this.#round;
    const within = position - this.#lastRound;
    return position >= this.#lastRound && within >= this.#within ? within : -1;
  }

  #mayBegin(nowMs: number): boolean {
    return nowMs - this.#roundSince >= HISTORY_MS;
  }

  #check(nowMs: number, need: number): void {
    if (!this.#mayBegin(nowMs) && this.#within + need <= this.#size) {
      this.#checkAt = Math.min(this.#within + STEP, this.#size);
      return;
    }
    this.#lastRound = this.#round;
    this.#round += this.#within;
    this.#roundSince = nowMs;
    this.#within = 0;
    this.#checkAt = Math.min(STEP, this.#size);
  }
}
