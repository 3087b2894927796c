/**
 * Tests only: what a participant sends and how it takes stock of what it receives. Opus-sized audio with levels, VP8 with simulcast, picture ids and
 * key frames; reception counts loss, order and picture continuity per SSRC. By offset in one buffer, so that many peers fit one process.
 */

import { ExtensionWriter } from "../appliance/bridge/rtp/extensions.ts";
import { writeHeader } from "../appliance/bridge/rtp/header.ts";
import type { RtpPacket } from "../appliance/bridge/rtp/packet.ts";
import { parseVp8 } from "../appliance/bridge/rtp/vp8.ts";
import type { ColibriMedia, ColibriMediaSource } from "../appliance/wire/colibri2.ts";
import { EXTENSION_URI } from "../appliance/wire/rtp-description.ts";

export const OPUS = 111;
export const VP8 = 100;
export const RTX = 96;
export const EXTENSION = { audioLevel: 1, absSendTime: 3, transportCc: 5 } as const;

const FEEDBACK = [
  { type: "ccm", subtype: "fir" },
  { type: "nack" },
  { type: "nack", subtype: "pli" },
  { type: "transport-cc" },
];

/** What a focus would offer: Opus, VP8 with RTX, the extensions that matter. */
export const PEER_MEDIA: readonly ColibriMedia[] = [
  {
    type: "audio",
    description: {
      payloadTypes: [
        {
          id: OPUS,
          name: "opus",
          clockrate: 48_000,
          channels: 2,
          parameters: [],
          feedback: [{ type: "transport-cc" }],
        },
      ],
      headerExtensions: [
        { id: EXTENSION.audioLevel, uri: EXTENSION_URI.audioLevel },
        { id: EXTENSION.transportCc, uri: EXTENSION_URI.transportCc },
      ],
      extmapAllowMixed: true,
    },
  },
  {
    type: "video",
    description: {
      payloadTypes: [
        { id: VP8, name: "VP8", clockrate: 90_000, parameters: [], feedback: FEEDBACK },
        { id: RTX, name: "rtx", clockrate: 90_000, parameters: [{ name: "apt", value: String(VP8) }], feedback: [] },
      ],
      headerExtensions: [
        { id: EXTENSION.absSendTime, uri: EXTENSION_URI.absSendTime },
        { id: EXTENSION.transportCc, uri: EXTENSION_URI.transportCc },
      ],
      extmapAllowMixed: true,
    },
  },
];

export interface Encoding {
  readonly ssrc: number;
  readonly rtxSsrc: number;
  readonly width: number;
  readonly height: number;
  /** Bits per second. */
  readonly bitrateBps: number;
}

/** A camera's three encodings, low to high; `scale` makes them cheaper for long runs. */
export const cameraEncodings = (firstSsrc: number, scale = 1): Encoding[] =>
  [
    { width: 320, height: 180, bitrateBps: 150_000 },
    { width: 640, height: 360, bitrateBps: 500_000 },
    { width: 1280, height: 720, bitrateBps: 1_500_000 },
  ].map((each, i) => ({
    ...each,
    bitrateBps: each.bitrateBps * scale,
    ssrc: firstSsrc + 2 * i,
    rtxSsrc: firstSsrc + 2 * i + 1,
  }));

/** colibri2's view of what a peer sends. */
export function peerSources(id: string, audioSsrc: number, encodings: readonly Encoding[]): ColibriMediaSource[] {
  const audio = `${id}-a0`;
  const video = `${id}-v0`;
  const source = (ssrc: number) => ({ ssrc, mediaType: "video" as const, name: video, videoType: "camera" as const });
  const sources: ColibriMediaSource[] = [
    {
      type: "audio",
      id: audio,
      synthetic: false,
      sources: { sources: [{ ssrc: audioSsrc, mediaType: "audio", name: audio }], groups: [] },
    },
  ];
  if (encodings.length === 0) return sources;
  const group = (semantics: "SIM" | "FID", ...ssrcs: number[]) => ({ mediaType: "video" as const, semantics, ssrcs });
  sources.push({
    type: "video",
    id: video,
    synthetic: false,
    sources: {
      sources: encodings.flatMap(({ ssrc, rtxSsrc }) => [source(ssrc), source(rtxSsrc)]),
      groups: [
        ...(encodings.length > 1 ? [group("SIM", ...encodings.map((each) => each.ssrc))] : []),
        ...encodings.map(({ ssrc, rtxSsrc }) => group("FID", ssrc, rtxSsrc)),
      ],
    },
  });
  return sources;
}

/** One packet to be sealed: header with extensions at 0, then the payload. */
export interface PacketSink {
  /** `bytes` is used again for the next packet. */
  packet(bytes: Uint8Array, headerBytes: number, payloadBytes: number): void;
  /** Next number of the transport-wide sequence. */
  transportSequence(): number;
}

