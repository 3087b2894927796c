/**
 * Shell: CPU per forwarded packet of the media loop beside the floor (floor.c), delay, stalls and memory, under the loads of bridge/participants.ts over loopback.
 * Subject and generator run on a core each, where the machine has two. Rounds take turns; what is compared is compared at equal load.
 */
import type { Pair, Round } from "./bridge/pair.ts";
import { type Load, packetsOutPerSecond, withSpeakers } from "./bridge/participants.ts";
import { floorPair, loopPair } from "./bridge/subjects.ts";
import { buildFloor, FLOOR_LIBCRYPTO, FLOOR_NEEDS, FLOOR_PLAIN, FLOOR_SEGMENTING } from "./floor-program.ts";
import { noiseMark, worst } from "./noise.ts";
import { type BenchOptions, loadName } from "./options.ts";
import type { BenchContext, Headline, Section } from "./section.ts";
import { median, medianBy, showSpread, spread } from "./statistics.ts";

/** Share of packets that may go missing. */
export const MOST_LOST = 0.01;
/** A compiler needs some hundred thousand packets, and what only real traffic calls half a minute of it: what is measured is a meeting that goes on. */
const WARM_UP_PACKETS = 400_000;
const WARM_UP_SECONDS = { least: 8, most: 25 } as const;
const SUBJECTS = 4;

export const warmUpSeconds = (load: Load): number =>
  Math.max(WARM_UP_SECONDS.least, Math.min(WARM_UP_SECONDS.most, WARM_UP_PACKETS / packetsOutPerSecond(load)));

export const loadsOf = (options: BenchOptions): Load[] =>
  options.loads.map((shape) => withSpeakers({ ...shape, profile: options.profile }));

/** Rounds in turn: every subject once, then every subject again. */
export async function inTurn(
  pairs: readonly Pair[],
  load: Load,
  { runs, seconds }: Pick<BenchOptions, "runs" | "seconds">,
  progress: (text: string) => void,
): Promise<void> {
  for (const pair of pairs) {
    progress(`${loadName(load)} ${pair.name}: warming up`);
    await pair.warmUp(warmUpSeconds(load));
  }
  for (let run = 1; run <= runs; run++)
    for (const pair of pairs) {
      progress(`${loadName(load)} ${pair.name}: round ${run} of ${runs}`);
      await pair.measure(seconds);
    }
}

const cost = (round: Round): number => round.cpuMicrosPerPacket;

/** One line for people. */
export function pairLine(pair: Pair): string {
  const middle = medianBy(pair.rounds, cost);
  if (middle === undefined) return `  ${pair.name}: nothing measured`;
  const { delayMs, own, pssMb, rssMb, lost, bad } = middle;
  return [
    `  ${pair.name.padEnd(19)}${showSpread(pair.spreadOf(cost)).padStart(19)} µs/packet`,
    `delay p50 ${delayMs.p50.toFixed(2)} p99 ${delayMs.p99.toFixed(2)} p99.9 ${delayMs.p999.toFixed(2)} ms`,
    `lost ${(lost * 100).toFixed(2)} %`,
    `PSS ${pssMb.toFixed(0)} RSS ${rssMb.toFixed(0)} MB`,
    ...(own.longestTurnMs === undefined
      ? []
      : [
          `turns ${own.turnP999Ms === undefined ? "" : `p99.9 ${own.turnP999Ms.toFixed(1)}, `}longest ${own.longestTurnMs.toFixed(1)} ms`,
        ]),
    ...(own.runLength === undefined ? [] : [`runs of ${own.runLength.toFixed(1)}`]),
    ...(own.heldShare === undefined ? [] : [`held ${(own.heldShare * 100).toFixed(0)} %`]),
    ...(bad > 0 ? [`BAD ${bad}`] : []),
  ]
    .join("   ")
    .concat(noiseMark(worst(pair.rounds.map(({ noise }) => noise))));
}

/** Puts a pair that has started among those that are to be stopped, whatever comes after. */
export const into =
  (pairs: Pair[]) =>
  async (starting: Promise<Pair>): Promise<Pair> => {
    const pair = await starting;
    pairs.push(pair);
    return pair;
  };

/** The floor in its two ways, and by libcrypto. */
export const startFloors = async (program: string, load: Load, add: ReturnType<typeof into>) => ({
  floors: [
    await add(floorPair(program, load, FLOOR_SEGMENTING)),
    await add(floorPair(program, load, FLOOR_PLAIN)),
  ] as const,
  byLibcrypto: await add(floorPair(program, load, FLOOR_LIBCRYPTO)),
});

/** The lower of the floor's two ways; design.md 4. */
export const floorOf = (pairs: readonly Pair[]): Pair | undefined =>
  pairs.toSorted((a, b) => a.spreadOf(cost).median - b.spreadOf(cost).median)[0];

