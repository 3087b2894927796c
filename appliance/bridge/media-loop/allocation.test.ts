/**
 * The canary test of style 3.3: unreachable objects are left behind weak references, then the packet path runs for a long time without yielding. If it
 * allocated, a collection would have run and taken them. Alone: other tests' garbage would be collected here.
 *
 * The path is the whole one: in, out, RTCP both ways, NACKs of either side answered, repetitions taken, ticks. Time as the loop sees it runs at a few hundredths of its pace, so that
 * ticks come by the hundred: what a tick tells the control side ten times a second is allocated, and is no part of the path.
 */
import { expect, test } from "bun:test";
import { useRealTime } from "../../../tests/real-time.ts";
import type { SrtpProvider, SrtpTransform } from "../transport/srtp.ts";
import { MEMORY_PAGES } from "./layout.ts";
import { makeMemory } from "./test-bed.ts";
import { warmUp } from "./warm-up.ts";

useRealTime();

/** Copies instead of enciphering: what is measured is the loop, and it has to be quick. */
function copyingProvider(bytes: Uint8Array): SrtpProvider {
  const transform: SrtpTransform = {
    sealRtp: (destination, header, source, payload) => {
      if (source !== destination + header) bytes.copyWithin(destination + header, source, source + payload);
      return header + payload + 10;
    },
    openRtp: (_packet, header, length) => length - header - 10,
    sealRtcp: (_packet, length) => length + 14,
    openRtcp: (_packet, length) => length - 14,
    rtcpBytesAfterIndex: 10,
    tagBytes: 10,
    ahead: () => 0,
    close: () => {},
  };
  return { name: "node", profiles: ["AES128_CM_HMAC_SHA1_80"], createTransform: () => transform };
}

const leave = (canaries: WeakRef<object>[]): void => {
  for (let index = 0; index < 64; index++) canaries.push(new WeakRef({ index }));
};

test("three million packets out, and nothing was allocated on the way", async () => {
  const memory = makeMemory(MEMORY_PAGES);
  const provider = copyingProvider(memory.bytes);
  let clock = 0;
  const run = (rounds: number): number =>
    warmUp(memory, provider, "AES128_CM_HMAC_SHA1_80", rounds, () => clock++, 0.2);
  run(3000); // the compiler's own work, and everything that is made once
  // A collection may be under way for reasons of the test runner's own: a path that allocates fails every time, not now and then.
  let alive = 0;
  for (let attempt = 0; attempt < 3 && alive < 64; attempt++) {
    Bun.gc(true);
    await new Promise((resolve) => setTimeout(resolve, 0));
    const canaries: WeakRef<object>[] = [];
    leave(canaries);
    await new Promise((resolve) => setTimeout(resolve, 0));
    expect(run(50_000)).toBeGreaterThan(3_000_000);
    alive = canaries.filter((canary) => canary.deref() !== undefined).length;
  }
  expect(alive).toBe(64);
}, 120_000);
