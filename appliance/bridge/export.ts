/**
 * One export of a conference's sound (bridge.md 7.3), and for our own recorder of its pictures. Toward the media loop it is a receiver like any other, on a socket of our own machine, so
 * that the hot path knows nothing of it; here its packets are opened and go out as JSON events over a WebSocket, tag = source name.
 *
 * Of pictures (`parley_video`): `start` names codec and clock, `media` carries one RTP payload with `parley_sequence` and `parley_marker`, and `parley_clock` says which wall clock an RTP time
 * stamp stands for, of sound too; the tags of a person's sources then can be brought together.
 */
import type { Deadline } from "../deadlines.ts";
import { later, type Millis } from "../time.ts";
import { assumedLayers } from "./allocate/allocate.ts";
import type { ConferenceSource } from "./conference-sources.ts";
import type { ConferenceView, ExportPeer } from "./conference-view.ts";
import type { BridgeContext, ChannelId } from "./context.ts";
import type { ExportRequest } from "./export-request.ts";
import type { EndpointIndex, PayloadTypeEntry, SourceIndex, SrtpMaster, VideoTarget } from "./media-commands.ts";
import { RtcpCursor, RtcpType } from "./rtcp/compound.ts";
import { readSenderReport, SenderReport } from "./rtcp/reports.ts";
import { parseHeader, parsePadding } from "./rtp/header.ts";
import { RtpPacket } from "./rtp/packet.ts";
import { createSrtpContext, type PacketMemory, type SrtpContext } from "./transport/srtp.ts";
import { nodeProvider } from "./transport/srtp-node.ts";

const OPUS = 111;
const SAMPLE_RATE = 48_000;
const CHANNELS = 2;
const MAX_DATAGRAM = 2_000;
const PROFILE = "AES128_CM_HMAC_SHA1_80";
/** Seconds from 1900, where NTP begins, to 1970. */
const NTP_EPOCH_S = 2_208_988_800;
const ALL_LAYERS = 0x3f;

interface Tag {
  readonly name: string;
  readonly source: SourceIndex;
  readonly video: boolean;
  /** Of pictures: payload type of the packets so far. */
  payloadType: number;
  chunk: number;
  /** Of pictures: the newest number; −1: none yet. */
  sequence: number;
}

const OPUS_ENTRY: PayloadTypeEntry = {
  payloadType: OPUS,
  kind: "audio",
  codec: "opus",
  clockRate: SAMPLE_RATE,
  nack: false,
  pli: false,
  fir: false,
  transportCc: false,
};

export class MediaExport implements ExportPeer {
  readonly id: string;
  readonly index: EndpointIndex;
  /** The WebSocket to the recorder. */
  readonly channel: ChannelId;
  readonly #context: BridgeContext;
  readonly #conference: ConferenceView;
  readonly #memory: PacketMemory;
  readonly #master: SrtpMaster;
  readonly #audio: boolean;
  readonly #maxHeight: number | undefined;
  #receive: SrtpContext | undefined;
  #names: ReadonlySet<string> | undefined;
  readonly #ping: ExportRequest["ping"];
  #open = false;
  #sequence = 0;
  readonly #tags = new Map<number, Tag>();
  /** As the loop knows them. */
  #payloadTypes: readonly PayloadTypeEntry[] = [];
  #targets = new Map<SourceIndex, VideoTarget>();
  #pingAt: Millis | undefined;
  #pongBy: Millis | undefined;
  readonly #packet = new RtpPacket();
  readonly #cursor = new RtcpCursor();
  readonly #report = new SenderReport();
  #closed = false;

