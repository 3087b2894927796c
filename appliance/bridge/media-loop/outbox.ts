/**
 * What the core fills and the shell empties: datagrams in runs. A run is one destination and datagrams back to back, all of one size but a shorter last
 * one: exactly what one `sendmsg` with UDP_SEGMENT takes (facts/data-plane.md).
 *
 * Bounds: CHUNKS output chunks and MAX_RUNS runs between two drains; when either is used up, the outbox drains itself.
 */

/** One output chunk: the longest run in bytes. Not a power of two: the heads of many chunks would share a few sets of the first cache. */
export const CHUNK_BYTES = 32 * 1024 + 17 * 64;
export const CHUNKS = 256;
export const MAX_RUNS = 1024;
/** Datagrams of one run: the kernel's bound (UDP_MAX_SEGMENTS). */
export const MAX_SEGMENTS = 64;
/** One-off socket addresses (sockaddr_storage would do with 28 bytes for IPv6). */
export const ADDRESS_BYTES = 32;
const LOOSE_ADDRESSES = 128;

/** Instead of its segments: the run goes with another outbox. */
const GIVEN_AWAY = 0;

/** Memory that an outbox needs. */
export const OUTBOX_BYTES = CHUNKS * CHUNK_BYTES + LOOSE_ADDRESSES * ADDRESS_BYTES;

/** Where datagrams of one receiver go; kept by whoever sends to it. */
export class Destination {
  /** Index of the local socket. */
  socket = 0;
  /** Offset of its sockaddr in the packet memory. */
  name = 0;

  // The outbox's own notes.
  /** Drain count at which the fields below were true. */
  epoch = -1;
  /** Open run, −1: none. */
  run = -1;
  /** Next free byte of its chunk, and the chunk's end. */
  at = 0;
  end = 0;
}

export class Outbox {
  readonly bytes: Uint8Array;
  /** Columns of the runs, `runCount` of them. */
  readonly runSocket = new Int32Array(MAX_RUNS);
  readonly runName = new Int32Array(MAX_RUNS);
  readonly runOffset = new Int32Array(MAX_RUNS);
  readonly runLength = new Int32Array(MAX_RUNS);
  /** Size of each datagram but the last, which may be shorter. */
  readonly runSegment = new Int32Array(MAX_RUNS);
  readonly runSegments = new Int32Array(MAX_RUNS);
  runCount = 0;
  datagrams = 0;
  bytesOut = 0;
  /** Runs drained so far. */
  messages = 0;

  readonly #start: number;
  readonly #loose: number;
  readonly #drain: (outbox: Outbox) => void;
  /** Its datagrams go nowhere: a made-up meeting's. */
  readonly silent: boolean;
  #epoch = 0;
  #chunks = 0;
  #looseUsed = 0;
  /** Runs that lie in another outbox's memory. */
  #adopted = 0;
  /** Runs that another one sends, and which. */
  #given = 0;
  #givenTo: Outbox | undefined;

  /** `start`: OUTBOX_BYTES of `bytes` from here on are the outbox's. `drain` sends all runs; it may not call back. */
  constructor(bytes: Uint8Array, start: number, drain: (outbox: Outbox) => void, silent = false) {
    this.silent = silent;
    this.bytes = bytes;
    this.#start = start;
    this.#loose = start + CHUNKS * CHUNK_BYTES;
    this.#drain = drain;
  }

