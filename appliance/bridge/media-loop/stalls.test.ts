import { expect, test } from "bun:test";
import { Stalls } from "./stalls.ts";

test("the length that one in a thousand exceeds, the longest, and anew after clearing", () => {
  const stalls = new Stalls();
  expect([stalls.percentileMs(0.999), stalls.longestMs]).toEqual([0, 0]);
  for (let turn = 0; turn < 2000; turn++) stalls.count(0.05);
  expect(stalls.percentileMs(0.999)).toBe(0.05);
  for (let turn = 0; turn < 10; turn++) stalls.count(3.3);
  expect(stalls.percentileMs(0.5)).toBe(0.125);
  expect(stalls.percentileMs(0.999)).toBe(3.3);
  for (let turn = 0; turn < 10; turn++) stalls.count(700);
  expect([stalls.percentileMs(0.999), stalls.longestMs]).toEqual([700, 700]);
  stalls.clear();
  stalls.count(1);
  expect([stalls.percentileMs(0.999), stalls.longestMs]).toEqual([1, 1]);
});
