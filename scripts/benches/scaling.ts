/**
 * Shell: what a packet costs when two bridges are at work, beside one: whether cores share something that they fight for. Wall-clock throughput cannot be shown
 * beside a load generator on two cores; processor time can, while both are half idle.
 */
import { availableParallelism } from "node:os";
import { packetsOutPerSecond, withSpeakers } from "./bridge/participants.ts";
import { loopPair } from "./bridge/subjects.ts";
import { warmUpSeconds } from "./bridge.ts";
import { noiseMark, worst } from "./noise.ts";
import { loadName } from "./options.ts";
import type { Section } from "./section.ts";
import { median, showSpread, spread } from "./statistics.ts";

const SHAPE = { rooms: 1, people: 10 } as const;

export const scalingSection: Section = {
  name: "scaling",
  title: "Two bridges at work beside one",
  needs: { taskset: "util-linux" },
  seconds: ({ runs, seconds }) => 16 + runs * 2 * (seconds + 0.3),
  async measure({ options, say, progress }) {
    const load = withSpeakers({ ...SHAPE, profile: options.profile });
    const pairs = [
      await loopPair(load, { provider: options.provider, name: "one bridge", core: 0 }),
      await loopPair(load, {
        provider: options.provider,
        name: "another",
        core: Math.min(1, availableParallelism() - 1),
      }),
    ];
    try {
      const [first, second] = pairs;
      if (first === undefined || second === undefined) throw new Error("no bridges");
      const alone: number[] = [];
      const together: number[] = [];
      progress("warming up");
      for (const pair of pairs) await pair.warmUp(warmUpSeconds(load));
      for (let run = 1; run <= options.runs; run++) {
        progress(`round ${run} of ${options.runs}`);
        // Each on its core, its generator on the other: alone first, then both at once.
        alone.push((await first.measure(options.seconds)).cpuMicrosPerPacket);
        const both = await Promise.all(pairs.map((pair) => pair.measure(options.seconds)));
        together.push(median(both.map(({ cpuMicrosPerPacket }) => cpuMicrosPerPacket)));
      }
      const noise = worst(first.rounds.filter((_, index) => index % 2 === 0).map((round) => round.noise));
      const ratio = median(together) / median(alone);
      say(`  ${loadName(load)} each, ${packetsOutPerSecond(load)} packets/s out`);
      say(`  one at work   ${showSpread(spread(alone))} µs/packet${noiseMark(noise)}`);
      say(`  two at work   ${showSpread(spread(together))} µs/packet   ${ratio.toFixed(2)} x`);
      return {
        aloneMicrosPerPacket: spread(alone),
        togetherMicrosPerPacket: spread(together),
        ratio,
        headlines: { ratio: { value: ratio, unit: "x", better: "lower" } },
      };
    } finally {
      await Promise.all(pairs.map((pair) => pair.stop()));
    }
  },
};
