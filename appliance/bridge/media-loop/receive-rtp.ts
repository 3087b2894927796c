/**
 * One RTP packet's way in and out (bridge.md 4.3): header, extensions, unprotect, transport-wide arrival, then by kind: levels and routing, or retransmission,
 * loss, codec, layers; then to everybody who takes the source.
 */
import { Rewrite } from "../forward/rewrite.ts";
import { BACKLOG_SIZE, Backlog, NO_PAYLOAD } from "../receive/backlog.ts";
import { Arrival } from "../receive/reception.ts";
import { parseExtensions } from "../rtp/extensions.ts";
import { parseHeader, parsePadding } from "../rtp/header.ts";
import { RtpPacket } from "../rtp/packet.ts";
import { findPrimary, RedPrimary } from "../rtp/red.ts";
import { unwrapRtx } from "../rtp/rtx.ts";
import { structureHeight } from "../rtp/vp9.ts";
import { SRTP_AUTHENTICATION, SRTP_MALFORMED, SRTP_REPLAYED, SRTP_TOO_OLD } from "../transport/srtp.ts";
import { readAhead } from "./ahead.ts";
import { Codec, handling, makeFilter, parsePayload, showsKeyFrames } from "./codecs.ts";
import { Drop } from "./drop-reason.ts";
import { type Endpoint, LEVELS, type Source, type SourceStream } from "./endpoint.ts";
import type { KeyFrames } from "./key-frames.ts";
import { isHeard } from "./routing.ts";
import { LOG_ROOM, type Sending } from "./send.ts";
import type { LoopState } from "./state.ts";

/** RFC 6464: nothing to hear. */
const SILENCE = 127;
/** Silence packets that still go on (bridge.md 4.10). */
const FORWARDED_SILENCE = 3;
const SLOT_QUESTION_MS = 1000;
/** Room in the log that packets following a late key frame may need, each copied once more. */
const FOLLOWING_BYTES = BACKLOG_SIZE * 1536;

/** Why the SRTP context refused a packet. */
export const srtpDrop = (reason: number): number => {
  switch (reason) {
    case SRTP_AUTHENTICATION:
      return Drop.authentication;
    case SRTP_REPLAYED:
      return Drop.replayed;
    case SRTP_TOO_OLD:
      return Drop["too-old"];
    case SRTP_MALFORMED:
      return Drop["malformed-rtp"];
    default:
      return Drop["srtp-limit"];
  }
};

export class RtpPath {
  readonly #state: LoopState;
  readonly #sending: Sending;
  readonly #keyFrames: KeyFrames;
  readonly #packet = new RtpPacket();
  readonly #followed = new RtpPacket();
  readonly #rewrite = new Rewrite();
  readonly #primary = new RedPrimary();

  /** Nothing but a place for what `readAhead` answers. */
  ahead = 0;

  constructor(state: LoopState, sending: Sending, keyFrames: KeyFrames) {
    this.#state = state;
    this.#sending = sending;
    this.#keyFrames = keyFrames;
  }

  receive(nowMs: number, endpoint: Endpoint, at: number, length: number) {
    const { drops, bytes } = this.#state;
    const packet = this.#packet;
    const context = endpoint.receive;
    if (context === undefined) return drops.count(Drop["no-keys"]);
    if (!parseHeader(bytes, at, length, packet)) return drops.count(Drop["malformed-rtp"]);
    const stream = endpoint.stream(packet.ssrc);
    if (stream === undefined) return drops.count(Drop["unknown-ssrc"]);
    const table = endpoint.payload;
    const codec = table.codec[packet.payloadType] as number;
    if (codec === Codec.unknown) return drops.count(Drop["unknown-payload-type"]);
    if ((table.video[packet.payloadType] === 1) !== (stream.kind === "video"))
      return drops.count(Drop["payload-type-mismatch"]);
    parseExtensions(bytes, table.kinds, packet);
    if (stream.batch !== this.#state.batches) {
      stream.batch = this.#state.batches;
      this.ahead = readAhead(stream.owner);
    }
    const plain = context.unprotectRtp(at, packet.headerLength, length);
    if (plain < 0) {
      endpoint.refused += 1;
      return drops.count(srtpDrop(plain));
    }

    endpoint.lastReceivedAt = nowMs;
    endpoint.packetsReceived += 1;
    endpoint.bytesReceived += length;
    if (packet.transportSequence >= 0 && table.transportCc) {
      endpoint.arrivals.record(packet.transportSequence, nowMs);
      if (packet.marker) endpoint.frameEnded = true;
      this.#state.touch(endpoint);
    }
    if (!parsePadding(bytes, plain, packet)) return drops.count(Drop["malformed-rtp"]);
    stream.clockRate = table.clockRate[packet.payloadType] as number;
    if (stream.kind === "audio") return this.#audio(nowMs, endpoint, stream, packet);
    this.#state.frameOpen = !packet.marker;
    this.#video(nowMs, endpoint, stream, packet, length, codec);
  }

