/**
 * How many forwarded cameras (one video source to one receiver) this bridge's media core carries: first from what a packet cost at start, then from what it
 * costs in real meetings. Pure but for what it has learned.
 */

/** Load of the media thread at which the bridge calls itself full (bridge.md 5.8). */
export const LOAD_THRESHOLD = 0.9;
/** A camera of 1.2 Mbit/s and its share of the audio, until meetings show their own rate. */
const PACKETS_PER_CAMERA = 150;
/** Below this load a packet costs up to three times more than under load (wake-ups, short batches): nothing is learned from it. */
const LEARN_LOAD = 0.3;
/** From this load on the figure is good enough to refuse people by. */
const CERTAIN_LOAD = 0.6;
const LEARN_CAMERAS = 4;
const SMOOTHING = 0.2;
/** Cameras that one more participant makes the bridge forward, typically: four to him, one of his. */
const CAMERAS_PER_PARTICIPANT = 5;

export interface CapacityOptions {
  /** µs of the media core per forwarded packet of 1200 bytes, as measured at start: cipher and system calls. */
  readonly microsPerPacket: number;
  /** Set by the administrator; 0: measured. */
  readonly maxCameras: number;
}

export class Capacity {
  readonly #pinned: number;
  #micros: number;
  #packetsPerCamera = PACKETS_PER_CAMERA;
  #certain = false;

  constructor(options: CapacityOptions) {
    this.#pinned = options.maxCameras;
    this.#micros = options.microsPerPacket;
  }

  /** One report of the media loop: its load (0 … 1), what it sent, how many cameras it forwarded. */
  observe(load: number, packetsPerSecondOut: number, cameras: number): void {
    if (cameras >= LEARN_CAMERAS && packetsPerSecondOut > cameras)
      this.#packetsPerCamera = smooth(this.#packetsPerCamera, packetsPerSecondOut / cameras);
    if (load < LEARN_LOAD || packetsPerSecondOut <= 0) return;
    this.#micros = smooth(this.#micros, (load * 1e6) / packetsPerSecondOut);
    this.#certain ||= load >= CERTAIN_LOAD;
  }

  get microsPerPacket(): number {
    return this.#micros;
  }

  /** Forwarded cameras at which the bridge is full. */
  get cameras(): number {
    if (this.#pinned > 0) return this.#pinned;
    return Math.floor((LOAD_THRESHOLD * 1e6) / this.#micros / this.#packetsPerCamera);
  }

  /** Whether `cameras` is more than a guess. */
  get certain(): boolean {
    return this.#pinned > 0 || this.#certain;
  }

  /** What is published as stress_level: 1 is full. `loadStress`: the load over its threshold. */
  stress(loadStress: number, cameras: number): number {
    return this.#pinned > 0 ? Math.max(loadStress, cameras / this.#pinned) : loadStress;
  }

  /** What a participant adds to the stress until it is measured (average_participant_stress). */
  get participantStress(): number {
    return Math.min(0.1, Math.max(0.001, CAMERAS_PER_PARTICIPANT / Math.max(1, this.cameras)));
  }
}

const smooth = (before: number, sample: number): number => before + (sample - before) * SMOOTHING;

/** Participants with camera, in rooms of `size` in which everybody sees everybody, that a bridge of so many forwarded cameras carries. */
export const peopleWithCameras = (cameras: number, size: number): number => Math.floor(cameras / Math.max(1, size - 1));
