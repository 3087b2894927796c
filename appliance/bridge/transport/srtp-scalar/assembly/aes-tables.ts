/**
 * AES-128 (FIPS 197) in counter mode, by table.
 *
 * The first two rounds are nearly free: all blocks of a packet differ in the last byte of the counter only (a packet has fewer than 256 blocks), so
 * round 1 changes one column and round 2 needs one look-up a column; the rest of both is computed once per packet.
 */
import { expandRoundKeys, initSbox, sub } from "./key-schedule";
import { BLOCK, ROUND_KEYS, TE0, TE1, TE2, TE3 } from "./layout";

/** Fills the tables. */
export function initAes(): void {
  initSbox();
  for (let index: u32 = 0; index < 256; index++) {
    const s = sub(index);
    const double = ((s << 1) ^ (s & 0x80 ? 0x1b : 0)) & 0xff;
    // Column (2s, s, s, 3s), first byte lowest.
    const column = double | (s << 8) | (s << 16) | ((double ^ s) << 24);
    const at = <usize>index << 2;
    store<u32>(at, column, TE0);
    store<u32>(at, rotl(column, 8), TE1);
    store<u32>(at, rotl(column, 16), TE2);
    store<u32>(at, rotl(column, 24), TE3);
  }
}

export function expandKey(keys: usize, key: usize): void {
  expandRoundKeys(keys, key);
}

/** The packet's counter block but for its last byte. */
let i0: u32 = 0;
let i1: u32 = 0;
let i2: u32 = 0;
let i3: u32 = 0;

/** Begins a packet: the words of its counter block in memory order, whose last byte counts; at most `blocks` of it will be asked for. */
export function begin(keys: usize, w0: u32, w1: u32, w2: u32, w3: u32, blocks: u32): void {
  i0 = w0;
  i1 = w1;
  i2 = w2;
  i3 = w3;
}

