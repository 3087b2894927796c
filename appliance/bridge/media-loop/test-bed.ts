/**
 * Tests only: the media loop's core with peers of its own beside it, all in memory. A peer protects what it sends and unprotects what it gets with the same
 * SRTP code from the other side; time is a number.
 */

import type {
  MediaCommand,
  MediaEvent,
  MediaSource,
  PayloadTypeEntry,
  SrtpMaster,
  SrtpProfile,
} from "../media-commands.ts";
import { RtcpCursor } from "../rtcp/compound.ts";
import { write16 } from "../rtp/bytes.ts";
import { parseExtensions } from "../rtp/extensions.ts";
import { isRtcp, parseHeader, parsePadding, writeHeader } from "../rtp/header.ts";
import { RtpPacket } from "../rtp/packet.ts";
import {
  createSrtpContext,
  type PacketMemory,
  SRTP_REPLAYED,
  type SrtpContext,
  type SrtpProvider,
} from "../transport/srtp.ts";
import { nodeProvider } from "../transport/srtp-node.ts";
import { addressPort, writeAddress } from "./addresses.ts";
import { type HoldingOptions, NO_HOLDING } from "./holding.ts";
import { KERNEL_CONTEXTS, Layout, MEMORY_PAGES, SLOT_BYTES } from "./layout.ts";
import { MediaLoop } from "./media-loop.ts";
import type { Outbox } from "./outbox.ts";
import { PayloadTable } from "./payload-table.ts";
import { addressed, loopProvider } from "./test-provider.ts";

/** Packet memory without an address: nothing but JavaScript touches it. */
export const makeMemory = (pages: number): PacketMemory => {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  return addressed(memory);
};

export const PROFILE: SrtpProfile = "AES128_CM_HMAC_SHA1_80";
export const AUDIO_TYPE = 111;
export const VIDEO_TYPE = 100;
export const RTX_TYPE = 96;

const entry = (payloadType: number, kind: "audio" | "video", codec: PayloadTypeEntry["codec"]): PayloadTypeEntry => ({
  payloadType,
  kind,
  codec,
  clockRate: kind === "audio" ? 48_000 : 90_000,
  nack: kind === "video",
  pli: kind === "video",
  fir: kind === "video",
  transportCc: true,
  ...(codec === "rtx" ? { apt: VIDEO_TYPE } : {}),
});

export const payloadTypes = (video: PayloadTypeEntry["codec"] = "vp8"): PayloadTypeEntry[] => [
  entry(AUDIO_TYPE, "audio", "opus"),
  entry(VIDEO_TYPE, "video", video),
  entry(RTX_TYPE, "video", "rtx"),
];

export const EXTENSIONS = {
  audioLevel: 1,
  absSendTime: 3,
  transportCc: 5,
  mid: 10,
  dependencyDescriptor: 11,
  videoOrientation: 13,
} as const;

/** An RTP packet that a peer got, its bytes copied out. */
export interface GotRtp {
  readonly atMs: number;
  readonly ssrc: number;
  readonly payloadType: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly marker: boolean;
  readonly payload: Uint8Array;
  readonly padding: number;
  readonly audioLevel: number;
  readonly transportSequence: number;
  readonly mid: string | undefined;
  readonly descriptor: Uint8Array | undefined;
}

export interface GotRtcp {
  readonly atMs: number;
  readonly type: number;
  readonly count: number;
  /** The whole packet, header included. */
  readonly bytes: Uint8Array;
}

export interface SentRtp {
  readonly ssrc: number;
  readonly sequence: number;
  readonly timestamp: number;
  readonly payload: Uint8Array;
  readonly payloadType?: number;
  readonly marker?: boolean;
  readonly audioLevel?: number;
  readonly transportSequence?: number;
  readonly descriptor?: Uint8Array;
  /** Bytes of RTP padding behind the payload. */
  readonly padding?: number;
}

