/**
 * VP9 payload descriptor, RFC 9628 §4.2.
 *
 *       |I|P|L|F|B|E|V|Z|
 *  I:   |M| PICTURE ID  |   M: a second byte follows, 15 bits
 *  L:   | TID |U| SID |D|
 *       |   TL0PICIDX   |   non-flexible mode only
 *  P,F: | P_DIFF      |N|   up to three times
 *  V:   scalability structure
 */
import { read8, read16, write16 } from "./bytes.ts";
import type { RtpPacket } from "./packet.ts";

/** Fills the codec fields; a frame is a layer frame here (one spatial layer of a picture). False: malformed. */
export function parseVp9(bytes: Uint8Array, packet: RtpPacket): boolean {
  packet.clearCodec();
  let at = packet.payloadOffset;
  const end = at + packet.payloadLength;
  if (at >= end) return false;
  const first = read8(bytes, at);
  at += 1;
  const flexible = (first & 0x10) !== 0;
  packet.interPicture = (first & 0x40) !== 0;
  packet.frameStart = (first & 0x08) !== 0;
  packet.frameEnd = (first & 0x04) !== 0;
  packet.notReference = (first & 0x01) !== 0;
  if ((first & 0x80) !== 0) {
    if (at >= end) return false;
    packet.pictureIdOffset = at;
    if ((read8(bytes, at) & 0x80) !== 0) {
      if (at + 1 >= end) return false;
      packet.pictureId = read16(bytes, at) & 0x7fff;
      packet.pictureIdBits = 15;
      at += 2;
    } else {
      packet.pictureId = read8(bytes, at);
      packet.pictureIdBits = 7;
      at += 1;
    }
  }
  if ((first & 0x20) !== 0) {
    if (at >= end) return false;
    const layers = read8(bytes, at);
    at += 1;
    packet.temporalLayer = layers >>> 5;
    packet.layerSync = (layers & 0x10) !== 0;
    packet.spatialLayer = (layers >>> 1) & 7;
    packet.interLayer = (layers & 1) !== 0;
    if (!flexible) {
      if (at >= end) return false;
      packet.temporalZeroIndexOffset = at;
      packet.temporalZeroIndex = read8(bytes, at);
      at += 1;
    }
  }
  if (flexible && packet.interPicture) {
    for (let count = 0; ; count++) {
      if (at >= end || count === 3) return false;
      const difference = read8(bytes, at);
      at += 1;
      if ((difference & 1) === 0) break;
    }
  }
  if ((first & 0x02) !== 0 && !parseStructure(bytes, at, end, packet)) return false;
  // A key picture begins with a base layer frame that is predicted from nothing.
  packet.keyFrame = !packet.interPicture && packet.spatialLayer === 0 && !packet.interLayer;
  return true;
}

/** Scalability structure: how many spatial layers, and the height of this packet's one. */
function parseStructure(bytes: Uint8Array, offset: number, end: number, packet: RtpPacket): boolean {
  if (offset >= end) return false;
  const head = read8(bytes, offset);
  packet.spatialLayers = (head >>> 5) + 1;
  if ((head & 0x10) === 0) return true;
  const sizes = offset + 1;
  if (sizes + packet.spatialLayers * 4 > end) return false;
  packet.heightsOffset = sizes;
  const own = sizes + Math.min(packet.spatialLayer, packet.spatialLayers - 1) * 4;
  packet.width = read16(bytes, own);
  packet.height = read16(bytes, own + 2);
  return true;
}

/** Height of a spatial layer as the packet's structure has it; 0: not there. */
export const structureHeight = (bytes: Uint8Array, packet: RtpPacket, spatial: number): number =>
  packet.heightsOffset < 0 || spatial >= packet.spatialLayers
    ? 0
    : read16(bytes, packet.heightsOffset + spatial * 4 + 2);

/** Puts another picture id and TL0PICIDX in place, keeping their widths. */
export function rewriteVp9(bytes: Uint8Array, packet: RtpPacket, pictureId: number, temporalZeroIndex: number): void {
  if (packet.pictureIdOffset >= 0 && pictureId >= 0) {
    if (packet.pictureIdBits === 15) write16(bytes, packet.pictureIdOffset, 0x8000 | (pictureId & 0x7fff));
    else bytes[packet.pictureIdOffset] = pictureId & 0x7f;
  }
  if (packet.temporalZeroIndexOffset >= 0 && temporalZeroIndex >= 0)
    bytes[packet.temporalZeroIndexOffset] = temporalZeroIndex & 0xff;
}
