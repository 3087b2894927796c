/**
 * Codecs as numbers, for tables by payload type; which parser reads a packet, which filter forwards it.
 */

import { DescriptorFilter } from "../forward/descriptor-filter.ts";
import type { LayerFilter } from "../forward/layer-filter.ts";
import { PlainFilter } from "../forward/layer-filter.ts";
import type { Rewrite } from "../forward/rewrite.ts";
import { Vp8Filter } from "../forward/vp8-filter.ts";
import { Vp9Filter } from "../forward/vp9-filter.ts";
import type { CodecName } from "../media-commands.ts";
import { parseAv1 } from "../rtp/av1.ts";
import { DependencyStructure, parseDescriptor } from "../rtp/dependency-descriptor.ts";
import { parseH264 } from "../rtp/h264.ts";
import type { RtpPacket } from "../rtp/packet.ts";
import { parseVp8, rewriteVp8 } from "../rtp/vp8.ts";
import { parseVp9, rewriteVp9 } from "../rtp/vp9.ts";

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
  /** No codec, but a way of handling one: by the dependency descriptor. */
  descriptor: 9,
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
export const showsKeyFrames = (codec: number): boolean =>
  codec === Codec.vp8 ||
  codec === Codec.vp9 ||
  codec === Codec.h264 ||
  codec === Codec.av1 ||
  codec === Codec.descriptor;

/** How a packet is handled: AV1, and H.264 where its layers are only told by it, by the dependency descriptor when there is one; else by its codec. */
export const handling = (codec: number, packet: RtpPacket): number =>
  packet.descriptorOffset >= 0 && (codec === Codec.av1 || codec === Codec.h264) ? Codec.descriptor : codec;

/** Reads what the codec says. `stream` remembers templates; where a packet is only read again (history) there is none. */
export function parsePayload(
  handled: number,
  bytes: Uint8Array,
  packet: RtpPacket,
  stream: { dependencies: DependencyStructure | undefined } | undefined,
): boolean {
  switch (handled) {
    case Codec.vp8:
      return parseVp8(bytes, packet);
    case Codec.vp9:
      return parseVp9(bytes, packet);
    case Codec.h264:
      return parseH264(bytes, packet);
    case Codec.av1:
      return parseAv1(bytes, packet);
    case Codec.descriptor: {
      if (stream === undefined) {
        packet.clearCodec();
        return true;
      }
      stream.dependencies ??= new DependencyStructure();
      if (!parseDescriptor(bytes, packet, stream.dependencies)) return false;
      packet.dependencies = stream.dependencies;
      return true;
    }
    default:
      packet.clearCodec();
      packet.frameEnd = packet.marker;
      return true;
  }
}

export function makeFilter(handled: number): LayerFilter {
  switch (handled) {
    case Codec.vp8:
      return new Vp8Filter();
    case Codec.vp9:
      return new Vp9Filter();
    case Codec.descriptor:
      return new DescriptorFilter();
    default:
      return new PlainFilter();
  }
}

/** Puts the receiver's own numbers into the payload, in place. */
export function rewritePayload(codec: number, bytes: Uint8Array, packet: RtpPacket, rewrite: Rewrite): void {
  if (codec === Codec.vp8) rewriteVp8(bytes, packet, rewrite.pictureId, rewrite.temporalZeroIndex);
  else if (codec === Codec.vp9) rewriteVp9(bytes, packet, rewrite.pictureId, rewrite.temporalZeroIndex);
}
