/**
 * XEP-0198 (1.6): the counters and the queue of one session, without IO. Only iq, message and presence count, from <enabled/> on; counters
 * wrap at 2³².
 *
 * Bound: the queue of what the other side has not acknowledged. Over it, a session that is connected goes on without resumption (its queue is
 * given up), one that hibernates ends.
 */

const MODULUS = 2 ** 32;
/** signaling.md 1.6: ask after five. */
const REQUEST_AFTER = 5;

export interface QueueLimits {
  readonly stanzas: number;
  /** Sum of the serialised stanzas, UTF-16 code units. */
  readonly size: number;
}

export class StreamManagement {
  /** Resumption id; undefined: the peer did not ask for resumption, or it was given up. */
  #id: string | undefined;
  readonly #limits: QueueLimits;
  #received: number;
  #acknowledged: number;
  #sent: number;
  #unacked: string[] = [];
  #size = 0;
  #keeping = true;
  #asked = false;
  #sinceRequest = 0;

  /** `start`: where both counters begin; 0 by the protocol. */
  constructor(id: string | undefined, limits: QueueLimits, start = 0) {
    this.#id = id;
    this.#limits = limits;
    this.#received = start;
    this.#acknowledged = start;
    this.#sent = start;
  }

  get id(): string | undefined {
    return this.#id;
  }

  /** What we have handled: `h` of our answers. */
  get received(): number {
    return this.#received;
  }

  get unacked(): readonly string[] {
    return this.#unacked;
  }

  /** Whether an answer to our <r/> is outstanding. */
  get asked(): boolean {
    return this.#asked;
  }

  stanzaReceived(): void {
    this.#received = (this.#received + 1) % MODULUS;
  }

  /** Keeps a stanza that goes out (or would, while hibernating). False: the queue is full and was given up. */
  stanzaSent(serialised: string): boolean {
    this.#sent = (this.#sent + 1) % MODULUS;
    this.#sinceRequest++;
    if (!this.#keeping) return true;
    if (this.#unacked.length >= this.#limits.stanzas || this.#size + serialised.length > this.#limits.size) {
      this.#keeping = false;
      this.#unacked = [];
      this.#size = 0;
      this.#id = undefined;
      return false;
    }
    this.#unacked.push(serialised);
    this.#size += serialised.length;
    return true;
  }

  /** Whether it is time for an <r/>; calling it with true means it is sent. */
  shouldRequest(): boolean {
    return !this.#asked && this.#sinceRequest >= REQUEST_AFTER;
  }

  requested(): void {
    this.#asked = true;
    this.#sinceRequest = 0;
  }

  /** `h` of the peer. False: it acknowledges what was never sent (or less than before, which is the same modulo 2³²). */
  acknowledge(h: number): boolean {
    const newly = (h - this.#acknowledged + MODULUS) % MODULUS;
    const outstanding = (this.#sent - this.#acknowledged + MODULUS) % MODULUS;
    if (newly > outstanding) return false;
    this.#asked = false;
    this.#acknowledged = h;
    for (const done of this.#unacked.splice(0, newly)) this.#size -= done.length;
    return true;
  }

  /** A new connection takes over: what was asked on the old one gets no answer. */
  resumed(): void {
    this.#asked = false;
    this.#sinceRequest = 0;
  }
}

/** `h` as the wire has it, 0 … 2³² − 1; undefined when it is no such number. */
export function readCounter(text: string | undefined): number | undefined {
  if (text === undefined || !/^[0-9]{1,10}$/.test(text)) return undefined;
  const value = Number(text);
  return value < MODULUS ? value : undefined;
}
