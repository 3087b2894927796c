/**
 * Values counted by size, as the original's `/debug/stats` shows them (bridge.md 1.13): average, extremes, buckets, and the bounds that 99 % and 99.9 % stay below.
 */

export interface BucketsJson {
  readonly [name: string]: number | Readonly<Record<string, number>>;
}

/** Values that there must be before a bound is told. */
const ENOUGH_FOR_P99 = 100;
const ENOUGH_FOR_P999 = 1_000;
const UNKNOWN = -1;

export class Buckets {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #total = 0;
  #count = 0;
  #highest = 0;
  #lowest = Number.POSITIVE_INFINITY;

  /** `bounds`: lower ends, from 0 on, ascending. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  get count(): number {
    return this.#count;
  }

  get average(): number {
    return this.#count === 0 ? 0 : this.#total / this.#count;
  }

  /** `value` ≥ 0. */
  add(value: number): void {
    const above = this.#bounds.findIndex((bound) => value < bound);
    const bucket = above < 0 ? this.#bounds.length - 1 : above - 1;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total += value;
    this.#count++;
    this.#highest = Math.max(this.#highest, value);
    this.#lowest = Math.min(this.#lowest, value);
  }

  /** `unit` is put behind names: `_delay_ms` behind those of the extremes, `_ms` behind those of the buckets. */
  toJson(extremes = "", unit = ""): BucketsJson {
    const buckets = this.#bounds.map((bound, index) => {
      const next = this.#bounds[index + 1];
      return [`${bound}_to_${next ?? "max"}${unit}`, this.#counts[index] ?? 0] as const;
    });
    return {
      [`average${extremes}`]: this.average,
      [`max${extremes}`]: this.#highest,
      [`min${extremes}`]: this.#count === 0 ? 0 : this.#lowest,
      total_value: this.#total,
      total_count: this.#count,
      discarded: 0,
      buckets: {
        ...Object.fromEntries(buckets),
        p99_upper_bound: this.#bound(0.99, ENOUGH_FOR_P99),
        p999_upper_bound: this.#bound(0.999, ENOUGH_FOR_P999),
      },
    };
  }

  #bound(fraction: number, enough: number): number {
    if (this.#count < enough) return UNKNOWN;
    let sum = 0;
    for (const [index, count] of this.#counts.entries()) {
      sum += count;
      if (sum > fraction * this.#count) return this.#bounds[index + 1] ?? UNKNOWN;
    }
    return UNKNOWN;
  }
}