  #audio(nowMs: number, endpoint: Endpoint, stream: SourceStream, packet: RtpPacket) {
    const drops = this.#state.drops;
    const source = stream.owner;
    const arrival = this.#arrived(nowMs, stream, packet);
    if (arrival < 0) return;
    if (arrival === Arrival.restart) for (const taker of source.audioTakers) taker.sender.restart();

    const level = packet.audioLevel < 0 ? -1 : 127 - packet.audioLevel;
    if (endpoint.muteAudio) return this.#skipAudio(source, packet, Drop["force-muted"]);
    if (level >= 0) {
      endpoint.loudness.hear(level, nowMs);
      const heard = source.levels === undefined ? endpoint : source;
      const levels = source.levels ?? endpoint.levels;
      if (heard.levelCount === LEVELS) levels.copyWithin(0, 1);
      else heard.levelCount += 1;
      levels[heard.levelCount - 1] = level;
    }
    if (packet.payloadLength === 0) return this.#skipAudio(source, packet, Drop["padding-only"]);
    if (packet.audioLevel === SILENCE) {
      source.silent += 1;
      if (source.silent > FORWARDED_SILENCE) return this.#skipAudio(source, packet, Drop.silence);
    } else source.silent = 0;
    if (!isHeard(nowMs, endpoint)) return this.#skipAudio(source, packet, Drop["not-loudest"]);
    if (source.wantsSlot && nowMs - source.askedSlotAt >= SLOT_QUESTION_MS) {
      source.askedSlotAt = nowMs;
      this.#state.emit({ type: "audio-heard", source: source.index });
    }

