/**
 * Events for outside systems, signaling.md 6.10: rooms made and ended, people come and gone, as POSTed JSON; up to three more tries on a 5xx answer.
 * The focus is no occupant here.
 */
import { type Deadline, Deadlines, soonest } from "../../deadlines.ts";
import { type EpochMillis, later, type Millis, seconds } from "../../time.ts";
import { attr, childText, type Element } from "../../wire/xml.ts";
import type { HttpAnswer, HttpRequest } from "../host.ts";
import type { LeaveCause, RoomFeature } from "../muc/feature.ts";
import type { Occupant } from "../muc/occupants.ts";
import type { Room } from "../muc/room.ts";
import { RoomSlot } from "../muc/slot.ts";
import type { Turn } from "../muc/turn.ts";
import { displayName } from "./component.ts";

interface Attendee {
  readonly occupant_jid: string;
  readonly joined_at: number;
  left_at?: number;
  readonly name: string | undefined;
  readonly id: string | undefined;
  readonly email: string | undefined;
}

interface Pending {
  readonly request: HttpRequest;
  tries: number;
}

export interface EventSyncOptions {
  /** `https://example.org/hooks`. */
  readonly urlPrefix: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly newId: () => string;
  readonly toEpoch: (now: Millis) => EpochMillis;
  /** The meeting of a breakout room; undefined for meetings. */
  readonly mainOf: (room: Room) => Room | undefined;
}

const MAX_PENDING = 100;
const MAX_TRIES = 4;
const RETRY_AFTER = seconds(3);
/** An answer that has not come by then never will: the request was not even made. */
const ABANDON_AFTER = seconds(30);
/** People remembered for the last event of a room. */
const MAX_ATTENDEES = 2_000;

export class EventSync implements RoomFeature {
  readonly #attendees = new RoomSlot<Attendee[]>(() => []);
  readonly #present = new RoomSlot<Map<Occupant, Attendee>>(() => new Map());
  readonly #pending = new Map<string, Pending>();
  readonly #retries = new Deadlines();
  readonly #abandon = new Deadlines();

  constructor(private readonly options: EventSyncOptions) {}

  roomCreated(turn: Turn, room: Room): void {
    this.#post(turn, "room/created", { event_name: "muc-room-created", ...this.#about(room) });
  }

  roomDestroyed(turn: Turn, room: Room): void {
    this.#post(turn, "room/destroyed", {
      event_name: "muc-room-destroyed",
      ...this.#about(room),
      destroyed_at: this.#seconds(turn),
      all_occupants: this.#attendees.of(room),
    });
  }

  joined(turn: Turn, room: Room, occupant: Occupant): void {
    if (occupant.admin) return;
    const attendee: Attendee = { ...about(room, occupant), joined_at: this.#seconds(turn) };
    const present = this.#present.of(room);
    present.set(occupant, attendee);
    const attendees = this.#attendees.of(room);
    if (attendees.length < MAX_ATTENDEES) attendees.push(attendee);
    this.#post(turn, "occupant/joined", {
      event_name: "muc-occupant-joined",
      ...this.#about(room),
      occupant: attendee,
      active_occupants_count: present.size,
    });
  }

  left(turn: Turn, room: Room, occupant: Occupant, _cause: LeaveCause): void {
    const present = this.#present.of(room);
    const attendee = present.get(occupant);
    if (attendee === undefined) return;
    present.delete(occupant);
    attendee.left_at = this.#seconds(turn);
    this.#post(turn, "occupant/left", {
      event_name: "muc-occupant-left",
      ...this.#about(room),
      occupant: attendee,
      active_occupants_count: present.size,
    });
  }

  httpAnswered(turn: Turn, id: string, answer: HttpAnswer): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#abandon.clear(id);
    const again = (answer.status >= 500 || answer.status === 0) && pending.tries < MAX_TRIES;
    if (again) this.#retries.set(id, later(turn.now, RETRY_AFTER));
    else {
      this.#pending.delete(id);
      if (answer.status < 200 || answer.status > 299) turn.drop("event-sync-failed");
    }
  }

  nextDeadline(): Deadline | undefined {
    return soonest(this.#retries.soonest(), this.#abandon.soonest());
  }

  handleTimeout(turn: Turn): void {
    for (const id of this.#retries.due(turn.now)) {
      const pending = this.#pending.get(id);
      if (pending === undefined) continue;
      pending.tries++;
      this.#abandon.set(id, later(turn.now, ABANDON_AFTER));
      turn.act({ type: "http", id, request: pending.request });
    }
    for (const id of this.#abandon.due(turn.now)) {
      this.#pending.delete(id);
      turn.drop("event-sync-failed");
    }
  }

  #about(room: Room): Readonly<Record<string, unknown>> {
    const main = this.options.mainOf(room);
    return {
      room_name: (main ?? room).jid.local,
      room_jid: (main ?? room).jidText,
      is_breakout: main !== undefined,
      breakout_room_id: main === undefined ? undefined : room.jid.local,
      created_at: Math.floor(room.createdEpoch / 1_000),
    };
  }

  #seconds(turn: Turn): number {
    return Math.floor(this.options.toEpoch(turn.now) / 1_000);
  }

  #post(turn: Turn, path: string, event: object): void {
    if (this.#pending.size >= MAX_PENDING) {
      turn.drop("event-sync-full");
      return;
    }
    const id = this.options.newId();
    const request: HttpRequest = {
      method: "POST",
      url: `${this.options.urlPrefix}/events/${path}`,
      headers: { ...this.options.headers, "content-type": "application/json" },
      body: JSON.stringify(event),
    };
    this.#pending.set(id, { request, tries: 1 });
    this.#abandon.set(id, later(turn.now, ABANDON_AFTER));
    turn.act({ type: "http", id, request });
  }
}

function about(room: Room, occupant: Occupant): Omit<Attendee, "joined_at"> {
  const elements = occupant.payload.children.filter((each): each is Element => typeof each !== "string");
  const identity = elements.find((each) => each.getName() === "identity");
  const user = identity?.getChild("user");
  const email = elements.find((each) => each.getName() === "email")?.getText();
  return {
    occupant_jid: room.occupantJid(occupant),
    name: (user === undefined ? undefined : childText(user, "name")) ?? displayName(occupant.payload.children),
    id: user === undefined ? undefined : (childText(user, "id") ?? attr(user, "id")),
    email: (user === undefined ? undefined : childText(user, "email")) ?? email,
  };
}
