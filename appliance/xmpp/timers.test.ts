import { expect, test } from "bun:test";
import { millis } from "../time.ts";
import { Timers } from "./timers.ts";

const due = <Key>(timers: Timers<Key>, now: number): Key[] => {
  const keys: Key[] = [];
  timers.due(millis(now), (key) => keys.push(key));
  return keys;
};

test("a key that is set to the past while it is worked off waits for the next call", () => {
  const timers = new Timers<string>();
  timers.set("a", millis(10), "a");
  let calls = 0;
  const again = (key: string): void => {
    if (++calls < 1_000) timers.set(key, millis(10), "again");
  };
  timers.due(millis(10), again);
  expect(calls).toBe(1);
  expect(timers.soonest()).toEqual({ at: millis(10), why: "again" });
  timers.due(millis(10), again);
  expect(calls).toBe(2);
});

test("what is cleared or set while others are worked off does not come in the same call", () => {
  const timers = new Timers<string>();
  for (const key of ["a", "b", "c"]) timers.set(key, millis(10), key);
  const came: string[] = [];
  timers.due(millis(20), (key) => {
    came.push(key);
    timers.clear("b");
    timers.set("c", millis(15), "again");
  });
  expect(came).toEqual(["a"]);
  expect(due(timers, 20)).toEqual(["c"]);
});

test("keys come due in order of their instants; a moved or cleared one does not at its old instant", () => {
  const timers = new Timers<string>();
  timers.set("a", millis(30), "a");
  timers.set("b", millis(10), "b");
  timers.set("c", millis(20), "c");
  timers.set("b", millis(40), "b again");
  timers.clear("c");
  expect(timers.soonest()).toEqual({ at: millis(30), why: "a" });
  expect(due(timers, 29)).toEqual([]);
  expect(due(timers, 100)).toEqual(["a", "b"]);
  expect(due(timers, 100)).toEqual([]);
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
      for (const key of due(timers, round)) {
        expect(table.get(key)).toBeLessThanOrEqual(round);
        table.delete(key);
      }
      for (const at of table.values()) if (at <= round) throw new Error("missed");
    }
    expect(timers.soonest()?.at).toBe(table.size === 0 ? undefined : millis(Math.min(...table.values())));
  }
});
