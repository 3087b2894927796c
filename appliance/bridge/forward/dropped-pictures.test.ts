import { expect, test } from "bun:test";
import { DroppedPictures } from "./dropped-pictures.ts";

test("a picture that comes late is counted for what had been dropped before its place", () => {
  const dropped = new DroppedPictures();
  dropped.begin();
  for (const timestamp of [0xffff_f000, 0x1000, 0x5000]) dropped.drop(timestamp >>> 0);
  expect(dropped.total).toBe(3);
  expect([0xffff_e000, 0xffff_f800, 0x2000, 0x6000].map((timestamp) => dropped.before(timestamp >>> 0))).toEqual([
    0, 1, 2, 3,
  ]);
});

test("64 are remembered; what was dropped before them is counted all the same", () => {
  const dropped = new DroppedPictures();
  dropped.begin();
  for (let picture = 0; picture < 100; picture++) dropped.drop(picture * 3000);
  expect(dropped.before(99 * 3000 - 1)).toBe(99);
  expect(dropped.before(40 * 3000 - 1)).toBe(40);
  dropped.begin();
  expect([dropped.total, dropped.before(0)]).toEqual([0, 0]);
});
