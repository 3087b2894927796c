/**
 * What our own microphone's level tells: a microphone that gives nothing (W8), and speaking while muted (W28). Cores.
 */
import type { Millis } from "../session/time.ts";

const SILENT_AFTER_MS = 10_000;

/** Exact digital silence for ten seconds from an unmuted microphone. */
export class Silence {
  #since: Millis | undefined;
  #told = false;

  reset(): void {
    this.#since = undefined;
  }

  /** `exact`: every sample was zero. The answer is the news, if there is any. */
  heard(now: Millis, unmuted: boolean, exact: boolean): boolean | undefined {
    if (!unmuted || !exact) {
      this.#since = undefined;
      if (!this.#told || !unmuted) return undefined;
      this.#told = false;
      return false;
    }
    this.#since ??= now;
    if (this.#told || now - this.#since < SILENT_AFTER_MS) return undefined;
    this.#told = true;
    return true;
  }
}

const SPEECH_LEVEL = 0.18;
const SPEECH_MS = 1000;
const GAP_MS = 400;
const PAUSE_MS = 30_000;

/** One second of speech while muted, told at most every 30 s. */
export class SpeechHint {
  #since: Millis | undefined;
  #last: Millis | undefined;
  #toldAt: Millis | undefined;

  heard(now: Millis, muted: boolean, level: number): boolean {
    if (!muted) {
      this.#since = undefined;
      return false;
    }
    if (level < SPEECH_LEVEL) {
      if (this.#last !== undefined && now - this.#last > GAP_MS) this.#since = undefined;
      return false;
    }
    this.#last = now;
    this.#since ??= now;
    if (now - this.#since < SPEECH_MS) return false;
    if (this.#toldAt !== undefined && now - this.#toldAt < PAUSE_MS) return false;
    this.#toldAt = now;
    return true;
  }
}
