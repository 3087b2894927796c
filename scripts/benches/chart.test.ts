import { expect, test } from "bun:test";
import { chart } from "./chart.ts";
import type { HistoryRecord } from "./history.ts";

const record = (
  commit: string,
  figures: HistoryRecord["figures"],
  processor = "A < B",
  othersCores = 0,
): HistoryRecord => ({
  commit,
  dirty: false,
  date: "2026-11-28T20:00:00.000Z",
  machine: { processor, cores: 2, kernel: "6.1", bun: "1.4.5" },
  othersCores,
  figures,
});
const micros = (value: number) => ({ value, unit: "µs", better: "lower" }) as const;

test("a panel for each figure, a dot for each record; another machine's are left out", () => {
  const svg = chart([
    record("1111111111", { "bridge.cpu": micros(9) }, "Another"),
    record("2222222222", { "bridge.cpu": micros(8), "box.idle": micros(100) }),
    record("3333333333", { "bridge.cpu": micros(6) }, "A < B", 0.9),
  ]);
  expect(svg.match(/class="title"/g)).toHaveLength(3);
  expect(svg.match(/<circle/g)).toHaveLength(3);
  expect(svg.match(/class="noisy"/g)).toHaveLength(1);
  expect(svg).toContain("2222222");
  expect(svg).not.toContain("1111111");
  expect(svg).toContain("A &lt; B");
  expect(svg).not.toContain("NaN");
});

test("a better figure stands lower, and from zero: half as much is half as high", () => {
  const svg = chart([record("aaaa", { x: micros(8) }), record("bbbb", { x: micros(4) })]);
  const [first = 0, second = 0] = [...svg.matchAll(/cy="([\d.]+)"/g)].map((match) => Number(match[1]));
  const zero = Math.max(...[...svg.matchAll(/y1="([\d.]+)"/g)].map((match) => Number(match[1])));
  expect((zero - first) / (zero - second)).toBeCloseTo(2, 1);
});

test("no history: a picture that says so", () => {
  expect(chart([])).toContain("no records yet");
});
