import { ptr } from "bun:ffi";
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { adviseHugePages, hugePageBytes } from "./huge-pages.ts";

const MEGABYTE = 1024 * 1024;

/** kB of huge pages in the mapping that an address lies in. */
function hugeKilobytes(address: number): number {
  let inside = false;
  for (const line of readFileSync("/proc/self/smaps", "utf8").split("\n")) {
    const range = /^([0-9a-f]+)-([0-9a-f]+) /.exec(line);
    if (range !== null)
      inside = Number.parseInt(range[1] ?? "", 16) <= address && address < Number.parseInt(range[2] ?? "", 16);
    const huge = /^AnonHugePages:\s+(\d+) kB/.exec(line);
    if (inside && huge !== null) return Number(huge[1]);
  }
  return -1;
}

test("touching one byte of advised memory brings a huge page, where the kernel has them", () => {
  const bytes = new Uint8Array(new WebAssembly.Memory({ initial: 160, maximum: 160 }).buffer);
  const base = ptr(bytes) as number;
  const advised = adviseHugePages(base + 3 * MEGABYTE, base + bytes.length);
  const offered = !readFileSync("/sys/kernel/mm/transparent_hugepage/enabled", "utf8").includes("[never]");
  expect(advised).toBe(hugePageBytes() > 0 && hugePageBytes() <= 2 * MEGABYTE);
  bytes[5 * MEGABYTE] = 1;
  if (advised && offered) expect(hugeKilobytes(base + 5 * MEGABYTE)).toBeGreaterThan(0);
  expect(bytes[0]).toBe(0);
});

test("huge pages that are too large, or none, are not asked for", () => {
  const bytes = new Uint8Array(new WebAssembly.Memory({ initial: 160, maximum: 160 }).buffer);
  const base = ptr(bytes) as number;
  expect(adviseHugePages(base + 3 * MEGABYTE, base + bytes.length, 32 * MEGABYTE)).toBe(false);
  expect(adviseHugePages(base + 3 * MEGABYTE, base + bytes.length, 0)).toBe(false);
  expect(adviseHugePages(base + 3 * MEGABYTE, base + 3 * MEGABYTE + 4096)).toBe(false);
});
