/**
 * Bandwidth allocation (bridge.md 5.4, steps 3 to 6) as a pure function: what a receiver asked for, what the sources offer and what the
 * path carries go in; one target layer per source comes out.
 */
import { heightLimit, isDisabled, type VideoConstraints } from "./constraints.ts";

/** One layer that a source offers. */
export interface Layer {
  /** Layer index of bridge.md 4.5. */
  readonly index: number;
  /** Pixels. */
  readonly height: number;
  /** Frames a second. */
  readonly frameRate: number;
  /** Bits per second, lower layers it depends on included; 0: not active. */
  readonly bitrateBps: number;
}

export interface SourceToAllocate {
  readonly name: string;
  readonly screenShare: boolean;
  readonly onStage: boolean;
  readonly constraints: VideoConstraints;
  /** From low to high. */
  readonly layers: readonly Layer[];
}

export interface SourceAllocation {
  readonly name: string;
  /** −1: nothing. */
  readonly target: number;
  /** What it would be with bandwidth without end. */
  readonly ideal: number;
  readonly targetBps: number;
  readonly idealBps: number;
}

export interface Allocation {
  /** In the order given. */
  readonly sources: readonly SourceAllocation[];
  readonly targetBps: number;
  readonly idealBps: number;
  /** More is sent than the path is thought to carry. */
  readonly oversending: boolean;
  /** Sources that would be sent if there were bandwidth. */
  readonly suspended: readonly string[];
}

const PREFERRED_HEIGHT = 360;
const PREFERRED_FRAME_RATE = 30;
const THUMBNAIL_HEIGHT = 180;
const MAX_OVERSENDING_BPS = 500_000;

/** Heights of encodings 0, 1, 2 and frame rates of temporal layers until the stream shows its own (bridge.md 4.5). */
const ASSUMED_HEIGHTS = [180, 360, 720];
const ASSUMED_FRAME_RATES = [7.5, 15, 30];

/** What is assumed of a source whose packets have not been seen yet. */
export function assumedLayers(encodings: number): Layer[] {
  const layers: Layer[] = [];
  for (let encoding = 0; encoding < encodings; encoding++)
    for (let temporal = 0; temporal < ASSUMED_FRAME_RATES.length; temporal++)
      layers.push({
        index: (encoding << 6) | temporal,
        height: ASSUMED_HEIGHTS[Math.min(encoding, ASSUMED_HEIGHTS.length - 1)] ?? 0,
        frameRate: ASSUMED_FRAME_RATES[temporal] ?? 0,
        bitrateBps: 0,
      });
  return layers;
}

interface Candidates {
  readonly layers: readonly Layer[];
  /** Index into `layers` up to which an on-stage source is raised at once. */
  readonly preferred: number;
  /** Index into `layers` that may be sent beyond the bandwidth; −1: none. */
  readonly oversend: number;
}

const NONE: Candidates = { layers: [], preferred: -1, oversend: -1 };

function candidates(source: SourceToAllocate): Candidates {
  if (isDisabled(source.constraints) || source.layers.length === 0) return NONE;
  const active = source.layers.filter((layer) => layer.bitrateBps > 0);
  const offered = active.length > 0 ? active : source.layers;
  return source.screenShare ? forScreen(source, offered) : forCamera(source, offered);
}

function forScreen(source: SourceToAllocate, offered: readonly Layer[]): Candidates {
  const limit = heightLimit(source.constraints);
  let layers = offered.filter((layer) => layer.height <= limit);
  if (layers.length === 0) {
    const lowest = Math.min(...offered.map((layer) => layer.height));
    layers = offered.filter((layer) => layer.height === lowest);
  }
  const highest = Math.max(...layers.map((layer) => layer.height));
  const oversend = source.onStage ? layers.findIndex((layer) => layer.height === highest) : -1;
  return { layers, preferred: layers.length - 1, oversend };
}

