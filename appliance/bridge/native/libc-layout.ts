/**
 * Sizes of the structures that native/libc.ts describes; apart from it, so that cores can lay out memory without the system's library.
 */

/** A 64-bit address, as two words from index `word` on; little-endian. */
export function writePointer(words: Uint32Array, word: number, address: number): void {
  words[word] = address | 0; // modulo 2³²
  words[word + 1] = Math.floor(address / TWO_32);
}

const TWO_32 = 4_294_967_296;

export const MMSGHDR_BYTES = 64;
export const IOVEC_BYTES = 16;
/** CMSG_SPACE of one u16. */
export const SEGMENT_CONTROL_BYTES = 24;
/** CMSG_LEN of one u16. */
export const SEGMENT_CONTROL_LENGTH = 18;
/** CMSG_SPACE of one i32. */
export const COALESCED_CONTROL_BYTES = 24;
export const POLLFD_BYTES = 8;
