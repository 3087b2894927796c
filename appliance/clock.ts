/**
 * Shell: the one real clock. Only shells ask it; cores get `now` as an argument.
 */
import type { EpochMillis, Millis } from "./time.ts";

/** Monotonic, milliseconds since the process started. */
export const monotonicNow = (): Millis => performance.now() as Millis;

/** Wall clock, milliseconds since 1970. */
export const wallNow = (): EpochMillis => Date.now() as EpochMillis;
