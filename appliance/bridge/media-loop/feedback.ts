/**
 * What we tell those who send: receiver reports every 500 ms, transport-wide feedback (after 100 ms, or after 50 ms at the end of a frame), NACKs. Put together
 * in one compound packet per endpoint and occasion.
 */
import { writeNack } from "../rtcp/nack.ts";
import {
  beginReceiverReport,
  MAX_REPORT_BLOCKS,
  REPORT_BLOCK_LENGTH,
  ReportBlock,
  writeReportBlock,
} from "../rtcp/reports.ts";
import { SRTP_MAX_OVERHEAD, SRTP_SCRATCH_BYTES } from "../transport/srtp.ts";
import type { Endpoint, SourceStream } from "./endpoint.ts";
import type { LoopState } from "./state.ts";

export const REPORT_INTERVAL_MS = 500;
export const FEEDBACK_INTERVAL_MS = 100;
/** Videobridge's is 20: every frame of a camera. Browsers tell each other every 50 to 250 ms and steer by that; half as many of ours cost them and us half as much. */
export const FEEDBACK_FRAME_MS = 50;
/** A feedback that is due waits at most so long for media to its receiver, to leave as the last, shorter datagram of that run: one message to the kernel less. */
const RIDE_MS = 10;
/** Datagrams of a run that takes one along are at least so long. */
const RIDE_LENGTH = 400;
/** Longest compound packet. */
const MAX_COMPOUND = 1200;
/** Longest transport-wide feedback (rtcp/transport-feedback.ts). */
const MAX_FEEDBACK = 1040;
const MAX_NACK = 200;

export class Feedback {
  readonly #state: LoopState;
  readonly #block = new ReportBlock();
  readonly #sequences = new Uint16Array(256);
  /** Those whose feedback is due and waits; an endpoint stands here once. */
  readonly #waiting: Endpoint[] = [];
  #at = 0;
  #length = 0;

  constructor(state: LoopState) {
    this.#state = state;
  }

  /** After a batch, for an endpoint that something came from. */
  afterBatch(nowMs: number, endpoint: Endpoint): void {
    const since = nowMs - endpoint.feedbackAt;
    const wide =
      endpoint.arrivals.pending > 0 &&
      (since >= FEEDBACK_INTERVAL_MS || (endpoint.frameEnded && since >= FEEDBACK_FRAME_MS));
    endpoint.frameEnded = false;
    if (endpoint.nackPending) this.#compose(nowMs, endpoint, wide, false);
    else if (wide && endpoint.feedbackDueAt < 0) {
      endpoint.feedbackDueAt = nowMs;
      this.#waiting.push(endpoint);
    }
  }

  /** When all else of a batch is in the outbox, and on the tick: what waits leaves with it, or because it has waited long enough. */
  ride(nowMs: number): void {
    const waiting = this.#waiting;
    let kept = 0;
    for (let index = 0; index < waiting.length; index++) {
      const endpoint = waiting[index] as Endpoint;
      if (endpoint.feedbackDueAt < 0) continue; // it went with something else
      if (nowMs - endpoint.feedbackDueAt >= RIDE_MS || this.#state.outbox.openSegment(endpoint) >= RIDE_LENGTH)
        this.#compose(nowMs, endpoint, true, false);
      else {
        waiting[kept] = endpoint;
        kept += 1;
      }
    }
    waiting.length = kept;
  }

  /** On the tick. */
  tick(nowMs: number, endpoint: Endpoint): void {
    const wide = endpoint.arrivals.pending > 0 && nowMs - endpoint.feedbackAt >= FEEDBACK_INTERVAL_MS;
    const report = nowMs - endpoint.reportAt >= REPORT_INTERVAL_MS && endpoint.streams.size > 0;
    if (wide || report || endpoint.nackPending) this.#compose(nowMs, endpoint, wide, report);
  }

  #compose(nowMs: number, endpoint: Endpoint, wide: boolean, report: boolean): void {
    if (wide) {
      // The next one is due as if this one had not waited.
      endpoint.feedbackAt = endpoint.feedbackDueAt < 0 ? nowMs : endpoint.feedbackDueAt;
      endpoint.feedbackDueAt = -1;
    }
    const context = endpoint.send;
    if (!endpoint.reachable || context === undefined) {
      endpoint.nackPending = false;
      return;
    }
    const bytes = this.#state.bytes;
    const sender = endpoint.conference.feedbackVideo;
    this.#begin(endpoint);
    if (report) {
      endpoint.reportAt = nowMs;
      this.#receiverReports(nowMs, endpoint, sender);
    }
    if (endpoint.nackPending) this.#nacks(nowMs, endpoint, sender);
    if (wide) {
      let media = 0;
      const streams = endpoint.streamList;
      for (let index = 0; index < streams.length; index++) {
        const stream = streams[index] as SourceStream;
        media = stream.ssrc;
        if (stream.kind === "video") break;
      }
      // Bounded: a feedback covers hundreds of numbers, the window has 1024.
      for (let packets = 0; packets < 4 && endpoint.arrivals.pending > 0; packets++) {
        this.#room(endpoint, MAX_FEEDBACK);
        this.#length += endpoint.arrivals.write(bytes, this.#at + this.#length, sender, media);
      }
    }
    this.#flush(endpoint);
  }

