import { expect, test } from "bun:test";
import { type Millis, millis } from "../time.ts";
import { Timers } from "./timers.ts";

test("keys come due in order of their instants; a moved or cleared one does not at its old instant", () => {
  const timers = new Timers<string>();
  timers.set("a", millis(30), "a");
  timers.set("b", millis(10), "b");
  timers.set("c", millis(20), "c");
  timers.set("b", millis(40), "b again");
  timers.clear("c");
  expect(timers.soonest()).toEqual({ at: millis(30), why: "a" });
  expect(timers.due(millis(29))).toBeUndefined();
  expect(timers.due(millis(100))).toBe("a");
  expect(timers.due(millis(100))).toBe("b");
  expect(timers.due(millis(100))).toBeUndefined();
  expect(timers.soonest()).toBeUndefined();
});

test("many keys set, moved and cleared agree with a plain table", () => {
  const timers = new Timers<number>();
  const table = new Map<number, number>();
  let state = 7;
  const next = (below: number): number => {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    return (state >> 8) % below;
  };
  for (let round = 0; round < 20_000; round++) {
    const key = next(200);
    if (next(4) === 0) {
      timers.clear(key);
      table.delete(key);
    } else {
      const at = round + next(500);
      timers.set(key, millis(at), "x");
      table.set(key, at);
    }
    if (round % 7 === 0) {
      const now = round as Millis;
      for (let key = timers.due(now); key !== undefined; key = timers.due(now)) {
        expect(table.get(key)).toBeLessThanOrEqual(now);
        table.delete(key);
      }
      for (const at of table.values()) if (at <= now) throw new Error("missed");
    }
    expect(timers.soonest()?.at).toBe(table.size === 0 ? undefined : millis(Math.min(...table.values())));
  }
});
