/**
 * The meeting's id, a UUID made with the room; the focus may overwrite it by form (signaling.md 3.6).
 */
import { formText } from "../muc/data-form.ts";
import type { RoomFeature } from "../muc/feature.ts";
import type { Room } from "../muc/room.ts";
import { RoomSlot } from "../muc/slot.ts";

const FIELD = "muc#roominfo_meetingId";
const MAX_LENGTH = 128;

export interface MeetingIds {
  readonly feature: RoomFeature;
  of(room: Room): string;
}

export function meetingIds(newId: () => string): MeetingIds {
  const slot = new RoomSlot<string>(newId);
  const field = (room: Room) => ({
    type: "text-single" as const,
    name: FIELD,
    label: "The meeting's unique id",
    values: [slot.of(room)],
  });
  return {
    of: (room) => slot.of(room),
    feature: {
      roomCreated: (_turn, room) => void slot.of(room),
      configFields: (room) => ({ section: "access", fields: [field(room)] }),
      checkConfig(room, values, sender) {
        const wanted = formText(values, FIELD);
        if (wanted === undefined || wanted === slot.of(room)) return undefined;
        // Only services: a moderator that could set it would mix up recordings and statistics of two meetings.
        if (!sender.admin) return { condition: "not-allowed" };
        return wanted === "" || wanted.length > MAX_LENGTH ? { condition: "not-acceptable" } : undefined;
      },
      applyConfig(_turn, room, values) {
        const wanted = formText(values, FIELD);
        if (wanted === undefined || wanted === slot.of(room)) return { changed: false };
        slot.set(room, wanted);
        return { changed: true };
      },
      roomInfo: (room) => ({ fields: [field(room)] }),
    },
  };
}
