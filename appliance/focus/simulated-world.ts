/**
 * Tests only: an XMPP server with rooms, bridges and clients around the focus's core, in virtual time. Everything answers at once unless told otherwise.
 */
import type { FocusConfig } from "../config.ts";
import { type Millis, millis } from "../time.ts";
import { isColibriFault, readConferenceModify } from "../wire/colibri2.ts";
import { isJingleFault, type Jingle, jingleElement, readJingle } from "../wire/jingle.ts";
import { NS } from "../wire/namespaces.ts";
import type { EndpointSources } from "../wire/sources.ts";
import { errorReply, iqResult } from "../wire/stanza.ts";
import { attr, child, children, clone, type Element, parse, text, xml } from "../wire/xml.ts";
import { FEATURE } from "./codecs.ts";
import type { HttpAnswer } from "./conference-request.ts";
import type { FocusRandom } from "./context.ts";
import { Focus, type FocusInput } from "./focus.ts";
import type { FocusAction } from "./outbox.ts";
import { focusSettings } from "./settings.ts";
import { type SimulatedBridge, serve } from "./simulated-bridge.ts";
import { learn, type SimulatedClient, stockSources } from "./simulated-client.ts";

export type { SimulatedBridge } from "./simulated-bridge.ts";
export { type SimulatedClient, stockSources } from "./simulated-client.ts";

export const FOCUS = "focus@auth.meet.test/focus";
export const BREWERY = "jvbbrewery@internal-muc.meet.test";

