/**
 * Transport-wide congestion control feedback, draft-holmer-rmcat-transport-wide-cc-extensions-01 §3.1.
 *
 *   header (FMT 15, type 205), sender SSRC, media SSRC,
 *   base sequence number (16), packet status count (16),
 *   reference time (24, signed, multiples of 64 ms), feedback packet count (8),
 *   status chunks (16 each), receive deltas (8 or 16, multiples of 250 µs).
 */
import { read8, read16, read24, write16, write24, write32 } from "../rtp/bytes.ts";
import { FeedbackFormat, RtcpType, writeRtcpHeader } from "./compound.ts";

const HEADER_LENGTH = 20;
const TICK_MS = 0.25;
const REFERENCE_MS = 64;

const NOT_RECEIVED = 0;
const SMALL = 1;
const LARGE = 2;

/** Sequence numbers one feedback may cover, and the bound of its deltas' bytes: it always fits one datagram. */
const MAX_STATUSES = 440;

/**
 * Remembers when packets arrived and writes feedback about them. One per endpoint that sends. Arrivals are kept for the newest 1024 numbers; older
 * ones that were never reported are given up.
 */
export class ArrivalRecorder {
  static readonly WINDOW = 1024;
  /** Arrival in ticks of 250 µs by number modulo WINDOW; −1: not arrived. */
  readonly #arrival = new Float64Array(ArrivalRecorder.WINDOW).fill(-1);
  readonly #symbols = new Uint8Array(MAX_STATUSES);
  readonly #deltas = new Int32Array(MAX_STATUSES);
  /** Next number to report, extended; −1 before the first arrival. */
  #base = -1;
  #highest = -1;
  #feedbackCount = 0;

  /** Numbers not reported yet, lost ones included. */
  get pending(): number {
    return this.#base < 0 ? 0 : this.#highest - this.#base + 1;
  }

