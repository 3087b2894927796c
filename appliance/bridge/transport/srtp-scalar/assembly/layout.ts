/**
 * Where the kernel's data lie in the packet memory, which it imports. The tables stand at fixed low offsets, so that they are immediates of the
 * load instructions; contexts wherever the loader puts them. Words are little-endian, the byte order of WebAssembly: column words of AES and
 * field elements of GHASH are kept in memory order, and nothing is swapped.
 */

/** AES by table: S-box and MixColumns in one look-up, a table per row of the column; 4 × 1 KiB. */
export const TE0: usize = 0;
export const TE1: usize = 1024;
export const TE2: usize = 2048;
export const TE3: usize = 3072;
/** AES: S-box, 256 B. */
export const SBOX: usize = 4096;
/** GHASH: what a byte shifted out at the far end becomes at the near end; 256 × 2 B. */
export const REDUCTION: usize = 4352;
/** One block: a block of key stream, a padded HMAC key. */
export const BLOCK: usize = 4864;
/** SHA-1 state between calls: 5 words. */
export const STATE: usize = 4992;
/** SHA-1: the four additive constants, which take two instructions each where they are immediates. */
export const CONSTANTS: usize = 5040;
/** AES in vectors: three permutations of a block's bytes, 16 B each. */
export const SHUFFLES: usize = 5056;
// 5120: keys on their way in, 64 B (the loader).
/** AES in vectors: key stream of one packet, up to 4 KiB. */
export const KEY_STREAM: usize = 8192;

// A set of keys, of RTP or RTCP, within a context:
/** 44 words. */
export const ROUND_KEYS: usize = 0;
/** Salt, 12 or 14 bytes and zeros. */
export const SALT: usize = 176;
/** SHA-1 states after the padded HMAC key, 5 words each. */
export const INNER: usize = 192;
export const OUTER: usize = 212;
/** AES in vectors: the round keys 1 … 10 bit by bit, 10 × 128 B. */
export const SLICED_KEYS: usize = 256;
/** GHASH: the multiples of H by every byte, 256 × 16 B. */
export const MULTIPLES: usize = 1536;
