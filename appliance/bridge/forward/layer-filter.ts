/**
 * Pass or drop inside one encoding: which frames of it a receiver's target layer needs, and the codec's own numbers made continuous. One
 * implementation per codec family.
 */
import type { RtpPacket } from "../rtp/packet.ts";
import type { Rewrite } from "./rewrite.ts";

/** The codec's numbers sent last on one outgoing stream: a filter that begins continues from here. */
export class LastSent {
  /** −1: none was sent yet. */
  pictureId = -1;
  temporalZeroIndex = -1;
  frameNumber = -1;
  /** Dependency descriptor: ids of templates used last, first and one past the last. */
  templateEnd = 0;
}

export interface LayerFilter {
  /** Highest layer wanted; takes effect where the codec allows. */
  setTarget(spatial: number, temporal: number): void;
  /** The stream begins, or begins again, with this packet: the first of a key frame where the codec shows them. */
  begin(packet: RtpPacket, last: LastSent): void;
  /** Whether the packet goes on; then the codec's fields and the marker of `rewrite` are set and `last` is brought up to date. */
  accept(packet: RtpPacket, rewrite: Rewrite, last: LastSent): boolean;
  /** Reads what the next packet will need (media-loop/ahead.ts); the number means nothing. */
  ahead(): number;
  /** The target cannot be reached without a key frame. */
  readonly needsKeyFrame: boolean;
}

/** For codecs whose layers are not looked at: everything passes. */
export class PlainFilter implements LayerFilter {
  readonly needsKeyFrame = false;

  ahead(): number {
    return 0;
  }

  setTarget(): void {}

  begin(): void {}

  accept(packet: RtpPacket, rewrite: Rewrite): boolean {
    rewrite.marker = packet.marker;
    rewrite.pictureId = -1;
    rewrite.temporalZeroIndex = -1;
    rewrite.frameNumber = -1;
    return true;
  }
}
