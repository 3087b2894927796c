/**
 * "End meeting for all", signaling.md 6.7: a moderator's command destroys the room.
 */
import type { StanzaError } from "../../wire/stanza.ts";
import { child, type Element } from "../../wire/xml.ts";
import type { Sender } from "../host.ts";
import type { Room } from "../muc/room.ts";
import type { Turn } from "../muc/turn.ts";
import { UNHEARD } from "./component.ts";
import type { Meetings } from "./meetings.ts";

/** `mainOf`: the meeting of a breakout room; ending it from there ends the whole. */
export function endConference(
  meetings: Meetings,
  mainOf: (room: Room) => Room | undefined,
  turn: Turn,
  message: Element,
  sender: Sender,
): StanzaError | undefined {
  const found = child(message, "end_conference") === undefined ? undefined : meetings.of(sender);
  if (found === undefined) return UNHEARD;
  if (found.occupant.role !== "moderator") return { condition: "forbidden" };
  (mainOf(found.room) ?? found.room).destroy(turn, { reason: "The meeting has been terminated" });
  return undefined;
}
