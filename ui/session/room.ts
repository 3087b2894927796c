/**
 * A room as its occupants see it (XEP-0045 in Jitsi's use; signaling.md 3): presence and messages in, events out. No IO.
 */
import { NS } from "../../appliance/wire/namespaces.ts";
import { readError } from "../../appliance/wire/stanza.ts";
import { attr, child, children, childText, type Element, text } from "../../appliance/wire/xml.ts";

export type Role = "moderator" | "participant" | "visitor" | "none";

export interface SourceInfo {
  readonly muted: boolean;
  readonly videoType: "camera" | "desktop";
}

export interface Occupant {
  /** Nick = endpoint id. */
  readonly endpoint: string;
  /** Full real JID, when the room shows it. */
  readonly realJid: string | undefined;
  readonly role: Role;
  readonly affiliation: string;
  readonly name: string | undefined;
  /** Recorder or other occupant that is not shown. */
  readonly hidden: boolean;
  /** By source name. */
  readonly sources: ReadonlyMap<string, SourceInfo>;
  /** Milliseconds since the epoch by the raiser's clock; undefined: no hand up. */
  readonly handAt: number | undefined;
  /** In the room itself: neither microphone nor speaker (product.md W10). */
  readonly companion: boolean;
  readonly features: readonly string[];
  readonly codecs: readonly string[];
}

export interface FocusState {
  readonly properties: ReadonlyMap<string, string>;
  readonly bridgeMissing: boolean;
  readonly recording: boolean;
}

export type LeaveReason = "left" | "kicked" | "banned" | "moved";

export type JoinRefusal =
  | { readonly kind: "password" }
  | { readonly kind: "members-only"; readonly lobby: string | undefined; readonly waitingForHost: boolean }
  | { readonly kind: "name-required" }
  | { readonly kind: "login-required" }
  | { readonly kind: "not-there-yet" }
  | { readonly kind: "full" }
  | { readonly kind: "banned" }
  | { readonly kind: "not-allowed"; readonly text: string }
  | { readonly kind: "other"; readonly text: string };

export interface ChatMessage {
  readonly id: string;
  /** Endpoint id. */
  readonly from: string;
  readonly body: string;
  readonly isPrivate: boolean;
  /** Milliseconds since the epoch from a delay stamp; undefined: now. */
  readonly sentAt: number | undefined;
  /** Name given by the server for somebody who is not in the room (visitor). */
  readonly senderName: string | undefined;
}

export type RoomEvent =
  | { readonly kind: "joined"; readonly self: Occupant }
  | { readonly kind: "self"; readonly self: Occupant }
  | { readonly kind: "permissions"; readonly granted: ReadonlySet<string> }
  | { readonly kind: "occupant"; readonly occupant: Occupant; readonly isNew: boolean }
  | {
      readonly kind: "left";
      readonly endpoint: string;
      readonly reason: LeaveReason;
      readonly actor: string | undefined;
    }
  | {
      readonly kind: "removed";
      readonly reason: "kicked" | "banned" | "replaced";
      readonly text: string | undefined;
      readonly actor: string | undefined;
    }
  | { readonly kind: "destroyed"; readonly text: string | undefined; readonly alternate: string | undefined }
  | { readonly kind: "self-left" }
  | { readonly kind: "refused"; readonly refusal: JoinRefusal }
  | { readonly kind: "focus"; readonly focus: FocusState }
  | { readonly kind: "focus-left" }
  | { readonly kind: "chat"; readonly message: ChatMessage }
  | { readonly kind: "chat-refused"; readonly id: string; readonly text: string }
  | { readonly kind: "json"; readonly from: string; readonly payload: Readonly<Record<string, unknown>> }
  | { readonly kind: "subject"; readonly subject: string; readonly actor: string | undefined }
  | { readonly kind: "configuration-changed" };

/** Occupants kept; a server that announces more is ignored beyond it. */
const MAX_OCCUPANTS = 1000;
const MAX_BODY = 16_384;
const NAME_LIMIT = 80;

export interface RoomOptions {
  /** Bare JID. */
  readonly room: string;
  readonly nick: string;
  /** Bare JID of the focus account, from the conference IQ. */
  readonly focusUser: string | undefined;
  readonly hiddenDomain: string | undefined;
}

