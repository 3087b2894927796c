/**
 * The most occupants that a room's owner wants: `muc#roomconfig_maxusers`, XEP-0045 §7.2.9 and §10.2. Owners and admins enter a full room all the same;
 * the service's own limit (service.ts) stands above.
 */
import { bareText } from "../../wire/jid.ts";
import { affiliationRank } from "./affiliation.ts";
import { formText } from "./data-form.ts";
import type { RoomFeature } from "./feature.ts";
import { RoomSlot } from "./slot.ts";

const FIELD = "muc#roomconfig_maxusers";
const NONE = "none";
const CHOICES = ["10", "20", "30", "50", "100", NONE];
/** Undefined: no limit. */
const slot = new RoomSlot<number | undefined>(() => undefined);

const read = (text: string): number | undefined | "bad" => {
  if (text === NONE || text === "") return undefined;
  return /^[1-9][0-9]{0,5}$/.test(text) ? Number(text) : "bad";
};

export const maxUsers: RoomFeature = {
  configFields(room) {
    const value = String(slot.of(room) ?? NONE);
    const choices = CHOICES.includes(value) ? CHOICES : [...CHOICES, value];
    return {
      section: "access",
      fields: [
        {
          type: "list-single",
          name: FIELD,
          label: "Most occupants",
          options: choices.map((each) => ({ label: each, value: each })),
          values: [value],
        },
      ],
    };
  },
  checkConfig(_room, values) {
    const text = formText(values, FIELD);
    return text !== undefined && read(text) === "bad" ? { condition: "not-acceptable" } : undefined;
  },
  applyConfig(_turn, room, values) {
    const text = formText(values, FIELD);
    const wanted = text === undefined ? "bad" : read(text);
    if (wanted === "bad" || wanted === slot.of(room)) return { changed: false };
    slot.set(room, wanted);
    return { changed: true };
  },
  checkJoin(_turn, join) {
    const { room, sender, nick } = join;
    const limit = slot.of(room);
    if (limit === undefined || room.occupants.size < limit || room.occupants.byNick(nick) !== undefined)
      return undefined;
    const affiliation = room.affiliationOf(bareText(sender.jid), sender.admin);
    if (affiliationRank(affiliation) >= affiliationRank("admin")) return undefined;
    return { type: "refuse", refusal: { error: { condition: "service-unavailable" }, by: "room" } };
  },
};