// @ts-ignore: decorator
@inline
function te0(x: u32): u32 {
  return load<u32>((<usize>x << 2) & 0x3fc, TE0);
}
// @ts-ignore: decorator
@inline
function te1(x: u32): u32 {
  return load<u32>((<usize>x >> 6) & 0x3fc, TE1);
}
// @ts-ignore: decorator
@inline
function te2(x: u32): u32 {
  return load<u32>((<usize>x >> 14) & 0x3fc, TE2);
}
// @ts-ignore: decorator
@inline
function te3(x: u32): u32 {
  return load<u32>((<usize>x >> 22) & 0x3fc, TE3);
}
// @ts-ignore: decorator
@inline
function last(a: u32, b: u32, c: u32, d: u32): u32 {
  return sub(a & 0xff) | (sub((b >> 8) & 0xff) << 8) | (sub((c >> 16) & 0xff) << 16) | (sub(d >> 24) << 24);
}
/** XORs `length` bytes, at least 1, from `from` with the key stream from the block `counter` on, to `to`. */
export function crypt(keys: usize, counter: u32, from: usize, to: usize, length: u32): void {
  const s0 = i0 ^ load<u32>(keys, ROUND_KEYS + 0);
  const s1 = i1 ^ load<u32>(keys, ROUND_KEYS + 4);
  const s2 = i2 ^ load<u32>(keys, ROUND_KEYS + 8);
  const s3 = (i3 & 0x00ffffff) ^ load<u32>(keys, ROUND_KEYS + 12);
  // Round 1 but for the counter's byte, which is in the first column.
  const c0 = te0(s0) ^ te1(s1) ^ te2(s2) ^ load<u32>(keys, ROUND_KEYS + 16);
  const c1 = te0(s1) ^ te1(s2) ^ te2(s3) ^ te3(s0) ^ load<u32>(keys, ROUND_KEYS + 20);
  const c2 = te0(s2) ^ te1(s3) ^ te2(s0) ^ te3(s1) ^ load<u32>(keys, ROUND_KEYS + 24);
  const c3 = te0(s3) ^ te1(s0) ^ te2(s1) ^ te3(s2) ^ load<u32>(keys, ROUND_KEYS + 28);
  // Round 2 but for that column.
  const d0 = te1(c1) ^ te2(c2) ^ te3(c3) ^ load<u32>(keys, ROUND_KEYS + 32);
  const d1 = te0(c1) ^ te1(c2) ^ te2(c3) ^ load<u32>(keys, ROUND_KEYS + 36);
  const d2 = te0(c2) ^ te1(c3) ^ te3(c1) ^ load<u32>(keys, ROUND_KEYS + 40);
  const d3 = te0(c3) ^ te2(c1) ^ te3(c2) ^ load<u32>(keys, ROUND_KEYS + 44);
  let count = counter << 24;
  for (;;) {
    const t0 = c0 ^ te3(s3 ^ count);
    count += 1 << 24;
    let a0 = d0 ^ te0(t0);
    let a1 = d1 ^ te3(t0);
    let a2 = d2 ^ te2(t0);
    let a3 = d3 ^ te1(t0);
    let b0: u32, b1: u32, b2: u32, b3: u32;
    b0 = te0(a0) ^ te1(a1) ^ te2(a2) ^ te3(a3) ^ load<u32>(keys, ROUND_KEYS + 48);
    b1 = te0(a1) ^ te1(a2) ^ te2(a3) ^ te3(a0) ^ load<u32>(keys, ROUND_KEYS + 52);
    b2 = te0(a2) ^ te1(a3) ^ te2(a0) ^ te3(a1) ^ load<u32>(keys, ROUND_KEYS + 56);
    b3 = te0(a3) ^ te1(a0) ^ te2(a1) ^ te3(a2) ^ load<u32>(keys, ROUND_KEYS + 60);
    a0 = te0(b0) ^ te1(b1) ^ te2(b2) ^ te3(b3) ^ load<u32>(keys, ROUND_KEYS + 64);
    a1 = te0(b1) ^ te1(b2) ^ te2(b3) ^ te3(b0) ^ load<u32>(keys, ROUND_KEYS + 68);
    a2 = te0(b2) ^ te1(b3) ^ te2(b0) ^ te3(b1) ^ load<u32>(keys, ROUND_KEYS + 72);
    a3 = te0(b3) ^ te1(b0) ^ te2(b1) ^ te3(b2) ^ load<u32>(keys, ROUND_KEYS + 76);
    b0 = te0(a0) ^ te1(a1) ^ te2(a2) ^ te3(a3) ^ load<u32>(keys, ROUND_KEYS + 80);
    b1 = te0(a1) ^ te1(a2) ^ te2(a3) ^ te3(a0) ^ load<u32>(keys, ROUND_KEYS + 84);
    b2 = te0(a2) ^ te1(a3) ^ te2(a0) ^ te3(a1) ^ load<u32>(keys, ROUND_KEYS + 88);
    b3 = te0(a3) ^ te1(a0) ^ te2(a1) ^ te3(a2) ^ load<u32>(keys, ROUND_KEYS + 92);
    a0 = te0(b0) ^ te1(b1) ^ te2(b2) ^ te3(b3) ^ load<u32>(keys, ROUND_KEYS + 96);
    a1 = te0(b1) ^ te1(b2) ^ te2(b3) ^ te3(b0) ^ load<u32>(keys, ROUND_KEYS + 100);
    a2 = te0(b2) ^ te1(b3) ^ te2(b0) ^ te3(b1) ^ load<u32>(keys, ROUND_KEYS + 104);
    a3 = te0(b3) ^ te1(b0) ^ te2(b1) ^ te3(b2) ^ load<u32>(keys, ROUND_KEYS + 108);
    b0 = te0(a0) ^ te1(a1) ^ te2(a2) ^ te3(a3) ^ load<u32>(keys, ROUND_KEYS + 112);
    b1 = te0(a1) ^ te1(a2) ^ te2(a3) ^ te3(a0) ^ load<u32>(keys, ROUND_KEYS + 116);
    b2 = te0(a2) ^ te1(a3) ^ te2(a0) ^ te3(a1) ^ load<u32>(keys, ROUND_KEYS + 120);
    b3 = te0(a3) ^ te1(a0) ^ te2(a1) ^ te3(a2) ^ load<u32>(keys, ROUND_KEYS + 124);
    a0 = te0(b0) ^ te1(b1) ^ te2(b2) ^ te3(b3) ^ load<u32>(keys, ROUND_KEYS + 128);
    a1 = te0(b1) ^ te1(b2) ^ te2(b3) ^ te3(b0) ^ load<u32>(keys, ROUND_KEYS + 132);
    a2 = te0(b2) ^ te1(b3) ^ te2(b0) ^ te3(b1) ^ load<u32>(keys, ROUND_KEYS + 136);
    a3 = te0(b3) ^ te1(b0) ^ te2(b1) ^ te3(b2) ^ load<u32>(keys, ROUND_KEYS + 140);
    b0 = te0(a0) ^ te1(a1) ^ te2(a2) ^ te3(a3) ^ load<u32>(keys, ROUND_KEYS + 144);
    b1 = te0(a1) ^ te1(a2) ^ te2(a3) ^ te3(a0) ^ load<u32>(keys, ROUND_KEYS + 148);
    b2 = te0(a2) ^ te1(a3) ^ te2(a0) ^ te3(a1) ^ load<u32>(keys, ROUND_KEYS + 152);
    b3 = te0(a3) ^ te1(a0) ^ te2(a1) ^ te3(a2) ^ load<u32>(keys, ROUND_KEYS + 156);
    a0 = last(b0, b1, b2, b3) ^ load<u32>(keys, ROUND_KEYS + 160);
    a1 = last(b1, b2, b3, b0) ^ load<u32>(keys, ROUND_KEYS + 164);
    a2 = last(b2, b3, b0, b1) ^ load<u32>(keys, ROUND_KEYS + 168);
    a3 = last(b3, b0, b1, b2) ^ load<u32>(keys, ROUND_KEYS + 172);
    if (length < 16) {
      // The rest of the packet, or nothing.
      store<u32>(BLOCK, a0, 0);
      store<u32>(BLOCK, a1, 4);
      store<u32>(BLOCK, a2, 8);
      store<u32>(BLOCK, a3, 12);
      for (let i: usize = 0; i < <usize>length; i++)
        store<u8>(to + i, load<u8>(from + i) ^ load<u8>(BLOCK + i));
      return;
    }
    store<u32>(to, load<u32>(from, 0) ^ a0, 0);
    store<u32>(to, load<u32>(from, 4) ^ a1, 4);
    store<u32>(to, load<u32>(from, 8) ^ a2, 8);
    store<u32>(to, load<u32>(from, 12) ^ a3, 12);
    length -= 16;
    if (length == 0) return;
    from += 16;
    to += 16;
  }
}
