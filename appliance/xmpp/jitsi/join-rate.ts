/**
 * Joins above a rate wait, a queue a room, worked off each second (signaling.md 6.8, muc_rate_limit); nobody is refused for it but by a full queue.
 * Leaves are not delayed: a ghost costs more than a burst.
 */
import { Deadlines } from "../../deadlines.ts";
import { later, type Millis, seconds } from "../../time.ts";
import { jidText } from "../../wire/jid.ts";
import type { Element } from "../../wire/xml.ts";
import type { Sender } from "../host.ts";
import type { JoinRequest, RoomFeature } from "../muc/feature.ts";
import { refuse } from "../muc/refusal.ts";
import type { Room } from "../muc/room.ts";
import type { MucService } from "../muc/service.ts";
import type { Turn } from "../muc/turn.ts";

const WINDOW = seconds(1);
const MAX_QUEUE = 1_000;

interface Waiting {
  readonly presence: Element;
  readonly sender: Sender;
  readonly nick: string;
}

interface State {
  readonly local: string;
  windowStart: Millis;
  joins: number;
  readonly queue: Map<string, Waiting>;
}

export class JoinRate implements RoomFeature {
  readonly #rooms = new Map<string, State>();
  readonly #deadlines = new Deadlines();
  #service: MucService | undefined;
  /** The join being brought again from a queue: it has waited. */
  #released: string | undefined;

  constructor(private readonly joinsPerSecond: number) {}

  attach(service: MucService): void {
    this.#service = service;
  }

  checkJoin(turn: Turn, join: JoinRequest): ReturnType<NonNullable<RoomFeature["checkJoin"]>> {
    const { room, sender, nick, presence } = join;
    const address = jidText(sender.jid);
    if (sender.admin || this.#released === address) return undefined;
    let state = this.#rooms.get(room.jidText);
    if (state === undefined) {
      state = { local: room.jid.local ?? "", windowStart: turn.now, joins: 0, queue: new Map() };
      this.#rooms.set(room.jidText, state);
    }
    if (turn.now - state.windowStart >= WINDOW) Object.assign(state, { windowStart: turn.now, joins: 0 });
    if (state.queue.size === 0 && state.joins < this.joinsPerSecond) {
      state.joins++;
      return undefined;
    }
    if (!state.queue.has(address) && state.queue.size >= MAX_QUEUE) return refuse({ condition: "resource-constraint" });
    state.queue.set(address, { presence, sender, nick });
    if (!this.#deadlines.has(room.jidText)) this.#deadlines.set(room.jidText, later(state.windowStart, WINDOW));
    return { type: "hold" };
  }

  roomDestroyed(_turn: Turn, room: Room): void {
    const state = this.#rooms.get(room.jidText);
    // Whoever still waits is told by the next try that there is no such room.
    if (state !== undefined && state.queue.size === 0) this.#rooms.delete(room.jidText);
  }

  joinWithdrawn(room: string, jid: Sender["jid"]): boolean {
    return this.#rooms.get(room)?.queue.delete(jidText(jid)) === true;
  }

  sessionClosed(_turn: Turn, jid: Sender["jid"]): void {
    const address = jidText(jid);
    for (const state of this.#rooms.values()) state.queue.delete(address);
  }

  nextDeadline(): ReturnType<Deadlines["soonest"]> {
    return this.#deadlines.soonest();
  }

  handleTimeout(turn: Turn): void {
    for (const room of this.#deadlines.due(turn.now)) {
      const state = this.#rooms.get(room);
      if (state === undefined) continue;
      Object.assign(state, { windowStart: turn.now, joins: 0 });
      for (const [address, waiting] of state.queue) {
        if (state.joins >= this.joinsPerSecond) break;
        state.queue.delete(address);
        state.joins++;
        this.#released = address;
        this.#service?.join(turn, waiting.presence, waiting.sender, state.local, waiting.nick);
        this.#released = undefined;
      }
      if (state.queue.size > 0) this.#deadlines.set(room, later(turn.now, WINDOW));
      else if (this.#service?.room(state.local) === undefined) this.#rooms.delete(room);
    }
  }
}
