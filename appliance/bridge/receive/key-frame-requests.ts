/**
 * How often key frames are asked for (bridge.md 4.9). What a receiver asks for: at least min(200 ms, RTT + 10 ms) apart and three in ten seconds per SSRC. What
 * the bridge itself needs before it can forward anything: at once, then further and further apart until it has come. Per SSRC over all receivers: one in 200 ms.
 *
 * A receiver's three requests are of no use if they, or what they asked for, are lost on the sender's side: its picture would stay black until the ten seconds are over. So
 * a request that no key frame answers is repeated by the bridge, and a receiver pays for it once.
 */

export const MIN_INTERVAL_MS = 200;
export const WINDOW_MS = 10_000;
export const MAX_IN_WINDOW = 3;

/** First repetition of a need; the sender's round trip and a frame's time are added. Doubles each time. */
const REPEAT_MS = 200;
const MOST_MS = 1000;
/** First repetition of what a receiver asked for; the sender's round trip is added. Doubles each time. Longer than a need's: the sender may show few pictures a second. */
const REPEAT_FOR_RECEIVER_MS = 500;
const MOST_REPEATS = 4;
/** A need that was not felt for so long is another one. */
const FORGOTTEN_MS = 3000;

/** A receiver cannot be sent anything (better) before a key frame comes: asks until one has been forwarded. */
export class NeededKeyFrame {
  #askedAt = Number.NEGATIVE_INFINITY;
  #feltAt = Number.NEGATIVE_INFINITY;
  #waitMs = 0;

  /** Felt again; whether it is time to ask. `rttMs`: of the sender, 0: not known. */
  ask(nowMs: number, rttMs: number): boolean {
    if (nowMs - this.#feltAt > FORGOTTEN_MS) this.met();
    this.#feltAt = nowMs;
    if (nowMs - this.#askedAt < this.#waitMs) return false;
    this.#askedAt = nowMs;
    this.#waitMs = this.#waitMs === 0 ? REPEAT_MS + rttMs : Math.min(this.#waitMs * 2, Math.max(MOST_MS, 2 * rttMs));
    return true;
  }

  /** It has come, or something else is needed now. */
  met(): void {
    this.#askedAt = Number.NEGATIVE_INFINITY;
    this.#waitMs = 0;
  }
}

/** What one receiver asks for of one source. */
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
  #repeats = 0;
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

  /** The request that was just sent is a receiver's. */
  awaited(): void {
    this.#repeats = 0;
  }

  /** No key frame has come yet: whether to ask again; "never" when the sender does not seem to make any. `rttMs`: of the sender, 0: not known. */
  again(nowMs: number, rttMs: number): "now" | "later" | "never" {
    if (this.#repeats === MOST_REPEATS) return "never";
    if (nowMs - this.#lastAt < REPEAT_FOR_RECEIVER_MS * 2 ** this.#repeats + rttMs) return "later";
    this.#repeats++;
    return "now";
  }
}
