/**
 * VP9 inside one SSRC (bridge.md 4.12): spatial layers (SVC and K-SVC, flexible mode or not) and temporal layers. A layer frame passes when what it is predicted
 * from has passed; the marker goes on the last packet of the highest layer that passes, else the decoder would wait.
 */
import type { RtpPacket } from "../rtp/packet.ts";
import { difference32 } from "../rtp/sequence.ts";
import { DroppedPictures } from "./dropped-pictures.ts";
import { FrameDecisions } from "./frame-decisions.ts";
import type { LastSent, LayerFilter } from "./layer-filter.ts";
import type { Rewrite } from "./rewrite.ts";

const LAYERS = 8;
/** Pictures without their top layer after which a key frame is wanted. */
const PATIENCE = 8;

export class Vp9Filter implements LayerFilter {
  /** Pictures by timestamp: outgoing picture id and TL0PICIDX. */
  readonly #pictures = new FrameDecisions();
  /** Layer frames by timestamp and spatial layer. */
  readonly #frames = new FrameDecisions();
  #targetSpatial = 7;
  #targetTemporal = 7;
  #allowedTemporal = 7;
  /** Highest spatial layer that passes now. */
  #top = 0;
  #available = LAYERS - 1;
  /** Per spatial layer: everything since its last intra frame has passed. Bits. */
  #whole = 0;
  /** Spatial layers of the newest picture that passed. Bits. */
  #passed = 0;
  #withoutTop = 0;
  /** Highest spatial layer of the newest picture that was decided about; −1: none yet. */
  #decided = -1;
  #newestTimestamp = 0;
  readonly #dropped = new DroppedPictures();
  #pictureDelta = 0;
  #zeroDelta = 0;

  get needsKeyFrame(): boolean {
    const wanted = Math.min(this.#targetSpatial, this.#available);
    return (wanted !== this.#top && (this.#whole & (1 << wanted)) === 0) || this.#withoutTop > PATIENCE;
  }

  setTarget(spatial: number, temporal: number): void {
    this.#targetSpatial = spatial;
    this.#targetTemporal = temporal;
    if (temporal < this.#allowedTemporal) this.#allowedTemporal = temporal;
  }

  ahead(): number {
    return this.#pictures.ahead();
  }

  begin(packet: RtpPacket, last: LastSent): void {
    this.#pictures.clear();
    this.#frames.clear();
    this.#allowedTemporal = this.#targetTemporal;
    this.#whole = 0;
    this.#passed = 0;
    this.#top = 0;
    this.#available = LAYERS - 1;
    this.#withoutTop = 0;
    this.#decided = -1;
    this.#newestTimestamp = (packet.timestamp - 1) >>> 0;
    this.#dropped.begin();
    this.#pictureDelta = last.pictureId < 0 || packet.pictureId < 0 ? 0 : last.pictureId + 1 - packet.pictureId;
    this.#zeroDelta =
      last.temporalZeroIndex < 0 || packet.temporalZeroIndex < 0
        ? 0
        : last.temporalZeroIndex + 1 - packet.temporalZeroIndex;
  }

  accept(packet: RtpPacket, rewrite: Rewrite, last: LastSent): boolean {
    // What is newer than all before has no decision: nothing to look through.
    const inOrder = difference32(packet.timestamp, this.#newestTimestamp) > 0;
    let picture = inOrder ? -1 : this.#pictures.find(packet.timestamp);
    if (picture < 0) {
      this.#decidePicture(packet, last, inOrder);
      picture = this.#pictures.newest;
    }
    if (!this.#pictures.accepted(picture)) return false;
    const key = packet.timestamp * LAYERS + packet.spatialLayer;
    const newest = packet.timestamp === this.#newestTimestamp && packet.spatialLayer > this.#decided;
    let frame = newest ? -1 : this.#frames.find(key);
    if (frame < 0) {
      if (newest) this.#decided = packet.spatialLayer;
      this.#frames.add(key, this.#decideFrame(packet), 0, 0);
      frame = this.#frames.newest;
    }
    if (!this.#frames.accepted(frame)) return false;
    rewrite.marker = packet.marker || (packet.frameEnd && packet.spatialLayer === this.#top);
    rewrite.pictureId = this.#pictures.first(picture);
    rewrite.temporalZeroIndex = this.#pictures.second(picture);
    rewrite.frameNumber = -1;
    return true;
  }

  #decidePicture(packet: RtpPacket, last: LastSent, inOrder: boolean): void {
    const temporal = packet.temporalLayer;
    let accepted = temporal <= this.#targetTemporal;
    if (packet.keyFrame) this.#allowedTemporal = this.#targetTemporal;
    else if (accepted && temporal > this.#allowedTemporal) {
      if (packet.layerSync) this.#allowedTemporal = temporal;
      else accepted = false;
    }
    if (inOrder) {
      this.#newestTimestamp = packet.timestamp;
      this.#decided = -1;
      if (accepted) this.#nextPicture(packet);
    }
    if (!accepted) {
      if (inOrder && packet.pictureId >= 0) this.#dropped.drop(packet.timestamp);
      this.#pictures.add(packet.timestamp, false, -1, -1);
      return;
    }
    const mask = packet.pictureIdBits === 7 ? 0x7f : 0x7fff;
    const dropped = inOrder ? this.#dropped.total : this.#dropped.before(packet.timestamp);
    const pictureId = packet.pictureId < 0 ? -1 : (packet.pictureId + this.#pictureDelta - dropped) & mask;
    const zero = packet.temporalZeroIndex < 0 ? -1 : (packet.temporalZeroIndex + this.#zeroDelta) & 0xff;
    this.#pictures.add(packet.timestamp, true, pictureId, zero);
    if (inOrder) {
      last.pictureId = pictureId;
      last.temporalZeroIndex = zero;
    }
  }

  /** The picture before is complete as far as it came; which layers pass of this one? */
  #nextPicture(packet: RtpPacket): void {
    if ((this.#passed & (1 << this.#top)) === 0) this.#withoutTop += 1;
    else this.#withoutTop = 0;
    this.#passed = 0;
    if (packet.keyFrame) {
      if (packet.spatialLayers > 0) this.#available = packet.spatialLayers - 1;
      this.#top = Math.min(this.#targetSpatial, this.#available);
      this.#withoutTop = 0;
      return;
    }
    const wanted = Math.min(this.#targetSpatial, this.#available);
    // Down at once where the lower layer has passed all along (SVC); with K-SVC it has not, and a key picture is waited for.
    if ((this.#whole & (1 << wanted)) !== 0) this.#top = wanted;
  }

  #decideFrame(packet: RtpPacket): boolean {
    const spatial = packet.spatialLayer;
    const bit = 1 << spatial;
    const below = spatial === 0 ? 0 : 1 << (spatial - 1);
    const predictable =
      (!packet.interPicture || (this.#whole & bit) !== 0) && (!packet.interLayer || (this.#passed & below) !== 0);
    let accepted = predictable && spatial <= this.#top;
    // Up without a key picture: a layer frame predicted from the layer below alone.
    if (!accepted && predictable && !packet.interPicture && spatial <= this.#targetSpatial && packet.interLayer) {
      accepted = true;
      this.#top = spatial;
    }
    // Below the top, and nothing above needs it (K-SVC between key pictures).
    if (accepted && spatial < this.#top && packet.notReference && packet.interPicture) accepted = false;
    if (accepted) {
      this.#passed |= bit;
      this.#whole |= bit;
    } else this.#whole &= ~bit;
    return accepted;
  }
}
