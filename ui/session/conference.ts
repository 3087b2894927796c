/**
 * Shell: a visit to a meeting, from the first stanza to the last: the stream, the request to the focus, the room, its lobby, the media. What
 * happens comes out as SessionEvents; what people do goes in through the methods.
 */
import { type Jingle, jingleElement } from "../../appliance/wire/jingle.ts";
import { NS } from "../../appliance/wire/namespaces.ts";
import { attr, child, type Element, text, xml } from "../../appliance/wire/xml.ts";
import { featuresHash, receivableCodecs } from "./abilities.ts";
import { componentNews } from "./component-news.ts";
import { speakerMessage } from "./components.ts";
import { ConferenceMedia } from "./conference-media.ts";
import { type Components, readComponents, readIceServers } from "./conference-request.ts";
import { type ConnectionEvent, XmppConnection } from "./connection.ts";
import { FocusRequest } from "./focus-request.ts";
import { IncomingRequests } from "./incoming-requests.ts";
import { Lobby } from "./lobby.ts";
import {
  endpointId,
  joinPresence,
  leavePresence,
  type OwnPresence,
  presenceChildren,
  updatePresence,
} from "./own-presence.ts";
import { sourceNames } from "./own-sources.ts";
import { Room, type RoomEvent, readJson, type SourceInfo } from "./room.ts";
import { RoomRequests } from "./room-requests.ts";
import { readRoomInfo } from "./room-settings.ts";
import type { SessionEvent } from "./session-events.ts";
import type { ClientSettings } from "./settings.ts";

export interface JoinOptions {
  readonly name: string;
  readonly password: string | undefined;
  readonly companion: boolean;
  /** Lasting id of this browser, 32 hex digits. */
  readonly machine: string;
}

export interface OwnState {
  readonly microphoneMuted: boolean;
  readonly cameraMuted: boolean;
  readonly sharing: boolean;
}

const DEFAULT_ROOM_TRIES = 3;

export class Conference {
  readonly #settings: ClientSettings;
  readonly #emit: (event: SessionEvent) => void;
  readonly #connection: XmppConnection;
  readonly #media: ConferenceMedia;
  readonly #lobby: Lobby;
  readonly #focus: FocusRequest;
  readonly requests: RoomRequests;
  #options: JoinOptions = { name: "", password: undefined, companion: false, machine: "" };
  #own: OwnState = { microphoneMuted: true, cameraMuted: true, sharing: false };
  #handAt: number | undefined;
  #room: Room | undefined;
  #roomJid: string;
  #endpoint = "";
  #focusUser: string | undefined;
  #components: Components = {};
  /** base64 SHA-1 of our features, by transport. */
  readonly #capsVers = new Map<string, string>();
  #codecs: readonly string[] = ["vp8"];
  /** Rises with every attempt to enter, so that a late answer of an abandoned one is ignored. */
  #entry = 0;
  #entered = false;
  #left = false;

