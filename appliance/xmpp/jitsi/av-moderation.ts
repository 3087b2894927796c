/**
 * AV moderation, signaling.md 6.2: moderators forbid unmuting per media type and let single participants speak. The focus listens to the same
 * messages and enforces it.
 */
import { isRecord } from "../../wire/json.ts";
import type { StanzaError } from "../../wire/stanza.ts";
import { attr, child, type Element } from "../../wire/xml.ts";
import type { Sender } from "../host.ts";
import type { LeaveCause, RoomChange, RoomFeature } from "../muc/feature.ts";
import type { Occupant } from "../muc/occupants.ts";
import type { Room } from "../muc/room.ts";
import { RoomSlot } from "../muc/slot.ts";
import type { Turn } from "../muc/turn.ts";
import { jsonMessage, UNHEARD } from "./component.ts";
import type { Meetings } from "./meetings.ts";
import type { RoomMetadata } from "./room-metadata.ts";

const MEDIA_TYPES = ["audio", "video", "desktop"] as const;
type MediaType = (typeof MEDIA_TYPES)[number];
const readMediaType = (text: string | undefined): MediaType | undefined => MEDIA_TYPES.find((each) => each === text);

interface Moderation {
  /** Occupant address of whoever switched it on. */
  readonly actor: string;
  /** Occupant addresses. */
  readonly whitelist: Set<string>;
}

export class AvModeration implements RoomFeature {
  readonly #slot = new RoomSlot<Map<MediaType, Moderation>>(() => new Map());

  constructor(
    private readonly domain: string,
    private readonly metadata: RoomMetadata,
  ) {}

  command(meetings: Meetings, turn: Turn, message: Element, sender: Sender): StanzaError | undefined {
    const element = child(message, "av_moderation");
    const found = meetings.of(sender);
    if (element === undefined || found === undefined || found.occupant.role !== "moderator") return UNHEARD;
    const mediaType = readMediaType(attr(element, "mediaType"));
    if (mediaType === undefined) return { condition: "bad-request" };
    const { room, occupant } = found;
    const enable = attr(element, "enable");
    if (enable !== undefined) {
      if (enable === "true") this.#enable(turn, room, occupant, mediaType);
      else this.#disable(turn, room, occupant, mediaType);
      return undefined;
    }
    const allowed = attr(element, "jidToWhitelist");
    const forbidden = attr(element, "jidToBlacklist");
    const target = this.#occupantAt(room, allowed ?? forbidden);
    if (target === undefined) return { condition: "item-not-found" };
    if (allowed !== undefined) this.#approve(turn, room, occupant, target, mediaType);
    else this.#reject(turn, room, target, mediaType);
    return undefined;
  }

  welcome(turn: Turn, room: Room, occupant: Occupant): void {
    const moderations = this.#slot.of(room);
    for (const [mediaType, { actor }] of moderations) this.#tellSwitch(turn, room, occupant, mediaType, true, actor);
    if (occupant.role === "moderator") this.#tellLists(turn, room, [...moderations.keys()], false, [occupant]);
  }

  standingChanged(turn: Turn, room: Room, change: RoomChange): void {
    if (change.occupant.role !== "moderator" || change.roleBefore === "moderator") return;
    this.#tellLists(turn, room, [...this.#slot.of(room).keys()], false, [change.occupant]);
  }

  /** An approval ends with the occupancy: somebody else may come under that nick. */
  left(_turn: Turn, room: Room, occupant: Occupant, _cause: LeaveCause): void {
    for (const { whitelist } of this.#slot.of(room).values()) whitelist.delete(room.occupantJid(occupant));
  }

  #enable(turn: Turn, room: Room, actor: Occupant, mediaType: MediaType): void {
    const moderations = this.#slot.of(room);
    if (moderations.has(mediaType)) return;
    const address = room.occupantJid(actor);
    moderations.set(mediaType, { actor: address, whitelist: new Set([address]) });
    this.#startMuted(turn, room, mediaType, true);
    for (const each of room.occupants.all()) this.#tellSwitch(turn, room, each, mediaType, true, address);
    this.#tellLists(turn, room, [mediaType], false, room.occupants.all());
  }

  #disable(turn: Turn, room: Room, actor: Occupant, mediaType: MediaType): void {
    if (!this.#slot.of(room).delete(mediaType)) return;
    this.#startMuted(turn, room, mediaType, false);
    const address = room.occupantJid(actor);
    for (const each of room.occupants.all()) this.#tellSwitch(turn, room, each, mediaType, false, address);
  }

  #approve(turn: Turn, room: Room, actor: Occupant, target: Occupant, mediaType: MediaType): void {
    const moderation = this.#slot.of(room).get(mediaType);
    if (moderation === undefined) {
      // Off: the same command asks somebody to unmute (signaling.md 6.2).
      const json = {
        type: "av_moderation",
        room: room.jidText,
        approved: true,
        mediaType,
        from: room.occupantJid(actor),
      };
      turn.send(jsonMessage(this.domain, target.jidText, json));
      return;
    }
    moderation.whitelist.add(room.occupantJid(target));
    this.#tellLists(turn, room, [mediaType], false, room.occupants.all());
    this.#tellOne(turn, room, target, mediaType, { approved: true });
  }

  #reject(turn: Turn, room: Room, target: Occupant, mediaType: MediaType): void {
    const moderation = this.#slot.of(room).get(mediaType);
    if (moderation === undefined) return;
    moderation.whitelist.delete(room.occupantJid(target));
    this.#tellOne(turn, room, target, mediaType, { removed: true });
    this.#tellLists(turn, room, [mediaType], true, room.occupants.all());
  }

  /** Only newcomers need to know, and they learn it with the metadata before their self-presence. */
  #startMuted(turn: Turn, room: Room, mediaType: MediaType, muted: boolean): void {
    if (mediaType === "desktop") return;
    const before = this.metadata.get(room, "startMuted");
    const policy = isRecord(before) ? before : {};
    const after = { ...policy, [mediaType]: muted };
    const any = Object.values(after).includes(true);
    this.metadata.set(turn, room, "startMuted", any ? after : undefined, false);
  }

  #tellSwitch(turn: Turn, room: Room, to: Occupant, mediaType: MediaType, enabled: boolean, actor: string): void {
    const json = { type: "av_moderation", enabled, room: room.jidText, actor, mediaType };
    turn.send(jsonMessage(this.domain, to.jidText, json));
  }

  #tellOne(turn: Turn, room: Room, to: Occupant, mediaType: MediaType, what: object): void {
    turn.send(jsonMessage(this.domain, to.jidText, { type: "av_moderation", room: room.jidText, ...what, mediaType }));
  }

  #tellLists(turn: Turn, room: Room, mediaTypes: readonly MediaType[], removed: boolean, to: Iterable<Occupant>): void {
    if (mediaTypes.length === 0) return;
    const whitelists: Record<string, readonly string[]> = {};
    for (const [mediaType, { whitelist }] of this.#slot.of(room)) whitelists[mediaType] = [...whitelist];
    for (const moderator of to) {
      if (moderator.role !== "moderator") continue;
      for (const mediaType of mediaTypes) {
        const json = {
          type: "av_moderation",
          room: room.jidText,
          whitelists,
          mediaType,
          ...(removed ? { removed } : {}),
        };
        turn.send(jsonMessage(this.domain, moderator.jidText, json));
      }
    }
  }

  #occupantAt(room: Room, address: string | undefined): Occupant | undefined {
    const prefix = `${room.jidText}/`;
    return address?.startsWith(prefix) === true ? room.occupants.byNick(address.slice(prefix.length)) : undefined;
  }
}