const extensions = new ExtensionWriter();
const buffer = new Uint8Array(2048);

/** 20 ms Opus packets of a constant size, with levels. */
export class AudioGenerator {
  #sequence = 1000;
  #timestamp = 0;
  packets = 0;

  constructor(readonly ssrc: number) {}

  /** `level` 0 … 127, 127 loudest; below 1 nothing is said (but sent). */
  send(level: number, sink: PacketSink): void {
    extensions.begin(12, false);
    const at = extensions.element(buffer, EXTENSION.audioLevel, 1);
    buffer[at] = (level > 0 ? 0x80 : 0) | (127 - Math.max(0, Math.min(127, level)));
    const transport = extensions.element(buffer, EXTENSION.transportCc, 2);
    const number = sink.transportSequence();
    buffer[transport] = number >>> 8;
    buffer[transport + 1] = number & 0xff;
    const block = extensions.end(buffer);
    writeHeader(buffer, 0, false, true, false, OPUS, this.#sequence, this.#timestamp, this.ssrc);
    const payload = 12 + block;
    buffer.fill(0x5a, payload, payload + 80);
    sink.packet(buffer, payload, 80);
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.#timestamp = (this.#timestamp + 960) >>> 0;
    this.packets++;
  }
}

const VP8_DESCRIPTOR_BYTES = 6;
const MAX_PAYLOAD = 1_100;
const HISTORY = 1024;

/** One simulcast encoding: 30 frames a second in three temporal layers, key frames when asked. */
export class VideoGenerator {
  #sequence = 2000;
  #rtxSequence = 1;
  #timestamp = 0;
  #pictureId = 100;
  #temporalZero = 5;
  #frame = 0;
  #keyFrame = true;
  readonly #history = new Map<number, { readonly header: Uint8Array; readonly payload: Uint8Array }>();
  packets = 0;
  frames = 0;
  keyFrames = 0;
  retransmissions = 0;

  constructor(readonly encoding: Encoding) {}

  requestKeyFrame(): void {
    this.#keyFrame = true;
  }

  frameDue(sink: PacketSink): void {
    const key = this.#keyFrame;
    this.#keyFrame = false;
    const phase = key ? 0 : this.#frame % 4;
    if (key) this.#frame = 0;
    const temporal = phase === 0 ? 0 : phase === 2 ? 1 : 2;
    if (temporal === 0) this.#temporalZero = (this.#temporalZero + 1) & 0xff;
    const bytes = Math.max(60, Math.round((this.encoding.bitrateBps / 8 / 30) * (key ? 4 : 1)));
    const count = Math.ceil(bytes / MAX_PAYLOAD);
    for (let i = 0; i < count; i++) this.#packet(key, temporal, i, count, Math.ceil(bytes / count), sink);
    this.#frame++;
    this.frames++;
    if (key) this.keyFrames++;
    this.#pictureId = (this.#pictureId + 1) & 0x7fff;
    this.#timestamp = (this.#timestamp + 3000) >>> 0;
  }

  #packet(key: boolean, temporal: number, part: number, parts: number, size: number, sink: PacketSink): void {
    extensions.begin(12, false);
    const transport = extensions.element(buffer, EXTENSION.transportCc, 2);
    const number = sink.transportSequence();
    buffer[transport] = number >>> 8;
    buffer[transport + 1] = number & 0xff;
    const header = 12 + extensions.end(buffer);
    writeHeader(buffer, 0, false, true, part === parts - 1, VP8, this.#sequence, this.#timestamp, this.encoding.ssrc);
    let at = header;
    buffer[at++] = 0x80 | (part === 0 ? 0x10 : 0) | (temporal === 2 ? 0x20 : 0);
    buffer[at++] = 0xe0;
    buffer[at++] = 0x80 | (this.#pictureId >>> 8);
    buffer[at++] = this.#pictureId & 0xff;
    buffer[at++] = this.#temporalZero;
    buffer[at++] = (temporal << 6) | 0x20;
    buffer.fill(0x33, at, header + VP8_DESCRIPTOR_BYTES + size);
    if (part === 0) this.#frameHeader(at, key);
    const payload = VP8_DESCRIPTOR_BYTES + size;
    this.#history.set(this.#sequence & (HISTORY - 1), {
      header: buffer.slice(0, header),
      payload: buffer.slice(header, header + payload),
    });
    sink.packet(buffer, header, payload);
    this.#sequence = (this.#sequence + 1) & 0xffff;
    this.packets++;
  }

