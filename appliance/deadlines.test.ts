import { expect, test } from "bun:test";
import { Deadlines, soonest } from "./deadlines.ts";
import { millis } from "./time.ts";

test("soonest names the earliest deadline", () => {
  const deadlines = new Deadlines<"ping" | "expire">();
  expect(deadlines.soonest()).toBeUndefined();
  deadlines.set("expire", millis(50));
  deadlines.set("ping", millis(20));
  expect(deadlines.soonest()).toEqual({ at: millis(20), why: "ping" });
  deadlines.set("ping", millis(90));
  expect(deadlines.soonest()?.why).toBe("expire");
});

test("due takes out what has come, earliest first", () => {
  const deadlines = new Deadlines();
  deadlines.set("b", millis(2));
  deadlines.set("a", millis(1));
  deadlines.set("c", millis(3));
  expect(deadlines.due(millis(2))).toEqual(["a", "b"]);
  expect(deadlines.due(millis(2))).toEqual([]);
  expect(deadlines.has("c")).toBe(true);
});

test("soonest of several ignores the absent", () => {
  expect(soonest(undefined, { at: millis(7), why: "x" }, { at: millis(3), why: "y" })?.why).toBe("y");
  expect(soonest(undefined)).toBeUndefined();
});
