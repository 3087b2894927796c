/**
 * Numbers in attributes: parsed strictly, so that "12abc", "1e3" or a number out of range is no number.
 */

/** A decimal integer within [min, max]; undefined otherwise. */
export function integer(source: string | undefined, min: number, max: number): number | undefined {
  if (source === undefined || !/^-?\d{1,15}$/.test(source)) return undefined;
  const value = Number(source);
  return value >= min && value <= max ? value : undefined;
}

/** An SSRC, 1 … 4294967295 (signaling.md 4.4); undefined otherwise. */
export const ssrc = (source: string | undefined): number | undefined => integer(source, 1, 0xffffffff);

/** XMPP booleans: `true` (any case) and `1` are true; everything else false (bridge.md 1.1). */
export const boolean = (source: string | undefined): boolean => source === "1" || source?.toLowerCase() === "true";
