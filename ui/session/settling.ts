/**
 * Brings something to the newest state by an asynchronous step, one step at a time: what changes while a step runs is brought about by one more step
 * after it, however often it changed. A core: the step is its owner's.
 */
export class Settling {
  readonly #step: () => Promise<void>;
  #running: Promise<void> | undefined;
  #again = false;

  constructor(step: () => Promise<void>) {
    this.#step = step;
  }

  /** Resolves when a step that began after this call has ended. Rejects with what a step throws; what was asked for meanwhile is then given up. */
  settle(): Promise<void> {
    this.#again = true;
    this.#running ??= this.#run();
    return this.#running;
  }

  async #run(): Promise<void> {
    try {
      while (this.#again) {
        this.#again = false;
        await this.#step();
      }
    } finally {
      this.#running = undefined;
    }
  }
}
