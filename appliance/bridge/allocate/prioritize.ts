/**
 * Which source comes first when not all can be sent (bridge.md 5.4, steps 1 and 2): on stage, selected, then by how recently the owner spoke;
 * and what each source may have at most, with last-N applied.
 */
import { type AllocationSettings, constraintsOf, isDisabled, type VideoConstraints } from "./constraints.ts";

export interface PrioritizedSource {
  readonly name: string;
  /** Endpoint that sends it. */
  readonly owner: string;
  /** False: muted (videoType none); such a source is not allocated and does not count for last-N. */
  readonly enabled: boolean;
}

/**
 * What is the same for all receivers: enabled sources first, then by how recently the owner spoke. `speakers` lists endpoint ids, the latest speaker
 * first; owners that are not listed come last, in the order given.
 */
export function byRecency<S extends PrioritizedSource>(sources: readonly S[], speakers: readonly string[]): S[] {
  const recency = new Map(speakers.map((id, index) => [id, index]));
  return sources
    .map((source) => ({
      source,
      place: (source.enabled ? 0 : speakers.length + 1) + (recency.get(source.owner) ?? speakers.length),
    }))
    .sort((a, b) => a.place - b.place)
    .map(({ source }) => source);
}

/** One receiver's order: what it put on stage, what it selected, then the rest as `byRecency` has it; disabled ones last. */
export function prioritize<S extends PrioritizedSource>(
  ordered: readonly S[],
  settings: AllocationSettings,
): readonly S[] {
  const { onStageSources, selectedSources } = settings;
  if (onStageSources.length === 0 && selectedSources.length === 0) return ordered;
  const byName = new Map(ordered.map((source) => [source.name, source]));
  const first = new Set<S>();
  for (const names of [onStageSources, selectedSources])
    for (const name of names) {
      const source = byName.get(name);
      if (source?.enabled === true) first.add(source);
    }
  return [...first, ...ordered.filter((source) => !first.has(source))];
}

/** Never negative: −1 means no limit and loses against any other. */
export const smallestLastN = (...values: readonly number[]): number => {
  const limits = values.filter((value) => value >= 0);
  return limits.length === 0 ? -1 : Math.min(...limits);
};

/**
 * Walks the prioritized sources: the first N enabled ones may have what the receiver asked for. The answer names those that get something; all others
 * get nothing.
 */
export function effectiveConstraints(
  prioritized: readonly PrioritizedSource[],
  settings: AllocationSettings,
  lastN: number,
): Map<string, VideoConstraints> {
  const effective = new Map<string, VideoConstraints>();
  let left = lastN < 0 ? Number.POSITIVE_INFINITY : lastN;
  for (const source of prioritized) {
    if (left <= 0) break;
    if (!source.enabled) continue;
    left--;
    const constraints = constraintsOf(settings, source.name);
    if (!isDisabled(constraints)) effective.set(source.name, constraints);
  }
  return effective;
}
