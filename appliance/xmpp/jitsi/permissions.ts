/**
 * Permissions in presence, signaling.md 3.2 and 6.9: a new moderator whose token names no features is told all default ones, behind the
 * muc#user element of his self-presence.
 */
import { NS } from "../../wire/namespaces.ts";
import { type Element, xml } from "../../wire/xml.ts";
import type { RoomChange, RoomFeature, SelfPresenceOccasion } from "../muc/feature.ts";
import type { Occupant } from "../muc/occupants.ts";
import type { Room } from "../muc/room.ts";
import type { Turn } from "../muc/turn.ts";
import { tokenContext } from "./token-claims.ts";

const DEFAULT_PERMISSIONS = [
  "livestreaming",
  "recording",
  "transcription",
  "outbound-call",
  "create-polls",
  "send-groupchat",
  "send-private-message",
  "flip",
  "live-translation",
  "live-translation-subscribe",
] as const;

const told = Symbol("permissions told");

export const permissions: RoomFeature = {
  beforeSelfPresence(_turn: Turn, _room: Room, occupant: Occupant, occasion: SelfPresenceOccasion): void {
    if (occasion !== "update") occupant.notes.delete(told);
  },
  selfPresence(_room: Room, occupant: Occupant): readonly Element[] {
    if (occupant.admin || occupant.role !== "moderator" || occupant.notes.get(told) === true) return [];
    if (tokenContext(occupant.connection)?.features !== undefined) return [];
    occupant.notes.set(told, true);
    return [
      xml(
        "permissions",
        { xmlns: NS.jitmeet },
        DEFAULT_PERMISSIONS.map((name) => xml("p", { name, val: true })),
      ),
    ];
  },
  standingChanged(_turn: Turn, _room: Room, change: RoomChange): void {
    if (change.occupant.role !== "moderator") change.occupant.notes.delete(told);
  },
};
