/**
 * Whether a room shows in the service's list: `muc#roomconfig_publicroom`, XEP-0045 §4.2 hidden and public rooms. Meetings
 * start hidden.
 */
import { formBoolean } from "./data-form.ts";
import type { RoomFeature } from "./feature.ts";
import type { Room } from "./room.ts";
import { RoomSlot } from "./slot.ts";

const FIELD = "muc#roomconfig_publicroom";
/** Undefined: as rooms of the service start. */
const slot = new RoomSlot<boolean | undefined>(() => undefined);

/** `initially`: whether rooms start public. */
export const isPublic = (room: Room, initially: boolean): boolean => slot.of(room) ?? initially;

export const publicRoom = (initially: boolean): RoomFeature => ({
  configFields: (room) => ({
    section: "information",
    fields: [
      {
        type: "boolean",
        name: FIELD,
        label: "Include room information in public lists",
        description: "Lets people find the room",
        values: [isPublic(room, initially) ? "1" : "0"],
      },
    ],
  }),
  checkConfig: (_room, values) => (formBoolean(values, FIELD) === "bad" ? { condition: "bad-request" } : undefined),
  applyConfig(_turn, room, values) {
    const wanted = formBoolean(values, FIELD);
    if (typeof wanted !== "boolean" || wanted === isPublic(room, initially)) return { changed: false };
    slot.set(room, wanted);
    return { changed: true };
  },
  roomInfo: (room) => ({ features: [isPublic(room, initially) ? "muc_public" : "muc_hidden"] }),
});
