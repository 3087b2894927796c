/**
 * How long video may wait for more of its kind to the same receiver. Longer runs cost the kernel less a packet (facts/data-plane.md), so a core that is short of time
 * buys time with delay; one that has time never does. Audio, feedback and everything else never waits.
 *
 * The wait follows the busy share of the thread: nothing up to `fromLoad`, then more and more, `maxMs` at FULL_LOAD. Holding makes the load fall, and the load
 * makes the holding fall: a straight line between them settles where both agree.
 *
 * And it pays only where much goes to each receiver: with few packets in the longest wait, hardly one finds another to go with, and the waiting itself costs wake-ups and
 * caches (measured, docs/performance.md: 8 % more at three packets, 8 % less at seven).
 */

/** Busy share at which the whole wait is allowed. */
const FULL_LOAD = 0.95;
/** Weight of the newest window in the smoothed load. */
const NEWEST = 0.3;
/** A wait shorter than this catches nothing. */
const LEAST_MS = 0.2;

/** Packets that a receiver gets in the longest wait, on average over all, from which on something is held. */
export const LEAST_PACKETS = 5;

export interface HoldingOptions {
  /** 0: nothing is ever held. */
  readonly maxMs: number;
  /** Busy share of the thread, 0 … 1, above which holding begins. */
  readonly fromLoad: number;
  /** Packets for each receiver in `maxMs` below which nothing is held; absent: LEAST_PACKETS. */
  readonly leastPackets?: number;
}

export const NO_HOLDING: HoldingOptions = { maxMs: 0, fromLoad: 1 };

export class Holding {
  readonly #maxMs: number;
  readonly #fromLoad: number;
  /** Packets for each receiver and millisecond. */
  readonly #leastFlow: number;
  #load = 0;
  #flow = 0;
  /** What may wait now waits so long at most, ms; 0: nothing waits. */
  ms = 0;
  /** Whether anything waits at all. What is asked for every packet is no number: it would be an integer until the first holding, and then not. */
  waits = false;

  constructor({ maxMs, fromLoad, leastPackets = LEAST_PACKETS }: HoldingOptions) {
    this.#maxMs = maxMs;
    this.#leastFlow = maxMs > 0 ? leastPackets / maxMs : 0;
    this.#fromLoad = Math.min(fromLoad, FULL_LOAD - 0.05);
  }

  /** Of a window that just ended: busy share of the thread, 0 … 1, and packets for each receiver and millisecond. */
  heard(load: number, flow: number): void {
    this.#load += (Math.min(1, load) - this.#load) * NEWEST;
    this.#flow += (flow - this.#flow) * NEWEST;
    const share = Math.min(1, (this.#load - this.#fromLoad) / (FULL_LOAD - this.#fromLoad));
    const ms = this.#flow < this.#leastFlow ? 0 : share * this.#maxMs;
    this.waits = ms >= LEAST_MS;
    this.ms = this.waits ? ms : 0;
  }
}
