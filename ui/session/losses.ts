/**
 * Loss per person between two looks at the counters, told only when it lasts: one bad look is no bad connection. A core.
 */
import { linkQuality } from "./quality.ts";

interface Counted {
  readonly received: number;
  readonly lost: number;
}

/** Looks in a row that must agree before the bars change. */
const STEADY = 2;
/** Fewer packets than this between two looks say nothing. */
const LEAST_PACKETS = 20;

export class Losses {
  readonly #before = new Map<number, Counted>();
  /** Packets since the last look, by owner. */
  #now = new Map<string, { received: number; lost: number; fraction: number }>();
  readonly #bad = new Map<string, { readonly quality: "medium" | "poor"; readonly times: number }>();

  /** Running totals of one SSRC. */
  count(owner: string, ssrc: number, received: number, lost: number): void {
    const before = this.#before.get(ssrc) ?? { received, lost };
    this.#before.set(ssrc, { received, lost });
    const entry = this.#entry(owner);
    entry.received += Math.max(0, received - before.received);
    entry.lost += Math.max(0, lost - before.lost);
  }

  /** A loss that the other side measured, 0 … 1; the worst of several counts. */
  fraction(owner: string, fraction: number): void {
    const entry = this.#entry(owner);
    entry.fraction = Math.max(entry.fraction, fraction);
  }

  /** Ends a look: who has a connection that is not good. */
  links(): ReadonlyMap<string, "medium" | "poor"> {
    for (const [owner, { received, lost, fraction }] of this.#now) {
      const total = received + lost;
      const counted = total < LEAST_PACKETS ? 0 : lost / total;
      const quality = linkQuality(Math.max(counted, fraction), undefined);
      const bad = this.#bad.get(owner);
      if (quality === "good") this.#bad.delete(owner);
      else this.#bad.set(owner, { quality, times: bad?.quality === quality ? bad.times + 1 : 1 });
    }
    for (const owner of this.#bad.keys()) if (!this.#now.has(owner)) this.#bad.delete(owner);
    this.#now = new Map();
    return new Map(
      [...this.#bad].flatMap(([owner, { quality, times }]) => (times >= STEADY ? [[owner, quality] as const] : [])),
    );
  }

  clear(): void {
    this.#before.clear();
    this.#now.clear();
    this.#bad.clear();
  }

  #entry(owner: string): { received: number; lost: number; fraction: number } {
    const entry = this.#now.get(owner) ?? { received: 0, lost: 0, fraction: 0 };
    this.#now.set(owner, entry);
    return entry;
  }
}
