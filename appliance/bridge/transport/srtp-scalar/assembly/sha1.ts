/**
 * SHA-1 (FIPS 180-4) over whole blocks, unrolled, and HMAC-SHA1 (RFC 2104) from states kept after the padded key.
 */
import { BLOCK, CONSTANTS, INNER, OUTER, STATE } from "./layout";

// @ts-ignore: decorator
@inline
function choose(b: u32, c: u32, d: u32): u32 {
  return d ^ (b & (c ^ d));
}
// @ts-ignore: decorator
@inline
function parity(b: u32, c: u32, d: u32): u32 {
  return b ^ c ^ d;
}
// @ts-ignore: decorator
@inline
function majority(b: u32, c: u32, d: u32): u32 {
  // The two terms have no bit in common, so that the sum may be regrouped with the others.
  return (b & c) + (d & (b ^ c));
}
/** Two big-endian words at once: swaps neighbouring bytes; the caller rotates each half by 16. */
// @ts-ignore: decorator
@inline
function swapped(at: usize, offset: usize): u64 {
  const v = load<u64>(at + offset);
  return ((v >> 8) & 0x00ff00ff00ff00ff) | ((v & 0x00ff00ff00ff00ff) << 8);
}

export function initSha1(): void {
  store<u32>(CONSTANTS, 0x5a827999, 0);
  store<u32>(CONSTANTS, 0x6ed9eba1, 4);
  store<u32>(CONSTANTS, 0x8f1bbcdc, 8);
  store<u32>(CONSTANTS, 0xca62c1d6, 12);
}

