/**
 * Who spoke how long (product.md W56): what the server counted before we came (signaling.md 6.6), and what we hear ourselves since. Pure.
 */
import type { EpochMillis } from "../session/time.ts";

export interface Spoken {
  readonly name: string;
  /** Up to `since` of whoever speaks now. */
  readonly ms: number;
}

export interface Speech {
  /** By endpoint id. Those who left stay: their time was spent all the same. */
  readonly spoken: ReadonlyMap<string, Spoken>;
  /** Endpoint id of whoever speaks now. */
  readonly speaker: string | undefined;
  readonly since: EpochMillis | undefined;
}

export const NO_SPEECH: Speech = { spoken: new Map(), speaker: undefined, since: undefined };

/** As many as are remembered; the ones who spoke least give way. */
const LIMIT = 500;

const running = (speech: Speech, now: EpochMillis): number =>
  speech.since === undefined ? 0 : Math.max(0, now - speech.since);

/** Somebody else speaks from now on; undefined: nobody. `name` may be empty: it is taken when it is known. */
export function speaks(speech: Speech, endpoint: string | undefined, name: string, now: EpochMillis): Speech {
  const spoken = new Map(speech.spoken);
  if (speech.speaker !== undefined) {
    const before = spoken.get(speech.speaker);
    spoken.set(speech.speaker, { name: before?.name ?? "", ms: (before?.ms ?? 0) + running(speech, now) });
  }
  if (endpoint !== undefined) {
    const before = spoken.get(endpoint);
    spoken.set(endpoint, { name: name || (before?.name ?? ""), ms: before?.ms ?? 0 });
  }
  return { spoken: bounded(spoken), speaker: endpoint, since: endpoint === undefined ? undefined : now };
}

/** What the server counted before we came: it has the last word on those whom it knows to have spoken longer. */
export function counted(speech: Speech, told: ReadonlyMap<string, Spoken>): Speech {
  const spoken = new Map(speech.spoken);
  for (const [endpoint, { name, ms }] of told) {
    const own = spoken.get(endpoint);
    spoken.set(endpoint, { name: own?.name || name, ms: Math.max(own?.ms ?? 0, ms) });
  }
  return { ...speech, spoken: bounded(spoken) };
}

function bounded(spoken: ReadonlyMap<string, Spoken>): ReadonlyMap<string, Spoken> {
  if (spoken.size <= LIMIT) return spoken;
  return new Map([...spoken].toSorted((a, b) => b[1].ms - a[1].ms).slice(0, LIMIT));
}

export interface SpeechLine {
  readonly endpoint: string;
  readonly name: string;
  readonly ms: number;
  /** Of all that was spoken, 0 to 1. */
  readonly share: number;
  readonly speaking: boolean;
}

/** Everybody who is here or spoke, the longest first; `here` gives the names of those present, silent ones with 0. */
export function speechLines(
  speech: Speech,
  here: ReadonlyMap<string, string>,
  now: EpochMillis,
): readonly SpeechLine[] {
  const all = new Map<string, { name: string; ms: number }>();
  for (const [endpoint, name] of here) all.set(endpoint, { name, ms: 0 });
  for (const [endpoint, { name, ms }] of speech.spoken)
    if (ms > 0 || all.has(endpoint) || endpoint === speech.speaker)
      all.set(endpoint, { name: all.get(endpoint)?.name || name, ms });
  const current = speech.speaker === undefined ? undefined : all.get(speech.speaker);
  if (current !== undefined) current.ms += running(speech, now);
  const total = [...all.values()].reduce((sum, each) => sum + each.ms, 0);
  return [...all]
    .map(([endpoint, { name, ms }]) => ({
      endpoint,
      name,
      ms,
      share: total === 0 ? 0 : ms / total,
      speaking: endpoint === speech.speaker,
    }))
    .toSorted((a, b) => b.ms - a.ms || a.name.localeCompare(b.name));
}
