/**
 * The focus as a whole: logins, breweries, conferences, and where each stanza goes. A core: inputs with `now` in, actions out.
 * signaling.md 2, 3.4, 5; the place of Jicofo.
 */
import { type Deadline, soonest } from "../deadlines.ts";
import { type EpochMillis, later, type Millis } from "../time.ts";
import { conferenceModify, conferenceModifyElement } from "../wire/colibri2.ts";
import { NS } from "../wire/namespaces.ts";
import { errorReply, iqResult } from "../wire/stanza.ts";
import { attr, child, children, clone, type Element, xml } from "../wire/xml.ts";
import type { BearerToken } from "./bearer.ts";
import { Brewery } from "./brewery.ts";
import { type Bridge, Bridges } from "./bridges.ts";
import { CapsCache, capsElement, ourDiscoInfo } from "./caps.ts";
import { handleComponentMessage } from "./component-messages.ts";
import { Conference } from "./conference.ts";
import {
  type ConferenceRequest,
  conferenceHttpAnswer,
  conferenceIqAnswer,
  readConferenceIq,
} from "./conference-request.ts";
import type { FocusContext, FocusRandom, FocusSettings } from "./context.ts";
import { DialOut, RAYO_NS } from "./dial.ts";
import { handleJingle } from "./jingle-requests.ts";
import type { Member } from "./member.ts";
import { handleMute, muteMedia } from "./moderation.ts";
import { type FocusAction, Outbox, type Via } from "./outbox.ts";
import { Pins } from "./pins.ts";
import { Reception } from "./reception.ts";
import { Recording } from "./recording.ts";
import { Requests } from "./requests.ts";
import { FocusStats } from "./stats.ts";

export type FocusInput =
  /** Logged in anew: rooms have to be joined. (A resumed session needs no input.) */
  | { readonly kind: "online"; readonly via: Via }
  | { readonly kind: "offline"; readonly via: Via }
  | { readonly kind: "stanza"; readonly via: Via; readonly stanza: Element }
  | {
      readonly kind: "http-conference-request";
      readonly token: number;
      readonly request: ConferenceRequest;
      /** The request's `Authorization`, and the time of day. */
      readonly bearer?: BearerToken | undefined;
    }
  /** What the action `fetch` asked for; body undefined: it could not be had. */
  | {
      readonly kind: "fetched";
      readonly url: string;
      readonly body: string | undefined;
      readonly wallNow: EpochMillis;
    }
  /** To another bridge than they are on. */
  | {
      readonly kind: "move";
      readonly conference: string;
      readonly bridge: Bridge;
      readonly endpoints: readonly string[];
    }
  | { readonly kind: "tick" }
  /** No new conferences; running ones go on. */
  | { readonly kind: "drain"; readonly on: boolean }
  /** Leave all rooms. Media goes on until whoever follows takes over (design.md 2). */
  | { readonly kind: "stop" };

const MAX_REMEMBERED_OWNERS = 500;
/** After a login those who were in meetings come back to the focus: none of them is turned away, however full the bridges are with them. */
const COMING_BACK_MS = 30_000;

export class Focus {
  readonly settings: FocusSettings;
  readonly stats = new FocusStats();
  readonly context: FocusContext;
  readonly bridges: Bridges;
  readonly #outbox = new Outbox();
  readonly #requests: Requests;
  readonly recording: Recording;
  readonly dialOut: DialOut;
  readonly #brewery: Brewery;
  /** All breweries: bridges, recorders, gateways. */
  readonly #breweries: readonly Brewery[];
  readonly #reception: Reception;
  readonly #conferences = new Map<string, Conference>();
  /** Addresses of the server's components by their disco type (signaling.md 7.1). */
  readonly #components = new Map<string, string>();
  /** Owners of main rooms that have ended, for their breakout rooms. */
  readonly #formerOwners = new Map<string, ReadonlySet<string>>();
  /** Rooms that were lost with the connection and are to be found again. */
  readonly #lostRooms = new Map<string, Conference["options"]>();
  readonly pins = new Pins();
  #online = false;
  #onlineAt: Millis | undefined;
  #draining = false;
  #excluded: Bridge | undefined;

