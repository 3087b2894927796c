/**
 * When the meeting began: milliseconds since 1970 in the room's information, set when the second occupant is there (signaling.md 3.6, 6.6).
 */
import type { EpochMillis, Millis } from "../../time.ts";
import type { RoomFeature } from "../muc/feature.ts";
import type { Room } from "../muc/room.ts";
import { RoomSlot } from "../muc/slot.ts";

const slot = new RoomSlot<EpochMillis | undefined>(() => undefined);

export const meetingBegan = (room: Room): EpochMillis | undefined => slot.of(room);

export const conferenceDuration = (toEpoch: (now: Millis) => EpochMillis): RoomFeature => ({
  joined(turn, room) {
    if (slot.of(room) === undefined && room.occupants.size > 1) slot.set(room, toEpoch(turn.now));
  },
  roomInfo(room) {
    const began = slot.of(room);
    if (began === undefined) return {};
    return {
      fields: [
        {
          type: "text-single",
          name: "muc#roominfo_created_timestamp",
          label: "When the meeting began",
          values: [String(Math.floor(began))],
        },
      ],
    };
  },
});
