/**
 * What is alive of one encoding: bytes and frames per spatial and temporal layer over the last window, picture height per spatial layer.
 */
import type { RtpPacket } from "../rtp/packet.ts";

const SPATIAL = 4;
const TEMPORAL = 4;
/** Windows averaged for frame rate and bitrate. */
export const LAYER_WINDOW_MS = 1000;

/** One alive layer, cumulative: lower layers that it is decoded with are counted in. */
export interface LayerRate {
  readonly spatial: number;
  readonly temporal: number;
  readonly height: number;
  readonly frameRate: number;
  readonly bitrateBps: number;
}

export class LayerMeter {
  readonly #bytes = new Float64Array(SPATIAL * TEMPORAL);
  readonly #frames = new Float64Array(SPATIAL * TEMPORAL);
  readonly #heights = new Int32Array(SPATIAL);
  /** Cells that were alive in the window before. */
  readonly #known = new Uint8Array(SPATIAL * TEMPORAL);
  #startedAt = -1;
  /** Whether the set of layers or a height changed since the last report. */
  changed = false;

  count(packet: RtpPacket, bytes: number, nowMs: number): void {
    if (this.#startedAt < 0) this.#startedAt = nowMs;
    const spatial = Math.min(packet.spatialLayer, SPATIAL - 1);
    const cell = spatial * TEMPORAL + Math.min(packet.temporalLayer, TEMPORAL - 1);
    if (this.#bytes[cell] === 0 && this.#known[cell] === 0) this.changed = true;
    this.#bytes[cell] = (this.#bytes[cell] as number) + bytes;
    if (packet.frameStart) this.#frames[cell] = (this.#frames[cell] as number) + 1;
    if (packet.height > 0 && this.#heights[spatial] !== packet.height) {
      this.#heights[spatial] = packet.height;
      this.changed = true;
    }
  }

  height(spatial: number): number {
    return this.#heights[Math.min(spatial, SPATIAL - 1)] as number;
  }

  setHeight(spatial: number, height: number): void {
    if (spatial < SPATIAL && height > 0 && this.#heights[spatial] !== height) {
      this.#heights[spatial] = height;
      this.changed = true;
    }
  }

  /** Whether the window has been open for less than `ms`. After one without packets it opens with the next packet. */
  isYoung(nowMs: number, ms: number): boolean {
    return this.#startedAt >= 0 && nowMs - this.#startedAt < ms;
  }

  /** Ends the window: the layers that were alive in it, low to high. Cold: allocates. */
  take(nowMs: number): LayerRate[] {
    const seconds = Math.max(nowMs - this.#startedAt, 1) / 1000;
    const layers: LayerRate[] = [];
    if (this.#startedAt >= 0) {
      let lowerBytes = 0;
      for (let spatial = 0; spatial < SPATIAL; spatial++) {
        let bytes = lowerBytes;
        let frames = 0;
        let alive = false;
        for (let temporal = 0; temporal < TEMPORAL; temporal++) {
          const cell = spatial * TEMPORAL + temporal;
          if (this.#bytes[cell] === 0) continue;
          alive = true;
          bytes += this.#bytes[cell] as number;
          frames += this.#frames[cell] as number;
          layers.push({
            spatial,
            temporal,
            height: this.#heights[spatial] as number,
            frameRate: frames / seconds,
            bitrateBps: (bytes * 8) / seconds,
          });
        }
        if (alive) lowerBytes = bytes;
      }
    }
    for (let cell = 0; cell < SPATIAL * TEMPORAL; cell++) this.#known[cell] = this.#bytes[cell] === 0 ? 0 : 1;
    this.#bytes.fill(0);
    this.#frames.fill(0);
    this.#startedAt = layers.length === 0 ? -1 : nowMs;
    this.changed = false;
    return layers;
  }
}
