/**
 * The last stage: one packet protected for one receiver into its run, and what is sent again.
 */
import { PADDING_POSITION } from "../forward/history.ts";
import {
  isUsualVideo,
  MAX_AUDIO_HEADER_LENGTH,
  MAX_HEADER_LENGTH,
  writeAudioHeader,
  writeUsualVideoHeader,
  writeVideoHeader,
} from "../forward/packet-writer.ts";
import { Rewrite } from "../forward/rewrite.ts";
import type { OutgoingStream } from "../forward/sender.ts";
import { write16 } from "../rtp/bytes.ts";
import { parseExtensions } from "../rtp/extensions.ts";
import { parseHeader, writeHeader } from "../rtp/header.ts";
import { RtpPacket } from "../rtp/packet.ts";
import { OSN_LENGTH } from "../rtp/rtx.ts";
import { unwrap16 } from "../rtp/sequence.ts";
import { SRTP_MAX_OVERHEAD, SRTP_SCRATCH_BYTES } from "../transport/srtp.ts";
import { Codec, handling, parsePayload, rewritePayload } from "./codecs.ts";
import { Drop } from "./drop-reason.ts";
import type { Endpoint } from "./endpoint.ts";
import type { LoopState } from "./state.ts";

/** Free bytes behind a packet in the log: one of padding. */
export const LOG_ROOM = 8;
/** Packets smaller than this are not padded to a run's size. */
const PAD_FROM = 400;
/** Never sent again sooner than this after the last time, when the round trip is known (bridge.md 4.8). */
const RTT_SHARE = 0.9;
const RTT_LESS_MS = 5;

export class Sending {
  readonly #state: LoopState;
  readonly #again = new RtpPacket();
  readonly #rewrite = new Rewrite();

  constructor(state: LoopState) {
    this.#state = state;
  }

  audio(
    nowMs: number,
    receiver: Endpoint,
    stream: OutgoingStream,
    packet: RtpPacket,
    rewrite: Rewrite,
    payloadType: number,
  ): void {
    const state = this.#state;
    const send = receiver.send;
    if (send === undefined) return;
    const longest = MAX_AUDIO_HEADER_LENGTH + packet.payloadLength + SRTP_MAX_OVERHEAD;
    const most = longest + SRTP_SCRATCH_BYTES;
    // Video that waits for this receiver waits no longer: its run takes the sound along as its last, shorter datagram.
    const { held } = state;
    const rides = held.waits && held.takes(receiver.later, longest, most);
    const at = rides ? receiver.later.at : state.outbox.reserve(receiver, most);
    const header = writeAudioHeader(
      state.bytes,
      at,
      packet,
      rewrite,
      receiver.payload.extensions,
      stream.ssrc,
      payloadType,
      stream.mid,
    );
    const size = send.protectRtp(at, header, packet.payloadOffset, packet.payloadLength, stream.srtpPlace);
    if (size < 0) {
      state.drops.count(Drop["srtp-limit"]);
      return;
    }
    if (rides) state.outbox.adopt(held, receiver.later, size);
    else state.outbox.commit(receiver, size);
    if (send.place !== stream.srtpPlace) stream.srtpPlace = send.place;
    stream.sent(rewrite, packet.payloadLength, nowMs);
    receiver.packetsSent += 1;
    receiver.bytesSent += size;
  }

  /** `position`: of the packet in the log. */
  video(
    nowMs: number,
    receiver: Endpoint,
    stream: OutgoingStream,
    packet: RtpPacket,
    rewrite: Rewrite,
    payloadType: number,
    codec: number,
    position: number,
  ): void {
    const state = this.#state;
    const send = receiver.send;
    if (send === undefined) return;
    const bytes = state.bytes;
    const { waits } = state.holding;
    const outbox = waits ? state.held : state.outbox;
    const destination = waits ? receiver.later : receiver;
    const payload = packet.payloadLength;
    const at = outbox.reserve(destination, MAX_HEADER_LENGTH + payload + 1 + SRTP_MAX_OVERHEAD + SRTP_SCRATCH_BYTES);
    const transport = receiver.transportSequence;
    const { usualVideoId } = receiver;
    const header =
      usualVideoId > 0 && isUsualVideo(packet, rewrite, stream.mid)
        ? writeUsualVideoHeader(bytes, at, rewrite, stream.ssrc, payloadType, usualVideoId, transport)
        : writeVideoHeader(
            bytes,
            at,
            packet,
            rewrite,
            receiver.payload.extensions,
            stream.ssrc,
            payloadType,
            rewrite.sequence,
            false,
            transport,
            nowMs,
            stream.mid,
          );
    rewritePayload(codec, bytes, packet, rewrite);
    // A sender cuts a frame into packets that differ by one byte, the shorter ones first: with a byte of padding they are one run.
    const plain = header + payload + receiver.tagBytes;
    const open = outbox.openSegment(destination);
    let padded = 0;
    if (payload > PAD_FROM && (open === plain + 1 || (open !== plain && packet.frameStart && !packet.marker))) {
      padded = 1;
      bytes[packet.payloadOffset + payload] = 1;
      bytes[at] = (bytes[at] as number) | 0x20;
    }
    const size = send.protectRtp(at, header, packet.payloadOffset, payload + padded, stream.srtpPlace);
    if (size < 0) {
      state.drops.count(Drop["srtp-limit"]);
      return;
    }
    if (waits) {
      if (outbox.datagrams === 0) state.heldSince = nowMs;
      state.packetsHeld += 1;
    }
    outbox.commit(destination, size);
    receiver.transportSequence = (transport + 1) & 0xffff;
    if (send.place !== stream.srtpPlace) stream.srtpPlace = send.place;
    stream.sent(rewrite, payload, nowMs);
    stream.historyForWriting().add(rewrite, position, nowMs, padded === 1, transport);
    receiver.packetsSent += 1;
    receiver.bytesSent += size;
  }

