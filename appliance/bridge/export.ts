/**
 * One export of a conference's sound (bridge.md 7.3). Toward the media loop it is a receiver like any other, on a socket of our own machine, so that the hot path knows
 * nothing of it; here its packets are opened and go out as JSON events over a WebSocket, tag = source name.
 */
import type { Deadline } from "../deadlines.ts";
import { later, type Millis } from "../time.ts";
import type { Conference } from "./conference.ts";
import type { BridgeContext, ChannelId } from "./context.ts";
import type { ExportRequest } from "./export-request.ts";
import type { EndpointIndex, SourceIndex, SrtpMaster } from "./media-commands.ts";
import { parseHeader, parsePadding } from "./rtp/header.ts";
import { RtpPacket } from "./rtp/packet.ts";
import { createSrtpContext, type PacketMemory, type SrtpContext } from "./transport/srtp.ts";
import { nodeProvider } from "./transport/srtp-node.ts";

const OPUS = 111;
const SAMPLE_RATE = 48_000;
const CHANNELS = 2;
const MAX_DATAGRAM = 2_000;
const PROFILE = "AES128_CM_HMAC_SHA1_80";

interface Tag {
  readonly name: string;
  chunk: number;
}

export class MediaExport {
  readonly id: string;
  readonly index: EndpointIndex;
  /** The WebSocket to the recorder. */
  readonly channel: ChannelId;
  readonly #context: BridgeContext;
  readonly #conference: Conference;
  readonly #memory: PacketMemory;
  readonly #master: SrtpMaster;
  #receive: SrtpContext | undefined;
  #names: ReadonlySet<string> | undefined;
  readonly #ping: ExportRequest["ping"];
  #open = false;
  #sequence = 0;
  readonly #tags = new Map<number, Tag>();
  #pingAt: Millis | undefined;
  #pongBy: Millis | undefined;
  readonly #packet = new RtpPacket();
  #closed = false;

  constructor(context: BridgeContext, conference: Conference, request: ExportRequest, index: EndpointIndex) {
    this.id = request.id;
    this.index = index;
    this.channel = context.newChannel();
    this.#context = context;
    this.#conference = conference;
    this.#ping = request.ping;
    this.#names = request.sources === undefined ? undefined : new Set(request.sources);
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
    this.#memory = { memory, bytes: new Uint8Array(memory.buffer), base: 0 };
    this.#master = { key: context.random(16), salt: context.random(14) };
    context.media({ type: "add-endpoint", endpoint: index, conference: conference.number });
    context.media({
      type: "payload-types",
      endpoint: index,
      payloadTypes: [
        {
          payloadType: OPUS,
          kind: "audio",
          codec: "opus",
          clockRate: SAMPLE_RATE,
          nack: false,
          pli: false,
          fir: false,
          transportCc: false,
        },
      ],
      extensions: {},
      allowMixed: false,
    });
    context.act({ type: "tap-open", tap: index, address: context.sockets[0]?.address ?? "127.0.0.1" });
    context.act({ type: "channel-dial", channel: this.channel, url: request.url, headers: request.headers });
    this.subscribe();
  }

  update(request: ExportRequest): void {
    this.#names = request.sources === undefined ? undefined : new Set(request.sources);
    this.subscribe();
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

  /** After any change of what is sent in the conference. */
  subscribe(): void {
    const sources: SourceIndex[] = [];
    for (const source of this.#conference.sources())
      if (source.kind === "audio" && (this.#names === undefined || this.#names.has(source.name)))
        sources.push(source.index);
    this.#context.media({ type: "audio-subscription", receiver: this.index, all: false, sources });
    const names = new Set([...this.#conference.sources()].map((source) => source.name));
    for (const [ssrc, tag] of this.#tags) {
      if (names.has(tag.name)) continue;
      this.#tags.delete(ssrc);
      this.#event("stop", { stop: { tag: tag.name } });
    }
  }

  opened(now: Millis): void {
    this.#open = true;
    this.#tags.clear(); // a new connection is told of every source anew
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
    const second = bytes[1] ?? 0;
    if (second >= 192 && second <= 223) return; // RTCP
    const memory = this.#memory.bytes;
    memory.set(bytes);
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
    const tag = this.#tag(packet.ssrc);
    if (tag === undefined) return;
    const { payloadOffset, payloadLength } = packet;
    const payload = memory.slice(payloadOffset, payloadOffset + payloadLength).toBase64();
    tag.chunk++;
    this.#event("media", {
      media: { tag: tag.name, chunk: String(tag.chunk), timestamp: String(packet.timestamp), payload },
    });
  }

  #tag(ssrc: number): Tag | undefined {
    const known = this.#tags.get(ssrc);
    if (known !== undefined) return known;
    for (const source of this.#conference.sources()) {
      if (source.kind !== "audio" || !source.encodings.some((each) => each.ssrc === ssrc)) continue;
      const tag = { name: source.name, chunk: 0 };
      this.#tags.set(ssrc, tag);
      this.#event("start", {
        start: {
          tag: source.name,
          mediaFormat: { encoding: "opus", sampleRate: SAMPLE_RATE, channels: CHANNELS },
          customParameters: { endpointId: source.owner },
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
  }

  #event(event: string, rest: Readonly<Record<string, unknown>>): void {
    if (!this.#open || this.#closed) return;
    this.#sequence++;
    const text = JSON.stringify({ event, sequenceNumber: String(this.#sequence), ...rest });
    this.#context.act({ type: "channel-text", channel: this.channel, text });
  }
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
