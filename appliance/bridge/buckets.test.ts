import { expect, test } from "bun:test";
import { Buckets } from "./buckets.ts";

test("values fall into the bucket that begins at or below them; nothing is counted twice", () => {
  const buckets = new Buckets([0, 5, 50]);
  for (const value of [0, 4.9, 5, 49, 50, 1_000]) buckets.add(value);
  expect(buckets.toJson("_delay_ms", "_ms")).toEqual({
    average_delay_ms: (0 + 4.9 + 5 + 49 + 50 + 1_000) / 6,
    max_delay_ms: 1_000,
    min_delay_ms: 0,
    total_value: 1_108.9,
    total_count: 6,
    discarded: 0,
    buckets: { "0_to_5_ms": 2, "5_to_50_ms": 2, "50_to_max_ms": 2, p99_upper_bound: -1, p999_upper_bound: -1 },
  });
});

test("nothing counted: zeros, and no bound", () => {
  expect(new Buckets([0, 10]).toJson()).toEqual({
    average: 0,
    max: 0,
    min: 0,
    total_value: 0,
    total_count: 0,
    discarded: 0,
    buckets: { "0_to_10": 0, "10_to_max": 0, p99_upper_bound: -1, p999_upper_bound: -1 },
  });
});

test("bounds are told when there is enough to go by", () => {
  const buckets = new Buckets([0, 5, 50]);
  const bounds = (): unknown[] => {
    const { p99_upper_bound, p999_upper_bound } = buckets.toJson()["buckets"] as Record<string, number>;
    return [p99_upper_bound, p999_upper_bound];
  };
  for (let index = 0; index < 99; index++) buckets.add(1);
  expect(bounds()).toEqual([-1, -1]);
  buckets.add(1);
  expect(bounds()).toEqual([5, -1]);
  for (let index = 0; index < 895; index++) buckets.add(1);
  for (let index = 0; index < 5; index++) buckets.add(7);
  expect(bounds()).toEqual([5, 50]);
  for (let index = 0; index < 100; index++) buckets.add(70);
  expect(bounds()).toEqual([-1, -1]); // in the last bucket, which has no upper end
});
