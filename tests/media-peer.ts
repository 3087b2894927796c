/**
 * Tests only: a participant as the bridge sees one: ICE (controlled), DTLS, SRTP and the bridge channel over real sockets, sending generated media and
 * counting what comes. It is given to the bridge by whoever plays the focus: `endpoint()` for the allocation, `connect()` with the bridge's answer,
 * `accepted()` for the update.
 *
 *   const peer = await MediaPeer.open({ id: "aaaaaaaa", ssrc: 1000 });
 *   const answer = await focus.modify({ create: true, endpoints: [peer.allocation()] });
 *   await focus.modify({ endpoints: [peer.accepted()] });
 *   await peer.connect(answer.endpoints[0].transport.ice);
 *   peer.say({ colibriClass: "ReceiverVideoConstraints", lastN: -1, defaultConstraints: { maxHeight: 720 } });
 *   peer.startMedia({ audioLevel: 100, video: true });
 */
import { randomBytes } from "node:crypto";
import type { Path, SrtpProfile } from "../appliance/bridge/media-commands.ts";
import { FeedbackFormat, RtcpCursor, RtcpType } from "../appliance/bridge/rtcp/compound.ts";
import { firEntryCount, firSsrc, writePli } from "../appliance/bridge/rtcp/key-frame.ts";
import { nackBitmask, nackEntryCount, nackMediaSsrc, nackPid, writeNack } from "../appliance/bridge/rtcp/nack.ts";
import {
  beginReceiverReport,
  middleNtp,
  REPORT_BLOCK_LENGTH,
  ReportBlock,
  readSenderReport,
  SenderReport,
  writeReportBlock,
  writeSenderReport,
} from "../appliance/bridge/rtcp/reports.ts";
import { ArrivalRecorder } from "../appliance/bridge/rtcp/transport-feedback.ts";
import { Extension, parseExtensions } from "../appliance/bridge/rtp/extensions.ts";
import { parseHeader, parsePadding } from "../appliance/bridge/rtp/header.ts";
import { RtpPacket } from "../appliance/bridge/rtp/packet.ts";
import { makeCertificate } from "../appliance/bridge/transport/certificate.ts";
import type { DataChannelFactory } from "../appliance/bridge/transport/data-channel.ts";
import { classifyDatagram } from "../appliance/bridge/transport/demux.ts";
import { DtlsContext } from "../appliance/bridge/transport/dtls.ts";
import { makePwd, makeUfrag } from "../appliance/bridge/transport/ice.ts";
import { createSrtpContext, type PacketMemory, type SrtpContext } from "../appliance/bridge/transport/srtp.ts";
import { nodeProvider } from "../appliance/bridge/transport/srtp-node.ts";
import { Transport } from "../appliance/bridge/transport/transport.ts";
import { monotonicNow, wallNow } from "../appliance/clock.ts";
import {
  type BridgeMessage,
  type ClientMessage,
  decodeBridgeMessage,
  encodeChannelMessage,
} from "../appliance/wire/channel-messages.ts";
import { type ColibriEndpoint, endpoint as colibriEndpoint } from "../appliance/wire/colibri2.ts";
import type { IceTransport } from "../appliance/wire/ice-transport.ts";
import {
  AudioGenerator,
  cameraEncodings,
  type Encoding,
  EXTENSION,
  type PacketSink,
  PEER_MEDIA,
  peerSources,
  Reception,
  RTX,
  VideoGenerator,
} from "./media-peer-media.ts";

export interface MediaPeerOptions {
  /** Endpoint id, eight hex digits with LJM. */
  readonly id: string;
  /** First of the SSRCs it uses: this one for audio, the next ones for video. */
  readonly ssrc: number;
  /** Address to bind and to reach the bridge from. */
  readonly address?: string;
  readonly encodings?: readonly Encoding[];
  readonly capabilities?: readonly string[];
  readonly mucRole?: string;
  readonly profiles?: readonly SrtpProfile[];
  /** Where the channel's URL really is: tests have no gateway in front of the bridge. Undefined: no channel. */
  readonly channelUrl?: (url: string) => string;
  /** The channel over SCTP (browserDataChannel of media-peer-sctp.ts) instead of a WebSocket. */
  readonly dataChannel?: DataChannelFactory;
}

