/**
 * What one client connection may send: bytes and stanzas per second. What comes too fast waits here, in order; a backlog above the bound ends
 * the stream (policy-violation). Services have no limit (signaling.md 6.1).
 */
import type { Millis } from "../time.ts";
import { RateLimit } from "./rate-limit.ts";

export interface GateLimits {
  readonly bytesPerSecond: number;
  readonly stanzasPerSecond: number;
  /** Bytes that may wait. */
  readonly backlogBytes: number;
}

/** Seconds of silence that may be used up at once: joining a meeting is a burst. */
const BURST_SECONDS = 10;
/** A whole big stanza must pass at once whatever the rate. */
const MIN_BURST_BYTES = 131_072;

export class InboundGate<Chunk> {
  #bytes: RateLimit;
  #stanzas: RateLimit;
  readonly #limits: GateLimits;
  #backlog: { readonly chunk: Chunk; readonly bytes: number }[] = [];
  #waiting = 0;

  constructor(now: Millis, limits: GateLimits) {
    this.#limits = limits;
    this.#bytes = ordinaryBytes(now, limits);
    this.#stanzas = new RateLimit(now, limits.stanzasPerSecond, BURST_SECONDS * limits.stanzasPerSecond);
  }

  /** The connection turned out to be a service's. */
  lift(now: Millis): void {
    this.#bytes = new RateLimit(now, Number.POSITIVE_INFINITY, 1);
    this.#stanzas = new RateLimit(now, Number.POSITIVE_INFINITY, 1);
  }

  /** From now on so many bytes a second, without a burst. */
  slow(now: Millis, bytesPerSecond: number): void {
    this.#bytes = new RateLimit(now, bytesPerSecond, bytesPerSecond);
  }

  /** The ordinary limits again. */
  restore(now: Millis): void {
    this.#bytes = ordinaryBytes(now, this.#limits);
  }

  /** False: more waits than may. The chunk comes out of `next` at once or later. */
  offer(chunk: Chunk, bytes: number): boolean {
    if (this.#backlog.length > 0 && this.#waiting + bytes > this.#limits.backlogBytes) return false;
    this.#backlog.push({ chunk, bytes });
    this.#waiting += bytes;
    return true;
  }

  /** The next chunk that may be worked on now. */
  next(now: Millis): Chunk | undefined {
    const first = this.#backlog[0];
    if (first === undefined || this.waitMs(now) > 0) return undefined;
    this.#backlog.shift();
    this.#waiting -= first.bytes;
    this.#bytes.spend(now, first.bytes);
    return first.chunk;
  }

  stanza(now: Millis): void {
    this.#stanzas.spend(now, 1);
  }

  get empty(): boolean {
    return this.#backlog.length === 0;
  }

  waitMs(now: Millis): number {
    return Math.max(this.#bytes.waitMs(now), this.#stanzas.waitMs(now));
  }
}

const ordinaryBytes = (now: Millis, { bytesPerSecond }: GateLimits): RateLimit =>
  new RateLimit(now, bytesPerSecond, Math.max(MIN_BURST_BYTES, BURST_SECONDS * bytesPerSecond));
