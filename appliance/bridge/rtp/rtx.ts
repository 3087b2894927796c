/**
 * Retransmission payload, RFC 4588 §4: the original sequence number (OSN, two bytes), then the original payload.
 */
import { read16, write16, write32 } from "./bytes.ts";
import type { RtpPacket } from "./packet.ts";

export const OSN_LENGTH = 2;

/**
 * Turns a retransmission back into the packet it repeats, in place: the header moves up over the OSN and gets the SSRC, payload type and sequence number of the
 * original. False: an empty one (a probe), which repeats nothing.
 */
export function unwrapRtx(bytes: Uint8Array, packet: RtpPacket, ssrc: number, payloadType: number): boolean {
  if (packet.payloadLength <= OSN_LENGTH) return false;
  const sequence = read16(bytes, packet.payloadOffset);
  bytes.copyWithin(packet.offset + OSN_LENGTH, packet.offset, packet.offset + packet.headerLength);
  packet.offset += OSN_LENGTH;
  packet.payloadOffset += OSN_LENGTH;
  packet.payloadLength -= OSN_LENGTH;
  if (packet.extensionOffset >= 0) packet.extensionOffset += OSN_LENGTH;
  if (packet.descriptorOffset >= 0) packet.descriptorOffset += OSN_LENGTH;
  bytes[packet.offset + 1] = ((bytes[packet.offset + 1] as number) & 0x80) | payloadType;
  write16(bytes, packet.offset + 2, sequence);
  write32(bytes, packet.offset + 8, ssrc);
  packet.sequence = sequence;
  packet.ssrc = ssrc;
  packet.payloadType = payloadType;
  packet.recovered = true;
  return true;
}
