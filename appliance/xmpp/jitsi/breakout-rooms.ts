/**
 * Breakout rooms, signaling.md 6.4: rooms of a meeting, made, named, filled and removed by its moderators; everybody in the meeting and its rooms
 * is told who is where. The meeting stays while anybody is in one of them, and 5 s longer.
 */
import { type Deadline, Deadlines } from "../../deadlines.ts";
import { type EpochMillis, later, type Millis, seconds } from "../../time.ts";
import { bareText, jidText } from "../../wire/jid.ts";
import type { StanzaError } from "../../wire/stanza.ts";
import { attr, child, type Element } from "../../wire/xml.ts";
import type { Sender } from "../host.ts";
import { type Affiliation, affiliationRank } from "../muc/affiliation.ts";
import type { FormField } from "../muc/data-form.ts";
import type { LeaveCause, RoomFeature } from "../muc/feature.ts";
import type { Occupant } from "../muc/occupants.ts";
import { setPersistent } from "../muc/persistence.ts";
import type { Room } from "../muc/room.ts";
import type { MucService } from "../muc/service.ts";
import { RoomSlot } from "../muc/slot.ts";
import { setSubject } from "../muc/subject.ts";
import type { Turn } from "../muc/turn.ts";
import { displayName, jsonMessage, UNHEARD } from "./component.ts";
import { isQueried } from "./meetings.ts";

const MAX_BREAKOUTS = 100;
const MAX_SUBJECT = 256;
const MAX_KNOWN = 10_000;
/** Changes are bundled for so long (signaling.md 6.4). */
const BUNDLE = 300;
/** An empty meeting waits for somebody who is on his way. */
const GRACE = seconds(5);
const UPDATE = "features/breakout-rooms/update";
const MOVE = "features/breakout-rooms/move-to-room";

interface Meeting {
  /** Local part of the breakout room → its name. */
  readonly rooms: Map<string, string>;
  counter: number;
  /** Bare addresses that were let into the meeting; others do not get into its rooms. */
  readonly known: Set<string>;
}

const shownName = Symbol("name that was told");

/** Whether the name changed since it was told last: other presence changes are nobody's business elsewhere. */
const renamed = (occupant: Occupant): boolean =>
  occupant.notes.get(shownName) !== displayName(occupant.payload.children);

export interface BreakoutOptions {
  /** `breakout.meet.jitsi`. */
  readonly domain: string;
  readonly newId: () => string;
  readonly toEpoch: (now: Millis) => EpochMillis;
  readonly hiddenDomain: string;
}

export class BreakoutRooms {
  #meetings: MucService | undefined;
  #breakouts: MucService | undefined;
  readonly #slot = new RoomSlot<Meeting>(() => ({ rooms: new Map(), counter: 0, known: new Set() }));
  /** Local part of a breakout room → its meeting. */
  readonly #mains = new Map<string, Room>();
  /** `update <room>` and `empty <room>`. */
  readonly #deadlines = new Deadlines();

  constructor(private readonly options: BreakoutOptions) {}

  attach(meetings: MucService, breakouts: MucService): void {
    this.#meetings = meetings;
    this.#breakouts = breakouts;
  }

  mainOf(breakout: Room): Room | undefined {
    return breakout.jid.local === undefined ? undefined : this.#mains.get(breakout.jid.local);
  }

