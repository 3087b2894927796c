import { expect, test } from "bun:test";
import { largestThatPasses, median, medianBy, percentileCell, showSpread, spread } from "./statistics.ts";

test("medians", () => {
  expect([median([3, 1, 2]), median([4, 1, 3, 2]), median([])]).toEqual([2, 2, Number.NaN]);
  expect(medianBy([{ a: 3 }, { a: 1 }, { a: 2 }], ({ a }) => a)).toEqual({ a: 2 });
  expect(medianBy([], () => 0)).toBeUndefined();
});

test("spread, and how it reads", () => {
  expect(spread([3, 1, 2])).toEqual({ median: 2, low: 1, high: 3, rounds: 3 });
  expect(showSpread(spread([3, 1, 2]))).toBe("2.00 (1.00–3.00)");
  expect(showSpread(spread([3]), 1)).toBe("3.0");
});

test("the search finds the largest load for every limit, within its step, and never asks twice", async () => {
  for (let limit = 0; limit <= 40; limit++)
    for (const step of [1, 3]) {
      const asked: number[] = [];
      const found = await largestThatPasses(8, 32, step, async (load) => {
        asked.push(load);
        return load <= limit;
      });
      const truth = Math.min(limit, 32);
      expect(found).toBeLessThanOrEqual(truth);
      expect(truth - found).toBeLessThan(step);
      expect(new Set(asked).size).toBe(asked.length);
      expect(asked.every((load) => load >= 1 && load <= 32)).toBe(true);
    }
});

test("percentiles of a histogram", () => {
  const cells = [0, 50, 49, 0, 1];
  expect([0.5, 0.51, 0.99, 0.999, 1].map((share) => percentileCell(cells, share))).toEqual([1, 2, 2, 4, 4]);
  expect(percentileCell([0, 0], 0.5)).toBe(0);
});
