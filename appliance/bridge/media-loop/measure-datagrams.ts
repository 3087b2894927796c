/**
 * Shell: what a datagram costs this machine's kernel, measured once at start with a few hundred of them over the loopback: batches by sendmmsg without
 * segmenting, read again by recvmmsg. With the cipher's cost it is the first guess of what a forwarded packet costs; real meetings correct it (capacity.ts).
 */
import type { Pointer } from "bun:ffi";
import { AF_INET, libc, MSG_DONTWAIT, openUdpSocket } from "../native/libc.ts";
import { IOVEC_BYTES, MMSGHDR_BYTES, writePointer } from "../native/libc-layout.ts";
import type { PacketMemory } from "../transport/srtp.ts";
import { Layout, SLOT_BYTES } from "./layout.ts";
import { ADDRESS_BYTES } from "./outbox.ts";

const DATAGRAM_BYTES = 1200;
const BATCH = 32;
const ROUNDS = 12;
const BUFFER_BYTES = 1024 * 1024;
/** Where nothing can be measured: of a PC. */
const GUESSED_MICROS = 4;

/**
 * µs for sending and receiving one datagram: the best round, since whatever else runs only ever adds. Uses the memory's receive slots, headers and
 * addresses, so before the loop does. `clock`: milliseconds with a fraction.
 */
export function measureDatagrams(memory: PacketMemory, clock: () => number): number {
  const loopback = Uint8Array.from({ length: ADDRESS_BYTES }, (_, at) => [AF_INET, 0, 0, 0, 127, 0, 0, 1][at] ?? 0);
  let from: ReturnType<typeof openUdpSocket>;
  try {
    from = openUdpSocket(loopback, BUFFER_BYTES);
  } catch {
    return GUESSED_MICROS; // no IPv4 on the loopback
  }
  try {
    const to = openUdpSocket(loopback, BUFFER_BYTES);
    try {
      return measure(memory, clock, from.fd, to.fd, to.port);
    } finally {
      libc.close(to.fd);
    }
  } catch {
    return GUESSED_MICROS;
  } finally {
    libc.close(from.fd);
  }
}

function measure(memory: PacketMemory, clock: () => number, from: number, to: number, port: number): number {
  const { bytes, base } = memory;
  const words = new Uint32Array(bytes.buffer);
  const at = (offset: number): Pointer => (base + offset) as Pointer;
  const pointer = (word: number, offset: number): void => writePointer(words, word, base + offset);
  const target = Layout.receiveAddresses;
  bytes.set([AF_INET, 0, port >> 8, port & 255, 127, 0, 0, 1], target);
  /** `named`: where each message goes; otherwise the kernel is to name nobody. */
  const prepare = (headers: number, vectors: number, length: number, named: boolean): void => {
    for (let slot = 0; slot < BATCH; slot++) {
      const header = (headers + slot * MMSGHDR_BYTES) >> 2;
      const vector = vectors + slot * IOVEC_BYTES;
      words.fill(0, header, header + MMSGHDR_BYTES / 4);
      if (named) pointer(header, target);
      words[header + 2] = named ? 16 : 0;
      pointer(header + 4, vector);
      words[header + 6] = 1;
      pointer(vector >> 2, Layout.slots + slot * SLOT_BYTES);
      words[(vector >> 2) + 2] = length;
      words[(vector >> 2) + 3] = 0;
    }
  };
  prepare(Layout.sendHeaders, Layout.sendVectors, DATAGRAM_BYTES, true);
  prepare(Layout.receiveHeaders, Layout.receiveVectors, SLOT_BYTES, false);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const begin = clock();
    const sent = libc.sendmmsg(from, at(Layout.sendHeaders), BATCH, MSG_DONTWAIT);
    const received = libc.recvmmsg(to, at(Layout.receiveHeaders), BATCH, MSG_DONTWAIT, null);
    // Delivery over the loopback is done by the sending call; what is not there yet makes the round count for nothing.
    if (sent === BATCH && received === BATCH) best = Math.min(best, ((clock() - begin) * 1000) / BATCH);
  }
  bytes.fill(0, target, target + ADDRESS_BYTES);
  words.fill(0, Layout.sendHeaders >> 2, (Layout.sendHeaders + BATCH * MMSGHDR_BYTES) >> 2);
  return Number.isFinite(best) ? best : GUESSED_MICROS;
}