export class Room {
  readonly #options: RoomOptions;
  readonly #occupants = new Map<string, Occupant>();
  #joined = false;
  #focusThere = false;

  constructor(options: RoomOptions) {
    this.#options = options;
  }

  get joined(): boolean {
    return this.#joined;
  }

  get address(): string {
    return this.#options.room;
  }

  get self(): string {
    return this.#options.nick;
  }

  get focusThere(): boolean {
    return this.#focusThere;
  }

  get focusAddress(): string {
    return `${this.#options.room}/focus`;
  }

  occupant(endpoint: string): Occupant | undefined {
    return this.#occupants.get(endpoint);
  }

  get occupants(): readonly Occupant[] {
    return [...this.#occupants.values()];
  }

  /** Presence or message from this room; what comes from elsewhere gives nothing. */
  handle(stanza: Element): readonly RoomEvent[] {
    const from = attr(stanza, "from") ?? "";
    const slash = from.indexOf("/");
    const bare = slash === -1 ? from : from.slice(0, slash);
    if (bare.toLowerCase() !== this.#options.room.toLowerCase()) return [];
    const nick = slash === -1 ? undefined : from.slice(slash + 1);
    if (stanza.getName() === "presence") return nick === undefined ? [] : this.#presence(stanza, nick);
    return stanza.getName() === "message" ? this.#message(stanza, nick) : [];
  }

  #presence(stanza: Element, nick: string): readonly RoomEvent[] {
    const type = attr(stanza, "type");
    if (type === "error")
      return nick === this.#options.nick || !this.#joined ? [{ kind: "refused", refusal: readRefusal(stanza) }] : [];
    const user = child(stanza, "x", NS.mucUser);
    if (type === "unavailable") return this.#unavailable(stanza, user, nick);
    if (type !== undefined) return [];
    const item = user === undefined ? undefined : child(user, "item");
    const isSelf = nick === this.#options.nick;
    if (user === undefined || (item === undefined && !isSelf)) return []; // without an item nobody is known (signaling.md 3.2)
    const occupant = readOccupant(stanza, item, nick, this.#options.hiddenDomain);
    if (this.#isFocus(occupant)) {
      this.#focusThere = true;
      return [{ kind: "focus", focus: readFocus(stanza) }];
    }
    if (isSelf) return this.#ownPresence(stanza, occupant);
    const known = this.#occupants.has(nick);
    if (!known && this.#occupants.size >= MAX_OCCUPANTS) return [];
    this.#occupants.set(nick, occupant);
    return [{ kind: "occupant", occupant, isNew: !known }];
  }

  #ownPresence(stanza: Element, occupant: Occupant): readonly RoomEvent[] {
    const events: RoomEvent[] = [];
    const first = !this.#joined;
    this.#joined = true;
    this.#occupants.set(occupant.endpoint, occupant);
    events.push({ kind: first ? "joined" : "self", self: occupant });
    const permissions = child(stanza, "permissions", NS.jitmeet);
    if (permissions !== undefined)
      events.push({
        kind: "permissions",
        granted: new Set(
          children(permissions, "p").flatMap((each) =>
            attr(each, "val") === "true" ? (attr(each, "name") ?? []) : [],
          ),
        ),
      });
    return events;
  }

  #isFocus(occupant: Occupant): boolean {
    const { focusUser } = this.#options;
    if (occupant.endpoint !== "focus") return false;
    // COMPAT: an anonymous room shows no real JID; then the nick alone has to do
    if (focusUser === undefined || occupant.realJid === undefined) return true;
    return occupant.realJid === focusUser || occupant.realJid.startsWith(`${focusUser}/`);
  }

  #unavailable(stanza: Element, user: Element | undefined, nick: string): readonly RoomEvent[] {
    if (child(stanza, "ignore", "http://jitsi.org/jitmeet/") !== undefined) return [];
    const codes = new Set(user === undefined ? [] : children(user, "status").map((each) => attr(each, "code")));
    const item = user === undefined ? undefined : child(user, "item");
    const actor = item === undefined ? undefined : child(item, "actor");
    const actorNick = actor === undefined ? undefined : attr(actor, "nick");
    const reason = item === undefined ? undefined : childText(item, "reason");
    const destroy = user === undefined ? undefined : child(user, "destroy");
    if (nick === this.#options.nick) {
      if (!this.#joined) return [];
      this.#joined = false;
      this.#occupants.clear();
      if (destroy !== undefined)
        return [{ kind: "destroyed", text: childText(destroy, "reason"), alternate: attr(destroy, "jid") }];
      if (child(stanza, "flip_device") !== undefined)
        return [{ kind: "removed", reason: "replaced", text: reason, actor: actorNick }];
      if (codes.has("307")) return [{ kind: "removed", reason: "kicked", text: reason, actor: actorNick }];
      if (codes.has("301")) return [{ kind: "removed", reason: "banned", text: reason, actor: actorNick }];
      return [{ kind: "self-left" }];
    }
    if (nick === "focus" && this.#focusThere) {
      this.#focusThere = false;
      return [{ kind: "focus-left" }];
    }
    if (!this.#occupants.delete(nick)) return [];
    const moved = childText(stanza, "status") === "switch_room";
    const why: LeaveReason = codes.has("307") ? "kicked" : codes.has("301") ? "banned" : moved ? "moved" : "left";
    return [{ kind: "left", endpoint: nick, reason: why, actor: actorNick }];
  }

  #message(stanza: Element, nick: string | undefined): readonly RoomEvent[] {
    const type = attr(stanza, "type");
    const id = attr(stanza, "id") ?? "";
    if (type === "error") {
      const error = readError(stanza);
      return [{ kind: "chat-refused", id, text: error?.text ?? error?.condition ?? "" }];
    }
    const events: RoomEvent[] = [];
    const user = child(stanza, "x", NS.mucUser);
    if (user !== undefined && children(user, "status").some((each) => attr(each, "code") === "104"))
      events.push({ kind: "configuration-changed" });
    const subject = child(stanza, "subject");
    const body = childText(stanza, "body");
    if (subject !== undefined && body === undefined && type === "groupchat")
      events.push({ kind: "subject", subject: text(subject).slice(0, 200), actor: nick });
    const delay = child(stanza, "delay", NS.delay);
    const stamp = delay === undefined ? Number.NaN : Date.parse(attr(delay, "stamp") ?? "");
    const json = child(stanza, "json-message", NS.jitmeet);
    if (json !== undefined && delay === undefined) {
      const payload = readJson(text(json));
      if (payload !== undefined) events.push({ kind: "json", from: nick ?? "", payload });
    } else if (body !== undefined && nick !== undefined && (type === "groupchat" || type === "chat")) {
      const named = child(stanza, "display-name", "http://jitsi.org/protocol/display-name");
      events.push({
        kind: "chat",
        message: {
          id,
          from: nick,
          body: body.slice(0, MAX_BODY),
          isPrivate: type === "chat",
          sentAt: Number.isNaN(stamp) ? undefined : stamp,
          senderName: named === undefined ? undefined : text(named).slice(0, NAME_LIMIT),
        },
      });
    }
    return events;
  }
}

/** JSON of a json-message: an object with a `type`; anything else is dropped. */
export function readJson(source: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(source);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    const payload = value as Record<string, unknown>;
    return typeof payload["type"] === "string" ? payload : undefined;
  } catch {
    return undefined; // not JSON: other clients' business
  }
}

