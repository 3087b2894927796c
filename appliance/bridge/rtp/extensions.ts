/**
 * RTP header extensions, RFC 8285: one-byte form (profile 0xbede) and two-byte form (0x1000 … 0x100f), read into the packet's fields and written anew.
 * Unknown ids are passed over; a malformed block ends the reading, what was read before it counts.
 */
import { read8, read16 } from "./bytes.ts";
import type { RtpPacket } from "./packet.ts";

/** What an id stands for; the numbers index nothing but tell kinds apart. */
export const Extension = {
  none: 0,
  audioLevel: 1,
  transportSequence: 2,
  videoOrientation: 3,
  dependencyDescriptor: 4,
} as const;

/** Id 0 … 255 → kind. */
export type ExtensionKinds = Uint8Array;

function take(bytes: Uint8Array, kind: number, at: number, length: number, packet: RtpPacket): void {
  switch (kind) {
    case Extension.audioLevel: // RFC 6464 §3: V and seven bits of −dBov
      if (length < 1) return;
      packet.audioLevel = read8(bytes, at) & 0x7f;
      packet.voice = read8(bytes, at) > 127;
      return;
    case Extension.transportSequence: // draft-holmer-rmcat-transport-wide-cc-extensions-01 §2
      if (length >= 2) packet.transportSequence = read16(bytes, at);
      return;
    case Extension.videoOrientation: // 3GPP TS 26.114 §7.4.5
      if (length >= 1) packet.videoOrientation = read8(bytes, at);
      return;
    case Extension.dependencyDescriptor:
      packet.descriptorOffset = at;
      packet.descriptorLength = length;
      return;
  }
}

/** Reads the block that `parseHeader` found. */
export function parseExtensions(bytes: Uint8Array, kinds: ExtensionKinds, packet: RtpPacket): void {
  packet.audioLevel = -1;
  packet.voice = false;
  packet.transportSequence = -1;
  packet.videoOrientation = -1;
  packet.descriptorOffset = -1;
  packet.descriptorLength = 0;
  let at = packet.extensionOffset;
  if (at < 0) return;
  const end = at + packet.extensionLength;
  if (packet.extensionProfile === 0xbede) {
    while (at < end) {
      const first = read8(bytes, at);
      if (first === 0) {
        at += 1; // padding
        continue;
      }
      const id = first >>> 4;
      if (id === 15) return; // §4.2: stop
      const length = (first & 15) + 1;
      if (at + 1 + length > end) return;
      take(bytes, kinds[id] as number, at + 1, length, packet);
      at += 1 + length;
    }
  } else if ((packet.extensionProfile & 0xfff0) === 0x1000) {
    while (at < end) {
      const id = read8(bytes, at);
      if (id === 0) {
        at += 1;
        continue;
      }
      if (at + 2 > end) return;
      const length = read8(bytes, at + 1);
      if (at + 2 + length > end) return;
      take(bytes, kinds[id] as number, at + 2, length, packet);
      at += 2 + length;
    }
  }
}

/**
 * Writes one block: `beginExtensions`, then elements by `beginElement` (which returns where the value goes), then `endExtensions`.
 */
export class ExtensionWriter {
  #start = 0;
  #at = 0;
  #twoByte = false;

  /** `offset`: just behind the fixed header. */
  begin(offset: number, twoByte: boolean): void {
    this.#start = offset;
    this.#at = offset + 4;
    this.#twoByte = twoByte;
  }

  /** Returns the offset that the `length` bytes of the value go to. One-byte form: id 1 … 14, length 1 … 16. */
  element(bytes: Uint8Array, id: number, length: number): number {
    if (this.#twoByte) {
      bytes[this.#at] = id;
      bytes[this.#at + 1] = length;
      this.#at += 2;
    } else {
      bytes[this.#at] = (id << 4) | (length - 1);
      this.#at += 1;
    }
    const at = this.#at;
    this.#at += length;
    return at;
  }

  /** Pads to whole words, fills in profile and length; returns the block's length in bytes, 0 when it has no element. */
  end(bytes: Uint8Array): number {
    if (this.#at === this.#start + 4) return 0;
    while (((this.#at - this.#start) & 3) !== 0) {
      bytes[this.#at] = 0;
      this.#at += 1;
    }
    const words = (this.#at - this.#start - 4) >>> 2;
    bytes[this.#start] = this.#twoByte ? 0x10 : 0xbe;
    bytes[this.#start + 1] = this.#twoByte ? 0x00 : 0xde;
    bytes[this.#start + 2] = words >>> 8;
    bytes[this.#start + 3] = words;
    return this.#at - this.#start;
  }
}

/** Whether an element fits the one-byte form. */
export const fitsOneByte = (id: number, length: number): boolean => id >= 1 && id <= 14 && length >= 1 && length <= 16;