  /**
   * Sends again what a NACK asks for: `sequence` is the 16-bit outgoing number. `source` is what feeds the stream now: its payload types and extension
   * ids read the logged packet. True when something was sent.
   */
  again(
    nowMs: number,
    receiver: Endpoint,
    stream: OutgoingStream,
    rtxSsrc: number,
    owner: Endpoint,
    sequence: number,
  ): boolean {
    const history = stream.history;
    const send = receiver.send;
    if (history === undefined || send === undefined) return false;
    const extended = unwrap16(sequence, stream.highest);
    if (extended > stream.highest) return false;
    const slot = history.find(extended);
    if (slot < 0) return false;
    const rtt = receiver.rttMs;
    if (rtt > 0 && history.sinceSentMs(slot, nowMs) < Math.min(RTT_SHARE * rtt, rtt - RTT_LESS_MS)) return false;
    const position = history.position(slot);
    if (position === PADDING_POSITION) return false;
    const state = this.#state;
    const { bytes, outbox } = state;
    const found = state.log.find(position);
    if (found < 0) return false;
    const packet = this.#again;
    const length = state.log.length(position);
    if (!parseHeader(bytes, found, length, packet)) return false;
    parseExtensions(bytes, owner.payload.kinds, packet);
    const codec = handling(owner.payload.codec[packet.payloadType] as number, packet);
    if (codec === Codec.unknown || !parsePayload(codec, bytes, packet, undefined)) return false;
    const mediaType = receiver.payload.matching(packet.payloadType, owner.payload);
    if (mediaType < 0) return false;
    const rewrite = this.#rewrite;
    history.read(slot, extended, rewrite);
    const rtxType = receiver.payload.rtx[mediaType] as number;
    const asRtx = rtxSsrc !== 0 && rtxType >= 0;
    const at = outbox.reserve(
      receiver,
      MAX_HEADER_LENGTH + packet.payloadLength + OSN_LENGTH + 1 + SRTP_MAX_OVERHEAD + SRTP_SCRATCH_BYTES,
    );
    let source = packet.payloadOffset;
    let payload = packet.payloadLength;
    rewritePayload(codec, bytes, packet, rewrite);
    let header: number;
    if (asRtx) {
      stream.rtxSequence += 1;
      const transport = receiver.transportSequence;
      header = writeVideoHeader(
        bytes,
        at,
        packet,
        rewrite,
        receiver.payload.extensions,
        rtxSsrc,
        rtxType,
        stream.rtxSequence,
        false,
        transport,
        nowMs,
        stream.mid,
      );
      receiver.transportSequence = (transport + 1) & 0xffff;
      // The original number stands in for the last two bytes of the logged header while this packet is made.
      source -= OSN_LENGTH;
      payload += OSN_LENGTH;
      const before = ((bytes[source] as number) << 8) | (bytes[source + 1] as number);
      write16(bytes, source, rewrite.sequence);
      const size = send.protectRtp(at, header, source, payload);
      write16(bytes, source, before);
      return this.#sentAgain(nowMs, receiver, stream, size, slot);
    }
    // Plain: the very packet of the first time, bit for bit, so that no key stream protects two different packets.
    const padded = history.padded(slot);
    header = writeVideoHeader(
      bytes,
      at,
      packet,
      rewrite,
      receiver.payload.extensions,
      stream.ssrc,
      mediaType,
      rewrite.sequence,
      padded,
      history.transport(slot),
      history.firstSentAt(slot),
      stream.mid,
    );
    if (padded) {
      bytes[source + payload] = 1;
      payload += 1;
    }
    return this.#sentAgain(nowMs, receiver, stream, send.protectRtp(at, header, source, payload), slot);
  }

  /**
   * An empty packet with a number that nothing else will get: fills a hole that the receiver asks about. Asked again, it is the same packet again.
   */
  padding(nowMs: number, receiver: Endpoint, stream: OutgoingStream, extended: number, payloadType: number): boolean {
    const send = receiver.send;
    if (send === undefined) return false;
    const { outbox, bytes } = this.#state;
    const history = stream.historyForWriting();
    const rewrite = this.#rewrite;
    const slot = history.find(extended);
    if (slot >= 0) history.read(slot, extended, rewrite);
    else {
      rewrite.sequence = extended;
      rewrite.timestamp = stream.lastTimestamp;
      rewrite.marker = false;
      rewrite.pictureId = -1;
      rewrite.temporalZeroIndex = -1;
      rewrite.frameNumber = -1;
      history.add(rewrite, PADDING_POSITION, nowMs, true, 0);
    }
    const at = outbox.reserve(receiver, 64 + SRTP_MAX_OVERHEAD + SRTP_SCRATCH_BYTES);
    writeHeader(bytes, at, true, false, false, payloadType, extended, rewrite.timestamp, stream.ssrc);
    bytes[at + 12] = 1;
    const size = send.protectRtp(at, 12, at + 12, 1);
    if (size < 0) return false;
    outbox.commit(receiver, size);
    receiver.packetsSent += 1;
    receiver.bytesSent += size;
    return true;
  }

  #sentAgain(nowMs: number, receiver: Endpoint, stream: OutgoingStream, size: number, slot: number): boolean {
    if (size < 0) {
      this.#state.drops.count(Drop["srtp-limit"]);
      return false;
    }
    this.#state.outbox.commit(receiver, size);
    stream.history?.touch(slot, nowMs);
    receiver.packetsSent += 1;
    receiver.bytesSent += size;
    this.#state.retransmissions += 1;
    return true;
  }
}
