/**
 * Tests only: a participant in virtual time: XMPP against the server's core, Jingle with the focus, ICE, DTLS and SRTP over the simulated network,
 * generated audio and VP8, NACKs for what is missing. What it knows of the others it has from the wire alone.
 */
import type { Path, SrtpProfile } from "../../appliance/bridge/media-commands.ts";
import { FeedbackFormat, RtcpCursor, RtcpType } from "../../appliance/bridge/rtcp/compound.ts";
import { writePli } from "../../appliance/bridge/rtcp/key-frame.ts";
import { nackBitmask, nackEntryCount, nackMediaSsrc, nackPid, writeNack } from "../../appliance/bridge/rtcp/nack.ts";
import { parseHeader, parsePadding } from "../../appliance/bridge/rtp/header.ts";
import { RtpPacket } from "../../appliance/bridge/rtp/packet.ts";
import { classifyDatagram } from "../../appliance/bridge/transport/demux.ts";
import { DtlsContext } from "../../appliance/bridge/transport/dtls.ts";
import { makePwd, makeUfrag } from "../../appliance/bridge/transport/ice.ts";
import { createSrtpContext, type PacketMemory, type SrtpContext } from "../../appliance/bridge/transport/srtp.ts";
import { nodeProvider } from "../../appliance/bridge/transport/srtp-node.ts";
import type { Transport } from "../../appliance/bridge/transport/transport.ts";
import { TEST_RETRANSMISSION, testCertificate } from "../../appliance/bridge/transport/transport-pair.ts";
import type { SimulatedNode } from "../../appliance/simulated-network.ts";
import { seededBytes } from "../../appliance/simulated-network.ts";
import { later, type Millis } from "../../appliance/time.ts";
import { decodeBridgeMessage } from "../../appliance/wire/channel-messages.ts";
import { isJingleFault, type Jingle, jingleChild, jingleElement, readJingle } from "../../appliance/wire/jingle.ts";
import { NS } from "../../appliance/wire/namespaces.ts";
import type { EndpointSources } from "../../appliance/wire/sources.ts";
import { attr, child, children, childText, type Element, xml } from "../../appliance/wire/xml.ts";
import {
  AudioGenerator,
  cameraEncodings,
  type PacketSink,
  peerSources,
  Reception,
  RTX,
  VideoGenerator,
  VP8,
} from "../media-peer-media.ts";
import type { Participant } from "../xmpp-dialogue.ts";
import { PatientTransport } from "./patient-transport.ts";
import type { WholeBox } from "./whole-box.ts";

const MEDIA_MS = 20;
const NACK_MS = 60;
const MAX_NACKS = 10;
const PLI_MS = 300;
const PROFILES: readonly SrtpProfile[] = ["AEAD_AES_128_GCM", "AES128_CM_HMAC_SHA1_80"];

export class SimulatedClient implements SimulatedNode {
  readonly name: string;
  readonly path: Path;
  readonly received = new Map<number, Reception>();
  /** Occupants it sees, by nick, with the display name. */
  readonly occupants = new Map<string, string>();
  /** Sources of others that it was told, by owner. */
  readonly sources = new Map<string, EndpointSources>();
  readonly chat: string[] = [];
  readonly faults: string[] = [];
  forwarded: readonly string[] = [];
  joined = false;
  role = "";
  connected = false;
  speaking = true;
  readonly #box: WholeBox;
  readonly #room: string;
  readonly #seed: number;
  readonly #stream: Participant;
  readonly #random: (count: number) => Uint8Array;
  readonly #memory: PacketMemory;
  readonly #audio: AudioGenerator;
  readonly #video: readonly VideoGenerator[];
  readonly #packet = new RtpPacket();
  readonly #cursor = new RtcpCursor();
  readonly #sink: PacketSink;
  readonly #dtls: DtlsContext;
  readonly #fingerprint: string;
  #transport: Transport | undefined;
  #send: SrtpContext | undefined;
  #receive: SrtpContext | undefined;
  #selected: Path | undefined;
  #sid = "";
  #mediaAt: Millis | undefined;
  #frames = 0;
  #transportSequence = 0;
  #channel: number | undefined;
  #gone = false;
  /** When it last asked for a key frame, by SSRC. */
  readonly #asked = new Map<number, number>();
  readonly #missing = new Map<
    string,
    { readonly ssrc: number; readonly sequence: number; tries: number; at: number }
  >();

