/**
 * Which room a component's client means: the one it is in. Commands name no room, or one that must be checked (signaling.md 6.2–6.7).
 */
import { jidText } from "../../wire/jid.ts";
import type { Sender } from "../host.ts";
import type { Occupant } from "../muc/occupants.ts";
import type { Room } from "../muc/room.ts";
import type { MucService } from "../muc/service.ts";

export interface Attendance {
  readonly room: Room;
  readonly occupant: Occupant;
}

/** The local parts that the URL of a connection may mean: its room, under its tenant first (signaling.md 1.1, 6.1). */
export function queriedRooms(sender: Sender): readonly string[] {
  const room = sender.connection?.room?.toLowerCase();
  const tenant = sender.connection?.prefix?.toLowerCase();
  if (room === undefined || room === "") return [];
  return tenant === undefined || tenant === "" ? [room] : [`[${tenant}]${room}`, room];
}

export const isQueried = (room: Room, sender: Sender): boolean => queriedRooms(sender).includes(room.jid.local ?? "");

export class Meetings {
  /** Meeting rooms first, then breakout rooms. */
  constructor(private readonly services: readonly MucService[]) {}

  /** Where the sender is: the room of its connection's URL, else the first it is in. */
  of(sender: Sender): Attendance | undefined {
    const full = jidText(sender.jid);
    const rooms = this.services.flatMap((service) => service.roomsOf(full));
    const room = rooms.find((each) => isQueried(each, sender)) ?? rooms[0];
    const occupant = room?.occupants.byJid(full);
    return room === undefined || occupant === undefined ? undefined : { room, occupant };
  }

  /** The named room, if the sender is inside. */
  at(address: string | undefined, sender: Sender): Attendance | undefined {
    for (const service of this.services) {
      const room = service.roomAt(address?.toLowerCase());
      const occupant = room?.occupantOf(sender);
      if (room !== undefined && occupant !== undefined) return { room, occupant };
    }
    return undefined;
  }
}
