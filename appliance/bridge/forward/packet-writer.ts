/**
 * The header and extension block of one outgoing packet (bridge.md 4.2): of what came in only the audio level, the video orientation and, on packets handled by
 * it, the dependency descriptor go on; transport-wide number (video) or send time are ours. Always the same set, so that packets of a run stay equal in size.
 */
import { write16, write24 } from "../rtp/bytes.ts";
import { ExtensionWriter, fitsOneByte } from "../rtp/extensions.ts";
import { FIXED_HEADER_LENGTH, writeHeader } from "../rtp/header.ts";
import type { RtpPacket } from "../rtp/packet.ts";
import type { Rewrite } from "./rewrite.ts";

/** Ids that a receiver negotiated, 0: not. */
export interface OutgoingExtensions {
  readonly audioLevel: number;
  readonly transportCc: number;
  readonly absSendTime: number;
  readonly videoOrientation: number;
  readonly dependencyDescriptor: number;
  readonly mid: number;
  /** The two-byte form may be used. */
  readonly mixed: boolean;
}

export const NO_EXTENSIONS: OutgoingExtensions = {
  audioLevel: 0,
  transportCc: 0,
  absSendTime: 0,
  videoOrientation: 0,
  dependencyDescriptor: 0,
  mid: 0,
  mixed: false,
};

/** RFC 8285 §4.2, one-byte form. */
export const MAX_MID_LENGTH = 16;
/** The longest header that the functions here write: fixed part, block header, and elements with a mid and a descriptor of 255 bytes. */
export const MAX_HEADER_LENGTH = 12 + 4 + 4 + 5 + 3 + (2 + MAX_MID_LENGTH) + 257 + 3;
/** The longest that `writeAudioHeader` writes: fixed part, block header, level, mid, padding. */
export const MAX_AUDIO_HEADER_LENGTH = 12 + 4 + 3 + (2 + MAX_MID_LENGTH) + 3;

/** Id of the transport-wide number where a video packet may carry nothing else, in the usual form; 0: it may carry other things. */
export const usualVideoId = ({ transportCc }: OutgoingExtensions): number => (transportCc <= 14 ? transportCc : 0);

/** Whether this packet carries nothing but the transport-wide number (`usualVideoId`). */
export const isUsualVideo = (packet: RtpPacket, rewrite: Rewrite, mid: Uint8Array | undefined): boolean =>
  rewrite.frameNumber < 0 && packet.videoOrientation < 0 && mid === undefined;

/** `writeVideoHeader` for the usual packet: without a look at what was negotiated. Returns the header's length. */
export function writeUsualVideoHeader(
  bytes: Uint8Array,
  offset: number,
  rewrite: Rewrite,
  ssrc: number,
  payloadType: number,
  transportId: number,
  transport: number,
): number {
  writeHeader(bytes, offset, false, true, rewrite.marker, payloadType, rewrite.sequence, rewrite.timestamp, ssrc);
  return oneElement(bytes, offset, transportId, 2, transport << 8);
}

const writer = new ExtensionWriter();

/** Returns the header's length. */
export function writeAudioHeader(
  bytes: Uint8Array,
  offset: number,
  packet: RtpPacket,
  rewrite: Rewrite,
  extensions: OutgoingExtensions,
  ssrc: number,
  payloadType: number,
  mid: Uint8Array | undefined,
): number {
  const id = extensions.audioLevel;
  const level = id > 0 && packet.audioLevel >= 0;
  const midId = mid === undefined ? 0 : extensions.mid;
  const any = level || midId > 0;
  writeHeader(bytes, offset, false, any, rewrite.marker, payloadType, rewrite.sequence, rewrite.timestamp, ssrc);
  if (!any) return FIXED_HEADER_LENGTH;
  if (level && id <= 14 && midId === 0)
    return oneElement(bytes, offset, id, 1, ((packet.voice ? 0x80 : 0) | packet.audioLevel) << 16);
  writer.begin(offset + FIXED_HEADER_LENGTH, (level && id > 14) || midId > 14);
  if (level) bytes[writer.element(bytes, id, 1)] = (packet.voice ? 0x80 : 0) | packet.audioLevel;
  if (midId > 0 && mid !== undefined) writeMid(bytes, midId, mid);
  return FIXED_HEADER_LENGTH + writer.end(bytes);
}