  constructor(box: WholeBox, name: string, room: string, index: number) {
    this.name = name;
    this.#box = box;
    this.#room = room;
    this.#seed = 5_000 + index;
    this.#random = seededBytes(this.#seed);
    this.path = { socket: 0, address: `10.9.${index >> 8}.${(index & 255) + 2}`, port: 40_000 + index };
    this.#stream = box.xmpp.guest({ room });
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
    this.#memory = { memory, bytes: new Uint8Array(memory.buffer), base: 0 };
    const ssrc = 100_000 + index * 100;
    this.#audio = new AudioGenerator(ssrc);
    this.#video = cameraEncodings(ssrc + 1).map((encoding) => new VideoGenerator(encoding));
    const certificate = testCertificate(this.#seed);
    this.#fingerprint = certificate.fingerprint;
    this.#dtls = new DtlsContext(certificate, PROFILES, TEST_RETRANSMISSION);
    this.#sink = {
      packet: (bytes, header, payload) => this.#sendRtp(bytes, header, payload),
      transportSequence: () => {
        this.#transportSequence = (this.#transportSequence + 1) & 0xffff;
        return this.#transportSequence;
      },
    };
  }

  get nick(): string {
    return this.#stream.jid.slice(0, 8);
  }

  get roomJid(): string {
    return `${this.#room}@${this.#box.domains.muc}`;
  }

  /** Asks the focus for the conference, then enters the room. */
  join(): void {
    const request = `<conference xmlns="${NS.focus}" room="${this.roomJid}" machine-uid="m${this.#seed}"/>`;
    this.#stream.send(`<iq type="set" id="conference" to="${this.#box.domains.focus}">${request}</iq>`);
  }

  say(text: string): void {
    this.#stream.send(`<message type="groupchat" to="${this.roomJid}"><body>${text}</body></message>`);
  }

  /** Leaves as a client does that has time to. */
  leave(): void {
    this.#stream.send(`<presence type="unavailable" to="${this.roomJid}/${this.nick}"/>`);
    this.#end();
  }

  /** Is gone without a word, like a laptop that is closed. */
  vanish(): void {
    this.#stream.drop();
    this.#end();
  }

  #end(): void {
    this.#gone = true;
    this.#mediaAt = undefined;
    this.connected = false;
    if (this.#channel !== undefined) this.#box.closeChannel(this.#channel);
    this.#endTransport();
    this.#dtls.close();
  }

  get gone(): boolean {
    return this.#gone;
  }

