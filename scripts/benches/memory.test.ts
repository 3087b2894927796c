import { expect, test } from "bun:test";
import { aloneBytes, megabytes, parsePss, parseSmaps, totalPss } from "./memory.ts";

test("PSS is read in bytes", () => {
  expect(parsePss("55d0-7ffe ---p [rollup]\nRss:  100 kB\nPss:                1234 kB\nPss_Dirty: 7 kB\n")).toBe(
    1_234 * 1_024,
  );
  expect(parsePss("")).toBeUndefined();
});

test("sums and units", () => {
  expect(
    totalPss([
      { name: "a", pid: 1, pssBytes: 1 },
      { name: "b", pid: 2, pssBytes: 2 },
    ]),
  ).toBe(3);
  expect(megabytes(1_572_864)).toBe("1.5");
});

test("pages of a file are counted once, private ones in each process", () => {
  const smaps = (shared: number, own: number): string =>
    `7f00-7f10 r-xp 00001000 08:01 42    /usr/bin/bun\nRss: 9 kB\nShared_Clean:      ${shared} kB\nShared_Dirty:  0 kB\nPrivate_Clean: 0 kB\nPrivate_Dirty:     0 kB\n8000-8010 rw-p 00000000 00:00 0 \nShared_Clean: 0 kB\nPrivate_Clean: 1 kB\nPrivate_Dirty:     ${own} kB\n`;
  const one = parseSmaps(smaps(40, 9));
  expect(one).toEqual([
    { file: "/usr/bin/bun 00001000", privateBytes: 0, sharedBytes: 40 * 1_024 },
    { file: "", privateBytes: 10 * 1_024, sharedBytes: 0 },
  ]);
  expect(aloneBytes([one, parseSmaps(smaps(50, 19))])).toBe((10 + 20 + 50) * 1_024);
});
