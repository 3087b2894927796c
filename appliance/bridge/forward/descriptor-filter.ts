/**
 * Forwarding by the dependency descriptor (bridge.md 4.13): a frame passes when the receiver's decode target needs it. Frame numbers keep their distances (the
 * descriptor's references count by them) and go on over a switch of encodings; template ids move on, so that templates of two encodings cannot be mistaken.
 */
import { type DependencyStructure, Dti } from "../rtp/dependency-descriptor.ts";
import type { RtpPacket } from "../rtp/packet.ts";
import { difference16 } from "../rtp/sequence.ts";
import { FrameDecisions } from "./frame-decisions.ts";
import type { LastSent, LayerFilter } from "./layer-filter.ts";
import type { Rewrite } from "./rewrite.ts";

export class DescriptorFilter implements LayerFilter {
  readonly #decisions = new FrameDecisions();
  #structure: DependencyStructure | undefined;
  #spatial = 7;
  #temporal = 7;
  /** Decode target that passes; −1: none. */
  #target = -1;
  #frameDelta = 0;
  #newestFrame = 0;
  #templateOffset = 0;
  #needsKeyFrame = false;

  get needsKeyFrame(): boolean {
    return this.#needsKeyFrame;
  }

  setTarget(spatial: number, temporal: number): void {
    this.#spatial = spatial;
    this.#temporal = temporal;
  }

  ahead(): number {
    return this.#decisions.ahead();
  }

  begin(packet: RtpPacket, last: LastSent): void {
    this.#decisions.clear();
    const structure = packet.dependencies;
    this.#structure = structure;
    this.#target = structure?.targetFor(this.#spatial, this.#temporal) ?? -1;
    this.#needsKeyFrame = false;
    this.#newestFrame = (packet.frameNumber - 1) & 0xffff;
    this.#frameDelta = last.frameNumber < 0 ? 0 : last.frameNumber + 1 - packet.frameNumber;
    this.#templateOffset = last.frameNumber < 0 ? 0 : (last.templateEnd - (structure?.templateIdOffset ?? 0)) & 63;
    this.#rememberTemplates(last);
  }

  accept(packet: RtpPacket, rewrite: Rewrite, last: LastSent): boolean {
    const structure = packet.dependencies;
    if (structure === undefined || structure.decodeTargets === 0) return false;
    if (structure !== this.#structure || structure.fresh) {
      this.#structure = structure;
      this.#target = structure.targetFor(this.#spatial, this.#temporal);
      this.#needsKeyFrame = false;
      this.#rememberTemplates(last);
    }
    // A frame that is newer than all before has no decision: nothing to look through.
    const inOrder = difference16(packet.frameNumber, this.#newestFrame) > 0;
    let slot = inOrder ? -1 : this.#decisions.find(packet.frameNumber);
    if (slot < 0) {
      this.#decisions.add(packet.frameNumber, this.#decide(structure), 0, 0);
      slot = this.#decisions.newest;
      if (inOrder) this.#newestFrame = packet.frameNumber;
    }
    if (!this.#decisions.accepted(slot)) return false;
    const passing = this.#target;
    rewrite.marker = packet.marker || (packet.frameEnd && packet.spatialLayer === structure.targetSpatial[passing]);
    rewrite.pictureId = -1;
    rewrite.temporalZeroIndex = -1;
    rewrite.frameNumber = (packet.frameNumber + this.#frameDelta) & 0xffff;
    rewrite.templateOffset = this.#templateOffset;
    if (last.frameNumber < 0 || difference16(rewrite.frameNumber, last.frameNumber) > 0)
      last.frameNumber = rewrite.frameNumber;
    return true;
  }

  #decide(structure: DependencyStructure): boolean {
    const wanted = structure.targetFor(this.#spatial, this.#temporal);
    if (wanted >= 0 && wanted !== this.#target) {
      if (
        structure.frameDtis[wanted] === Dti.switch ||
        (this.#target >= 0 && structure.contains(this.#target, wanted))
      ) {
        this.#target = wanted;
        this.#needsKeyFrame = false;
      } else this.#needsKeyFrame = true;
    }
    return this.#target >= 0 && structure.frameDtis[this.#target] !== Dti.notPresent;
  }

  #rememberTemplates(last: LastSent): void {
    const structure = this.#structure;
    if (structure !== undefined)
      last.templateEnd = (structure.templateIdOffset + this.#templateOffset + structure.templates) & 63;
  }
}