  #endTransport(): void {
    this.#transport?.close();
    this.#transport = undefined;
    this.#send?.close();
    this.#receive?.close();
    this.#send = undefined;
    this.#receive = undefined;
  }

  /** Handles what the server has written; true when there was something. */
  read(): boolean {
    const stanzas = this.#stream.all();
    if (this.#gone) return false;
    for (const stanza of stanzas) this.#stanza(stanza);
    return stanzas.length > 0;
  }

  #stanza(stanza: Element): void {
    const type = attr(stanza, "type");
    if (stanza.name === "presence") {
      this.#presence(stanza);
      return;
    }
    if (stanza.name === "message") {
      const body = childText(stanza, "body");
      if (body !== undefined && type === "groupchat") this.chat.push(body);
      return;
    }
    if (type === "error") {
      this.faults.push(stanza.toString());
      return;
    }
    if (type === "result") {
      const conference = child(stanza, "conference", NS.focus);
      if (conference !== undefined) this.#enter(attr(conference, "ready") === "true");
      return;
    }
    const jingle = jingleChild(stanza);
    if (jingle !== undefined) this.#answerJingle(stanza, jingle);
    else if (child(stanza, "query", NS.discoInfo) !== undefined) this.#answerDisco(stanza);
  }

  #enter(ready: boolean): void {
    if (!ready) {
      this.join();
      return;
    }
    const presence =
      `<x xmlns="${NS.muc}"/><nick xmlns="${NS.nick}">${this.name}</nick>` +
      `<SourceInfo>{"${this.nick}-a0":{"muted":false},"${this.nick}-v0":{"muted":false}}</SourceInfo>`;
    this.#stream.send(`<presence to="${this.roomJid}/${this.nick}">${presence}</presence>`);
  }

  #presence(stanza: Element): void {
    const nick = attr(stanza, "from")?.split("/")[1];
    if (nick === undefined) return;
    if (attr(stanza, "type") === "error") {
      this.faults.push(stanza.toString());
      return;
    }
    const user = child(stanza, "x", NS.mucUser);
    const self = user !== undefined && children(user, "status").some((each) => attr(each, "code") === "110");
    if (attr(stanza, "type") === "unavailable") {
      this.occupants.delete(nick);
      this.sources.delete(nick); // a client removes by presence (signaling.md 4.7)
      return;
    }
    if (self) {
      this.joined = true;
      const item = user === undefined ? undefined : child(user, "item");
      this.role = (item && attr(item, "role")) ?? "";
    } else if (nick !== "focus") this.occupants.set(nick, childText(stanza, "nick", NS.nick) ?? "");
  }

  #answerDisco(iq: Element): void {
    const features = [
      "urn:xmpp:jingle:apps:rtp:audio",
      "urn:xmpp:jingle:apps:rtp:video",
      "urn:ietf:rfc:4588",
      "http://jitsi.org/tcc",
      "http://jitsi.org/json-encoded-sources",
      "http://jitsi.org/source-name",
    ];
    this.#answer(
      iq,
      xml(
        "query",
        { xmlns: NS.discoInfo },
        features.map((each) => xml("feature", { var: each })),
      ),
    );
  }

  #answer(iq: Element, ...payload: Element[]): void {
    this.#stream.send(
      xml("iq", { xmlns: NS.client, type: "result", id: attr(iq, "id"), to: attr(iq, "from") }, payload).toString(),
    );
  }

  #answerJingle(iq: Element, element: Element): void {
    this.#answer(iq);
    const jingle = readJingle(element);
    if (isJingleFault(jingle)) {
      this.faults.push(jingle.text);
      return;
    }
    switch (jingle.action) {
      case "session-initiate":
        this.#accept(jingle, attr(iq, "from") ?? "");
        return;
      case "source-add":
        this.#learn(jingle);
        return;
      case "source-remove":
        for (const [owner, removed] of jingle.sources) {
          const gone = new Set(removed.sources.map(({ ssrc }) => ssrc));
          const own = this.sources.get(owner);
          const left = own?.sources.filter(({ ssrc }) => !gone.has(ssrc)) ?? [];
          if (left.length === 0) this.sources.delete(owner);
          else this.sources.set(owner, { sources: left, groups: own?.groups ?? [] });
        }
        return;
      case "session-terminate":
        this.connected = false;
        this.#mediaAt = undefined;
        this.#endTransport();
        this.sources.clear();
        return;
      default:
        return;
    }
  }

  #learn(jingle: Jingle): void {
    for (const [owner, own] of jingle.sources) {
      if (owner === "jvb") continue;
      const known = this.sources.get(owner);
      this.sources.set(owner, {
        sources: [...(known?.sources ?? []), ...own.sources],
        groups: [...(known?.groups ?? []), ...own.groups],
      });
    }
  }

  #accept(offer: Jingle, focus: string): void {
    const remote = offer.contents.find((each) => each.transport !== undefined)?.transport;
    if (remote === undefined) {
      this.faults.push("an offer without transport");
      return;
    }
    this.#endTransport();
    this.sources.clear();
    this.#learn(offer);
    this.#sid = offer.sid;
    const localUfrag = makeUfrag(this.#random);
    const localPwd = makePwd(this.#random);
    this.#transport = new PatientTransport({
      localUfrag,
      localPwd,
      controlling: false,
      sockets: [{ address: this.path.address, family: 4, port: this.path.port }],
      dtls: this.#dtls,
      random: this.#random,
      wake: () => {},
    });
    const own = peerSources(
      this.nick,
      this.#audio.ssrc,
      this.#video.map(({ encoding }) => encoding),
    );
    const sources: EndpointSources = {
      sources: own.flatMap((each) =>
        each.sources.sources.map((source) => ({ ...source, msid: `${each.id}-stream ${each.id}-track` })),
      ),
      groups: own.flatMap((each) => each.sources.groups),
    };
    const transport = {
      ufrag: localUfrag,
      pwd: localPwd,
      rtcpMux: true,
      fingerprints: [{ hash: "sha-256", value: this.#fingerprint, setup: "active" as const }],
      candidates: [],
      webSockets: [],
    };
    const accept = jingleElement({
      action: "session-accept",
      sid: this.#sid,
      initiator: focus,
      responder: this.#stream.jid,
      contents: (["audio", "video"] as const).map((media) => {
        const offered = offer.contents.find((each) => each.media === media);
        return {
          name: media,
          creator: "responder",
          senders: "both",
          media,
          rtcpMux: true,
          transport,
          ...(offered?.description === undefined ? {} : { description: offered.description }),
        };
      }),
      sources: new Map([["", sources]]),
      bundle: ["audio", "video", "data"],
    });
    this.#stream.send(xml("iq", { xmlns: NS.client, type: "set", id: "accept", to: focus }, accept).toString());
    this.#transport.setRemote(this.#box.now, {
      ufrag: remote.ufrag ?? "",
      pwd: remote.pwd ?? "",
      fingerprints: remote.fingerprints,
      candidates: remote.candidates,
    });
    const [url] = remote.webSockets;
    if (url !== undefined) this.#openChannel(new URL(url));
    this.#drain();
  }

  #openChannel(url: URL): void {
    if (this.#channel !== undefined) this.#box.closeChannel(this.#channel);
    this.#channel = this.#box.openChannel(url, (text) => {
      const message = decodeBridgeMessage(text);
      if (message?.colibriClass === "ForwardedSources") this.forwarded = message.forwardedSources;
    });
    this.#box.channelText(
      this.#channel,
      '{"colibriClass":"ReceiverVideoConstraints","lastN":-1,"defaultConstraints":{"maxHeight":180},"constraints":{}}',
    );
  }

  // --- media

  nextDeadline() {
    const transport = this.#transport?.nextDeadline();
    const media = this.#mediaAt === undefined ? undefined : { at: this.#mediaAt, why: `${this.name} media` };
    if (transport === undefined || media === undefined) return transport ?? media;
    return transport.at < media.at ? transport : media;
  }

  handleTimeout(now: Millis): void {
    const deadline = this.#transport?.nextDeadline();
    if (deadline !== undefined && deadline.at <= now) {
      this.#transport?.handleTimeout(now);
      this.#drain();
    }
    if (this.#mediaAt === undefined || this.#mediaAt > now) return;
    this.#mediaAt = later(this.#mediaAt, MEDIA_MS);
    this.#audio.send(this.speaking ? 60 : 0, this.#sink);
    this.#frames += 0.3; // 15 frames a second, one encoding: what is held here does not hang on the picture's size
    if (this.#frames >= 1) {
      this.#frames -= 1;
      this.#video[0]?.frameDue(this.#sink);
    }
    this.#askAgain(now);
  }

  receive(now: Millis, bytes: Uint8Array): void {
    const kind = classifyDatagram(bytes);
    if (kind === "stun" || kind === "dtls") {
      this.#transport?.handleDatagram(now, this.#box.mediaPath, bytes);
      this.#drain();
      return;
    }
    if (this.#receive === undefined) return;
    this.#memory.bytes.set(bytes);
    if (kind === "rtp") this.#rtp(now, bytes.length);
    else if (kind === "rtcp") this.#rtcp(bytes.length);
  }

  #rtp(now: Millis, length: number): void {
    const { bytes } = this.#memory;
    const packet = this.#packet;
    if (!parseHeader(bytes, 0, length, packet)) return;
    const plain = this.#receive?.unprotectRtp(0, packet.headerLength, length) ?? -1;
    if (plain < 0 || !parsePadding(bytes, plain, packet) || packet.payloadLength === 0) return;
    let { ssrc } = packet;
    if (packet.payloadType === RTX) {
      ssrc = this.#ownerOfRtx(ssrc) ?? ssrc;
      packet.sequence = ((bytes[packet.payloadOffset] ?? 0) << 8) | (bytes[packet.payloadOffset + 1] ?? 0);
      packet.payloadOffset += 2;
      packet.payloadLength -= 2;
      const stream = this.#stream_(ssrc);
      packet.payloadType = VP8; // the first packet of a stream may itself come as a repeat
      stream.recovered++;
    }
    const missing: number[] = [];
    this.#stream_(ssrc).take(bytes, packet, now, missing);
    this.#missing.delete(`${ssrc} ${packet.sequence}`);
    const video = [...this.sources.values()].some(({ groups }) => groups.some(({ ssrcs }) => ssrcs[0] === ssrc));
    if (video)
      for (const sequence of missing) this.#missing.set(`${ssrc} ${sequence}`, { ssrc, sequence, tries: 0, at: 0 });
  }

  /** From the FID groups that were signalled. */
  #ownerOfRtx(rtx: number): number | undefined {
    for (const { groups } of this.sources.values())
      for (const { semantics, ssrcs } of groups) if (semantics === "FID" && ssrcs[1] === rtx) return ssrcs[0];
    return undefined;
  }

  #stream_(ssrc: number): Reception {
    const known = this.received.get(ssrc);
    if (known !== undefined) return known;
    const fresh = new Reception();
    this.received.set(ssrc, fresh);
    return fresh;
  }

  #rtcp(length: number): void {
    const plain = this.#receive?.unprotectRtcp(0, length) ?? -1;
    if (plain < 0) return;
    const bytes = this.#memory.bytes.slice(0, plain);
    const cursor = this.#cursor;
    cursor.begin(bytes, 0, plain);
    while (cursor.next()) {
      const media = nackMediaSsrc(bytes, cursor.offset);
      const generator = this.#video.find(({ encoding }) => encoding.ssrc === media);
      if (generator === undefined) continue;
      if (cursor.type === RtcpType.payloadFeedback && cursor.count === FeedbackFormat.pictureLoss)
        generator.requestKeyFrame();
      if (cursor.type !== RtcpType.transportFeedback || cursor.count !== FeedbackFormat.nack) continue;
      for (let entry = 0; entry < nackEntryCount(cursor.length); entry++) {
        const pid = nackPid(bytes, cursor.offset, entry);
        const mask = nackBitmask(bytes, cursor.offset, entry);
        generator.resend(pid, this.#sink);
        for (let bit = 0; bit < 16; bit++)
          if ((mask & (1 << bit)) !== 0) generator.resend((pid + bit + 1) & 0xffff, this.#sink);
      }
    }
  }

  #askAgain(now: Millis): void {
    // A decoder that has nothing to begin with says so, as browsers do.
    for (const [ssrc, { frames, keyFrames }] of this.received) {
      if (frames === 0 || keyFrames > 0 || now - (this.#asked.get(ssrc) ?? 0) < PLI_MS) continue;
      this.#asked.set(ssrc, now);
      const bytes = new Uint8Array(16);
      const length = writePli(bytes, 0, this.#audio.ssrc, ssrc);
      this.#memory.bytes.set(bytes.subarray(0, length));
      this.#transmit(this.#send?.protectRtcp(0, length) ?? -1);
    }
    const due = new Map<number, number[]>();
    for (const [key, entry] of this.#missing) {
      if (entry.tries >= MAX_NACKS) this.#missing.delete(key);
      else if (now - entry.at >= NACK_MS) {
        entry.tries++;
        entry.at = now;
        due.set(entry.ssrc, [...(due.get(entry.ssrc) ?? []), entry.sequence]);
      }
    }
    for (const [ssrc, sequences] of due) {
      const bytes = new Uint8Array(1_400);
      const length = writeNack(bytes, 0, 1_200, this.#audio.ssrc, ssrc, Uint16Array.from(sequences), sequences.length);
      this.#memory.bytes.set(bytes.subarray(0, length));
      this.#transmit(this.#send?.protectRtcp(0, length) ?? -1);
    }
  }

  #sendRtp(bytes: Uint8Array, headerBytes: number, payloadBytes: number): void {
    this.#memory.bytes.set(bytes.subarray(0, headerBytes + payloadBytes));
    this.#transmit(this.#send?.protectRtp(0, headerBytes, headerBytes, payloadBytes) ?? -1);
  }

  #transmit(length: number): void {
    if (length > 0 && this.#selected !== undefined) this.#box.toLoop(this, this.#memory.bytes.slice(0, length));
  }

  #drain(): void {
    for (let action = this.#transport?.poll(); action !== undefined; action = this.#transport?.poll()) {
      if (action.type === "send") this.#box.toLoop(this, action.bytes);
      else if (action.type === "select-path") this.#selected = action.path;
      else if (action.type === "srtp-keys") {
        const provider = nodeProvider(this.#memory);
        this.#send = createSrtpContext(provider, this.#memory, action.profile, action.send, "send");
        this.#receive = createSrtpContext(provider, this.#memory, action.profile, action.receive, "receive");
      } else if (action.type === "connected") {
        this.connected = true;
        this.#mediaAt ??= this.#box.now;
      } else if (action.type === "failed") this.faults.push(`transport: ${action.reason}`);
    }
  }
}
