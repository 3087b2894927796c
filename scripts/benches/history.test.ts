import { expect, test } from "bun:test";
import { changeLines, changes, type HistoryRecord, historyLine, parseHistory, recordToCompare } from "./history.ts";

const machine = { processor: "Some CPU", cores: 2, kernel: "6.1", bun: "1.4.5" };
const record = (commit: string, value: number, processor = "Some CPU"): HistoryRecord => ({
  commit,
  dirty: false,
  date: "2026-11-28T20:00:00.000Z",
  machine: { ...machine, processor },
  othersCores: 0.012345678,
  figures: { "bridge.cpu": { value, unit: "µs", better: "lower" } },
});

test("a record is one line and reads back, rounded; figures that are no numbers are left out", () => {
  const line = historyLine({
    ...record("abcd", 12.345678),
    figures: {
      "bridge.cpu": { value: 12.345678, unit: "µs", better: "lower" },
      "bridge.none": { value: Number.NaN, unit: "µs", better: "lower" },
    },
  });
  expect(line.match(/\n/g)).toHaveLength(1);
  expect(parseHistory(line)).toEqual([{ ...record("abcd", 12.35), othersCores: 0.01235 }]);
});

test("lines that are no records are passed over", () => {
  const good = historyLine(record("abcd", 1));
  const other = '{"commit":"x","date":"y","machine":{},"figures":{"a":{"value":"1","unit":"","better":"lower"}}}';
  expect(parseHistory(`${good}\n{"half":\n[]\nnull\n${other}\n${good}`)).toHaveLength(2);
});

test("compared is with the newest of this kind of machine, or a commit's", () => {
  const history = [record("aaaa11", 1), record("bbbb22", 2), record("cccc33", 3, "Another CPU")];
  expect(recordToCompare(history, machine, "last")?.commit).toBe("bbbb22");
  expect(recordToCompare(history, machine, "aaaa")?.commit).toBe("aaaa11");
  expect(recordToCompare(history, machine, "cccc")).toBeUndefined();
  expect(recordToCompare([], machine, "last")).toBeUndefined();
});

test("changes know which way is better, and what is no change", () => {
  const lower = (value: number) => ({ value, unit: "µs", better: "lower" }) as const;
  const higher = (value: number) => ({ value, unit: "packets/s", better: "higher" }) as const;
  const list = changes(
    { a: lower(10), b: lower(10), c: higher(100), d: lower(10), gone: lower(1), zero: lower(0) },
    { a: lower(8), b: lower(12), c: higher(150), d: lower(10.2), fresh: lower(1), zero: lower(1) },
  );
  expect(list.map(({ key, verdict }) => [key, verdict])).toEqual([
    ["a", "better"],
    ["b", "worse"],
    ["c", "better"],
    ["d", "same"],
  ]);
  expect(changeLines(list)[0]).toBe("  a        10 →        8 µs         −20.0 %   BETTER");
  expect(changeLines(list)[3]).toEndWith("+2.0 %");
});
