/**
 * Conferences that the administrator keeps to one version of bridges, for a time. signaling.md 5.8.
 */
import { later, type Millis } from "../time.ts";

export interface Pin {
  readonly version: string;
  readonly until: Millis;
}

const MAX_PINS = 1_000;

export class Pins {
  readonly #pins = new Map<string, Pin>();

  /** False: there are too many. */
  add(now: Millis, room: string, version: string, durationMs: number): boolean {
    if (!this.#pins.has(room) && this.current(now).size >= MAX_PINS) return false;
    this.#pins.set(room, { version, until: later(now, durationMs) });
    return true;
  }

  remove(room: string): boolean {
    return this.#pins.delete(room);
  }

  current(now: Millis): ReadonlyMap<string, Pin> {
    for (const [room, pin] of this.#pins) if (pin.until <= now) this.#pins.delete(room);
    return this.#pins;
  }

  version(now: Millis, room: string): string | undefined {
    return this.current(now).get(room)?.version;
  }
}