  constructor(context: BridgeContext, conference: ConferenceView, request: ExportRequest, index: EndpointIndex) {
    this.id = request.id;
    this.index = index;
    this.channel = context.newChannel();
    this.#context = context;
    this.#conference = conference;
    this.#ping = request.ping;
    this.#audio = request.audio;
    this.#maxHeight = request.maxHeight;
    this.#names = request.sources === undefined ? undefined : new Set(request.sources);
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
    this.#memory = { memory, bytes: new Uint8Array(memory.buffer), base: 0 };
    this.#master = { key: context.random(16), salt: context.random(14) };
    context.media({ type: "add-endpoint", endpoint: index, conference: conference.number });
    context.act({ type: "tap-open", tap: index, address: context.sockets[0]?.address ?? "127.0.0.1" });
    context.act({ type: "channel-dial", channel: this.channel, url: request.url, headers: request.headers });
    this.subscribe();
    conference.changed(); // what senders are told depends on it
  }

  update(request: ExportRequest): void {
    this.#names = request.sources === undefined ? undefined : new Set(request.sources);
    this.subscribe();
    this.#conference.changed(); // what senders are told depends on it
  }

  /** The socket that the loop sends to is there. */
  tapOpened(address: string, port: number): void {
    if (this.#closed) return;
    const path = { socket: 0, address, port };
    this.#receive = createSrtpContext(nodeProvider(this.#memory), this.#memory, PROFILE, this.#master, "receive");
    const unused = { key: this.#context.random(16), salt: this.#context.random(14) };
    this.#context.media({
      type: "srtp-keys",
      endpoint: this.index,
      profile: PROFILE,
      receive: unused,
      send: this.#master,
    });
    this.#context.media({ type: "accept-address", endpoint: this.index, path });
    this.#context.media({ type: "select-path", endpoint: this.index, path });
  }

