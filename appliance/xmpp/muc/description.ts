/**
 * Name, description and language of a room: three texts for people, XEP-0045 §10.2 and §15.5.
 */
import { formText } from "./data-form.ts";
import type { RoomFeature } from "./feature.ts";
import type { Room } from "./room.ts";
import { RoomSlot } from "./slot.ts";

interface Description {
  readonly name: string;
  readonly text: string;
  /** BCP 47 tag. */
  readonly language: string;
}

const MAX_LENGTH = 1_024;
const FIELDS = {
  name: "muc#roomconfig_roomname",
  text: "muc#roomconfig_roomdesc",
  language: "muc#roomconfig_lang",
} as const;

const slot = new RoomSlot<Description>(() => ({ name: "", text: "", language: "en" }));

/** The name that people gave the room; empty where they gave none. */
export const roomName = (room: Room): string => slot.of(room).name;

export const description: RoomFeature = {
  configFields(room) {
    const now = slot.of(room);
    return {
      section: "information",
      fields: [
        { type: "text-single", name: FIELDS.name, label: "Title", values: [now.name] },
        { type: "text-single", name: FIELDS.text, label: "Description", values: [now.text] },
        {
          type: "text-single",
          name: FIELDS.language,
          label: "Language of the room (en, de, fr …)",
          datatype: "xs:language",
          values: [now.language],
        },
      ],
    };
  },
  checkConfig(_room, values) {
    for (const field of Object.values(FIELDS))
      if ((formText(values, field)?.length ?? 0) > MAX_LENGTH) return { condition: "not-acceptable" };
    return undefined;
  },
  applyConfig(_turn, room, values) {
    const before = slot.of(room);
    const after = {
      name: formText(values, FIELDS.name) ?? before.name,
      text: formText(values, FIELDS.text) ?? before.text,
      language: formText(values, FIELDS.language) ?? before.language,
    };
    slot.set(room, after);
    return {
      changed: after.name !== before.name || after.text !== before.text || after.language !== before.language,
    };
  },
  roomInfo(room) {
    const now = slot.of(room);
    return {
      fields: [
        { type: "text-single", name: "muc#roomconfig_roomname", label: "Title", values: [now.name] },
        { type: "text-single", name: "muc#roominfo_description", label: "Description", values: [now.text] },
        { type: "text-single", name: "muc#roominfo_lang", values: [now.language] },
      ],
    };
  },
};