/** Deterministic: mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export const testConfig = (change: Partial<FocusConfig> = {}): FocusConfig => ({
  login: {
    host: "127.0.0.1",
    port: 0,
    domain: "auth.meet.test",
    user: "focus",
    password: "",
    tls: { kind: "insecure" },
  },
  domains: {
    domain: "meet.test",
    auth: "auth.meet.test",
    muc: "muc.meet.test",
    internalMuc: "internal-muc.meet.test",
    focus: "focus.meet.test",
    hidden: "hidden.meet.test",
  },
  brewery: BREWERY,
  http: { host: "127.0.0.1", port: 0 },
  sctp: "off",
  minParticipants: 2,
  maxSsrcsPerParticipant: 20,
  maxParticipants: 80,
  ...change,
});

export const STOCK_FEATURES: readonly string[] = [
  FEATURE.audio,
  FEATURE.video,
  FEATURE.rtx,
  FEATURE.transportCc,
  FEATURE.remb,
  FEATURE.sctp,
  FEATURE.jsonSources,
  "http://jitsi.org/source-name",
];

interface Occupant {
  readonly jid: string;
  affiliation: string;
  presence: readonly Element[];
}

interface Room {
  readonly jid: string;
  readonly occupants: Map<string, Occupant>;
  readonly owners: Set<string>;
}

export class SimulatedWorld {
  focus: Focus;
  readonly #config: FocusConfig;
  readonly #random: FocusRandom;
  now: Millis = millis(1000);
  readonly rooms = new Map<string, Room>();
  readonly bridges = new Map<string, SimulatedBridge>();
  readonly clients = new Map<string, SimulatedClient>();
  /** Everything the focus sent, in order. */
  readonly sent: Element[] = [];
  readonly logs: Extract<FocusAction, { kind: "log" }>[] = [];
  /** URLs of keys that the focus asked for. */
  readonly fetches: string[] = [];
  readonly http = new Map<number, HttpAnswer>();
  /** Rooms answer no owner requests. */
  formless = false;
  readonly #queue: FocusInput[] = [];
  #ids = 0;
  #running = false;

  constructor(config: FocusConfig = testConfig(), seed = 1) {
    const random = seeded(seed);
    const letters = (length: number): string =>
      Array.from({ length }, () => Math.floor(random() * 36).toString(36)).join("");
    this.#config = config;
    this.#random = { id: letters, uuid: () => `${letters(8)}-${letters(4)}-${letters(4)}-${letters(12)}` };
    this.focus = new Focus(focusSettings(config), this.#random);
  }

  // Time and delivery ------------------------------------------------------------------------------------------------

  input(input: FocusInput): void {
    this.#queue.push(input);
    if (this.#running) return;
    this.#running = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift())
      for (const action of this.focus.handle(this.now, next)) {
        if (action.kind === "log") this.logs.push(action);
        else if (action.kind === "http-answer") this.http.set(action.token, action.answer);
        else if (action.kind === "fetch") this.fetches.push(action.url);
        else {
          // Over the wire and back, so that nothing is shared between the two sides.
          const stanza = parse(action.stanza.toString());
          if (stanza === undefined) throw new Error(`the focus wrote no XML: ${action.stanza}`);
          this.sent.push(stanza);
          this.#route(stanza, action.via);
        }
      }
    this.#running = false;
  }

  deliver(stanza: Element): void {
    const arrived = parse(stanza.toString());
    if (arrived === undefined) throw new Error("the test wrote no XML");
    this.input({ kind: "stanza", via: "client", stanza: arrived });
  }

  /** Lets time pass, with all deadlines on the way. */
  advance(ms: number): void {
    const end = millis(this.now + ms);
    for (let turns = 0; turns < 100_000; turns++) {
      const next = this.focus.nextDeadline();
      if (next === undefined || next.at > end) break;
      this.now = millis(Math.max(this.now, next.at));
      this.input({ kind: "tick" });
    }
    this.now = end;
  }

  start(bridges: readonly string[] = ["jvb1"]): this {
    this.#room(BREWERY).owners.add("focus@auth.meet.test");
    for (const nick of bridges) this.addBridge(nick);
    this.input({ kind: "online", via: "client" });
    return this;
  }

  /** The focus's process dies and is started again; the server has noticed. Clients ask anew, as they do when the focus leaves. */
  restartFocus(): void {
    for (const room of this.rooms.values()) room.occupants.delete("focus");
    this.focus = new Focus(focusSettings(this.#config), this.#random);
    this.input({ kind: "online", via: "client" });
    for (const client of this.clients.values()) this.ask(client.room, client.jid);
  }

  // Server -----------------------------------------------------------------------------------------------------------

  #room(jid: string): Room {
    let room = this.rooms.get(jid);
    if (room === undefined) {
      room = { jid, occupants: new Map(), owners: new Set() };
      this.rooms.set(jid, room);
    }
    return room;
  }

  #route(stanza: Element, _via: string): void {
    const to = attr(stanza, "to");
    if (to === undefined) return;
    const [bare = "", resource] = split(to);
    const type = attr(stanza, "type");
    if (stanza.getName() === "presence") {
      if (resource !== undefined) this.#roomPresence(bare, resource, stanza, FOCUS);
      return;
    }
    if (stanza.getName() !== "iq") return;
    if (type === "result" || type === "error") {
      const id = attr(stanza, "id") ?? "";
      for (const client of this.clients.values())
        if (to.endsWith(client.nick) || to.endsWith(client.jid)) client.answers.set(id, stanza);
      return;
    }
    if (to === "meet.test") this.deliver(withFrom(iqResult(stanza, this.disco()), to));
    else if (resource === undefined) this.#roomIq(this.#room(bare), stanza);
    else if (bare === BREWERY) this.#toBridge(resource, stanza);
    else {
      const client = this.clients.get(`${bare}/${resource}`);
      if (client === undefined && bare.endsWith("brewery@internal-muc.meet.test")) return; // the test answers
      if (client === undefined) this.deliver(withFrom(errorReply(stanza, { condition: "item-not-found" }), to));
      else this.#toClient(client, stanza, to);
    }
  }

  disco(): Element {
    return xml(
      "query",
      { xmlns: NS.discoInfo },
      xml("identity", { category: "component", type: "av_moderation", name: "avmoderation.meet.test" }),
      xml("identity", { category: "component", type: "room_metadata", name: "metadata.meet.test" }),
      xml("identity", { category: "component", type: "breakout_rooms", name: "breakout.meet.test" }),
    );
  }

  #roomPresence(jid: string, nick: string, presence: Element, from: string): void {
    const room = this.#room(jid);
    if (attr(presence, "type") === "unavailable") {
      this.removeOccupant(jid, nick);
      return;
    }
    const content = children(presence)
      .filter((each) => each.getNS() !== NS.muc)
      .map((each) => parse(each.toString()) ?? each);
    const existing = room.occupants.get(nick);
    const bareJid = from.split("/")[0] ?? "";
    if (existing !== undefined) {
      existing.presence = content;
      this.#broadcast(room, nick);
      return;
    }
    const first = room.occupants.size === 0;
    if (first && room.owners.size === 0) room.owners.add(bareJid);
    const affiliation = room.owners.has(bareJid) ? "owner" : "none";
    const occupant = { jid: from, affiliation, presence: content };
    room.occupants.set(nick, occupant);
    if (from === FOCUS)
      for (const [other, each] of room.occupants) if (other !== nick) this.deliver(this.#presence(room, other, each));
    this.#broadcast(room, nick, first ? ["201"] : []);
  }

  #presence(room: Room, nick: string, occupant: Occupant, statuses: readonly string[] = []): Element {
    return xml(
      "presence",
      { xmlns: NS.client, from: `${room.jid}/${nick}`, to: FOCUS },
      occupant.presence.map(clone),
      xml(
        "x",
        { xmlns: NS.mucUser },
        xml("item", {
          jid: occupant.jid,
          affiliation: occupant.affiliation,
          role: occupant.affiliation === "owner" ? "moderator" : "participant",
        }),
        [...statuses, ...(occupant.jid === FOCUS ? ["110"] : [])].map((code) => xml("status", { code })),
      ),
    );
  }

  #broadcast(room: Room, nick: string, statuses: readonly string[] = []): void {
    const occupant = room.occupants.get(nick);
    if (occupant !== undefined && room.occupants.has("focus"))
      this.deliver(this.#presence(room, nick, occupant, statuses));
  }

  removeOccupant(jid: string, nick: string, statuses: readonly string[] = []): void {
    const room = this.#room(jid);
    const occupant = room.occupants.get(nick);
    if (occupant === undefined) return;
    room.occupants.delete(nick);
    this.clients.delete(`${jid}/${nick}`);
    if (room.occupants.has("focus") || nick === "focus")
      this.deliver(
        xml(
          "presence",
          { xmlns: NS.client, type: "unavailable", from: `${jid}/${nick}`, to: FOCUS },
          xml(
            "x",
            { xmlns: NS.mucUser },
            xml("item", { jid: occupant.jid, affiliation: occupant.affiliation, role: "none" }),
            [...statuses, ...(nick === "focus" ? ["110"] : [])].map((code) => xml("status", { code })),
          ),
        ),
      );
    if (room.occupants.size === 0 && !jid.includes("brewery@")) this.rooms.delete(jid);
  }

  /** Makes an occupant an owner, as the server would. */
  promote(jid: string, nick: string): void {
    const room = this.#room(jid);
    const occupant = room.occupants.get(nick);
    if (occupant === undefined) return;
    occupant.affiliation = "owner";
    this.#broadcast(room, nick);
  }

  #roomIq(room: Room, iq: Element): void {
    if (this.formless) return;
    const query = child(iq, "query");
    if (query?.getNS() === NS.mucAdmin) {
      const item = child(query, "item");
      const jid = item === undefined ? undefined : attr(item, "jid");
      const affiliation = (item === undefined ? undefined : attr(item, "affiliation")) ?? "none";
      if (affiliation === "owner" && jid !== undefined) room.owners.add(jid);
      else if (jid !== undefined) room.owners.delete(jid);
      for (const [nick, occupant] of room.occupants)
        if (occupant.jid.split("/")[0] === jid) {
          occupant.affiliation = affiliation;
          this.#broadcast(room, nick);
        }
      this.deliver(withFrom(iqResult(iq), room.jid));
      return;
    }
    const form =
      attr(iq, "type") === "get"
        ? [
            xml(
              "query",
              { xmlns: NS.mucOwner },
              xml(
                "x",
                { xmlns: NS.dataForms, type: "form" },
                xml("field", { var: "muc#roominfo_meetingId" }, xml("value", {}, `meeting-of-${room.jid}`)),
                ...(room.jid.endsWith("@breakout.meet.test")
                  ? [
                      xml("field", { var: "muc#roominfo_isbreakout" }, xml("value", {}, "true")),
                      xml("field", { var: "muc#roominfo_breakout_main_room" }, xml("value", {}, "main@muc.meet.test")),
                    ]
                  : []),
              ),
            ),
          ]
        : [];
    this.deliver(withFrom(iqResult(iq, ...form), room.jid));
  }

  // Bridges ----------------------------------------------------------------------------------------------------------

  addBridge(nick: string, stats: Record<string, string> = {}): SimulatedBridge {
    const bridge: SimulatedBridge = {
      nick,
      jid: `${BREWERY}/${nick}`,
      meetings: new Map(),
      requests: [],
      relays: new Map(),
      behaviour: "serve",
      stats: { stress_level: "0.0", drain: "false", version: "2.3", ...stats },
    };
    this.bridges.set(nick, bridge);
    const room = this.#room(BREWERY);
    room.occupants.set(nick, { jid: "jvb@auth.meet.test/x", affiliation: "owner", presence: [this.#stats(bridge)] });
    this.#broadcast(room, nick);
    return bridge;
  }

  /** Sends the bridge's presence with changed statistics. */
  bridgePresence(nick: string, stats: Record<string, string>): void {
    const bridge = this.bridges.get(nick);
    const occupant = this.#room(BREWERY).occupants.get(nick);
    if (bridge === undefined || occupant === undefined) return;
    bridge.stats = { ...bridge.stats, ...stats };
    occupant.presence = [this.#stats(bridge)];
    this.#broadcast(this.#room(BREWERY), nick);
  }

  removeBridge(nick: string): void {
    this.bridges.delete(nick);
    this.removeOccupant(BREWERY, nick);
  }

  #stats(bridge: SimulatedBridge): Element {
    return xml(
      "stats",
      { xmlns: NS.colibri },
      Object.entries(bridge.stats).map(([name, value]) => xml("stat", { name, value })),
    );
  }

  #toBridge(nick: string, iq: Element): void {
    const bridge = this.bridges.get(nick);
    const to = `${BREWERY}/${nick}`;
    const answer = (stanza: Element): void => this.deliver(withFrom(stanza, to));
    if (bridge === undefined) {
      answer(errorReply(iq, { condition: "item-not-found" }));
      return;
    }
    if (bridge.behaviour === "silent") return;
    const element = child(iq, "conference-modify", NS.colibri2);
    if (element === undefined) {
      answer(iqResult(iq));
      return;
    }
    const modify = readConferenceModify(element);
    if (isColibriFault(modify)) throw new Error(`the focus sent a malformed conference-modify: ${modify.text}`);
    bridge.requests.push(modify);
    if (typeof bridge.behaviour === "function") {
      const special = bridge.behaviour(modify);
      if (special !== undefined) {
        answer(
          special.getName() === "error"
            ? xml("iq", { xmlns: NS.client, type: "error", id: attr(iq, "id"), to: FOCUS }, special)
            : iqResult(iq, special),
        );
        return;
      }
    }
    const served = serve(bridge, modify, iq);
    if (bridge.behaviour !== "late") answer(served);
  }

  // Clients ----------------------------------------------------------------------------------------------------------

  /** Asks for the conference and joins the room, as a client does. */
  join(
    room: string,
    nick: string,
    options: {
      features?: readonly string[];
      presence?: readonly Element[];
      accepts?: (() => EndpointSources) | undefined;
      ask?: boolean;
      domain?: string;
    } = {},
  ): SimulatedClient {
    const jid = `${nick}-uuid@${options.domain ?? "meet.test"}/res`;
    const client: SimulatedClient = {
      nick,
      jid,
      room,
      features: options.features ?? STOCK_FEATURES,
      jingle: [],
      mutes: [],
      sid: undefined,
      bridgeSession: undefined,
      accepted: false,
      remote: new Map(),
      answers: new Map(),
      refuses: false,
      accepts: "accepts" in options ? options.accepts : () => stockSources(nick),
    };
    if (options.ask !== false) this.ask(room, jid);
    this.clients.set(`${room}/${nick}`, client);
    const ver = client.features === STOCK_FEATURES ? "stock" : `own-${nick}`;
    const presence = xml(
      "presence",
      {},
      options.presence,
      xml("stats-id", {}, `Stats-${nick}`),
      xml("c", { xmlns: NS.caps, hash: "sha-1", node: "https://jitsi.org/jitsi-meet", ver }),
      xml("SourceInfo", {}, "{}"),
    );
    this.#roomPresence(room, nick, presence, jid);
    return client;
  }

  updatePresence(client: SimulatedClient, content: readonly Element[]): void {
    this.#roomPresence(client.room, client.nick, xml("presence", {}, content), client.jid);
  }

  ask(
    room: string,
    jid: string,
    attributes: Record<string, string> = {},
    properties: Record<string, string> = {},
  ): string {
    const id = `ask-${++this.#ids}`;
    this.deliver(
      xml(
        "iq",
        { xmlns: NS.client, type: "set", id, from: `focus.meet.test/${jid}`, to: FOCUS },
        xml(
          "conference",
          { xmlns: NS.focus, room, "machine-uid": "m1", ...attributes },
          Object.entries(properties).map(([name, value]) => xml("property", { name, value })),
        ),
      ),
    );
    return id;
  }

  /** `statuses`: 307 where somebody was kicked. */
  leave(client: SimulatedClient, statuses: readonly string[] = []): void {
    for (const other of this.clients.values())
      if (other.room === client.room && !other.features.includes(FEATURE.ssrcRewriting))
        other.remote.delete(client.nick);
    this.removeOccupant(client.room, client.nick, statuses);
  }

  /** Sends an IQ of a client to the focus's occupant; returns the answer, if it came at once. */
  request(client: SimulatedClient, payload: Element, type = "set"): Element | undefined {
    const id = `q-${++this.#ids}`;
    this.deliver(xml("iq", { xmlns: NS.client, type, id, from: `${client.room}/${client.nick}`, to: FOCUS }, payload));
    return client.answers.get(id);
  }

  jingle(client: SimulatedClient, jingle: Partial<Jingle> & Pick<Jingle, "action">): Element | undefined {
    return this.request(
      client,
      jingleElement({ sid: client.sid ?? "none", contents: [], sources: new Map(), ...jingle }),
    );
  }

  /** Ends the client's session and asks for another, as clients do whose ICE failed. */
  restart(client: SimulatedClient, id = client.bridgeSession ?? ""): Element | undefined {
    const sid = client.sid ?? "none";
    client.sid = undefined;
    client.accepted = false;
    client.remote.clear();
    return this.jingle(client, {
      action: "session-terminate",
      sid,
      reason: { condition: "connectivity-error", text: "ICE FAILED" },
      bridgeSession: { id, restart: true },
    });
  }

  accept(client: SimulatedClient, sources: EndpointSources): Element | undefined {
    client.accepted = true;
    const transport = {
      ufrag: "cu",
      pwd: "client-password-01234567",
      rtcpMux: false,
      fingerprints: [{ hash: "sha-256", value: "12:34", setup: "active" as const }],
      candidates: [],
      webSockets: [],
    };
    return this.jingle(client, {
      action: "session-accept",
      contents: (["audio", "video"] as const).map((media) => ({ name: media, creator: "responder", media, transport })),
      sources: new Map([["", sources]]),
    });
  }

  #toClient(client: SimulatedClient, iq: Element, to: string): void {
    const disco = child(iq, "query", NS.discoInfo);
    const respond = (stanza: Element): void => this.deliver(withFrom(stanza, to));
    if (disco !== undefined) {
      respond(
        iqResult(
          iq,
          xml(
            "query",
            { xmlns: NS.discoInfo },
            client.features.map((name) => xml("feature", { var: name })),
          ),
        ),
      );
      return;
    }
    if (client.refuses && String(iq).includes("session-initiate")) {
      const refused = child(iq, "jingle", NS.jingle);
      const read = refused === undefined ? undefined : readJingle(refused);
      if (read !== undefined && !isJingleFault(read)) client.jingle.push(read);
      respond(errorReply(iq, { condition: "not-acceptable" }));
      return;
    }
    respond(iqResult(iq));
    const mute = child(iq, "mute");
    if (mute !== undefined) client.mutes.push(mute);
    const element = child(iq, "jingle", NS.jingle);
    if (element === undefined) return;
    const jingle = readJingle(element);
    if (isJingleFault(jingle)) throw new Error(`the focus sent malformed Jingle: ${jingle.text}`);
    client.jingle.push(jingle);
    if (jingle.action === "session-initiate") {
      client.sid = jingle.sid;
      client.bridgeSession = jingle.bridgeSession?.id;
      client.accepted = false;
      client.remote.clear();
      learn(client, jingle, true);
      const accepts = client.accepts;
      if (accepts !== undefined) this.accept(client, accepts());
    } else if (jingle.sid !== client.sid) throw new Error("a session the client does not have");
    else if (jingle.action === "session-terminate") {
      client.sid = undefined;
      client.accepted = false;
      client.remote.clear();
    } else if (jingle.action === "source-add" || jingle.action === "source-remove") {
      if (!client.accepted) throw new Error("a client ignores source-add before it accepted");
      learn(client, jingle, jingle.action === "source-add");
    }
  }
}

const split = (jid: string): [string, string | undefined] => {
  const slash = jid.indexOf("/");
  return slash === -1 ? [jid, undefined] : [jid.slice(0, slash), jid.slice(slash + 1)];
};

function withFrom(stanza: Element, from: string): Element {
  stanza.attrs.from = from;
  stanza.attrs.to = FOCUS;
  return stanza;
}

/** The text of an error's condition in an answer; undefined for a result. */
export const conditionOf = (answer: Element | undefined): string | undefined => {
  const error = answer === undefined ? undefined : child(answer, "error");
  return error === undefined
    ? undefined
    : children(error)
        .find((each) => each.getName() !== "text")
        ?.getName();
};

export const textOf = (element: Element | undefined): string => (element === undefined ? "" : text(element));
