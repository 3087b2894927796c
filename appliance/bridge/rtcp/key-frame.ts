/**
 * Requests for a key frame: PLI (RFC 4585 §6.3.1) and FIR (RFC 5104 §4.3.1).
 */
import { read8, read32, write32 } from "../rtp/bytes.ts";
import { FeedbackFormat, RtcpType, writeRtcpHeader } from "./compound.ts";

export const PLI_LENGTH = 12;
export const FIR_LENGTH = 20;

export function writePli(bytes: Uint8Array, offset: number, senderSsrc: number, mediaSsrc: number): number {
  writeRtcpHeader(bytes, offset, FeedbackFormat.pictureLoss, RtcpType.payloadFeedback, PLI_LENGTH, senderSsrc);
  write32(bytes, offset + 8, mediaSsrc);
  return PLI_LENGTH;
}

/** `commandSequence`, 0 … 255, grows by one for each new request to this SSRC. */
export function writeFir(
  bytes: Uint8Array,
  offset: number,
  senderSsrc: number,
  mediaSsrc: number,
  commandSequence: number,
): number {
  writeRtcpHeader(bytes, offset, FeedbackFormat.fullIntraRequest, RtcpType.payloadFeedback, FIR_LENGTH, senderSsrc);
  write32(bytes, offset + 8, 0); // §4.3.1.2: media source field unused
  write32(bytes, offset + 12, mediaSsrc);
  write32(bytes, offset + 16, 0);
  bytes[offset + 16] = commandSequence;
  return FIR_LENGTH;
}

/** How many targets a FIR really holds. */
export const firEntryCount = (length: number): number => (length < FIR_LENGTH ? 0 : (length - 12) >>> 3);

export const firSsrc = (bytes: Uint8Array, offset: number, entry: number): number =>
  read32(bytes, offset + 12 + entry * 8);

export const firCommandSequence = (bytes: Uint8Array, offset: number, entry: number): number =>
  read8(bytes, offset + 16 + entry * 8);