  constructor(settings: FocusSettings, random: FocusRandom) {
    this.settings = settings;
    this.#requests = new Requests(this.#outbox, random.id(5));
    this.context = {
      settings,
      outbox: this.#outbox,
      requests: this.#requests,
      random,
      stats: this.stats,
      caps: new CapsCache(this.#requests),
    };
    this.bridges = new Bridges(settings.bridges, this.#outbox, this.#requests, {
      lost: (now, bridge) => {
        for (const conference of [...this.#conferences.values()]) conference.bridges.lost(now, bridge);
      },
      available: (now) => {
        for (const conference of [...this.#conferences.values()]) conference.bridgeAvailable(now);
      },
    });
    this.#brewery = new Brewery(settings.brewery, this.#services(), this.#outbox, this.#requests, {
      occupant: (now, presence) => this.bridges.presence(now, presence),
      lost: (now) => this.bridges.clear(now),
    });
    this.recording = new Recording(this.context);
    this.dialOut = new DialOut(this.context);
    const { recording } = this;
    this.#breweries = [
      this.#brewery,
      ...this.#further(
        settings.jibriBrewery,
        (now, presence) => recording.presence(now, recording.recorders, presence),
        () => recording.recorders.clear(),
      ),
      ...this.#further(
        settings.sipJibriBrewery,
        (now, presence) => recording.presence(now, recording.gateways, presence),
        () => recording.gateways.clear(),
      ),
      ...this.#further(
        settings.jigasiBrewery,
        (_, presence) => this.dialOut.presence(presence),
        () => this.dialOut.clear(),
      ),
    ];
    this.#reception = new Reception(this.context, {
      closed: () =>
        this.#draining
          ? "shutting down"
          : this.#conferences.size >= settings.maxConferences
            ? "too many conferences"
            : undefined,
      full: (now) => this.turnsAway(now),
      connected: () => this.#online,
      isBreakout: (domain) =>
        domain === (this.#components.get("breakout_rooms") ?? `breakout.${settings.domains.domain}`),
      conference: (room) => this.#conferences.get(room),
      conferences: () => this.#conferences.values(),
      create: (now, room, options) => this.#create(now, room, options),
    });
  }

  #further(jid: string | undefined, occupant: (now: Millis, presence: Element) => void, lost: () => void): Brewery[] {
    return jid === undefined
      ? []
      : [new Brewery(jid, this.#services(), this.#outbox, this.#requests, { occupant, lost })];
  }

  /** Domains of service accounts: the one we log in to, and where others may be kept. */
  #services(): readonly string[] {
    const { domains, focusJid } = this.settings;
    return [domains.auth, focusJid.slice(focusJid.indexOf("@") + 1)];
  }

  get conferences(): ReadonlyMap<string, Conference> {
    return this.#conferences;
  }

  /** The server's components by disco type. */
  get components(): ReadonlyMap<string, string> {
    return this.#components;
  }

  get pendingRequests(): number {
    return this.#requests.size;
  }

  /** Every bridge is too loaded for a new conference, and those who were in meetings before our login have had their time to come back. */
  turnsAway(now: Millis): boolean {
    return this.bridges.full(now) && this.#onlineAt !== undefined && now >= later(this.#onlineAt, COMING_BACK_MS);
  }

  get draining(): boolean {
    return this.#draining;
  }

  /** Undefined when it can serve a conference request. */
  health(): string | undefined {
    if (!this.#online) return "not logged in to the XMPP server";
    return this.#brewery.joined ? undefined : `not in the brewery ${this.settings.brewery}`;
  }

  handle(now: Millis, input: FocusInput): FocusAction[] {
    this.#dispatch(now, input);
    for (const conference of this.#conferences.values()) conference.flush(now);
    return this.#outbox.take();
  }

  nextDeadline(): Deadline | undefined {
    let next = soonest(this.#requests.nextDeadline(), this.bridges.nextDeadline(), this.recording.nextDeadline());
    for (const brewery of this.#breweries) next = soonest(next, brewery.nextDeadline());
    for (const conference of this.#conferences.values()) next = soonest(next, conference.nextDeadline());
    return next;
  }

  #dispatch(now: Millis, input: FocusInput): void {
    switch (input.kind) {
      case "online":
        if (input.via === "client") this.#loggedIn(now);
        break;
      case "offline":
        if (input.via === "client") this.#loggedOut(now);
        break;
      case "stanza":
        this.#stanza(now, input.stanza, input.via);
        break;
      case "http-conference-request":
        this.#reception.request(
          now,
          input.request,
          undefined,
          (answer) => this.#outbox.answerHttp(input.token, conferenceHttpAnswer(answer)),
          input.bearer,
        );
        break;
      case "fetched":
        this.#reception.fetched(now, input.wallNow, input.url, input.body);
        break;
      case "move":
        this.#move(now, input.conference, input.bridge, input.endpoints);
        break;
      case "tick":
        this.#requests.tick(now);
        for (const brewery of this.#breweries) brewery.tick(now);
        this.recording.tick(now);
        this.bridges.tick(now);
        for (const conference of [...this.#conferences.values()]) conference.tick(now);
        break;
      case "drain":
        this.#draining = input.on;
        break;
      case "stop":
        this.#draining = true;
        for (const conference of this.#conferences.values()) conference.room.leave();
        break;
    }
  }

  // Logins -----------------------------------------------------------------------------------------------------------

  #loggedIn(now: Millis): void {
    this.#online = true;
    this.#onlineAt = now;
    this.#outbox.send(xml("presence", { xmlns: NS.client }, xml("priority", {}, "0"), capsElement()));
    const query = xml("query", { xmlns: NS.discoInfo });
    this.#requests.request(now, this.settings.domains.domain, "get", query, (_, answer) => {
      if (answer.kind !== "result") return;
      const info = child(answer.stanza, "query", NS.discoInfo);
      for (const each of info === undefined ? [] : children(info, "identity")) {
        const type = attr(each, "type");
        const name = attr(each, "name");
        if (attr(each, "category") === "component" && type !== undefined && name !== undefined)
          this.#components.set(type, name);
      }
    });
    for (const brewery of this.#breweries) brewery.join(now);
    for (const [room, options] of this.#lostRooms) this.#create(now, room, options);
    this.#lostRooms.clear();
  }

  #loggedOut(now: Millis): void {
    this.#online = false;
    for (const conference of this.#conferences.values()) this.#lostRooms.set(conference.jid, conference.options);
    for (const conference of [...this.#conferences.values()]) conference.end(now, "the XMPP session is gone");
    this.#requests.offline(now);
    for (const brewery of this.#breweries) brewery.reset(now);
  }

  // Stanzas ----------------------------------------------------------------------------------------------------------

  #stanza(now: Millis, stanza: Element, via: Via): void {
    switch (stanza.getName()) {
      case "iq":
        this.#iq(now, stanza, via);
        break;
      case "presence":
        if (via === "client") this.#presence(now, stanza);
        break;
      case "message":
        if (via === "client") handleComponentMessage(now, this.context, stanza, this.#components, this.#conferences);
        break;
      default:
        this.stats.drop("not a stanza");
    }
  }

  #presence(now: Millis, presence: Element): void {
    const from = attr(presence, "from") ?? "";
    const type = attr(presence, "type");
    if (type === "subscribe") {
      // The client proxy wants to know whether we are here (signaling.md 7.1); nobody else needs to.
      const allowed = from === this.settings.domains.focus;
      this.#outbox.send(xml("presence", { xmlns: NS.client, to: from, type: allowed ? "subscribed" : "unsubscribed" }));
      return;
    }
    const room = from.split("/")[0] ?? "";
    const brewery = this.#breweries.find((each) => each.jid === room);
    if (brewery !== undefined) brewery.stanza(now, presence);
    else this.#conferences.get(room)?.room.stanza(now, presence);
  }

  #iq(now: Millis, iq: Element, via: Via): void {
    const type = attr(iq, "type");
    if (type === "result" || type === "error") {
      if (!this.#requests.answer(now, iq)) this.stats.drop("answer to nothing");
      return;
    }
    const payload = children(iq)[0];
    if (payload === undefined || (type !== "get" && type !== "set")) {
      this.#outbox.send(errorReply(iq, { condition: "bad-request" }), via);
      return;
    }
    if (payload.getNS() === NS.focus) this.#focusIq(now, iq, payload, type, via);
    else if (!this.#occupantIq(now, iq, payload, type)) this.#commonIq(iq, payload, type, via);
  }

  /** Requests of the focus's own namespace: from clients through the client proxy, or at our component address. */
  #focusIq(now: Millis, iq: Element, payload: Element, type: "get" | "set", via: Via): void {
    const from = attr(iq, "from") ?? "";
    const proxy = `${this.settings.domains.focus}/`;
    const requester = via === "client" && from.startsWith(proxy) ? from.slice(proxy.length) : from;
    const name = payload.getName();
    if (name === "conference" && type === "set") {
      this.#reception.request(now, readConferenceIq(payload), requester, (answer) =>
        this.#outbox.send(conferenceIqAnswer(iq, answer), via),
      );
      return;
    }
    const login = this.#reception.loginRequest(iq, payload, type);
    if (login !== undefined) {
      this.#outbox.send(login, via);
      return;
    }
    this.#outbox.send(errorReply(iq, { condition: "feature-not-implemented" }, clone(payload)), via);
  }

  /** Requests of somebody in a room. False: it is none. */
  #occupantIq(now: Millis, iq: Element, payload: Element, type: "get" | "set"): boolean {
    if (type !== "set") return false;
    const from = attr(iq, "from") ?? "";
    const slash = from.indexOf("/");
    const conference = slash === -1 ? undefined : this.#conferences.get(from.slice(0, slash));
    const jingle = payload.getName() === "jingle" && payload.getNS() === NS.jingle;
    const mute = payload.getName() === "mute" && muteMedia(payload) !== undefined;
    const jibri = payload.getName() === "jibri" && payload.getNS() === NS.jibri;
    const dial = payload.getName() === "dial" && payload.getNS() === RAYO_NS;
    if (!jingle && !mute && !jibri && !dial) return false;
    if (jibri && this.recording.jibriRequest(now, iq, payload)) return true;
    const participant = conference?.participants.get(from.slice(slash + 1));
    if (conference === undefined || participant === undefined) {
      // In the room's name, but not (or no longer) in the room: signaling.md 5.2, 5.5, 5.6.
      const stranger = jibri || dial ? "forbidden" : mute ? "internal-server-error" : "item-not-found";
      const condition = conference === undefined ? "item-not-found" : stranger;
      this.#outbox.send(errorReply(iq, { condition }, clone(payload)));
    } else if (jingle) handleJingle(now, conference, participant, iq, payload);
    else if (mute) handleMute(now, conference, participant, iq, payload);
    else if (jibri) this.recording.clientRequest(now, conference, participant, iq, payload);
    else this.dialOut.request(now, conference, participant, iq, payload);
    return true;
  }

  #commonIq(iq: Element, payload: Element, type: "get" | "set", via: Via): void {
    const namespace = payload.getNS();
    if (type === "get" && namespace === NS.discoInfo)
      this.#outbox.send(iqResult(iq, ourDiscoInfo(attr(payload, "node"))), via);
    else if (type === "get" && namespace === NS.discoItems)
      this.#outbox.send(iqResult(iq, xml("query", { xmlns: NS.discoItems })), via);
    else if (type === "get" && namespace === NS.ping) this.#outbox.send(iqResult(iq), via);
    else if (type === "get" && namespace === NS.version)
      this.#outbox.send(
        iqResult(
          iq,
          xml(
            "query",
            { xmlns: NS.version },
            xml("name", {}, "Parley focus"),
            xml("version", {}, this.settings.version),
          ),
        ),
        via,
      );
    else if (type === "set" && namespace === NS.roster) this.#outbox.send(iqResult(iq), via);
    else this.#outbox.send(errorReply(iq, { condition: "feature-not-implemented" }, clone(payload)), via);
  }

  // Conferences ------------------------------------------------------------------------------------------------------

  #create(now: Millis, room: string, options: Conference["options"]): Conference {
    const conference = new Conference(now, room, this.context, options, {
      selectBridge: (at, each, selection) =>
        this.bridges.select(at, { ...selection, pinned: this.pins.version(at, each.jid), exclude: this.#excluded }),
      bridgesFull: (at) => this.bridges.full(at),
      bridgeFailed: (at, bridge, reason) => this.bridges.failed(at, bridge, reason),
      ready: (_, each) => this.#reception.settled(each.jid, undefined),
      ended: (at, each, reason) => {
        this.recording.conferenceEnded(at, each);
        this.#ended(each, reason);
      },
      endElsewhere: (at, each, meetingId) => {
        const expire = conferenceModifyElement(conferenceModify(meetingId, { expire: true }));
        for (const bridge of this.bridges.all())
          if (!each.bridges.sessions.has(bridge)) this.#requests.request(at, bridge.jid, "get", clone(expire));
      },
      memberChanged: (at, each, member) => this.#mirrorOwners(at, each, member),
    });
    this.#conferences.set(room, conference);
    this.stats.conferencesCreated++;
    conference.start(now);
    return conference;
  }

  #ended(conference: Conference, reason: string): void {
    if (this.#conferences.get(conference.jid) === conference) this.#conferences.delete(conference.jid);
    if (conference.ownership.owners.size > 0) {
      this.#formerOwners.delete(conference.jid);
      this.#formerOwners.set(conference.jid, conference.ownership.owners);
      const oldest = this.#formerOwners.keys().next();
      if (this.#formerOwners.size > MAX_REMEMBERED_OWNERS && oldest.done !== true)
        this.#formerOwners.delete(oldest.value);
    }
    this.#reception.settled(conference.jid, reason);
  }

  /** Who is owner of a main room is owner of its breakout rooms (signaling.md 3.5). */
  #mirrorOwners(now: Millis, conference: Conference, member: Member): void {
    const user = member.realJid?.split("/")[0];
    if (user === undefined) return;
    if (conference.configuration.isBreakout) {
      const main = conference.configuration.mainRoom ?? "";
      const owners = this.#conferences.get(main)?.ownership.owners ?? this.#formerOwners.get(main);
      if (owners?.has(user) === true && member.affiliation !== "owner") conference.room.grantOwner(now, member);
      return;
    }
    for (const breakout of this.#conferences.values()) {
      if (breakout.configuration.mainRoom !== conference.jid) continue;
      for (const { member: there } of breakout.participants.values()) {
        if (there.realJid?.split("/")[0] !== user) continue;
        const owner = conference.ownership.owners.has(user);
        if (owner && there.affiliation !== "owner") breakout.room.grantOwner(now, there);
        else if (!owner && there.affiliation === "owner") breakout.room.revokeOwner(now, there);
      }
    }
  }

  // Administration ---------------------------------------------------------------------------------------------------

  /** Endpoints of a conference on a bridge, in the order they came. */
  endpointsOn(room: string, bridge: Bridge): string[] {
    return [...(this.#conferences.get(room)?.bridges.sessions.get(bridge)?.endpoints ?? [])];
  }

  /** Which of these endpoints a move would really take away from the bridge: all of the conference's where it cannot be split, none where no other bridge is. */
  movable(now: Millis, room: string, bridge: Bridge, endpoints: readonly string[]): readonly string[] {
    const here = this.endpointsOn(room, bridge);
    const wanted = endpoints.filter((each) => here.includes(each));
    const together = this.settings.bridges.strategy === "single" ? here : wanted;
    const target = this.bridges.select(now, {
      used: new Map(),
      region: undefined,
      pinned: this.pins.version(now, room),
      exclude: bridge,
    });
    return target === undefined || wanted.length === 0 ? [] : together;
  }

  #move(now: Millis, room: string, bridge: Bridge, endpoints: readonly string[]): void {
    const conference = this.#conferences.get(room);
    if (conference === undefined) return;
    const participants = this.movable(now, room, bridge, endpoints).flatMap(
      (each) => conference.participants.get(each) ?? [],
    );
    this.#excluded = bridge;
    conference.move(now, participants);
    this.#excluded = undefined;
  }
}
