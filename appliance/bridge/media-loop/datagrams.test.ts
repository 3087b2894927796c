import { ptr } from "bun:ffi";
import { afterEach, describe, expect, test } from "bun:test";
import { useRealTime } from "../../../tests/real-time.ts";
import { Errno, errno, libc, openUdpSocket, type UdpSocket } from "../native/libc.ts";
import { MMSGHDR_BYTES } from "../native/libc-layout.ts";
import { writeAddress } from "./addresses.ts";
import { DatagramReceiver } from "./datagram-receiver.ts";
import { DatagramSender, type SendCalls } from "./datagram-sender.ts";
import { DropCounters } from "./drop-reason.ts";
import { Layout, MAX_DATAGRAM, MEMORY_PAGES } from "./layout.ts";
import { ADDRESS_BYTES, Destination, Outbox } from "./outbox.ts";

useRealTime();

const BUFFER = 4 * 1024 * 1024;
const memoryOf = () => {
  const memory = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES });
  const bytes = new Uint8Array(memory.buffer);
  return { memory, bytes, base: ptr(bytes) as number };
};
const sending = memoryOf();
const receiving = memoryOf();

const open: UdpSocket[] = [];
afterEach(() => {
  for (const { fd } of open.splice(0)) libc.close(fd);
});
function socket(coalesce: boolean): UdpSocket {
  const name = new Uint8Array(ADDRESS_BYTES);
  writeAddress(name, 0, 4, "127.0.0.1", 0);
  const opened = openUdpSocket(name, BUFFER, coalesce);
  open.push(opened);
  return opened;
}

/** Datagrams of these sizes to one receiver: `numbered` in their first two bytes. */
function send(from: UdpSocket, to: UdpSocket, sizes: readonly number[], segmenting: boolean, calls?: SendCalls) {
  const sender = new DatagramSender(sending, [from.fd], segmenting, calls);
  const drops = new DropCounters();
  sender.drops = drops;
  const outbox = new Outbox(sending.bytes, Layout.outbox, sender.drain);
  const destination = new Destination();
  const all = (): void => {
    destination.name = outbox.looseAddress();
    writeAddress(sending.bytes, destination.name, 4, "127.0.0.1", to.port);
    for (const [number, size] of sizes.entries()) {
      const at = outbox.reserve(destination, size);
      sending.bytes.fill(number, at, at + size);
      sending.bytes[at] = number >> 8;
      sending.bytes[at + 1] = number;
      outbox.commit(destination, size);
    }
    outbox.drain();
  };
  all();
  return { all, drops };
}

interface Taken {
  readonly sizes: number[];
  readonly intact: boolean;
  readonly messages: number;
  readonly from: Set<number>;
}

/** All that is there; on the loopback a datagram is there when the call that sent it returns. */
function take(of: UdpSocket): Taken {
  const receiver = new DatagramReceiver(receiving);
  const sizes: number[] = [];
  const from = new Set<number>();
  let intact = true;
  let messages = 0;
  for (let fetched = receiver.fetch(of.fd); fetched > 0; fetched = receiver.fetch(of.fd)) {
    messages += fetched;
    while (receiver.pending) {
      receiver.take();
      const number = sizes.length;
      const { at, length } = receiver;
      sizes.push(receiver.truncated ? -length : length);
      const { bytes } = receiving;
      from.add(((bytes[receiver.address + 2] as number) << 8) | (bytes[receiver.address + 3] as number));
      if (receiver.truncated) continue;
      const tail = bytes.subarray(at + 2, at + length);
      intact &&=
        (((bytes[at] as number) << 8) | (bytes[at + 1] as number)) === number &&
        tail.every((each) => each === (number & 0xff));
      bytes.fill(0xee, at + length, at + length + 96); // as SRTP does
    }
  }
  return { sizes, intact, messages, from };
}

const FRAME = [1150, 1150, 1150, 1150, 700];
const repeat = (times: number, sizes: readonly number[]): number[] => Array.from({ length: times }, () => sizes).flat();
const CASES: readonly (readonly [string, readonly number[]])[] = [
  ["one", [1150]],
  ["a frame", FRAME],
  ["small ones that fit a slot together", repeat(12, [100])],
  ["a message that fills more than a slot by one byte", [MAX_DATAGRAM / 2 + 1, MAX_DATAGRAM / 2]],
  ["as many as one message can hold", repeat(28, [1150])],
  ["more than one call fetches", repeat(40, FRAME)],
  [
    "some too long for any slot between others",
    [300, MAX_DATAGRAM, MAX_DATAGRAM + 1, 400, MAX_DATAGRAM + 200, MAX_DATAGRAM + 200, 200],
  ],
];

describe("datagrams out and in", () => {
  test.each(CASES)("%s: the same whether the kernel cuts and joins them or not", (_name, sizes) => {
    for (const segmenting of [true, false])
      for (const coalesce of [true, false]) {
        const from = socket(false);
        const to = socket(coalesce);
        send(from, to, sizes, segmenting);
        const taken = take(to);
        expect(taken.sizes).toEqual(sizes.map((size) => (size > MAX_DATAGRAM ? -size : size)));
        expect(taken.intact).toBe(true);
        expect([...taken.from]).toEqual([from.port]);
      }
  });

  test("the kernel joins what was sent in one run", () => {
    const to = socket(true);
    expect(to.coalescing).toBe(true);
    send(socket(false), to, FRAME, true);
    expect(take(to).messages).toBe(1);
    const plain = socket(false);
    send(socket(false), plain, FRAME, true);
    expect(take(plain).messages).toBe(FRAME.length);
  });

  test.each([
    ["EIO: there is no segmenting on this way out", Errno.EIO, 1],
    ["EINVAL: a segment is longer than the path allows", Errno.EINVAL, 100],
  ] as const)("%s: sent one by one, nothing is lost, and in the end nobody asks again", (_name, why, patience) => {
    const to = socket(false);
    let refused = 0;
    let failed = false;
    const calls: SendCalls = {
      sendmmsg(fd, headers, count, flags) {
        const words = new Uint32Array(sending.bytes.buffer);
        const first = ((headers as number) - sending.base) >> 2;
        failed = false;
        for (let each = 0; each < count; each++) {
          if (words[first + (each * MMSGHDR_BYTES) / 4 + 10] === 0) continue; // no control message: not segmented
          if (each > 0) return libc.sendmmsg(fd, headers, each, flags);
          refused += 1;
          failed = true;
          return -1;
        }
        return libc.sendmmsg(fd, headers, count, flags);
      },
      errno: () => (failed ? why : errno()),
    };
    const sizes = [200, ...FRAME, 900, 900, 100];
    const { all, drops } = send(socket(false), to, sizes, true, calls);
    expect(take(to)).toMatchObject({ sizes, intact: true });
    for (let each = 0; each < 120; each++) {
      all();
      expect(take(to)).toMatchObject({ sizes, intact: true });
    }
    // Two runs of this load are segmented; once it is given up nobody asks again.
    expect(refused).toBeGreaterThanOrEqual(patience);
    expect(refused).toBeLessThanOrEqual(patience + 1);
    expect(Object.values(drops.record()).every((count) => count === 0)).toBe(true);
  });
});
