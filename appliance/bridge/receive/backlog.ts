/**
 * The newest packets of one incoming stream, kept while somebody waits for a key frame of it: when a key frame's first packet comes late (out of order, or
 * repaired), what came before it can follow it in its order. Says where each number lies in the packet log; the bytes are the log's.
 */

/** Numbers remembered: about a second of a large picture. Policy: the oldest go. */
export const BACKLOG_SIZE = 256;

/** Place of a packet without payload: nothing of it is kept, and nothing is missing. */
export const NO_PAYLOAD = -2;

export class Backlog {
  readonly #number = new Float64Array(BACKLOG_SIZE).fill(-1);
  readonly #position = new Float64Array(BACKLOG_SIZE);

  /** `number`: extended; `position`: in the log, or NO_PAYLOAD. */
  add(number: number, position: number): void {
    const slot = number % BACKLOG_SIZE;
    this.#number[slot] = number;
    this.#position[slot] = position;
  }

  /** −1: not kept. */
  position(number: number): number {
    const slot = number % BACKLOG_SIZE;
    return this.#number[slot] === number ? (this.#position[slot] as number) : -1;
  }
}
