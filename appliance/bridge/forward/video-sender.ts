/**
 * One camera or screen toward one receiver: which encoding and layers pass, under numbers that go on without a seam (bridge.md 4.11).
 *
 * Encodings change on key frames only; the highest that is not above the target is taken, whichever key frame comes first, and a better one replaces it. What
 * does not show its key frames (an unknown codec) begins at once.
 */
import { NeededKeyFrame, ReceiverRequests } from "../receive/key-frame-requests.ts";
import type { RtpPacket } from "../rtp/packet.ts";
import type { LayerFilter } from "./layer-filter.ts";
import type { Rewrite } from "./rewrite.ts";
import type { OutgoingStream } from "./sender.ts";
import { SequenceMap } from "./sequence-map.ts";
import { type ClockReference, continuedTimestamp, follows, offsetBetween } from "./timestamps.ts";

const CLOCK_RATE = 90_000;
const FRAME_TICKS = 3000;
/** A timestamp carried over by sender reports may run ahead of the wall clock by this much. */
const MAX_LEAD_MS = 500;
/** Frames of other encodings without one of the current: the current one has stopped. */
const STALLED_FRAMES = 15;

/** What a sender must know of the encoding that a packet belongs to. */
export interface EncodingView extends ClockReference {
  readonly encoding: number;
}

export class VideoSender {
  // First what every packet touches: fields lie in memory in the order in which they stand here.
  readonly stream: OutgoingStream;
  /** LayerIndex; −1: nothing is forwarded. */
  #target = -1;
  #current = -1;
  #filter: LayerFilter | undefined;
  #codec = -1;
  readonly #map = new SequenceMap(64);
  #highestTimestamp = 0;
  #timestampOffset = 0;
  #otherFrames = 0;

  /** The target's encoding passes and no other. */
  readonly exactly: boolean;
  /** What the receiver asks for. */
  readonly requests = new ReceiverRequests();
  /** What has to come before the target can be forwarded. */
  readonly need = new NeededKeyFrame();
  rtxSsrc = 0;
  #beganAt = 0;
  #beganWith = -1;
  /** Encoding that the timestamp offset belongs to, when it is known by its clock. */
  #reference: EncodingView | undefined;

  /** Not `exactly`: the best encoding at or below the target passes. */
  constructor(stream: OutgoingStream, exactly = false) {
    this.stream = stream;
    this.exactly = exactly;
  }

  get target(): number {
    return this.#target;
  }

  /** Encoding that passes now; −1: none. */
  get current(): number {
    return this.#current;
  }

  get timestampOffset(): number {
    return this.#timestampOffset;
  }

