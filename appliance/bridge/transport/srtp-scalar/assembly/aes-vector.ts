/**
 * AES-128 (FIPS 197) in counter mode, bitsliced: eight blocks at once in eight vectors, vector b holding bit b of all bytes, a byte's bit k being
 * block k's. Constant in time. S-box by the circuit of Boyar and Peralta (A new combinational logic minimization technique, 2010), 115 gates; its
 * final NOTs are folded into the round keys.
 */
import { expandRoundKeys, initSbox } from "./key-schedule";
import { KEY_STREAM, ROUND_KEYS, SHUFFLES, SLICED_KEYS } from "./layout";

// @ts-ignore: decorator
@inline
function xor(a: v128, b: v128): v128 {
  return v128.xor(a, b);
}
// @ts-ignore: decorator
@inline
function and(a: v128, b: v128): v128 {
  return v128.and(a, b);
}

export function initAes(): void {
  initSbox();
  for (let i: u32 = 0; i < 16; i++) {
    // ShiftRows: row i & 3 comes from so many columns on.
    const shifted = (i + ((i & 3) << 2)) & 15;
    store<u8>(SHUFFLES + i, <u8>shifted);
    // The same, and then each column turned by one row.
    const turned = (i & ~3) | ((i + 1) & 3);
    store<u8>(SHUFFLES + i, <u8>((turned + ((turned & 3) << 2)) & 15), 16);
    // Each column turned by two rows.
    store<u8>(SHUFFLES + i, <u8>((i & ~3) | ((i + 2) & 3)), 32);
  }
}

export function expandKey(keys: usize, key: usize): void {
  expandRoundKeys(keys, key);
  for (let round: usize = 1; round <= 10; round++) {
    const plain = xor(v128.load(keys + (round << 4), ROUND_KEYS), i8x16.splat(0x63));
    const to = keys + SLICED_KEYS + ((round - 1) << 7);
    for (let bit: i32 = 0; bit < 8; bit++)
      v128.store(to + (bit << 4), i8x16.neg(and(i8x16.shr_u(plain, bit), i8x16.splat(1))));
  }
}

/**
 * Begins a packet: the words of its counter block in memory order, whose last byte counts and is 0 here. Makes the key stream of the counters
 * 0 … blocks − 1, rounded up to eight.
 */
