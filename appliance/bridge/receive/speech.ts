/**
 * Who speaks: dominant speaker identification after Volfin and Cohen ("Dominant speaker identification for multipoint videoconferencing", 2012), with
 * the constants of bridge.md 5.6. Loudness is judged on three time scales: one packet, five packets, fifty packets; somebody becomes
 * dominant only when louder than the present one on all three.
 *
 * Levels come as batches (media-commands.ts `levels`), one per packet, oldest first.
 */
import type { Deadline } from "../../deadlines.ts";
import { later, type Millis } from "../../time.ts";

const IMMEDIATES = 50;
const MEDIUM_BLOCK = 5;
const MEDIUMS = IMMEDIATES / MEDIUM_BLOCK;
const IMMEDIATE_STEPS = 13;
/** A level has to be this far above the floor to count. */
const FLOOR_MARGIN = 10;
const FLOOR_WINDOW_LEVELS = 750;
const LOUD_IMMEDIATE = 7;
const LOUD_MEDIUM = 4;
const LAMBDA_IMMEDIATE = 0.78;
const LAMBDA_MEDIUM = 24;
const LAMBDA_LONG = 47;
const SCORE_MINIMUM = 1e-10;
const RATIO_IMMEDIATE = 3;
const RATIO_MEDIUM = 2;
const RATIO_LONG = 0;
const SILENCE_STEP_MS = 40;
const DECISION_MS = 300;
const IDLE_STOP_MS = 15_000;
const FORGET_MS = 3_600_000;
const RECENT_SPEAKERS = 10;
const ORDER_REFRESH_MS = 3_000;

const logBinomial = (n: number, k: number): number => {
  let sum = 0;
  for (let i = 1; i <= k; i++) sum += Math.log((n - k + i) / i);
  return sum;
};

/** Scores for v = 0 … n: how much likelier speech is than noise. */
const scoreTable = (n: number, lambda: number): readonly number[] =>
  Array.from({ length: n + 1 }, (_, v) =>
    Math.max(SCORE_MINIMUM, logBinomial(n, v) + n * Math.log(0.5) - Math.log(lambda) + lambda * v),
  );

const IMMEDIATE_SCORES = scoreTable(IMMEDIATE_STEPS, LAMBDA_IMMEDIATE);
const MEDIUM_SCORES = scoreTable(MEDIUM_BLOCK, LAMBDA_MEDIUM);
const LONG_SCORES = scoreTable(MEDIUMS, LAMBDA_LONG);

class Speaker {
  /** Newest first. */
  readonly #levels = new Uint8Array(IMMEDIATES);
  readonly #immediates = new Uint8Array(IMMEDIATES);
  #floor = 0;
  #lowest = 0;
  #collected = 0;
  lastHeard: Millis;
  /** Up to when levels or silence have been entered. */
  entered: Millis;
  immediate = SCORE_MINIMUM;
  medium = SCORE_MINIMUM;
  long = SCORE_MINIMUM;

  constructor(now: Millis) {
    this.lastHeard = now;
    this.entered = now;
  }

  push(level: number): void {
    this.#learnFloor(level);
    this.#levels.copyWithin(1, 0);
    this.#levels[0] = level;
  }

  pushSilence(times: number): void {
    const count = Math.min(times, IMMEDIATES);
    this.#levels.copyWithin(count, 0);
    this.#levels.fill(0, 0, count);
  }

  #learnFloor(level: number): void {
    if (level === 0) return;
    if (this.#floor === 0 || level < this.#floor) {
      this.#floor = level;
      this.#lowest = 0;
      this.#collected = 0;
      return;
    }
    this.#lowest = this.#lowest === 0 ? level : Math.min(this.#lowest, level);
    if (++this.#collected < FLOOR_WINDOW_LEVELS) return;
    this.#floor = Math.floor(Math.sqrt(this.#floor * this.#lowest));
    this.#lowest = 0;
    this.#collected = 0;
  }

  evaluate(): void {
    const threshold = this.#floor + FLOOR_MARGIN;
    let long = 0;
    let newest = 0;
    for (let block = 0; block < MEDIUMS; block++) {
      let medium = 0;
      for (let i = block * MEDIUM_BLOCK; i < (block + 1) * MEDIUM_BLOCK; i++) {
        const level = this.#levels[i] ?? 0;
        const immediate = level < threshold ? 0 : Math.floor(level / 10);
        this.#immediates[i] = immediate;
        if (immediate > LOUD_IMMEDIATE) medium++;
      }
      if (block === 0) newest = medium;
      if (medium > LOUD_MEDIUM) long++;
    }
    this.immediate = IMMEDIATE_SCORES[this.#immediates[0] ?? 0] ?? SCORE_MINIMUM;
    this.medium = MEDIUM_SCORES[newest] ?? SCORE_MINIMUM;
    this.long = LONG_SCORES[long] ?? SCORE_MINIMUM;
  }
}

export interface DominantSpeaker {
  readonly id: string;
  /** At most ten, the latest first. */
  readonly previous: readonly string[];
}

/** The speakers of one conference. */
export class Speech {
  readonly #speakers = new Map<string, Speaker>();
  #dominant: string | undefined;
  #previous: string[] = [];
  /** All known ids, by how recently they were dominant. */
  #order: string[] = [];
  #shownOrder: readonly string[] = [];
  #orderShownAt: Millis | undefined;
  #decideAt: Millis | undefined;
  #lastLevel: Millis | undefined;

