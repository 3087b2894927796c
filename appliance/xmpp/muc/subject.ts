/**
 * The subject, XEP-0045 §8.1 and §7.2.15: told last to everybody who enters, set by moderators, or by all where
 * `muc#roomconfig_changesubject` allows it.
 */
import type { EpochMillis } from "../../time.ts";
import { NS } from "../../wire/namespaces.ts";
import { attr, child, childText, type Element, xml } from "../../wire/xml.ts";
import { formBoolean } from "./data-form.ts";
import type { RoomFeature } from "./feature.ts";
import type { Room } from "./room.ts";
import { RoomSlot } from "./slot.ts";
import type { Turn } from "./turn.ts";

const FIELD = "muc#roomconfig_changesubject";
const MAX_LENGTH = 4_096;

interface Subject {
  text: string;
  /** Occupant address, or the room's for one set by the server. */
  setter: string;
  setAt: EpochMillis | undefined;
  anyone: boolean;
}

const slot = new RoomSlot<Subject>((room) => ({ text: "", setter: room.jidText, setAt: undefined, anyone: false }));

export const subjectOf = (room: Room): string => slot.of(room).text;

/** Sets it in the name of the room and tells those inside (names of breakout rooms). */
export function setSubject(turn: Turn, room: Room, text: string, at: EpochMillis): void {
  Object.assign(slot.of(room), { text, setter: room.jidText, setAt: at });
  room.groupchat(turn, room.jidText, xml("subject", {}, text));
}

/** A message with a subject and without body or thread changes the subject (§8.1). */
const changesSubject = (message: Element): boolean =>
  child(message, "subject") !== undefined &&
  child(message, "body") === undefined &&
  child(message, "thread") === undefined;

export const subject = (toEpoch: (now: Turn["now"]) => EpochMillis): RoomFeature => ({
  configFields: (room) => ({
    section: "permissions",
    fields: [
      {
        type: "boolean",
        name: FIELD,
        label: "Anyone may set the subject",
        values: [slot.of(room).anyone ? "1" : "0"],
      },
    ],
  }),
  checkConfig: (_room, values) => (formBoolean(values, FIELD) === "bad" ? { condition: "bad-request" } : undefined),
  applyConfig(_turn, room, values) {
    const wanted = formBoolean(values, FIELD);
    const state = slot.of(room);
    if (typeof wanted !== "boolean" || wanted === state.anyone) return { changed: false };
    state.anyone = wanted;
    return { changed: true };
  },
  roomInfo: (room) => ({
    fields: [{ type: "boolean", name: FIELD, values: [slot.of(room).anyone ? "1" : "0"] }],
  }),
  welcome(turn, room, occupant) {
    const state = slot.of(room);
    turn.send(
      xml(
        "message",
        { xmlns: NS.client, from: state.setter, to: occupant.jidText, type: "groupchat" },
        xml("subject", {}, state.text),
        state.setAt !== undefined &&
          xml("delay", { xmlns: NS.delay, from: room.jidText, stamp: new Date(state.setAt).toISOString() }),
      ),
    );
  },
  groupchat(turn, room, occupant, message) {
    if (!changesSubject(message)) return undefined;
    const state = slot.of(room);
    if (occupant.role !== "moderator" && !(state.anyone && occupant.role === "participant"))
      return { condition: "forbidden", text: "You are not allowed to change the subject" };
    const text = childText(message, "subject") ?? "";
    if (text.length > MAX_LENGTH) return { condition: "policy-violation", text: "Too long" };
    Object.assign(state, { text, setter: room.occupantJid(occupant), setAt: toEpoch(turn.now) });
    const echo = xml(
      "message",
      { xmlns: NS.client, from: state.setter, type: "groupchat", id: attr(message, "id") },
      xml("subject", {}, text),
    );
    room.broadcast(turn, echo);
    return "taken";
  },
});
