/**
 * Files that work on other machines: no absolute paths of the machine they were written on, no registry's host name. Pure.
 */
import type { SourceFile } from "./source.ts";

const PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/(?<![\w.~-])\/(work|farm|root|home)\/[\w.-]+/, "a path of some machine"],
  [/\bregistry\.(npmjs\.org|yarnpkg\.com)\b|\bregistry\.npmmirror\.com\b/, "the host of a registry"],
];

export const portableFaults = (files: readonly SourceFile[]): string[] =>
  files.flatMap(({ path, text }) =>
    text
      .split("\n")
      .flatMap((line, index) =>
        PATTERNS.filter(([pattern]) => pattern.test(line)).map(
          ([, what]) => `${path}:${index + 1}: ${what}: ${line.trim().slice(0, 80)}`,
        ),
      ),
  );
