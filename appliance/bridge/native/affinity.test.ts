// Alone: it ties a thread of its own process to a core.
import { expect, test } from "bun:test";
import { availableParallelism } from "node:os";
import { allowedCores, pinThread, threadCpuMs } from "./affinity.ts";

test("a thread is tied to the last core that it may use, and to no other", () => {
  const before = allowedCores();
  expect(before.length).toBe(availableParallelism());
  expect(pinThread(before.length)).toBeUndefined();
  expect(allowedCores()).toEqual(before);
  if (before.length < 2) {
    expect(pinThread(0)).toBeUndefined();
    return;
  }
  expect(pinThread(0)).toBe(before.at(-1) as number);
  expect(allowedCores()).toEqual([before.at(-1) as number]);
  // One core only: nothing is to spare any more.
  expect(pinThread(0)).toBeUndefined();
});

test("a thread's own time grows while it works, and not while it waits", () => {
  const before = threadCpuMs();
  expect(before).toBeGreaterThan(0);
  let sum = 0;
  for (let i = 0; i < 20_000_000; i++) sum += i % 7;
  const worked = threadCpuMs();
  expect(worked - before).toBeGreaterThan(2);
  expect(sum).toBeGreaterThan(0);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  expect(threadCpuMs() - worked).toBeLessThan(100);
});
