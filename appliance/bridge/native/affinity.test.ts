// Alone: it ties a thread of its own process to a core.
import { expect, test } from "bun:test";
import { availableParallelism } from "node:os";
import { allowedCores, pinThread } from "./affinity.ts";

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
