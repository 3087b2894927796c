import { describe, expect, test } from "bun:test";
import { later, type Millis, millis } from "../time.ts";
import { limited, QUALITY_STEPS, Quality } from "./quality.ts";

const REPORT_MS = 5_000;

/** A bridge that reports every five seconds; `stress` may depend on the step, as a real one's does. */
function run(
  quality: Quality,
  from: Millis,
  seconds: number,
  stress: (step: number) => number,
): { now: Millis; steps: number[] } {
  const steps: number[] = [];
  let now = from;
  for (let at = 0; at < seconds * 1_000; at += REPORT_MS) {
    quality.update(now, stress(quality.step));
    steps.push(quality.step);
    now = later(now, REPORT_MS);
  }
  return { now, steps };
}

const START = millis(1_000);
const changes = (steps: readonly number[]): number =>
  steps.filter((step, at) => at > 0 && step !== steps[at - 1]).length;

describe("taking", () => {
  test("nothing below 0.8; then smaller pictures, a step in ten seconds, and nobody loses one below 0.95", () => {
    expect(run(new Quality(), START, 600, () => 0.79).steps.at(-1)).toBe(0);
    const quality = new Quality();
    expect(run(quality, START, 30, () => 0.9).steps).toEqual([1, 1, 2, 2, 2, 2]);
    expect(quality.limits).toMatchObject({ tileHeight: 180, lastN: -1 });
  });

  test("beyond 0.95 there are fewer pictures, at last one", () => {
    const quality = new Quality();
    run(quality, START, 300, () => 1.2);
    expect(quality.step).toBe(QUALITY_STEPS.length - 1);
    expect(quality.limits.lastN).toBe(1);
  });

  test("each step takes and none gives", () => {
    for (const [at, step] of QUALITY_STEPS.entries()) {
      const before = QUALITY_STEPS[at - 1];
      if (before === undefined) continue;
      expect(step.stageHeight).toBeLessThanOrEqual(before.stageHeight);
      expect(step.tileHeight).toBeLessThanOrEqual(before.tileHeight);
      expect(step.lastN < 0 ? before.lastN : step.lastN).toBeLessThanOrEqual(before.lastN < 0 ? 1e9 : before.lastN);
    }
  });
});

describe("giving", () => {
  test("a step after thirty calm seconds, all in the end; a moment of load starts the wait anew", () => {
    const quality = new Quality();
    const { now } = run(quality, START, 60, () => 0.9);
    const calm = run(quality, now, 25, () => 0.5);
    expect(calm.steps.at(-1)).toBe(2);
    run(quality, calm.now, 5, () => 0.7);
    const again = run(quality, later(calm.now, 5_000), 100, () => 0.5);
    expect(again.steps.indexOf(1)).toBe(6);
    expect(again.steps.at(-1)).toBe(0);
  });

  test("an empty bridge gives all back within a minute or so, however often it had to take before", () => {
    const quality = new Quality();
    const hunted = run(quality, START, 3_600, (step) => (step < 4 ? 1 : 0.5));
    expect(hunted.steps.at(-1)).toBeGreaterThanOrEqual(3);
    expect(run(quality, hunted.now, 90, () => 0.05).steps.at(-1)).toBe(0);
  });

  test("between the two thresholds nothing moves", () => {
    const quality = new Quality();
    const { now } = run(quality, START, 60, () => 0.9);
    expect(changes(run(quality, now, 3_600, () => 0.7).steps)).toBe(0);
  });

  test("where a step back is too much each time, the pauses double: an hour of it is no flapping", () => {
    // Full pictures are too much, the first step is calm enough to try again.
    const quality = new Quality();
    const { steps, now } = run(quality, START, 3_600, (step) => (step === 0 ? 0.85 : 0.5));
    expect(changes(steps)).toBeLessThanOrEqual(24);
    const late = run(quality, now, 3_600, (step) => (step === 0 ? 0.85 : 0.5));
    expect(changes(late.steps)).toBeLessThanOrEqual(14);
    // And a box that was calm for long enough has its patience back.
    const calm = run(quality, late.now, 3_600, () => 0.1);
    expect(calm.steps.at(-1)).toBe(0);
    const loaded = run(quality, calm.now, 30, () => 0.85);
    const recovered = run(quality, loaded.now, 70, () => 0.1);
    expect(recovered.steps.at(-1)).toBe(0);
  });
});

describe("what a receiver asked for, within the limits", () => {
  const [, smaller = QUALITY_STEPS[0]] = QUALITY_STEPS;
  test.each([
    // wanted, on stage, screen, result
    [-1, false, false, 360],
    [2160, false, false, 360],
    [2160, true, false, 720],
    [180, false, false, 180],
    [0, false, false, 0],
    [-1, true, true, -1],
    [1080, false, true, 1080],
  ] as const)("%i lines, stage %p, screen %p: %i", (maxHeight, onStage, screen, expected) => {
    if (smaller === undefined) throw new Error("no steps");
    expect(limited({ maxHeight, maxFrameRate: 15 }, onStage, screen, smaller)).toEqual({
      maxHeight: expected,
      maxFrameRate: 15,
    });
  });
});
