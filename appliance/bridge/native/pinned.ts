/**
 * Shell: memory whose address is given to the system. Two things make the address of an ordinary small array wrong: an array that is used by its address alone is
 * collected, and the bytes of one without a buffer of its own lie in the collector's heap and move when somebody makes the buffer. So: the buffer is there
 * from the start, and whoever holds this holds the bytes.
 */
import { type Pointer, ptr } from "bun:ffi";

export class Pinned {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  /** Of `bytes[0]`; valid as long as this object or one of its arrays is reachable. */
  readonly at: Pointer;

  /** `size`: bytes, a multiple of 4. */
  constructor(size: number) {
    const buffer = new ArrayBuffer(size);
    this.bytes = new Uint8Array(buffer);
    this.words = new Int32Array(buffer);
    this.at = ptr(this.bytes);
  }
}
