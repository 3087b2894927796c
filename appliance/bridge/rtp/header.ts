/**
 * RTP fixed header, RFC 3550 §5.1, read and written by offset.
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   |V=2|P|X|  CC   |M|     PT      |       sequence number         |
 *   |                           timestamp                           |
 *   |           synchronization source (SSRC) identifier            |
 *   |            contributing source (CSRC) identifiers …           |
 *   |  extension profile            |  length in words  |  data …
 */
import { read8, read16, read32, write16, write32 } from "./bytes.ts";
import type { RtpPacket } from "./packet.ts";

export const FIXED_HEADER_LENGTH = 12;

/** RTP and RTCP on one port, RFC 5761 §4: payload types 64 … 95 with the marker are RTCP 192 … 223. Needs two bytes. */
export const isRtcp = (bytes: Uint8Array, offset: number): boolean => {
  const type = read8(bytes, offset + 1);
  return type >= 192 && type <= 223;
};

/**
 * Reads the header that lies in the clear, before decryption; payload fields cover everything behind it, tag included. False: not an RTP packet; then no
 * field means anything.
 */
export function parseHeader(bytes: Uint8Array, offset: number, length: number, packet: RtpPacket): boolean {
  if (length < FIXED_HEADER_LENGTH) return false;
  const first = read8(bytes, offset);
  if (first >>> 6 !== 2) return false;
  let headerLength = FIXED_HEADER_LENGTH + (first & 15) * 4;
  if (headerLength > length) return false;
  packet.extensionOffset = -1;
  packet.extensionLength = 0;
  if ((first & 0x10) !== 0) {
    if (headerLength + 4 > length) return false;
    const words = read16(bytes, offset + headerLength + 2);
    packet.extensionProfile = read16(bytes, offset + headerLength);
    packet.extensionOffset = offset + headerLength + 4;
    packet.extensionLength = words * 4;
    headerLength += 4 + words * 4;
    if (headerLength > length) return false;
  }
  const second = read8(bytes, offset + 1);
  packet.offset = offset;
  packet.headerLength = headerLength;
  packet.payloadOffset = offset + headerLength;
  packet.payloadLength = length - headerLength;
  packet.paddingLength = 0;
  packet.marker = second > 127;
  packet.payloadType = second & 0x7f;
  packet.sequence = read16(bytes, offset + 2);
  packet.timestamp = read32(bytes, offset + 4);
  packet.ssrc = read32(bytes, offset + 8);
  packet.recovered = false;
  return true;
}

/**
 * After decryption: sets the payload's length and takes the padding off it, RFC 3550 §5.1 (P). False: the padding count is nonsense.
 */
export function parsePadding(bytes: Uint8Array, plainLength: number, packet: RtpPacket): boolean {
  packet.payloadLength = plainLength;
  packet.paddingLength = 0;
  if ((read8(bytes, packet.offset) & 0x20) === 0) return true;
  if (plainLength < 1) return false;
  const padding = read8(bytes, packet.payloadOffset + plainLength - 1);
  if (padding === 0 || padding > plainLength) return false;
  packet.paddingLength = padding;
  packet.payloadLength = plainLength - padding;
  return true;
}

/** Writes the twelve fixed bytes: no CSRCs. */
export function writeHeader(
  bytes: Uint8Array,
  offset: number,
  padding: boolean,
  extension: boolean,
  marker: boolean,
  payloadType: number,
  sequence: number,
  timestamp: number,
  ssrc: number,
): void {
  bytes[offset] = 0x80 | (padding ? 0x20 : 0) | (extension ? 0x10 : 0);
  bytes[offset + 1] = (marker ? 0x80 : 0) | payloadType;
  write16(bytes, offset + 2, sequence);
  write32(bytes, offset + 4, timestamp);
  write32(bytes, offset + 8, ssrc);
}
