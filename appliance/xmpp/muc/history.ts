/**
 * Discussion history, XEP-0045 §7.2.13 and §7.2.14: the last messages with a body, told to newcomers before the subject. Only rooms for any client keep
 * one; meetings keep none (signaling.md 3.2).
 */
import type { EpochMillis, Millis } from "../../time.ts";
import { NS } from "../../wire/namespaces.ts";
import { attr, child, type Element, xml } from "../../wire/xml.ts";
import { formText } from "./data-form.ts";
import type { RoomFeature } from "./feature.ts";
import { addressed } from "./presence.ts";
import { RoomSlot } from "./slot.ts";

const FIELD = "muc#roomconfig_historylength";
const DEFAULT_LENGTH = 20;
const MAX_LENGTH = 100;
/** Characters of one message kept; longer ones are not. */
const MAX_CHARACTERS = 16_384;

interface Kept {
  readonly at: EpochMillis;
  /** With the delay element; no receiver yet. */
  readonly message: Element;
  /** Characters, as `maxchars` counts them. */
  readonly size: number;
}

interface State {
  length: number;
  kept: Kept[];
}

const slot = new RoomSlot<State>(() => ({ length: DEFAULT_LENGTH, kept: [] }));

const readLength = (text: string): number | undefined =>
  /^[0-9]{1,3}$/.test(text) && Number(text) <= MAX_LENGTH ? Number(text) : undefined;

const amount = (element: Element | undefined, name: string): number => {
  const text = element === undefined ? undefined : attr(element, name);
  return text !== undefined && /^[0-9]{1,9}$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
};

function chosen(kept: readonly Kept[], request: Element | undefined, now: EpochMillis): readonly Kept[] {
  const since = Date.parse((request === undefined ? undefined : attr(request, "since")) ?? "");
  const oldest = Math.max(
    now - amount(request, "seconds") * 1_000,
    Number.isNaN(since) ? Number.NEGATIVE_INFINITY : since,
  );
  let stanzas = amount(request, "maxstanzas");
  let characters = amount(request, "maxchars");
  const found: Kept[] = [];
  for (const each of [...kept].reverse()) {
    characters -= each.size;
    if (stanzas-- <= 0 || characters < 0 || each.at < oldest) break;
    found.unshift(each);
  }
  return found;
}

export const history = (toEpoch: (now: Millis) => EpochMillis): RoomFeature => ({
  configFields: (room) => ({
    section: "other",
    fields: [
      {
        type: "text-single",
        name: FIELD,
        label: "Messages of history that the room keeps",
        datatype: "xs:integer",
        values: [String(slot.of(room).length)],
      },
    ],
  }),
  checkConfig(_room, values) {
    const text = formText(values, FIELD);
    return text !== undefined && readLength(text) === undefined ? { condition: "not-acceptable" } : undefined;
  },
  applyConfig(_turn, room, values) {
    const state = slot.of(room);
    const length = readLength(formText(values, FIELD) ?? "");
    if (length === undefined || length === state.length) return { changed: false };
    state.length = length;
    state.kept = length === 0 ? [] : state.kept.slice(-length);
    return { changed: true };
  },
  welcome(turn, room, occupant, presence) {
    const request = child(presence, "x", NS.muc)?.getChild("history");
    for (const each of chosen(slot.of(room).kept, request, toEpoch(turn.now)))
      turn.send(addressed(each.message, occupant.jidText));
  },
  reflected(turn, room, _occupant, message) {
    const state = slot.of(room);
    if (state.length === 0 || child(message, "body") === undefined) return;
    const size = message.toString().length;
    if (size > MAX_CHARACTERS) return;
    const at = toEpoch(turn.now);
    const copy = addressed(message, "");
    delete copy.attrs["to"];
    const delay = xml("delay", { xmlns: NS.delay, from: room.jidText, stamp: new Date(at).toISOString() });
    copy.children = [...copy.children, delay];
    state.kept.push({ at, message: copy, size });
    if (state.kept.length > state.length) state.kept.shift();
  },
});
