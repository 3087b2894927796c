/**
 * Contrast of the design tokens, from their hex values, in both themes: text 4.5:1, boundaries and marks 3:1 (WCAG 2.2 1.4.3, 1.4.11). A token
 * that fails fails the tests.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const css = readFileSync(join(import.meta.dir, "tokens.css"), "utf8");
const first = css.slice(css.search(/:root,\s*\[data-theme\]\s*\{/), css.indexOf(":root[data-kiosk]"));

const TOKENS = new Map<string, readonly [light: string, dark: string]>();
for (const [, name, light, dark] of first.matchAll(/--([a-z0-9-]+):\s*light-dark\((#[0-9a-f]{6}),\s*(#[0-9a-f]{6})\)/g))
  if (name !== undefined && light !== undefined && dark !== undefined) TOKENS.set(name, [light, dark]);
for (const [, name, value] of first.matchAll(/--([a-z0-9-]+):\s*(#[0-9a-f]{6});/g))
  if (name !== undefined && value !== undefined) TOKENS.set(name, [value, value]);

function luminance(hex: string): number {
  const channel = (at: number): number => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}

function ratio(a: string, b: string): number {
  const [low, high] = [luminance(a), luminance(b)].toSorted((x, y) => x - y);
  return ((high ?? 0) + 0.05) / ((low ?? 0) + 0.05);
}

const SURFACES = ["bg", "surface", "surface-2", "surface-3", "stage"];
const TEXT: readonly (readonly [string, readonly string[]])[] = [
  ["text", [...SURFACES, "surface-4", "tile"]],
  ["text-2", SURFACES],
  ["text-3", SURFACES],
  ["link", ["bg", "surface", "surface-2"]],
  ["on-accent", ["accent", "accent-hover"]],
  ["on-accent-soft", ["accent-soft"]],
  ["on-red", ["red", "red-hover"]],
  ["on-red-soft", ["red-soft"]],
  ["on-brass", ["brass", "brass-hover"]],
  ["on-brass-soft", ["brass-soft"]],
  ["on-green-soft", ["green-soft"]],
  ["on-blue-soft", ["blue-soft"]],
  ["red-text", ["bg", "surface", "surface-2"]],
  ["brass-text", ["bg", "surface", "surface-2"]],
  ["green-text", ["bg", "surface", "surface-2"]],
  ["blue-text", ["bg", "surface", "surface-2"]],
  ["on-off", ["off"]],
  ["on-who", ["who-1", "who-2", "who-3", "who-4", "who-5", "who-6", "who-7", "who-8"]],
];
const MARKS: readonly (readonly [string, readonly string[]])[] = [
  ["edge", ["bg", "surface", "surface-2"]],
  ["focus", ["bg", "surface", "surface-2", "stage"]],
  ["talk", ["talk-under"]],
  ["red", ["bg", "surface", "stage"]],
];

test("the sheet is read", () => expect(TOKENS.size).toBeGreaterThan(50));

for (const [what, pairs, least] of [
  ["text", TEXT, 4.5],
  ["marks", MARKS, 3],
] as const)
  describe(`${what} at least ${least}:1`, () => {
    for (const [ink, grounds] of pairs)
      for (const ground of grounds)
        test(`${ink} on ${ground}`, () => {
          const a = TOKENS.get(ink);
          const b = TOKENS.get(ground);
          if (a === undefined || b === undefined) throw new Error(`no such token: ${a === undefined ? ink : ground}`);
          expect(ratio(a[0], b[0])).toBeGreaterThanOrEqual(least);
          expect(ratio(a[1], b[1])).toBeGreaterThanOrEqual(least);
        });
  });
