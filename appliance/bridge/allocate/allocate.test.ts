import { describe, expect, test } from "bun:test";
import { allocate, assumedLayers, type Layer, type SourceToAllocate } from "./allocate.ts";
import { DISABLED, initialSettings, largerHeight, updateSettings, type VideoConstraints } from "./constraints.ts";
import { byRecency, effectiveConstraints, prioritize, smallestLastN } from "./prioritize.ts";

const upTo = (maxHeight: number): VideoConstraints => ({ maxHeight, maxFrameRate: -1 });
const NO_LIMIT = Number.POSITIVE_INFINITY;

/** Simulcast 180/360/720 lines with 7.5/15/30 frames: what a camera sends. Bitrates in kbit/s. */
const simulcast = (kbps: readonly number[] = [50, 100, 150, 150, 300, 500, 500, 1000, 1500]): Layer[] =>
  kbps.map((rate, i) => ({
    index: (Math.floor(i / 3) << 6) | (i % 3),
    height: [180, 360, 720][Math.floor(i / 3)] ?? 0,
    frameRate: [7.5, 15, 30][i % 3] ?? 0,
    bitrateBps: rate * 1000,
  }));
const source = (name: string, maxHeight: number, rest: Partial<SourceToAllocate> = {}): SourceToAllocate => ({
  name,
  screenShare: false,
  onStage: false,
  constraints: upTo(maxHeight),
  layers: simulcast(),
  ...rest,
});
const E = (encoding: number, temporal: number): number => (encoding << 6) | temporal;
const targets = (sources: readonly SourceToAllocate[], bandwidthBps: number): number[] =>
  allocate(sources, bandwidthBps).sources.map((each) => each.target);

describe("one camera, bandwidth without end: the constraint decides", () => {
  const table: [number, number][] = [
    [0, -1],
    [90, E(0, 2)],
    [180, E(0, 2)],
    [359, E(0, 2)],
    [360, E(1, 2)],
    [719, E(1, 2)],
    [720, E(2, 2)],
    [2160, E(2, 2)],
    [-1, E(2, 2)],
  ];
  test.each(table)("maxHeight %d → layer %d", (maxHeight, layer) =>
    expect(targets([source("a", maxHeight)], NO_LIMIT)).toEqual([layer]),
  );

  test("a frame rate of 0 switches off, others have no effect", () => {
    expect(targets([source("a", 720, { constraints: { maxHeight: 720, maxFrameRate: 0 } })], NO_LIMIT)).toEqual([-1]);
    expect(targets([source("a", 720, { constraints: { maxHeight: 720, maxFrameRate: 5 } })], NO_LIMIT)).toEqual([
      E(2, 2),
    ]);
  });

  test("layers that are not sent are not chosen, unless none is", () => {
    expect(targets([source("a", 720, { layers: simulcast([50, 100, 150, 0, 0, 0, 0, 0, 0]) })], NO_LIMIT)).toEqual([
      E(0, 2),
    ]);
    expect(targets([source("a", 720, { layers: assumedLayers(3) })], NO_LIMIT)).toEqual([E(2, 2)]);
    expect(targets([source("a", 720, { layers: assumedLayers(1) })], NO_LIMIT)).toEqual([E(0, 2)]);
    expect(targets([source("a", 720, { layers: [] })], NO_LIMIT)).toEqual([-1]);
  });

  test("a camera that only sends more than asked for is still sent", () => {
    const layers: Layer[] = [{ index: 0, height: 1080, frameRate: 30, bitrateBps: 2e6 }];
    expect(targets([source("a", 180, { layers })], NO_LIMIT)).toEqual([0]);
  });
});

describe("one camera at 720, as bandwidth grows", () => {
  const table: [number, number][] = [
    [0, -1],
    [49, -1],
    [50, E(0, 0)],
    [149, E(0, 1)],
    // 360 lines are taken with 30 frames or not at all.
    [150, E(0, 2)],
    [300, E(0, 2)],
    [499, E(0, 2)],
    [500, E(1, 2)],
    [1499, E(1, 2)],
    [1500, E(2, 2)],
  ];
  test.each(table)("%d kbit/s → layer %d", (kbps, layer) =>
    expect(targets([source("a", 720)], kbps * 1000)).toEqual([layer]),
  );
});

test("a better layer that costs no more is jumped to", () => {
  const layers = simulcast([50, 100, 150, 0, 0, 140, 0, 0, 0]);
  expect(targets([source("a", 720, { layers })], 145_000)).toEqual([E(0, 1)]);
  expect(targets([source("a", 720, { layers })], 150_000)).toEqual([E(1, 2)]);
});

test("tiles: everybody is raised step by step, nobody starves for another's quality", () => {
  const tiles = ["a", "b", "c"].map((name) => source(name, 180));
  expect(targets(tiles, 450_000)).toEqual([E(0, 2), E(0, 2), E(0, 2)]);
  expect(targets(tiles, 449_000)).toEqual([E(0, 2), E(0, 2), E(0, 1)]);
  expect(targets(tiles, 100_000)).toEqual([E(0, 0), E(0, 0), -1]);
  expect(allocate(tiles, 100_000).suspended).toEqual(["c"]);
});

