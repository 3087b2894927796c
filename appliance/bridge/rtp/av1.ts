/**
 * AV1's aggregation header, RTP payload format for AV1 §4.4: | Z | Y | W W | N | - - - |. Used where no dependency descriptor comes along; the OBUs are not read.
 */
import { read8 } from "./bytes.ts";
import type { RtpPacket } from "./packet.ts";

/** N: the first packet of a coded video sequence, which begins with a key frame. False: malformed. */
export function parseAv1(bytes: Uint8Array, packet: RtpPacket): boolean {
  packet.clearCodec();
  packet.frameEnd = packet.marker;
  if (packet.payloadLength < 1) return false;
  const head = read8(bytes, packet.payloadOffset);
  const continues = (head & 0x80) !== 0;
  const first = (head & 0x08) !== 0;
  if (first && continues) return false; // §4.4: Z must be 0 then
  packet.keyFrame = first;
  packet.frameStart = first;
  return true;
}
