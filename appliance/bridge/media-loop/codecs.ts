/**
 * Codecs as numbers, for tables by payload type; which parser reads a packet, which filter forwards it.
 */

import type { LayerFilter } from "../forward/layer-filter.ts";
import { PlainFilter } from "../forward/layer-filter.ts";
import type { Rewrite } from "../forward/rewrite.ts";
import { Vp8Filter } from "../forward/vp8-filter.ts";
import type { CodecName } from "../media-commands.ts";
import type { RtpPacket } from "../rtp/packet.ts";
import { parseVp8, rewriteVp8 } from "../rtp/vp8.ts";

export const Codec = {
  unknown: -1,
  opus: 0,
  red: 1,
  telephoneEvent: 2,
  vp8: 3,
  vp9: 4,
  av1: 5,
  h264: 6,
  rtx: 7,
  other: 8,
} as const;

const NUMBERS: Readonly<Record<CodecName, number>> = {
  opus: Codec.opus,
  red: Codec.red,
  "telephone-event": Codec.telephoneEvent,
  vp8: Codec.vp8,
  vp9: Codec.vp9,
  av1: Codec.av1,
  h264: Codec.h264,
  rtx: Codec.rtx,
  other: Codec.other,
};

export const codecNumber = (name: CodecName): number => NUMBERS[name];

/** Whether key frames of a codec can be told, so that forwarding waits for one. */
export const showsKeyFrames = (codec: number): boolean => codec === Codec.vp8;

export function parsePayload(codec: number, bytes: Uint8Array, packet: RtpPacket): boolean {
  switch (codec) {
    case Codec.vp8:
      return parseVp8(bytes, packet);
    default:
      packet.clearCodec();
      packet.frameEnd = packet.marker;
      return true;
  }
}

export function makeFilter(codec: number): LayerFilter {
  switch (codec) {
    case Codec.vp8:
      return new Vp8Filter();
    default:
      return new PlainFilter();
  }
}

/** Puts the receiver's own numbers into the payload, in place. */
export function rewritePayload(codec: number, bytes: Uint8Array, packet: RtpPacket, rewrite: Rewrite): void {
  if (codec === Codec.vp8) rewriteVp8(bytes, packet, rewrite.pictureId, rewrite.temporalZeroIndex);
}
