/**
 * Reception statistics of one SSRC: extended sequence numbers, what was seen already, loss (RFC 3550 A.1, A.3) and jitter (A.8).
 *
 * Declines probation: packets have been authenticated. A jump by more than MAX_JUMP starts the stream anew (A.1's "bad sequence").
 */
import type { ReportBlock } from "../rtcp/reports.ts";
import { FIRST_CYCLE, unwrap16 } from "../rtp/sequence.ts";

/** Sequence numbers remembered for telling duplicates: bridge.md 4.3 says 1500 at least. */
const WINDOW = 2048;
const MAX_JUMP = 16384;
/** A stream may begin out of order: numbers so far before the first one that came still belong to it. */
const BEFORE_FIRST = 64;

export const Arrival = {
  /** The next one, or further ahead. */
  new: 0,
  /** Older than the highest, not seen yet. */
  late: 1,
  duplicate: 2,
  /** Older than the window. */
  tooOld: 3,
  /** So far off that everything before is forgotten. */
  restart: 4,
} as const;

export class Reception {
  readonly #seen = new Uint32Array(WINDOW / 32);
  /** Extended highest sequence number received; −1: nothing yet. */
  highest = -1;
  /** Numbers between this packet and the highest before it that are missing, set by `receive`. */
  gap = 0;
  /** Extended number of the packet just received. */
  extended = 0;
  packets = 0;
  bytes = 0;
  /** RFC 3550 A.8, clock ticks. */
  jitterTicks = 0;
  #base = 0;
  #received = 0;
  #expectedPrior = 0;
  #receivedPrior = 0;
  #transit = 0;
  #hasTransit = false;

  /** One packet with its 16-bit number; answers an `Arrival`. */
  receive(sequence: number): number {
    this.gap = 0;
    if (this.highest < 0) {
      this.#start(sequence);
      return Arrival.new;
    }
    const extended = unwrap16(sequence, this.highest);
    const ahead = extended - this.highest;
    if (ahead > 0) {
      if (ahead > MAX_JUMP) {
        this.#start(sequence);
        return Arrival.restart;
      }
      if (ahead > 1) this.#forget(this.highest + 1, Math.min(ahead - 1, WINDOW));
      this.gap = ahead - 1;
      this.highest = extended;
      this.#mark(extended);
      this.extended = extended;
      this.#received += 1;
      return Arrival.new;
    }
    this.extended = extended;
    if (-ahead > MAX_JUMP) {
      this.#start(sequence);
      return Arrival.restart;
    }
    if (-ahead >= WINDOW || extended < this.#base - BEFORE_FIRST) return Arrival.tooOld;
    if (extended < this.#base) this.#base = extended;
    if (this.has(extended)) return Arrival.duplicate;
    this.#mark(extended);
    this.#received += 1;
    return Arrival.late;
  }

  /** Whether a number inside the window has come. */
  has(extended: number): boolean {
    if (extended > this.highest || this.highest - extended >= WINDOW) return false;
    return ((this.#seen[(extended % WINDOW) >>> 5] as number) & (1 << (extended & 31))) !== 0;
  }

  /** Whether a number since the beginning is missing. */
  lacks(extended: number): boolean {
    return extended >= this.#base && !this.has(extended);
  }

  /** Interarrival jitter, RFC 3550 A.8; not for recovered packets. `arrivalMs` and RTP time in one clock's ticks. */
  transit(timestamp: number, arrivalMs: number, clockRate: number): void {
    const arrival = Math.floor((arrivalMs * clockRate) / 1000);
    const transit = (arrival - timestamp) | 0;
    if (this.#hasTransit) {
      const difference = Math.abs((transit - this.#transit) | 0);
      // A leap of more than ten seconds is a new timestamp base, not jitter.
      if (difference < clockRate * 10) this.jitterTicks += (difference - this.jitterTicks) / 16;
    }
    this.#transit = transit;
    this.#hasTransit = true;
  }

  get expected(): number {
    return this.highest < 0 ? 0 : this.highest - this.#base + 1;
  }

  get received(): number {
    return this.#received;
  }

  /** RFC 3550 A.3; may be negative when duplicates were counted, which they are not here. */
  get lost(): number {
    return this.expected - this.#received;
  }

  /** Fills loss, highest number and jitter of a report block and begins the next interval. */
  report(block: ReportBlock): void {
    const expected = this.expected;
    const expectedInterval = expected - this.#expectedPrior;
    const lostInterval = expectedInterval - (this.#received - this.#receivedPrior);
    this.#expectedPrior = expected;
    this.#receivedPrior = this.#received;
    block.fractionLost =
      expectedInterval <= 0 || lostInterval <= 0
        ? 0
        : Math.min(255, Math.floor((lostInterval * 256) / expectedInterval));
    block.cumulativeLost = Math.max(-0x800000, Math.min(0x7fffff, this.lost));
    // Counting starts at FIRST_CYCLE; on the wire cycles start at 0.
    block.extendedHighest = (this.highest - FIRST_CYCLE) >>> 0;
    block.jitterTicks = Math.floor(this.jitterTicks);
  }

  #start(sequence: number): void {
    this.#seen.fill(0);
    this.highest = FIRST_CYCLE + sequence;
    this.#base = this.highest;
    this.extended = this.highest;
    this.#received = 1;
    this.#expectedPrior = 0;
    this.#receivedPrior = 0;
    this.#hasTransit = false;
    this.jitterTicks = 0;
    this.#mark(this.highest);
  }

  #mark(extended: number): void {
    const word = (extended % WINDOW) >>> 5;
    this.#seen[word] = (this.#seen[word] as number) | (1 << (extended & 31));
  }

  #forget(from: number, count: number): void {
    for (let number = from; number < from + count; number++) {
      const word = (number % WINDOW) >>> 5;
      this.#seen[word] = (this.#seen[word] as number) & ~(1 << (number & 31));
    }
  }
}
