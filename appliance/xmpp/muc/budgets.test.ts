import { expect, test } from "bun:test";
import { millis } from "../../time.ts";
import { Budgets } from "./budgets.ts";

test("a burst, then so much a second, each key for itself", () => {
  const budgets = new Budgets({ burst: 3, perSecond: 2 });
  const takes = (key: string, ms: number, count: number) =>
    Array.from({ length: count }, () => budgets.take(key, millis(ms)));
  expect(takes("a", 0, 4)).toEqual([0, 0, 0, 500]);
  expect(takes("b", 0, 1)).toEqual([0]);
  expect(takes("a", 250, 1)).toEqual([250]);
  expect(takes("a", 500, 2)).toEqual([0, 500]);
  expect(takes("a", 60_000, 4)).toEqual([0, 0, 0, 500]);
});

test("ten thousand keys are kept, the least recently used goes", () => {
  const budgets = new Budgets({ burst: 1, perSecond: 0.001 });
  expect(budgets.take("first", millis(0))).toBe(0);
  for (let count = 0; count < 9_999; count++) budgets.take(`k${count}`, millis(0));
  expect(budgets.take("first", millis(0))).toBeGreaterThan(0);
  budgets.take("one more", millis(0));
  expect(budgets.take("first", millis(0))).toBeGreaterThan(0);
  expect(budgets.take("k0", millis(0))).toBe(0);
});
