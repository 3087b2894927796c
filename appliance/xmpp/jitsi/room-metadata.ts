/**
 * Room metadata, signaling.md 6.5: JSON by key, told to everybody just before his first self-presence and on every change. Moderators set keys;
 * some belong to the server alone.
 */
import { isRecord } from "../../wire/json.ts";
import type { StanzaError } from "../../wire/stanza.ts";
import { attr, child, type Element, text } from "../../wire/xml.ts";
import type { Sender } from "../host.ts";
import type { RoomFeature, SelfPresenceOccasion } from "../muc/feature.ts";
import type { Occupant } from "../muc/occupants.ts";
import type { Room } from "../muc/room.ts";
import { RoomSlot } from "../muc/slot.ts";
import type { Turn } from "../muc/turn.ts";
import { jsonMessage, readJson, UNHEARD } from "./component.ts";
import type { Meetings } from "./meetings.ts";

/** Not settable by clients (signaling.md 6.5); `lobbyEnabled` follows the lobby. */
const RESERVED: ReadonlySet<string> = new Set([
  "allownersEnabled",
  "asyncTranscription",
  "audioTranslationRequests",
  "conferencePresetsServiceEnabled",
  "dialinEnabled",
  "lobbyEnabled",
  "moderators",
  "participants",
  "participantsSoftLimit",
  "services",
  "transcriberType",
  "transcription",
  "visitorsEnabled",
]);
const MAX_KEYS = 64;
const MAX_KEY_LENGTH = 128;
/** All values of a room together, as JSON text. */
const MAX_TOTAL_LENGTH = 32_768;

const START_MUTED = "http://jitsi.org/jitmeet/start-muted";

interface State {
  /** Key → JSON text. Text, so that nobody holds on to a value inside. */
  readonly values: Map<string, string>;
  readonly told: WeakSet<Occupant>;
}

export class RoomMetadata implements RoomFeature {
  readonly #slot = new RoomSlot<State>(() => ({ values: new Map(), told: new WeakSet() }));

  constructor(
    private readonly domain: string,
    /** TURN services for this occupant, in the client's form (signaling.md 6.5). */
    private readonly services: (turn: Turn, occupant: Occupant) => readonly unknown[] = () => [],
  ) {}

  get(room: Room, key: string): unknown {
    const value = this.#slot.of(room).values.get(key);
    return value === undefined ? undefined : JSON.parse(value);
  }

  /** Sets a key in the name of the server; undefined removes it. False when it does not fit. */
  set(turn: Turn, room: Room, key: string, value: unknown, tell: boolean): boolean {
    const { values } = this.#slot.of(room);
    const json = value === undefined || value === null ? undefined : JSON.stringify(value);
    const before = values.get(key);
    if (json === before) return true;
    if (json === undefined) values.delete(key);
    else {
      if (before === undefined && values.size >= MAX_KEYS) return false;
      let total = json.length - (before?.length ?? 0);
      for (const each of values.values()) total += each.length;
      if (total > MAX_TOTAL_LENGTH) return false;
      values.set(key, json);
    }
    if (tell) for (const occupant of room.occupants.all()) this.#send(turn, room, occupant);
    return true;
  }

  /** A command to the component. */
  command(meetings: Meetings, turn: Turn, message: Element, sender: Sender): StanzaError | undefined {
    const element = child(message, "room_metadata");
    if (element === undefined) return UNHEARD;
    const found = meetings.at(attr(element, "room"), sender);
    if (found === undefined || found.occupant.role !== "moderator") return UNHEARD;
    const payload = text(element);
    if (payload.length > MAX_TOTAL_LENGTH) return { condition: "resource-constraint" };
    const json = readJson(payload);
    const key = json?.["key"];
    if (typeof key !== "string" || key === "" || key.length > MAX_KEY_LENGTH) return { condition: "bad-request" };
    if (RESERVED.has(key) && !sender.admin) return UNHEARD;
    const fits = this.set(turn, found.room, key, json?.["data"], true);
    return fits ? undefined : { condition: "resource-constraint" };
  }

  beforeSelfPresence(turn: Turn, room: Room, occupant: Occupant, occasion: SelfPresenceOccasion): void {
    const { told } = this.#slot.of(room);
    // Whoever makes the room hears of it with his next presence, as upstream has it (transcript xmpp-jicofo).
    if (occasion === "created" || (occasion === "update" && told.has(occupant))) return;
    told.add(occupant);
    this.#send(turn, room, occupant, this.services(turn, occupant));
  }

  /** COMPAT old clients: a moderator's start-muted policy in presence becomes metadata (signaling.md 5.3 c). */
  presenceChanged(turn: Turn, room: Room, occupant: Occupant): void {
    if (occupant.role !== "moderator" || occupant.admin) return;
    for (const each of occupant.payload.children) {
      if (typeof each === "string" || each.getName() !== "startmuted" || each.getNS() !== START_MUTED) continue;
      const policy = { audio: attr(each, "audio") === "true", video: attr(each, "video") === "true" };
      const before = this.get(room, "startMuted");
      const same = isRecord(before) && before["audio"] === policy.audio && before["video"] === policy.video;
      if (!same) this.set(turn, room, "startMuted", policy, true);
    }
  }

  #send(turn: Turn, room: Room, occupant: Occupant, services?: readonly unknown[]): void {
    const entries: [string, unknown][] = [];
    for (const [key, value] of this.#slot.of(room).values) entries.push([key, JSON.parse(value)]);
    if (occupant.admin) entries.push(["moderators", []]);
    else if (services !== undefined) entries.push(["services", services]);
    // By entries: a key may be `__proto__`.
    const metadata: unknown = Object.fromEntries(entries);
    turn.send(jsonMessage(this.domain, occupant.jidText, { type: "room_metadata", metadata }, room.jidText));
  }
}

/** Whether moderators have restricted something by the metadata key `permissions` (signaling.md 6.8). */
export function restriction(metadata: RoomMetadata, room: Room, name: string): boolean {
  const permissions = metadata.get(room, "permissions");
  return isRecord(permissions) && permissions[name] === true;
}
