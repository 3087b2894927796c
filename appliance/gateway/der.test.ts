import { describe, expect, test } from "bun:test";
import { der } from "./der.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("lengths, X.690 8.1.3", () => {
  const rows: readonly (readonly [number, string])[] = [
    [0, "0400"],
    [127, "047f"],
    [128, "048180"],
    [255, "0481ff"],
    [256, "04820100"],
    [65_535, "0482ffff"],
  ];
  for (const [length, head] of rows)
    test(`${length} bytes`, () => expect(hex(der(4, new Uint8Array(length)).slice(0, head.length / 2))).toBe(head));
  test("longer ones are refused", () => expect(() => der(4, new Uint8Array(65_536))).toThrow(RangeError));
});
