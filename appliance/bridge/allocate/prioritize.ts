/**
 * Which source comes first when not all can be sent (bridge.md 5.4, steps 1 and 2): on stage, selected, then by how recently the owner spoke;
 * and what each source may have at most, with last-N applied.
 */
import { type AllocationSettings, constraintsOf, DISABLED, type VideoConstraints } from "./constraints.ts";

export interface PrioritizedSource {
  readonly name: string;
  /** Endpoint that sends it. */
  readonly owner: string;
  /** False: muted (videoType none); such a source is not allocated and does not count for last-N. */
  readonly enabled: boolean;
}

/**
 * Sources in order of importance. `speakers` lists endpoint ids, the latest speaker first; owners that are not listed come last, in the order given.
 */
export function prioritize<S extends PrioritizedSource>(
  sources: readonly S[],
  settings: AllocationSettings,
  speakers: readonly string[],
): S[] {
  const rank = new Map<string, number>();
  for (const name of [...settings.onStageSources, ...settings.selectedSources])
    if (!rank.has(name)) rank.set(name, rank.size);
  const recency = new Map(speakers.map((id, index) => [id, index]));
  const listed = rank.size;
  const place = (source: S): number => rank.get(source.name) ?? listed + (recency.get(source.owner) ?? speakers.length);
  return [...sources].sort((a, b) => Number(b.enabled) - Number(a.enabled) || place(a) - place(b));
}

/** Never negative: −1 means no limit and loses against any other. */
export const smallestLastN = (...values: readonly number[]): number => {
  const limits = values.filter((value) => value >= 0);
  return limits.length === 0 ? -1 : Math.min(...limits);
};

/** Walks the prioritized sources: the first N enabled ones keep what the receiver asked for, the others get nothing. */
export function effectiveConstraints(
  prioritized: readonly PrioritizedSource[],
  settings: AllocationSettings,
  lastN: number,
): Map<string, VideoConstraints> {
  const effective = new Map<string, VideoConstraints>();
  let left = lastN < 0 ? Number.POSITIVE_INFINITY : lastN;
  for (const source of prioritized) {
    const granted = source.enabled && left > 0;
    if (granted) left--;
    effective.set(source.name, granted ? constraintsOf(settings, source.name) : DISABLED);
  }
  return effective;
}
