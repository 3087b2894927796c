/**
 * Shell: how many packets a second one core sends without loss: rooms of five, more of them until packets go missing or are late. Found by doubling and halving;
 * floor and bridge alike, the bridge with nothing held back and as it comes, holding video under load. A generator that is busy itself ends the search: then the figure is a
 * lower bound, and says so.
 */
import type { Pair, Round } from "./bridge/pair.ts";
import { packetsOutPerSecond, withSpeakers } from "./bridge/participants.ts";
import { CHECK_ONE_OF, floorPair, loopPair } from "./bridge/subjects.ts";
import { buildFloor, FLOOR_NEEDS, FLOOR_PLAIN, FLOOR_SEGMENTING } from "./floor-program.ts";
import { RULE } from "./holding.ts";
import { noiseMark, worst } from "./noise.ts";
import type { BenchOptions } from "./options.ts";
import type { BenchContext, Headline, Section } from "./section.ts";
import { largestThatPasses } from "./statistics.ts";

const PEOPLE = 5;
const MOST_ROOMS = 100;
const FIRST_ROOMS = 24;
const STEP_ROOMS = 2;
/** What counts as without loss. */
const MOST_LOST = 0.001;
/** Overload shows as delay long before loss. */
const MOST_P99_MS = 20;
const GENERATOR_FULL = 0.97;
/** Others on the machine only make it worse: a load that got through once, gets through. */
const TRIES = 2;
const WARM_UP_SECONDS = 6;

export const getsThrough = ({ lost, delayMs }: Pick<Round, "lost" | "delayMs">): boolean =>
  lost <= MOST_LOST && delayMs.p99 <= MOST_P99_MS;

interface Found {
  readonly name: string;
  readonly packetsPerSecond: number;
  readonly rooms: number;
  /** The generator had no time left where the search ended. */
  readonly limitedByGenerator: boolean;
  readonly round: Round | undefined;
}

async function search(pair: Pair, options: BenchOptions, { say, progress }: BenchContext): Promise<Found> {
  const perRoom = packetsOutPerSecond(withSpeakers({ rooms: 1, people: PEOPLE, profile: options.profile }));
  let best: Round | undefined;
  let limitedByGenerator = false;
  progress(`${pair.name}: warming up`);
  await pair.warmUp(WARM_UP_SECONDS, FIRST_ROOMS * PEOPLE);
  const rooms = await largestThatPasses(FIRST_ROOMS, MOST_ROOMS, STEP_ROOMS, async (count) => {
    const tried: Round[] = [];
    for (let attempt = 1; attempt <= TRIES; attempt++) {
      progress(`${pair.name}: ${count * perRoom} packets/s`);
      const round = await pair.measure(options.seconds, count * PEOPLE);
      tried.push(round);
      if (!getsThrough(round)) continue;
      best = round;
      limitedByGenerator = false;
      return true;
    }
    limitedByGenerator = tried.every(({ generatorCores }) => generatorCores > GENERATOR_FULL);
    return false;
  });
  const found = best as Round | undefined;
  say(
    `  ${pair.name.padEnd(23)} ${(rooms * perRoom).toString().padStart(7)} packets/s out (${rooms} rooms)${
      found === undefined
        ? ""
        : `   ${found.cpuMicrosPerPacket.toFixed(2)} µs/packet, ${(found.cores * 100).toFixed(0)} % of the core, generator ${(found.generatorCores * 100).toFixed(0)} %   delay p50 ${found.delayMs.p50.toFixed(2)} p99 ${found.delayMs.p99.toFixed(2)} ms`
    }${found?.own.runLength === undefined ? "" : `   runs of ${found.own.runLength.toFixed(1)}`}${limitedByGenerator ? "   AT LEAST: the generator's core was full" : ""}${noiseMark(worst(pair.rounds.map(({ noise }) => noise)))}`,
  );
  return { name: pair.name, packetsPerSecond: rooms * perRoom, rooms, limitedByGenerator, round: found };
}

export const capacitySection: Section = {
  name: "capacity",
  title: `Packets a second of one core, rooms of ${PEOPLE}, loss at most ${MOST_LOST * 100} %, p99 of the delay at most ${MOST_P99_MS} ms`,
  needs: FLOOR_NEEDS,
  seconds: ({ seconds }) => 4 * (WARM_UP_SECONDS + 8 * (seconds + 0.3)) + 6,
  async measure(context) {
    const { options } = context;
    const load = withSpeakers({ rooms: MOST_ROOMS, people: PEOPLE, profile: options.profile });
    const floor = buildFloor();
    const found: Found[] = [];
    try {
      const starts = [
        () => floorPair(floor.program, load, FLOOR_SEGMENTING, CHECK_ONE_OF),
        () => floorPair(floor.program, load, FLOOR_PLAIN, CHECK_ONE_OF),
        () => loopPair(load, { provider: options.provider, check: CHECK_ONE_OF, name: "bridge, nothing held" }),
        () => loopPair(load, { provider: options.provider, check: CHECK_ONE_OF, start: { holding: RULE } }),
      ];
      for (const start of starts) {
        const pair = await start();
        try {
          found.push(await search(pair, options, context));
        } finally {
          await pair.stop();
        }
      }
    } finally {
      floor.remove();
    }
    const [withSegments, without, nothingHeld, bridge] = found.map(({ packetsPerSecond }) => packetsPerSecond);
    const headlines: Record<string, Headline> = {};
    for (const [name, value = 0] of [
      ["packetsPerSecond", bridge],
      ["packetsPerSecondNothingHeld", nothingHeld],
    ] as const)
      if (value > 0) headlines[name] = { value, unit: "packets/s", better: "higher" };
    return {
      packetsPerSecond: bridge,
      packetsPerSecondNothingHeld: nothingHeld,
      floorPacketsPerSecond: Math.max(withSegments ?? 0, without ?? 0),
      found,
      headlines,
    };
  },
};
