/**
 * SSRC rewriting (bridge.md 4.6): a receiver sees a fixed pool of SSRCs, and the sources it gets take turns in them. One pool for its microphones, one
 * for its cameras and screens; the least recently used slot is given away when all are taken.
 */

export interface Slot {
  readonly ssrc: number;
  readonly rtxSsrc: number;
  /** Place in the pool, 0 …; names the slot's mid. */
  readonly place: number;
}

interface Taken extends Slot {
  source: string | undefined;
  /** Grows with every use. */
  lastUsed: number;
}

export class SsrcSlots {
  readonly #slots: Taken[] = [];
  readonly #bySource = new Map<string, Taken>();
  #uses = 0;

  /** `limit` slots at most; `newSsrc` draws an SSRC that nobody else in the conference has. */
  constructor(
    readonly limit: number,
    readonly newSsrc: () => number,
  ) {}

  get(source: string): Slot | undefined {
    return this.#bySource.get(source);
  }

  /**
   * Gives every named source a slot; returns those that did not have one before. Of more than `limit` names the last get none.
   * A slot of a source that is named now is never given away.
   */
  activate(sources: readonly string[]): { readonly source: string; readonly slot: Slot; readonly evicted?: string }[] {
    const wanted = sources.slice(0, this.limit);
    const keep = new Set(wanted);
    for (const source of wanted) {
      const slot = this.#bySource.get(source);
      if (slot !== undefined) slot.lastUsed = ++this.#uses;
    }
    const mapped: { source: string; slot: Slot; evicted?: string }[] = [];
    for (const source of wanted) {
      if (this.#bySource.has(source)) continue;
      const slot = this.#free(keep);
      if (slot === undefined) break;
      const evicted = slot.source;
      if (evicted !== undefined) this.#bySource.delete(evicted);
      slot.source = source;
      slot.lastUsed = ++this.#uses;
      this.#bySource.set(source, slot);
      mapped.push({ source, slot, ...(evicted !== undefined ? { evicted } : {}) });
    }
    return mapped;
  }

  /** The source is gone; its slot stays in the pool. */
  release(source: string): void {
    const slot = this.#bySource.get(source);
    if (slot === undefined) return;
    slot.source = undefined;
    this.#bySource.delete(source);
  }

  /** Which source has which slot now. */
  *entries(): IterableIterator<[string, Slot]> {
    yield* this.#bySource;
  }

  #free(keep: ReadonlySet<string>): Taken | undefined {
    const empty = this.#slots.find((slot) => slot.source === undefined);
    if (empty !== undefined) return empty;
    if (this.#slots.length < this.limit) {
      const slot: Taken = {
        ssrc: this.newSsrc(),
        rtxSsrc: this.newSsrc(),
        place: this.#slots.length,
        source: undefined,
        lastUsed: 0,
      };
      this.#slots.push(slot);
      return slot;
    }
    let oldest: Taken | undefined;
    for (const slot of this.#slots)
      if (
        slot.source !== undefined &&
        !keep.has(slot.source) &&
        (oldest === undefined || slot.lastUsed < oldest.lastUsed)
      )
        oldest = slot;
    return oldest;
  }
}
