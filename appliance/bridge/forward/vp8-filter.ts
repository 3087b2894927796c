/**
 * VP8 inside one encoding (bridge.md 4.11): temporal layers above the target are dropped, PictureID and TL0PICIDX close the gaps. Going up to a temporal
 * layer waits for a frame with the sync bit (RFC 7741 §4.2: Y) or a key frame.
 *
 * What was decided about a frame holds for all its packets, late ones too. It is not written down: a frame passes when its layer passed at its place, and its
 * numbers follow from how many pictures were dropped before it. So a frame costs its receivers nothing but the fields here.
 */
import type { RtpPacket } from "../rtp/packet.ts";
import { difference32 } from "../rtp/sequence.ts";
import { DroppedPictures } from "./dropped-pictures.ts";
import type { LastSent, LayerFilter } from "./layer-filter.ts";
import type { Rewrite } from "./rewrite.ts";
import { TemporalSteps } from "./temporal-steps.ts";

/** Base-layer frames after which a sender that never sets the sync bit is taken at its word. */
const PATIENCE = 60;

export class Vp8Filter implements LayerFilter {
  // First what every packet touches: fields lie in memory in the order in which they stand here.
  #newestTimestamp = 0;
  #newestAccepted = false;
  #allowed = 7;
  /** What is added to the newest frame's picture id: where it goes on from, less the pictures dropped. */
  #pictureDelta = 0;
  #zeroDelta = 0;
  #target = 7;
  #waited = 0;
  readonly #dropped = new DroppedPictures();
  readonly #steps = new TemporalSteps();
  readonly needsKeyFrame = false;

  setTarget(_spatial: number, temporal: number): void {
    this.#target = temporal;
    if (temporal < this.#allowed) this.#allow(temporal);
    this.#waited = 0;
  }

  ahead(): number {
    return this.#pictureDelta;
  }

  begin(packet: RtpPacket, last: LastSent): void {
    this.#allowed = this.#target;
    this.#newestTimestamp = (packet.timestamp - 1) >>> 0;
    this.#newestAccepted = false;
    this.#dropped.begin();
    this.#steps.begin();
    this.#pictureDelta = last.pictureId < 0 || packet.pictureId < 0 ? 0 : last.pictureId + 1 - packet.pictureId;
    this.#zeroDelta =
      last.temporalZeroIndex < 0 || packet.temporalZeroIndex < 0
        ? 0
        : last.temporalZeroIndex + 1 - packet.temporalZeroIndex;
  }

  accept(packet: RtpPacket, rewrite: Rewrite, last: LastSent): boolean {
    const place = difference32(packet.timestamp, this.#newestTimestamp);
    if (place > 0) this.#next(packet);
    else if (place < 0) return this.#late(packet, rewrite);
    if (!this.#newestAccepted) return false;
    this.#number(packet, rewrite, this.#pictureDelta);
    if (place > 0) {
      last.pictureId = rewrite.pictureId;
      last.temporalZeroIndex = rewrite.temporalZeroIndex;
    }
    return true;
  }

  /** A frame that is newer than all before. */
  #next(packet: RtpPacket): void {
    const temporal = packet.temporalLayer;
    let accepted = temporal <= this.#target;
    if (packet.keyFrame) {
      if (this.#allowed !== this.#target) this.#allow(this.#target);
    } else if (accepted && temporal > this.#allowed) {
      if (packet.layerSync) this.#allow(temporal);
      else accepted = false;
    } else if (temporal === 0 && this.#allowed < this.#target) {
      this.#waited += 1;
      if (this.#waited > PATIENCE) this.#allow(this.#target);
    }
    if (!accepted && packet.pictureId >= 0) {
      // It takes its number with it.
      this.#dropped.drop(packet.timestamp);
      this.#pictureDelta -= 1;
    }
    this.#newestTimestamp = packet.timestamp;
    this.#newestAccepted = accepted;
  }

  /** Of an older frame, some of whose packets may have come in time: as it was decided then, or would have been. Its number was kept, used or not. */
  #late(packet: RtpPacket, rewrite: Rewrite): boolean {
    if (packet.temporalLayer > this.#steps.at(packet.timestamp, this.#allowed)) return false;
    const droppedSince = this.#dropped.total - this.#dropped.before(packet.timestamp);
    this.#number(packet, rewrite, this.#pictureDelta + droppedSince);
    return true;
  }

  #number(packet: RtpPacket, rewrite: Rewrite, pictureDelta: number): void {
    const mask = packet.pictureIdBits === 7 ? 0x7f : 0x7fff;
    rewrite.marker = packet.marker;
    rewrite.pictureId = packet.pictureId < 0 ? -1 : (packet.pictureId + pictureDelta) & mask;
    rewrite.temporalZeroIndex = packet.temporalZeroIndex < 0 ? -1 : (packet.temporalZeroIndex + this.#zeroDelta) & 0xff;
    rewrite.frameNumber = -1;
  }

  /** From the next frame on. */
  #allow(temporal: number): void {
    this.#steps.change(this.#newestTimestamp, this.#allowed);
    this.#allowed = temporal;
  }
}