  /** Endpoints join at the end of the order. */
  add(id: string): void {
    if (this.#order.includes(id)) return;
    this.#order.push(id);
    this.#shownOrder = [...this.#shownOrder, id];
  }

  remove(id: string): void {
    this.#speakers.delete(id);
    this.#order = this.#order.filter((each) => each !== id);
    this.#shownOrder = this.#shownOrder.filter((each) => each !== id);
    this.#previous = this.#previous.filter((each) => each !== id);
    if (this.#dominant === id) this.#dominant = undefined;
  }

  get dominant(): DominantSpeaker | undefined {
    return this.#dominant === undefined ? undefined : { id: this.#dominant, previous: this.#previous };
  }

  /** By recency of speech, the latest first; what last-N follows: refreshed at most every 3 s. */
  get order(): readonly string[] {
    return this.#shownOrder;
  }

  /** The same without the delay. */
  get currentOrder(): readonly string[] {
    return this.#order;
  }

  /** `levels` 0 … 127, 127 = loudest, one per packet since the last call for this id, oldest first. Ids that were not added are ignored. */
  heard(now: Millis, id: string, levels: readonly number[]): void {
    if (!this.#order.includes(id)) return;
    let speaker = this.#speakers.get(id);
    if (speaker === undefined) {
      speaker = new Speaker(now);
      this.#speakers.set(id, speaker);
    }
    for (const level of levels) speaker.push(Math.max(0, Math.min(127, level)));
    speaker.entered = now;
    speaker.lastHeard = now;
    this.#lastLevel = now;
    this.#decideAt ??= later(now, DECISION_MS);
  }

  nextDeadline(): Deadline | undefined {
    const order = this.#orderDueAt();
    if (order !== undefined && (this.#decideAt === undefined || order < this.#decideAt))
      return { at: order, why: "speaker order" };
    return this.#decideAt === undefined ? undefined : { at: this.#decideAt, why: "dominant speaker" };
  }

  /** What has changed since the last call. */
  handleTimeout(now: Millis): { readonly dominantChanged: boolean; readonly orderChanged: boolean } {
    let dominantChanged = false;
    if (this.#decideAt !== undefined && now >= this.#decideAt) {
      this.#decideAt =
        this.#lastLevel === undefined || now - this.#lastLevel > IDLE_STOP_MS ? undefined : later(now, DECISION_MS);
      dominantChanged = this.#decide(now);
    }
    const due = this.#orderDueAt();
    const orderChanged = due !== undefined && now >= due;
    if (orderChanged) {
      this.#shownOrder = [...this.#order];
      this.#orderShownAt = now;
    }
    return { dominantChanged, orderChanged };
  }

  #orderDueAt(): Millis | undefined {
    if (this.#order.every((id, index) => this.#shownOrder[index] === id)) return undefined;
    return this.#orderShownAt === undefined ? (0 as Millis) : later(this.#orderShownAt, ORDER_REFRESH_MS);
  }

  #decide(now: Millis): boolean {
    for (const [id, speaker] of this.#speakers) {
      if (now - speaker.lastHeard > FORGET_MS) {
        this.#speakers.delete(id);
        continue;
      }
      const silentSteps = Math.floor((now - speaker.entered) / SILENCE_STEP_MS);
      if (silentSteps > 3) {
        // Levels come at most every 100 ms, so that three steps without one are no silence yet.
        speaker.pushSilence(silentSteps);
        speaker.entered = now;
      }
      speaker.evaluate();
    }
    if (this.#speakers.size === 0) return false;
    const reigning = this.#dominant === undefined ? undefined : this.#speakers.get(this.#dominant);
    let dominantId = reigning === undefined ? firstKey(this.#speakers) : this.#dominant;
    const reference = dominantId === undefined ? undefined : this.#speakers.get(dominantId);
    if (reference === undefined) return false;
    let bestMedium = RATIO_MEDIUM;
    for (const [id, speaker] of this.#speakers) {
      if (speaker === reference) continue;
      const immediate = Math.log(speaker.immediate / reference.immediate);
      const medium = Math.log(speaker.medium / reference.medium);
      const long = Math.log(speaker.long / reference.long);
      if (immediate > RATIO_IMMEDIATE && medium > bestMedium && long > RATIO_LONG) {
        bestMedium = medium;
        dominantId = id;
      }
    }
    if (dominantId === undefined || dominantId === this.#dominant) return false;
    this.#crown(dominantId);
    return true;
  }

  #crown(id: string): void {
    if (this.#dominant !== undefined) this.#previous.unshift(this.#dominant);
    this.#previous = this.#previous.filter((each) => each !== id).slice(0, RECENT_SPEAKERS);
    this.#dominant = id;
    this.#order = [id, ...this.#order.filter((each) => each !== id)];
  }
}

const firstKey = (map: ReadonlyMap<string, unknown>): string | undefined => {
  for (const key of map.keys()) return key;
  return undefined;
};
