/**
 * AES-128's S-box and key expansion (FIPS 197 §5.2).
 */
import { ROUND_KEYS, SBOX } from "./layout";

/** Fills the S-box: the field's inverses by walking its multiplicative group, the generator 3 one way, its inverse the other. */
export function initSbox(): void {
  let p: u32 = 1;
  let q: u32 = 1;
  do {
    p = (p ^ (p << 1) ^ (p & 0x80 ? 0x1b : 0)) & 0xff;
    q ^= q << 1;
    q ^= q << 2;
    q ^= q << 4;
    q &= 0xff;
    if (q & 0x80) q ^= 0x09;
    const affine = q ^ rotate8(q, 1) ^ rotate8(q, 2) ^ rotate8(q, 3) ^ rotate8(q, 4);
    store<u8>(<usize>p, <u8>(affine ^ 0x63), SBOX);
  } while (p != 1);
  store<u8>(0, 0x63, SBOX);
}

function rotate8(x: u32, by: u32): u32 {
  return ((x << by) | (x >> (8 - by))) & 0xff;
}

// @ts-ignore: decorator
@inline
export function sub(x: u32): u32 {
  return load<u8>(<usize>x, SBOX);
}

/** Expands a key of 16 bytes at `key` into the set's round keys. */
export function expandRoundKeys(keys: usize, key: usize): void {
  memory.copy(keys + ROUND_KEYS, key, 16);
  let rcon: u32 = 1;
  for (let i: usize = 4; i < 44; i++) {
    let word = load<u32>(keys + (i << 2) - 4, ROUND_KEYS);
    if ((i & 3) == 0) {
      word = rotr(word, 8);
      word =
        sub(word & 0xff) | (sub((word >> 8) & 0xff) << 8) | (sub((word >> 16) & 0xff) << 16) | (sub(word >> 24) << 24);
      word ^= rcon;
      rcon = ((rcon << 1) ^ (rcon & 0x80 ? 0x1b : 0)) & 0xff;
    }
    store<u32>(keys + (i << 2), load<u32>(keys + (i << 2) - 16, ROUND_KEYS) ^ word, ROUND_KEYS);
  }
}