const master = (seed: number): SrtpMaster => ({
  key: Uint8Array.from({ length: 16 }, (_, index) => seed * 7 + index),
  salt: Uint8Array.from({ length: 14 }, (_, index) => seed * 13 + index * 3),
});

/** A header extension's value as text, in either form. */
function elementText(bytes: Uint8Array, packet: RtpPacket, wanted: number): string | undefined {
  const end = packet.extensionOffset + packet.extensionLength;
  for (let at = packet.extensionOffset; at >= 0 && at < end; ) {
    const first = bytes[at] as number;
    if (first === 0) {
      at += 1;
      continue;
    }
    const short = packet.extensionProfile === 0xbede;
    const id = short ? first >>> 4 : first;
    const length = short ? (first & 15) + 1 : (bytes[at + 1] as number);
    at += short ? 1 : 2;
    if (id === wanted) return new TextDecoder().decode(bytes.subarray(at, at + length));
    at += length;
  }
  return undefined;
}

export class TestPeer {
  readonly index: number;
  readonly got: GotRtp[] = [];
  readonly gotRtcp: GotRtcp[] = [];
  readonly port: number;
  /** Datagrams that did not authenticate. */
  bad = 0;
  /** Datagrams that had come before: padding that was asked for again while it was under way. */
  twice = 0;
  readonly #bed: TestBed;
  readonly #protect: SrtpContext;
  readonly #unprotect: SrtpContext;
  readonly #table = new PayloadTable(payloadTypes(), EXTENSIONS, true);

  constructor(bed: TestBed, index: number, provider: SrtpProvider) {
    this.#bed = bed;
    this.index = index;
    this.port = 20_000 + index;
    this.#protect = createSrtpContext(provider, bed.peerMemory, PROFILE, master(index * 2 + 1), "send");
    this.#unprotect = createSrtpContext(provider, bed.peerMemory, PROFILE, master(index * 2 + 2), "receive");
  }

  get path(): { readonly socket: number; readonly address: string; readonly port: number } {
    return { socket: 0, address: "192.0.2.1", port: this.port };
  }

  /** Commands that bring it into conference 1. */
  join(sources: readonly MediaSource[], types = payloadTypes(), ssrcRewriting = false): MediaCommand[] {
    return [
      { type: "add-endpoint", endpoint: this.index, conference: 1, ssrcRewriting },
      { type: "payload-types", endpoint: this.index, payloadTypes: types, extensions: EXTENSIONS, allowMixed: true },
      { type: "sources", endpoint: this.index, sources },
      { type: "select-path", endpoint: this.index, path: this.path },
      {
        type: "srtp-keys",
        endpoint: this.index,
        profile: PROFILE,
        receive: master(this.index * 2 + 1),
        send: master(this.index * 2 + 2),
      },
    ];
  }

  /** Protected bytes of one packet. */
  rtp(sent: SentRtp): Uint8Array {
    const { bytes } = this.#bed.peerMemory;
    let at = 12;
    const elements: [number, Uint8Array][] = [];
    if (sent.audioLevel !== undefined) elements.push([EXTENSIONS.audioLevel, Uint8Array.of(sent.audioLevel)]);
    if (sent.transportSequence !== undefined)
      elements.push([EXTENSIONS.transportCc, Uint8Array.of(sent.transportSequence >> 8, sent.transportSequence & 255)]);
    if (sent.descriptor !== undefined) elements.push([EXTENSIONS.dependencyDescriptor, sent.descriptor]);
    const video = sent.audioLevel === undefined;
    const padding = sent.padding ?? 0;
    writeHeader(
      bytes,
      0,
      padding > 0,
      elements.length > 0,
      sent.marker ?? false,
      sent.payloadType ?? (video ? VIDEO_TYPE : AUDIO_TYPE),
      sent.sequence,
      sent.timestamp,
      sent.ssrc,
    );
    if (elements.length > 0) {
      at += 4;
      for (const [id, value] of elements) {
        bytes[at] = id;
        bytes[at + 1] = value.length;
        bytes.set(value, at + 2);
        at += 2 + value.length;
      }
      while ((at & 3) !== 0) bytes[at++] = 0;
      write16(bytes, 12, 0x1000);
      write16(bytes, 14, (at - 16) / 4);
    }
    bytes.set(sent.payload, at);
    bytes.fill(0, at + sent.payload.length, at + sent.payload.length + padding);
    if (padding > 0) bytes[at + sent.payload.length + padding - 1] = padding;
    const size = this.#protect.protectRtp(0, at, at, sent.payload.length + padding);
    if (size < 0) throw new Error(`cannot protect: ${size}`);
    return bytes.slice(0, size);
  }

