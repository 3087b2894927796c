/**
 * Generic NACK, RFC 4585 §6.2.1: header, sender SSRC, media SSRC, then entries of (PID, bitmask of the sixteen following).
 */
import { read16, read32, write16, write32 } from "../rtp/bytes.ts";
import { FeedbackFormat, RtcpType, writeRtcpHeader } from "./compound.ts";

export const NACK_HEADER_LENGTH = 12;

/** SSRC that the NACK is about; false: too short. */
export const nackMediaSsrc = (bytes: Uint8Array, offset: number): number => read32(bytes, offset + 8);

/** Entries that the packet's length really holds. */
export const nackEntryCount = (length: number): number =>
  length < NACK_HEADER_LENGTH ? 0 : (length - NACK_HEADER_LENGTH) >>> 2;

export const nackPid = (bytes: Uint8Array, offset: number, entry: number): number =>
  read16(bytes, offset + NACK_HEADER_LENGTH + entry * 4);

export const nackBitmask = (bytes: Uint8Array, offset: number, entry: number): number =>
  read16(bytes, offset + NACK_HEADER_LENGTH + entry * 4 + 2);

/**
 * Writes one NACK for `count` ascending sequence numbers, at most `maxBytes` long; what does not fit is left out. Returns the length, 0 for none.
 */
export function writeNack(
  bytes: Uint8Array,
  offset: number,
  maxBytes: number,
  senderSsrc: number,
  mediaSsrc: number,
  sequences: Uint16Array,
  count: number,
): number {
  if (count === 0) return 0;
  let at = offset + NACK_HEADER_LENGTH;
  let index = 0;
  while (index < count && at + 4 <= offset + maxBytes) {
    const pid = sequences[index] as number;
    let mask = 0;
    index += 1;
    while (index < count) {
      const ahead = ((sequences[index] as number) - pid) & 0xffff;
      if (ahead < 1 || ahead > 16) break;
      mask |= 1 << (ahead - 1);
      index += 1;
    }
    write16(bytes, at, pid);
    write16(bytes, at + 2, mask);
    at += 4;
  }
  if (at === offset + NACK_HEADER_LENGTH) return 0;
  writeRtcpHeader(bytes, offset, FeedbackFormat.nack, RtcpType.transportFeedback, at - offset, senderSsrc);
  write32(bytes, offset + 8, mediaSsrc);
  return at - offset;
}