/** Hashes the blocks from `at` to `end` into the state at STATE. */
export function sha1(at: usize, end: usize): void {
  for (; at < end; at += 64) {
    let two = swapped(at, 0);
    let w0 = rotr(<u32>two, 16);
    let w1 = rotr(<u32>(two >> 32), 16);
    two = swapped(at, 8);
    let w2 = rotr(<u32>two, 16);
    let w3 = rotr(<u32>(two >> 32), 16);
    two = swapped(at, 16);
    let w4 = rotr(<u32>two, 16);
    let w5 = rotr(<u32>(two >> 32), 16);
    two = swapped(at, 24);
    let w6 = rotr(<u32>two, 16);
    let w7 = rotr(<u32>(two >> 32), 16);
    two = swapped(at, 32);
    let w8 = rotr(<u32>two, 16);
    let w9 = rotr(<u32>(two >> 32), 16);
    two = swapped(at, 40);
    let w10 = rotr(<u32>two, 16);
    let w11 = rotr(<u32>(two >> 32), 16);
    two = swapped(at, 48);
    let w12 = rotr(<u32>two, 16);
    let w13 = rotr(<u32>(two >> 32), 16);
    two = swapped(at, 56);
    let w14 = rotr(<u32>two, 16);
    let w15 = rotr(<u32>(two >> 32), 16);
    let a = load<u32>(STATE, 0);
    let b = load<u32>(STATE, 4);
    let c = load<u32>(STATE, 8);
    let d = load<u32>(STATE, 12);
    let e = load<u32>(STATE, 16);
    e += rotr(a, 27) + choose(b, c, d) + load<u32>(CONSTANTS, 0) + w0;
    b = rotr(b, 2);
    d += rotr(e, 27) + choose(a, b, c) + load<u32>(CONSTANTS, 0) + w1;
    a = rotr(a, 2);
    c += rotr(d, 27) + choose(e, a, b) + load<u32>(CONSTANTS, 0) + w2;
    e = rotr(e, 2);
    b += rotr(c, 27) + choose(d, e, a) + load<u32>(CONSTANTS, 0) + w3;
    d = rotr(d, 2);
    a += rotr(b, 27) + choose(c, d, e) + load<u32>(CONSTANTS, 0) + w4;
    c = rotr(c, 2);
    e += rotr(a, 27) + choose(b, c, d) + load<u32>(CONSTANTS, 0) + w5;
    b = rotr(b, 2);
    d += rotr(e, 27) + choose(a, b, c) + load<u32>(CONSTANTS, 0) + w6;
    a = rotr(a, 2);
    c += rotr(d, 27) + choose(e, a, b) + load<u32>(CONSTANTS, 0) + w7;
    e = rotr(e, 2);
    b += rotr(c, 27) + choose(d, e, a) + load<u32>(CONSTANTS, 0) + w8;
    d = rotr(d, 2);
    a += rotr(b, 27) + choose(c, d, e) + load<u32>(CONSTANTS, 0) + w9;
    c = rotr(c, 2);
    e += rotr(a, 27) + choose(b, c, d) + load<u32>(CONSTANTS, 0) + w10;
    b = rotr(b, 2);
    d += rotr(e, 27) + choose(a, b, c) + load<u32>(CONSTANTS, 0) + w11;
    a = rotr(a, 2);
    c += rotr(d, 27) + choose(e, a, b) + load<u32>(CONSTANTS, 0) + w12;
    e = rotr(e, 2);
    b += rotr(c, 27) + choose(d, e, a) + load<u32>(CONSTANTS, 0) + w13;
    d = rotr(d, 2);
    a += rotr(b, 27) + choose(c, d, e) + load<u32>(CONSTANTS, 0) + w14;
    c = rotr(c, 2);
    e += rotr(a, 27) + choose(b, c, d) + load<u32>(CONSTANTS, 0) + w15;
    b = rotr(b, 2);
    w0 = rotr(w13 ^ w8 ^ w2 ^ w0, 31);
    d += rotr(e, 27) + choose(a, b, c) + load<u32>(CONSTANTS, 0) + w0;
    a = rotr(a, 2);
    w1 = rotr(w14 ^ w9 ^ w3 ^ w1, 31);
    c += rotr(d, 27) + choose(e, a, b) + load<u32>(CONSTANTS, 0) + w1;
    e = rotr(e, 2);
    w2 = rotr(w15 ^ w10 ^ w4 ^ w2, 31);
    b += rotr(c, 27) + choose(d, e, a) + load<u32>(CONSTANTS, 0) + w2;
    d = rotr(d, 2);
    w3 = rotr(w0 ^ w11 ^ w5 ^ w3, 31);
    a += rotr(b, 27) + choose(c, d, e) + load<u32>(CONSTANTS, 0) + w3;
    c = rotr(c, 2);
    w4 = rotr(w1 ^ w12 ^ w6 ^ w4, 31);
    e += rotr(a, 27) + parity(b, c, d) + load<u32>(CONSTANTS, 4) + w4;
    b = rotr(b, 2);
    w5 = rotr(w2 ^ w13 ^ w7 ^ w5, 31);
    d += rotr(e, 27) + parity(a, b, c) + load<u32>(CONSTANTS, 4) + w5;
    a = rotr(a, 2);
    w6 = rotr(w3 ^ w14 ^ w8 ^ w6, 31);
    c += rotr(d, 27) + parity(e, a, b) + load<u32>(CONSTANTS, 4) + w6;
    e = rotr(e, 2);
    w7 = rotr(w4 ^ w15 ^ w9 ^ w7, 31);
    b += rotr(c, 27) + parity(d, e, a) + load<u32>(CONSTANTS, 4) + w7;
    d = rotr(d, 2);
    w8 = rotr(w5 ^ w0 ^ w10 ^ w8, 31);
    a += rotr(b, 27) + parity(c, d, e) + load<u32>(CONSTANTS, 4) + w8;
    c = rotr(c, 2);
    w9 = rotr(w6 ^ w1 ^ w11 ^ w9, 31);
    e += rotr(a, 27) + parity(b, c, d) + load<u32>(CONSTANTS, 4) + w9;
    b = rotr(b, 2);
    w10 = rotr(w7 ^ w2 ^ w12 ^ w10, 31);
    d += rotr(e, 27) + parity(a, b, c) + load<u32>(CONSTANTS, 4) + w10;
    a = rotr(a, 2);
    w11 = rotr(w8 ^ w3 ^ w13 ^ w11, 31);
    c += rotr(d, 27) + parity(e, a, b) + load<u32>(CONSTANTS, 4) + w11;
    e = rotr(e, 2);
    w12 = rotr(w9 ^ w4 ^ w14 ^ w12, 31);
    b += rotr(c, 27) + parity(d, e, a) + load<u32>(CONSTANTS, 4) + w12;
    d = rotr(d, 2);
    w13 = rotr(w10 ^ w5 ^ w15 ^ w13, 31);
    a += rotr(b, 27) + parity(c, d, e) + load<u32>(CONSTANTS, 4) + w13;
    c = rotr(c, 2);
    w14 = rotr(w11 ^ w6 ^ w0 ^ w14, 31);
    e += rotr(a, 27) + parity(b, c, d) + load<u32>(CONSTANTS, 4) + w14;
    b = rotr(b, 2);
    w15 = rotr(w12 ^ w7 ^ w1 ^ w15, 31);
    d += rotr(e, 27) + parity(a, b, c) + load<u32>(CONSTANTS, 4) + w15;
    a = rotr(a, 2);
    w0 = rotr(w13 ^ w8 ^ w2 ^ w0, 31);
    c += rotr(d, 27) + parity(e, a, b) + load<u32>(CONSTANTS, 4) + w0;
    e = rotr(e, 2);
    w1 = rotr(w14 ^ w9 ^ w3 ^ w1, 31);
    b += rotr(c, 27) + parity(d, e, a) + load<u32>(CONSTANTS, 4) + w1;
    d = rotr(d, 2);
    w2 = rotr(w15 ^ w10 ^ w4 ^ w2, 31);
    a += rotr(b, 27) + parity(c, d, e) + load<u32>(CONSTANTS, 4) + w2;
    c = rotr(c, 2);
    w3 = rotr(w0 ^ w11 ^ w5 ^ w3, 31);
    e += rotr(a, 27) + parity(b, c, d) + load<u32>(CONSTANTS, 4) + w3;
    b = rotr(b, 2);
    w4 = rotr(w1 ^ w12 ^ w6 ^ w4, 31);
    d += rotr(e, 27) + parity(a, b, c) + load<u32>(CONSTANTS, 4) + w4;
    a = rotr(a, 2);
    w5 = rotr(w2 ^ w13 ^ w7 ^ w5, 31);
    c += rotr(d, 27) + parity(e, a, b) + load<u32>(CONSTANTS, 4) + w5;
    e = rotr(e, 2);
    w6 = rotr(w3 ^ w14 ^ w8 ^ w6, 31);
    b += rotr(c, 27) + parity(d, e, a) + load<u32>(CONSTANTS, 4) + w6;
    d = rotr(d, 2);
    w7 = rotr(w4 ^ w15 ^ w9 ^ w7, 31);
    a += rotr(b, 27) + parity(c, d, e) + load<u32>(CONSTANTS, 4) + w7;
    c = rotr(c, 2);
    w8 = rotr(w5 ^ w0 ^ w10 ^ w8, 31);
    e += rotr(a, 27) + majority(b, c, d) + load<u32>(CONSTANTS, 8) + w8;
    b = rotr(b, 2);
    w9 = rotr(w6 ^ w1 ^ w11 ^ w9, 31);
    d += rotr(e, 27) + majority(a, b, c) + load<u32>(CONSTANTS, 8) + w9;
    a = rotr(a, 2);
    w10 = rotr(w7 ^ w2 ^ w12 ^ w10, 31);
    c += rotr(d, 27) + majority(e, a, b) + load<u32>(CONSTANTS, 8) + w10;
    e = rotr(e, 2);
    w11 = rotr(w8 ^ w3 ^ w13 ^ w11, 31);
    b += rotr(c, 27) + majority(d, e, a) + load<u32>(CONSTANTS, 8) + w11;
    d = rotr(d, 2);
    w12 = rotr(w9 ^ w4 ^ w14 ^ w12, 31);
    a += rotr(b, 27) + majority(c, d, e) + load<u32>(CONSTANTS, 8) + w12;
    c = rotr(c, 2);
    w13 = rotr(w10 ^ w5 ^ w15 ^ w13, 31);
    e += rotr(a, 27) + majority(b, c, d) + load<u32>(CONSTANTS, 8) + w13;
    b = rotr(b, 2);
    w14 = rotr(w11 ^ w6 ^ w0 ^ w14, 31);
    d += rotr(e, 27) + majority(a, b, c) + load<u32>(CONSTANTS, 8) + w14;
    a = rotr(a, 2);
    w15 = rotr(w12 ^ w7 ^ w1 ^ w15, 31);
    c += rotr(d, 27) + majority(e, a, b) + load<u32>(CONSTANTS, 8) + w15;
    e = rotr(e, 2);
    w0 = rotr(w13 ^ w8 ^ w2 ^ w0, 31);
    b += rotr(c, 27) + majority(d, e, a) + load<u32>(CONSTANTS, 8) + w0;
    d = rotr(d, 2);
    w1 = rotr(w14 ^ w9 ^ w3 ^ w1, 31);
    a += rotr(b, 27) + majority(c, d, e) + load<u32>(CONSTANTS, 8) + w1;
    c = rotr(c, 2);
    w2 = rotr(w15 ^ w10 ^ w4 ^ w2, 31);
    e += rotr(a, 27) + majority(b, c, d) + load<u32>(CONSTANTS, 8) + w2;
    b = rotr(b, 2);
    w3 = rotr(w0 ^ w11 ^ w5 ^ w3, 31);
    d += rotr(e, 27) + majority(a, b, c) + load<u32>(CONSTANTS, 8) + w3;
    a = rotr(a, 2);
    w4 = rotr(w1 ^ w12 ^ w6 ^ w4, 31);
    c += rotr(d, 27) + majority(e, a, b) + load<u32>(CONSTANTS, 8) + w4;
    e = rotr(e, 2);
    w5 = rotr(w2 ^ w13 ^ w7 ^ w5, 31);
    b += rotr(c, 27) + majority(d, e, a) + load<u32>(CONSTANTS, 8) + w5;
    d = rotr(d, 2);
    w6 = rotr(w3 ^ w14 ^ w8 ^ w6, 31);
    a += rotr(b, 27) + majority(c, d, e) + load<u32>(CONSTANTS, 8) + w6;
    c = rotr(c, 2);
    w7 = rotr(w4 ^ w15 ^ w9 ^ w7, 31);
    e += rotr(a, 27) + majority(b, c, d) + load<u32>(CONSTANTS, 8) + w7;
    b = rotr(b, 2);
    w8 = rotr(w5 ^ w0 ^ w10 ^ w8, 31);
    d += rotr(e, 27) + majority(a, b, c) + load<u32>(CONSTANTS, 8) + w8;
    a = rotr(a, 2);
    w9 = rotr(w6 ^ w1 ^ w11 ^ w9, 31);
    c += rotr(d, 27) + majority(e, a, b) + load<u32>(CONSTANTS, 8) + w9;
    e = rotr(e, 2);
    w10 = rotr(w7 ^ w2 ^ w12 ^ w10, 31);
    b += rotr(c, 27) + majority(d, e, a) + load<u32>(CONSTANTS, 8) + w10;
    d = rotr(d, 2);
    w11 = rotr(w8 ^ w3 ^ w13 ^ w11, 31);
    a += rotr(b, 27) + majority(c, d, e) + load<u32>(CONSTANTS, 8) + w11;
    c = rotr(c, 2);
    w12 = rotr(w9 ^ w4 ^ w14 ^ w12, 31);
    e += rotr(a, 27) + parity(b, c, d) + load<u32>(CONSTANTS, 12) + w12;
    b = rotr(b, 2);
    w13 = rotr(w10 ^ w5 ^ w15 ^ w13, 31);
    d += rotr(e, 27) + parity(a, b, c) + load<u32>(CONSTANTS, 12) + w13;
    a = rotr(a, 2);
    w14 = rotr(w11 ^ w6 ^ w0 ^ w14, 31);
    c += rotr(d, 27) + parity(e, a, b) + load<u32>(CONSTANTS, 12) + w14;
    e = rotr(e, 2);
    w15 = rotr(w12 ^ w7 ^ w1 ^ w15, 31);
    b += rotr(c, 27) + parity(d, e, a) + load<u32>(CONSTANTS, 12) + w15;
    d = rotr(d, 2);
    w0 = rotr(w13 ^ w8 ^ w2 ^ w0, 31);
    a += rotr(b, 27) + parity(c, d, e) + load<u32>(CONSTANTS, 12) + w0;
    c = rotr(c, 2);
    w1 = rotr(w14 ^ w9 ^ w3 ^ w1, 31);
    e += rotr(a, 27) + parity(b, c, d) + load<u32>(CONSTANTS, 12) + w1;
    b = rotr(b, 2);
    w2 = rotr(w15 ^ w10 ^ w4 ^ w2, 31);
    d += rotr(e, 27) + parity(a, b, c) + load<u32>(CONSTANTS, 12) + w2;
    a = rotr(a, 2);
    w3 = rotr(w0 ^ w11 ^ w5 ^ w3, 31);
    c += rotr(d, 27) + parity(e, a, b) + load<u32>(CONSTANTS, 12) + w3;
    e = rotr(e, 2);
    w4 = rotr(w1 ^ w12 ^ w6 ^ w4, 31);
    b += rotr(c, 27) + parity(d, e, a) + load<u32>(CONSTANTS, 12) + w4;
    d = rotr(d, 2);
    w5 = rotr(w2 ^ w13 ^ w7 ^ w5, 31);
    a += rotr(b, 27) + parity(c, d, e) + load<u32>(CONSTANTS, 12) + w5;
    c = rotr(c, 2);
    w6 = rotr(w3 ^ w14 ^ w8 ^ w6, 31);
    e += rotr(a, 27) + parity(b, c, d) + load<u32>(CONSTANTS, 12) + w6;
    b = rotr(b, 2);
    w7 = rotr(w4 ^ w15 ^ w9 ^ w7, 31);
    d += rotr(e, 27) + parity(a, b, c) + load<u32>(CONSTANTS, 12) + w7;
    a = rotr(a, 2);
    w8 = rotr(w5 ^ w0 ^ w10 ^ w8, 31);
    c += rotr(d, 27) + parity(e, a, b) + load<u32>(CONSTANTS, 12) + w8;
    e = rotr(e, 2);
    w9 = rotr(w6 ^ w1 ^ w11 ^ w9, 31);
    b += rotr(c, 27) + parity(d, e, a) + load<u32>(CONSTANTS, 12) + w9;
    d = rotr(d, 2);
    w10 = rotr(w7 ^ w2 ^ w12 ^ w10, 31);
    a += rotr(b, 27) + parity(c, d, e) + load<u32>(CONSTANTS, 12) + w10;
    c = rotr(c, 2);
    w11 = rotr(w8 ^ w3 ^ w13 ^ w11, 31);
    e += rotr(a, 27) + parity(b, c, d) + load<u32>(CONSTANTS, 12) + w11;
    b = rotr(b, 2);
    w12 = rotr(w9 ^ w4 ^ w14 ^ w12, 31);
    d += rotr(e, 27) + parity(a, b, c) + load<u32>(CONSTANTS, 12) + w12;
    a = rotr(a, 2);
    w13 = rotr(w10 ^ w5 ^ w15 ^ w13, 31);
    c += rotr(d, 27) + parity(e, a, b) + load<u32>(CONSTANTS, 12) + w13;
    e = rotr(e, 2);
    w14 = rotr(w11 ^ w6 ^ w0 ^ w14, 31);
    b += rotr(c, 27) + parity(d, e, a) + load<u32>(CONSTANTS, 12) + w14;
    d = rotr(d, 2);
    w15 = rotr(w12 ^ w7 ^ w1 ^ w15, 31);
    a += rotr(b, 27) + parity(c, d, e) + load<u32>(CONSTANTS, 12) + w15;
    c = rotr(c, 2);
    store<u32>(STATE, load<u32>(STATE, 0) + a, 0);
    store<u32>(STATE, load<u32>(STATE, 4) + b, 4);
    store<u32>(STATE, load<u32>(STATE, 8) + c, 8);
    store<u32>(STATE, load<u32>(STATE, 12) + d, 12);
    store<u32>(STATE, load<u32>(STATE, 16) + e, 16);
  }
}

