/**
 * GHASH (NIST SP 800-38D §6.4) by a table of the multiples of H by every byte, 4 KiB a key, and one of reductions. Elements are two words in memory
 * order: the polynomial's first byte is the lowest, so that multiplying by x⁸ is a shift towards the high end.
 */
import { MULTIPLES, REDUCTION } from "./layout";

/** Fills the table of reductions. */
export function initGhash(): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    // Bit 7 is x¹²⁸, which is 1 + x + x² + x⁷: 0xe1 at the near end.
    let sum: u32 = 0;
    for (let bit: u32 = 0; bit < 8; bit++) if (byte & (0x80 >> bit)) sum ^= 0xe100 >> bit;
    store<u16>(<usize>byte << 1, <u16>((sum >> 8) | (sum << 8)), REDUCTION);
  }
}

/** Fills the set's table from H at `h`. */
export function setHashKey(keys: usize, h: usize): void {
  let low = load<u64>(h, 0);
  let high = load<u64>(h, 8);
  const table = keys + MULTIPLES;
  store<u64>(table, 0, 0);
  store<u64>(table, 0, 8);
  for (let bit: usize = 0x80; bit > 0; bit >>= 1) {
    store<u64>(table + (bit << 4), low, 0);
    store<u64>(table + (bit << 4), high, 8);
    // Times x: one bit towards the end, within bytes to the right, from byte to byte to the left.
    const out = (high >> 56) & 1;
    const carry = (low >> 56) & 1;
    high = ((high >> 1) & 0x7f7f7f7f7f7f7f7f) | ((high & 0x0001010101010101) << 15) | (carry << 7);
    low = ((low >> 1) & 0x7f7f7f7f7f7f7f7f) | ((low & 0x0001010101010101) << 15);
    if (out) low ^= 0xe1;
  }
  for (let bit: usize = 2; bit < 256; bit <<= 1)
    for (let rest: usize = 1; rest < bit; rest++) {
      const to = table + ((bit + rest) << 4);
      store<u64>(to, load<u64>(table + (bit << 4), 0) ^ load<u64>(table + (rest << 4), 0), 0);
      store<u64>(to, load<u64>(table + (bit << 4), 8) ^ load<u64>(table + (rest << 4), 8), 8);
    }
}

/** The sum so far. */
let low: u64 = 0;
let high: u64 = 0;

export function beginHash(): void {
  low = 0;
  high = 0;
}

