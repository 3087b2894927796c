/**
 * How often key frames are asked for (bridge.md 4.9): per receiver and SSRC at least min(200 ms, RTT + 10 ms) apart and three in ten seconds; per SSRC
 * over all receivers one in 200 ms.
 */

export const MIN_INTERVAL_MS = 200;
export const WINDOW_MS = 10_000;
export const MAX_IN_WINDOW = 3;

/** Per receiver and source. */
export class ReceiverRequests {
  readonly #at = new Float64Array(MAX_IN_WINDOW).fill(Number.NEGATIVE_INFINITY);
  #next = 0;

  /** Whether this receiver may ask now; yes counts as asked. `rttMs` 0: not known. */
  ask(nowMs: number, rttMs: number): boolean {
    const newest = this.#at[(this.#next + MAX_IN_WINDOW - 1) % MAX_IN_WINDOW] as number;
    const apart = rttMs > 0 ? Math.min(MIN_INTERVAL_MS, rttMs + 10) : MIN_INTERVAL_MS;
    if (nowMs - newest < apart) return false;
    if (nowMs - (this.#at[this.#next] as number) < WINDOW_MS) return false;
    this.#at[this.#next] = nowMs;
    this.#next = (this.#next + 1) % MAX_IN_WINDOW;
    return true;
  }

  /** A new situation (another layer, another source): the past does not count. */
  reset(): void {
    this.#at.fill(Number.NEGATIVE_INFINITY);
  }
}

/** Per SSRC that sends. */
export class StreamRequests {
  #lastAt = Number.NEGATIVE_INFINITY;
  /** FIR's counter, RFC 5104 §4.3.1. */
  commandSequence = 0;

  /** Whether a request could go out now. */
  ready(nowMs: number): boolean {
    return nowMs - this.#lastAt >= MIN_INTERVAL_MS;
  }

  /** Whether a request may go out now; yes counts as sent. */
  send(nowMs: number): boolean {
    if (!this.ready(nowMs)) return false;
    this.#lastAt = nowMs;
    this.commandSequence = (this.commandSequence + 1) & 0xff;
    return true;
  }
}
