/**
 * When to try the stream again, over which transport, and whether the old session can still be resumed (product.md W58, W60).
 *
 * A core: told what happened and when, it answers with the next attempt. Long-polling is tried when a WebSocket never opened: an iPhone under
 * an untrusted root refuses sockets but not requests.
 */
import { type Millis, millis } from "./time.ts";

export type Transport = "websocket" | "bosh";

export interface Attempt {
  readonly at: Millis;
  readonly transport: Transport;
  /** Whether the server can still know the old session. */
  readonly resume: boolean;
}

export interface ReconnectingOptions {
  readonly websocket: boolean;
  readonly bosh: boolean;
}

/** Waits before the attempts after a loss, ms: tried 0.5, 1, 2, 4, 8 s after it, then every 8 s. */
const WAITS = [500, 500, 1000, 2000, 4000, 8000] as const;
/** A server keeps a lost session for about this long (signaling.md 1.6). */
const RESUME_WINDOW_MS = 60_000;

export class Reconnecting {
  readonly #options: ReconnectingOptions;
  #transport: Transport;
  /** Set once the transport has carried a session: from then on it stays. */
  #proven = false;
  #failures = 0;
  #lostAt: Millis | undefined;

  constructor(options: ReconnectingOptions) {
    this.#options = options;
    this.#transport = options.websocket ? "websocket" : "bosh";
  }

  first(now: Millis): Attempt {
    return { at: now, transport: this.#transport, resume: false };
  }

  connected(): void {
    this.#proven = true;
    this.#failures = 0;
    this.#lostAt = undefined;
  }

  /** An established stream broke, or an attempt failed. */
  lost(now: Millis): Attempt {
    if (this.#lostAt === undefined && this.#proven) this.#lostAt = now;
    const other: Transport = this.#transport === "websocket" ? "bosh" : "websocket";
    const switching = !this.#proven && this.#options[other];
    if (switching) this.#transport = other;
    const wait = switching && this.#failures === 0 ? 0 : (WAITS[Math.min(this.#failures, WAITS.length - 1)] ?? 8000);
    this.#failures += 1;
    return { at: millis(now + wait), transport: this.#transport, resume: this.#resumable(millis(now + wait)) };
  }

  /** The machine is on a network again: at once. */
  online(now: Millis): Attempt {
    this.#failures = 0;
    return { at: now, transport: this.#transport, resume: this.#resumable(now) };
  }

  /** The server no longer knows the session. */
  resumeFailed(): void {
    this.#lostAt = undefined;
  }

  /** How long the stream has been away, ms; 0 while it is there. */
  awayMs(now: Millis): number {
    return this.#lostAt === undefined ? 0 : now - this.#lostAt;
  }

  #resumable(at: Millis): boolean {
    return this.#transport === "websocket" && this.#lostAt !== undefined && at - this.#lostAt < RESUME_WINDOW_MS;
  }
}
