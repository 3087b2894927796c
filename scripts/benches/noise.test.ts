import { expect, test } from "bun:test";
import { isNoisy, noiseBetween, noiseMark, parseProcStat, worst } from "./noise.ts";

const stat = (user: number, idle: number, steal: number): string =>
  `cpu  ${user} 10 20 ${idle} 5 3 2 ${steal} 0 0\ncpu0 1 2 3 4 5 6 7 8 9 0\ncpu1 1 2 3 4 5 6 7 8 9 0\nintr 5\n`;

test("/proc/stat", () => {
  expect(parseProcStat(stat(100, 1000, 7))).toEqual({ busy: 135, steal: 7, total: 1147, processors: 2 });
  expect(parseProcStat("no such thing")).toBeUndefined();
});

test("what others used, without what the run itself did", () => {
  const before = parseProcStat(stat(0, 0, 0));
  // Two processors, four seconds: 500 ticks of work, 290 idle, 10 taken.
  const after = parseProcStat(stat(500, 290, 10));
  if (before === undefined || after === undefined) throw new Error("unreadable");
  const noise = noiseBetween(before, after, 4);
  expect(noise.others).toBeCloseTo(0.25, 5);
  expect(noise.steal).toBeCloseTo(0.025, 5);
  expect(isNoisy(noise)).toBe(true);
  expect(noiseMark(noise)).toContain("0.25 of a core");
  expect(noiseMark(noiseBetween(before, after, 5))).toBe("");
  expect(noiseBetween(before, before, 1)).toEqual({ others: 0, steal: 0 });
});

test("the worst of several", () => {
  expect(
    worst([
      { others: 0.1, steal: 0.2 },
      { others: 0.3, steal: 0 },
    ]),
  ).toEqual({ others: 0.3, steal: 0.2 });
  expect(worst([])).toEqual({ others: 0, steal: 0 });
});