  send(sent: SentRtp): void {
    this.#bed.deliver(this, this.rtp(sent));
  }

  /** Protected bytes of a compound packet. */
  rtcp(plain: Uint8Array): Uint8Array {
    const { bytes } = this.#bed.peerMemory;
    bytes.set(plain, 0);
    const size = this.#protect.protectRtcp(0, plain.length);
    return bytes.slice(0, size);
  }

  sendRtcp(plain: Uint8Array): void {
    this.#bed.deliver(this, this.rtcp(plain));
  }

  /** A datagram from the loop. */
  take(atMs: number, datagram: Uint8Array): void {
    const { bytes } = this.#bed.peerMemory;
    bytes.set(datagram, 0);
    if (isRtcp(bytes, 0)) {
      const plain = this.#unprotect.unprotectRtcp(0, datagram.length);
      if (plain < 0) {
        this.bad += 1;
        return;
      }
      const cursor = new RtcpCursor();
      cursor.begin(bytes, 0, plain);
      while (cursor.next())
        this.gotRtcp.push({
          atMs,
          type: cursor.type,
          count: cursor.count,
          bytes: bytes.slice(cursor.offset, cursor.offset + cursor.length),
        });
      return;
    }
    const packet = new RtpPacket();
    if (!parseHeader(bytes, 0, datagram.length, packet)) {
      this.bad += 1;
      return;
    }
    parseExtensions(bytes, this.#table.kinds, packet);
    const plain = this.#unprotect.unprotectRtp(0, packet.headerLength, datagram.length);
    if (plain === SRTP_REPLAYED) {
      this.twice += 1;
      return;
    }
    if (plain < 0 || !parsePadding(bytes, plain, packet)) {
      this.bad += 1;
      return;
    }
    this.got.push({
      atMs,
      ssrc: packet.ssrc,
      payloadType: packet.payloadType,
      sequence: packet.sequence,
      timestamp: packet.timestamp,
      marker: packet.marker,
      payload: bytes.slice(packet.payloadOffset, packet.payloadOffset + packet.payloadLength),
      padding: packet.paddingLength,
      audioLevel: packet.audioLevel,
      transportSequence: packet.transportSequence,
      mid: elementText(bytes, packet, EXTENSIONS.mid),
      descriptor:
        packet.descriptorOffset < 0
          ? undefined
          : bytes.slice(packet.descriptorOffset, packet.descriptorOffset + packet.descriptorLength),
    });
  }
}

export class TestBed {
  readonly loop: MediaLoop;
  readonly memory = makeMemory(MEMORY_PAGES);
  readonly peerMemory = makeMemory(1);
  readonly events: MediaEvent[] = [];
  readonly peers: TestPeer[] = [];
  nowMs = 1000;
  /** What happens to datagrams of the loop; default: they arrive at once. */
  carry: (peer: TestPeer, datagram: Uint8Array) => void = (peer, datagram) => peer.take(this.nowMs, datagram);
  /** Sizes of the datagrams of each run, in order, of the last drain. */
  runs: number[][] = [];
  readonly #peerProvider: SrtpProvider;
  readonly #address = Layout.receiveAddresses;

