import { expect, test } from "bun:test";
import { randomFraction } from "./random.ts";

test("a fraction is the bytes' value over 2^32", () => {
  expect(randomFraction(() => Uint8Array.of(0, 0, 0, 0))).toBe(0);
  expect(randomFraction(() => Uint8Array.of(0x80, 0, 0, 0))).toBe(0.5);
  expect(randomFraction(() => Uint8Array.of(255, 255, 255, 255))).toBeLessThan(1);
});