function writeMid(bytes: Uint8Array, id: number, mid: Uint8Array): void {
  const at = writer.element(bytes, id, mid.length);
  for (let index = 0; index < mid.length; index++) bytes[at + index] = mid[index] as number;
}

/** `transport`: number for the transport-wide extension; ignored where it was not negotiated. Returns the header's length. */
export function writeVideoHeader(
  bytes: Uint8Array,
  offset: number,
  packet: RtpPacket,
  rewrite: Rewrite,
  extensions: OutgoingExtensions,
  ssrc: number,
  payloadType: number,
  sequence: number,
  padded: boolean,
  transport: number,
  nowMs: number,
  mid: Uint8Array | undefined,
): number {
  const descriptorId = rewrite.frameNumber >= 0 ? extensions.dependencyDescriptor : 0;
  const orientationId = packet.videoOrientation >= 0 ? extensions.videoOrientation : 0;
  const transportId = extensions.transportCc;
  const timeId = transportId > 0 ? 0 : extensions.absSendTime;
  const midId = mid === undefined ? 0 : extensions.mid;
  const any = descriptorId + orientationId + transportId + timeId + midId > 0;
  writeHeader(bytes, offset, padded, any, rewrite.marker, payloadType, sequence, rewrite.timestamp, ssrc);
  if (!any) return FIXED_HEADER_LENGTH;
  if (transportId > 0 && transportId <= 14 && descriptorId + orientationId + midId === 0)
    return oneElement(bytes, offset, transportId, 2, transport << 8);
  const twoByte =
    transportId > 14 ||
    timeId > 14 ||
    orientationId > 14 ||
    midId > 14 ||
    (descriptorId > 0 && !fitsOneByte(descriptorId, packet.descriptorLength));
  writer.begin(offset + FIXED_HEADER_LENGTH, twoByte);
  if (transportId > 0) write16(bytes, writer.element(bytes, transportId, 2), transport);
  // abs-send-time: seconds in 6.18 fixed point.
  if (timeId > 0) write24(bytes, writer.element(bytes, timeId, 3), Math.floor((nowMs % 64_000) * 262.144));
  if (orientationId > 0) bytes[writer.element(bytes, orientationId, 1)] = packet.videoOrientation;
  if (midId > 0 && mid !== undefined) writeMid(bytes, midId, mid);
  if (descriptorId > 0) {
    const at = writer.element(bytes, descriptorId, packet.descriptorLength);
    bytes.copyWithin(at, packet.descriptorOffset, packet.descriptorOffset + packet.descriptorLength);
    rewriteDescriptor(bytes, at, packet.descriptorLength, rewrite);
  }
  return FIXED_HEADER_LENGTH + writer.end(bytes);
}

/** The usual block: one element of one to three bytes in the one-byte form, `value` its bytes from the high end of 24 bits. Returns the header's length. */
function oneElement(bytes: Uint8Array, offset: number, id: number, length: number, value: number): number {
  bytes[offset + 12] = 0xbe;
  bytes[offset + 13] = 0xde;
  bytes[offset + 14] = 0;
  bytes[offset + 15] = 1;
  bytes[offset + 16] = (id << 4) | (length - 1);
  write24(bytes, offset + 17, value);
  return FIXED_HEADER_LENGTH + 8;
}

/** Mandatory fields of the dependency descriptor: start and end bits, six bits of template id, sixteen of frame number. */
function rewriteDescriptor(bytes: Uint8Array, at: number, length: number, rewrite: Rewrite): void {
  const first = bytes[at] as number;
  bytes[at] = (first & 0xc0) | ((first + rewrite.templateOffset) & 0x3f);
  write16(bytes, at + 1, rewrite.frameNumber);
  // A structure names its first template id: six bits behind the five flags of the fourth byte.
  if (length > 4 && ((bytes[at + 3] as number) & 0x80) !== 0) {
    const id = ((((bytes[at + 3] as number) & 7) << 3) | ((bytes[at + 4] as number) >>> 5)) + rewrite.templateOffset;
    bytes[at + 3] = ((bytes[at + 3] as number) & 0xf8) | ((id >>> 3) & 7);
    bytes[at + 4] = ((bytes[at + 4] as number) & 0x1f) | ((id & 7) << 5);
  }
}