export function begin(keys: usize, w0: u32, w1: u32, w2: u32, w3: u32, blocks: u32): void {
  let iv = i32x4.splat(w0);
  iv = i32x4.replace_lane(iv, 1, w1);
  iv = i32x4.replace_lane(iv, 2, w2);
  iv = i32x4.replace_lane(iv, 3, w3);
  const plain = xor(iv, v128.load(keys, ROUND_KEYS));
  const batches = (blocks + 7) >> 3;
  const one = i8x16.splat(1);
  const counting = i8x16.replace_lane(i8x16.splat(0), 15, -1);
  const base0 = xor(i8x16.neg(and(plain, one)), and(counting, i8x16.splat(<i8>0xaa)));
  const base1 = xor(i8x16.neg(and(i8x16.shr_u(plain, 1), one)), and(counting, i8x16.splat(<i8>0xcc)));
  const base2 = xor(i8x16.neg(and(i8x16.shr_u(plain, 2), one)), and(counting, i8x16.splat(<i8>0xf0)));
  const base3 = i8x16.neg(and(i8x16.shr_u(plain, 3), one));
  const base4 = i8x16.neg(and(i8x16.shr_u(plain, 4), one));
  const base5 = i8x16.neg(and(i8x16.shr_u(plain, 5), one));
  const base6 = i8x16.neg(and(i8x16.shr_u(plain, 6), one));
  const base7 = i8x16.neg(and(i8x16.shr_u(plain, 7), one));
  for (let batch: u32 = 0; batch < batches; batch++) {
    let x7 = base0;
    let x6 = base1;
    let x5 = base2;
    let x4 = xor(base3, and(counting, i8x16.splat(<i8>-(batch & 1))));
    let x3 = xor(base4, and(counting, i8x16.splat(<i8>-((batch >> 1) & 1))));
    let x2 = xor(base5, and(counting, i8x16.splat(<i8>-((batch >> 2) & 1))));
    let x1 = xor(base6, and(counting, i8x16.splat(<i8>-((batch >> 3) & 1))));
    let x0 = xor(base7, and(counting, i8x16.splat(<i8>-((batch >> 4) & 1))));
    let key = keys + SLICED_KEYS;
    const end = key + 9 * 128;
    for (;;) {
      const y14 = xor(x3, x5);
      const y13 = xor(x0, x6);
      const y9 = xor(x0, x3);
      const y8 = xor(x0, x5);
      const t0 = xor(x1, x2);
      const y1 = xor(t0, x7);
      const y4 = xor(y1, x3);
      const y12 = xor(y13, y14);
      const y2 = xor(y1, x0);
      const y5 = xor(y1, x6);
      const y3 = xor(y5, y8);
      const t1 = xor(x4, y12);
      const y15 = xor(t1, x5);
      const y20 = xor(t1, x1);
      const y6 = xor(y15, x7);
      const y10 = xor(y15, t0);
      const y11 = xor(y20, y9);
      const y7 = xor(x7, y11);
      const y17 = xor(y10, y11);
      const y19 = xor(y10, y8);
      const y16 = xor(t0, y11);
      const y21 = xor(y13, y16);
      const y18 = xor(x0, y16);
      const t2 = and(y12, y15);
      const t3 = and(y3, y6);
      const t4 = xor(t3, t2);
      const t5 = and(y4, x7);
      const t6 = xor(t5, t2);
      const t7 = and(y13, y16);
      const t8 = and(y5, y1);
      const t9 = xor(t8, t7);
      const t10 = and(y2, y7);
      const t11 = xor(t10, t7);
      const t12 = and(y9, y11);
      const t13 = and(y14, y17);
      const t14 = xor(t13, t12);
      const t15 = and(y8, y10);
      const t16 = xor(t15, t12);
      const t17 = xor(t4, t14);
      const t18 = xor(t6, t16);
      const t19 = xor(t9, t14);
      const t20 = xor(t11, t16);
      const t21 = xor(t17, y20);
      const t22 = xor(t18, y19);
      const t23 = xor(t19, y21);
      const t24 = xor(t20, y18);
      const t25 = xor(t21, t22);
      const t26 = and(t21, t23);
      const t27 = xor(t24, t26);
      const t28 = and(t25, t27);
      const t29 = xor(t28, t22);
      const t30 = xor(t23, t24);
      const t31 = xor(t22, t26);
      const t32 = and(t31, t30);
      const t33 = xor(t32, t24);
      const t34 = xor(t23, t33);
      const t35 = xor(t27, t33);
      const t36 = and(t24, t35);
      const t37 = xor(t36, t34);
      const t38 = xor(t27, t36);
      const t39 = and(t29, t38);
      const t40 = xor(t25, t39);
      const t41 = xor(t40, t37);
      const t42 = xor(t29, t33);
      const t43 = xor(t29, t40);
      const t44 = xor(t33, t37);
      const t45 = xor(t42, t41);
      const z0 = and(t44, y15);
      const z1 = and(t37, y6);
      const z2 = and(t33, x7);
      const z3 = and(t43, y16);
      const z4 = and(t40, y1);
      const z5 = and(t29, y7);
      const z6 = and(t42, y11);
      const z7 = and(t45, y17);
      const z8 = and(t41, y10);
      const z9 = and(t44, y12);
      const z10 = and(t37, y3);
      const z11 = and(t33, y4);
      const z12 = and(t43, y13);
      const z13 = and(t40, y5);
      const z14 = and(t29, y2);
      const z15 = and(t42, y9);
      const z16 = and(t45, y14);
      const z17 = and(t41, y8);
      const t46 = xor(z15, z16);
      const t47 = xor(z10, z11);
      const t48 = xor(z5, z13);
      const t49 = xor(z9, z10);
      const t50 = xor(z2, z12);
      const t51 = xor(z2, z5);
      const t52 = xor(z7, z8);
      const t53 = xor(z0, z3);
      const t54 = xor(z6, z7);
      const t55 = xor(z16, z17);
      const t56 = xor(z12, t48);
      const t57 = xor(t50, t53);
      const t58 = xor(z4, t46);
      const t59 = xor(z3, t54);
      const t60 = xor(t46, t57);
      const t61 = xor(z14, t57);
      const t62 = xor(t52, t58);
      const t63 = xor(t49, t58);
      const t64 = xor(z4, t59);
      const t65 = xor(t61, t62);
      const t66 = xor(z1, t63);
      const s0 = xor(t59, t63);
      const s6 = xor(t56, t62);
      const s7 = xor(t48, t60);
      const t67 = xor(t64, t65);
      const s3 = xor(t53, t66);
      const s4 = xor(t51, t66);
      const s5 = xor(t47, t65);
      const s1 = xor(t64, s3);
      const s2 = xor(t55, t67);
      const shift = v128.load(SHUFFLES);
      if (key == end) {
        x0 = i8x16.swizzle(s0, shift);
        x1 = i8x16.swizzle(s1, shift);
        x2 = i8x16.swizzle(s2, shift);
        x3 = i8x16.swizzle(s3, shift);
        x4 = i8x16.swizzle(s4, shift);
        x5 = i8x16.swizzle(s5, shift);
        x6 = i8x16.swizzle(s6, shift);
        x7 = i8x16.swizzle(s7, shift);
        break;
      }
      const shiftTurn = v128.load(SHUFFLES, 16);
      const turn = v128.load(SHUFFLES, 32);
      const r0 = i8x16.swizzle(s0, shiftTurn);
      const u0 = xor(i8x16.swizzle(s0, shift), r0);
      const r1 = i8x16.swizzle(s1, shiftTurn);
      const u1 = xor(i8x16.swizzle(s1, shift), r1);
      const r2 = i8x16.swizzle(s2, shiftTurn);
      const u2 = xor(i8x16.swizzle(s2, shift), r2);
      const r3 = i8x16.swizzle(s3, shiftTurn);
      const u3 = xor(i8x16.swizzle(s3, shift), r3);
      const r4 = i8x16.swizzle(s4, shiftTurn);
      const u4 = xor(i8x16.swizzle(s4, shift), r4);
      const r5 = i8x16.swizzle(s5, shiftTurn);
      const u5 = xor(i8x16.swizzle(s5, shift), r5);
      const r6 = i8x16.swizzle(s6, shiftTurn);
      const u6 = xor(i8x16.swizzle(s6, shift), r6);
      const r7 = i8x16.swizzle(s7, shiftTurn);
      const u7 = xor(i8x16.swizzle(s7, shift), r7);
      x7 = xor(xor(xor(r7, i8x16.swizzle(u7, turn)), u0), v128.load(key, 0));
      x6 = xor(xor(xor(xor(r6, i8x16.swizzle(u6, turn)), u7), u0), v128.load(key, 16));
      x5 = xor(xor(xor(r5, i8x16.swizzle(u5, turn)), u6), v128.load(key, 32));
      x4 = xor(xor(xor(xor(r4, i8x16.swizzle(u4, turn)), u5), u0), v128.load(key, 48));
      x3 = xor(xor(xor(xor(r3, i8x16.swizzle(u3, turn)), u4), u0), v128.load(key, 64));
      x2 = xor(xor(xor(r2, i8x16.swizzle(u2, turn)), u3), v128.load(key, 80));
      x1 = xor(xor(xor(r1, i8x16.swizzle(u1, turn)), u2), v128.load(key, 96));
      x0 = xor(xor(xor(r0, i8x16.swizzle(u0, turn)), u1), v128.load(key, 112));
      key += 128;
    }
    let q0 = xor(x7, v128.load(key, 0));
    let q1 = xor(x6, v128.load(key, 16));
    let q2 = xor(x5, v128.load(key, 32));
    let q3 = xor(x4, v128.load(key, 48));
    let q4 = xor(x3, v128.load(key, 64));
    let q5 = xor(x2, v128.load(key, 80));
    let q6 = xor(x1, v128.load(key, 96));
    let q7 = xor(x0, v128.load(key, 112));
    // Bits to blocks: three layers of swaps.
    let t: v128;
    t = and(xor(i64x2.shr_u(q0, 1), q1), i8x16.splat(0x55));
    q1 = xor(q1, t);
    q0 = xor(q0, i64x2.shl(t, 1));
    t = and(xor(i64x2.shr_u(q2, 1), q3), i8x16.splat(0x55));
    q3 = xor(q3, t);
    q2 = xor(q2, i64x2.shl(t, 1));
    t = and(xor(i64x2.shr_u(q4, 1), q5), i8x16.splat(0x55));
    q5 = xor(q5, t);
    q4 = xor(q4, i64x2.shl(t, 1));
    t = and(xor(i64x2.shr_u(q6, 1), q7), i8x16.splat(0x55));
    q7 = xor(q7, t);
    q6 = xor(q6, i64x2.shl(t, 1));
    t = and(xor(i64x2.shr_u(q0, 2), q2), i8x16.splat(0x33));
    q2 = xor(q2, t);
    q0 = xor(q0, i64x2.shl(t, 2));
    t = and(xor(i64x2.shr_u(q1, 2), q3), i8x16.splat(0x33));
    q3 = xor(q3, t);
    q1 = xor(q1, i64x2.shl(t, 2));
    t = and(xor(i64x2.shr_u(q4, 2), q6), i8x16.splat(0x33));
    q6 = xor(q6, t);
    q4 = xor(q4, i64x2.shl(t, 2));
    t = and(xor(i64x2.shr_u(q5, 2), q7), i8x16.splat(0x33));
    q7 = xor(q7, t);
    q5 = xor(q5, i64x2.shl(t, 2));
    t = and(xor(i64x2.shr_u(q0, 4), q4), i8x16.splat(0x0f));
    q4 = xor(q4, t);
    q0 = xor(q0, i64x2.shl(t, 4));
    t = and(xor(i64x2.shr_u(q1, 4), q5), i8x16.splat(0x0f));
    q5 = xor(q5, t);
    q1 = xor(q1, i64x2.shl(t, 4));
    t = and(xor(i64x2.shr_u(q2, 4), q6), i8x16.splat(0x0f));
    q6 = xor(q6, t);
    q2 = xor(q2, i64x2.shl(t, 4));
    t = and(xor(i64x2.shr_u(q3, 4), q7), i8x16.splat(0x0f));
    q7 = xor(q7, t);
    q3 = xor(q3, i64x2.shl(t, 4));
    const to = KEY_STREAM + (<usize>batch << 7);
    v128.store(to, q0, 0);
    v128.store(to, q1, 16);
    v128.store(to, q2, 32);
    v128.store(to, q3, 48);
    v128.store(to, q4, 64);
    v128.store(to, q5, 80);
    v128.store(to, q6, 96);
    v128.store(to, q7, 112);
  }
}

/** XORs `length` bytes from `from` with the key stream from the block `counter` on, to `to`. */
export function crypt(keys: usize, counter: u32, from: usize, to: usize, length: u32): void {
  let stream = KEY_STREAM + (<usize>counter << 4);
  while (length >= 16) {
    v128.store(to, xor(v128.load(from), v128.load(stream)));
    from += 16;
    to += 16;
    stream += 16;
    length -= 16;
  }
  for (let i: usize = 0; i < <usize>length; i++) store<u8>(to + i, load<u8>(from + i) ^ load<u8>(stream + i));
}
