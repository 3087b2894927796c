/**
 * A new room is locked until whoever made it has configured it, were it with an empty form, XEP-0045 §10.1 and §7.2.10: until then nobody else finds
 * it. Meetings have no locking (signaling.md 6.1).
 */
import type { RoomFeature } from "./feature.ts";
import { RoomSlot } from "./slot.ts";

const slot = new RoomSlot<boolean>(() => true);

export const locking: RoomFeature = {
  checkJoin(_turn, join) {
    if (join.creates || join.sender.admin || !slot.of(join.room)) return undefined;
    return { type: "refuse", refusal: { error: { condition: "item-not-found" }, by: "room" } };
  },
  applyConfig(_turn, room) {
    slot.set(room, false);
    return { changed: false };
  },
};