    const takers = source.audioTakers;
    for (let index = 0; index < takers.length; index++) {
      const taker = takers[index] as (typeof takers)[number];
      const receiver = taker.receiver;
      if (!receiver.reachable) continue;
      if (taker.from !== packet.payloadType) {
        taker.from = packet.payloadType;
        taker.to = receiver.payload.matching(packet.payloadType, endpoint.payload);
      }
      let type = taker.to;
      const strip = type < 0 && endpoint.payload.codec[packet.payloadType] === Codec.red;
      if (strip) type = this.#primaryType(endpoint, receiver, packet);
      if (type < 0) {
        drops.count(Drop["no-codec-at-receiver"]);
        taker.sender.skip(packet);
        continue;
      }
      if (!taker.sender.accept(nowMs, packet, stream.clockRate, this.#rewrite)) continue;
      if (!strip) {
        this.#sending.audio(nowMs, receiver, taker.sender.stream, packet, this.#rewrite, type);
        continue;
      }
      const { payloadOffset, payloadLength } = packet;
      packet.payloadOffset = this.#primary.offset;
      packet.payloadLength = this.#primary.length;
      this.#sending.audio(nowMs, receiver, taker.sender.stream, packet, this.#rewrite, type);
      packet.payloadOffset = payloadOffset;
      packet.payloadLength = payloadLength;
    }
  }

  /** A receiver without RED gets the primary block alone (bridge.md 4.10): its payload type there, −1: none. */
  #primaryType(endpoint: Endpoint, receiver: Endpoint, packet: RtpPacket): number {
    if (!findPrimary(this.#state.bytes, packet, this.#primary)) return -1;
    const type = this.#primary.payloadType;
    return endpoint.payload.codec[type] === Codec.opus ? receiver.payload.matching(type, endpoint.payload) : -1;
  }

  #skipAudio(source: Source, packet: RtpPacket, reason: number): void {
    this.#state.drops.count(reason);
    const takers = source.audioTakers;
    for (let index = 0; index < takers.length; index++) (takers[index] as (typeof takers)[number]).sender.skip(packet);
  }

  #video(
    nowMs: number,
    endpoint: Endpoint,
    received: SourceStream,
    packet: RtpPacket,
    length: number,
    receivedCodec: number,
  ) {
    const { drops, bytes } = this.#state;
    let stream = received;
    let codec = receivedCodec;
    if (codec === Codec.rtx) {
      const repaired = stream.repairs;
      const type = endpoint.payload.apt[packet.payloadType] as number;
      codec = type < 0 ? Codec.unknown : (endpoint.payload.codec[type] as number);
      if (repaired === undefined || codec === Codec.unknown) return drops.count(Drop["rtx-unknown"]);
      if (this.#arrived(nowMs, stream, packet) < 0) return;
      if (!unwrapRtx(bytes, packet, repaired.ssrc, type)) return drops.count(Drop["padding-only"]);
      stream = repaired;
    } else if (stream.repairs !== undefined) return drops.count(Drop["payload-type-mismatch"]);

    const arrival = this.#arrived(nowMs, stream, packet);
    if (arrival < 0) return;
    const source = stream.owner;
    const takers = source.videoTakers;
    if (arrival === Arrival.restart) {
      stream.missing.clear();
      for (const taker of takers) if (taker.sender.current === stream.encoding) taker.sender.restart();
    } else if (arrival === Arrival.late) stream.missing.remove(packet.extendedSequence);
    else if (stream.reception.gap > 0 && endpoint.payload.nack) {
      const gap = stream.reception.gap;
      if (stream.missing.add(packet.extendedSequence - gap, gap, nowMs)) {
        endpoint.nackPending = true;
        this.#state.touch(endpoint);
      } else this.#keyFrames.lost(nowMs, stream);
    }
    if (endpoint.muteVideo) return drops.count(Drop["force-muted"]);
    if (packet.payloadLength === 0) {
      drops.count(Drop["padding-only"]);
      if (nowMs < stream.keepUntil) stream.backlog?.add(packet.extendedSequence, NO_PAYLOAD);
      for (let index = 0; index < takers.length; index++)
        (takers[index] as (typeof takers)[number]).sender.skip(packet, stream.encoding);
      return;
    }
    codec = handling(codec, packet);
    if (!parsePayload(codec, bytes, packet, stream)) return drops.count(Drop["malformed-payload"]);
    stream.layers.count(packet, length, nowMs);
    if (packet.keyFrame) this.#heights(stream, packet);
    if (packet.keyFrame && packet.frameStart) {
      this.#state.keyFramesReceived += 1;
      stream.keyFrameAwaited = false;
    } else if (stream.keyFrameAwaited) this.#keyFrames.stillAwaited(nowMs, stream);

    const late = arrival === Arrival.late;
    const shows = showsKeyFrames(codec);
    const mayBegin = shows
      ? packet.keyFrame && packet.frameStart && this.#mayBegin(nowMs, stream, packet, codec, late)
      : !late;
    if (nowMs < stream.keepUntil) this.#keep(nowMs, stream, packet);
    let position = -1;
    for (let index = 0; index < takers.length; index++) {
      const taker = takers[index] as (typeof takers)[number];
      const sender = taker.sender;
      if (sender.target < 0) continue;
      const receiver = taker.receiver;
      if (!receiver.reachable) continue;
      if (taker.from !== packet.payloadType) {
        taker.from = packet.payloadType;
        taker.to = receiver.payload.matching(packet.payloadType, endpoint.payload);
      }
      if (taker.to < 0) {
        drops.count(Drop["no-codec-at-receiver"]);
        continue;
      }
      const passes = sender.accept(nowMs, packet, stream, codec, shows, makeFilter, this.#rewrite, mayBegin);
      if (sender.needsKeyFrame && shows) this.#keyFrames.needed(nowMs, source, receiver, sender);
      if (!passes) continue;
      if (position < 0)
        position = this.#state.log.add(nowMs, packet.offset, packet.headerLength + packet.payloadLength, LOG_ROOM);
      this.#sending.video(nowMs, receiver, sender.stream, packet, this.#rewrite, taker.to, codec, position);
    }
    if (late && mayBegin && shows) this.#follow(nowMs, endpoint, stream, packet.extendedSequence);
  }

  /** Whether a key frame's first packet can begin a forwarding: what came before it, out of order, must still be there to follow it. */
  #mayBegin(nowMs: number, stream: SourceStream, packet: RtpPacket, codec: number, late: boolean): boolean {
    const { backlog, reception } = stream;
    const number = packet.extendedSequence;
    // Parameter sets in a packet of their own, just before the picture: without them it cannot be decoded.
    if (codec === Codec.h264 && packet.height === 0 && reception.lacks(number - 1)) return false;
    if (!late) return true;
    if (backlog === undefined || reception.highest - number >= BACKLOG_SIZE) return false;
    for (let each = number + 1; each <= reception.highest; each++) {
      if (!reception.has(each)) continue;
      const position = backlog.position(each);
      if (position !== NO_PAYLOAD && !this.#state.log.holds(nowMs, position, FOLLOWING_BYTES)) return false;
    }
    return true;
  }

  /** Somebody waits for a key frame: packets are kept, before anybody's numbers are written into them. */
  #keep(nowMs: number, stream: SourceStream, packet: RtpPacket): void {
    stream.backlog ??= new Backlog();
    const position = this.#state.log.add(nowMs, packet.offset, packet.headerLength + packet.payloadLength, LOG_ROOM);
    stream.backlog.add(packet.extendedSequence, position);
  }

  /** What came before the first packet of a key frame goes, in its order, to those who have just begun with it. */
  #follow(nowMs: number, endpoint: Endpoint, stream: SourceStream, first: number): void {
    const { log, bytes } = this.#state;
    const takers = stream.owner.videoTakers;
    const backlog = stream.backlog;
    const began = ({ sender }: (typeof takers)[number]): boolean =>
      sender.target >= 0 && sender.current === stream.encoding && sender.beganWith === first;
    if (backlog === undefined || !takers.some(began)) return;
    const packet = this.#followed;
    for (let number = first + 1; number <= stream.reception.highest; number++) {
      const kept = backlog.position(number);
      packet.extendedSequence = number;
      if (kept === NO_PAYLOAD) for (const taker of takers) if (began(taker)) taker.sender.skip(packet, stream.encoding);
      if (kept < 0) continue;
      // Copied once more: the one in the backlog keeps the sender's own numbers.
      const length = log.length(kept);
      const position = log.add(nowMs, log.find(kept), length, LOG_ROOM);
      const at = log.find(position);
      if (!parseHeader(bytes, at, length, packet)) continue;
      parseExtensions(bytes, endpoint.payload.kinds, packet);
      const codec = handling(endpoint.payload.codec[packet.payloadType] as number, packet);
      if (!parsePayload(codec, bytes, packet, stream)) continue;
      const shows = showsKeyFrames(codec);
      for (const taker of takers) {
        const { receiver, sender } = taker;
        if (!began(taker) || !receiver.reachable) continue;
        if (!sender.accept(nowMs, packet, stream, codec, shows, makeFilter, this.#rewrite, false)) continue;
        this.#sending.video(nowMs, receiver, sender.stream, packet, this.#rewrite, taker.to, codec, position);
      }
    }
  }

  /** Key frames of layered codecs tell the heights of all their layers. */
  #heights(stream: SourceStream, packet: RtpPacket): void {
    const dependencies = packet.dependencies;
    if (dependencies?.fresh === true)
      for (let spatial = 0; spatial < 4; spatial++)
        stream.layers.setHeight(spatial, dependencies.heights[spatial] as number);
    for (let spatial = 0; spatial < packet.spatialLayers; spatial++)
      stream.layers.setHeight(spatial, structureHeight(this.#state.bytes, packet, spatial));
  }

  /** Counts the packet in; answers an `Arrival`, −1 for what goes no further. */
  #arrived(nowMs: number, stream: SourceStream, packet: RtpPacket): number {
    const reception = stream.reception;
    const arrival = reception.receive(packet.sequence);
    packet.extendedSequence = reception.extended;
    if (arrival === Arrival.duplicate) {
      this.#state.drops.count(Drop.duplicate);
      return -1;
    }
    if (arrival === Arrival.tooOld) {
      this.#state.drops.count(Drop["too-old"]);
      return -1;
    }
    reception.packets += 1;
    stream.lastPacketAt = nowMs;
    if (!packet.recovered) reception.transit(packet.timestamp, nowMs, stream.clockRate);
    return arrival;
  }
}
