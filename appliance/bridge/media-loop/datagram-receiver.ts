/**
 * Shell: datagrams by recvmmsg, one after the other. Where the kernel joins datagrams of one sender that came together (UDP_GRO), they are cut apart again.
 *
 * A message's first MAX_DATAGRAM bytes go to its slot, the rest of a joined one to its overflow: single datagrams are worked on where they were received, joined
 * ones are copied out one by one, because SRTP writes behind a packet.
 */
import type { Pointer } from "bun:ffi";
import { libc, MSG_DONTWAIT, MSG_TRUNC, SOL_UDP, UDP_GRO } from "../native/libc.ts";
import { COALESCED_CONTROL_BYTES, IOVEC_BYTES, MMSGHDR_BYTES, writePointer } from "../native/libc-layout.ts";
import type { PacketMemory } from "../transport/srtp.ts";
import { Layout, MAX_DATAGRAM, OVERFLOW_BYTES, RECEIVE_SLOTS, SLOT_BYTES } from "./layout.ts";
import { ADDRESS_BYTES } from "./outbox.ts";

const NAME_LENGTH = 28;
/** Of an overflow, what stays free for the slot's bytes. */
const HEAD = MAX_DATAGRAM;

const slotAt = (slot: number): number => Layout.slots + slot * SLOT_BYTES;
const overflowAt = (slot: number): number => Layout.overflow + slot * OVERFLOW_BYTES;
const controlAt = (slot: number): number => Layout.receiveControls + slot * COALESCED_CONTROL_BYTES;
const headerAt = (slot: number): number => Layout.receiveHeaders + slot * MMSGHDR_BYTES;

export class DatagramReceiver {
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #base: number;
  readonly #headers: Pointer;
  /** Messages of the last call that are not worked through: `#from` … `#end` − 1. */
  #from = 0;
  #end = 0;
  /** Within a joined message: where the next datagram begins, and where the message stands. */
  #offset = 0;
  #joined = 0;
  /** Headers that the kernel has written to. */
  #used = RECEIVE_SLOTS;

  /** The datagram that `take` answered for: its place, length and sender's socket address in the packet memory. */
  at = 0;
  length = 0;
  address = 0;
  /** It was longer than any datagram that is taken. */
  truncated = false;

  constructor(memory: PacketMemory) {
    this.#bytes = memory.bytes;
    this.#words = new Uint32Array(memory.bytes.buffer);
    this.#base = memory.base;
    this.#headers = (memory.base + Layout.receiveHeaders) as Pointer;
    for (let slot = 0; slot < RECEIVE_SLOTS; slot++) {
      const header = headerAt(slot) >> 2;
      const vectors = Layout.receiveVectors + slot * 2 * IOVEC_BYTES;
      this.#pointer(header, Layout.receiveAddresses + slot * ADDRESS_BYTES);
      this.#pointer(header + 4, vectors);
      this.#words[header + 6] = 2;
      this.#pointer(header + 8, controlAt(slot));
      this.#pointer(vectors >> 2, slotAt(slot));
      this.#words[(vectors >> 2) + 2] = MAX_DATAGRAM;
      this.#pointer((vectors + IOVEC_BYTES) >> 2, overflowAt(slot) + HEAD);
      this.#words[((vectors + IOVEC_BYTES) >> 2) + 2] = OVERFLOW_BYTES - HEAD;
    }
  }

  /** Datagrams of the last `fetch` are still to be taken. */
  get pending(): boolean {
    return this.#from < this.#end;
  }

  /** Asks the socket for up to RECEIVE_SLOTS messages; how many there are, 0: none, or an ICMP error that belongs to an earlier datagram. */
  fetch(fd: number): number {
    const words = this.#words;
    for (let slot = 0; slot < this.#used; slot++) {
      const header = headerAt(slot) >> 2;
      words[header + 2] = NAME_LENGTH;
      words[header + 10] = COALESCED_CONTROL_BYTES;
    }
    const count = libc.recvmmsg(fd, this.#headers, RECEIVE_SLOTS, MSG_DONTWAIT, null);
    this.#from = 0;
    this.#end = Math.max(0, count);
    this.#offset = 0;
    this.#used = this.#end;
    return this.#end;
  }

  /** The next datagram, while there is one `pending`: fills the fields above. */
  take() {
    const words = this.#words;
    const slot = this.#from;
    const header = headerAt(slot) >> 2;
    const length = words[header + 14] as number;
    this.address = Layout.receiveAddresses + slot * ADDRESS_BYTES;
    const segment = words[header + 10] === 0 ? 0 : this.#segment(slot);
    if (segment > 0 && segment < length) return this.#cut(slot, length, segment);
    this.#from += 1;
    this.at = slotAt(slot);
    this.length = length;
    this.truncated = length > MAX_DATAGRAM || ((words[header + 12] as number) & MSG_TRUNC) !== 0;
  }

  /** Size of the datagrams in a joined message; 0: it is not joined. */
  #segment(slot: number): number {
    const control = controlAt(slot) >> 2;
    return this.#words[control + 2] === SOL_UDP && this.#words[control + 3] === UDP_GRO
      ? (this.#words[control + 4] as number)
      : 0;
  }

  #cut(slot: number, length: number, segment: number): void {
    const bytes = this.#bytes;
    if (this.#offset === 0) {
      this.#joined = slotAt(slot);
      if (length > MAX_DATAGRAM) {
        this.#joined = overflowAt(slot);
        bytes.copyWithin(this.#joined, slotAt(slot), slotAt(slot) + MAX_DATAGRAM);
      }
    }
    const size = Math.min(segment, length - this.#offset);
    this.truncated = size > MAX_DATAGRAM;
    this.at = Layout.cut;
    this.length = size;
    const from = this.#joined + this.#offset;
    if (!this.truncated) bytes.copyWithin(Layout.cut, from, from + size);
    this.#offset += size;
    if (this.#offset < length) return;
    this.#offset = 0;
    this.#from += 1;
  }

  #pointer(word: number, offset: number): void {
    writePointer(this.#words, word, this.#base + offset);
  }
}
