/**
 * Redundant audio, RFC 2198 §3: a list of headers, then the redundant blocks, then the primary one.
 *
 *   |F=1| block PT | timestamp offset (14) | block length (10) |   for each redundant block
 *   |F=0| block PT |                                              the primary, whose length is what is left
 */
import { read8, read16 } from "./bytes.ts";
import type { RtpPacket } from "./packet.ts";

/** Redundant blocks that are believed; browsers send one or two. */
const MAX_BLOCKS = 8;

/** The primary block of a payload. */
export class RedPrimary {
  offset = 0;
  length = 0;
  payloadType = 0;
}

/** Finds the primary block; false: malformed. */
export function findPrimary(bytes: Uint8Array, packet: RtpPacket, primary: RedPrimary): boolean {
  let at = packet.payloadOffset;
  const end = at + packet.payloadLength;
  let redundant = 0;
  for (let block = 0; ; block++) {
    if (at >= end || block > MAX_BLOCKS) return false;
    const head = read8(bytes, at);
    if ((head & 0x80) === 0) {
      primary.payloadType = head;
      at += 1;
      break;
    }
    if (at + 4 > end) return false;
    redundant += read16(bytes, at + 2) & 0x3ff;
    at += 4;
  }
  primary.offset = at + redundant;
  primary.length = end - primary.offset;
  return primary.length > 0;
}