function forCamera(source: SourceToAllocate, offered: readonly Layer[]): Candidates {
  const limit = heightLimit(source.constraints);
  const lowest = Math.min(...offered.map((layer) => layer.height));
  const best = Math.max(...offered.map((layer) => layer.frameRate));
  const preferredHeight = limit > THUMBNAIL_HEIGHT ? PREFERRED_HEIGHT : -1;
  const fluent = Math.min(PREFERRED_FRAME_RATE, best);
  const layers = offered.filter(
    (layer) =>
      layer.height === lowest ||
      (layer.height <= limit && (layer.height < preferredHeight || layer.frameRate >= fluent)),
  );
  return {
    layers,
    preferred: Math.max(
      0,
      layers.findLastIndex((layer) => layer.height <= preferredHeight),
    ),
    oversend: -1,
  };
}

class Share {
  readonly #candidates: Candidates;
  /** Index into the candidates; −1: nothing yet. */
  #chosen = -1;

  constructor(readonly source: SourceToAllocate) {
    this.#candidates = candidates(source);
  }

  get bitrateBps(): number {
    return this.#candidates.layers[this.#chosen]?.bitrateBps ?? 0;
  }

  get belowPreferred(): boolean {
    return this.#chosen < this.#candidates.preferred;
  }

  /** Raises the source by one step if it fits into `availableBps` (what is left and what it has already); true if it moved. */
  improve(availableBps: number, mayOversend: boolean): boolean {
    const { layers, preferred, oversend } = this.#candidates;
    const before = this.#chosen;
    if (before === -1 && this.source.onStage) {
      // The stage is not raised step by step: as far as it fits, up to the preferred layer.
      for (let i = 0; i <= preferred; i++) if ((layers[i]?.bitrateBps ?? 0) <= availableBps) this.#chosen = i;
    } else {
      const next = layers[before + 1];
      if (next !== undefined && next.bitrateBps <= availableBps) this.#chosen = before + 1;
    }
    if (mayOversend && oversend > this.#chosen) {
      const layer = layers[oversend];
      if (layer !== undefined && layer.bitrateBps <= availableBps + MAX_OVERSENDING_BPS) this.#chosen = oversend;
    }
    // A better layer that costs no more than the chosen one.
    if (this.#chosen >= 0)
      for (let i = layers.length - 1; i > this.#chosen; i--)
        if ((layers[i]?.bitrateBps ?? 0) <= this.bitrateBps) {
          this.#chosen = i;
          break;
        }
    return this.#chosen !== before;
  }

  result(): SourceAllocation {
    const { layers } = this.#candidates;
    const target = layers[this.#chosen];
    const ideal = layers[layers.length - 1];
    return {
      name: this.source.name,
      target: target?.index ?? -1,
      ideal: ideal?.index ?? -1,
      targetBps: target?.bitrateBps ?? 0,
      idealBps: ideal?.bitrateBps ?? 0,
    };
  }
}

/** `sources` in order of importance; `bandwidthBps` may be Infinity. */
export function allocate(sources: readonly SourceToAllocate[], bandwidthBps: number): Allocation {
  const shares = sources.map((source) => new Share(source));
  let remainingBps = bandwidthBps;
  let oversending = false;
  for (let improved = true; improved; ) {
    improved = false;
    for (const [place, share] of shares.entries()) {
      const availableBps = remainingBps + share.bitrateBps;
      if (share.improve(availableBps, place === 0)) improved = true;
      remainingBps = availableBps - share.bitrateBps;
      if (remainingBps < 0) oversending = true;
      // While the stage lacks its preferred layer, nobody else gets anything: thumbnails would flicker.
      if (share.source.onStage && share.belowPreferred) break;
    }
  }
  const results = shares.map((share) => share.result());
  return {
    sources: results,
    targetBps: results.reduce((sum, each) => sum + each.targetBps, 0),
    idealBps: results.reduce((sum, each) => sum + each.idealBps, 0),
    oversending,
    suspended: results.filter((each) => each.target < 0 && each.idealBps > 0).map((each) => each.name),
  };
}