  #receiverReports(nowMs: number, endpoint: Endpoint, sender: number): void {
    const bytes = this.#state.bytes;
    let count = 0;
    let header = 0;
    const streams = endpoint.streamList;
    for (let index = 0; index < streams.length; index++) {
      const stream = streams[index] as SourceStream;
      if (stream.lastPacketAt < 0 || nowMs - stream.lastPacketAt > 2 * REPORT_INTERVAL_MS) continue;
      if (count === 0) {
        this.#room(endpoint, 8 + MAX_REPORT_BLOCKS * REPORT_BLOCK_LENGTH);
        header = this.#at + this.#length;
        this.#length += 8;
      }
      stream.report(this.#block, nowMs);
      writeReportBlock(bytes, this.#at + this.#length, this.#block);
      this.#length += REPORT_BLOCK_LENGTH;
      count += 1;
      if (count === MAX_REPORT_BLOCKS) {
        beginReceiverReport(bytes, header, count, sender);
        count = 0;
      }
    }
    if (count > 0) beginReceiverReport(bytes, header, count, sender);
  }

  #nacks(nowMs: number, endpoint: Endpoint, sender: number): void {
    let pending = false;
    const streams = endpoint.streamList;
    for (let index = 0; index < streams.length; index++) {
      const stream = streams[index] as SourceStream;
      if (stream.missing.count === 0) continue;
      const count = stream.missing.due(nowMs, this.#sequences);
      if (stream.missing.count > 0) pending = true;
      if (count === 0) continue;
      this.#room(endpoint, MAX_NACK);
      const length = writeNack(
        this.#state.bytes,
        this.#at + this.#length,
        MAX_NACK,
        sender,
        stream.ssrc,
        this.#sequences,
        count,
      );
      this.#length += length;
      if (length > 0) this.#state.nacksSent += 1;
    }
    endpoint.nackPending = pending;
  }

  #begin(endpoint: Endpoint): void {
    this.#at = this.#state.outbox.reserve(endpoint, MAX_COMPOUND + SRTP_MAX_OVERHEAD + SRTP_SCRATCH_BYTES);
    this.#length = 0;
  }

  /** Starts another datagram when `bytes` more do not fit into this one. */
  #room(endpoint: Endpoint, bytes: number): void {
    if (this.#length === 0 || this.#length + bytes <= MAX_COMPOUND) return;
    this.#flush(endpoint);
    this.#begin(endpoint);
  }

  #flush(endpoint: Endpoint): void {
    if (this.#length === 0 || endpoint.send === undefined) return;
    const size = endpoint.send.protectRtcp(this.#at, this.#length);
    this.#length = 0;
    if (size < 0) return;
    this.#state.outbox.commit(endpoint, size);
    endpoint.bytesSent += size;
  }
}
