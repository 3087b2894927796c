import { expect, test } from "bun:test";
import { drainEventFd, libc, openEventFd, wakeEventFd } from "./libc.ts";

test("an eventfd counts every wake, whatever has been collected in between", () => {
  const fd = openEventFd();
  try {
    const kept: unknown[] = [];
    for (let round = 1; round <= 20; round++) {
      Bun.gc(true);
      for (let each = 0; each < 2000; each++) kept.push(new Uint8Array(8).fill(0xab)); // takes the place of what was freed
      for (let each = 0; each < round; each++) wakeEventFd(fd);
      expect(drainEventFd(fd)).toBe(round);
      expect(drainEventFd(fd)).toBe(0);
    }
    expect(kept).toHaveLength(40_000);
  } finally {
    libc.close(fd);
  }
});