function readOccupant(
  stanza: Element,
  item: Element | undefined,
  endpoint: string,
  hiddenDomain: string | undefined,
): Occupant {
  const role = item === undefined ? undefined : attr(item, "role");
  const realJid = item === undefined ? undefined : attr(item, "jid");
  const identity = child(stanza, "identity");
  const identityUser = identity === undefined ? undefined : child(identity, "user");
  const name = childText(stanza, "nick", NS.nick) ?? (identityUser && childText(identityUser, "name"));
  const hand = childText(stanza, "jitsi_participant_raisedHand");
  const handAt = hand === undefined || hand === "" ? undefined : Number(hand);
  const features = child(stanza, "features");
  return {
    endpoint,
    realJid,
    role: role === "moderator" || role === "visitor" || role === "none" ? role : "participant",
    affiliation: (item && attr(item, "affiliation")) ?? "none",
    name: name === undefined || name.trim() === "" ? undefined : name.trim().slice(0, NAME_LIMIT),
    hidden: hiddenDomain !== undefined && (realJid ?? "").includes(`@${hiddenDomain}`),
    sources: readSourceInfo(stanza, endpoint),
    handAt: handAt === undefined || !Number.isFinite(handAt) ? undefined : handAt,
    companion:
      childText(stanza, "silent") === "true" || childText(stanza, "jitsi_participant_parley_companion") === "true",
    features: features === undefined ? [] : children(features, "feature").flatMap((each) => attr(each, "var") ?? []),
    codecs: (childText(stanza, "jitsi_participant_codecList") ?? "").split(",").filter((each) => each !== ""),
  };
}