  /** The live breakout rooms of a meeting. */
  roomsOf(main: Room): Room[] {
    return [...this.#slot.of(main).rooms.keys()].flatMap((local) => this.#breakouts?.room(local) ?? []);
  }

  isBreakout(local: string): boolean {
    return this.#mains.has(local);
  }

  affiliation(breakout: Room, bare: string): Affiliation | undefined {
    return this.mainOf(breakout)?.affiliationOf(bare);
  }

  command(turn: Turn, message: Element, sender: Sender): StanzaError | undefined {
    const element = child(message, "breakout_rooms");
    const main = element === undefined ? undefined : this.#mainOf(sender);
    if (element === undefined || main === undefined) return UNHEARD;
    if (affiliationRank(main.affiliationOf(bareText(sender.jid), sender.admin)) < affiliationRank("admin"))
      return UNHEARD;
    const subject = (attr(element, "subject") ?? "").slice(0, MAX_SUBJECT);
    switch (attr(element, "type")) {
      case "features/breakout-rooms/add":
        return this.#add(turn, main, subject);
      case "features/breakout-rooms/rename":
        return this.#rename(turn, main, attr(element, "breakoutRoomJid"), subject);
      case "features/breakout-rooms/remove":
        return this.#remove(turn, main, attr(element, "breakoutRoomJid"));
      case MOVE:
        return this.#move(turn, main, attr(element, "participantJid"), attr(element, "roomJid"));
      default:
        return { condition: "bad-request" };
    }
  }

  /** For the meeting room. */
  meetingFeature(): RoomFeature {
    return {
      joined: (turn, main, occupant) => {
        const { known, counter } = this.#slot.of(main);
        if (known.size < MAX_KNOWN) known.add(occupant.bareText);
        // Even when the last room is gone: he may remember one from before he left.
        if (counter > 0 && !occupant.admin) this.#plan(turn, main);
      },
      left: (turn, main, occupant, cause) => this.#left(turn, main, occupant, cause),
      presenceChanged: (turn, main, occupant) => {
        if (renamed(occupant)) this.#planIfAny(turn, main);
      },
      standingChanged: (turn, main) => this.#planIfAny(turn, main),
      affiliationChanged: (turn, main, bare) => {
        for (const room of this.roomsOf(main)) room.refreshStanding(turn, bare);
      },
      keepsEmpty: (turn, main) => {
        if (this.#slot.of(main).rooms.size === 0) return false;
        this.#deadlines.set(`empty ${main.jid.local}`, later(turn.now, GRACE));
        return true;
      },
      roomDestroyed: (turn, main) => this.#end(turn, main),
      nextDeadline: () => this.nextDeadline(),
      handleTimeout: (turn) => this.handleTimeout(turn),
    };
  }

  /** For the breakout room. */
  breakoutFeature(): RoomFeature {
    const fields = (room: Room): readonly FormField[] => [
      { type: "boolean", name: "muc#roominfo_isbreakout", label: "Is this a breakout room?", values: ["1"] },
      {
        type: "text-single",
        name: "muc#roominfo_breakout_main_room",
        label: "The meeting of this breakout room",
        values: [this.mainOf(room)?.jidText ?? ""],
      },
    ];
    return {
      configFields: (room) => ({ section: "information", fields: fields(room) }),
      roomInfo: (room) => ({ fields: fields(room) }),
      roomCreated: (turn, room) => {
        const main = this.mainOf(room);
        const name = main === undefined ? undefined : this.#slot.of(main).rooms.get(room.jid.local ?? "");
        if (name !== undefined && name !== "") setSubject(turn, room, name, this.options.toEpoch(turn.now));
      },
      checkJoin: (_turn, join) => {
        const { sender, room } = join;
        const main = this.mainOf(room);
        if (sender.admin || sender.jid.domain === this.options.hiddenDomain) return undefined;
        if (main !== undefined && this.#slot.of(main).known.has(bareText(sender.jid))) return undefined;
        return { type: "refuse", refusal: { error: { condition: "not-allowed" } } };
      },
      joined: (turn, room) => this.#planFor(turn, room),
      left: (turn, room, occupant, cause) => {
        const main = this.mainOf(room);
        if (main === undefined) return;
        this.#left(turn, main, occupant, cause);
        if (main.occupants.size === 0) this.#deadlines.set(`empty ${main.jid.local}`, later(turn.now, GRACE));
      },
      presenceChanged: (turn, room, occupant) => {
        if (renamed(occupant)) this.#planFor(turn, room);
      },
      standingChanged: (turn, room) => this.#planFor(turn, room),
      keepsEmpty: (turn, room) => {
        this.#deadlines.set(`vacant ${room.jid.local}`, later(turn.now, GRACE));
        return true;
      },
    };
  }

  nextDeadline(): Deadline | undefined {
    return this.#deadlines.soonest();
  }

  handleTimeout(turn: Turn): void {
    for (const name of this.#deadlines.due(turn.now)) {
      const [what, local = ""] = name.split(" ", 2);
      if (what === "vacant") {
        const room = this.#breakouts?.room(local);
        if (room !== undefined && room.occupants.size === 0) room.close(turn);
        continue;
      }
      const main = this.#meetings?.room(local);
      if (main === undefined) continue;
      if (what === "update") this.#tell(turn, main);
      else if (main.occupants.size === 0 && this.roomsOf(main).every((room) => room.occupants.size === 0))
        main.close(turn);
    }
  }

  #mainOf(sender: Sender): Room | undefined {
    const full = jidText(sender.jid);
    const breakout = this.#breakouts?.roomsOf(full)[0];
    if (breakout !== undefined) return this.mainOf(breakout);
    const rooms = this.#meetings?.roomsOf(full) ?? [];
    return rooms.find((room) => isQueried(room, sender)) ?? rooms[0];
  }

  #add(turn: Turn, main: Room, subject: string): StanzaError | undefined {
    const meeting = this.#slot.of(main);
    if (meeting.rooms.size >= MAX_BREAKOUTS) return { condition: "resource-constraint" };
    const local = this.options.newId();
    meeting.counter++;
    meeting.rooms.set(local, subject);
    this.#mains.set(local, main);
    setPersistent(main, true);
    this.#plan(turn, main);
    return undefined;
  }

  #rename(turn: Turn, main: Room, address: string | undefined, subject: string): StanzaError | undefined {
    const local = this.#localOf(main, address);
    if (local === undefined) return { condition: "item-not-found" };
    this.#slot.of(main).rooms.set(local, subject);
    const room = this.#breakouts?.room(local);
    if (room !== undefined) setSubject(turn, room, subject, this.options.toEpoch(turn.now));
    this.#plan(turn, main);
    return undefined;
  }