  /** RFC 6386 §9.1: frame tag, start code, dimensions. */
  #frameHeader(at: number, key: boolean): void {
    buffer[at] = key ? 0x10 : 0x11;
    if (!key) return;
    buffer.set([0x9d, 0x01, 0x2a], at + 3);
    buffer[at + 6] = this.encoding.width & 0xff;
    buffer[at + 7] = this.encoding.width >>> 8;
    buffer[at + 8] = this.encoding.height & 0xff;
    buffer[at + 9] = this.encoding.height >>> 8;
  }

  /** Answers a NACK by RTX (RFC 4588). */
  resend(sequence: number, sink: PacketSink): void {
    const kept = this.#history.get(sequence & (HISTORY - 1));
    if (kept === undefined || ((kept.header[2] ?? 0) << 8) + (kept.header[3] ?? 0) !== sequence) return;
    buffer.set(kept.header);
    const header = kept.header.length;
    const number = sink.transportSequence();
    buffer[1] = ((buffer[1] ?? 0) & 0x80) | RTX;
    buffer[2] = this.#rtxSequence >>> 8;
    buffer[3] = this.#rtxSequence & 0xff;
    new DataView(buffer.buffer).setUint32(8, this.encoding.rtxSsrc);
    // The transport sequence number is the only element: its value is behind one id byte.
    buffer[17] = number >>> 8;
    buffer[18] = number & 0xff;
    buffer[header] = sequence >>> 8;
    buffer[header + 1] = sequence & 0xff;
    buffer.set(kept.payload, header + 2);
    this.#rtxSequence = (this.#rtxSequence + 1) & 0xffff;
    this.retransmissions++;
    sink.packet(buffer, header, kept.payload.length + 2);
  }
}

/** What came under one SSRC. */
export class Reception {
  packets = 0;
  bytes = 0;
  duplicates = 0;
  /** Frames begun, and key frames among them. */
  frames = 0;
  keyFrames = 0;
  /** Height of the last key frame, pixels. */
  height = 0;
  /** Picture ids that were left out between two frames: 0 on a continuous stream. */
  pictureGaps = 0;
  recovered = 0;
  lastAtMs = 0;
  payloadType = -1;
  #first = -1;
  #highest = -1;
  #pictureId = -1;
  readonly #seen = new Uint32Array(2048);

  /** Packets that never came. */
  get lost(): number {
    return this.#highest < 0 ? 0 : this.#highest - this.#first + 1 - this.packets;
  }

  /** Highest sequence number with its roll-overs. */
  get extendedHighest(): number {
    return this.#highest;
  }

  /** False: a duplicate. Answers through `missing` which numbers were skipped. */
  take(bytes: Uint8Array, packet: RtpPacket, nowMs: number, missing: number[]): boolean {
    const reference = this.#highest < 0 ? packet.sequence : this.#highest;
    const extended = reference + (((packet.sequence - reference) << 16) >> 16);
    if (this.#highest < 0) this.#first = extended;
    const slot = (((extended % 65_536) + 65_536) % 65_536) >>> 5;
    if (extended > this.#highest) {
      if (this.#highest >= 0 && extended - this.#highest < 500)
        for (let each = this.#highest + 1; each < extended; each++) missing.push(each & 0xffff);
      // The window is the newest half of the numbers: what lies behind it is forgotten as we go.
      for (let each = Math.max(this.#highest + 1, extended - 500); each <= extended; each++)
        if ((each & 31) === 0) this.#seen[(each & 0xffff) >>> 5] = 0;
      this.#highest = extended;
    } else if (((this.#seen[slot] ?? 0) & (1 << (extended & 31))) !== 0) {
      this.duplicates++;
      return false;
    }
    this.#first = Math.min(this.#first, extended);
    this.#seen[slot] = (this.#seen[slot] ?? 0) | (1 << (extended & 31));
    this.packets++;
    this.bytes += packet.payloadLength;
    this.lastAtMs = nowMs;
    this.payloadType = packet.payloadType;
    if (packet.payloadType === VP8) this.#video(bytes, packet);
    return true;
  }

  #video(bytes: Uint8Array, packet: RtpPacket): void {
    if (!parseVp8(bytes, packet) || !packet.frameStart) return;
    this.frames++;
    if (packet.keyFrame) {
      this.keyFrames++;
      const at = packet.payloadOffset + VP8_DESCRIPTOR_BYTES + 8;
      this.height = (bytes[at] ?? 0) | (((bytes[at + 1] ?? 0) & 0x3f) << 8);
    }
    if (this.#pictureId >= 0 && packet.pictureId >= 0) {
      const step = (packet.pictureId - this.#pictureId) & 0x7fff;
      if (step > 1 && step < 0x4000) this.pictureGaps += step - 1;
    }
    if (packet.pictureId >= 0) this.#pictureId = packet.pictureId;
  }
}
