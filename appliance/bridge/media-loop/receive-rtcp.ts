/**
 * RTCP from an endpoint, all of it ended here (bridge.md 4.9): reports are read, NACKs answered, key-frame requests merged, transport-wide feedback handed to the
 * estimator; only sender reports go on, rewritten for each receiver.
 */
import { HISTORY_SIZE, PADDING_POSITION } from "../forward/history.ts";
import type { OutgoingStream } from "../forward/sender.ts";
import type { VideoSender } from "../forward/video-sender.ts";
import { FeedbackFormat, RtcpCursor, RtcpType } from "../rtcp/compound.ts";
import { firEntryCount, firSsrc } from "../rtcp/key-frame.ts";
import { nackBitmask, nackEntryCount, nackMediaSsrc, nackPid } from "../rtcp/nack.ts";
import {
  REPORT_BLOCK_LENGTH,
  ReportBlock,
  readReportBlock,
  readSenderReport,
  reportBlockCount,
  reportBlocksOffset,
  SENDER_REPORT_LENGTH,
  SenderReport,
  writeSenderReport,
} from "../rtcp/reports.ts";
import { read32 } from "../rtp/bytes.ts";
import { unwrap16 } from "../rtp/sequence.ts";
import { SRTP_MAX_OVERHEAD, SRTP_SCRATCH_BYTES } from "../transport/srtp.ts";
import { Drop } from "./drop-reason.ts";
import type { Endpoint, SourceStream } from "./endpoint.ts";
import type { KeyFrames } from "./key-frames.ts";
import { srtpDrop } from "./receive-rtp.ts";
import type { Sending } from "./send.ts";
import type { LoopState } from "./state.ts";

/** Unique identifier of draft-alvestrand-rmcat-remb-03 §2.2. */
const REMB = 0x52454d42;

export class RtcpPath {
  readonly #state: LoopState;
  readonly #sending: Sending;
  readonly #keyFrames: KeyFrames;
  readonly #cursor = new RtcpCursor();
  readonly #report = new SenderReport();
  readonly #forwarded = new SenderReport();
  readonly #block = new ReportBlock();

  constructor(state: LoopState, sending: Sending, keyFrames: KeyFrames) {
    this.#state = state;
    this.#sending = sending;
    this.#keyFrames = keyFrames;
  }

  receive(nowMs: number, endpoint: Endpoint, at: number, length: number) {
    const { drops, bytes } = this.#state;
    const context = endpoint.receive;
    if (context === undefined) return drops.count(Drop["no-keys"]);
    const plain = context.unprotectRtcp(at, length);
    if (plain < 0) {
      endpoint.refused += 1;
      return drops.count(srtpDrop(plain));
    }
    endpoint.lastReceivedAt = nowMs;
    endpoint.packetsReceived += 1;
    endpoint.bytesReceived += length;
    const cursor = this.#cursor;
    cursor.begin(bytes, at, plain);
    let packets = 0;
    while (cursor.next()) {
      packets += 1;
      this.#packet(nowMs, endpoint);
    }
    if (packets === 0) drops.count(Drop["malformed-rtcp"]);
  }

