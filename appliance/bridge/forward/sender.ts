/**
 * One outgoing SSRC at one receiver: its numbers, its counters, its reports, its history. It outlives the source behind it: sources come and go under one
 * SSRC, numbers never start anew while the SRTP keys live (a number used twice would repeat a key stream).
 */
import { middleNtp, type SenderReport } from "../rtcp/reports.ts";
import { FIRST_CYCLE } from "../rtp/sequence.ts";
import { History } from "./history.ts";
import { LastSent } from "./layer-filter.ts";
import type { Rewrite } from "./rewrite.ts";

/** Sender reports remembered for round-trip times. */
const REPORTS = 8;
/** Round-trip times above are ignored (bridge.md 4.9). */
const MAX_RTT_MS = 7000;

export class OutgoingStream extends LastSent {
  // First what every packet touches: fields lie in memory in the order in which they stand here, those of LastSent before them.
  readonly ssrc: number;
  /** Highest extended number sent. */
  highest: number;
  /** `SrtpContext.place` of the SSRC at the receiver's context. */
  srtpPlace = 0;
  lastTimestamp = 0;
  lastSentAt = -1;
  packets = 0;
  /** Payload bytes, RFC 3550 §6.4.1: 32 bits that go round, signed here. */
  octets = 0;
  #history: History | undefined;
  /** Bytes of the mid that its packets carry; undefined: none. */
  mid: Uint8Array | undefined;

  readonly kind: "audio" | "video";
  /** Extended number that it begins with. */
  readonly first: number;
  /** Extended number of the newest retransmission on the RTX SSRC. */
  rtxSequence = FIRST_CYCLE;
  /** From the receiver's newest report block. */
  lostByReceiver = 0;
  fractionLost = 0;
  readonly #reportNtp = new Float64Array(REPORTS).fill(-1);
  readonly #reportAt = new Float64Array(REPORTS);
  #reports = 0;

  /** `firstSequence`: 0 … 32767, the lower half, so that the receiver's roll-over guess is safe (bridge.md 6.2). */
  constructor(kind: "audio" | "video", ssrc: number, firstSequence: number) {
    super();
    this.kind = kind;
    this.ssrc = ssrc;
    this.first = (FIRST_CYCLE + firstSequence) | 0;
    this.highest = this.first - 1;
  }

  get started(): boolean {
    return this.lastSentAt >= 0;
  }

  get nextSequence(): number {
    return this.highest + 1;
  }

  get history(): History | undefined {
    return this.#history;
  }

  /** Reads what the next packet will need (media-loop/ahead.ts); the number means nothing. */
  ahead(): number {
    return (this.packets + (this.#history === undefined ? 0 : this.#history.ahead(this.highest + 1))) | 0;
  }

  /** Made at the first packet, so that a stream that never sends costs nothing. */
  historyForWriting(): History {
    this.#history ??= new History();
    return this.#history;
  }

  /** Nothing may be sent again any more (codec or extensions changed), or the stream rests. */
  forgetHistory(): void {
    this.#history = undefined;
  }

  sent(rewrite: Rewrite, payloadBytes: number, nowMs: number): void {
    if (rewrite.sequence > this.highest) {
      this.highest = rewrite.sequence;
      this.lastTimestamp = rewrite.timestamp;
      this.lastSentAt = nowMs;
    }
    this.packets += 1;
    this.octets = (this.octets + payloadBytes) | 0;
  }

  /** A forwarded sender report, its SSRC, timestamp and counters already ours. */
  reportSent(report: SenderReport, nowMs: number): void {
    const slot = this.#reports % REPORTS;
    this.#reportNtp[slot] = middleNtp(report.ntpSeconds, report.ntpFraction);
    this.#reportAt[slot] = nowMs;
    this.#reports += 1;
  }

  /** Round-trip time in ms from a report block's LSR and DLSR (1/65536 s); −1: unknown report, or nonsense. */
  roundTrip(lastReport: number, delaySinceLastReport: number, nowMs: number): number {
    if (lastReport === 0) return -1;
    for (let slot = 0; slot < REPORTS; slot++) {
      if (this.#reportNtp[slot] !== lastReport) continue;
      const rtt = nowMs - (this.#reportAt[slot] as number) - (delaySinceLastReport * 1000) / 65536;
      return rtt < 0 || rtt > MAX_RTT_MS ? -1 : rtt;
    }
    return -1;
  }
}
