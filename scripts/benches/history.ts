/**
 * The benchmark's history: a line of JSON for each recorded run, and one run beside another. Pure.
 */
import type { Headline } from "./section.ts";

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly kernel: string;
  readonly bun: string;
}

export interface HistoryRecord {
  /** Full hash; `dirty` where the files differed from it. */
  readonly commit: string;
  readonly dirty: boolean;
  /** ISO 8601, UTC. */
  readonly date: string;
  readonly machine: Machine;
  /** Most work of others during the run, processors; the figures of a noisy run are worth less. */
  readonly othersCores: number;
  /** By `section.name`. */
  readonly figures: Readonly<Record<string, Headline>>;
}

const isHeadline = (value: unknown): value is Headline => {
  if (typeof value !== "object" || value === null) return false;
  const { value: number, unit, better } = value as Partial<Record<keyof Headline, unknown>>;
  return typeof number === "number" && typeof unit === "string" && (better === "lower" || better === "higher");
};

const isRecord = (value: unknown): value is HistoryRecord => {
  if (typeof value !== "object" || value === null) return false;
  const { commit, date, machine, figures } = value as Partial<Record<keyof HistoryRecord, unknown>>;
  return (
    typeof commit === "string" &&
    typeof date === "string" &&
    typeof machine === "object" &&
    machine !== null &&
    typeof figures === "object" &&
    figures !== null &&
    Object.values(figures).every(isHeadline)
  );
};

/** Lines that are no records, such as those of a later version, are passed over. */
export function parseHistory(text: string): HistoryRecord[] {
  return text.split("\n").flatMap((line) => {
    if (line.trim() === "") return [];
    try {
      const value: unknown = JSON.parse(line);
      return isRecord(value) ? [value] : [];
    } catch {
      return [];
    }
  });
}

/** Four significant digits: more is noise, and makes lines that nobody can read. */
const rounded = (value: number): number => Number(value.toPrecision(4));

export const historyLine = (record: HistoryRecord): string =>
  `${JSON.stringify({
    ...record,
    othersCores: rounded(record.othersCores),
    figures: Object.fromEntries(
      Object.entries(record.figures)
        .filter(([, { value }]) => Number.isFinite(value))
        .map(([key, headline]) => [key, { ...headline, value: rounded(headline.value) }]),
    ),
  })}\n`;

const sameKind = (one: Machine, other: Machine): boolean =>
  one.processor === other.processor && one.cores === other.cores;

/** The newest record of this kind of machine, or of a commit on it. */
export const recordToCompare = (
  history: readonly HistoryRecord[],
  machine: Machine,
  which: string,
): HistoryRecord | undefined =>
  history.findLast(
    (record) => sameKind(record.machine, machine) && (which === "last" || record.commit.startsWith(which)),
  );

export interface Change {
  readonly key: string;
  readonly unit: string;
  readonly before: number;
  readonly now: number;
  /** Positive: more. */
  readonly percent: number;
  readonly verdict: "better" | "worse" | "same";
}

/** What repeats on a machine that others use as well. */
const SAME_PERCENT = 7;

export const changes = (
  before: Readonly<Record<string, Headline>>,
  now: Readonly<Record<string, Headline>>,
): Change[] =>
  Object.entries(now).flatMap(([key, headline]) => {
    const former = before[key];
    if (former === undefined || former.value === 0) return [];
    const percent = (headline.value / former.value - 1) * 100;
    const verdict =
      Math.abs(percent) < SAME_PERCENT ? "same" : percent < 0 === (headline.better === "lower") ? "better" : "worse";
    return [{ key, unit: headline.unit, before: former.value, now: headline.value, percent, verdict }];
  });

const show = (value: number): string => Number(value.toPrecision(4)).toString();

export const changeLines = (list: readonly Change[]): string[] => {
  const width = Math.max(0, ...list.map(({ key }) => key.length));
  return list.map(
    ({ key, unit, before, now, percent, verdict }) =>
      `  ${key.padEnd(width)}  ${show(before).padStart(8)} → ${show(now).padStart(8)} ${unit.padEnd(10)} ${percent >= 0 ? "+" : "−"}${Math.abs(percent).toFixed(1)} %${verdict === "same" ? "" : `   ${verdict.toUpperCase()}`}`,
  );
};