test("stage: raised at once to 360; until it has that, nobody else gets anything", () => {
  const stage = source("stage", 720, { onStage: true });
  const thumb = source("thumb", 180);
  expect(targets([stage, thumb], 499_000)).toEqual([E(0, 2), -1]);
  expect(targets([stage, thumb], 650_000)).toEqual([E(1, 2), E(0, 2)]);
  expect(targets([stage, thumb], 1_700_000)).toEqual([E(2, 2), E(0, 2)]);
  expect(targets([stage, thumb], NO_LIMIT)).toEqual([E(2, 2), E(0, 2)]);
});

test("a screen on stage may exceed the bandwidth by half a megabit, nothing else may", () => {
  const layers: Layer[] = [
    { index: 0, height: 1080, frameRate: 5, bitrateBps: 900_000 },
    { index: 1, height: 1080, frameRate: 30, bitrateBps: 2_500_000 },
  ];
  const screen = source("s", 1080, { screenShare: true, onStage: true, layers });
  const result = allocate([screen, source("b", 180)], 500_000);
  expect(result.sources[0]?.target).toBe(0);
  expect(result.oversending).toBe(true);
  expect(targets([screen], 300_000)).toEqual([-1]);
  expect(targets([{ ...screen, onStage: false }], 500_000)).toEqual([-1]);
  expect(targets([source("b", 180), screen], 500_000)).toEqual([E(0, 2), -1]);
});

test("whatever comes: ends, never above the bandwidth without a screen, never a layer that is not offered", () => {
  let state = 7;
  const random = (n: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % n;
  };
  for (let round = 0; round < 500; round++) {
    const sources = Array.from({ length: random(12) }, (_, i) =>
      source(`s${i}`, [0, -1, 90, 180, 360, 720, 2160][random(7)] ?? 0, {
        onStage: random(4) === 0,
        layers: Array.from({ length: random(9) }, (_, j) => ({
          index: ((j / 3) << 6) | (j % 3),
          height: random(4) * 180,
          frameRate: random(60),
          bitrateBps: random(3) === 0 ? 0 : random(3_000_000),
        })),
      }),
    );
    const bandwidth = random(5_000_000);
    const result = allocate(sources, bandwidth);
    expect(result.targetBps).toBeLessThanOrEqual(bandwidth);
    for (const [i, each] of result.sources.entries())
      expect([-1, ...(sources[i]?.layers.map((layer) => layer.index) ?? [])]).toContain(each.target);
  }
});

describe("constraints of bridge.md 2.4", () => {
  test("nothing before the first message; 180 after one that names no default", () => {
    const start = initialSettings(-1);
    expect(start.defaultConstraints).toEqual(DISABLED);
    const first = updateSettings(start, { lastN: -1 });
    expect(first).toMatchObject({ lastN: -1, defaultConstraints: upTo(180), received: true });
    const second = updateSettings(first, { defaultConstraints: upTo(720), selectedSources: ["x"] });
    // Absent members stay, constraints replace the whole map.
    expect(updateSettings(second, { constraints: { a: upTo(360) } })).toMatchObject({
      defaultConstraints: upTo(720),
      selectedSources: ["x"],
      lastN: -1,
    });
    const third = updateSettings(updateSettings(second, { constraints: { a: upTo(360) } }), {
      constraints: { b: upTo(90) },
    });
    expect([...third.constraints.keys()]).toEqual(["b"]);
    expect(updateSettings(start, { defaultConstraints: upTo(0) }).defaultConstraints).toEqual(upTo(0));
  });

  test("the larger of two wishes: −1 wins", () => {
    expect([largerHeight(0, 180), largerHeight(720, 180), largerHeight(-1, 720), largerHeight(0, -1)]).toEqual([
      180, 720, -1, -1,
    ]);
  });

  test("the smaller of several last-N: −1 loses", () => {
    expect([smallestLastN(-1, -1), smallestLastN(-1, 5), smallestLastN(0, 5), smallestLastN()]).toEqual([-1, 5, 0, -1]);
  });
});

describe("order and last-N", () => {
  const sources = ["a", "b", "c", "d"].map((name) => ({ name, owner: name, enabled: name !== "d" }));
  const names = (list: readonly { readonly name: string }[]): string => list.map((each) => each.name).join("");
  const settings = (stage: string[], selected: string[]) => ({
    ...updateSettings(initialSettings(-1), {}),
    onStageSources: stage,
    selectedSources: selected,
  });
  const table: [string[], string[], string[], string][] = [
    [[], [], [], "abcd"],
    [[], [], ["c", "b"], "cbad"],
    [[], ["b"], ["c"], "bcad"],
    [["c"], ["b"], ["a"], "cbad"],
    [["d"], [], [], "abcd"],
    [["c", "c"], ["c", "a"], [], "cabd"],
  ];
  test.each(table)("on stage %p, selected %p, speakers %p → %s", (stage, selected, speakers, order) =>
    expect(names(prioritize(byRecency(sources, speakers), settings(stage, selected)))).toBe(order),
  );

  test("last-N counts enabled sources only", () => {
    const given = effectiveConstraints(prioritize(byRecency(sources, []), settings([], [])), settings([], []), 2);
    expect([...given]).toEqual([
      ["a", upTo(180)],
      ["b", upTo(180)],
    ]);
    const none = effectiveConstraints(sources, settings([], []), 0);
    expect(none.size).toBe(0);
    const all = effectiveConstraints(sources, settings([], []), -1);
    expect([...all.keys()]).toEqual(["a", "b", "c"]);
  });
});
