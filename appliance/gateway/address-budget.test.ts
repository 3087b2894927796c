import { expect, test } from "bun:test";
import { AddressBudget } from "./address-budget.ts";

test("each address has its share, and gets back what it releases", () => {
  const budget = new AddressBudget(2);
  expect([budget.take("a"), budget.take("a"), budget.take("a"), budget.take("b")]).toEqual([true, true, false, true]);
  budget.release("a");
  expect([budget.take("a"), budget.take("a")]).toEqual([true, false]);
});

test("a release too many gives nothing extra", () => {
  const budget = new AddressBudget(1);
  budget.release("a");
  budget.release("a");
  expect([budget.take("a"), budget.take("a")]).toEqual([true, false]);
});
