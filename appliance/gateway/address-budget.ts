/**
 * How many of something each remote address may hold at once. Bounded by what is held: an address that holds nothing takes no memory.
 */
export class AddressBudget {
  readonly #most: number;
  readonly #held = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /** False: it holds its share already. Each true needs one `release`. */
  take(address: string): boolean {
    const held = this.#held.get(address) ?? 0;
    if (held >= this.#most) return false;
    this.#held.set(address, held + 1);
    return true;
  }

  release(address: string): void {
    const left = (this.#held.get(address) ?? 0) - 1;
    if (left > 0) this.#held.set(address, left);
    else this.#held.delete(address);
  }
}
