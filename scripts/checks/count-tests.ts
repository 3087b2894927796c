/**
 * What a step's output says about its tests. Pure.
 */

export interface Counts {
  readonly passed: number;
  readonly failed: number;
}

const sum = (text: string, pattern: RegExp): number =>
  [...text.matchAll(pattern)].reduce((total, match) => total + Number(match[1] ?? 0), 0);

/**
 * Counts of `bun test` (several runs are added up) or of `./scripts/check`. A step that ends badly without saying what failed has one failure,
 * and so has one that tested nothing without saying that nothing fits.
 */
export const countTests = (step: string, output: string, exitCode: number): Counts => {
  const passed = step === "check" ? [...output.matchAll(/^ok /gm)].length : sum(output, /^\s*(\d+) pass$/gm);
  const failed = step === "check" ? [...output.matchAll(/^FAULT /gm)].length : sum(output, /^\s*(\d+) fail$/gm);
  const errors = step === "check" ? 0 : sum(output, /^\s*(\d+) errors?$/gm);
  if (/did not match any test files|No tests found/.test(output) && passed === 0 && failed === 0)
    return { passed: 0, failed: 0 };
  const all = failed + errors;
  if (all === 0 && (exitCode !== 0 || passed === 0)) return { passed, failed: 1 };
  return { passed, failed: all };
};
