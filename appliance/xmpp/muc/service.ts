/**
 * A MUC service: the rooms of one domain, found by name, and the door to them (XEP-0045). It decides which room a stanza is for and keeps
 * the limits; rooms and their features do the rest.
 */
import { createHmac } from "node:crypto";
import { type Deadline, soonest } from "../../deadlines.ts";
import type { Millis } from "../../time.ts";
import { bareText, type Jid, jid, jidText, parseJid } from "../../wire/jid.ts";
import { NS } from "../../wire/namespaces.ts";
import { errorReply, iqResult, readError } from "../../wire/stanza.ts";
import { attr, child, childText, type Element } from "../../wire/xml.ts";
import type { AdvertisedIdentity, Host, HostAction, HttpAnswer, HttpPage, Sender } from "../host.ts";
import { handleAdmin } from "./admin.ts";
import type { Affiliation } from "./affiliation.ts";
import { handleOwner } from "./config-form.ts";
import { answerRoomDisco, answerServiceDisco } from "./disco.ts";
import type { JoinRequest, Refusal, RoomFeature } from "./feature.ts";
import { groupchat, privateMessage, roomMessage } from "./messages.ts";
import { occupantIq } from "./occupant-iq.ts";
import type { Occupant } from "./occupants.ts";
import { payloadOf } from "./presence.ts";
import { refusalStanza } from "./refusal.ts";
import { Room, type RoomSurroundings } from "./room.ts";
import type { MucServiceOptions, MucServiceView } from "./service-view.ts";
import { Turn } from "./turn.ts";

const NICK_LIMIT = 1023;
/** What a failed delivery reports when the addressee is gone (XEP-0045 §18.1.1 and RFC 6120 §8.3.3). */
const GONE: ReadonlySet<string> = new Set([
  "gone",
  "item-not-found",
  "recipient-unavailable",
  "remote-server-not-found",
  "remote-server-timeout",
]);

export class MucService implements Host, RoomSurroundings, MucServiceView {
  readonly domain: string;
  readonly listed: boolean;
  readonly advertised: readonly AdvertisedIdentity[];
  readonly features: readonly RoomFeature[];
  readonly #rooms = new Map<string, Room>();
  /** Rooms by real full address. */
  readonly #inside = new Map<string, Set<Room>>();
  /** Number of rooms by real bare address. */
  readonly #roomsOf = new Map<string, number>();

  constructor(readonly options: MucServiceOptions) {
    this.domain = options.domain;
    this.listed = options.listed;
    this.advertised = options.advertised ?? [];
    this.features = options.features;
  }

  handle(now: Millis, stanza: Element, sender: Sender): readonly HostAction[] {
    const turn = new Turn(now);
    const to = parseJid(attr(stanza, "to"));
    if (to === undefined || to.domain !== this.domain) {
      turn.drop("muc-address");
      return turn.actions;
    }
    const barred = this.options.mayEnter?.(sender);
    if (barred !== undefined) {
      this.refuse(turn, stanza, { error: barred });
      return turn.actions;
    }
    if (to.local === undefined) this.toService(turn, stanza, sender);
    else if (stanza.getName() === "presence") this.presence(turn, stanza, sender, to, to.local);
    else this.toRoom(turn, stanza, sender, to, to.local);
    return turn.actions;
  }

