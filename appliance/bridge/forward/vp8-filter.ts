/**
 * VP8 inside one encoding (bridge.md 4.11): temporal layers above the target are dropped, PictureID and TL0PICIDX close the gaps. Going up to a temporal
 * layer waits for a frame with the sync bit (RFC 7741 §4.2: Y) or a key frame.
 */
import type { RtpPacket } from "../rtp/packet.ts";
import { difference32 } from "../rtp/sequence.ts";
import { DroppedPictures } from "./dropped-pictures.ts";
import { FrameDecisions } from "./frame-decisions.ts";
import type { LastSent, LayerFilter } from "./layer-filter.ts";
import type { Rewrite } from "./rewrite.ts";

/** Base-layer frames after which a sender that never sets the sync bit is taken at its word. */
const PATIENCE = 60;

export class Vp8Filter implements LayerFilter {
  readonly needsKeyFrame = false;
  readonly #decisions = new FrameDecisions();
  #target = 7;
  #allowed = 7;
  #waited = 0;
  readonly #dropped = new DroppedPictures();
  #pictureDelta = 0;
  #zeroDelta = 0;
  #newestTimestamp = 0;

  setTarget(_spatial: number, temporal: number): void {
    this.#target = temporal;
    if (temporal < this.#allowed) this.#allowed = temporal;
    this.#waited = 0;
  }

  ahead(): number {
    return this.#decisions.ahead();
  }

  begin(packet: RtpPacket, last: LastSent): void {
    this.#decisions.clear();
    this.#allowed = this.#target;
    this.#newestTimestamp = (packet.timestamp - 1) >>> 0;
    this.#dropped.begin();
    this.#pictureDelta = last.pictureId < 0 || packet.pictureId < 0 ? 0 : last.pictureId + 1 - packet.pictureId;
    this.#zeroDelta =
      last.temporalZeroIndex < 0 || packet.temporalZeroIndex < 0
        ? 0
        : last.temporalZeroIndex + 1 - packet.temporalZeroIndex;
  }

  accept(packet: RtpPacket, rewrite: Rewrite, last: LastSent): boolean {
    // A frame that is newer than all before has no decision: nothing to look through.
    const inOrder = difference32(packet.timestamp, this.#newestTimestamp) > 0;
    let slot = inOrder ? -1 : this.#decisions.find(packet.timestamp);
    if (slot < 0) {
      this.#decide(packet, last, inOrder);
      slot = this.#decisions.newest;
    }
    if (!this.#decisions.accepted(slot)) return false;
    rewrite.marker = packet.marker;
    rewrite.pictureId = this.#decisions.first(slot);
    rewrite.temporalZeroIndex = this.#decisions.second(slot);
    rewrite.frameNumber = -1;
    return true;
  }

  #decide(packet: RtpPacket, last: LastSent, inOrder: boolean): void {
    const temporal = packet.temporalLayer;
    let accepted = temporal <= this.#target;
    if (packet.keyFrame) this.#allowed = this.#target;
    else if (accepted && temporal > this.#allowed) {
      if (packet.layerSync) this.#allowed = temporal;
      else accepted = false;
    } else if (temporal === 0 && this.#allowed < this.#target) {
      this.#waited += 1;
      if (this.#waited > PATIENCE) this.#allowed = this.#target;
    }
    if (!accepted) {
      // A frame that comes in order takes its number with it; for a late one the number was kept and stays a gap.
      if (inOrder && packet.pictureId >= 0) this.#dropped.drop(packet.timestamp);
      this.#decisions.add(packet.timestamp, false, -1, -1);
    } else {
      const mask = packet.pictureIdBits === 7 ? 0x7f : 0x7fff;
      const dropped = inOrder ? this.#dropped.total : this.#dropped.before(packet.timestamp);
      const pictureId = packet.pictureId < 0 ? -1 : (packet.pictureId + this.#pictureDelta - dropped) & mask;
      const zero = packet.temporalZeroIndex < 0 ? -1 : (packet.temporalZeroIndex + this.#zeroDelta) & 0xff;
      this.#decisions.add(packet.timestamp, true, pictureId, zero);
      if (inOrder) {
        last.pictureId = pictureId;
        last.temporalZeroIndex = zero;
      }
    }
    if (inOrder) this.#newestTimestamp = packet.timestamp;
  }
}
