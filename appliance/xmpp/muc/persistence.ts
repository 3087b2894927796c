/**
 * Rooms that stay when they are empty: `muc#roomconfig_persistentroom`, XEP-0045 §4.2. Only services may change it: a guest's room must not
 * outlive its guests. Features keep a room alive by `setPersistent` (lobbies).
 */
import { formBoolean } from "./data-form.ts";
import type { RoomFeature } from "./feature.ts";
import type { Room } from "./room.ts";
import { RoomSlot } from "./slot.ts";

const FIELD = "muc#roomconfig_persistentroom";
const slot = new RoomSlot<boolean>(() => false);

export const isPersistent = (room: Room): boolean => slot.of(room);
export const setPersistent = (room: Room, persistent: boolean): void => slot.set(room, persistent);

export const persistence: RoomFeature = {
  configFields: (room) => ({
    section: "information",
    fields: [
      {
        type: "boolean",
        name: FIELD,
        label: "Persistent (the room stays when it is empty)",
        values: [slot.of(room) ? "1" : "0"],
      },
    ],
  }),
  checkConfig(room, values, sender) {
    const wanted = formBoolean(values, FIELD);
    if (wanted === "bad") return { condition: "bad-request" };
    return wanted !== undefined && wanted !== slot.of(room) && !sender.admin ? { condition: "not-allowed" } : undefined;
  },
  applyConfig(turn, room, values) {
    const wanted = formBoolean(values, FIELD);
    if (typeof wanted !== "boolean" || wanted === slot.of(room)) return { changed: false };
    slot.set(room, wanted);
    if (!wanted && room.occupants.size === 0) room.close(turn);
    return { changed: true };
  },
  roomInfo: (room) => ({ features: [slot.of(room) ? "muc_persistent" : "muc_temporary"] }),
  keepsEmpty: (_turn, room) => slot.of(room),
};