/** Keeps the states after the padded key: `length` ≤ 64 bytes at `key`. */
export function setHmacKey(keys: usize, key: usize, length: u32): void {
  midstate(keys + INNER, key, length, 0x36);
  midstate(keys + OUTER, key, length, 0x5c);
}

function midstate(to: usize, key: usize, length: u32, pad: u32): void {
  for (let i: u32 = 0; i < 64; i++)
    store<u8>(BLOCK + i, <u8>(i < length ? load<u8>(key + i) ^ pad : pad));
  store<u32>(STATE, 0x67452301, 0);
  store<u32>(STATE, 0xefcdab89, 4);
  store<u32>(STATE, 0x98badcfe, 8);
  store<u32>(STATE, 0x10325476, 12);
  store<u32>(STATE, 0xc3d2e1f0, 16);
  sha1(BLOCK, BLOCK + 64);
  memory.copy(to, STATE, 20);
  memory.fill(BLOCK, 0, 64);
}

/**
 * HMAC-SHA1 of the bytes from `at` to `end`; the digest's words are then at STATE. The padding is written behind `end`, at most 72 bytes.
 */
export function hmac(keys: usize, at: usize, end: usize): void {
  const bits = <u32>(end - at + 64) << 3;
  const last = at + ((end - at + 9 + 63) & ~63);
  store<u8>(end, 0x80);
  for (let i = end + 1; i < last - 4; i++) store<u8>(i, 0);
  store<u32>(last - 4, bswap(bits));
  memory.copy(STATE, keys + INNER, 20);
  sha1(at, last);
  store<u32>(BLOCK, bswap(load<u32>(STATE, 0)), 0);
  store<u32>(BLOCK, bswap(load<u32>(STATE, 4)), 4);
  store<u32>(BLOCK, bswap(load<u32>(STATE, 8)), 8);
  store<u32>(BLOCK, bswap(load<u32>(STATE, 12)), 12);
  store<u32>(BLOCK, bswap(load<u32>(STATE, 16)), 16);
  store<u32>(BLOCK, 0x80, 20);
  for (let i: usize = 24; i < 60; i += 4) store<u32>(BLOCK + i, 0);
  // 64 bytes of padded key and 20 of digest, in bits.
  store<u32>(BLOCK, bswap<u32>(672), 60);
  memory.copy(STATE, keys + OUTER, 20);
  sha1(BLOCK, BLOCK + 64);
}
