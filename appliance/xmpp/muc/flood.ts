/**
 * What one person may make a room say: every stanza to a room goes out to all in it, so a flood from one connection would be a flood to everybody.
 * Presence above its budget is not lost but told late, the latest state only; joins and groupchat above theirs are refused with wait/policy-violation.
 * Services are exempt. (Bytes and stanzas a connection may send at all are the stream's affair.)
 */
import { type Deadline, Deadlines } from "../../deadlines.ts";
import { later } from "../../time.ts";
import { bareText } from "../../wire/jid.ts";
import type { StanzaError } from "../../wire/stanza.ts";
import type { Element } from "../../wire/xml.ts";
import type { Sender } from "../host.ts";
import { Budgets, type Rate, TOO_FAST } from "./budgets.ts";
import type { JoinRequest, RoomFeature } from "./feature.ts";
import type { Occupant } from "./occupants.ts";
import { refuse } from "./refusal.ts";
import type { Room } from "./room.ts";
import type { Turn } from "./turn.ts";

/** Generous for people: a busy participant mutes, raises a hand or shares a few times a second at most. */
export const FLOOD_RATES = {
  joins: { burst: 10, perSecond: 1 },
  presence: { burst: 20, perSecond: 5 },
  groupchat: { burst: 50, perSecond: 10 },
} as const satisfies Record<string, Rate>;

/** Characters of one guest's presence, all names and values together: each occupant's last is kept and told to every newcomer. */
export const MAX_PRESENCE = 16_384;

const TOO_BIG: StanzaError = { condition: "policy-violation", text: "Presence is too big" };

interface Late {
  readonly room: Room;
  readonly occupant: Occupant;
  presence: Element;
  sender: Sender;
}

export class FloodGuard implements RoomFeature {
  readonly #joins = new Budgets(FLOOD_RATES.joins);
  readonly #presence = new Budgets(FLOOD_RATES.presence);
  readonly #groupchat = new Budgets(FLOOD_RATES.groupchat);
  /** By occupant address; at most one each. */
  readonly #late = new Map<string, Late>();
  readonly #deadlines = new Deadlines();

  checkJoin(turn: Turn, join: JoinRequest): ReturnType<NonNullable<RoomFeature["checkJoin"]>> {
    const { room, sender, presence } = join;
    if (sender.admin) return undefined;
    if (bulk(presence) > MAX_PRESENCE) return refuse(TOO_BIG);
    // A budget a room: how many rooms somebody is in has a limit of its own.
    const key = `${room.jidText} ${bareText(sender.jid)}`;
    return this.#joins.take(key, turn.now) > 0 ? refuse(TOO_FAST) : undefined;
  }

  checkPresence(_room: Room, occupant: Occupant, presence: Element): StanzaError | undefined {
    return !occupant.admin && bulk(presence) > MAX_PRESENCE ? TOO_BIG : undefined;
  }

  delaysPresence(turn: Turn, room: Room, occupant: Occupant, presence: Element, sender: Sender): boolean {
    if (occupant.admin) return false;
    const address = room.occupantJid(occupant);
    const late = this.#late.get(address);
    if (late !== undefined) {
      Object.assign(late, { presence, sender });
      return true;
    }
    const waitMs = this.#presence.take(address, turn.now);
    if (waitMs === 0) return false;
    this.#late.set(address, { room, occupant, presence, sender });
    this.#deadlines.set(address, later(turn.now, waitMs));
    return true;
  }

  groupchat(turn: Turn, _room: Room, occupant: Occupant): StanzaError | undefined {
    if (occupant.admin) return undefined;
    return this.#groupchat.take(occupant.bareText, turn.now) > 0 ? TOO_FAST : undefined;
  }

  left(_turn: Turn, room: Room, occupant: Occupant): void {
    const address = room.occupantJid(occupant);
    this.#late.delete(address);
    this.#deadlines.clear(address);
  }

  nextDeadline(): Deadline | undefined {
    return this.#deadlines.soonest();
  }

  handleTimeout(turn: Turn): void {
    for (const address of this.#deadlines.due(turn.now)) {
      const late = this.#late.get(address);
      this.#late.delete(address);
      if (late === undefined || late.room.occupants.byJid(late.occupant.jidText) !== late.occupant) continue;
      this.#presence.take(address, turn.now);
      late.room.update(turn, late.sender, late.occupant, late.presence);
    }
  }
}

/** Characters of names, values and texts; stops counting once it is too much. */
function bulk(element: Element): number {
  let sum = element.name.length;
  for (const [name, value] of Object.entries(element.attrs)) sum += name.length + (value?.length ?? 0);
  for (const each of element.children) {
    if (sum > MAX_PRESENCE) return sum;
    sum += typeof each === "string" ? each.length : bulk(each);
  }
  return sum;
}
