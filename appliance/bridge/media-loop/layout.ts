/**
 * The packet memory: one block for good, laid out once. The system calls and the ciphers read and write it in place.
 */
import { COALESCED_CONTROL_BYTES, IOVEC_BYTES, MMSGHDR_BYTES, SEGMENT_CONTROL_BYTES } from "../native/libc-layout.ts";
import { SRTP_SCRATCH_BYTES } from "../transport/srtp.ts";
import { KERNEL_TABLE_BYTES, kernelRegionBytes } from "../transport/srtp-providers.ts";
import { PATHS_BYTES } from "./addresses.ts";
import { MAX_ENDPOINTS } from "./bounds.ts";
import { ADDRESS_BYTES, MAX_RUNS, OUTBOX_BYTES } from "./outbox.ts";

/** Packets of one receive call. */
export const RECEIVE_SLOTS = 64;
export const SLOT_BYTES = 2048;
/** The longest datagram that is taken: what SRTP may write behind it stays in the slot. */
export const MAX_DATAGRAM = SLOT_BYTES - SRTP_SCRATCH_BYTES;
/** Where the rest of a message of joined datagrams goes, with room before it for what stands in the slot. Not a power of two: see CHUNK_BYTES. */
export const OVERFLOW_BYTES = 66 * 1024 + 17 * 64;
/** History of received video: forward/packet-log.ts. */
export const LOG_BYTES = 16 * 1024 * 1024;

const PAGE = 65536;
let next = KERNEL_TABLE_BYTES; // the kernel's tables lie at 0

const place = (bytes: number): number => {
  const at = next;
  next += (bytes + 63) & ~63;
  return at;
};

const placePages = (bytes: number): number => {
  next = Math.ceil(next / PAGE) * PAGE;
  return place(bytes);
};

/** SRTP contexts open at once: both directions of every endpoint, and some to measure and to warm up with. */
export const KERNEL_CONTEXTS = 2 * MAX_ENDPOINTS + 40;

export const Layout = {
  /** Touched only where the network joins datagrams. First, so that more than a huge page lies before what is touched all the time (HUGE_PAGES_FROM). */
  overflow: place(RECEIVE_SLOTS * OVERFLOW_BYTES),
  slots: place(RECEIVE_SLOTS * SLOT_BYTES),
  receiveHeaders: place(RECEIVE_SLOTS * MMSGHDR_BYTES),
  receiveVectors: place(RECEIVE_SLOTS * 2 * IOVEC_BYTES),
  receiveControls: place(RECEIVE_SLOTS * COALESCED_CONTROL_BYTES),
  /** One datagram cut out of a joined message. */
  cut: place(SLOT_BYTES),
  receiveAddresses: place(RECEIVE_SLOTS * ADDRESS_BYTES),
  sendHeaders: place(MAX_RUNS * MMSGHDR_BYTES),
  sendVectors: place(MAX_RUNS * IOVEC_BYTES),
  sendControls: place(MAX_RUNS * SEGMENT_CONTROL_BYTES),
  poll: place(64 * 8),
  /** struct timespec: how long ppoll waits. */
  wait: place(16),
  scratch: place(4096),
  paths: place(PATHS_BYTES),
  outbox: place(OUTBOX_BYTES),
  held: place(OUTBOX_BYTES),
  log: place(LOG_BYTES),
  /** For the scalar SRTP kernel: a whole number of pages. */
  kernel: placePages(kernelRegionBytes(KERNEL_CONTEXTS)),
} as const;

/** What every packet touches: huge pages spare the processor the look-up of some hundred small ones a batch. */
export const HUGE_PAGES_FROM = Layout.slots;
export const HUGE_PAGES_END = Layout.log + LOG_BYTES;

/** Of packet history: little, its pages stay in use for good. */
export const WARM_UP_LOG_BYTES = 256 * 1024;

/** What the made-up meeting of warm-up.ts lives in, so that a real one can go on beside it. Pages that nobody touches cost nothing. */
export const WarmUpLayout = {
  slots: place(8 * SLOT_BYTES),
  addresses: place(16 * ADDRESS_BYTES),
  paths: place(PATHS_BYTES),
  outbox: place(OUTBOX_BYTES),
  held: place(OUTBOX_BYTES),
  log: place(WARM_UP_LOG_BYTES),
} as const;

export const MEMORY_PAGES = Math.ceil(next / PAGE);
