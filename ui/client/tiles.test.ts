import { describe, expect, test } from "bun:test";
import { DESKTOP_LIMITS, firstPage, PHONE_LIMITS, tileGrid } from "./tiles.ts";

/** The table of look.md 9: stage, gap, limits; then count → "columns x rows (tile width)". */
const STAGES = [
  [
    "phone",
    374,
    716,
    6,
    PHONE_LIMITS,
    "1x1 374|1x2 355|1x3 235|2x2 184|2x3 184|2x4 175|2x5 138|2x6 114|pages|pages|pages",
  ],
  [
    "phone landscape",
    758,
    374,
    6,
    PHONE_LIMITS,
    "1x1 665|2x1 376|2x2 327|2x2 327|3x2 249|3x3 215|3x3 215|3x4 158|pages|pages|pages",
  ],
  [
    "tablet upright",
    728,
    890,
    12,
    DESKTOP_LIMITS,
    "1x1 728|1x2 728|1x3 513|1x4 380|2x3 358|2x4 358|2x5 299|2x6 246|2x8 179|pages|pages",
  ],
  [
    "square",
    900,
    900,
    12,
    DESKTOP_LIMITS,
    "1x1 900|1x2 789|1x3 519|2x2 444|2x3 444|2x4 384|2x5 303|3x4 292|3x6 249|4x5 216|4x7 210",
  ],
  [
    "desktop + drawer",
    1030,
    760,
    12,
    DESKTOP_LIMITS,
    "1x1 1030|1x2 665|2x2 509|2x2 509|2x3 436|3x3 335|3x3 335|3x4 322|4x4 249|4x5 249|5x5 196",
  ],
  [
    "desktop",
    1400,
    764,
    12,
    DESKTOP_LIMITS,
    "1x1 1358|2x1 694|2x2 668|2x2 668|3x2 459|3x3 439|3x3 439|4x3 341|4x4 324|5x4 270|5x5 255",
  ],
  [
    "1080p",
    1880,
    944,
    12,
    DESKTOP_LIMITS,
    "1x1 1678|2x1 934|2x2 828|2x2 828|3x2 619|3x3 545|3x3 545|4x3 461|4x4 404|5x4 366|5x5 319",
  ],
  [
    "kiosk",
    784,
    352,
    8,
    { maxColumns: 5, minWidth: 144 },
    "1x1 626|2x1 388|2x2 306|2x2 306|3x2 256|3x3 199|3x3 199|4x3 190|4x4 146|5x4 146|pages",
  ],
] as const;
const COUNTS = [[1], [2], [3], [4], [5, 6], [7, 8], [9], [12], [16], [20], [25]] as const;

describe("the table of look.md 9", () => {
  for (const [name, width, height, gap, limits, row] of STAGES)
    row.split("|").forEach((cell, i) => {
      const last = COUNTS[i]?.at(-1) ?? 0;
      test(`${name}, ${last}: ${cell}`, () => {
        const grid = tileGrid(last, { width, height, gap }, limits);
        if (cell === "pages") expect(grid.pages).toBeGreaterThan(1);
        else expect(`${grid.columns}x${grid.rows} ${Math.round(grid.tileWidth)}`).toBe(cell);
      });
    });
});

describe("first page", () => {
  const order = ["a", "b", "c", "d", "e", "f"];
  const heard = (who: string): number => ({ a: 5, b: 1, c: 3 })[who] ?? 0;

  test("everybody fits: order stays", () => expect(firstPage(order, 6, "f", heard, "e")).toEqual(order));
  test("self and speaker come to the first page, the least heard give way", () => {
    const page = firstPage(order, 3, "f", heard, "e");
    expect(page.slice(0, 3)).toContain("f");
    expect(page.slice(0, 3)).toContain("e");
    expect(page.slice(0, 3)).toContain("a");
    expect([...page].sort()).toEqual(order);
  });
});
