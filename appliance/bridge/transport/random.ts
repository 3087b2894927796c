/**
 * Randomness as an argument: transport cores draw from it, shells hand in the system's generator, tests a seeded one.
 */

/** Answers that many fresh random bytes. */
export type RandomBytes = (count: number) => Uint8Array;

/** A number 0 ≤ x < 1 with 32 bits. */
export const randomFraction = (random: RandomBytes): number => {
  const bytes = random(4);
  let value = 0;
  for (const byte of bytes) value = value * 256 + byte;
  return value / 2 ** 32;
};
