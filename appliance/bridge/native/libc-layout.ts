/**
 * Sizes of the structures that native/libc.ts describes; apart from it, so that cores can lay out memory without the system's library.
 */

export const MMSGHDR_BYTES = 64;
export const IOVEC_BYTES = 16;
/** CMSG_SPACE of one u16. */
export const SEGMENT_CONTROL_BYTES = 24;
/** CMSG_LEN of one u16. */
export const SEGMENT_CONTROL_LENGTH = 18;
/** CMSG_SPACE of one i32. */
export const COALESCED_CONTROL_BYTES = 24;
export const POLLFD_BYTES = 8;