export type PeerMessage = BridgeMessage | ClientMessage;

const RECEIVER_SSRC_OFFSET = 90;
const FEEDBACK_MS = 100;
const NACK_REPEAT_MS = 100;
const MAX_NACKS = 10;

const random = (count: number): Uint8Array => new Uint8Array(randomBytes(count));

/** Waits until `done` holds; rejects with what it was waiting for. */
export async function until(what: string, done: () => boolean, timeoutMs = 10_000): Promise<void> {
  const limit = monotonicNow() + timeoutMs;
  while (!done()) {
    if (monotonicNow() > limit) throw new Error(`waited ${timeoutMs} ms for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

export class MediaPeer {
  readonly id: string;
  readonly audioSsrc: number;
  readonly encodings: readonly Encoding[];
  readonly ufrag = makeUfrag(random);
  readonly pwd = makePwd(random);
  readonly received = new Map<number, Reception>();
  readonly messages: PeerMessage[] = [];
  readonly closed: { code: number; reason: string }[] = [];
  readonly audio: AudioGenerator;
  readonly video: readonly VideoGenerator[];
  /** Key frames that the bridge asked for, by SSRC. */
  readonly keyFrameRequests = new Map<number, number>();
  /** Called with every message of the channel. */
  onMessage: (message: PeerMessage) => void = () => {};
  /** Fractions 0 … 1 of datagrams that vanish; for tests of loss. */
  lossOut = 0;
  lossIn = 0;
  /** Encodings that are being sent, by index; SenderSourceConstraints moves it when `obeys` is set. */
  activeEncodings = 3;
  obeys = true;
  readonly options: MediaPeerOptions;
  readonly dropped = new Map<string, number>();

  readonly #dtls: DtlsContext;
  readonly #fingerprint: string;
  readonly #transport: Transport;
  readonly #socket: Bun.udp.Socket<"uint8array">;
  readonly #memory: PacketMemory;
  #send: SrtpContext | undefined;
  #receive: SrtpContext | undefined;
  #path: Path | undefined;
  #channel: WebSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #media: ReturnType<typeof setInterval> | undefined;
  #feedback: ReturnType<typeof setInterval> | undefined;
  #audioLevel = 0;
  #sendsVideo = false;
  #connected = false;
  #dataChannelOpen = false;
  #failure: string | undefined;
  #over = false;
  #transportSequence = 0;
  #frameDebt = 0;
  #lastTick = 0;
  readonly #arrivals = new ArrivalRecorder();
  readonly #nacks = new Map<string, { readonly ssrc: number; readonly sequence: number; tries: number; at: number }>();
  readonly #reports = new Map<number, { readonly lsr: number; readonly at: number }>();
  readonly #kinds = new Uint8Array(256);
  readonly #sink: PacketSink;
  readonly #packet = new RtpPacket();
  readonly #cursor = new RtcpCursor();
  readonly #senderReport = new SenderReport();

  static async open(options: MediaPeerOptions): Promise<MediaPeer> {
    let peer: MediaPeer | undefined;
    const socket = await Bun.udpSocket({
      hostname: options.address ?? "127.0.0.1",
      port: 0,
      binaryType: "uint8array",
      socket: {
        data(_socket, bytes, port, address) {
          if (peer !== undefined) peer.#datagram(bytes, { socket: 0, address, port });
        },
        // A bridge that is gone answers with ICMP: without a handler Bun would end the process.
        error: () => peer?.drop("socket-error"),
      },
    });
    peer = new MediaPeer(options, socket);
    return peer;
  }

  private constructor(options: MediaPeerOptions, socket: Bun.udp.Socket<"uint8array">) {
    this.options = options;
    this.id = options.id;
    this.#socket = socket;
    this.audioSsrc = options.ssrc;
    this.encodings = options.encodings ?? cameraEncodings(options.ssrc + 1);
    this.audio = new AudioGenerator(this.audioSsrc);
    this.video = this.encodings.map((encoding) => new VideoGenerator(encoding));
    const certificate = makeCertificate(wallNow(), random);
    this.#fingerprint = certificate.fingerprint;
    this.#dtls = new DtlsContext(certificate, options.profiles ?? ["AES128_CM_HMAC_SHA1_80", "AEAD_AES_128_GCM"]);
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
    this.#memory = { memory, bytes: new Uint8Array(memory.buffer), base: 0 };
    this.#transport = new Transport({
      localUfrag: this.ufrag,
      localPwd: this.pwd,
      controlling: false,
      sockets: [{ address: socket.address.address, family: 4, port: socket.port }],
      dtls: this.#dtls,
      random,
      ...(options.dataChannel === undefined ? {} : { dataChannel: options.dataChannel }),
      wake: () => queueMicrotask(() => this.#drain()),
    });
    this.#kinds[EXTENSION.audioLevel] = Extension.audioLevel;
    this.#kinds[EXTENSION.transportCc] = Extension.transportSequence;
    this.#sink = {
      packet: (bytes, header, payload) => this.#sendRtp(bytes, header, payload),
      transportSequence: () => {
        this.#transportSequence = (this.#transportSequence + 1) & 0xffff;
        return this.#transportSequence;
      },
    };
  }

  drop(reason: string): void {
    this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + 1);
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** For the first request: what the focus asks the bridge for. */
  allocation(rest: Partial<ColibriEndpoint> = {}): ColibriEndpoint {
    return colibriEndpoint(this.id, {
      create: true,
      statsId: this.id,
      capabilities: this.options.capabilities ?? ["source-names"],
      media: PEER_MEDIA,
      transport: {
        iceControlling: true,
        useUniquePort: false,
        iceRestart: false,
        ...(this.options.dataChannel === undefined ? {} : { sctp: {} }),
      },
      ...(this.options.mucRole !== undefined ? { mucRole: this.options.mucRole } : {}),
      ...rest,
    });
  }

  /** For the update once the peer has accepted: its transport and its sources. */
  accepted(rest: Partial<ColibriEndpoint> = {}): ColibriEndpoint {
    return colibriEndpoint(this.id, {
      transport: { iceControlling: false, useUniquePort: false, iceRestart: false, ice: this.description() },
      ...(this.options.mucRole === "visitor" ? {} : { sources: peerSources(this.id, this.audioSsrc, this.encodings) }),
      ...rest,
    });
  }

  /** For relays: what the focus tells other bridges of this peer. */
  farEndpoint(): Partial<ColibriEndpoint> {
    return { statsId: this.id, sources: peerSources(this.id, this.audioSsrc, this.encodings) };
  }

  description(): IceTransport {
    return {
      ufrag: this.ufrag,
      pwd: this.pwd,
      rtcpMux: true,
      fingerprints: [{ hash: "sha-256", value: this.#fingerprint, setup: "active" }],
      candidates: [],
      webSockets: [],
    };
  }

  /** Connects to the bridge's transport; resolves when media and, unless switched off, the channel are up. */
  async connect(bridge: IceTransport, timeoutMs = 10_000): Promise<void> {
    this.#transport.setRemote(monotonicNow(), {
      ufrag: bridge.ufrag,
      pwd: bridge.pwd,
      fingerprints: bridge.fingerprints,
      // One socket of ours, one family: candidates that it cannot reach would only cost time.
      candidates: bridge.candidates.filter((each) => !each.ip.includes(":")),
    });
    this.#drain();
    const [url] = bridge.webSockets;
    if (url !== undefined && this.options.channelUrl !== undefined && this.options.dataChannel === undefined)
      this.openChannel(this.options.channelUrl(url));
    await until(
      `peer ${this.id} connected`,
      () => {
        if (this.#failure !== undefined) throw new Error(`peer ${this.id}: ${this.#failure}`);
        if (this.options.dataChannel !== undefined && !this.#dataChannelOpen) return false;
        return this.#connected && (this.#channel === undefined || this.#channel.readyState === WebSocket.OPEN);
      },
      timeoutMs,
    );
  }

  /** Takes up the bridge's ICE restart: new credentials on both sides, answered by what this returns. */
  restartIce(bridge: IceTransport): IceTransport {
    const now = monotonicNow();
    const ufrag = makeUfrag(random);
    const pwd = makePwd(random);
    const iceGeneration = this.#transport.restartIce(now, ufrag, pwd);
    this.#transport.setRemote(now, {
      ufrag: bridge.ufrag,
      pwd: bridge.pwd,
      iceGeneration,
      fingerprints: [],
      candidates: bridge.candidates.filter((each) => !each.ip.includes(":")),
    });
    this.#drain();
    return {
      ...this.description(),
      ufrag,
      pwd,
      ...(bridge.iceGeneration === undefined ? {} : { iceGeneration: bridge.iceGeneration }),
    };
  }

  /** Paths that were selected so far: one more for each ICE connection. */
  selections = 0;

  /** Opens the bridge channel; a second call opens a second socket, as a client does that thinks the first one lost. */
  openChannel(url: string): void {
    const socket = new WebSocket(url);
    this.#channel = socket;
    socket.onmessage = ({ data }) => this.#heard(typeof data === "string" ? data : "");
    socket.onclose = ({ code, reason }) => this.closed.push({ code, reason });
  }

  #heard(text: string): void {
    const message = decodeBridgeMessage(text);
    if (message === undefined) {
      this.drop("channel-message");
      return;
    }
    this.messages.push(message);
    if (this.obeys && message.colibriClass === "SenderSourceConstraints") this.#obey(message.maxHeight);
    this.onMessage(message);
  }

  /** A client sends nothing larger than anybody wants. */
  #obey(maxHeight: number): void {
    const wanted = this.encodings.filter((each) => maxHeight < 0 || each.height <= maxHeight).length;
    this.activeEncodings = maxHeight === 0 ? 0 : Math.max(1, wanted);
  }

  say(message: ClientMessage): void {
    this.sayText(encodeChannelMessage(message));
  }

  sayText(text: string): void {
    if (this.#dataChannelOpen) {
      this.#transport.sendMessage(text);
      this.#drain();
    } else this.#channel?.send(text);
  }

  /** The last message of a class, if there was one. */
  last<Class extends PeerMessage["colibriClass"]>(
    colibriClass: Class,
  ): Extract<PeerMessage, { colibriClass: Class }> | undefined {
    return this.messages.findLast(
      (each): each is Extract<PeerMessage, { colibriClass: Class }> => each.colibriClass === colibriClass,
    );
  }

  /** Sends 50 audio packets and 30 frames a second until `stopMedia`. */
  startMedia({ audioLevel = 0, video = true }: { readonly audioLevel?: number; readonly video?: boolean } = {}): void {
    this.#audioLevel = audioLevel;
    this.#sendsVideo = video && this.encodings.length > 0;
    if (this.#media !== undefined) return;
    this.#lastTick = monotonicNow();
    this.#media = setInterval(() => this.#tick(), 20);
  }

  setAudioLevel(level: number): void {
    this.#audioLevel = level;
  }

  stopMedia(): void {
    clearInterval(this.#media);
    this.#media = undefined;
  }

  /** Asks the bridge for a key frame of what it sends under that SSRC. */
  requestKeyFrame(ssrc: number): void {
    const bytes = new Uint8Array(12);
    const length = writePli(bytes, 0, this.audioSsrc + RECEIVER_SSRC_OFFSET, ssrc);
    this.#sendRtcp(bytes, length);
  }

  /** Sends bytes to the bridge's media port as they are. */
  sendRaw(bytes: Uint8Array): void {
    if (this.#path !== undefined) this.#socket.send(bytes, this.#path.port, this.#path.address);
  }

  reception(ssrc: number): Reception | undefined {
    return this.received.get(ssrc);
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.stopMedia();
    clearInterval(this.#feedback);
    this.#channel?.close();
    this.#transport.close();
    this.#drain();
    clearTimeout(this.#timer);
    this.#send?.close();
    this.#receive?.close();
    this.#dtls.close();
    this.#socket.close();
  }

  /** Is gone without a word. */
  vanish(): void {
    this.#over = true;
    this.stopMedia();
    clearInterval(this.#feedback);
    clearTimeout(this.#timer);
    this.#channel?.close();
    this.#socket.close();
  }

  #tick(): void {
    const now = monotonicNow();
    const due = Math.min(10, Math.round((now - this.#lastTick) / 20));
    this.#lastTick += due * 20;
    if (now - this.#lastTick > 200) this.#lastTick = now;
    for (let i = 0; i < due; i++) {
      this.audio.send(this.#audioLevel, this.#sink);
      this.#frameDebt += 0.6;
      if (this.#frameDebt < 1) continue;
      this.#frameDebt -= 1;
      if (!this.#sendsVideo) continue;
      for (const [place, encoding] of this.video.entries())
        if (place < this.activeEncodings) encoding.frameDue(this.#sink);
    }
  }

  #sendRtp(bytes: Uint8Array, headerBytes: number, payloadBytes: number): void {
    if (this.#send === undefined || this.#path === undefined) return;
    this.#memory.bytes.set(bytes.subarray(0, headerBytes + payloadBytes));
    const length = this.#send.protectRtp(0, headerBytes, headerBytes, payloadBytes);
    if (length > 0) this.#transmit(length);
    else this.drop(`protect ${length}`);
  }

  #sendRtcp(bytes: Uint8Array, length: number): void {
    if (this.#send === undefined || this.#path === undefined) return;
    this.#memory.bytes.set(bytes.subarray(0, length));
    const protectedLength = this.#send.protectRtcp(0, length);
    if (protectedLength > 0) this.#transmit(protectedLength);
  }

  #transmit(length: number): void {
    if (this.#path === undefined || (this.lossOut > 0 && Math.random() < this.lossOut)) return;
    this.#socket.send(this.#memory.bytes.slice(0, length), this.#path.port, this.#path.address);
  }

  #datagram(bytes: Uint8Array, path: Path): void {
    if (this.#over) return;
    const kind = classifyDatagram(bytes);
    if (kind === "stun" || kind === "dtls") {
      this.#transport.handleDatagram(monotonicNow(), path, bytes);
      this.#drain();
      return;
    }
    if (this.lossIn > 0 && Math.random() < this.lossIn) return;
    if (this.#receive === undefined || bytes.length > 2_000) {
      this.drop("early");
      return;
    }
    this.#memory.bytes.set(bytes);
    if (kind === "rtcp") this.#rtcp(bytes.length);
    else if (kind === "rtp") this.#rtp(bytes.length);
    else this.drop("unknown");
  }

  #rtp(length: number): void {
    const bytes = this.#memory.bytes;
    const packet = this.#packet;
    if (!parseHeader(bytes, 0, length, packet)) {
      this.drop("rtp-header");
      return;
    }
    const plain = this.#receive?.unprotectRtp(0, packet.headerLength, length) ?? -1;
    if (plain < 0) {
      this.drop(`unprotect ${plain}`);
      return;
    }
    if (!parsePadding(bytes, plain, packet)) {
      this.drop("padding");
      return;
    }
    const now = monotonicNow();
    parseExtensions(bytes, this.#kinds, packet);
    if (packet.transportSequence >= 0) this.#arrivals.record(packet.transportSequence, now);
    if (packet.payloadLength === 0) return; // probing
    let ssrc = packet.ssrc;
    if (packet.payloadType === RTX) {
      // Which stream it repeats is known from signalling; every source here has its RTX right behind its SSRC, slots have their own.
      ssrc = this.rtxOf.get(packet.ssrc) ?? packet.ssrc - 1;
      const reception = this.#stream(ssrc);
      packet.sequence = ((bytes[packet.payloadOffset] ?? 0) << 8) | (bytes[packet.payloadOffset + 1] ?? 0);
      packet.payloadOffset += 2;
      packet.payloadLength -= 2;
      packet.payloadType = reception.payloadType;
      if (packet.payloadLength <= 0) return;
      reception.recovered++;
    }
    const missing: number[] = [];
    this.#stream(ssrc).take(bytes, packet, now, missing);
    this.#nacks.delete(`${ssrc} ${packet.sequence}`);
    for (const sequence of missing)
      if (this.#nacks.size < 2_000) this.#nacks.set(`${ssrc} ${sequence}`, { ssrc, sequence, tries: 0, at: 0 });
  }

  /** SSRC of retransmissions → SSRC of the stream, for receivers in rewriting mode. */
  readonly rtxOf = new Map<number, number>();

  #stream(ssrc: number): Reception {
    let reception = this.received.get(ssrc);
    if (reception === undefined) {
      reception = new Reception();
      this.received.set(ssrc, reception);
    }
    return reception;
  }

  #rtcp(length: number): void {
    const plain = this.#receive?.unprotectRtcp(0, length) ?? -1;
    if (plain < 0) {
      this.drop(`unprotect-rtcp ${plain}`);
      return;
    }
    const bytes = this.#memory.bytes.slice(0, plain);
    const cursor = this.#cursor;
    cursor.begin(bytes, 0, plain);
    while (cursor.next()) {
      if (cursor.type === RtcpType.senderReport) {
        if (readSenderReport(bytes, cursor.offset, cursor.length, this.#senderReport)) {
          const { ssrc, ntpSeconds, ntpFraction } = this.#senderReport;
          this.#reports.set(ssrc, { lsr: middleNtp(ntpSeconds, ntpFraction), at: monotonicNow() });
        }
      } else if (cursor.type === RtcpType.transportFeedback && cursor.count === FeedbackFormat.nack)
        this.#answerNack(bytes, cursor.offset, cursor.length);
      else if (cursor.type === RtcpType.payloadFeedback && cursor.count === FeedbackFormat.pictureLoss)
        this.#keyFrameAsked(nackMediaSsrc(bytes, cursor.offset));
      else if (cursor.type === RtcpType.payloadFeedback && cursor.count === FeedbackFormat.fullIntraRequest)
        for (let i = 0; i < firEntryCount(cursor.length); i++) this.#keyFrameAsked(firSsrc(bytes, cursor.offset, i));
    }
  }

  #keyFrameAsked(ssrc: number): void {
    this.keyFrameRequests.set(ssrc, (this.keyFrameRequests.get(ssrc) ?? 0) + 1);
    // As Chromium does: a request for one encoding makes a key frame of that one.
    for (const each of this.video) if (each.encoding.ssrc === ssrc) each.requestKeyFrame();
  }

  #answerNack(bytes: Uint8Array, offset: number, length: number): void {
    const generator = this.video.find((each) => each.encoding.ssrc === nackMediaSsrc(bytes, offset));
    if (generator === undefined) return;
    for (let entry = 0; entry < nackEntryCount(length); entry++) {
      const pid = nackPid(bytes, offset, entry);
      const mask = nackBitmask(bytes, offset, entry);
      generator.resend(pid, this.#sink);
      for (let bit = 0; bit < 16; bit++)
        if ((mask & (1 << bit)) !== 0) generator.resend((pid + bit + 1) & 0xffff, this.#sink);
    }
  }

  /** Receiver reports, transport feedback, NACKs, sender reports: what a browser sends every so often. */
  #sendFeedback(): void {
    const now = monotonicNow();
    const bytes = new Uint8Array(1_400);
    const own = this.audioSsrc + RECEIVER_SSRC_OFFSET;
    const streams = [...this.received].filter(([, each]) => each.extendedHighest >= 0).slice(0, 20);
    let at = beginReceiverReport(bytes, 0, streams.length, own);
    for (const [ssrc, reception] of streams) {
      const block = new ReportBlock();
      block.ssrc = ssrc;
      block.cumulativeLost = Math.max(0, reception.lost);
      block.extendedHighest = reception.extendedHighest >>> 0;
      const report = this.#reports.get(ssrc);
      block.lastReport = report?.lsr ?? 0;
      block.delaySinceLastReport = report === undefined ? 0 : Math.round(((now - report.at) * 65_536) / 1_000);
      writeReportBlock(bytes, at, block);
      at += REPORT_BLOCK_LENGTH;
    }
    at += this.#arrivals.write(bytes, at, own, this.audioSsrc);
    this.#sendRtcp(bytes, at);
    this.#sendNacks(now, own);
    this.#sendSenderReports();
  }

  #sendNacks(now: number, own: number): void {
    const bySsrc = new Map<number, number[]>();
    for (const [key, entry] of this.#nacks) {
      if (entry.tries >= MAX_NACKS) this.#nacks.delete(key);
      else if (now - entry.at >= NACK_REPEAT_MS && (this.received.get(entry.ssrc)?.frames ?? 0) > 0) {
        entry.tries++;
        entry.at = now;
        bySsrc.set(entry.ssrc, [...(bySsrc.get(entry.ssrc) ?? []), entry.sequence]);
      }
    }
    for (const [ssrc, sequences] of bySsrc) {
      const bytes = new Uint8Array(1_400);
      const sorted = Uint16Array.from(sequences);
      this.#sendRtcp(bytes, writeNack(bytes, 0, 1_200, own, ssrc, sorted, sorted.length));
    }
  }

  #sendSenderReports(): void {
    const wall = wallNow() / 1_000 + 2_208_988_800;
    const streams = [
      { ssrc: this.audioSsrc, packets: this.audio.packets },
      ...this.video.map((each) => ({ ssrc: each.encoding.ssrc, packets: each.packets })),
    ];
    for (const { ssrc, packets } of streams) {
      if (packets === 0) continue;
      const report = this.#senderReport;
      report.ssrc = ssrc;
      report.ntpSeconds = Math.floor(wall) >>> 0;
      report.ntpFraction = Math.floor((wall % 1) * 2 ** 32) >>> 0;
      report.packets = packets;
      const bytes = new Uint8Array(64);
      this.#sendRtcp(bytes, writeSenderReport(bytes, 0, report));
    }
  }

  #drain(): void {
    for (let action = this.#transport.poll(); action !== undefined; action = this.#transport.poll()) {
      switch (action.type) {
        case "send":
          if (!this.#socket.closed) this.#socket.send(action.bytes, action.path.port, action.path.address);
          break;
        case "select-path":
          this.#path = action.path;
          this.selections++;
          break;
        case "srtp-keys": {
          const provider = nodeProvider(this.#memory);
          this.#send = createSrtpContext(provider, this.#memory, action.profile, action.send, "send");
          this.#receive = createSrtpContext(provider, this.#memory, action.profile, action.receive, "receive");
          break;
        }
        case "connected":
          this.#connected = true;
          this.#feedback ??= setInterval(() => this.#sendFeedback(), FEEDBACK_MS);
          break;
        case "channel-open":
          this.#dataChannelOpen = true;
          break;
        case "channel-message":
          this.#heard(action.text);
          break;
        case "failed":
          this.#failure = action.reason;
          break;
        default:
          break;
      }
    }
    clearTimeout(this.#timer);
    const deadline = this.#transport.nextDeadline();
    if (deadline === undefined || this.#over) return;
    this.#timer = setTimeout(
      () => {
        this.#transport.handleTimeout(monotonicNow());
        this.#drain();
      },
      Math.max(0, deadline.at - monotonicNow()),
    );
  }
}
