import { expect, test } from "bun:test";
import { cpuBetween, cpuOf, memoryOfProcess } from "./processes.ts";

test("processor time between two looks: threads of one name together, new ones from nothing, ended ones left out", () => {
  const before = new Map([
    ["Worker#10", 1e9],
    ["Worker#11", 5e9],
    ["ended#12", 7e9],
  ]);
  const after = new Map([
    ["Worker#10", 1.5e9],
    ["Worker#11", 5.25e9],
    ["JIT#13", 0.25e9],
  ]);
  expect(cpuBetween(before, after)).toEqual({ seconds: 1, threads: { Worker: 0.75, JIT: 0.25 } });
});

test("this process is seen to work and to hold memory", () => {
  const before = cpuOf(process.pid);
  let sum = 0;
  // Until the kernel has seen it: its accounts of a running thread lag by a tick.
  for (let i = 0; cpuBetween(before, cpuOf(process.pid)).seconds <= 0 && i < 10_000; i++)
    for (let j = 0; j < 100_000; j++) sum += j;
  expect(sum).toBeGreaterThanOrEqual(0);
  expect(cpuBetween(before, cpuOf(process.pid)).seconds).toBeGreaterThan(0);
  const { pssMb, rssMb } = memoryOfProcess(process.pid);
  expect(pssMb).toBeGreaterThan(5);
  expect(rssMb).toBeGreaterThanOrEqual(pssMb);
});
