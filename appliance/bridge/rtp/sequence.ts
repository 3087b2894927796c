/**
 * Serial numbers that wrap: RTP sequence numbers (2^16), picture ids (2^15 or 2^7), TL0PICIDX (2^8), RTP timestamps (2^32). RFC 1982 in spirit.
 */

/** a − b on a 16-bit circle: −32768 … 32767. */
export const difference16 = (a: number, b: number): number => ((a - b) << 16) >> 16;

/** a − b on a 32-bit circle: −2^31 … 2^31 − 1. */
export const difference32 = (a: number, b: number): number => (a - b) | 0;

/** a − b on a circle of 2^bits, bits 1 … 31. */
export const differenceBits = (a: number, b: number, bits: number): number => ((a - b) << (32 - bits)) >> (32 - bits);

/**
 * The number whose low 16 bits are `sequence` that lies nearest to `reference`. May be negative when `reference` is small: callers start their counting at
 * FIRST_CYCLE to avoid that.
 */
export const unwrap16 = (sequence: number, reference: number): number =>
  reference + difference16(sequence, reference & 0xffff);

/** Where extended sequence numbers start, so that a packet from just before the first one stays positive. */
export const FIRST_CYCLE = 65536;

/** The number whose low 32 bits are `timestamp` that lies nearest to `reference` (below 2^53). */
export const unwrap32 = (timestamp: number, reference: number): number =>
  reference + difference32(timestamp, reference % 4294967296);