  constructor(loudest = 0, random: () => number = () => 0.5, holding: HoldingOptions = NO_HOLDING) {
    const provider = loopProvider(this.memory, KERNEL_CONTEXTS);
    this.#peerProvider = nodeProvider(this.peerMemory);
    this.loop = new MediaLoop({
      memory: this.memory,
      drain: (outbox) => this.#drain(outbox),
      emit: (event) => this.events.push(event),
      random,
      provider: () => provider,
      holding,
    });
    this.loop.sockets([4]);
    this.command({ type: "conference", conference: 1, loudest, feedbackSsrcs: { audio: 0xa0a0, video: 0xb0b0 } });
  }

  peer(): TestPeer {
    const peer = new TestPeer(this, this.peers.length, this.#peerProvider);
    this.peers.push(peer);
    return peer;
  }

  command(...commands: MediaCommand[]): void {
    this.loop.apply(this.nowMs, commands);
    this.loop.flush();
  }

  /** A datagram of a peer reaches the loop, as a batch of its own. */
  deliver(peer: { readonly path: { readonly address: string; readonly port: number } }, datagram: Uint8Array): void {
    const { bytes } = this.memory;
    writeAddress(bytes, this.#address, 4, peer.path.address, peer.path.port);
    bytes.fill(0xee, Layout.slots, Layout.slots + SLOT_BYTES);
    bytes.set(datagram, Layout.slots);
    this.loop.receive(this.nowMs, 0, Layout.slots, datagram.length, this.#address);
    this.loop.endBatch(this.nowMs);
  }

  /** Time passes; ticks happen when they are due. */
  advance(ms: number): void {
    const end = this.nowMs + ms;
    while (this.loop.nextTick <= end) {
      this.nowMs = Math.max(this.nowMs, this.loop.nextTick);
      this.loop.tick(this.nowMs);
    }
    this.nowMs = end;
  }

  eventsOf<Type extends MediaEvent["type"]>(type: Type): Extract<MediaEvent, { type: Type }>[] {
    return this.events.filter((event): event is Extract<MediaEvent, { type: Type }> => event.type === type);
  }

  #drain(outbox: Outbox): void {
    this.runs = [];
    for (let run = 0; run < outbox.runCount; run++) {
      const port = addressPort(outbox.bytes, outbox.runName[run] as number);
      const peer = this.peers.find((each) => each.port === port);
      const sizes: number[] = [];
      const offset = outbox.runOffset[run] as number;
      const length = outbox.runLength[run] as number;
      const segment = outbox.runSegment[run] as number;
      for (let at = 0; at < length; at += segment) {
        const size = Math.min(segment, length - at);
        sizes.push(size);
        if (peer !== undefined) this.carry(peer, outbox.bytes.slice(offset + at, offset + at + size));
      }
      this.runs.push(sizes);
    }
  }
}

/** A VP8 payload with a 15-bit picture id, TL0PICIDX and temporal layer; key frames carry a size. */
export function vp8Payload(options: {
  readonly pictureId: number;
  readonly zeroIndex: number;
  readonly temporal?: number;
  readonly sync?: boolean;
  readonly key?: boolean;
  readonly start?: boolean;
  readonly height?: number;
  readonly size?: number;
}): Uint8Array {
  const start = options.start ?? true;
  const payload = new Uint8Array(6 + Math.max(options.size ?? 20, 12));
  payload[0] = 0x80 | (start ? 0x10 : 0);
  payload[1] = 0xe0;
  write16(payload, 2, 0x8000 | options.pictureId);
  payload[4] = options.zeroIndex;
  payload[5] = ((options.temporal ?? 0) << 6) | (options.sync === true ? 0x20 : 0);
  if (!start) return payload;
  payload[6] = options.key === true ? 0 : 1;
  if (options.key === true) {
    const height = options.height ?? 180;
    payload.set([0x9d, 1, 0x2a, 320 & 255, 320 >> 8, height & 255, height >> 8], 9);
  }
  return payload;
}
