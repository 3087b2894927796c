/**
 * Who sees real addresses: `muc#roomconfig_whois`, XEP-0045 §4.2 non-anonymous and semi-anonymous rooms; codes 172 and 173 tell of a change.
 * Jitsi's rooms are non-anonymous from the start: clients recognise the focus by its address (signaling.md 3.2).
 */
import { formText } from "./data-form.ts";
import type { RoomFeature } from "./feature.ts";

const FIELD = "muc#roomconfig_whois";

export const whois: RoomFeature = {
  configFields: (room) => ({
    section: "permissions",
    fields: [
      {
        type: "list-single",
        name: FIELD,
        label: "Addresses of occupants are shown to",
        options: [
          { label: "Moderators only", value: "moderators" },
          { label: "Anyone", value: "anyone" },
        ],
        values: [room.publicAddresses ? "anyone" : "moderators"],
      },
    ],
  }),
  checkConfig(_room, values) {
    const wanted = formText(values, FIELD);
    return wanted === undefined || wanted === "anyone" || wanted === "moderators"
      ? undefined
      : { condition: "not-acceptable" };
  },
  applyConfig(_turn, room, values) {
    const wanted = formText(values, FIELD);
    if (wanted === undefined || (wanted === "anyone") === room.publicAddresses) return { changed: false };
    room.publicAddresses = wanted === "anyone";
    return { changed: true, codes: [room.publicAddresses ? 172 : 173] };
  },
  roomInfo: (room) => ({ features: [room.publicAddresses ? "muc_nonanonymous" : "muc_semianonymous"] }),
};