  /** A packet with transport sequence number `sequence` (16 bits) came at `nowMs`. */
  record(sequence: number, nowMs: number): void {
    const tick = Math.floor(nowMs / TICK_MS);
    if (this.#base < 0) {
      this.#base = sequence + 65536;
      this.#highest = this.#base - 1;
    }
    const reference = Math.max(this.#highest, this.#base);
    const extended = reference + (((sequence - reference) << 16) >> 16);
    if (extended > this.#highest) {
      if (extended - this.#highest >= ArrivalRecorder.WINDOW) {
        // The sender jumped (or 32 k packets were lost): start anew, there is nothing useful to say about the gap.
        this.#arrival.fill(-1);
        this.#base = extended;
      } else {
        for (let skipped = this.#highest + 1; skipped < extended; skipped++)
          this.#arrival[skipped & (ArrivalRecorder.WINDOW - 1)] = -1;
        if (extended - this.#base >= ArrivalRecorder.WINDOW) this.#base = extended - ArrivalRecorder.WINDOW + 1;
      }
      this.#highest = extended;
      this.#arrival[extended & (ArrivalRecorder.WINDOW - 1)] = tick;
      return;
    }
    // Late: reported as lost already, or still to be reported. The base goes back so that the sender learns of it (Chromium takes late news).
    if (extended < this.#base) {
      if (this.#highest - extended >= ArrivalRecorder.WINDOW || extended < 0) return;
      for (let number = extended; number < this.#base; number++)
        this.#arrival[number & (ArrivalRecorder.WINDOW - 1)] = -1;
      this.#base = extended;
    }
    const slot = extended & (ArrivalRecorder.WINDOW - 1);
    if ((this.#arrival[slot] as number) < 0) this.#arrival[slot] = tick;
  }

  /**
   * Writes one feedback from the oldest unreported number on; returns its length, 0 when there is nothing to say. Call again while `pending` is not 0.
   */
  write(bytes: Uint8Array, offset: number, senderSsrc: number, mediaSsrc: number): number {
    // A feedback's first number is one that arrived: the reference time is its.
    while (this.#base <= this.#highest && this.#at(this.#base) < 0) this.#base += 1;
    if (this.pending <= 0) return 0;
    const base = this.#base;
    const referenceTime = Math.floor((this.#at(base) * TICK_MS) / REFERENCE_MS);
    let clock = (referenceTime * REFERENCE_MS) / TICK_MS;
    let count = 0;
    let reported = 0;
    while (count < MAX_STATUSES && base + count <= this.#highest) {
      const tick = this.#at(base + count);
      if (tick < 0) {
        this.#symbols[count] = NOT_RECEIVED;
      } else {
        const delta = tick - clock;
        if (delta < -32768 || delta > 32767) break; // does not fit: the next feedback has its own reference
        this.#symbols[count] = delta >= 0 && delta <= 255 ? SMALL : LARGE;
        this.#deltas[count] = delta;
        clock = tick;
        reported = count + 1;
      }
      count += 1;
    }
    count = reported; // nothing is said yet about numbers after the last arrival
    let at = this.#writeChunks(bytes, offset + HEADER_LENGTH, count);
    for (let index = 0; index < count; index++) {
      const symbol = this.#symbols[index];
      if (symbol === SMALL) {
        bytes[at] = this.#deltas[index] as number;
        at += 1;
      } else if (symbol === LARGE) {
        write16(bytes, at, this.#deltas[index] as number);
        at += 2;
      }
    }
    const padding = (4 - ((at - offset) & 3)) & 3;
    for (let index = 0; index < padding; index++) bytes[at + index] = index + 1 === padding ? padding : 0;
    at += padding;
    writeRtcpHeader(bytes, offset, FeedbackFormat.transportWide, RtcpType.transportFeedback, at - offset, senderSsrc);
    if (padding > 0) bytes[offset] = (bytes[offset] as number) | 0x20;
    write32(bytes, offset + 8, mediaSsrc);
    write16(bytes, offset + 12, base);
    write16(bytes, offset + 14, count);
    write24(bytes, offset + 16, referenceTime);
    bytes[offset + 19] = this.#feedbackCount;
    this.#feedbackCount = (this.#feedbackCount + 1) & 0xff;
    this.#base = base + count;
    return at - offset;
  }

  #at(extended: number): number {
    return this.#arrival[extended & (ArrivalRecorder.WINDOW - 1)] as number;
  }

  /** Status chunks: a run where at least seven symbols are alike, else a vector of seven two-bit symbols. */
  #writeChunks(bytes: Uint8Array, offset: number, count: number): number {
    let at = offset;
    let index = 0;
    while (index < count) {
      const symbol = this.#symbols[index] as number;
      let run = 1;
      while (index + run < count && this.#symbols[index + run] === symbol) run += 1;
      if (run >= 7 || index + run === count) {
        write16(bytes, at, (symbol << 13) | run);
        index += run;
      } else {
        let chunk = 0xc000; // vector, two-bit symbols
        for (let slot = 0; slot < 7; slot++) {
          const value = index + slot < count ? (this.#symbols[index + slot] as number) : NOT_RECEIVED;
          chunk |= value << (12 - slot * 2);
        }
        write16(bytes, at, chunk);
        index += 7;
      }
      at += 2;
    }
    return at;
  }
}

/** Who hears what a feedback says. */
export interface FeedbackSink {
  /** `sequence` 16 bits; `arrivalMs` on the reporter's own clock (wraps at 2^24 · 64 ms), −1: not received. */
  packetStatus(sequence: number, arrivalMs: number): void;
}

/** Reads one feedback (header included). False: malformed; the sink may have heard a part of it. */
export function readTransportFeedback(bytes: Uint8Array, offset: number, length: number, sink: FeedbackSink): boolean {
  if (length < HEADER_LENGTH + 2) return false;
  const end = offset + length;
  const base = read16(bytes, offset + 12);
  const count = read16(bytes, offset + 14);
  // First pass: where the chunks end and the deltas begin.
  let chunkAt = offset + HEADER_LENGTH;
  for (let covered = 0; covered < count; chunkAt += 2) {
    if (chunkAt + 2 > end) return false;
    const chunk = read16(bytes, chunkAt);
    if ((chunk & 0x8000) === 0) {
      const run = chunk & 0x1fff;
      if (run === 0) return false;
      covered += run;
    } else covered += (chunk & 0x4000) === 0 ? 14 : 7;
  }
  let deltaAt = chunkAt;
  let clockMs = ((read24(bytes, offset + 16) << 8) >> 8) * REFERENCE_MS;
  let done = 0;
  for (let at = offset + HEADER_LENGTH; at < chunkAt; at += 2) {
    const chunk = read16(bytes, at);
    const vector = (chunk & 0x8000) !== 0;
    const bits = (chunk & 0x4000) === 0 ? 1 : 2;
    const symbols = vector ? (bits === 1 ? 14 : 7) : chunk & 0x1fff;
    for (let slot = 0; slot < symbols && done < count; slot++) {
      const symbol = vector ? (chunk >>> (14 - bits * (slot + 1))) & (bits === 1 ? 1 : 3) : (chunk >>> 13) & 3;
      const sequence = (base + done) & 0xffff;
      done += 1;
      if (symbol === SMALL) {
        if (deltaAt + 1 > end) return false;
        clockMs += read8(bytes, deltaAt) * TICK_MS;
        deltaAt += 1;
        sink.packetStatus(sequence, clockMs);
      } else if (symbol === LARGE) {
        if (deltaAt + 2 > end) return false;
        clockMs += ((read16(bytes, deltaAt) << 16) >> 16) * TICK_MS;
        deltaAt += 2;
        sink.packetStatus(sequence, clockMs);
      } else sink.packetStatus(sequence, -1);
    }
  }
  return true;
}
