/**
 * Shell: the one timer of a core's shell: set after every input to the core's next deadline, it brings the shell round when that has come.
 */
import { monotonicNow } from "./clock.ts";
import type { Deadline } from "./deadlines.ts";

/** It never sleeps longer than this; the core is asked again then. */
const MAX_SLEEP_MS = 60_000;
/** A deadline that moved away by less leaves the timer: that it goes off too early now and then is cheaper than setting it anew after every input. */
const WORTH_SETTING_MS = 250;

export class DeadlineTimer {
  readonly #work: () => void;
  #timer: Timer | undefined;
  /** When it goes off. */
  #at = Number.POSITIVE_INFINITY;

  /** `work` gives the core its turn and sets the timer again. It may find nothing to do. */
  constructor(work: () => void) {
    this.#work = work;
  }

  /** The core's next deadline; undefined: there is none. */
  set(deadline: Deadline | undefined): void {
    if (deadline !== undefined && deadline.at >= this.#at && deadline.at - this.#at < WORTH_SETTING_MS) return;
    clearTimeout(this.#timer);
    this.#at = deadline?.at ?? Number.POSITIVE_INFINITY;
    if (deadline === undefined) return;
    const inMs = Math.max(0, deadline.at - monotonicNow());
    this.#timer = setTimeout(
      () => {
        this.#at = Number.POSITIVE_INFINITY;
        this.#work();
      },
      // Whole milliseconds: a fraction is cut off, and going off too early means going off twice.
      Math.min(MAX_SLEEP_MS, Math.ceil(inMs)),
    );
  }
}
