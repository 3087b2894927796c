/**
 * Which packets of one SSRC are missing, and when to ask for them: at once on a gap, again every 150 ms, ten times at most; a gap of 100 or more is not
 * asked for at all (bridge.md 4.8).
 */

export const RETRY_MS = 150;
export const MAX_TRIES = 10;
export const MAX_GAP = 100;
/** Numbers asked for at one time; when full the oldest are given up. */
export const MAX_MISSING = 256;

export class Missing {
  readonly #number = new Int32Array(MAX_MISSING);
  readonly #tries = new Uint8Array(MAX_MISSING);
  readonly #due = new Float64Array(MAX_MISSING);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** Extended numbers `from` … `from + count − 1` have not come. False: too many at once; everything is forgotten. */
  add(from: number, count: number, nowMs: number): boolean {
    if (count >= MAX_GAP) {
      this.#count = 0;
      return false;
    }
    const over = this.#count + count - MAX_MISSING;
    if (over > 0) this.#removeFirst(over);
    for (let number = from; number < from + count; number++) {
      this.#number[this.#count] = number;
      this.#tries[this.#count] = 0;
      this.#due[this.#count] = nowMs;
      this.#count += 1;
    }
    return true;
  }

  /** It has come after all. */
  remove(number: number): void {
    for (let index = this.#count - 1; index >= 0; index--) {
      const at = this.#number[index] as number;
      if (at < number) return; // ascending
      if (at === number) {
        this.#removeAt(index);
        return;
      }
    }
  }

  clear(): void {
    this.#count = 0;
  }

  /** Writes the low 16 bits of the numbers to ask for now, ascending, into `sequences`; returns how many. Those asked often enough are given up. */
  due(nowMs: number, sequences: Uint16Array): number {
    let count = 0;
    let kept = 0;
    for (let index = 0; index < this.#count; index++) {
      let tries = this.#tries[index] as number;
      let due = this.#due[index] as number;
      if (due <= nowMs) {
        if (tries >= MAX_TRIES) continue;
        if (count < sequences.length) {
          sequences[count] = (this.#number[index] as number) % 65536;
          count += 1;
          tries += 1;
          due = nowMs + RETRY_MS;
        }
      }
      this.#number[kept] = this.#number[index] as number;
      this.#tries[kept] = tries;
      this.#due[kept] = due;
      kept += 1;
    }
    this.#count = kept;
    return count;
  }

  #removeAt(index: number): void {
    this.#number.copyWithin(index, index + 1, this.#count);
    this.#tries.copyWithin(index, index + 1, this.#count);
    this.#due.copyWithin(index, index + 1, this.#count);
    this.#count -= 1;
  }

  #removeFirst(count: number): void {
    const removed = Math.min(count, this.#count);
    this.#number.copyWithin(0, removed, this.#count);
    this.#tries.copyWithin(0, removed, this.#count);
    this.#due.copyWithin(0, removed, this.#count);
    this.#count -= removed;
  }
}
