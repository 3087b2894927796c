/**
 * How long the turns of a loop took, as a histogram: enough for a percentile, nothing is allocated by counting.
 */

/** Cells of an eighth of a millisecond; what is longer than all of them falls into the last. */
const CELL_MS = 0.125;
const CELLS = 256;

export class Stalls {
  readonly #cells = new Uint32Array(CELLS);
  #count = 0;
  /** Longest, ms. */
  longestMs = 0;

  count(ms: number): void {
    const cell = Math.min(CELLS - 1, Math.max(0, Math.floor(ms / CELL_MS)));
    this.#cells[cell] = (this.#cells[cell] as number) + 1;
    this.#count += 1;
    if (ms > this.longestMs) this.longestMs = ms;
  }

  /** Upper edge of the cell that the share of turns (0 … 1) lies in or below, ms; the longest where it lies beyond the cells; 0 without any. */
  percentileMs(share: number): number {
    const wanted = this.#count * share;
    let seen = 0;
    for (let cell = 0; cell < CELLS - 1; cell++) {
      seen += this.#cells[cell] as number;
      if (seen >= wanted) return this.#count === 0 ? 0 : Math.min(this.longestMs, (cell + 1) * CELL_MS);
    }
    return this.longestMs;
  }

  clear(): void {
    this.#cells.fill(0);
    this.#count = 0;
    this.longestMs = 0;
  }
}
