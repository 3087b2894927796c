/**
 * Tests only: a participant in virtual time: XMPP against the server's core, Jingle with the focus, ICE, DTLS and SRTP over the simulated network. What
 * it knows of the others it has from the wire alone. It comes back as the meeting page does: a lost stream is made anew, a refused request is asked
 * again, lost media is restarted, and a session goes on until another is offered.
 */
import type { Path, SrtpProfile } from "../../appliance/bridge/media-commands.ts";
import { classifyDatagram } from "../../appliance/bridge/transport/demux.ts";
import { DtlsContext } from "../../appliance/bridge/transport/dtls.ts";
import { makePwd, makeUfrag } from "../../appliance/bridge/transport/ice.ts";
import type { Transport } from "../../appliance/bridge/transport/transport.ts";
import { TEST_RETRANSMISSION, testCertificate } from "../../appliance/bridge/transport/transport-pair.ts";
import { type Deadline, soonest } from "../../appliance/deadlines.ts";
import { type SimulatedNode, seededBytes, seededRandom } from "../../appliance/simulated-network.ts";
import { later, type Millis } from "../../appliance/time.ts";
import { decodeBridgeMessage } from "../../appliance/wire/channel-messages.ts";
import { isJingleFault, type Jingle, jingleChild, jingleElement, readJingle } from "../../appliance/wire/jingle.ts";
import { NS } from "../../appliance/wire/namespaces.ts";
import type { EndpointSources } from "../../appliance/wire/sources.ts";
import { errorReply } from "../../appliance/wire/stanza.ts";
import { attr, child, children, childText, type Element, xml } from "../../appliance/wire/xml.ts";
import { MediaWatch } from "../../ui/session/media-watch.ts";
import { Reconnecting } from "../../ui/session/reconnecting.ts";
import type { Reception } from "../media-peer-media.ts";
import type { Participant } from "../xmpp-dialogue.ts";
import { PatientTransport } from "./patient-transport.ts";
import { SimulatedMedia } from "./simulated-media.ts";
import type { WholeBox } from "./whole-box.ts";

const MEDIA_MS = 20;
const PROFILES: readonly SrtpProfile[] = ["AEAD_AES_128_GCM", "AES128_CM_HMAC_SHA1_80"];
/** As the page's: conference requests are given up after so long. */
const REQUEST_MS = 15_000;
const ROOM_TRIES = 3;

export class SimulatedClient implements SimulatedNode {
  readonly name: string;
  readonly path: Path;
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
  readonly #box: WholeBox;
  readonly #room: string;
  readonly #number: number;
  readonly #random: (count: number) => Uint8Array;
  readonly #chance: () => number;
  readonly #dtls: DtlsContext;
  readonly #fingerprint: string;
  readonly #watch = new MediaWatch(false);
  readonly #reconnecting = new Reconnecting({ websocket: true, bosh: false });
  #stream: Participant | undefined;
  #transport: Transport | undefined;
  #media: SimulatedMedia | undefined;
  #sessions = 0;
  #selected: Path | undefined;
  #sid = "";
  #bridgeSession: string | undefined;
  #mediaAt: Millis | undefined;
  #channel: number | undefined;
  #channelUrl: URL | undefined;
  #channelFailures = 0;
  #gone = false;
  /** Rises with every attempt to enter, so that what belongs to an abandoned one is ignored. */
  #entry = 0;
  #focusThere = false;
  #wait = 1_000;
  #roomTries = ROOM_TRIES;

  constructor(box: WholeBox, name: string, room: string, index: number) {
    this.name = name;
    this.#box = box;
    this.#room = room;
    this.#number = index;
    const seed = 5_000 + index;
    this.#random = seededBytes(seed);
    this.#chance = seededRandom(seed);
    this.path = { socket: 0, address: `10.9.${index >> 8}.${(index & 255) + 2}`, port: 40_000 + index };
    const certificate = testCertificate(seed);
    this.#fingerprint = certificate.fingerprint;
    this.#dtls = new DtlsContext(certificate, PROFILES, TEST_RETRANSMISSION);
  }

  get nick(): string {
    return this.#stream?.jid.slice(0, 8) ?? "";
  }

