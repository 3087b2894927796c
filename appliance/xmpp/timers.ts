/**
 * Many deadlines of one core, one per key: a heap, so that thousands of connections cost their logarithm and not their number. (deadlines.ts
 * serves cores with a handful.)
 */
import type { Deadline } from "../deadlines.ts";
import type { Millis } from "../time.ts";

interface Entry<Key> {
  readonly key: Key;
  readonly at: Millis;
  readonly why: string;
}

export class Timers<Key> {
  readonly #current = new Map<Key, Entry<Key>>();
  #heap: Entry<Key>[] = [];
  /** Taken out and not yet worked off. */
  readonly #taken = new Set<Key>();

  /** Sets or moves the deadline of a key. */
  set(key: Key, at: Millis, why: string): void {
    const entry = { key, at, why };
    this.#taken.delete(key);
    this.#current.set(key, entry);
    if (this.#heap.length > 64 && this.#heap.length > 4 * this.#current.size) this.#rebuild();
    this.#push(entry);
  }

  clear(key: Key): void {
    this.#taken.delete(key);
    this.#current.delete(key);
  }

  has(key: Key): boolean {
    return this.#current.has(key);
  }

  soonest(): Deadline | undefined {
    this.#dropStale();
    const top = this.#heap[0];
    return top === undefined ? undefined : { at: top.at, why: top.why };
  }

  /**
   * Takes out every key whose time has come, and hands them over in order of their instants. One that is set or cleared while others are worked off is
   * passed over, and what is set meanwhile waits for the next call, even if its time has come already: a call ends, whatever `work` does.
   */
  due(now: Millis, work: (key: Key) => void): void {
    for (this.#dropStale(); ; this.#dropStale()) {
      const top = this.#heap[0];
      if (top === undefined || top.at > now) break;
      this.#pop();
      this.#current.delete(top.key);
      this.#taken.add(top.key);
    }
    for (const key of this.#taken) {
      this.#taken.delete(key);
      work(key);
    }
  }

  #dropStale(): void {
    for (let top = this.#heap[0]; top !== undefined && this.#current.get(top.key) !== top; top = this.#heap[0])
      this.#pop();
  }

  #rebuild(): void {
    this.#heap = [];
    for (const entry of this.#current.values()) this.#push(entry);
  }

  #push(entry: Entry<Key>): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || above.at <= entry.at) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const left = heap[child];
      if (left === undefined) break;
      const right = heap[child + 1];
      if (right !== undefined && right.at < left.at) child++;
      const smallest = heap[child];
      if (smallest === undefined || smallest.at >= last.at) break;
      heap[at] = smallest;
      at = child;
    }
    heap[at] = last;
  }
}
