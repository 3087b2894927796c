/**
 * Budgets by key: so much at once, so much over time (token buckets), for at most 10,000 keys; the least recently used are forgotten first, which only
 * ever forgives.
 */
import type { Millis } from "../../time.ts";
import type { StanzaError } from "../../wire/stanza.ts";

export interface Rate {
  readonly burst: number;
  readonly perSecond: number;
}

/** The answer to who asks beyond his budget. */
export const TOO_FAST: StanzaError = { condition: "policy-violation", type: "wait", text: "Too fast" };

const MAX_KEYS = 10_000;

interface Level {
  readonly level: number;
  readonly at: Millis;
}

export class Budgets {
  readonly #levels = new Map<string, Level>();

  constructor(private readonly rate: Rate) {}

  /** Takes one; 0, or the milliseconds until there is one again where the budget is spent. */
  take(key: string, now: Millis): number {
    const { burst, perSecond } = this.rate;
    const known = this.#levels.get(key);
    const level = known === undefined ? burst : Math.min(burst, known.level + ((now - known.at) / 1_000) * perSecond);
    const waitMs = level >= 1 ? 0 : ((1 - level) / perSecond) * 1_000;
    this.#levels.delete(key); // the least recently used come first
    this.#levels.set(key, { level: waitMs === 0 ? level - 1 : level, at: now });
    if (this.#levels.size > MAX_KEYS) {
      const oldest = this.#levels.keys().next().value;
      if (oldest !== undefined) this.#levels.delete(oldest);
    }
    return waitMs;
  }
}