  sessionClosed(now: Millis, address: Jid): readonly HostAction[] {
    const turn = new Turn(now);
    const full = jidText(address);
    for (const room of [...(this.#inside.get(full) ?? [])]) {
      const occupant = room.occupants.byJid(full);
      if (occupant !== undefined) room.exit(turn, occupant, { cause: "left" });
    }
    for (const feature of this.features) feature.sessionClosed?.(turn, address);
    return turn.actions;
  }

  nextDeadline(): Deadline | undefined {
    return soonest(...this.features.map((feature) => feature.nextDeadline?.()));
  }

  handleTimeout(now: Millis): readonly HostAction[] {
    const turn = new Turn(now);
    for (const feature of this.features) feature.handleTimeout?.(turn);
    return turn.actions;
  }

  httpAnswered(now: Millis, id: string, answer: HttpAnswer): readonly HostAction[] {
    const turn = new Turn(now);
    for (const feature of this.features) feature.httpAnswered?.(turn, id, answer);
    return turn.actions;
  }

  httpGet(_now: Millis, path: string, query: ReadonlyMap<string, string>): HttpPage | undefined {
    return this.options.httpGet?.(this, path, query);
  }

  room(local: string): Room | undefined {
    return this.#rooms.get(local);
  }

  /** The room of that bare address on this service. */
  roomAt(address: string | undefined): Room | undefined {
    const parsed = parseJid(address);
    return parsed?.local === undefined || parsed.domain !== this.domain ? undefined : this.#rooms.get(parsed.local);
  }

  rooms(): IterableIterator<Room> {
    return this.#rooms.values();
  }

  /** Makes a room without anybody in it; undefined when there are too many. */
  create(turn: Turn, local: string): Room | undefined {
    if (this.#rooms.size >= this.options.limits.rooms) return undefined;
    const room = this.make(turn, local);
    this.#rooms.set(local, room);
    for (const feature of this.features) feature.roomCreated?.(turn, room);
    return room;
  }

  /** All the checks and then in (XEP-0045 §7.2); held joins come by here again. */
  join(turn: Turn, presence: Element, sender: Sender, local: string, nick: string) {
    const verdict = this.tryJoin(turn, presence, sender, local, nick);
    if (verdict !== undefined) this.refuse(turn, presence, verdict);
  }

  occupantId(room: string, bare: string): string {
    return createHmac("sha256", this.options.occupantIdKey).update(room).update("\0").update(bare).digest("base64");
  }

  affiliationElsewhere(room: Room, bare: string): Affiliation | undefined {
    return this.options.affiliationElsewhere?.(room, bare);
  }

  /** The rooms that this real full address is in. */
  roomsOf(full: string): readonly Room[] {
    return [...(this.#inside.get(full) ?? [])];
  }

  entered(room: Room, occupant: Occupant) {
    const rooms = this.#inside.get(occupant.jidText);
    if (rooms === undefined) this.#inside.set(occupant.jidText, new Set([room]));
    else rooms.add(room);
    this.#roomsOf.set(occupant.bareText, (this.#roomsOf.get(occupant.bareText) ?? 0) + 1);
  }

  exited(room: Room, occupant: Occupant) {
    const rooms = this.#inside.get(occupant.jidText);
    rooms?.delete(room);
    if (rooms?.size === 0) this.#inside.delete(occupant.jidText);
    const count = (this.#roomsOf.get(occupant.bareText) ?? 1) - 1;
    if (count <= 0) this.#roomsOf.delete(occupant.bareText);
    else this.#roomsOf.set(occupant.bareText, count);
  }

  emptied(turn: Turn, room: Room) {
    // Every feature is asked: some plan the end of an empty room here.
    const keepers = this.features.filter((feature) => feature.keepsEmpty?.(turn, room) === true);
    if (keepers.length === 0) room.close(turn);
  }

  closed(_turn: Turn, room: Room) {
    const local = room.jid.local;
    if (local !== undefined && this.#rooms.get(local) === room) this.#rooms.delete(local);
  }

  refuse(turn: Turn, stanza: Element, refusal: Refusal) {
    if (attr(stanza, "type") === "error" || attr(stanza, "type") === "result") return turn.drop("muc-refused-answer");
    const by =
      refusal.by === "service"
        ? this.domain
        : refusal.by === "room"
          ? (attr(stanza, "to") ?? "").split("/", 1)[0]
          : undefined;
    turn.send(refusalStanza(stanza, refusal, by));
  }

  private make(turn: Turn, local: string): Room {
    return new Room(jid(local, this.domain), turn.now, this.options.toEpoch(turn.now), this);
  }

  private tryJoin(turn: Turn, presence: Element, sender: Sender, local: string, nick: string): Refusal | undefined {
    // Without a resource there is nobody to address later.
    if (sender.jid.resource === undefined) return { error: { condition: "bad-request" }, by: "service" };
    const existing = this.#rooms.get(local);
    const { limits } = this.options;
    if (existing === undefined) {
      const refusal = this.options.mayCreate(sender, local);
      if (refusal !== undefined) return refusal;
      if (this.#rooms.size >= limits.rooms) return { error: { condition: "resource-constraint" }, by: "service" };
    }
    const bare = bareText(sender.jid);
    if (!sender.admin && (this.#roomsOf.get(bare) ?? 0) >= limits.roomsPerUser)
      return { error: { condition: "resource-constraint", text: "Too many rooms" }, by: "service" };
    const room = existing ?? this.make(turn, local);
    const muc = child(presence, "x", NS.muc);
    const password = muc === undefined ? undefined : childText(muc, "password");
    const join: JoinRequest = { room, sender, nick, presence, password, creates: existing === undefined };
    if (room.affiliationOf(bare, sender.admin) === "outcast")
      return { error: { condition: "forbidden", text: "You have been banned from this room" }, by: "room" };
    for (const feature of this.features) {
      const verdict = feature.checkJoin?.(turn, join);
      if (verdict?.type === "refuse") return verdict.refusal;
      if (verdict?.type === "hold") return undefined;
    }
    const holder = room.occupants.byNick(nick);
    if (holder !== undefined && holder.bareText !== bare) return { error: { condition: "conflict" }, by: "room" };
    if (holder === undefined && !sender.admin && room.occupants.size >= limits.occupantsPerRoom)
      return { error: { condition: "service-unavailable", text: "Too many occupants" }, by: "room" };
    if (existing === undefined) {
      this.#rooms.set(local, room);
      // Whoever makes a room owns it (XEP-0045 §10.1).
      if (!sender.admin) room.occupants.store(bare, { affiliation: "owner" });
      for (const feature of this.features) feature.roomCreated?.(turn, room);
    }
    // The same account under the same nick: a service that came back before its old stream was given up. The old one ends.
    if (holder !== undefined) room.exit(turn, holder, { cause: "replaced" });
    if (room.isClosed) return this.tryJoin(turn, presence, sender, local, nick);
    room.enter(turn, sender, nick, presence, join.creates);
    return undefined;
  }

  private presence(turn: Turn, stanza: Element, sender: Sender, to: Jid, local: string) {
    const type = attr(stanza, "type");
    const room = this.#rooms.get(local);
    const occupant = room?.occupantOf(sender);
    if (type === "error") return this.deliveryFailed(turn, stanza, room, occupant);
    if (type === "unavailable") return this.leave(turn, stanza, sender, to, room, occupant);
    if (type === "probe") return turn.drop("muc-probe");
    if (type !== undefined) return this.refuse(turn, stanza, { error: { condition: "bad-request" } });
    const nick = to.resource;
    if (nick === undefined) return this.refuse(turn, stanza, { error: { condition: "jid-malformed" }, by: "service" });
    if (nick.length > NICK_LIMIT || nick.trim() === "")
      return this.refuse(turn, stanza, { error: { condition: "jid-malformed" }, by: "service" });
    if (room !== undefined && occupant !== undefined) {
      if (occupant.nick !== nick) return this.changeNick(turn, stanza, sender, room, occupant, nick);
      if (child(stanza, "x", NS.muc) !== undefined) return room.resync(turn, sender, occupant, stanza);
      for (const feature of this.features) {
        const error = feature.checkPresence?.(room, occupant, stanza);
        if (error !== undefined) return this.refuse(turn, stanza, { error });
      }
      for (const feature of this.features)
        if (feature.delaysPresence?.(turn, room, occupant, stanza, sender) === true) return;
      return room.update(turn, sender, occupant, stanza);
    }
    if (child(stanza, "x", NS.muc) === undefined)
      return this.refuse(turn, stanza, { error: { condition: "item-not-found" }, by: room ? "room" : "service" });
    this.join(turn, stanza, sender, local, nick);
  }

  private changeNick(turn: Turn, stanza: Element, sender: Sender, room: Room, occupant: Occupant, nick: string) {
    if (!this.options.nickChanges)
      return this.refuse(turn, stanza, {
        error: { condition: "not-allowed", text: "Nick changes are not allowed" },
      });
    if (room.occupants.byNick(nick) !== undefined)
      return this.refuse(turn, stanza, { error: { condition: "conflict" }, by: "room" });
    room.rename(turn, occupant, nick, stanza, sender);
  }

  private leave(
    turn: Turn,
    stanza: Element,
    sender: Sender,
    to: Jid,
    room: Room | undefined,
    occupant: Occupant | undefined,
  ) {
    if (room === undefined || occupant === undefined) {
      const held = bareText(to);
      for (const feature of this.features) if (feature.joinWithdrawn?.(held, sender.jid) === true) return;
      // Leaving a room in which one is not says nothing; leaving one that is not there is a mistake (transcripts ws-call-3, ws-polls…).
      if (room !== undefined) return turn.drop("muc-leave-from-outside");
      return this.refuse(turn, stanza, { error: { condition: "item-not-found" }, by: "service" });
    }
    room.exit(turn, occupant, { cause: "left", payload: payloadOf(stanza) });
  }

  private deliveryFailed(turn: Turn, stanza: Element, room: Room | undefined, occupant: Occupant | undefined) {
    const condition = readError(stanza)?.condition;
    if (room === undefined || occupant === undefined || condition === undefined || !GONE.has(condition))
      return turn.drop("muc-error");
    room.exit(turn, occupant, { cause: "error", codes: [333] });
  }

  private toRoom(turn: Turn, stanza: Element, sender: Sender, to: Jid, local: string) {
    const room = this.#rooms.get(local);
    const type = attr(stanza, "type");
    if (room === undefined) {
      if (type === "error" || type === "result") return turn.drop("muc-no-room");
      return this.refuse(turn, stanza, { error: { condition: "item-not-found" }, by: "service" });
    }
    if (stanza.getName() === "message") {
      const occupant = room.occupantOf(sender);
      if (type === "error" && to.resource === undefined) return this.deliveryFailed(turn, stanza, room, occupant);
      if (to.resource !== undefined) return privateMessage(this, turn, room, occupant, to.resource, stanza);
      if (type === "groupchat") return groupchat(this, turn, room, occupant, stanza);
      return roomMessage(this, turn, room, sender, stanza);
    }
    if (stanza.getName() !== "iq") return turn.drop("muc-unknown-stanza");
    if (to.resource !== undefined) return occupantIq(this, turn, room, sender, to.resource, stanza);
    if (type === "result" || type === "error") return turn.drop("muc-unasked-answer");
    this.roomIq(turn, stanza, sender, room, type);
  }

  private roomIq(turn: Turn, stanza: Element, sender: Sender, room: Room, type: string | undefined) {
    const query = stanza.getChildElements()[0];
    const ns = query?.getNS();
    if (query === undefined || (type !== "get" && type !== "set"))
      return this.refuse(turn, stanza, { error: { condition: "bad-request" } });
    if (ns === NS.mucAdmin) return handleAdmin(this, turn, room, sender, stanza, query, type);
    if (ns === NS.mucOwner) return handleOwner(this, turn, room, sender, stanza, query, type);
    if (type === "get" && (ns === NS.discoInfo || ns === NS.discoItems))
      return answerRoomDisco(this, turn, room, sender, stanza, query);
    if (type === "get" && ns === NS.ping) return turn.send(iqResult(stanza));
    for (const feature of this.features) {
      const answer = feature.request?.(turn, room, sender, stanza, query);
      if (answer !== undefined) return turn.send(answer);
    }
    this.refuse(turn, stanza, { error: { condition: "service-unavailable" } });
  }

  private toService(turn: Turn, stanza: Element, sender: Sender) {
    const type = attr(stanza, "type");
    if (stanza.getName() === "message" && this.options.serviceMessage !== undefined && type !== "error") {
      const error = this.options.serviceMessage(turn, stanza, sender);
      return error === undefined ? undefined : turn.send(errorReply(stanza, error));
    }
    if (stanza.getName() !== "iq") {
      if (stanza.getName() === "presence" || type === "error") return turn.drop("muc-service-stanza");
      return turn.send(errorReply(stanza, { condition: "service-unavailable" }));
    }
    if (type === "result" || type === "error") return turn.drop("muc-unasked-answer");
    const query = stanza.getChildElements()[0];
    if (query === undefined) return turn.send(errorReply(stanza, { condition: "bad-request" }));
    if (type === "get" && (query.getNS() === NS.discoInfo || query.getNS() === NS.discoItems))
      return answerServiceDisco(this, turn, sender, stanza, query);
    if (type === "get" && query.getNS() === NS.ping) return turn.send(iqResult(stanza));
    turn.send(errorReply(stanza, { condition: "service-unavailable" }));
  }
}