  get roomJid(): string {
    return `${this.#room}@${this.#box.domains.muc}`;
  }

  /** What came in the present session, by SSRC. */
  get received(): ReadonlyMap<number, Reception> {
    return this.#media?.received ?? new Map();
  }

  get gone(): boolean {
    return this.#gone;
  }

  // --- the stream

  /** Logs in, asks the focus for the conference, then enters the room. */
  join(): void {
    const stream = this.#box.login({ room: this.#room });
    if (stream === undefined) {
      this.#tryLater();
      return;
    }
    this.#stream = stream;
    this.#reconnecting.connected();
    this.occupants.clear();
    this.joined = false;
    this.#enter();
  }

  /** The server is gone. */
  streamLost(): void {
    if (this.#stream === undefined || this.#gone) return;
    this.#stream = undefined;
    this.joined = false;
    this.#entry++;
    this.#tryLater();
  }

  #tryLater(): void {
    const { at } = this.#reconnecting.lost(this.#box.now);
    this.#box.after(at - this.#box.now, () => {
      if (!this.#gone) this.join();
    });
  }

  /** Asks the focus to come, and joins when it has. */
  #enter(tries = ROOM_TRIES): void {
    this.#entry++;
    this.#wait = 1_000;
    this.#roomTries = tries;
    this.#ask();
  }

  #ask(): void {
    const entry = this.#entry;
    const id = `conference-${entry}-${this.#wait}`;
    const request = `<conference xmlns="${NS.focus}" room="${this.roomJid}" machine-uid="m${this.#number}"/>`;
    this.#stream?.send(`<iq type="set" id="${id}" to="${this.#box.domains.focus}">${request}</iq>`);
    const waited = this.#wait;
    this.#box.after(REQUEST_MS, () => {
      if (this.#entry === entry && this.#waiting && this.#wait === waited) this.#askAgain(entry);
    });
  }

  #askAgain(entry: number): void {
    const wait = this.#wait;
    this.#wait = Math.min(wait * 2, 16_000);
    this.#box.after(wait, () => {
      if (this.#entry === entry && !this.#gone && this.#waiting) this.#ask();
    });
  }

  /** For the focus: to get in, or because it has left. */
  get #waiting(): boolean {
    return !this.joined || !this.#focusThere;
  }

  say(text: string): void {
    this.#stream?.send(`<message type="groupchat" to="${this.roomJid}"><body>${text}</body></message>`);
  }

  /** Leaves as a client does that has time to. */
  leave(): void {
    this.#stream?.send(`<presence type="unavailable" to="${this.roomJid}/${this.nick}"/>`);
    this.#end();
  }

  /** Is gone without a word, like a laptop that is closed. */
  vanish(): void {
    this.#stream?.drop();
    this.#end();
  }

  #end(): void {
    this.#gone = true;
    this.#closeChannel();
    this.#endSession();
    this.#dtls.close();
  }

  /** Handles what the server has written; true when there was something. */
  read(): boolean {
    const stream = this.#stream;
    const stanzas = stream?.all() ?? [];
    for (const stanza of stanzas) if (!this.#gone && this.#stream === stream) this.#stanza(stanza);
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
    const id = attr(stanza, "id") ?? "";
    if (type === "error" || type === "result") {
      if (id.startsWith("conference-")) {
        if (id !== `conference-${this.#entry}-${this.#wait}` || !this.#waiting) return;
        const conference = child(stanza, "conference", NS.focus);
        if (conference !== undefined && attr(conference, "ready") === "true") {
          if (!this.joined) this.#sendJoin();
        } else this.#askAgain(this.#entry);
      } else if (type === "error") {
        if (id !== `accept-${this.#sid}` && id !== `restart-${this.#sid}`) return; // of a session that is over
        this.faults.push(stanza.toString());
        this.#watch.failed(this.#box.now);
      }
      return;
    }
    const jingle = jingleChild(stanza);
    if (jingle !== undefined) this.#answerJingle(stanza, jingle);
    else if (child(stanza, "query", NS.discoInfo) !== undefined) this.#answerDisco(stanza);
  }

  #sendJoin(): void {
    const presence =
      `<x xmlns="${NS.muc}"/><nick xmlns="${NS.nick}">${this.name}</nick>` +
      `<SourceInfo>{"${this.nick}-a0":{"muted":false},"${this.nick}-v0":{"muted":false}}</SourceInfo>`;
    this.#stream?.send(`<presence to="${this.roomJid}/${this.nick}">${presence}</presence>`);
  }

  #presence(stanza: Element): void {
    const nick = attr(stanza, "from")?.split("/")[1];
    if (nick === undefined) return;
    if (attr(stanza, "type") === "error") {
      const tries = this.#roomTries - 1;
      if (tries < 0) this.faults.push(stanza.toString());
      else
        this.#box.after(500 + this.#chance() * 2_500, () => {
          if (!this.#gone && !this.joined && this.#stream !== undefined) this.#enter(tries);
        });
      return;
    }
    const user = child(stanza, "x", NS.mucUser);
    if (nick === "focus") {
      this.#focusThere = attr(stanza, "type") === undefined;
      if (!this.#focusThere && this.joined) this.#enter();
      return;
    }
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
    } else this.occupants.set(nick, childText(stanza, "nick", NS.nick) ?? "");
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
    this.#stream?.send(
      xml("iq", { xmlns: NS.client, type: "result", id: attr(iq, "id"), to: attr(iq, "from") }, payload).toString(),
    );
  }

  // --- the session

  #answerJingle(iq: Element, element: Element): void {
    const jingle = readJingle(element);
    if (isJingleFault(jingle)) {
      this.faults.push(jingle.text);
      return;
    }
    if (jingle.action === "session-initiate") {
      this.#answer(iq);
      this.#accept(jingle, attr(iq, "from") ?? "");
      return;
    }
    if (jingle.sid !== this.#sid) {
      const unknown = xml("unknown-session", { xmlns: NS.jingleErrors });
      this.#stream?.send(errorReply(iq, { condition: "item-not-found", extra: [unknown] }).toString());
      return;
    }
    this.#answer(iq);
    switch (jingle.action) {
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
        this.#closeChannel();
        this.#endSession();
        this.#watch.ended();
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

  #endSession(): void {
    this.connected = false;
    this.#mediaAt = undefined;
    this.#sid = "";
    this.#transport?.close();
    this.#transport = undefined;
    this.#selected = undefined;
    this.#media?.close();
    this.#media = undefined;
    this.sources.clear();
  }

  #accept(offer: Jingle, focus: string): void {
    const remote = offer.contents.find((each) => each.transport !== undefined)?.transport;
    if (remote === undefined) {
      this.faults.push("an offer without transport");
      return;
    }
    this.#closeChannel();
    this.#endSession();
    this.#watch.renewed();
    this.#learn(offer);
    this.#sid = offer.sid;
    this.#bridgeSession = offer.bridgeSession?.id;
    const firstSsrc = 100_000 + this.#number * 10_000 + ++this.#sessions * 10;
    const media = new SimulatedMedia(firstSsrc, this.sources, (bytes) => {
      if (this.#selected !== undefined) this.#box.toLoop(this, bytes);
    });
    this.#media = media;
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
      responder: this.#stream?.jid ?? "",
      contents: (["audio", "video"] as const).map((kind) => {
        const offered = offer.contents.find((each) => each.media === kind);
        return {
          name: kind,
          creator: "responder",
          senders: "both",
          media: kind,
          rtcpMux: true,
          transport,
          ...(offered?.description === undefined ? {} : { description: offered.description }),
        };
      }),
      sources: new Map([["", media.sources(this.nick)]]),
      bundle: ["audio", "video", "data"],
    });
    this.#sendJingle(`accept-${this.#sid}`, accept);
    this.#transport.setRemote(this.#box.now, {
      ufrag: remote.ufrag ?? "",
      pwd: remote.pwd ?? "",
      fingerprints: remote.fingerprints,
      candidates: remote.candidates,
    });
    const [url] = remote.webSockets;
    if (url !== undefined) {
      this.#channelUrl = new URL(url);
      this.#channelFailures = 0;
      this.#openChannel(this.#sid);
    }
    this.#drain();
  }

  #sendJingle(id: string, jingle: Element): void {
    const to = `${this.roomJid}/focus`;
    this.#stream?.send(xml("iq", { xmlns: NS.client, type: "set", id, to }, jingle).toString());
  }

  #mend(): void {
    if (this.#stream === undefined || !this.joined) return; // first the stream, then the media
    const action = this.#watch.due(this.#box.now);
    if (action === "rejoin") {
      this.#stream.send(`<presence type="unavailable" to="${this.roomJid}/${this.nick}"/>`);
      this.joined = false;
      this.occupants.clear();
      this.#enter();
    }
    if (action !== "restart" || this.#sid === "") return;
    const terminate = jingleElement({
      action: "session-terminate",
      sid: this.#sid,
      contents: [],
      sources: new Map(),
      reason: { condition: "connectivity-error", text: "ICE FAILED" },
      bridgeSession: { ...(this.#bridgeSession === undefined ? {} : { id: this.#bridgeSession }), restart: true },
    });
    this.#sendJingle(`restart-${this.#sid}`, terminate);
  }

  // --- the bridge channel

  #closeChannel(): void {
    if (this.#channel !== undefined) this.#box.closeChannel(this.#channel);
    this.#channel = undefined;
    this.#channelUrl = undefined;
  }

  /** The channel broke, by no wish of ours. */
  channelLost(channel: number): void {
    if (this.#channel !== channel) return;
    this.#channel = undefined;
    this.#openChannelLater(this.#sid);
  }

  #openChannelLater(sid: string): void {
    this.#box.after(Math.min(1_000 * 2 ** this.#channelFailures++, 60_000), () => this.#openChannel(sid));
  }

  #openChannel(sid: string): void {
    const url = this.#channelUrl;
    if (this.#gone || this.#sid !== sid || url === undefined) return;
    const channel = this.#box.openChannel(this, url, (text) => {
      const message = decodeBridgeMessage(text);
      if (message?.colibriClass === "ForwardedSources") this.forwarded = message.forwardedSources;
    });
    if (channel === undefined) {
      this.#openChannelLater(sid);
      return;
    }
    this.#channel = channel;
    this.#channelFailures = 0;
    this.#box.channelText(
      channel,
      '{"colibriClass":"ReceiverVideoConstraints","lastN":-1,"defaultConstraints":{"maxHeight":180},"constraints":{}}',
    );
  }

  // --- media

  nextDeadline(): Deadline | undefined {
    const watch = this.#stream === undefined || !this.joined ? undefined : this.#watch.nextDeadline();
    return soonest(
      this.#transport?.nextDeadline(),
      this.#mediaAt === undefined ? undefined : { at: this.#mediaAt, why: `${this.name} media` },
      watch === undefined ? undefined : { at: watch, why: `${this.name} mends` },
    );
  }

  handleTimeout(now: Millis): void {
    const watch = this.#watch.nextDeadline();
    if (watch !== undefined && watch <= now) this.#mend();
    const deadline = this.#transport?.nextDeadline();
    if (deadline !== undefined && deadline.at <= now) {
      this.#transport?.handleTimeout(now);
      this.#drain();
    }
    if (this.#mediaAt === undefined || this.#mediaAt > now) return;
    this.#mediaAt = later(this.#mediaAt, MEDIA_MS);
    this.#media?.tick(now);
  }

  receive(now: Millis, bytes: Uint8Array): void {
    const kind = classifyDatagram(bytes);
    if (kind === "rtp" || kind === "rtcp") {
      this.#media?.receive(now, kind, bytes);
      return;
    }
    this.#transport?.handleDatagram(now, this.#box.mediaPath, bytes);
    this.#drain();
  }

  #drain(): void {
    for (let action = this.#transport?.poll(); action !== undefined; action = this.#transport?.poll()) {
      if (action.type === "send") this.#box.toLoop(this, action.bytes);
      else if (action.type === "select-path") this.#selected = action.path;
      else if (action.type === "srtp-keys") this.#media?.keys(action.profile, action.send, action.receive);
      else if (action.type === "connected") {
        this.connected = true;
        this.#mediaAt ??= this.#box.now;
        this.#watch.connected();
      } else if (action.type === "failed") {
        this.faults.push(`transport: ${action.reason}`);
        this.connected = false;
        this.#watch.failed(this.#box.now);
      }
    }
  }
}
