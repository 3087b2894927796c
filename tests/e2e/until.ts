/**
 * Shell: waiting for a condition instead of a time.
 */

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
      throw new Error(`waited ${timeoutMs} ms in vain for ${what}${state}`);
    }
    await Bun.sleep(50);
  }
}
