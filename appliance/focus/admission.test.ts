import { describe, expect, test } from "bun:test";
import { later, type Millis, millis } from "../time.ts";
import { Admission, StressGate } from "./admission.ts";

const NOW = millis(1_000);
const at = (seconds: number): Millis => later(NOW, seconds * 1_000);

describe("a gate", () => {
  test("closes at its threshold, at once; opens well below it, after half a minute", () => {
    const gate = new StressGate(0.9);
    expect(gate.update(NOW, 0.89)).toBe(false);
    expect(gate.update(NOW, 0.9)).toBe(true);
    expect(gate.closed).toBe(true);
    // Just below is not below.
    for (let second = 1; second < 600; second++) gate.update(at(second), 0.8);
    expect(gate.closed).toBe(true);
    expect(gate.update(at(600), 0.7)).toBe(true);
    expect(gate.closed).toBe(false);
  });

  test("a dip of some seconds opens nothing", () => {
    const gate = new StressGate(0.9);
    gate.update(NOW, 1);
    expect(gate.update(at(5), 0.1)).toBe(false);
    gate.update(at(8), 1);
    expect(gate.update(at(37), 0.1)).toBe(false);
    expect(gate.update(at(38), 0.1)).toBe(true);
  });

  test("a load that swings around the threshold for an hour moves it once", () => {
    const gate = new StressGate(0.9);
    let moves = 0;
    for (let second = 0; second < 3_600; second += 5)
      if (gate.update(at(second), second % 10 === 0 ? 0.91 : 0.85)) moves++;
    expect(moves).toBe(1);
  });
});

describe("a bridge", () => {
  const settings = { refuseCamerasAt: 0.9, refuseConferencesAt: 1 };

  test("that says its stress only: cameras go first, then conferences, and come back in the other order", () => {
    const admission = new Admission(settings);
    const seen: string[] = [];
    for (const [second, stress] of [
      [0, 0.5],
      [5, 0.95],
      [10, 1.05],
      [60, 0.84],
      [120, 0.5],
    ] as const) {
      admission.update(at(second), stress, undefined);
      seen.push(`${admission.takesCameras(at(second), 1)} ${admission.takesConferences}`);
    }
    expect(seen).toEqual(["true true", "false true", "false false", "false true", "true true"]);
  });

  test("that says its room: what fits comes in, what was let in counts until the bridge has reported", () => {
    const admission = new Admission(settings);
    admission.update(NOW, 0.5, 4);
    expect(admission.takesCameras(NOW, 4)).toBe(true);
    expect(admission.takesCameras(NOW, 5)).toBe(false);
    admission.letIn(NOW, 3);
    expect(admission.takesCameras(at(1), 2)).toBe(false);
    expect(admission.takesCameras(at(1), 1)).toBe(true);
    admission.update(at(9), 0.9, 1);
    expect(admission.takesCameras(at(11), 1)).toBe(false); // the stress says otherwise
    admission.update(at(12), 0.5, 1);
    admission.update(at(45), 0.5, 1);
    expect(admission.takesCameras(at(45), 1)).toBe(true);
    expect(admission.takesCameras(at(45), 2)).toBe(false);
  });

  test("says when new conferences may come again, once", () => {
    const admission = new Admission(settings);
    expect(admission.update(NOW, 1.2, undefined)).toBe(false);
    expect(admission.update(at(40), 0.2, undefined)).toBe(true);
    expect(admission.update(at(45), 0.2, undefined)).toBe(false);
  });
});
