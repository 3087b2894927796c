import { expect, test } from "bun:test";
import { useRealTime } from "../tests/real-time.ts";
import { monotonicNow } from "./clock.ts";
import { DeadlineTimer } from "./deadline-timer.ts";
import { later } from "./time.ts";

useRealTime();

const inMs = (ms: number) => ({ at: later(monotonicNow(), ms), why: "test" });

/** Goes off until the deadline has come, as shells do; answers how often it went off before it. */
function untilDue(deadlines: readonly number[]): Promise<{ early: number; lateMs: number }> {
  const { promise, resolve } = Promise.withResolvers<{ early: number; lateMs: number }>();
  let early = 0;
  const planned = deadlines.map(inMs);
  const last = planned.at(-1) ?? inMs(0);
  const timer = new DeadlineTimer(() => {
    const lateMs = monotonicNow() - last.at;
    if (lateMs >= 0) return resolve({ early, lateMs });
    early++;
    timer.set(last);
  });
  for (const deadline of planned) timer.set(deadline);
  return promise;
}

test("goes off when the deadline has come, and not long before", async () => {
  const { early, lateMs } = await untilDue([30]);
  expect(lateMs).toBeGreaterThanOrEqual(0);
  expect(early).toBeLessThanOrEqual(1);
});

test("a fraction of a millisecond is no turn of its own", async () => {
  let early = 0;
  for (let i = 0; i < 20; i++) early += (await untilDue([2.5])).early;
  expect(early).toBeLessThan(10);
});

test("a deadline that has moved far away takes the timer along", async () => {
  let turns = 0;
  const timer = new DeadlineTimer(() => turns++);
  timer.set(inMs(5));
  timer.set(inMs(1_000_000));
  await untilDue([30]);
  expect(turns).toBe(0);
  timer.set(undefined);
});

test("an earlier deadline takes the place of a later one", async () => {
  const { early } = await untilDue([1_000_000, 20]);
  expect(early).toBeLessThan(10);
});

test("a later deadline leaves the timer: it goes off early, and is set to what is then the next", async () => {
  const { early } = await untilDue([10, 60]);
  expect(early).toBeGreaterThanOrEqual(1);
});

test("no deadline, no turn; one after it counts again", async () => {
  let turns = 0;
  const timer = new DeadlineTimer(() => turns++);
  timer.set(inMs(5));
  timer.set(undefined);
  await untilDue([30]);
  expect(turns).toBe(0);
  const { promise, resolve } = Promise.withResolvers<void>();
  const next = new DeadlineTimer(resolve);
  next.set(inMs(1));
  next.set(undefined);
  next.set(inMs(2));
  await promise;
});

test("a deadline that has come already is a turn of its own, not one within the call", async () => {
  const order: string[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = new DeadlineTimer(() => {
    order.push("turn");
    resolve();
  });
  timer.set(inMs(-5));
  order.push("set");
  await promise;
  expect(order).toEqual(["set", "turn"]);
});
