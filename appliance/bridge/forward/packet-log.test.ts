import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../simulated-network.ts";
import { HISTORY_MS, PacketLog } from "./packet-log.ts";

const START = 1024;
const LONGEST = 1_400;
const ROOM = 8;

/** A log in memory of its own; packets are filled with their number. */
class Bed {
  readonly bytes: Uint8Array;
  readonly log: PacketLog;
  /** All that was added, in order. */
  readonly added: {
    readonly position: number;
    readonly at: number;
    readonly length: number;
    readonly value: number;
  }[] = [];
  /** Behind the last byte that was ever written. */
  highest = 0;

  constructor(readonly size: number) {
    this.bytes = new Uint8Array(LONGEST + START + size + 4_096);
    this.log = new PacketLog(this.bytes, LONGEST + START, size);
  }

  add(nowMs: number, length: number): number {
    const value = 1 + (this.added.length % 255);
    this.bytes.fill(value, 0, length);
    const position = this.log.add(nowMs, 0, length, ROOM);
    this.added.push({ position, at: nowMs, length, value });
    this.highest = Math.max(this.highest, this.log.find(position) + length - LONGEST - START);
    return position;
  }

  /** How many of the newest are there; throws where what is there is not what was added, or an older one outlives a younger. */
  check(): number {
    let alive = 0;
    for (const { position, length, value } of this.added.toReversed()) {
      const at = this.log.find(position);
      if (at < 0) break;
      alive++;
      expect(this.log.length(position)).toBe(length);
      if (this.bytes.subarray(at, at + length).some((byte) => byte !== value)) throw new Error("overwritten");
      if (at < LONGEST + START || at + length + ROOM > LONGEST + START + this.size) throw new Error("outside");
    }
    for (const { position } of this.added.slice(0, this.added.length - alive).slice(-200))
      expect(this.log.find(position)).toBe(-1);
    return alive;
  }
}

describe("packet log", () => {
  test("a small one keeps the newest bytes and forgets the overwritten, however little time passes", () => {
    const bed = new Bed(1024);
    for (let round = 0; round < 50; round++) {
      bed.add(0, 100);
      expect(bed.check()).toBeGreaterThanOrEqual(Math.min(round + 1, 7));
    }
    expect(bed.bytes.subarray(LONGEST + START + 1024).every((byte) => byte === 0)).toBe(true);
    for (const never of [-1, -2]) expect(bed.log.find(never)).toBe(-1);
  });

  test("at a steady rate two seconds are there, in not much more than their bytes", () => {
    const bed = new Bed(16 * 1024 * 1024);
    // A camera of 1.4 Mbit/s each of ten people.
    let now = 5_000;
    for (let packet = 0; packet < 1_200 * 9; packet++) {
      now += 1_000 / 1_200;
      bed.add(now, 1_140);
    }
    const alive = bed.check();
    const oldest = bed.added.at(-alive);
    expect(now - (oldest?.at ?? now)).toBeGreaterThanOrEqual(HISTORY_MS);
    expect(bed.highest).toBeLessThan(1_200 * 2 * 1_160 + 600_000);
  });

  test("after a pause a busier time gets the room it needs, and a quieter one gives it back", () => {
    const bed = new Bed(8 * 1024 * 1024);
    let now = 0;
    const run = (packetsPerSecond: number, seconds: number): void => {
      for (let packet = 0; packet < packetsPerSecond * seconds; packet++) {
        now += 1_000 / packetsPerSecond;
        bed.add(now, 1_000);
      }
    };
    run(100, 10);
    now += 60_000;
    run(3_000, 6);
    const busy = bed.check();
    expect(busy).toBeGreaterThanOrEqual(2 * 3_000);
    run(100, 10);
    bed.highest = 0;
    run(100, 20);
    expect(bed.highest).toBeLessThan(600_000);
    expect(bed.check()).toBeGreaterThanOrEqual(2 * 100);
  });

  test("more than fits in two seconds: the whole log is used", () => {
    const bed = new Bed(1024 * 1024);
    for (let packet = 0; packet < 5_000; packet++) bed.add(packet * 0.1, 1_000);
    expect(bed.check()).toBeGreaterThan((1024 * 1024) / 1_016 / 2);
    expect(bed.highest).toBeGreaterThan(1024 * 1024 - 2_048);
  });

  test.each([1, 2, 3, 4, 5, 6])("whatever comes, what it promised to hold is there (seed %d)", (seed) => {
    const random = seededRandom(seed);
    const bed = new Bed(seed % 2 === 0 ? 2 * 1024 * 1024 : 700_000);
    let now = 0;
    let held = 0;
    for (let step = 0; step < 12_000; step++) {
      if (random() < 0.001) now += random() * 4_000;
      now += random() * (step % 4_000 < 2_000 ? 0.3 : 3);
      const length = 1 + Math.floor(random() * LONGEST);
      bed.add(now, length);
      if (step % 16 !== 0) continue;
      // What is asked about is used at once: no time passes.
      const asked = bed.added[Math.max(0, bed.added.length - 1 - Math.floor(random() * 900))]?.position ?? -1;
      const bytes = Math.floor(random() * 100_000);
      if (!bed.log.holds(now, asked, bytes)) continue;
      held++;
      let left = bytes;
      while (left > 2_000) {
        const next = 1 + Math.floor(random() * LONGEST);
        left -= 8 + next + ROOM + 7;
        bed.add(now, next);
      }
      expect(bed.log.find(asked)).toBeGreaterThan(0);
    }
    bed.check();
    expect(held).toBeGreaterThan(100);
  });
});
