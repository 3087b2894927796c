/**
 * H.264 payloads, RFC 6184 §5: single NAL units, STAP-A (24), FU-A (28). What matters for forwarding: does a key frame begin here, and how high is it.
 * Declines: interleaved modes (STAP-B, MTAP, FU-B), which browsers do not send; such packets pass as parts of ordinary frames.
 */
import { BitReader } from "./bits.ts";
import { read8, read16 } from "./bytes.ts";
import type { RtpPacket } from "./packet.ts";

const SLICE = 1;
const IDR = 5;
const SPS = 7;
const STAP_A = 24;
const FU_A = 28;
/** Longest SPS that is read. */
const MAX_SPS = 128;

const reader = new BitReader();
const unescaped = new Uint8Array(MAX_SPS);

/** Fills the codec fields. False: malformed. */
export function parseH264(bytes: Uint8Array, packet: RtpPacket): boolean {
  packet.clearCodec();
  packet.frameEnd = packet.marker;
  const at = packet.payloadOffset;
  const end = at + packet.payloadLength;
  if (at >= end) return false;
  const type = read8(bytes, at) & 31;
  if (type === STAP_A) {
    let unit = at + 1;
    while (unit + 3 <= end) {
      const length = read16(bytes, unit);
      if (length === 0 || unit + 2 + length > end) return false;
      nalUnit(bytes, read8(bytes, unit + 2) & 31, unit + 3, unit + 2 + length, packet);
      unit += 2 + length;
    }
    return unit === end;
  }
  if (type === FU_A) {
    if (at + 2 > end) return false;
    const header = read8(bytes, at + 1);
    if ((header & 0x80) !== 0) nalUnit(bytes, header & 31, at + 2, end, packet);
    return true;
  }
  nalUnit(bytes, type, at + 1, end, packet);
  return true;
}

/** `at`: behind the unit's header byte. */
function nalUnit(bytes: Uint8Array, type: number, at: number, end: number, packet: RtpPacket): void {
  if (type === SPS) {
    packet.keyFrame = true;
    packet.frameStart = true;
    packet.height = spsHeight(bytes, at, end);
  } else if (type === IDR) {
    packet.keyFrame = true;
    if (at < end && (read8(bytes, at) & 0x80) !== 0) packet.frameStart = true; // first_mb_in_slice 0
  } else if (type === SLICE) {
    if (at < end && (read8(bytes, at) & 0x80) !== 0) packet.frameStart = true;
  }
}

/** Height in pixels from a sequence parameter set, H.264 §7.3.2.1.1; 0: not readable. */
export function spsHeight(bytes: Uint8Array, at: number, end: number): number {
  let length = 0;
  let zeros = 0;
  for (let index = at; index < end && length < MAX_SPS; index++) {
    const byte = read8(bytes, index);
    if (zeros >= 2 && byte === 3) {
      zeros = 0; // emulation prevention
      continue;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    unescaped[length] = byte;
    length += 1;
  }
  reader.begin(unescaped, 0, length);
  const profile = reader.bits(8);
  reader.skip(16); // constraint flags, level
  reader.exponential(); // seq_parameter_set_id
  let chroma = 1;
  if ([100, 110, 122, 244, 44, 83, 86, 118, 128, 138].includes(profile)) {
    chroma = reader.exponential();
    if (chroma === 3) reader.skip(1);
    reader.exponential();
    reader.exponential();
    reader.skip(1);
    if (reader.bit() === 1) {
      for (let list = 0; list < (chroma === 3 ? 12 : 8); list++)
        if (reader.bit() === 1) scalingList(list < 6 ? 16 : 64);
    }
  }
  reader.exponential(); // log2_max_frame_num_minus4
  const order = reader.exponential();
  if (order === 0) reader.exponential();
  else if (order === 1) {
    reader.skip(1);
    reader.signedExponential();
    reader.signedExponential();
    const cycle = reader.exponential();
    for (let index = 0; index < cycle && !reader.overrun; index++) reader.signedExponential();
  }
  reader.exponential(); // max_num_ref_frames
  reader.skip(1);
  reader.exponential(); // pic_width_in_mbs_minus1
  const mapUnits = reader.exponential() + 1;
  const framesOnly = reader.bit();
  if (framesOnly === 0) reader.skip(1);
  reader.skip(1);
  let cropped = 0;
  if (reader.bit() === 1) {
    reader.exponential();
    reader.exponential();
    const top = reader.exponential();
    const bottom = reader.exponential();
    cropped = (top + bottom) * (chroma === 1 ? 2 : 1) * (2 - framesOnly);
  }
  const height = mapUnits * 16 * (2 - framesOnly) - cropped;
  return reader.overrun || height <= 0 || height > 16_384 ? 0 : height;
}

function scalingList(size: number): void {
  let last = 8;
  let next = 8;
  for (let index = 0; index < size && !reader.overrun; index++) {
    if (next !== 0) next = (last + reader.signedExponential() + 256) % 256;
    if (next !== 0) last = next;
  }
}
