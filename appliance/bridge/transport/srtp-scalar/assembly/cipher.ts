/**
 * The AES of this build: bitsliced in vectors where the compiler may use SIMD (kernel-vector.wasm), by table where not (kernel.wasm).
 */
import * as tables from "./aes-tables";
import * as vector from "./aes-vector";

// @ts-ignore: decorator
@inline
export function initAes(): void {
  if (ASC_FEATURE_SIMD) vector.initAes();
  else tables.initAes();
}

// @ts-ignore: decorator
@inline
export function expandKey(keys: usize, key: usize): void {
  if (ASC_FEATURE_SIMD) vector.expandKey(keys, key);
  else tables.expandKey(keys, key);
}

/** Begins a packet of which at most `blocks` blocks of key stream will be asked for, counted from 0. */
// @ts-ignore: decorator
@inline
export function begin(keys: usize, w0: u32, w1: u32, w2: u32, w3: u32, blocks: u32): void {
  if (ASC_FEATURE_SIMD) vector.begin(keys, w0, w1, w2, w3, blocks);
  else tables.begin(keys, w0, w1, w2, w3, blocks);
}

/** XORs `length` bytes from `from` with the key stream from the block `counter` on, to `to`. */
// @ts-ignore: decorator
@inline
export function crypt(keys: usize, counter: u32, from: usize, to: usize, length: u32): void {
  if (length == 0) return;
  if (ASC_FEATURE_SIMD) vector.crypt(keys, counter, from, to, length);
  else tables.crypt(keys, counter, from, to, length);
}