  /** How high it wants this source; 0: not at all; −1: no limit. */
  wants(source: ConferenceSource): number {
    if (source.kind !== "video" || this.#maxHeight === undefined || this.#closed) return 0;
    return this.#names === undefined || this.#names.has(source.name) ? this.#maxHeight : 0;
  }

  /** After any change of what is sent in the conference. */
  subscribe(): void {
    const sources: SourceIndex[] = [];
    for (const source of this.#conference.sources())
      if (this.#audio && source.kind === "audio" && (this.#names === undefined || this.#names.has(source.name)))
        sources.push(source.index);
    this.#tellPayloadTypes();
    this.#context.media({ type: "audio-subscription", receiver: this.index, all: false, sources });
    this.watch();
    const names = new Set([...this.#conference.sources()].map((source) => source.name));
    for (const [ssrc, tag] of this.#tags) {
      if (names.has(tag.name)) continue;
      this.#tags.delete(ssrc);
      this.#event("stop", { stop: { tag: tag.name } });
    }
  }

  /** After any change of layers as well: each source as high as it is wanted. */
  watch(): void {
    if (this.#maxHeight === undefined || this.#closed) return;
    this.#tellPayloadTypes();
    const next = new Map<SourceIndex, VideoTarget>();
    for (const source of this.#conference.sources()) {
      const height = this.wants(source);
      const primary = source.encodings[0];
      if (height === 0 || primary === undefined || source.videoType === "none") continue;
      next.set(source.index, { source: source.index, layer: layerFor(source, height), ssrc: primary.ssrc, rtxSsrc: 0 });
    }
    const present = new Set([...this.#conference.sources()].map((source) => source.index));
    const targets: VideoTarget[] = [];
    for (const [index, former] of this.#targets)
      if (!next.has(index) && present.has(index)) targets.push({ ...former, layer: -1 });
    for (const [index, target] of next) {
      const former = this.#targets.get(index);
      if (former?.layer !== target.layer || former.ssrc !== target.ssrc) targets.push(target);
    }
    this.#targets = next;
    if (targets.length > 0) this.#context.media({ type: "video-targets", receiver: this.index, targets });
  }

  /** Whatever the senders send is taken as it is. */
  #tellPayloadTypes(): void {
    const types = new Map<number, PayloadTypeEntry>();
    if (this.#audio) types.set(OPUS, OPUS_ENTRY);
    if (this.#maxHeight !== undefined)
      for (const peer of [...this.#conference.endpoints.values(), ...this.#conference.relays.values()])
        for (const entry of peer.payloadTypes.entries)
          if (entry.kind === "video" && entry.codec !== "rtx" && !types.has(entry.payloadType))
            types.set(entry.payloadType, { ...entry, transportCc: false });
    const entries = [...types.values()];
    const same =
      entries.length === this.#payloadTypes.length &&
      entries.every(
        (each, i) =>
          each.payloadType === this.#payloadTypes[i]?.payloadType && each.codec === this.#payloadTypes[i]?.codec,
      );
    if (same) return;
    this.#payloadTypes = entries;
    this.#context.media({
      type: "payload-types",
      endpoint: this.index,
      payloadTypes: entries,
      extensions: {},
      allowMixed: false,
    });
  }

  opened(now: Millis): void {
    this.#open = true;
    this.#tags.clear(); // a new connection is told of every source anew
    for (const { source } of this.#targets.values()) this.#context.media({ type: "request-key-frame", source });
    if (this.#ping !== undefined) this.#pingAt = later(now, this.#ping.intervalMs);
  }

  closed(): void {
    this.#open = false;
    this.#pingAt = undefined;
    this.#pongBy = undefined;
  }

  /** A packet of the loop. */
  datagram(bytes: Uint8Array): void {
    const counters = this.#context.counters;
    const context = this.#receive;
    if (!this.#open || context === undefined || bytes.length < 12 || bytes.length > MAX_DATAGRAM) return;
    const memory = this.#memory.bytes;
    memory.set(bytes);
    const second = bytes[1] ?? 0;
    if (second >= 192 && second <= 223) {
      this.#reports(context, bytes.length);
      return;
    }
    const packet = this.#packet;
    if (!parseHeader(memory, 0, bytes.length, packet)) {
      counters.drop("export-malformed");
      return;
    }
    const plain = context.unprotectRtp(0, packet.headerLength, bytes.length);
    if (plain < 0 || !parsePadding(memory, plain, packet)) {
      counters.drop("export-authentication");
      return;
    }
    const tag = this.#tag(packet.ssrc, packet.payloadType);
    if (tag === undefined) return;
    const { payloadOffset, payloadLength } = packet;
    const payload = memory.slice(payloadOffset, payloadOffset + payloadLength).toBase64();
    tag.chunk++;
    const media = { tag: tag.name, chunk: String(tag.chunk), timestamp: String(packet.timestamp), payload };
    if (!tag.video) {
      this.#event("media", { media });
      return;
    }
    // The socket is one of our own machine: what is missing was too much at once, and only a key frame mends it.
    if (tag.sequence >= 0 && ((packet.sequence - tag.sequence) & 0xffff) !== 1) {
      counters.drop("export-gap");
      this.#context.media({ type: "request-key-frame", source: tag.source });
    }
    tag.sequence = packet.sequence;
    this.#event("media", {
      media: { ...media, parley_sequence: String(packet.sequence), parley_marker: packet.marker },
    });
  }

  /** Which wall clock a time stamp stands for: what brings sound and picture of one sender together (RFC 3550 §6.4.1). */
  #reports(context: SrtpContext, length: number): void {
    if (this.#maxHeight === undefined) return;
    const plain = context.unprotectRtcp(0, length);
    if (plain < 0) {
      this.#context.counters.drop("export-authentication");
      return;
    }
    const cursor = this.#cursor;
    cursor.begin(this.#memory.bytes, 0, plain);
    while (cursor.next()) {
      const report = this.#report;
      if (cursor.type !== RtcpType.senderReport) continue;
      if (!readSenderReport(this.#memory.bytes, cursor.offset, cursor.length, report)) continue;
      const tag = this.#tags.get(report.ssrc);
      if (tag === undefined) continue;
      const ms = (report.ntpSeconds - NTP_EPOCH_S) * 1000 + Math.round((report.ntpFraction * 1000) / 2 ** 32);
      this.#event("parley_clock", {
        parley_clock: { tag: tag.name, timestamp: String(report.rtpTimestamp), epochMs: String(ms) },
      });
    }
  }

  #tag(ssrc: number, payloadType: number): Tag | undefined {
    const known = this.#tags.get(ssrc);
    if (known !== undefined && (!known.video || known.payloadType === payloadType)) return known;
    for (const source of this.#conference.sources()) {
      if (!source.encodings.some((each) => each.ssrc === ssrc)) continue;
      const video = source.kind === "video";
      const entry = this.#payloadTypes.find((each) => each.payloadType === payloadType);
      const tag = { name: source.name, source: source.index, video, payloadType, chunk: 0, sequence: -1 };
      if (known !== undefined) this.#event("stop", { stop: { tag: tag.name } }); // another codec
      this.#tags.set(ssrc, tag);
      this.#event("start", {
        start: {
          tag: source.name,
          mediaFormat: video
            ? { encoding: entry?.codec ?? "other", sampleRate: entry?.clockRate ?? 90_000 }
            : { encoding: "opus", sampleRate: SAMPLE_RATE, channels: CHANNELS },
          customParameters: { endpointId: source.owner, ...(video ? { parley_video_type: source.videoType } : {}) },
        },
      });
      return tag;
    }
    return undefined;
  }

  /** What comes back: pongs and transcriptions. */
  text(now: Millis, text: string): void {
    const message = parseObject(text);
    if (message?.["event"] === "pong" || message?.["event"] === "ping") {
      this.#pongBy = undefined;
      if (message["event"] === "ping") this.#event("pong", { id: message["id"] });
    } else if (message !== undefined && message["type"] === "transcription-result")
      this.#conference.broadcast(
        now,
        JSON.stringify({ colibriClass: "EndpointMessage", from: "transcriber", to: "", msgPayload: message }),
      );
    else this.#context.counters.drop("export-message-unreadable");
  }

  nextDeadline(): Deadline | undefined {
    const at = this.#pongBy ?? this.#pingAt;
    return at === undefined ? undefined : { at, why: "export ping" };
  }

  handleTimeout(now: Millis): void {
    if (this.#ping === undefined) return;
    if (this.#pongBy !== undefined && now >= this.#pongBy) {
      this.#pongBy = undefined;
      this.#context.counters.drop("export-ping-timeout");
      this.#context.act({ type: "channel-redial", channel: this.channel });
      return;
    }
    if (this.#pingAt === undefined || now < this.#pingAt) return;
    this.#pingAt = later(now, this.#ping.intervalMs);
    this.#pongBy = later(now, this.#ping.timeoutMs);
    this.#event("ping", { id: this.#sequence });
  }

  close(): void {
    if (this.#closed) return;
    this.#event("session-end", {});
    this.#closed = true;
    this.#receive?.close();
    this.#context.act({ type: "channel-close", channel: this.channel, code: 1000, reason: "" });
    this.#context.act({ type: "tap-close", tap: this.index });
    this.#context.media({ type: "remove-endpoint", endpoint: this.index });
    this.#conference.changed();
  }

  #event(event: string, rest: Readonly<Record<string, unknown>>): void {
    if (!this.#open || this.#closed) return;
    this.#sequence++;
    const text = JSON.stringify({ event, sequenceNumber: String(this.#sequence), ...rest });
    this.#context.act({ type: "channel-text", channel: this.channel, text });
  }
}

/** The highest layer that is not above `height`, whatever its frame rate; the lowest where all are. */
function layerFor(source: ConferenceSource, height: number): number {
  const layers =
    source.layers.length > 0
      ? source.layers.map((each) => ({ index: each.layer, height: each.height }))
      : assumedLayers(source.encodings.length);
  const fitting = height < 0 ? layers : layers.filter((each) => each.height <= height);
  const chosen =
    fitting.length > 0 ? Math.max(...fitting.map(({ index }) => index)) : Math.min(...layers.map(({ index }) => index));
  // Within the encoding everything of that spatial layer and below; a share of unknown height goes whole.
  return height < 0 ? (chosen & ~ALL_LAYERS) | ALL_LAYERS : chosen | 7;
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined; // not JSON: counted by the caller
  }
}
