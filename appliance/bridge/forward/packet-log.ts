/**
 * History of received video, once per packet whoever takes it: one circular log of bytes for the whole loop. Positions grow without end; the bytes at
 * a position are there until the log has gone round. Bound: the log's size; policy: the oldest go.
 *
 * Why one log: memory does not grow with receivers or streams, writes are sequential, and at a meeting's rates it reaches back for many round trips.
 */
import { read32, write32 } from "../rtp/bytes.ts";

/** Bytes before each packet: its length. */
const HEADER = 8;

export class PacketLog {
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #size: number;
  /** Next position, a multiple of 8. */
  #head = 0;
  /** The same within the log. Kept beside: a remainder of large numbers is a call. */
  #within = 0;

  /** `start`, `size`: the log's place in `bytes`, multiples of 8. */
  constructor(bytes: Uint8Array, start: number, size: number) {
    this.#bytes = bytes;
    this.#start = start;
    this.#size = size;
  }

  /** Copies a packet in; `room` free bytes are left behind it (padding). Returns its position. */
  add(offset: number, length: number, room: number): number {
    const need = (HEADER + length + room + 7) & ~7;
    let within = this.#within;
    if (within + need > this.#size) {
      this.#head += this.#size - within; // never across the end
      within = 0;
    }
    const position = this.#head;
    write32(this.#bytes, this.#start + within, length);
    this.#bytes.copyWithin(this.#start + within + HEADER, offset, offset + length);
    this.#head += need;
    this.#within = within + need;
    return position;
  }

  /** Offset in the buffer of the packet at `position`; −1 when it has been overwritten. */
  find(position: number): number {
    if (position < 0 || this.#head - position > this.#size) return -1;
    return this.#start + (position % this.#size) + HEADER;
  }

  /** Whether the packet at `position` will still be there when `bytes` more have been added. */
  holds(position: number, bytes: number): boolean {
    return position >= 0 && this.#head + bytes - position <= this.#size;
  }

  /** Length of the packet at a position that `find` has found. */
  length(position: number): number {
    return read32(this.#bytes, this.#start + (position % this.#size));
  }
}