/** Ratio of the medians, and of the rounds that stood beside each other. */
export function ratio(
  subject: Pair,
  beside: Pair,
): { readonly value: number; readonly rounds: ReturnType<typeof spread> } {
  return {
    value: subject.spreadOf(cost).median / beside.spreadOf(cost).median,
    rounds: spread(
      subject.rounds.map((round, index) => cost(round) / (beside.rounds[index]?.cpuMicrosPerPacket ?? Number.NaN)),
    ),
  };
}

/** The second figure of a line: beside the floor whose library is libcrypto, which is what the figures of others were compared with. */
export const besideLibcrypto = (subject: Pair, floor: Pair): string =>
  `   beside the floor by libcrypto ${ratio(subject, floor).value.toFixed(2)}`;

export const gotThrough = (pairs: readonly Pair[]): boolean =>
  pairs.every((pair) => median(pair.rounds.map(({ lost }) => lost)) < MOST_LOST);

async function measureLoad({ options, say, progress }: BenchContext, program: string, load: Load) {
  const pairs: Pair[] = [];
  try {
    progress(`${loadName(load)}: starting`);
    const add = into(pairs);
    const { floors, byLibcrypto } = await startFloors(program, load, add);
    const bridge = await add(loopPair(load, { provider: options.provider }));
    await inTurn(pairs, load, options, progress);
    say(`${loadName(load)}: ${packetsOutPerSecond(load)} packets/s out, ${load.profile}`);
    for (const pair of pairs) say(pairLine(pair));
    const floor = floorOf(floors) ?? bridge;
    const toFloor = ratio(bridge, floor);
    // CPU per packet means the same only at the same load: where packets were lost on the way, the machine was too busy with other things.
    const comparable = gotThrough(pairs);
    say(
      `  ratio to the floor ${toFloor.value.toFixed(2)}   round by round ${showSpread(toFloor.rounds)}${besideLibcrypto(bridge, byLibcrypto)}${comparable ? "" : "   NOT COMPARABLE: the load did not get through"}`,
    );
    const middle = medianBy(bridge.rounds, cost);
    return {
      load: loadName(load),
      profile: load.profile,
      packetsOutPerSecond: packetsOutPerSecond(load),
      cpuMicrosPerPacket: bridge.spreadOf(cost).median,
      floorMicrosPerPacket: floor.spreadOf(cost).median,
      ratioToFloor: toFloor.value,
      ratioByRound: toFloor.rounds,
      ratioToLibcryptoFloor: ratio(bridge, byLibcrypto).value,
      comparable,
      delayMs: middle?.delayMs,
      lost: middle?.lost,
      memoryMb: middle?.pssMb,
      threads: middle?.threads,
      worstNoise: worst(pairs.flatMap(({ rounds }) => rounds.map(({ noise }) => noise))),
      runs: Object.fromEntries(pairs.map(({ name, rounds }) => [name, rounds])),
    };
  } finally {
    await Promise.all(pairs.map((pair) => pair.stop()));
  }
}

const DEFAULT_LOAD = "1x10";

export const bridgeSection: Section = {
  name: "bridge",
  title: "Bridge: CPU per forwarded packet, delay and memory, beside the floor in C",
  needs: FLOOR_NEEDS,
  seconds: (options) =>
    loadsOf(options).reduce(
      (sum, load) => sum + SUBJECTS * (warmUpSeconds(load) + options.runs * (options.seconds + 0.3)) + 3,
      3,
    ),
  async measure(context) {
    const floor = buildFloor();
    try {
      const results = [];
      for (const load of loadsOf(context.options)) results.push(await measureLoad(context, floor.program, load));
      const main = results.find(({ load }) => load === DEFAULT_LOAD) ?? results[0];
      const headlines: Record<string, Headline> = {};
      for (const each of results) {
        if (!each.comparable) continue;
        headlines[`cpu.${each.load}`] = { value: each.cpuMicrosPerPacket, unit: "µs/packet", better: "lower" };
        headlines[`ratioToFloor.${each.load}`] = { value: each.ratioToFloor, unit: "x", better: "lower" };
        if (each.load !== DEFAULT_LOAD) continue;
        if (each.delayMs !== undefined)
          headlines["delayP99"] = { value: each.delayMs.p99, unit: "ms", better: "lower" };
        if (each.memoryMb !== undefined) headlines["memory"] = { value: each.memoryMb, unit: "MB", better: "lower" };
      }
      return {
        cpuMicrosPerPacket: main?.cpuMicrosPerPacket,
        floorMicrosPerPacket: main?.floorMicrosPerPacket,
        ratioToFloor: main?.ratioToFloor,
        comparable: main?.comparable,
        loads: results,
        headlines,
      };
    } finally {
      floor.remove();
    }
  },
};
