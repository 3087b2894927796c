/**
 * The guard of no-ambient.ts, and the way for tests of shells to lower it.
 */
import { afterAll, beforeAll } from "bun:test";

const real = {
  dateNow: Date.now,
  random: Math.random,
  performanceNow: performance.now.bind(performance),
  setTimeout: globalThis.setTimeout,
  setInterval: globalThis.setInterval,
};

const refuse = (what: string) => (): never => {
  throw new Error(`${what} in a core: take it as an argument (style 3.1), or call useRealTime() in a test of a shell`);
};

export function armGuard(): void {
  Date.now = refuse("Date.now");
  Math.random = refuse("Math.random");
  performance.now = refuse("performance.now");
}

export function disarmGuard(): void {
  Date.now = real.dateNow;
  Math.random = real.random;
  performance.now = real.performanceNow;
}

/** For test files of shells: real time and randomness while this file's tests run. */
export function useRealTime(): void {
  disarmGuard(); // modules loaded by this file may read the clock at import
  beforeAll(disarmGuard);
  afterAll(armGuard);
}
