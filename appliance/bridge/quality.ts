/**
 * What a bridge takes back when it is loaded: first the size of pictures, then, where that is not enough, how many of them anybody gets (the place of the
 * original's load reducer, bridge.md 5.8). It takes back quickly and gives back slowly: a step that had to be taken back again is waited for longer next time.
 * Receivers and senders learn of it by what the channel already says (SenderSourceConstraints, ForwardedSources). A core.
 */
import { later, type Millis } from "../time.ts";
import type { VideoConstraints } from "./allocate/constraints.ts";

/** What anybody may have at most; heights in pixels, Infinity and lastN −1: no limit. */
export interface QualityLimits {
  readonly stageHeight: number;
  readonly tileHeight: number;
  readonly lastN: number;
}

const ALL = Number.POSITIVE_INFINITY;

/** From all to least. Screens keep their size: text must stay readable. */
export const QUALITY_STEPS: readonly QualityLimits[] = [
  { stageHeight: ALL, tileHeight: ALL, lastN: -1 },
  { stageHeight: 720, tileHeight: 360, lastN: -1 },
  { stageHeight: 360, tileHeight: 180, lastN: -1 },
  { stageHeight: 360, tileHeight: 180, lastN: 9 },
  { stageHeight: 360, tileHeight: 180, lastN: 6 },
  { stageHeight: 360, tileHeight: 180, lastN: 4 },
  { stageHeight: 180, tileHeight: 180, lastN: 3 },
  { stageHeight: 180, tileHeight: 180, lastN: 2 },
  { stageHeight: 180, tileHeight: 180, lastN: 1 },
];
/** Up to here nobody loses a picture. */
const SMALLER = 2;

/** Stress from which pictures become smaller; before the focus refuses cameras (focus.refuse_cameras_at, 0.9). */
const SMALLER_AT = 0.8;
/** Stress from which there are fewer of them: smaller ones and refusing were not enough. */
const FEWER_AT = 0.95;
const CALM_BELOW = 0.6;
/** Below this a step cannot be too much: none costs more than twice the one before. */
const EMPTY_BELOW = 0.4;
/** A step shows in the measured stress after its window of ten seconds. */
const TAKE_MS = 10_000;
const GIVE_MS = 30_000;
const MAX_GIVE_MS = 600_000;
/** A step that is taken back within this time after it was given was given too early. */
const REGRET_MS = 120_000;

export class Quality {
  #step = 0;
  #takenAt: Millis | undefined;
  #givenAt: Millis | undefined;
  #calmSince: Millis | undefined;
  #emptySince: Millis | undefined;
  #patienceMs = GIVE_MS;

  /** 0: nothing is taken back. */
  get step(): number {
    return this.#step;
  }

  get limits(): QualityLimits {
    return QUALITY_STEPS[this.#step] as QualityLimits;
  }

  /** The stress as of now; true: the limits are others. */
  update(now: Millis, stress: number): boolean {
    if (stress >= CALM_BELOW) this.#calmSince = undefined;
    else this.#calmSince ??= now;
    if (stress >= EMPTY_BELOW) this.#emptySince = undefined;
    else this.#emptySince ??= now;
    if (stress >= (this.#step < SMALLER ? SMALLER_AT : FEWER_AT)) return this.#take(now);
    if (this.#step === 0) return false;
    const calm = this.#calmSince !== undefined && now >= later(this.#calmSince, this.#patienceMs);
    const empty = this.#emptySince !== undefined && now >= later(this.#emptySince, TAKE_MS);
    if (!calm && !empty) return false;
    this.#step--;
    this.#givenAt = now;
    this.#calmSince = now;
    this.#emptySince = undefined;
    return true;
  }

  #take(now: Millis): boolean {
    if (this.#step >= QUALITY_STEPS.length - 1) return false;
    if (this.#takenAt !== undefined && now < later(this.#takenAt, TAKE_MS)) return false;
    const regretted = this.#givenAt !== undefined && now < later(this.#givenAt, REGRET_MS);
    if (regretted) this.#patienceMs = Math.min(MAX_GIVE_MS, this.#patienceMs * 2);
    else if (this.#step === 0) this.#patienceMs = GIVE_MS;
    this.#givenAt = undefined;
    this.#takenAt = now;
    this.#step++;
    return true;
  }
}

/** What a receiver asked for, within the limits. */
export function limited(
  wanted: VideoConstraints,
  onStage: boolean,
  screen: boolean,
  limits: QualityLimits,
): VideoConstraints {
  const most = screen ? ALL : onStage ? limits.stageHeight : limits.tileHeight;
  if (most === ALL || (wanted.maxHeight >= 0 && wanted.maxHeight <= most)) return wanted;
  return { ...wanted, maxHeight: most };
}
