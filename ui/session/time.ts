/** Units of time in the pages: the same brand as the appliance's, kept apart because pages import only wire/ (style 3.8). */

/** Milliseconds: an instant on the page's monotonic clock, or a duration. */
export type Millis = number & { readonly unit: "ms" };

/** Milliseconds since 1970-01-01T00:00:00Z. */
export type EpochMillis = number & { readonly unit: "epoch ms" };

export const millis = (value: number): Millis => value as Millis;
export const epochMillis = (value: number): EpochMillis => value as EpochMillis;