/** Takes in `length` bytes, the last block filled up with zeros. */
export function hash(keys: usize, at: usize, length: u32): void {
  let a = low;
  let b = high;
  const table = keys + MULTIPLES;
  while (length >= 16) {
    a ^= load<u64>(at, 0);
    b ^= load<u64>(at, 8);
    // From the last byte to the first: shift by a byte, add the next byte's multiple.
    let index = table + <usize>((b >> 52) & 0xff0);
    let x = load<u64>(index, 0);
    let y = load<u64>(index, 8);
    let out: usize;
    index = table + <usize>((b >> 44) & 0xff0);
    out = <usize>(y >> 56);
    y = ((y << 8) | (x >> 56)) ^ load<u64>(index, 8);
    x = (x << 8) ^ <u64>load<u16>(out << 1, REDUCTION) ^ load<u64>(index, 0);
    index = table + <usize>((b >> 36) & 0xff0);
    out = <usize>(y >> 56);
    y = ((y << 8) | (x >> 56)) ^ load<u64>(index, 8);
    x = (x << 8) ^ <u64>load<u16>(out << 1, REDUCTION) ^ load<u64>(index, 0);
    index = table + <usize>((b >> 28) & 0xff0);
    out = <usize>(y >> 56);
    y = ((y << 8) | (x >> 56)) ^ load<u64>(index, 8);
    x = (x << 8) ^ <u64>load<u16>(out << 1, REDUCTION) ^ load<u64>(index, 0);
    index = table + <usize>((b >> 20) & 0xff0);
    out = <usize>(y >> 56);
    y = ((y << 8) | (x >> 56)) ^ load<u64>(index, 8);
    x = (x << 8) ^ <u64>load<u16>(out << 1, REDUCTION) ^ load<u64>(index, 0);
    index = table + <usize>((b >> 12) & 0xff0);
    out = <usize>(y >> 56);
    y = ((y << 8) | (x >> 56)) ^ load<u64>(index, 8);
    x = (x << 8) ^ <u64>load<u16>(out << 1, REDUCTION) ^ load<u64>(index, 0);
    index = table + <usize>((b >> 4) & 0xff0);
    out = <usize>(y >> 56);
    y = ((y << 8) | (x >> 56)) ^ load<u64>(index, 8);
    x = (x << 8) ^ <u64>load<u16>(out << 1, REDUCTION) ^ load<u64>(index, 0);
    index = table + <usize>((b << 4) & 0xff0);
    out = <usize>(y >> 56);
    y = ((y << 8) | (x >> 56)) ^ load<u64>(index, 8);
    x = (x << 8) ^ <u64>load<u16>(out << 1, REDUCTION) ^ load<u64>(index, 0);
    index = table + <usize>((a >> 52) & 0xff0);
    out = <usize>(y >> 56);
    y = ((y << 8) | (x >> 56)) ^ load<u64>(index, 8);
    x = (x << 8) ^ <u64>load<u16>(out << 1, REDUCTION) ^ load<u64>(index, 0);
    index = table + <usize>((a >> 44) & 0xff0);
    out = <usize>(y >> 56);
    y = ((y << 8) | (x >> 56)) ^ load<u64>(index, 8);
    x = (x << 8) ^ <u64>load<u16>(out << 1, REDUCTION) ^ load<u64>(index, 0);
    index = table + <usize>((a >> 36) & 0xff0);
    out = <usize>(y >> 56);
    y = ((y << 8) | (x >> 56)) ^ load<u64>(index, 8);
    x = (x << 8) ^ <u64>load<u16>(out << 1, REDUCTION) ^ load<u64>(index, 0);
    index = table + <usize>((a >> 28) & 0xff0);
    out = <usize>(y >> 56);
    y = ((y << 8) | (x >> 56)) ^ load<u64>(index, 8);
    x = (x << 8) ^ <u64>load<u16>(out << 1, REDUCTION) ^ load<u64>(index, 0);
    index = table + <usize>((a >> 20) & 0xff0);
    out = <usize>(y >> 56);
    y = ((y << 8) | (x >> 56)) ^ load<u64>(index, 8);
    x = (x << 8) ^ <u64>load<u16>(out << 1, REDUCTION) ^ load<u64>(index, 0);
    index = table + <usize>((a >> 12) & 0xff0);
    out = <usize>(y >> 56);
    y = ((y << 8) | (x >> 56)) ^ load<u64>(index, 8);
    x = (x << 8) ^ <u64>load<u16>(out << 1, REDUCTION) ^ load<u64>(index, 0);
    index = table + <usize>((a >> 4) & 0xff0);
    out = <usize>(y >> 56);
    y = ((y << 8) | (x >> 56)) ^ load<u64>(index, 8);
    x = (x << 8) ^ <u64>load<u16>(out << 1, REDUCTION) ^ load<u64>(index, 0);
    index = table + <usize>((a << 4) & 0xff0);
    out = <usize>(y >> 56);
    y = ((y << 8) | (x >> 56)) ^ load<u64>(index, 8);
    x = (x << 8) ^ <u64>load<u16>(out << 1, REDUCTION) ^ load<u64>(index, 0);
    a = x;
    b = y;
    at += 16;
    length -= 16;
  }
  low = a;
  high = b;
  if (length > 0) {
    let restLow: u64 = 0;
    let restHigh: u64 = 0;
    for (let i: u32 = 0; i < length; i++) {
      const byte = <u64>load<u8>(at + i);
      if (i < 8) restLow |= byte << (i << 3);
      else restHigh |= byte << ((i - 8) << 3);
    }
    hashBlock(keys, restLow, restHigh);
  }
}

/** Takes in one block given as two words. */
export function hashBlock(keys: usize, blockLow: u64, blockHigh: u64): void {
  const a = low ^ blockLow;
  const b = high ^ blockHigh;
  const table = keys + MULTIPLES;
  let x: u64 = 0;
  let y: u64 = 0;
  for (let i: i32 = 15; i >= 0; i--) {
    const byte = i < 8 ? <usize>(a >> <u64>(i << 3)) & 0xff : <usize>(b >> <u64>((i - 8) << 3)) & 0xff;
    const out = <usize>(y >> 56);
    y = (y << 8) | (x >> 56);
    x = (x << 8) ^ <u64>load<u16>(out << 1, REDUCTION);
    x ^= load<u64>(table + (byte << 4), 0);
    y ^= load<u64>(table + (byte << 4), 8);
  }
  low = x;
  high = y;
}

// @ts-ignore: decorator
@inline
export function hashLow(): u64 {
  return low;
}
// @ts-ignore: decorator
@inline
export function hashHigh(): u64 {
  return high;
}
