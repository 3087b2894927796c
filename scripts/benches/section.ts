/**
 * What a section of the benchmark is, and what it is given. A new one: a file here that exports a `Section`, one line in sections.ts.
 */
import type { BenchOptions } from "./options.ts";

export type Figures = Readonly<Record<string, unknown>>;

/** A figure that goes into the history, the chart and the comparison. */
export interface Headline {
  readonly value: number;
  /** As people read it: µs, MB, ms, "x". */
  readonly unit: string;
  readonly better: "lower" | "higher";
}

export interface SectionFigures extends Figures {
  /** By a short name that stays the same for ever: the history keeps it as `section.name`. */
  readonly headlines?: Readonly<Record<string, Headline>>;
}

export interface BenchContext {
  readonly options: BenchOptions;
  /** A line for people, kept. */
  say(line: string): void;
  /** What goes on just now, for people who wait; the next call replaces it. */
  progress(text: string): void;
}

export interface Section {
  readonly name: string;
  readonly title: string;
  /** Programs (or files) beside Bun that it cannot do without, with their Debian packages. */
  readonly needs: Readonly<Record<string, string>>;
  /** About how long it takes, seconds. */
  seconds(options: BenchOptions): number;
  /** Runs without being asked for by `--only`; absent: yes. */
  readonly unasked?: boolean;
  /** What it returns goes into the JSON under the section's name. Throws with a message for people where it cannot. */
  measure(context: BenchContext): Promise<SectionFigures>;
}