  /** The target needs a key frame that has not come yet. */
  get needsKeyFrame(): boolean {
    if (this.#target < 0) return false;
    return this.#current !== this.#target >> 6 || this.lacksLayer;
  }

  /** The current encoding passes, and a layer of it that is wanted can only begin with a key frame. */
  get lacksLayer(): boolean {
    return this.#current >= 0 && this.#filter?.needsKeyFrame === true;
  }

  /** Reads what the next packet will need (media-loop/ahead.ts); the number means nothing. */
  ahead(): number {
    return (
      (this.#codec + this.#otherFrames + this.#map.ahead() + this.stream.ahead() + (this.#filter?.ahead() ?? 0)) | 0
    );
  }

  setTarget(layer: number): void {
    if (layer === this.#target) return;
    if (layer < 0) this.#current = -1;
    if (layer >> 6 !== this.#target >> 6) {
      this.requests.reset();
      this.need.met();
    }
    this.#target = layer;
    this.#applyTarget();
  }

  /** The outgoing stream now carries another source, or the source began anew: only a key frame starts it. */
  restart(): void {
    this.#current = -1;
    this.#reference = undefined;
  }

  /**
   * Whether the packet goes to this receiver; then `rewrite` is filled. `codec` tells streams of different codecs apart; `makeFilter` is called when it
   * changed (never on the steady path). `mayBegin`: forwarding of the encoding can begin with this packet.
   */
  accept(
    nowMs: number,
    packet: RtpPacket,
    from: EncodingView,
    codec: number,
    showsKeyFrames: boolean,
    makeFilter: (codec: number) => LayerFilter,
    rewrite: Rewrite,
    mayBegin: boolean,
  ): boolean {
    if (this.#target < 0) return false;
    if (from.encoding !== this.#current || codec !== this.#codec) {
      if (packet.frameStart || !showsKeyFrames) this.#otherFrames += 1;
      if (!mayBegin || !this.#wants(from.encoding, codec)) return false;
      this.#begin(nowMs, packet, from, codec, makeFilter);
    }
    const filter = this.#filter;
    if (filter === undefined) return false;
    const newest = packet.extendedSequence > this.#map.highest;
    if (!filter.accept(packet, rewrite, this.stream)) {
      if (newest) {
        this.#map.drop(packet.extendedSequence, packet.timestamp === this.#highestTimestamp);
        this.#highestTimestamp = packet.timestamp;
      }
      return false;
    }
    if (newest) this.#highestTimestamp = packet.timestamp;
    const sequence = this.#map.map(packet.extendedSequence);
    if (sequence < 0) return false;
    this.#otherFrames = 0;
    rewrite.sequence = sequence;
    rewrite.timestamp = (packet.timestamp + this.#timestampOffset) >>> 0;
    return true;
  }

  /** Outgoing number that the current encoding began with: gaps before it belong to what is not forwarded any more. */
  get beganAt(): number {
    return this.#beganAt;
  }

  /** Incoming number that the current encoding began with. */
  get beganWith(): number {
    return this.#beganWith;
  }

  /** Incoming number of the current encoding behind an outgoing one; −1: none. */
  incomingOf(outgoing: number): number {
    return this.#current < 0 ? -1 : this.#map.incomingOf(outgoing);
  }

  /** A packet of the current encoding that nobody gets: padding. Its number is closed up. */
  skip(packet: RtpPacket, encoding: number): void {
    if (encoding === this.#current) this.#map.drop(packet.extendedSequence, false);
  }

  #wants(encoding: number, codec: number): boolean {
    const target = this.#target >> 6;
    if (this.exactly) return encoding === target;
    if (encoding > target) return false;
    if (this.#current < 0 || this.#current > target || encoding > this.#current) return true;
    if (encoding === this.#current && codec !== this.#codec) return true;
    return this.#otherFrames > STALLED_FRAMES;
  }

  #begin(
    nowMs: number,
    packet: RtpPacket,
    from: EncodingView,
    codec: number,
    makeFilter: (codec: number) => LayerFilter,
  ): void {
    if (this.#filter === undefined || codec !== this.#codec) {
      this.#filter = makeFilter(codec);
      this.#codec = codec;
    }
    const stream = this.stream;
    if (stream.started) {
      const reference = this.#reference;
      const between =
        reference === undefined || reference.encoding === from.encoding
          ? reference === undefined
            ? undefined
            : 0
          : offsetBetween(reference, from, CLOCK_RATE);
      const carried = between === undefined ? undefined : this.#timestampOffset + between;
      if (carried !== undefined && follows(packet.timestamp + carried, stream, nowMs, CLOCK_RATE, MAX_LEAD_MS))
        this.#timestampOffset = carried | 0;
      else this.#timestampOffset = (continuedTimestamp(stream, nowMs, CLOCK_RATE, FRAME_TICKS) - packet.timestamp) | 0;
    }
    this.#reference = from;
    this.#current = from.encoding;
    this.#otherFrames = 0;
    this.#beganAt = stream.nextSequence;
    this.#beganWith = packet.extendedSequence;
    this.need.met();
    this.#map.begin(packet.extendedSequence, this.#beganAt);
    this.#highestTimestamp = packet.timestamp;
    this.#applyTarget();
    this.#filter.begin(packet, stream);
  }

  #applyTarget(): void {
    const filter = this.#filter;
    if (filter === undefined || this.#target < 0) return;
    // Above the target until its key frame comes: the base layer only. Below it: all that there is.
    const target = this.#target >> 6;
    if (this.#current > target) filter.setTarget(0, 0);
    else if (this.#current < target) filter.setTarget(7, 7);
    else filter.setTarget((this.#target >> 3) & 7, this.#target & 7);
  }
}