  constructor(settings: ClientSettings, emit: (event: SessionEvent) => void) {
    this.#settings = settings;
    this.#emit = emit;
    this.#roomJid = `${settings.room ?? ""}@${settings.muc}`;
    this.#connection = new XmppConnection(
      settings,
      (event) => this.#connectionEvent(event),
      (request) => incoming.answer(request),
    );
    this.#media = new ConferenceMedia({
      settings,
      emit,
      send: (jingle) => this.#sendJingle(jingle),
      rejoin: () => void this.#enter(),
      reachable: () => this.#connection.established,
      socketless: () => this.#connection.transport === "bosh",
    });
    const incoming = new IncomingRequests({
      media: this.#media,
      emit,
      afterReply: (work) => queueMicrotask(work),
      request: (to, payload) => void this.#connection.request("set", to, payload),
      transport: () => this.#connection.transport,
      capsVer: () => this.#capsVer,
      focusAddress: () => this.#room?.focusAddress,
      endpoint: () => this.#endpoint,
      ownAddress: () => this.#connection.jid,
    });
    this.#focus = new FocusRequest({
      settings,
      connection: this.#connection,
      fault: (fault) => emit({ kind: "fault", fault }),
      fetch: (url, init) => fetch(url, init),
      page: () => location.href,
    });
    this.#lobby = new Lobby({
      connection: this.#connection,
      emit,
      admitted: () => void this.#enter(),
      capsVer: () => this.#capsVer,
    });
    this.requests = new RoomRequests({
      connection: this.#connection,
      emit,
      room: () => this.#room,
      components: () => this.#components,
    });
  }

  get media(): ConferenceMedia {
    return this.#media;
  }

  get lobby(): Lobby {
    return this.#lobby;
  }

  get endpoint(): string {
    return this.#endpoint;
  }

  get #capsVer(): string {
    return this.#capsVers.get(this.#connection.transport) ?? "";
  }

  get connection(): XmppConnection {
    return this.#connection;
  }

  async join(options: JoinOptions, own: OwnState): Promise<void> {
    this.#options = options;
    this.#own = own;
    this.#left = false;
    this.#codecs = receivableCodecs();
    for (const transport of ["websocket", "bosh"]) this.#capsVers.set(transport, await featuresHash(transport));
    this.#connection.connect();
  }

  /** After a refusal for the password, or when the host asks for a name. */
  retry(change: { readonly password?: string; readonly name?: string }): void {
    this.#options = { ...this.#options, ...change };
    if (this.#connection.established) void this.#enter();
  }

  /** For a domain that wants accounts. */
  login(user: string, password: string): void {
    this.#connection.connect({ user, password });
  }

  #connectionEvent(event: ConnectionEvent): void {
    switch (event.kind) {
      case "connected":
        if (event.resumed) {
          this.#emit({ kind: "stream", state: "resumed" });
          return;
        }
        this.#emit({ kind: "stream", state: this.#entered ? "new-session" : "connected" });
        // What the old session was in, it is no longer in: nothing there is to be left or said.
        this.#room = undefined;
        this.#lobby.forget();
        this.#endpoint = endpointId(event.jid, Math.random);
        this.#discover();
        void this.#enter();
        return;
      case "lost":
        this.#emit({ kind: "stream", state: "lost" });
        return;
      case "unreachable":
        if (event.attempts >= 2) this.#emit({ kind: "fault", fault: { kind: "unreachable" } });
        return;
      case "refused":
        if (event.reason === "conflict")
          this.#emit({ kind: "ended", reason: "conflict", actor: undefined, text: undefined });
        else
          this.#emit({
            kind: "fault",
            fault:
              event.reason === "token"
                ? { kind: "token", text: event.text }
                : { kind: this.#settings.loginUrl === undefined ? "credentials" : "login-elsewhere" },
          });
        return;
      case "stanza":
        this.#stanza(event.stanza);
        return;
    }
  }

  #discover(): void {
    const { domain } = this.#settings;
    void this.#connection.request("get", domain, xml("query", { xmlns: NS.discoInfo }), 5000).then((answer) => {
      if (answer.kind !== "result") return;
      this.#components = readComponents(answer.stanza);
      this.#emit({ kind: "components", components: this.#components });
    });
    void this.#connection.request("get", domain, xml("services", { xmlns: NS.extdisco2 }), 5000).then((answer) => {
      if (answer.kind === "result") this.#media.setIceServers(readIceServers(answer.stanza));
    });
  }

  /** Asks the focus, then joins the room. */
  async #enter(tries = DEFAULT_ROOM_TRIES): Promise<void> {
    this.#entry += 1;
    const entry = this.#entry;
    const current = (): boolean => this.#entry === entry && !this.#left;
    const before = this.#room;
    if (before?.joined === true && before.address === this.#roomJid && this.#connection.established) {
      // Same stream, same room (a rejoin for the media's sake): the room must see us go first.
      this.#connection.send(leavePresence(`${before.address}/${before.self}`));
    }
    for (let wait = 1; current(); wait = Math.min(wait * 2, 16)) {
      const answer = await this.#focus.ask(this.#roomJid, this.#options.machine);
      if (!current()) return;
      if (answer === "stop") return;
      if (answer !== "full" && answer?.ready === true) {
        this.#focusUser = answer.focusUser ?? this.#settings.focusUser;
        break;
      }
      this.#emit({ kind: "waiting-for-focus", full: answer === "full" });
      await delay(wait * 1000);
    }
    if (!current()) return;
    const room = new Room({
      room: this.#roomJid,
      nick: this.#endpoint,
      focusUser: this.#focusUser,
      hiddenDomain: this.#settings.hiddenDomain,
    });
    this.#room = room;
    this.#tries = tries;
    this.#connection.send(
      joinPresence(`${room.address}/${room.self}`, presenceChildren(this.#presence()), this.#options.password),
    );
  }

  /** The focus is gone from the room (it died, or moved): whoever serves now is asked to come, as when joining. Media goes on meanwhile. */
  async #recallFocus(room: Room): Promise<void> {
    const missing = (): boolean => this.#room === room && room.joined && !room.focusThere && !this.#left;
    for (let wait = 1; missing() && this.#connection.established; wait = Math.min(wait * 2, 16)) {
      const answer = await this.#focus.ask(this.#roomJid, this.#options.machine);
      if (answer === "stop" || (answer !== "full" && answer?.ready === true)) return;
      await delay(wait * 1000);
    }
  }

  #tries = DEFAULT_ROOM_TRIES;

  #presence(): OwnPresence {
    const names = sourceNames(this.#endpoint);
    const sources = new Map<string, SourceInfo>();
    if (!this.#options.companion) {
      sources.set(names.microphone, { muted: this.#own.microphoneMuted, videoType: "camera" });
      sources.set(names.camera, { muted: this.#own.cameraMuted, videoType: "camera" });
    }
    if (this.#own.sharing) sources.set(names.screen, { muted: false, videoType: "desktop" });
    return {
      name: this.#options.name,
      sources,
      handAt: this.#handAt,
      companion: this.#options.companion,
      codecs: this.#codecs,
      capsVer: this.#capsVer,
      statsId: "parley",
    };
  }

  #sayPresence(): void {
    const room = this.#room;
    if (room?.joined === true)
      this.#connection.send(updatePresence(`${room.address}/${room.self}`, presenceChildren(this.#presence())));
  }

  setOwn(own: OwnState): void {
    this.#own = own;
    this.#sayPresence();
  }

  setName(name: string): void {
    this.#options = { ...this.#options, name };
    this.#sayPresence();
  }

  setCompanion(companion: boolean): void {
    this.#options = { ...this.#options, companion };
    this.#sayPresence();
  }

  setHand(handAt: number | undefined): void {
    this.#handAt = handAt;
    this.#sayPresence();
  }

  sendChat(id: string, body: string, to: string | undefined): void {
    const room = this.#room;
    if (room === undefined) return;
    this.#connection.send(
      xml(
        "message",
        {
          xmlns: NS.client,
          id,
          to: to === undefined ? room.address : `${room.address}/${to}`,
          type: to === undefined ? "groupchat" : "chat",
        },
        xml("body", {}, body),
      ),
    );
  }

  #stanza(stanza: Element): void {
    if (this.#lobby.handle(stanza)) return;
    const from = attr(stanza, "from") ?? "";
    if (stanza.getName() === "message" && Object.values(this.#components).includes(from)) {
      this.#componentMessage(stanza);
      return;
    }
    const room = this.#room;
    if (room === undefined) return;
    if (stanza.getName() === "message" && from === room.address) {
      const user = child(stanza, "x", NS.mucUser);
      if (user !== undefined && child(user, "invite") !== undefined && !room.joined) {
        this.#lobby.leave();
        void this.#enter();
        return;
      }
    }
    for (const event of room.handle(stanza)) this.#roomEvent(event, room);
  }

  #roomEvent(event: RoomEvent, room: Room): void {
    switch (event.kind) {
      case "joined": {
        const again = this.#entered;
        this.#entered = true;
        this.#lobby.joined(room.address);
        this.#emit({ kind: "joined", self: event.self, room: room.address, again });
        for (const occupant of room.occupants)
          if (occupant.endpoint !== room.self) this.#emit({ kind: "occupant", occupant, isNew: true });
        this.#sayPresence();
        this.#refreshInfo();
        return;
      }
      case "self":
        this.#emit(event);
        this.#lobby.moderating(event.self.role === "moderator", this.#options.name);
        return;
      case "occupant":
        if (room.joined) this.#emit(event);
        return;
      case "left":
        this.#media.removeOwner(event.endpoint);
        this.#emit(event);
        return;
      case "refused":
        this.#refused(event.refusal);
        return;
      case "removed":
        this.#finish(event.reason, event.actor, event.text);
        return;
      case "destroyed":
        // A group that is taken away names the room to go back to (signaling.md 3.8).
        if (event.alternate === undefined || event.alternate === room.address)
          this.#finish("ended", undefined, event.text);
        else this.#goOn(event.alternate);
        return;
      case "focus":
        this.#emit({ kind: "focus", ...event.focus });
        return;
      case "json":
        this.#json(event.payload, event.from);
        return;
      case "configuration-changed":
        this.#refreshInfo();
        return;
      case "self-left":
        return;
      case "focus-left":
        this.#emit(event);
        void this.#recallFocus(room);
        return;
      default:
        this.#emit(event);
    }
  }

  #refused(refusal: Extract<RoomEvent, { kind: "refused" }>["refusal"]): void {
    if (refusal.kind === "members-only" && refusal.lobby !== undefined) {
      this.#lobby.knock(refusal.lobby, this.#options.name, refusal.waitingForHost);
      return;
    }
    if (refusal.kind === "not-there-yet" && this.#tries > 0) {
      const tries = this.#tries - 1;
      void delay(500 + Math.random() * 2500).then(() => this.#enter(tries));
      return;
    }
    this.#emit({ kind: "fault", fault: { kind: "refused", refusal } });
  }

  #finish(
    reason: "kicked" | "banned" | "replaced" | "ended",
    actor: string | undefined,
    why: string | undefined,
  ): void {
    const actorName = actor === undefined ? undefined : (this.#room?.occupant(actor)?.name ?? actor);
    this.#end(false);
    this.#emit({ kind: "ended", reason, actor: actorName, text: why });
  }

  #refreshInfo(): void {
    const room = this.#room;
    if (room === undefined) return;
    void this.#connection.request("get", room.address, xml("query", { xmlns: NS.discoInfo })).then((answer) => {
      if (answer.kind !== "result" || this.#room !== room) return;
      const info = readRoomInfo(answer.stanza);
      if (info === undefined) return;
      this.#emit({ kind: "room-info", info });
      const self = room.occupant(room.self);
      this.#lobby.known(info.membersOnly ? info.lobby : undefined, self?.role === "moderator", this.#options.name);
    });
  }

  #componentMessage(stanza: Element): void {
    const json = child(stanza, "json-message", NS.jitmeet);
    const payload = json === undefined ? undefined : readJson(text(json));
    if (payload !== undefined) this.#json(payload, "");
  }

  #json(payload: Readonly<Record<string, unknown>>, from: string): void {
    const news = componentNews(payload, from, this.#room?.joined === true);
    for (const event of news?.events ?? []) this.#emit(event);
    if (news?.moveTo !== undefined) this.moveTo(news.moveTo);
  }

  /** To a breakout room or back. */
  moveTo(roomJid: string): void {
    const room = this.#room;
    if (room === undefined || room.address === roomJid) return;
    this.#connection.send(leavePresence(`${room.address}/${room.self}`, "switch_room"));
    this.#goOn(roomJid);
  }

  /** In another room, now that we are in none. */
  #goOn(roomJid: string): void {
    this.#media.close(); // whoever leaves a room need not end the session in it
    this.#room = undefined;
    this.#roomJid = roomJid;
    this.#handAt = undefined;
    this.#emit({ kind: "moved", room: roomJid });
    void this.#enter();
  }

  /** We became the loudest: the server's statistics count it (signaling.md 6.6). */
  saySpeaking(): void {
    const { speakerStats } = this.#components;
    if (speakerStats !== undefined && this.#room !== undefined)
      this.#connection.send(speakerMessage(speakerStats, this.#room.address));
  }

  #sendJingle(jingle: Jingle): ReturnType<XmppConnection["request"]> {
    const room = this.#room;
    if (room === undefined) return Promise.resolve({ kind: "timeout" });
    return this.#connection.request("set", room.focusAddress, jingleElement(jingle));
  }

  /** The page goes away: says so in a way that survives it. */
  unload(): void {
    const room = this.#room;
    if (this.#left || room?.joined !== true) return;
    this.#connection.unload(leavePresence(`${room.address}/${room.self}`));
    this.leave();
  }

  leave(): void {
    this.#end(true);
    this.#emit({ kind: "ended", reason: "left", actor: undefined, text: undefined });
  }

  #end(tell: boolean): void {
    if (this.#left) return;
    this.#left = true;
    this.#entry += 1;
    const room = this.#room;
    this.#media.close();
    this.#lobby.leave();
    if (tell && room?.joined === true) this.#connection.send(leavePresence(`${room.address}/${room.self}`));
    this.#connection.stop();
  }
}

const delay = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));
