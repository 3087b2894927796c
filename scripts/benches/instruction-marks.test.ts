import { expect, test } from "bun:test";
import { betweenMarks } from "./instruction-marks.ts";

test("spans between pairs of marks, whatever stands around them", () => {
  const text =
    "qemu: warning\nmark 0 100\nmark 1 350\nnoise mark 0 5\nmark 1 9\nmark 0 1000\nmark 0 2000\nmark 1 2500\nmark 0 7\n";
  expect(betweenMarks(text)).toEqual([250, 500]);
  expect(betweenMarks("")).toEqual([]);
});
