import { expect, test } from "bun:test";
import { Settling } from "./settling.ts";

test("what changes while a step runs is brought about by one more step, never by two at a time", async () => {
  let wanted = 0;
  const done: number[] = [];
  let running = 0;
  const gates: PromiseWithResolvers<void>[] = [];
  const settling = new Settling(async () => {
    expect(++running).toBe(1);
    const now = wanted;
    const gate = Promise.withResolvers<void>();
    gates.push(gate);
    await gate.promise;
    running--;
    done.push(now);
  });
  wanted = 1;
  const first = settling.settle();
  wanted = 2;
  const second = settling.settle();
  wanted = 3;
  const third = settling.settle();
  gates[0]?.resolve();
  await Promise.resolve();
  await Promise.resolve();
  gates[1]?.resolve();
  await Promise.all([first, second, third]);
  expect(done).toEqual([1, 3]);
});

test("a step that throws rejects, and the next call begins anew", async () => {
  let fails = true;
  let steps = 0;
  const settling = new Settling(async () => {
    steps++;
    if (fails) throw new Error("refused");
  });
  await expect(settling.settle()).rejects.toThrow("refused");
  fails = false;
  await settling.settle();
  expect(steps).toBe(2);
});
