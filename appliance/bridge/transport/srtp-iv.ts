/**
 * Initialization vectors as four big-endian words: RFC 3711 §4.1.1 for AES-CM, RFC 7714 §8.1 and §9.1 for GCM. The salt's words are kept per
 * context; per packet the SSRC and the index are XORed in, written into `words` in the byte order of memory.
 */

/** Big-endian words of a salt of 12 or 14 bytes, the rest zero. */
export function saltWords(salt: Uint8Array): Int32Array {
  const words = new Int32Array(4);
  for (let i = 0; i < salt.length; i++)
    words[i >> 2] = (words[i >> 2] as number) | ((salt[i] as number) << (24 - 8 * (i & 3)));
  return words;
}

/** The three words of a salt for GCM as numbers of an object, so that they need no cache line of their own. */
export class GcmSalt {
  word0: number;
  word1: number;
  word2: number;

  constructor(salt: Uint8Array) {
    const words = saltWords(salt);
    this.word0 = words[0] as number;
    this.word1 = words[1] as number;
    this.word2 = words[2] as number;
    words.fill(0);
  }

  wipe(): void {
    this.word0 = 0;
    this.word1 = 0;
    this.word2 = 0;
  }
}

/** Swaps the bytes of a word: this machine is little-endian (x86-64, aarch64; the shells check it). */
export const swap = (word: number): number =>
  (word >>> 24) | ((word >>> 8) & 0xff00) | ((word << 8) & 0xff0000) | (word << 24);

/** `roc` and `sequence` of RTP; for SRTCP index >>> 16 and index & 0xffff. */
export function writeCounterIv(
  words: Int32Array,
  at: number,
  salt: Int32Array,
  ssrc: number,
  roc: number,
  sequence: number,
): void {
  words[at] = swap(salt[0] as number);
  words[at + 1] = swap((salt[1] as number) ^ ssrc);
  words[at + 2] = swap((salt[2] as number) ^ roc);
  words[at + 3] = swap((salt[3] as number) ^ (sequence << 16));
}

/** RTP: 00 00 | SSRC | ROC | SEQ. The salt word by word. */
export function writeGcmRtpIv(
  words: Int32Array,
  at: number,
  salt0: number,
  salt1: number,
  salt2: number,
  ssrc: number,
  roc: number,
  sequence: number,
): void {
  words[at] = swap(salt0 ^ (ssrc >>> 16));
  words[at + 1] = swap(salt1 ^ ((ssrc << 16) | (roc >>> 16)));
  words[at + 2] = swap(salt2 ^ ((roc << 16) | sequence));
}

/** SRTCP: 00 00 | SSRC | 00 00 | index. */
export function writeGcmRtcpIv(words: Int32Array, at: number, salt: GcmSalt, ssrc: number, index: number): void {
  words[at] = swap(salt.word0 ^ (ssrc >>> 16));
  words[at + 1] = swap(salt.word1 ^ (ssrc << 16));
  words[at + 2] = swap(salt.word2 ^ index);
}