/** `SourceInfo`: the mute signal (signaling.md 3.1); names of others' sources are ignored. Older senders: audiomuted, videomuted. */
function readSourceInfo(stanza: Element, endpoint: string): ReadonlyMap<string, SourceInfo> {
  const found = new Map<string, SourceInfo>();
  const source = childText(stanza, "SourceInfo");
  if (source === undefined) {
    // COMPAT: jigasi and other senders without SourceInfo
    const audio = childText(stanza, "audiomuted");
    const video = childText(stanza, "videomuted");
    const desktop = childText(stanza, "videoType") === "desktop";
    if (audio !== undefined) found.set(`${endpoint}-a0`, { muted: audio === "true", videoType: "camera" });
    if (video !== undefined)
      found.set(`${endpoint}-v0`, { muted: video === "true", videoType: desktop ? "desktop" : "camera" });
    return found;
  }
  try {
    const value: unknown = JSON.parse(source);
    if (typeof value !== "object" || value === null) return found;
    for (const [name, info] of Object.entries(value).slice(0, 20)) {
      if (!name.startsWith(`${endpoint}-`) || typeof info !== "object" || info === null) continue;
      const { muted, videoType } = info as Record<string, unknown>;
      found.set(name, { muted: muted !== false, videoType: videoType === "desktop" ? "desktop" : "camera" });
    }
  } catch {
    // Not JSON: this occupant shows no sources.
  }
  return found;
}

function readFocus(stanza: Element): FocusState {
  const properties = child(stanza, "conference-properties", NS.focus);
  return {
    properties: new Map(
      properties === undefined
        ? []
        : children(properties, "property").map((each) => [attr(each, "key") ?? "", attr(each, "value") ?? ""] as const),
    ),
    bridgeMissing: child(stanza, "bridgeNotAvailable", NS.focus) !== undefined,
    recording: children(stanza, "jibri-recording-status", NS.jibri).some((each) => attr(each, "status") === "on"),
  };
}

/** Why a join was refused, signaling.md 3.7. */
export function readRefusal(stanza: Element): JoinRefusal {
  const error = child(stanza, "error");
  const parsed = readError(stanza);
  const has = (name: string): Element | undefined => (error === undefined ? undefined : child(error, name));
  const message = parsed?.text ?? "";
  if (has("registration-required") !== undefined) {
    const lobby = has("lobbyroom") ?? child(stanza, "lobbyroom");
    return {
      kind: "members-only",
      lobby: lobby === undefined ? undefined : text(lobby),
      waitingForHost: has("waiting-for-host") !== undefined,
    };
  }
  if (has("displayname-required") !== undefined) return { kind: "name-required" };
  if (has("not-authorized") !== undefined) return { kind: "password" };
  if (has("service-unavailable") !== undefined) return { kind: "full" };
  if (has("authentication-required") !== undefined) return { kind: "login-required" };
  if (has("room-does-not-exist") !== undefined || message === "Room creation is restricted")
    return { kind: "not-there-yet" };
  if (has("forbidden") !== undefined) return { kind: "banned" };
  if (has("not-allowed") !== undefined) return { kind: "not-allowed", text: message };
  return { kind: "other", text: message === "" ? (parsed?.condition ?? "") : message };
}
