/**
 * Walking a compound RTCP packet, RFC 3550 §6.1 and §6.4; reduced-size ones too (RFC 5506).
 *
 *   |V=2|P| count/FMT |  packet type  |  length in words − 1  |  SSRC …
 */
import { read8, read16, write16, write32 } from "../rtp/bytes.ts";

export const RtcpType = {
  senderReport: 200,
  receiverReport: 201,
  sourceDescription: 202,
  bye: 203,
  application: 204,
  transportFeedback: 205,
  payloadFeedback: 206,
  extendedReport: 207,
} as const;

/** Formats of types 205 and 206. */
export const FeedbackFormat = {
  nack: 1,
  transportWide: 15,
  pictureLoss: 1,
  fullIntraRequest: 4,
  applicationLayer: 15,
} as const;

export const RTCP_HEADER_LENGTH = 4;

/** A cursor over the packets of one compound; used over and over. */
export class RtcpCursor {
  #bytes: Uint8Array = new Uint8Array(0);
  #next = 0;
  #end = 0;

  /** Of the current packet: its first byte, its whole length (padding taken off), its type and its count or format field. */
  offset = 0;
  length = 0;
  type = 0;
  count = 0;

  begin(bytes: Uint8Array, offset: number, length: number): void {
    this.#bytes = bytes;
    this.#next = offset;
    this.#end = offset + length;
  }

  /** Steps to the next packet; false at the end or at the first malformed one: then the rest is not read. */
  next(): boolean {
    const at = this.#next;
    if (at + RTCP_HEADER_LENGTH > this.#end) return false;
    const first = read8(this.#bytes, at);
    if (first >>> 6 !== 2) return false;
    const length = (read16(this.#bytes, at + 2) + 1) * 4;
    if (at + length > this.#end) return false;
    this.offset = at;
    this.length = length;
    this.type = read8(this.#bytes, at + 1);
    this.count = first & 31;
    this.#next = at + length;
    if ((first & 0x20) !== 0) {
      const padding = read8(this.#bytes, at + length - 1);
      if (padding === 0 || padding > length - RTCP_HEADER_LENGTH) return false;
      this.length = length - padding;
    }
    return true;
  }
}

/** Header and sender SSRC of a packet whose whole length is known; returns the offset behind them. */
export function writeRtcpHeader(
  bytes: Uint8Array,
  offset: number,
  count: number,
  type: number,
  length: number,
  ssrc: number,
): number {
  bytes[offset] = 0x80 | count;
  bytes[offset + 1] = type;
  write16(bytes, offset + 2, length / 4 - 1);
  write32(bytes, offset + 4, ssrc);
  return offset + 8;
}
