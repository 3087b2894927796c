import { expect, test } from "bun:test";
import { countTests } from "./count-tests.ts";

test("counts of several runs are added up", () => {
  expect(countTests("e2e", " 3 pass\n 0 fail\n10 expect() calls\n 2 pass\n 1 fail\n", 1)).toEqual({
    passed: 5,
    failed: 1,
  });
});

test("errors outside of tests count as failures", () => {
  expect(countTests("unit", " 3 pass\n 1 fail\n 2 errors\n", 1)).toEqual({ passed: 3, failed: 3 });
});

test("what ends badly without a word has failed, and so has what tested nothing", () => {
  expect(countTests("unit", "Segmentation fault\n", 139)).toEqual({ passed: 0, failed: 1 });
  expect(countTests("unit", "", 0)).toEqual({ passed: 0, failed: 1 });
  expect(countTests("e2e", " 4 pass\n 0 fail\n", 1)).toEqual({ passed: 4, failed: 1 });
});

test("a pattern that fits nothing is neither", () => {
  expect(countTests("unit", "The following filters did not match any test files:\n x\n", 1)).toEqual({
    passed: 0,
    failed: 0,
  });
});

test("sections of the check", () => {
  expect(countTests("check", "ok    types\nFAULT cores (3)\n      x\nok    contrast\n", 1)).toEqual({
    passed: 2,
    failed: 1,
  });
});
