/**
 * Joins wait until the focus is in the room (signaling.md 3.2): at most 500 a room, each for at most 15 s; then the client is told that there is
 * no such room, upon which it asks the focus again.
 */
import { Deadlines } from "../../deadlines.ts";
import { later, type Millis, seconds } from "../../time.ts";
import { jidText } from "../../wire/jid.ts";
import { NS } from "../../wire/namespaces.ts";
import { type Element, xml } from "../../wire/xml.ts";
import type { Sender } from "../host.ts";
import type { JoinRequest, RoomFeature } from "../muc/feature.ts";
import { refuse } from "../muc/refusal.ts";
import type { Room } from "../muc/room.ts";
import type { MucService } from "../muc/service.ts";
import type { Turn } from "../muc/turn.ts";

const MAX_HELD_PER_ROOM = 500;
const MAX_ROOMS = 2_000;
const PATIENCE = seconds(15);

interface Held {
  readonly presence: Element;
  readonly sender: Sender;
  readonly nick: string;
  readonly until: Millis;
}

export class HoldUntilFocus implements RoomFeature {
  /** By room address, then by real full address, in order of arrival. */
  readonly #held = new Map<string, Map<string, Held>>();
  readonly #deadlines = new Deadlines();
  #service: MucService | undefined;

  /** `focusAccount`: bare address of the focus. */
  constructor(private readonly focusAccount: string) {}

  attach(service: MucService): void {
    this.#service = service;
  }

  isFocus(occupant: { readonly bareText: string; readonly nick: string }): boolean {
    return occupant.bareText === this.focusAccount && occupant.nick === "focus";
  }

  checkJoin(turn: Turn, join: JoinRequest): ReturnType<NonNullable<RoomFeature["checkJoin"]>> {
    const { room, sender, nick, presence } = join;
    if (sender.admin) return undefined;
    const focus = room.occupants.byNick("focus");
    if (focus !== undefined && this.isFocus(focus)) return undefined;
    const full = refuse({ condition: "resource-constraint" });
    let queue = this.#held.get(room.jidText);
    if (queue === undefined) {
      if (this.#held.size >= MAX_ROOMS) return full;
      queue = new Map();
      this.#held.set(room.jidText, queue);
    }
    const address = jidText(sender.jid);
    if (!queue.has(address) && queue.size >= MAX_HELD_PER_ROOM) return full;
    queue.set(address, { presence, sender, nick, until: later(turn.now, PATIENCE) });
    this.#plan(room.jidText, queue);
    return { type: "hold" };
  }

  joined(turn: Turn, room: Room, occupant: { readonly bareText: string; readonly nick: string }): void {
    if (!this.isFocus(occupant)) return;
    const queue = this.#held.get(room.jidText);
    const local = room.jid.local;
    if (queue === undefined || local === undefined) return;
    this.#forget(room.jidText);
    for (const held of queue.values()) this.#service?.join(turn, held.presence, held.sender, local, held.nick);
  }

  roomDestroyed(turn: Turn, room: Room): void {
    const queue = this.#held.get(room.jidText);
    if (queue === undefined) return;
    this.#forget(room.jidText);
    for (const held of queue.values()) this.#giveUp(turn, held);
  }

  joinWithdrawn(room: string, jid: Sender["jid"]): boolean {
    const queue = this.#held.get(room);
    const found = queue?.delete(jidText(jid)) === true;
    if (queue?.size === 0) this.#forget(room);
    return found;
  }

  sessionClosed(_turn: Turn, jid: Sender["jid"]): void {
    for (const room of [...this.#held.keys()]) this.joinWithdrawn(room, jid);
  }

  nextDeadline(): ReturnType<Deadlines["soonest"]> {
    return this.#deadlines.soonest();
  }

  handleTimeout(turn: Turn): void {
    for (const room of this.#deadlines.due(turn.now)) {
      const queue = this.#held.get(room);
      if (queue === undefined) continue;
      for (const [address, held] of queue) {
        if (held.until > turn.now) continue;
        queue.delete(address);
        this.#giveUp(turn, held);
      }
      if (queue.size === 0) this.#forget(room);
      else this.#plan(room, queue);
    }
  }

  #giveUp(turn: Turn, held: Held): void {
    this.#service?.refuse(turn, held.presence, {
      error: {
        condition: "not-allowed",
        text: "Room creation is restricted",
        extra: [xml("room-does-not-exist", { xmlns: NS.jitmeet })],
      },
      by: "service",
    });
  }

  #plan(room: string, queue: ReadonlyMap<string, Held>): void {
    const first = queue.values().next().value;
    if (first !== undefined) this.#deadlines.set(room, first.until);
  }

  #forget(room: string): void {
    this.#held.delete(room);
    this.#deadlines.clear(room);
  }
}
