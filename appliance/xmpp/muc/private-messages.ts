/**
 * Who may send private messages: `muc#roomconfig_allowpm`, XEP-0045 §7.5 and §10.2. Default everybody.
 */
import { affiliationRank } from "./affiliation.ts";
import { formText } from "./data-form.ts";
import type { RoomFeature } from "./feature.ts";
import type { Occupant } from "./occupants.ts";
import type { Room } from "./room.ts";
import { RoomSlot } from "./slot.ts";

const FIELD = "muc#roomconfig_allowpm";
const CHOICES = [
  { value: "visitor", label: "Everyone" },
  { value: "participant", label: "Participants" },
  { value: "moderator", label: "Moderators" },
  { value: "affiliated", label: "Members" },
  { value: "none", label: "No one" },
] as const;
type Choice = (typeof CHOICES)[number]["value"];

const slot = new RoomSlot<Choice>(() => "visitor");
/** XEP-0045 §10.2 has other words for the same (`anyone`, `participants`, `moderators`). */
const read = (text: string | undefined): Choice | undefined =>
  text === "anyone" ? "visitor" : CHOICES.find((each) => each.value === text || `${each.value}s` === text)?.value;

function may(room: Room, from: Occupant): boolean {
  switch (slot.of(room)) {
    case "visitor":
      return true;
    case "participant":
      return from.role === "participant" || from.role === "moderator";
    case "moderator":
      return from.role === "moderator";
    case "affiliated":
      return affiliationRank(room.affiliation(from)) >= affiliationRank("member");
    case "none":
      return false;
  }
}

export const privateMessages: RoomFeature = {
  configFields: (room) => ({
    section: "other",
    fields: [
      {
        type: "list-single",
        name: FIELD,
        label: "Allow private messages from",
        options: CHOICES,
        values: [slot.of(room)],
      },
    ],
  }),
  checkConfig(_room, values) {
    const wanted = formText(values, FIELD);
    return wanted === undefined || read(wanted) !== undefined ? undefined : { condition: "not-acceptable" };
  },
  applyConfig(_turn, room, values) {
    const wanted = read(formText(values, FIELD));
    if (wanted === undefined || wanted === slot.of(room)) return { changed: false };
    slot.set(room, wanted);
    return { changed: true };
  },
  privateMessage(room, from) {
    return may(room, from) ? undefined : { condition: "forbidden", text: "Private messages are not allowed" };
  },
};
