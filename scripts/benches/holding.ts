/**
 * Shell: what holding video under load gives and costs (media-loop/holding.ts): the media loop without it, with the rule as it comes, and with the rule made to hold
 * whatever the load: in rooms of ten, in one where each receives much, and in many small ones.
 */

import type { Pair } from "./bridge/pair.ts";
import { packetsOutPerSecond, withSpeakers } from "./bridge/participants.ts";
import { CHECK_ONE_OF, loopPair } from "./bridge/subjects.ts";
import { inTurn, into, pairLine, ratio } from "./bridge.ts";
import { loadName } from "./options.ts";
import type { Headline, Section } from "./section.ts";

const SHAPES = [
  { rooms: 3, people: 10, busy: false },
  { rooms: 1, people: 23, busy: true },
  { rooms: 36, people: 5, busy: true },
] as const;
/** The defaults of `bridge.hold_max_ms` and `bridge.hold_from_percent`. */
export const RULE = { maxMs: 2, fromLoad: 0.6 } as const;
const ALWAYS = { maxMs: 2, fromLoad: -1, leastPackets: 0 } as const;

export const holdingSection: Section = {
  name: "holding",
  title: "Holding video under load: what it gives and what it costs",
  needs: {},
  seconds: ({ runs, seconds }) => SHAPES.length * (3 * (4 + runs * (seconds + 0.3)) + 4),
  async measure({ options, say, progress }) {
    const results = [];
    const headlines: Record<string, Headline> = {};
    for (const { busy, ...shape } of SHAPES) {
      const load = withSpeakers({ ...shape, profile: options.profile });
      const pairs: Pair[] = [];
      const add = (name: string, holding: typeof RULE | typeof ALWAYS | undefined): Promise<Pair> => {
        const start = holding === undefined ? {} : { holding };
        const check = busy ? CHECK_ONE_OF : 1;
        return into(pairs)(loopPair(load, { provider: options.provider, name, check, start }));
      };
      try {
        const never = await add("never", undefined);
        const rule = await add("by the rule", RULE);
        const always = await add("whatever the load", ALWAYS);
        await inTurn(pairs, load, options, progress);
        say(`${loadName(load)}: ${packetsOutPerSecond(load)} packets/s out`);
        for (const pair of pairs) say(pairLine(pair));
        const [byRule, byForce] = [ratio(rule, never).value, ratio(always, never).value];
        say(`  beside never: by the rule ${byRule.toFixed(2)}, whatever the load ${byForce.toFixed(2)}`);
        if (busy) headlines[`ruleToNever.${loadName(load)}`] = { value: byRule, unit: "x", better: "lower" };
        results.push({
          load: loadName(load),
          ruleToNever: byRule,
          alwaysToNever: byForce,
          runs: Object.fromEntries(pairs.map(({ name, rounds }) => [name, rounds])),
        });
      } finally {
        await Promise.all(pairs.map((pair) => pair.stop()));
      }
    }
    return { loads: results, headlines };
  },
};
