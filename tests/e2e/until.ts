/**
 * Shell: waiting for a condition instead of a time.
 */
import { keepEvidence } from "./evidence.ts";

/** Asks every 50 ms until the answer is neither undefined nor false; fails after `timeoutMs` naming what was waited for. */
export async function until<T>(
  what: string,
  timeoutMs: number,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  describe?: () => string | Promise<string>,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > end) {
      const state = describe === undefined ? "" : `\n${await describe()}`;
      const vain = `waited ${timeoutMs} ms in vain for ${what}${state}`;
      throw new Error(`${vain}\nmore in ${await keepEvidence(vain)}`);
    }
    await Bun.sleep(50);
  }
}
