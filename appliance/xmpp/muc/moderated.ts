/**
 * Moderated rooms, XEP-0045 §5.1 and §7.4: who enters without affiliation is a visitor and may not speak. Field `muc#roomconfig_moderatedroom`;
 * services may forbid its change (signaling.md 3.6: fixed in Jitsi's rooms).
 */
import { formBoolean } from "./data-form.ts";
import type { RoomFeature } from "./feature.ts";

const FIELD = "muc#roomconfig_moderatedroom";

export const moderated = (changeable: boolean): RoomFeature => ({
  configFields: (room) => ({
    section: "permissions",
    fields: [
      {
        type: "boolean",
        name: FIELD,
        label: "Moderated (newcomers need permission to speak)",
        values: [room.moderated ? "1" : "0"],
      },
    ],
  }),
  checkConfig: (_room, values) => (formBoolean(values, FIELD) === "bad" ? { condition: "bad-request" } : undefined),
  applyConfig(_turn, room, values) {
    const wanted = formBoolean(values, FIELD);
    if (!changeable || typeof wanted !== "boolean" || wanted === room.moderated) return { changed: false };
    room.moderated = wanted;
    return { changed: true };
  },
  roomInfo: (room) => ({ features: [room.moderated ? "muc_moderated" : "muc_unmoderated"] }),
  groupchat(_turn, _room, occupant) {
    return occupant.role === "visitor"
      ? { condition: "forbidden", text: "You are not allowed to speak in this room" }
      : undefined;
  },
});
