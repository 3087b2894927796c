/**
 * What was sent lately on one outgoing stream, so that a NACK can be answered: for each outgoing number where the packet lies in the log and how it was
 * rewritten. A ring of SIZE; the oldest go.
 *
 * One record of 32 bytes a packet, because every packet to every receiver writes one: in columns it would touch eight lines of the cache.
 *
 *   bytes 0 … 7    position in the log, a double
 *   word 2         outgoing number, its low 32 bits
 *   word 3         RTP timestamp
 *   word 4         picture id + 1 (16 bits), TL0PICIDX + 1 (9), marker, padded
 *   word 5         frame number + 1 (17 bits), template offset (6), high 8 of the first send time
 *   word 6         transport-wide number of the first sending (16 bits), low 16 of the first send time
 *   word 7         time of the last sending, eighths of a millisecond, wrapping
 */
import type { Rewrite } from "./rewrite.ts";

/** Packets remembered per stream (bridge.md 4.8: 500). */
export const HISTORY_SIZE = 512;
const MASK = HISTORY_SIZE - 1;
const RECORD_WORDS = 8;

/** Place of a packet that was never in the log: padding. */
export const PADDING_POSITION = -2;

/** abs-send-time counts seconds in 6.18 fixed point: the first send time is kept in its units, all that a repetition needs of it. */
const SEND_TIME_UNITS = 262.144;
const SEND_TIME_WRAP_MS = 64_000;

export class History {
  readonly #words = new Int32Array(HISTORY_SIZE * RECORD_WORDS);
  readonly #positions = new Float64Array(this.#words.buffer);

  constructor() {
    this.clear();
  }

  add(rewrite: Rewrite, position: number, nowMs: number, padded: boolean, transport: number): void {
    const slot = rewrite.sequence & MASK;
    const words = this.#words;
    const at = slot * RECORD_WORDS;
    const sendTime = Math.floor((nowMs % SEND_TIME_WRAP_MS) * SEND_TIME_UNITS) | 0;
    this.#positions[at >> 1] = position;
    words[at + 2] = rewrite.sequence;
    words[at + 3] = rewrite.timestamp;
    words[at + 4] =
      (rewrite.pictureId + 1) |
      ((rewrite.temporalZeroIndex + 1) << 16) |
      (rewrite.marker ? 1 << 25 : 0) |
      (padded ? 1 << 26 : 0);
    words[at + 5] = (rewrite.frameNumber + 1) | (rewrite.templateOffset << 17) | ((sendTime >>> 16) << 23);
    words[at + 6] = transport | (sendTime << 16);
    words[at + 7] = nowMs * 8;
  }

  /** Slot of an extended outgoing number, −1: not remembered. */
  find(sequence: number): number {
    const slot = sequence & MASK;
    const at = slot * RECORD_WORDS;
    return this.#words[at + 2] === (sequence | 0) && this.#positions[at >> 1] !== -1 ? slot : -1;
  }

  /** Reads what the next packet will need (media-loop/ahead.ts); the number means nothing. */
  ahead(sequence: number): number {
    return this.#words[(sequence & MASK) * RECORD_WORDS + 2] as number;
  }

  position(slot: number): number {
    return this.#positions[(slot * RECORD_WORDS) >> 1] as number;
  }

  /** When it was sent first, ms modulo 64 s: writes the same abs-send-time again. */
  firstSentAt(slot: number): number {
    const at = slot * RECORD_WORDS;
    const units = ((((this.#words[at + 5] as number) >>> 23) & 0xff) << 16) | ((this.#words[at + 6] as number) >>> 16);
    return (units + 0.5) / SEND_TIME_UNITS;
  }

  /** Time since it was sent last, ms. */
  sinceSentMs(slot: number, nowMs: number): number {
    return ((nowMs * 8 - (this.#words[slot * RECORD_WORDS + 7] as number)) | 0) / 8;
  }

  /** It has been sent again. */
  touch(slot: number, nowMs: number): void {
    this.#words[slot * RECORD_WORDS + 7] = nowMs * 8;
  }

  padded(slot: number): boolean {
    return ((this.#words[slot * RECORD_WORDS + 4] as number) & (1 << 26)) !== 0;
  }

  transport(slot: number): number {
    return (this.#words[slot * RECORD_WORDS + 6] as number) & 0xffff;
  }

  /** `sequence`: the number that `find` was asked for. */
  read(slot: number, sequence: number, rewrite: Rewrite): void {
    const at = slot * RECORD_WORDS;
    const words = this.#words;
    const codec = words[at + 4] as number;
    const descriptor = words[at + 5] as number;
    rewrite.sequence = sequence;
    rewrite.timestamp = (words[at + 3] as number) >>> 0;
    rewrite.pictureId = (codec & 0xffff) - 1;
    rewrite.temporalZeroIndex = ((codec >>> 16) & 0x1ff) - 1;
    rewrite.marker = (codec & (1 << 25)) !== 0;
    rewrite.frameNumber = (descriptor & 0x1ffff) - 1;
    rewrite.templateOffset = (descriptor >>> 17) & 0x3f;
  }

  clear(): void {
    this.#positions.fill(-1);
  }
}