  /** Offset at which a datagram of at most `most` bytes (scratch behind it included) may be built for this destination. */
  reserve(destination: Destination, most: number): number {
    if (destination.epoch === this.#epoch && destination.at + most <= destination.end) return destination.at;
    if (this.#chunks === CHUNKS || this.runCount >= MAX_RUNS - 1) this.drain();
    destination.epoch = this.#epoch;
    destination.run = -1;
    destination.at = this.#start + this.#chunks * CHUNK_BYTES;
    destination.end = destination.at + CHUNK_BYTES;
    this.#chunks += 1;
    return destination.at;
  }

  /** Size of the datagrams of the destination's open run, 0: none is open. */
  openSegment(destination: Destination): number {
    return destination.epoch === this.#epoch && destination.run >= 0 ? (this.runSegment[destination.run] as number) : 0;
  }

  /** The datagram built at the reserved offset is `size` bytes long and goes out. */
  commit(destination: Destination, size: number): void {
    const offset = destination.at;
    destination.at = offset + size;
    this.datagrams += 1;
    this.bytesOut += size;
    const open = destination.run;
    if (open >= 0) {
      const segment = this.runSegment[open] as number;
      if (size <= segment) {
        const segments = (this.runSegments[open] as number) + 1;
        this.runLength[open] = (this.runLength[open] as number) + size;
        this.runSegments[open] = segments;
        if (size < segment || segments === MAX_SEGMENTS) destination.run = -1;
        return;
      }
    }
    if (this.runCount === MAX_RUNS) {
      // Only where many runs were opened without a new chunk: the datagram stays where it is, the runs before it go.
      this.drain();
      destination.epoch = this.#epoch;
      destination.at = offset + size;
      this.#chunks = Math.max(this.#chunks, Math.floor((offset - this.#start) / CHUNK_BYTES) + 1);
    }
    const run = this.runCount;
    this.runSocket[run] = destination.socket;
    this.runName[run] = destination.name;
    this.runOffset[run] = offset;
    this.runLength[run] = size;
    this.runSegment[run] = size;
    this.runSegments[run] = 1;
    this.runCount = run + 1;
    destination.run = run;
  }

  /** The next datagram opens a run of its own. */
  closeRun(destination: Destination): void {
    destination.run = -1;
  }

  /** Whether the destination's open run takes one more datagram of at most `longest` bytes, for which `most` are free (scratch included) at `destination.at`. */
  takes(destination: Destination, longest: number, most: number): boolean {
    return this.openSegment(destination) >= longest && destination.at + most <= destination.end;
  }

  /**
   * The destination's open run in `from` (`takes`), with a last datagram of `size` bytes that was built behind it, goes with this outbox's next drain. Its bytes stay
   * where they are: when `from` is drained, and uses their place again, this one is drained first.
   */
  adopt(from: Outbox, destination: Destination, size: number): void {
    if (this.runCount === MAX_RUNS) this.drain();
    const taken = destination.run;
    const run = this.runCount;
    const segments = (from.runSegments[taken] as number) + 1;
    const length = (from.runLength[taken] as number) + size;
    this.#copyRun(from, taken, run);
    this.runLength[run] = length;
    this.runSegments[run] = segments;
    this.runCount = run + 1;
    this.#adopted += 1;
    this.datagrams += segments;
    this.bytesOut += length;
    from.#giveAway(taken, this);
    destination.at += size;
    destination.run = -1;
  }

  /** Whether anything is here that was not given away. */
  get waits(): boolean {
    return this.runCount > this.#given;
  }

  #giveAway(run: number, to: Outbox): void {
    this.#givenTo = to;
    this.datagrams -= this.runSegments[run] as number;
    this.bytesOut -= this.runLength[run] as number;
    this.runSegments[run] = GIVEN_AWAY;
    this.#given += 1;
  }

  #copyRun(from: Outbox, run: number, to: number): void {
    this.runSocket[to] = from.runSocket[run] as number;
    this.runName[to] = from.runName[run] as number;
    this.runOffset[to] = from.runOffset[run] as number;
    this.runLength[to] = from.runLength[run] as number;
    this.runSegment[to] = from.runSegment[run] as number;
    this.runSegments[to] = from.runSegments[run] as number;
  }

  /** Takes the runs that were given away out of the columns. */
  #closeRanks(): void {
    let kept = 0;
    for (let run = 0; run < this.runCount; run++) {
      if (this.runSegments[run] === GIVEN_AWAY) continue;
      this.#copyRun(this, run, kept);
      kept += 1;
    }
    this.runCount = kept;
    this.#given = 0;
  }

  /** Room for a socket address that nobody keeps; valid until the next drain. */
  looseAddress(): number {
    if (this.#looseUsed === LOOSE_ADDRESSES) this.drain();
    const at = this.#loose + this.#looseUsed * ADDRESS_BYTES;
    this.#looseUsed += 1;
    return at;
  }

  /** Sends everything; all reservations end. */
  drain(): void {
    if (this.#given > 0) this.#closeRanks();
    if (this.#givenTo !== undefined) {
      if (this.#givenTo.#adopted > 0) this.#givenTo.drain();
      this.#givenTo = undefined;
    }
    if (this.runCount > 0) {
      this.messages += this.runCount;
      this.#drain(this);
    }
    this.runCount = 0;
    this.#adopted = 0;
    this.#chunks = 0;
    this.#looseUsed = 0;
    this.#epoch += 1;
  }
}
