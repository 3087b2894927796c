/**
 * Speaker statistics, signaling.md 6.6: who was dominant speaker for how long, by what clients report of themselves; told to newcomers.
 */
import { type Millis, millis } from "../../time.ts";
import type { StanzaError } from "../../wire/stanza.ts";
import { attr, child, type Element } from "../../wire/xml.ts";
import type { Sender } from "../host.ts";
import type { LeaveCause, RoomFeature } from "../muc/feature.ts";
import type { Occupant } from "../muc/occupants.ts";
import type { Room } from "../muc/room.ts";
import { RoomSlot } from "../muc/slot.ts";
import type { Turn } from "../muc/turn.ts";
import { displayName, jsonMessage, UNHEARD } from "./component.ts";
import type { Meetings } from "./meetings.ts";

interface Landmark {
  readonly faceExpression: string;
  /** Milliseconds since 1970, as the client says. */
  readonly timestamp: number;
  /** Seconds. */
  readonly duration: number;
}

interface Speaker {
  displayName: string | undefined;
  totalMs: number;
  readonly faceLandmarks: Landmark[];
}

interface State {
  /** By nick; those who left stay in the account. */
  readonly speakers: Map<string, Speaker>;
  dominant: { readonly nick: string; readonly since: Millis } | undefined;
}

const MAX_SPEAKERS = 1_000;
/** Expressions kept a participant; the oldest go. */
const MAX_LANDMARKS = 200;
const MAX_EXPRESSION_LENGTH = 64;

export class SpeakerStats implements RoomFeature {
  readonly #slot = new RoomSlot<State>(() => ({ speakers: new Map(), dominant: undefined }));

  constructor(
    private readonly domain: string,
    /** Recorders and the like have no part in it. */
    private readonly hiddenDomain: string,
  ) {}

  command(meetings: Meetings, turn: Turn, message: Element, sender: Sender): StanzaError | undefined {
    const speaking = child(message, "speakerstats");
    const face = child(message, "faceLandmarks");
    const element = speaking ?? face;
    const found = element === undefined ? undefined : meetings.at(attr(element, "room"), sender);
    if (element === undefined || found === undefined) return UNHEARD;
    const state = this.#slot.of(found.room);
    if (speaking !== undefined) this.#dominant(turn, state, found.occupant.nick, attr(speaking, "silence") === "true");
    else this.#landmark(state, found.occupant.nick, element);
    return undefined;
  }

  joined(_turn: Turn, room: Room, occupant: Occupant): void {
    if (this.#ignores(occupant)) return;
    const { speakers } = this.#slot.of(room);
    const known = speakers.get(occupant.nick);
    if (known !== undefined) known.displayName = displayName(occupant.payload.children) ?? known.displayName;
    else if (speakers.size < MAX_SPEAKERS)
      speakers.set(occupant.nick, {
        displayName: displayName(occupant.payload.children),
        totalMs: 0,
        faceLandmarks: [],
      });
  }

  presenceChanged(_turn: Turn, room: Room, occupant: Occupant): void {
    const known = this.#slot.of(room).speakers.get(occupant.nick);
    if (known !== undefined) known.displayName = displayName(occupant.payload.children) ?? known.displayName;
  }

  left(turn: Turn, room: Room, occupant: Occupant, _cause: LeaveCause): void {
    const state = this.#slot.of(room);
    if (state.dominant?.nick === occupant.nick) this.#account(turn, state);
  }

  welcome(turn: Turn, room: Room, occupant: Occupant): void {
    if (occupant.admin) return;
    const state = this.#slot.of(room);
    const users: Record<string, unknown> = {};
    let count = 0;
    for (const [nick, speaker] of state.speakers) {
      // Himself only if he was here before.
      if (nick === occupant.nick && speaker.totalMs === 0 && speaker.faceLandmarks.length === 0) continue;
      const running = state.dominant?.nick === nick ? turn.now - state.dominant.since : 0;
      users[nick] = {
        displayName: speaker.displayName,
        totalDominantSpeakerTime: Math.round(speaker.totalMs + running),
        faceLandmarks: speaker.faceLandmarks,
      };
      count++;
    }
    if (count > 0) turn.send(jsonMessage(this.domain, occupant.jidText, { type: "speakerstats", users }));
  }

  #ignores(occupant: Occupant): boolean {
    return occupant.admin || occupant.jid.domain === this.hiddenDomain;
  }

  #dominant(turn: Turn, state: State, nick: string, silent: boolean): void {
    this.#account(turn, state);
    if (!silent && state.speakers.has(nick)) state.dominant = { nick, since: turn.now };
  }

  /** Ends the current speaker's time. */
  #account(turn: Turn, state: State): void {
    const { dominant } = state;
    if (dominant === undefined) return;
    const speaker = state.speakers.get(dominant.nick);
    if (speaker !== undefined) speaker.totalMs += millis(turn.now - dominant.since);
    state.dominant = undefined;
  }

  #landmark(state: State, nick: string, element: Element): void {
    const speaker = state.speakers.get(nick);
    const faceExpression = attr(element, "faceExpression") ?? "";
    const timestamp = Number(attr(element, "timestamp"));
    const duration = Number(attr(element, "duration"));
    if (speaker === undefined || faceExpression === "" || faceExpression.length > MAX_EXPRESSION_LENGTH) return;
    if (!Number.isFinite(timestamp) || !Number.isFinite(duration) || duration < 0) return;
    if (speaker.faceLandmarks.length >= MAX_LANDMARKS) speaker.faceLandmarks.shift();
    speaker.faceLandmarks.push({ faceExpression, timestamp, duration });
  }
}
