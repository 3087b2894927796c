/**
 * When lost media is asked for anew (product.md W59; signaling.md 4.9): new ICE in the session that stands, where that is allowed; then a new
 * session; joining the room again when that brings nothing. A core: told of changes and of the time, it says what is due.
 */
import { type Millis, millis } from "./time.ts";

export type WatchAction = "ice-restart" | "restart" | "rejoin";

/** A short gap mends itself: checks go on while "disconnected". */
const GAP_MS = 4000;
/** The focus refuses restarts less than 5 s apart and more than 5 a minute. */
const BETWEEN_RESTARTS_MS = 5500;
const RESTARTS_PER_MINUTE = 4;
/** No new offer or no connection so long after a restart: join again. */
const PATIENCE_MS = 15_000;

export class MediaWatch {
  readonly #inPlace: boolean;
  /** One ICE restart for each loss: what it does not mend, a second one will not. */
  #inPlaceTried = false;
  #restarts: Millis[] = [];
  #restartAt: Millis | undefined;
  #rejoinAt: Millis | undefined;

  /** `inPlace`: whether ICE may be restarted within the session. */
  constructor(inPlace: boolean) {
    this.#inPlace = inPlace;
  }

  interrupted(now: Millis): void {
    this.#plan(now, GAP_MS);
  }

  failed(now: Millis): void {
    this.#plan(now, 0);
  }

  /** The focus or the bridge restarts no ICE: at once a new session, to which the spacing of restarts does not apply. */
  inPlaceRefused(now: Millis): void {
    this.#restarts.pop();
    this.#restartAt = undefined;
    this.#plan(now, 0);
  }

  connected(): void {
    this.#restartAt = undefined;
    this.#rejoinAt = undefined;
    this.#inPlaceTried = false;
  }

  /** A new session begins: what was planned for the old one is void; the patience with the whole is not. */
  renewed(): void {
    this.#restartAt = undefined;
  }

  /** The session ended by the focus's wish, or we leave: nothing to mend. */
  ended(): void {
    this.connected();
  }

  nextDeadline(): Millis | undefined {
    const at = [this.#restartAt, this.#rejoinAt].filter((each) => each !== undefined);
    return at.length === 0 ? undefined : millis(Math.min(...at));
  }

  due(now: Millis): WatchAction | undefined {
    if (this.#rejoinAt !== undefined && this.#rejoinAt <= now) {
      this.#rejoinAt = millis(now + 2 * PATIENCE_MS);
      this.#restartAt = undefined;
      return "rejoin";
    }
    if (this.#restartAt !== undefined && this.#restartAt <= now) {
      this.#restartAt = undefined;
      this.#restarts = [...this.#restarts.filter((each) => now - each < 60_000), now];
      if (this.#inPlace && !this.#inPlaceTried) {
        this.#inPlaceTried = true;
        this.#plan(now, BETWEEN_RESTARTS_MS);
        return "ice-restart";
      }
      this.#rejoinAt ??= millis(now + PATIENCE_MS);
      return "restart";
    }
    return undefined;
  }

  #plan(now: Millis, wait: number): void {
    const last = this.#restarts.at(-1);
    const recent = this.#restarts.filter((each) => now - each < 60_000);
    const first = recent[0];
    const spaced = last === undefined ? 0 : last + BETWEEN_RESTARTS_MS;
    const limited = recent.length >= RESTARTS_PER_MINUTE && first !== undefined ? first + 60_000 : 0;
    const at = millis(Math.max(now + wait, spaced, limited));
    if (this.#restartAt === undefined || at < this.#restartAt) this.#restartAt = at;
  }
}
