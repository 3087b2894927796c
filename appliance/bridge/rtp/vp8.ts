/**
 * VP8 payload descriptor, RFC 7741 §4.2, and the frame header's first bytes, RFC 6386 §9.1.
 *
 *       0 1 2 3 4 5 6 7
 *      |X|R|N|S|R| PID |
 *  X:  |I|L|T|K|  RSV  |
 *  I:  |M| PictureID   |   M: a second byte follows, 15 bits
 *  L:  |   TL0PICIDX   |
 * T/K: |TID|Y| KEYIDX  |
 */
import { read8, read16, write16 } from "./bytes.ts";
import type { RtpPacket } from "./packet.ts";

/** Fills the codec fields. False: too short to be VP8. */
export function parseVp8(bytes: Uint8Array, packet: RtpPacket): boolean {
  packet.clearCodec();
  let at = packet.payloadOffset;
  const end = at + packet.payloadLength;
  if (at >= end) return false;
  const first = read8(bytes, at);
  at += 1;
  packet.frameStart = (first & 0x10) !== 0 && (first & 7) === 0;
  packet.frameEnd = packet.marker;
  packet.notReference = (first & 0x20) !== 0;
  if ((first & 0x80) !== 0) {
    if (at >= end) return false;
    const extended = read8(bytes, at);
    at += 1;
    if ((extended & 0x80) !== 0) {
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
    if ((extended & 0x40) !== 0) {
      if (at >= end) return false;
      packet.temporalZeroIndexOffset = at;
      packet.temporalZeroIndex = read8(bytes, at);
      at += 1;
    }
    if ((extended & 0x30) !== 0) {
      if (at >= end) return false;
      if ((extended & 0x20) !== 0) {
        packet.temporalLayer = read8(bytes, at) >>> 6;
        packet.layerSync = (read8(bytes, at) & 0x20) !== 0;
      }
      at += 1;
    }
  }
  if (at >= end) return false;
  if (packet.frameStart && (read8(bytes, at) & 1) === 0) {
    packet.keyFrame = true;
    // Frame tag (3 bytes), start code 9d 01 2a, then 14 bits of width and of height, little-endian.
    if (
      at + 10 <= end &&
      read8(bytes, at + 3) === 0x9d &&
      read8(bytes, at + 4) === 1 &&
      read8(bytes, at + 5) === 0x2a
    ) {
      packet.width = (read8(bytes, at + 6) | (read8(bytes, at + 7) << 8)) & 0x3fff;
      packet.height = (read8(bytes, at + 8) | (read8(bytes, at + 9) << 8)) & 0x3fff;
    }
  }
  return true;
}

/** Puts another picture id and TL0PICIDX in place, keeping their widths; fields that are not there stay so. */
export function rewriteVp8(bytes: Uint8Array, packet: RtpPacket, pictureId: number, temporalZeroIndex: number): void {
  if (packet.pictureIdOffset >= 0) {
    if (packet.pictureIdBits === 15) write16(bytes, packet.pictureIdOffset, 0x8000 | (pictureId & 0x7fff));
    else bytes[packet.pictureIdOffset] = pictureId & 0x7f;
  }
  if (packet.temporalZeroIndexOffset >= 0) bytes[packet.temporalZeroIndexOffset] = temporalZeroIndex & 0xff;
}
