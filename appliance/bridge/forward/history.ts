/**
 * What was sent lately on one outgoing stream, so that a NACK can be answered: for each outgoing number where the packet lies in the log and how it was
 * rewritten. A ring of SIZE; the oldest go.
 */
import type { Rewrite } from "./rewrite.ts";

/** Packets remembered per stream (bridge.md 4.8: 500). */
export const HISTORY_SIZE = 512;
const MASK = HISTORY_SIZE - 1;

/** Place of a packet that was never in the log: padding. */
export const PADDING_POSITION = -2;

export class History {
  readonly #sequence = new Float64Array(HISTORY_SIZE).fill(-1);
  readonly #position = new Float64Array(HISTORY_SIZE);
  readonly #firstSentAt = new Float64Array(HISTORY_SIZE);
  readonly #lastSentAt = new Float64Array(HISTORY_SIZE);
  readonly #timestamp = new Uint32Array(HISTORY_SIZE);
  /** Picture id + 1 (16 bits), TL0PICIDX + 1 (9 bits), marker, padded. */
  readonly #codec = new Int32Array(HISTORY_SIZE);
  /** Frame number + 1 (17 bits), template offset (6 bits). */
  readonly #descriptor = new Int32Array(HISTORY_SIZE);
  /** Transport-wide number of the first sending, for a repetition that has to be the same packet. */
  readonly #transport = new Uint16Array(HISTORY_SIZE);

  add(rewrite: Rewrite, position: number, nowMs: number, padded: boolean, transport: number): void {
    const slot = rewrite.sequence & MASK;
    this.#sequence[slot] = rewrite.sequence;
    this.#position[slot] = position;
    this.#firstSentAt[slot] = nowMs;
    this.#lastSentAt[slot] = nowMs;
    this.#timestamp[slot] = rewrite.timestamp;
    this.#codec[slot] =
      (rewrite.pictureId + 1) |
      ((rewrite.temporalZeroIndex + 1) << 16) |
      (rewrite.marker ? 1 << 25 : 0) |
      (padded ? 1 << 26 : 0);
    this.#descriptor[slot] = (rewrite.frameNumber + 1) | (rewrite.templateOffset << 17);
    this.#transport[slot] = transport;
  }

  /** Slot of an extended outgoing number, −1: not remembered. */
  find(sequence: number): number {
    const slot = sequence & MASK;
    return this.#sequence[slot] === sequence ? slot : -1;
  }

  position(slot: number): number {
    return this.#position[slot] as number;
  }

  firstSentAt(slot: number): number {
    return this.#firstSentAt[slot] as number;
  }

  lastSentAt(slot: number): number {
    return this.#lastSentAt[slot] as number;
  }

  /** It has been sent again. */
  touch(slot: number, nowMs: number): void {
    this.#lastSentAt[slot] = nowMs;
  }

  padded(slot: number): boolean {
    return ((this.#codec[slot] as number) & (1 << 26)) !== 0;
  }

  transport(slot: number): number {
    return this.#transport[slot] as number;
  }

  read(slot: number, rewrite: Rewrite): void {
    const codec = this.#codec[slot] as number;
    const descriptor = this.#descriptor[slot] as number;
    rewrite.sequence = this.#sequence[slot] as number;
    rewrite.timestamp = this.#timestamp[slot] as number;
    rewrite.pictureId = (codec & 0xffff) - 1;
    rewrite.temporalZeroIndex = ((codec >>> 16) & 0x1ff) - 1;
    rewrite.marker = (codec & (1 << 25)) !== 0;
    rewrite.frameNumber = (descriptor & 0x1ffff) - 1;
    rewrite.templateOffset = (descriptor >>> 17) & 0x3f;
  }

  clear(): void {
    this.#sequence.fill(-1);
  }
}
