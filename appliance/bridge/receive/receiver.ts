/**
 * One incoming SSRC: an encoding of a source, or its retransmissions. What is known of it, kept for as long as it is signalled.
 */
import type { EncodingView } from "../forward/video-sender.ts";
import { middleNtp, type ReportBlock, type SenderReport } from "../rtcp/reports.ts";
import type { DependencyStructure } from "../rtp/dependency-descriptor.ts";
import type { Backlog } from "./backlog.ts";
import { StreamRequests } from "./key-frame-requests.ts";
import { LayerMeter } from "./layers.ts";
import { Missing } from "./missing.ts";
import { Reception } from "./reception.ts";

export class IncomingStream<Owner> implements EncodingView {
  readonly owner: Owner;
  readonly ssrc: number;
  readonly kind: "audio" | "video";
  /** 0 lowest. */
  readonly encoding: number;
  /** For an RTX SSRC: the stream it repeats. */
  readonly repairs: IncomingStream<Owner> | undefined;
  readonly reception = new Reception();
  readonly missing = new Missing();
  readonly requests = new StreamRequests();
  readonly layers = new LayerMeter();
  /** Hz, of the payload type seen last. */
  clockRate: number;
  lastPacketAt = -1;
  /** Batch of the media loop in which a packet came last. */
  batch = -1;
  /** Until when packets are kept in the backlog: somebody waits for a key frame. */
  keepUntil = Number.NEGATIVE_INFINITY;
  /** A receiver has asked for a key frame, and none has come since. */
  keyFrameAwaited = false;
  /** Made when somebody waits for the first time. */
  backlog: Backlog | undefined;
  /** Templates of its dependency descriptors; made when the first comes. */
  dependencies: DependencyStructure | undefined;

  // The newest sender report.
  ntpMs = -1;
  rtpTimestamp = 0;
  #middleNtp = 0;
  #reportAt = 0;

  constructor(
    owner: Owner,
    kind: "audio" | "video",
    ssrc: number,
    encoding: number,
    repairs: IncomingStream<Owner> | undefined,
  ) {
    this.owner = owner;
    this.kind = kind;
    this.ssrc = ssrc;
    this.encoding = encoding;
    this.repairs = repairs;
    this.clockRate = kind === "audio" ? 48_000 : 90_000;
  }

  senderReport(report: SenderReport, nowMs: number): void {
    this.ntpMs = report.ntpSeconds * 1000 + report.ntpFraction / 4_294_967.296;
    this.rtpTimestamp = report.rtpTimestamp;
    this.#middleNtp = middleNtp(report.ntpSeconds, report.ntpFraction);
    this.#reportAt = nowMs;
  }

  /** Fills a report block about this stream. */
  report(block: ReportBlock, nowMs: number): void {
    block.ssrc = this.ssrc;
    this.reception.report(block);
    block.lastReport = this.#middleNtp;
    block.delaySinceLastReport =
      this.#middleNtp === 0 ? 0 : Math.min(0xffffffff, Math.round((nowMs - this.#reportAt) * 65.536));
  }
}
