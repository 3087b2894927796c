/**
 * Contrast of the design tokens in both themes (look.md 2): text at least 4.5 : 1, boundaries and marks at least 3 : 1. WCAG 2.2, 1.4.3 and 1.4.11. Pure.
 */

type Theme = "light" | "dark";
type Rgb = readonly [number, number, number];

/** Foreground tokens, the backgrounds they are used on, and the least ratio. */
const PAIRS: readonly (readonly [readonly string[], readonly string[], number])[] = [
  [["text"], ["bg", "surface", "surface-2", "surface-3", "surface-4", "stage", "tile"], 4.5],
  [["text-2"], ["bg", "surface", "surface-2", "surface-3", "stage"], 4.5],
  [["text-3"], ["bg", "surface", "surface-2", "surface-3", "stage"], 4.5],
  [["link"], ["bg", "surface", "surface-2"], 4.5],
  [["edge"], ["bg", "surface", "surface-2"], 3],
  [["on-accent"], ["accent", "accent-hover", "accent-press"], 4.5],
  [["on-accent-soft"], ["accent-soft"], 4.5],
  [["on-red"], ["red", "red-hover"], 4.5],
  [["on-red-soft"], ["red-soft"], 4.5],
  [["red"], ["bg", "surface", "surface-2"], 3],
  [["on-brass"], ["brass", "brass-hover"], 4.5],
  [["on-brass-soft"], ["brass-soft"], 4.5],
  [["on-green-soft"], ["green-soft"], 4.5],
  [["on-blue-soft"], ["blue-soft"], 4.5],
  [["red-text", "brass-text", "green-text", "blue-text"], ["bg", "surface", "surface-2"], 4.5],
  [["on-off"], ["off"], 4.5],
  [["off"], ["bg", "surface", "surface-2", "stage"], 3],
  [["talk"], ["talk-under"], 3],
  [["focus"], ["bg", "surface", "surface-2", "surface-3", "stage"], 3],
  [["on-who"], ["who-1", "who-2", "who-3", "who-4", "who-5", "who-6", "who-7", "who-8"], 4.5],
];

const parseHex = (text: string): Rgb | undefined => {
  const match = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(text.trim());
  if (match === null) return undefined;
  const part = (index: number): number => Number.parseInt(match[index] ?? "0", 16);
  return [part(1), part(2), part(3)];
};

/** Colour tokens of a style sheet that are plain or `light-dark()` hex values: the first definition counts. */
export const parseTokens = (css: string): ReadonlyMap<string, Readonly<Record<Theme, Rgb>>> => {
  const tokens = new Map<string, Readonly<Record<Theme, Rgb>>>();
  for (const [, name = "", value = ""] of css.matchAll(/--([a-z0-9-]+):\s*([^;]+);/g)) {
    if (tokens.has(name)) continue;
    const pair = /^light-dark\(\s*(#[0-9a-f]{6})\s*,\s*(#[0-9a-f]{6})\s*\)$/i.exec(value.trim());
    const light = parseHex(pair?.[1] ?? value);
    const dark = parseHex(pair?.[2] ?? value);
    if (light !== undefined && dark !== undefined) tokens.set(name, { light, dark });
  }
  return tokens;
};

const luminance = ([red, green, blue]: Rgb): number => {
  const linear = (value: number): number =>
    value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4;
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
};

export const contrast = (one: Rgb, other: Rgb): number => {
  const [bright, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return ((bright ?? 0) + 0.05) / ((dark ?? 0) + 0.05);
};

export const contrastFaults = (css: string): string[] => {
  const tokens = parseTokens(css);
  const faults: string[] = [];
  for (const [fronts, backs, least] of PAIRS)
    for (const front of fronts)
      for (const back of backs) {
        const one = tokens.get(front);
        const other = tokens.get(back);
        if (one === undefined || other === undefined) {
          faults.push(`tokens.css: --${one === undefined ? front : back} is missing or no hex colour`);
          continue;
        }
        for (const theme of ["light", "dark"] as const) {
          const ratio = contrast(one[theme], other[theme]);
          if (ratio < least)
            faults.push(
              `tokens.css: --${front} on --${back} is ${ratio.toFixed(2)} : 1 in the ${theme} theme; ${least} is the least`,
            );
        }
      }
  return [...new Set(faults)];
};
