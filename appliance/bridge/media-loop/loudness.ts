/**
 * How loud an endpoint is, for choosing whom to forward (bridge.md 5.5, 5.6): energy = (50·level + 50·energy + 50) / 100 in integers, forgotten 150 ms after
 * the last packet.
 */

const EXPIRY_MS = 150;
/** Levels within this of the quietest heard count as nothing. */
const MARGIN = 10;
/** Non-zero levels after which the floor is moved up. */
const FLOOR_WINDOW = 750;

export class Loudness {
  #energy = 0;
  #at = Number.NEGATIVE_INFINITY;
  #floor = 0;
  #lowest = 128;
  #counted = 0;

  /** `level` 0 silence … 127 loudest. */
  hear(level: number, nowMs: number): void {
    if (level > 0) this.#follow(level);
    const counted = level < this.#floor + MARGIN ? 0 : level;
    const energy = nowMs - this.#at > EXPIRY_MS ? 0 : this.#energy;
    this.#energy = Math.floor((50 * counted + 50 * energy + 50) / 100);
    this.#at = nowMs;
  }

  /** 0: silent or gone. */
  energy(nowMs: number): number {
    return nowMs - this.#at > EXPIRY_MS ? 0 : this.#energy;
  }

  #follow(level: number): void {
    if (this.#floor === 0 || level < this.#floor) {
      this.#floor = level;
      this.#lowest = 128;
      this.#counted = 0;
      return;
    }
    if (level < this.#lowest) this.#lowest = level;
    this.#counted += 1;
    if (this.#counted < FLOOR_WINDOW) return;
    this.#floor = Math.floor(Math.sqrt(this.#floor * this.#lowest));
    this.#lowest = 128;
    this.#counted = 0;
  }
}