  #remove(turn: Turn, main: Room, address: string | undefined): StanzaError | undefined {
    const local = this.#localOf(main, address);
    if (local === undefined) return { condition: "item-not-found" };
    const { rooms } = this.#slot.of(main);
    rooms.delete(local);
    if (rooms.size === 0) setPersistent(main, false);
    this.#breakouts?.room(local)?.destroy(turn, { alternate: main.jidText, reason: "Breakout room removed." });
    this.#mains.delete(local);
    this.#plan(turn, main);
    return undefined;
  }

  #move(turn: Turn, main: Room, participant: string | undefined, address: string | undefined): StanzaError | undefined {
    const target = address === main.jidText || this.#localOf(main, address) !== undefined;
    if (!target || participant === undefined) return { condition: "item-not-found" };
    const rooms = [main, ...this.roomsOf(main)];
    if (!rooms.some((room) => room.occupants.byJid(participant) !== undefined)) return { condition: "item-not-found" };
    const json = { type: "breakout_rooms", event: MOVE, roomJid: address };
    turn.send(jsonMessage(this.options.domain, participant, json));
    return undefined;
  }

  #localOf(main: Room, address: string | undefined): string | undefined {
    const suffix = `@${this.options.domain}`;
    const local = address?.endsWith(suffix) === true ? address.slice(0, -suffix.length) : undefined;
    return local !== undefined && this.#slot.of(main).rooms.has(local) ? local : undefined;
  }

  #left(turn: Turn, main: Room, occupant: Occupant, cause: LeaveCause): void {
    // Whom a moderator sent away has to pass the meeting's door again.
    if (cause === "kicked" || cause === "banned" || cause === "affiliation" || cause === "members-only")
      this.#slot.of(main).known.delete(occupant.bareText);
    if (!main.isClosed) this.#planIfAny(turn, main);
  }

  #planFor(turn: Turn, breakout: Room): void {
    const main = this.mainOf(breakout);
    if (main !== undefined) this.#plan(turn, main);
  }

  #planIfAny(turn: Turn, main: Room): void {
    if (this.#slot.of(main).rooms.size > 0) this.#plan(turn, main);
  }

  #plan(turn: Turn, main: Room): void {
    const name = `update ${main.jid.local}`;
    if (!this.#deadlines.has(name)) this.#deadlines.set(name, later(turn.now, BUNDLE));
  }

  #tell(turn: Turn, main: Room): void {
    const meeting = this.#slot.of(main);
    const about: [string, unknown][] = [
      [
        main.jid.local ?? "",
        { isMainRoom: true, id: main.jid.local, jid: main.jidText, participants: this.#participants(main) },
      ],
    ];
    const live = [main];
    for (const [local, name] of meeting.rooms) {
      const room = this.#breakouts?.room(local);
      if (room !== undefined) live.push(room);
      const participants = room === undefined ? {} : this.#participants(room);
      about.push([local, { id: local, jid: `${local}@${this.options.domain}`, name, participants }]);
    }
    // By entries: a meeting may be called `__proto__`.
    const rooms: unknown = Object.fromEntries(about);
    const json = { type: "breakout_rooms", event: UPDATE, roomCounter: meeting.counter, rooms };
    for (const room of live)
      for (const each of room.occupants.all())
        if (!each.admin) turn.send(jsonMessage(this.options.domain, each.jidText, json));
  }

  #participants(room: Room): Record<string, unknown> {
    const participants: Record<string, unknown> = {};
    for (const each of room.occupants.all()) {
      if (each.admin || each.jid.domain === this.options.hiddenDomain) continue;
      const name = displayName(each.payload.children);
      each.notes.set(shownName, name);
      participants[room.occupantJid(each)] = { jid: each.jidText, role: each.role, displayName: name };
    }
    return participants;
  }

  #end(turn: Turn, main: Room): void {
    this.#deadlines.clear(`update ${main.jid.local}`);
    this.#deadlines.clear(`empty ${main.jid.local}`);
    const { rooms } = this.#slot.of(main);
    for (const local of [...rooms.keys()]) {
      this.#breakouts?.room(local)?.destroy(turn, { reason: "The meeting has ended." });
      this.#deadlines.clear(`vacant ${local}`);
      this.#mains.delete(local);
    }
    rooms.clear();
  }
}
