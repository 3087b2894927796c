/**
 * What a section of the benchmark is.
 */

export type Figures = Readonly<Record<string, unknown>>;

export interface Section {
  readonly name: string;
  readonly title: string;
  /** Programs beside Bun that it needs, with their Debian packages. */
  readonly needs: Readonly<Record<string, string>>;
  /** `say` prints a line for people. What it returns goes into the JSON under the section's name. */
  measure(say: (line: string) => void): Promise<Figures>;
}
