/**
 * Dependency descriptor, RTP payload format for AV1, appendix A: which frame of which layer a packet belongs to, and who needs it. The templates come with key
 * frames and are remembered per stream.
 *
 * Declines: frame differences and chains, which only receivers need; they are stepped over.
 */
import { BitReader } from "./bits.ts";
import { read8, read16 } from "./bytes.ts";
import type { RtpPacket } from "./packet.ts";

/** Decode target indications, A.8.3. */
export const Dti = { notPresent: 0, discardable: 1, switch: 2, required: 3 } as const;

export const MAX_DECODE_TARGETS = 32;
const MAX_TEMPLATES = 64;
const MANDATORY_BYTES = 3;

const reader = new BitReader();

/** The templates of one stream, and what the packet read last says by them. */
export class DependencyStructure {
  /** 0: no structure has come yet. */
  templates = 0;
  decodeTargets = 0;
  templateIdOffset = 0;
  readonly spatial = new Uint8Array(MAX_TEMPLATES);
  readonly temporal = new Uint8Array(MAX_TEMPLATES);
  readonly #dtis = new Uint8Array(MAX_TEMPLATES * MAX_DECODE_TARGETS);
  readonly targetSpatial = new Uint8Array(MAX_DECODE_TARGETS);
  readonly targetTemporal = new Uint8Array(MAX_DECODE_TARGETS);
  /** Pixels by spatial layer, 0: not said. */
  readonly heights = new Uint16Array(4);

  /** Indications of the packet's frame, `decodeTargets` of them. */
  readonly frameDtis = new Uint8Array(MAX_DECODE_TARGETS);
  /** The packet brought a structure. */
  fresh = false;

  /** Whether everything that target `wanted` needs is also part of target `passing`. */
  contains(passing: number, wanted: number): boolean {
    for (let template = 0; template < this.templates; template++) {
      const row = template * MAX_DECODE_TARGETS;
      if (this.#dtis[row + wanted] !== Dti.notPresent && this.#dtis[row + passing] === Dti.notPresent) return false;
    }
    return true;
  }

  /** The highest decode target whose layers do not exceed these; −1: none. */
  targetFor(spatial: number, temporal: number): number {
    let best = -1;
    let rank = -1;
    for (let target = 0; target < this.decodeTargets; target++) {
      const itsSpatial = this.targetSpatial[target] as number;
      const itsTemporal = this.targetTemporal[target] as number;
      if (itsSpatial > spatial || itsTemporal > temporal) continue;
      if (itsSpatial * 8 + itsTemporal > rank) {
        best = target;
        rank = itsSpatial * 8 + itsTemporal;
      }
    }
    return best;
  }

  /** Reads the template structure at the reader's place. False: malformed; then the old one is gone, too. */
  readTemplates(): boolean {
    this.templates = 0;
    this.templateIdOffset = reader.bits(6);
    this.decodeTargets = reader.bits(5) + 1;
    let spatial = 0;
    let temporal = 0;
    let count = 0;
    for (;;) {
      if (count === MAX_TEMPLATES || reader.overrun) return false;
      this.spatial[count] = spatial;
      this.temporal[count] = temporal;
      count += 1;
      const next = reader.bits(2);
      if (next === 3) break;
      if (next === 1) temporal += 1;
      else if (next === 2) {
        temporal = 0;
        spatial += 1;
      }
      if (spatial > 3 || temporal > 7) return false;
    }
    for (let template = 0; template < count; template++)
      for (let target = 0; target < this.decodeTargets; target++)
        this.#dtis[template * MAX_DECODE_TARGETS + target] = reader.bits(2);
    for (let template = 0; template < count; template++) while (reader.bit() === 1 && !reader.overrun) reader.skip(4); // frame differences
    const chains = reader.nonSymmetric(this.decodeTargets + 1);
    if (chains > 0) {
      for (let target = 0; target < this.decodeTargets; target++) reader.nonSymmetric(chains);
      reader.skip(4 * count * chains);
    }
    this.heights.fill(0);
    if (reader.bit() === 1)
      for (let layer = 0; layer <= spatial; layer++) {
        reader.skip(16);
        this.heights[layer] = reader.bits(16) + 1;
      }
    if (reader.overrun) return false;
    for (let target = 0; target < this.decodeTargets; target++) {
      this.targetSpatial[target] = 0;
      this.targetTemporal[target] = 0;
      for (let template = 0; template < count; template++) {
        if (this.#dtis[template * MAX_DECODE_TARGETS + target] === Dti.notPresent) continue;
        this.targetSpatial[target] = Math.max(this.targetSpatial[target] as number, this.spatial[template] as number);
        this.targetTemporal[target] = Math.max(
          this.targetTemporal[target] as number,
          this.temporal[template] as number,
        );
      }
    }
    this.templates = count;
    return true;
  }

  takeTemplateDtis(template: number): void {
    for (let target = 0; target < this.decodeTargets; target++)
      this.frameDtis[target] = this.#dtis[template * MAX_DECODE_TARGETS + target] as number;
  }
}

/**
 * Reads the packet's descriptor into its codec fields. False: malformed. A packet whose templates have not come yet is read as far as it can be: it has a
 * frame number, but no indications (`decodeTargets` of the structure is 0).
 */
export function parseDescriptor(bytes: Uint8Array, packet: RtpPacket, structure: DependencyStructure): boolean {
  packet.clearCodec();
  const at = packet.descriptorOffset;
  const length = packet.descriptorLength;
  if (at < 0 || length < MANDATORY_BYTES) return false;
  const first = read8(bytes, at);
  packet.frameStart = (first & 0x80) !== 0;
  packet.frameEnd = (first & 0x40) !== 0;
  packet.frameNumber = read16(bytes, at + 1);
  structure.fresh = false;
  let customDtis = false;
  if (length > MANDATORY_BYTES) {
    reader.begin(bytes, at + MANDATORY_BYTES, length - MANDATORY_BYTES);
    const structurePresent = reader.bit() === 1;
    const activePresent = reader.bit() === 1;
    customDtis = reader.bit() === 1;
    reader.skip(2);
    if (structurePresent) {
      if (!structure.readTemplates()) return false;
      structure.fresh = true;
      packet.keyFrame = true;
    }
    if (activePresent) reader.skip(structure.decodeTargets);
    if (reader.overrun) return false;
  }
  if (structure.templates === 0) {
    structure.decodeTargets = 0;
    return true;
  }
  const template = ((first & 0x3f) + 64 - structure.templateIdOffset) % 64;
  if (template >= structure.templates) return false;
  packet.spatialLayer = structure.spatial[template] as number;
  packet.temporalLayer = structure.temporal[template] as number;
  packet.height = structure.fresh ? (structure.heights[packet.spatialLayer] as number) : 0;
  structure.takeTemplateDtis(template);
  if (customDtis) {
    for (let target = 0; target < structure.decodeTargets; target++) structure.frameDtis[target] = reader.bits(2);
    if (reader.overrun) return false;
  }
  return true;
}
