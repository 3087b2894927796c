/**
 * What the focus lets onto a loaded bridge: no further cameras from one stress on, no new conferences from another; open again when the stress has fallen
 * well below, and not before half a minute (no flapping). A bridge that knows also says how many more cameras it can forward (`parley_camera_room`), and then a
 * camera is let in if it fits. For our own bridges only: what a foreign one calls stress is another thing. A core.
 */
import { later, type Millis, seconds } from "../time.ts";

/** How far the stress must fall below the threshold, as a share of it. */
const MARGIN = 0.15;
const HOLD = seconds(30);
/** Cameras let in are in the bridge's own figures after a report (5 s) and a presence (5 s). */
const PENDING = seconds(10);
const MAX_PENDING = 1_000;

/** Closed from a threshold on, with hysteresis. */
export class StressGate {
  readonly #closeAt: number;
  #closedAt: Millis | undefined;

  constructor(closeAt: number) {
    this.#closeAt = closeAt;
  }

  get closed(): boolean {
    return this.#closedAt !== undefined;
  }

  /** True: it has opened or closed. */
  update(now: Millis, stress: number): boolean {
    const before = this.closed;
    if (stress >= this.#closeAt) this.#closedAt = now;
    else if (
      this.#closedAt !== undefined &&
      stress < this.#closeAt * (1 - MARGIN) &&
      now >= later(this.#closedAt, HOLD)
    )
      this.#closedAt = undefined;
    return this.closed !== before;
  }
}

export interface AdmissionSettings {
  /** Stress from which a conference gets no further cameras. */
  readonly refuseCamerasAt: number;
  /** Stress from which a bridge gets no new conferences. */
  readonly refuseConferencesAt: number;
}

/** Of one bridge. */
export class Admission {
  readonly #cameras: StressGate;
  readonly #conferences: StressGate;
  /** As the bridge last said; undefined: it does not say. */
  #room: number | undefined;
  readonly #pending: { readonly at: Millis; readonly cameras: number }[] = [];

  constructor(settings: AdmissionSettings) {
    this.#cameras = new StressGate(settings.refuseCamerasAt);
    this.#conferences = new StressGate(settings.refuseConferencesAt);
  }

  /** The bridge's stress, corrected by what it does not know yet, and its room. True: new conferences may come again. */
  update(now: Millis, stress: number, room: number | undefined): boolean {
    this.#room = room;
    this.#cameras.update(now, stress);
    return this.#conferences.update(now, stress) && !this.#conferences.closed;
  }

  get takesConferences(): boolean {
    return !this.#conferences.closed;
  }

  /** It neither refuses cameras nor says how many it can take. */
  get unlimited(): boolean {
    return !this.#cameras.closed && this.#room === undefined;
  }

  /** Whether it can forward that many more. */
  takesCameras(now: Millis, cameras: number): boolean {
    if (this.#cameras.closed) return false;
    return this.#room === undefined || cameras <= this.#room - this.#pendingCameras(now);
  }

  /** That many more were let in. */
  letIn(now: Millis, cameras: number): void {
    this.#pending.push({ at: now, cameras });
    if (this.#pending.length > MAX_PENDING) this.#pending.shift();
  }

  #pendingCameras(now: Millis): number {
    while (this.#pending[0] !== undefined && this.#pending[0].at <= now - PENDING) this.#pending.shift();
    return this.#pending.reduce((sum, each) => sum + each.cameras, 0);
  }
}