  #packet(nowMs: number, endpoint: Endpoint): void {
    const { offset, length, type, count } = this.#cursor;
    const bytes = this.#state.bytes;
    switch (type) {
      case RtcpType.senderReport:
        if (readSenderReport(bytes, offset, length, this.#report)) this.#senderReport(nowMs, endpoint);
        this.#blocks(nowMs, endpoint, offset, length, type, count);
        return;
      case RtcpType.receiverReport:
        this.#blocks(nowMs, endpoint, offset, length, type, count);
        return;
      case RtcpType.transportFeedback:
        if (count === FeedbackFormat.nack) this.#nack(nowMs, endpoint, offset, length);
        else if (count === FeedbackFormat.transportWide) this.#transportFeedback(endpoint, offset, length);
        return;
      case RtcpType.payloadFeedback:
        if (count === FeedbackFormat.pictureLoss && length >= 12)
          this.#keyFrameRequest(nowMs, endpoint, read32(bytes, offset + 8));
        else if (count === FeedbackFormat.fullIntraRequest) {
          const entries = Math.min(firEntryCount(length), 16);
          for (let entry = 0; entry < entries; entry++)
            this.#keyFrameRequest(nowMs, endpoint, firSsrc(bytes, offset, entry));
        } else if (count === FeedbackFormat.applicationLayer && length >= 16 && read32(bytes, offset + 12) === REMB)
          this.#remb(endpoint);
        return;
      // SDES, BYE, APP, XR end here.
    }
  }

  #senderReport(nowMs: number, endpoint: Endpoint): void {
    const stream = endpoint.stream(this.#report.ssrc);
    if (stream === undefined || stream.repairs !== undefined) return;
    stream.senderReport(this.#report, nowMs);
    const source = stream.owner;
    if (source.kind === "audio") {
      for (const taker of source.audioTakers)
        if (taker.sender.begun)
          this.#forwardReport(nowMs, taker.receiver, taker.sender.stream, taker.sender.timestampOffset);
    } else {
      for (const taker of source.videoTakers)
        if (taker.sender.current === stream.encoding)
          this.#forwardReport(nowMs, taker.receiver, taker.sender.stream, taker.sender.timestampOffset);
    }
  }

  #forwardReport(nowMs: number, receiver: Endpoint, stream: OutgoingStream, offset: number): void {
    const context = receiver.send;
    if (!receiver.reachable || context === undefined || stream.packets === 0) return;
    const forwarded = this.#forwarded;
    forwarded.ssrc = stream.ssrc;
    forwarded.ntpSeconds = this.#report.ntpSeconds;
    forwarded.ntpFraction = this.#report.ntpFraction;
    forwarded.rtpTimestamp = (this.#report.rtpTimestamp + offset) >>> 0;
    forwarded.packets = stream.packets >>> 0;
    forwarded.octets = stream.octets >>> 0;
    const { outbox, bytes } = this.#state;
    const at = outbox.reserve(receiver, SENDER_REPORT_LENGTH + SRTP_MAX_OVERHEAD + SRTP_SCRATCH_BYTES);
    const size = context.protectRtcp(at, writeSenderReport(bytes, at, forwarded));
    if (size < 0) return;
    outbox.commit(receiver, size);
    stream.reportSent(forwarded, nowMs);
    receiver.bytesSent += size;
  }

  #blocks(nowMs: number, endpoint: Endpoint, offset: number, length: number, type: number, count: number): void {
    const block = this.#block;
    const blocks = reportBlockCount(type, count, length);
    const first = offset + reportBlocksOffset(type);
    for (let index = 0; index < blocks; index++) {
      readReportBlock(this.#state.bytes, first + index * REPORT_BLOCK_LENGTH, block);
      const stream = endpoint.outgoing.get(block.ssrc | 0);
      if (stream === undefined || !stream.started) continue; // about something that we never sent: forged, or meant for nobody
      stream.lostByReceiver = Math.max(0, block.cumulativeLost);
      stream.fractionLost = block.fractionLost;
      const rtt = stream.roundTrip(block.lastReport, block.delaySinceLastReport, nowMs);
      if (rtt < 0) continue;
      endpoint.rttMs = endpoint.rttMs === 0 ? Math.max(rtt, 0.1) : endpoint.rttMs * 0.875 + rtt * 0.125;
      endpoint.rttChanged = true;
    }
  }

  #nack(nowMs: number, endpoint: Endpoint, offset: number, length: number) {
    const state = this.#state;
    const { bytes, drops } = state;
    const entries = nackEntryCount(length);
    if (entries === 0) return drops.count(Drop["malformed-nack"]);
    const ssrc = nackMediaSsrc(bytes, offset) | 0;
    const stream = endpoint.outgoing.get(ssrc);
    const feed = endpoint.videoBySsrc.get(ssrc);
    if (stream === undefined || feed === undefined) return;
    state.nacksReceived += 1;
    const { source, sender } = feed;
    for (let entry = 0; entry < entries; entry++) {
      const pid = nackPid(bytes, offset, entry);
      // The PID itself, then a bit for each of the sixteen behind it.
      const mask = (nackBitmask(bytes, offset, entry) << 1) | 1;
      for (let bit = 0; bit <= 16; bit++) {
        if ((mask & (1 << bit)) === 0) continue;
        if (endpoint.nackBudget <= 0) return drops.count(Drop["nack-limit"]);
        endpoint.nackBudget -= 1;
        const sequence = (pid + bit) & 0xffff;
        if (this.#sending.again(nowMs, endpoint, stream, sender.rtxSsrc, source.owner, sequence)) continue;
        this.#fillHole(nowMs, endpoint, stream, sender, source.encodings[sender.current], sequence);
      }
    }
  }

  /**
   * A number that was kept for a packet which came late and was then not wanted, or that was lost of an encoding which is not forwarded any more: nothing
   * else will ever have it.
   */
  #fillHole(
    nowMs: number,
    endpoint: Endpoint,
    stream: OutgoingStream,
    sender: VideoSender,
    from: SourceStream | undefined,
    sequence: number,
  ): void {
    const history = stream.history;
    if (from === undefined || history === undefined) return;
    const extended = unwrap16(sequence, stream.highest);
    // Older than the history reaches, or than the stream itself: never mind.
    if (extended > stream.highest || extended <= stream.highest - HISTORY_SIZE || extended < stream.first) return;
    const slot = history.find(extended);
    if (slot >= 0 && history.position(slot) !== PADDING_POSITION) return;
    if (slot < 0 && extended >= sender.beganAt) {
      const incoming = sender.incomingOf(extended);
      if (incoming < 0 || !from.reception.has(incoming)) return;
    }
    for (let type = 0; type < 128; type++)
      if (
        endpoint.payload.video[type] === 1 &&
        (endpoint.payload.apt[type] as number) < 0 &&
        (endpoint.payload.codec[type] as number) >= 0
      ) {
        this.#sending.padding(nowMs, endpoint, stream, extended, type);
        return;
      }
  }

  /** draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1: base number and count; about what was never sent it says nothing. */
  #transportFeedback(endpoint: Endpoint, offset: number, length: number): void {
    if (length < 20) {
      this.#state.drops.count(Drop["malformed-rtcp"]);
      return;
    }
    const words = read32(this.#state.bytes, offset + 12);
    const last = ((words >>> 16) + (words & 0xffff) - 1) & 0xffff;
    // Ahead of the newest number that was sent.
    const behind = (endpoint.transportSequence - 1 - last) & 0xffff;
    if (behind >= 0x8000) this.#state.unmatchedFeedback += 1;
  }

  #remb(endpoint: Endpoint): void {
    if (!endpoint.payload.transportCc || endpoint.spuriousRemb) return;
    endpoint.spuriousRemb = true;
    this.#state.spuriousRembEndpoints += 1;
  }

  #keyFrameRequest(nowMs: number, endpoint: Endpoint, ssrc: number): void {
    const feed = endpoint.videoBySsrc.get(ssrc | 0);
    if (feed === undefined || feed.sender.target < 0) return;
    this.#keyFrames.asked(nowMs, feed.source, endpoint, feed.sender);
  }
}
