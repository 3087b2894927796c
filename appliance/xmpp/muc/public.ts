/**
 * Whether a room shows in the service's list: `muc#roomconfig_publicroom`, XEP-0045 §4.2 hidden and public rooms. Rooms start hidden.
 */
import { formBoolean } from "./data-form.ts";
import type { RoomFeature } from "./feature.ts";
import type { Room } from "./room.ts";
import { RoomSlot } from "./slot.ts";

const FIELD = "muc#roomconfig_publicroom";
const slot = new RoomSlot<boolean>(() => false);

export const isPublic = (room: Room): boolean => slot.of(room);

export const publicRoom: RoomFeature = {
  configFields: (room) => ({
    section: "information",
    fields: [
      {
        type: "boolean",
        name: FIELD,
        label: "Include room information in public lists",
        description: "Lets people find the room",
        values: [slot.of(room) ? "1" : "0"],
      },
    ],
  }),
  checkConfig: (_room, values) => (formBoolean(values, FIELD) === "bad" ? { condition: "bad-request" } : undefined),
  applyConfig(_turn, room, values) {
    const wanted = formBoolean(values, FIELD);
    if (typeof wanted !== "boolean" || wanted === slot.of(room)) return { changed: false };
    slot.set(room, wanted);
    return { changed: true };
  },
  roomInfo: (room) => ({ features: [slot.of(room) ? "muc_public" : "muc_hidden"] }),
};
