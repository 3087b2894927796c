/**
 * Units of time. A bare number never says what it counts, so durations and instants are branded; the brands cost nothing at run time.
 */

/** Milliseconds: an instant on the monotonic clock of this process, or a duration. May have a fraction. */
export type Millis = number & { readonly unit: "ms" };

/** Milliseconds since 1970-01-01T00:00:00Z: what people and other machines call the time. */
export type EpochMillis = number & { readonly unit: "epoch ms" };

export const millis = (value: number): Millis => value as Millis;
export const seconds = (value: number): Millis => (value * 1000) as Millis;
export const minutes = (value: number): Millis => (value * 60_000) as Millis;
export const later = (instant: Millis, duration: number): Millis => (instant + duration) as Millis;
