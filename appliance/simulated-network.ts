/**
 * Tests only: a network on virtual time. Seeded delay, loss, reordering and duplication; the same seed gives the same run. Cores are hung in as
 * nodes (their `nextDeadline` and `handleTimeout`); datagrams are handed to `send` with where they go. Minutes of call take milliseconds.
 *
 *     const network = new SimulatedNetwork({ seed: 7, delayMs: 20, jitterMs: 10, loss: 0.15 });
 *     network.add({ nextDeadline: () => a.nextDeadline(), handleTimeout: (now) => { a.handleTimeout(now); drain(a); } });
 *     network.send(bytes, (now, bytes) => { b.handleDatagram(now, path, bytes); drain(b); });
 *     network.run(() => a.state === "connected", 10_000);
 */
import type { Deadline } from "./deadlines.ts";
import { later, type Millis, millis } from "./time.ts";

/** How a link treats datagrams. */
export interface LinkOptions {
  /** One way, ms. */
  readonly delayMs: number;
  /** Added to the delay of each datagram, evenly 0 … this; more than the spacing of datagrams reorders them. */
  readonly jitterMs?: number;
  /** Fraction lost, 0 … 1. */
  readonly loss?: number;
  /** Fraction that arrives twice. */
  readonly duplicate?: number;
}

export interface SimulatedNode {
  nextDeadline(): Deadline | undefined;
  handleTimeout(now: Millis): void;
}

interface Event {
  readonly at: Millis;
  /** Breaks ties in the order of scheduling. */
  readonly order: number;
  readonly work: (now: Millis) => void;
}

/** A seeded generator (mulberry32: 2³² states are enough for tests). Answers 0 ≤ x < 1. */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Seeded bytes, for cores that take randomness as bytes. */
export function seededBytes(seed: number): (count: number) => Uint8Array {
  const random = seededRandom(seed);
  return (count) => Uint8Array.from({ length: count }, () => Math.floor(random() * 256));
}

export class SimulatedNetwork {
  readonly #random: () => number;
  readonly #link: LinkOptions;
  readonly #nodes = new Set<SimulatedNode>();
  /** Binary heap, soonest first. */
  readonly #events: Event[] = [];
  #order = 0;
  #now = millis(0);
  /** Datagrams handed over and lost so far. */
  delivered = 0;
  lost = 0;

  constructor(options: LinkOptions & { readonly seed: number }) {
    this.#random = seededRandom(options.seed);
    this.#link = options;
  }

  get now(): Millis {
    return this.#now;
  }

  add(node: SimulatedNode): void {
    this.#nodes.add(node);
  }

  remove(node: SimulatedNode): void {
    this.#nodes.delete(node);
  }

  /** Sends a datagram over the link: `deliver` is called never, once or twice. The bytes are copied, as a network does. */
  send(bytes: Uint8Array, deliver: (now: Millis, bytes: Uint8Array) => void, link: LinkOptions = this.#link): void {
    const copies = this.#random() < (link.duplicate ?? 0) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (this.#random() < (link.loss ?? 0)) {
        this.lost++;
        continue;
      }
      const copied = bytes.slice();
      this.after(link.delayMs + this.#random() * (link.jitterMs ?? 0), (now) => {
        this.delivered++;
        deliver(now, copied);
      });
    }
  }

  /** Runs `work` after that many milliseconds. */
  after(delayMs: number, work: (now: Millis) => void): void {
    this.#push({ at: later(this.#now, delayMs), order: this.#order++, work });
  }

  /** The instant of the next event or deadline; undefined when nothing will ever happen. */
  nextInstant(): Deadline | undefined {
    const [event] = this.#events;
    let best: Deadline | undefined = event === undefined ? undefined : { at: event.at, why: "network" };
    for (const node of this.#nodes) {
      const deadline = node.nextDeadline();
      if (deadline !== undefined && (best === undefined || deadline.at < best.at)) best = deadline;
    }
    return best;
  }

  /** One instant's work; false when there is none before `until`. */
  step(until: Millis = millis(Number.POSITIVE_INFINITY)): boolean {
    const next = this.nextInstant();
    if (next === undefined || next.at > until) return false;
    if (next.at > this.#now) this.#now = next.at;
    const [event] = this.#events;
    if (event !== undefined && event.at <= this.#now) {
      this.#pop();
      event.work(this.#now);
      return true;
    }
    for (const node of [...this.#nodes]) {
      const deadline = node.nextDeadline();
      if (deadline !== undefined && deadline.at <= this.#now) node.handleTimeout(this.#now);
    }
    return true;
  }

  /** Runs until `done` or for `forMs` of virtual time; answers whether `done` came. Throws when time stands still: a node that is never satisfied. */
  run(done: () => boolean, forMs: number): boolean {
    const until = later(this.#now, forMs);
    let instant = this.#now;
    let steps = 0;
    while (!done()) {
      if (!this.step(until)) {
        this.#now = until;
        return done();
      }
      steps = this.#now === instant ? steps + 1 : 0;
      instant = this.#now;
      if (steps > 100_000)
        throw new Error(`simulated time stands still at ${instant} ms: ${this.nextInstant()?.why ?? "?"}`);
    }
    return true;
  }

  #push(event: Event): void {
    const heap = this.#events;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(event, heap[parent] as Event)) break;
      heap[at] = heap[parent] as Event;
      at = parent;
    }
    heap[at] = event;
  }

  #pop(): void {
    const heap = this.#events;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as Event, heap[child] as Event)) child++;
      if (!before(heap[child] as Event, last)) break;
      heap[at] = heap[child] as Event;
      at = child;
    }
    heap[at] = last;
  }
}

const before = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);
