/**
 * Figures of several rounds: the middle one, and how far they lie apart. Pure.
 */

/** The middle one; of an even count the lower of the two in the middle. NaN of none. */
export const median = (values: readonly number[]): number =>
  values.toSorted((one, other) => one - other)[Math.floor((values.length - 1) / 2)] ?? Number.NaN;

export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
  readonly rounds: number;
}

export const spread = (values: readonly number[]): Spread => ({
  median: median(values),
  low: values.length === 0 ? Number.NaN : Math.min(...values),
  high: values.length === 0 ? Number.NaN : Math.max(...values),
  rounds: values.length,
});

/** The round whose figure is the median; undefined of none. */
export const medianBy = <Round>(rounds: readonly Round[], figure: (round: Round) => number): Round | undefined =>
  rounds.toSorted((one, other) => figure(one) - figure(other))[Math.floor((rounds.length - 1) / 2)];

/** `1.23 (1.20–1.31)`. */
export const showSpread = ({ median: middle, low, high, rounds }: Spread, digits = 2): string =>
  rounds < 2 ? middle.toFixed(digits) : `${middle.toFixed(digits)} (${low.toFixed(digits)}–${high.toFixed(digits)})`;

/**
 * The largest load in [1, most] that `passes`, by doubling and then halving the gap; every answer is asked for once. 0: not even one. `passes` is taken to
 * be monotonic: what lies above a failure is not tried.
 */
export async function largestThatPasses(
  first: number,
  most: number,
  step: number,
  passes: (load: number) => Promise<boolean>,
): Promise<number> {
  let good = 0;
  let bad = most + 1;
  let next = Math.max(1, Math.min(first, most));
  while (bad - good > step && next > good && next < bad) {
    if (await passes(next)) good = next;
    else bad = next;
    next = bad > most ? Math.min(most, good * 2) : Math.floor((good + bad) / 2);
  }
  return good;
}

/** Value at or below which `share` of all lie, in cells of a histogram whose last cell holds all that is larger. */
export function percentileCell(histogram: ArrayLike<number>, share: number): number {
  let total = 0;
  for (let cell = 0; cell < histogram.length; cell++) total += histogram[cell] ?? 0;
  let sum = 0;
  for (let cell = 0; cell < histogram.length; cell++) {
    sum += histogram[cell] ?? 0;
    if (sum > 0 && sum >= total * share) return cell;
  }
  return 0;
}
