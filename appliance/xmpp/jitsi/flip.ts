/**
 * Moving a call to another device, signaling.md 3.1 and 3.8: a join with `flip_device` by a token's bearer replaces his other occupant, who goes with
 * 307 and a `flip_device` element in his last presence.
 */
import { child, xml } from "../../wire/xml.ts";
import type { JoinRequest, RoomFeature } from "../muc/feature.ts";
import type { Occupant } from "../muc/occupants.ts";
import type { Room } from "../muc/room.ts";
import type { Turn } from "../muc/turn.ts";
import { tokenContext } from "./token-claims.ts";

const leaving = Symbol("being replaced by the same person");

const identity = (person: Pick<Occupant, "connection">): string | undefined => {
  const id = tokenContext(person.connection)?.user?.["id"];
  return typeof id === "string" && id !== "" ? id : undefined;
};

export const flip: RoomFeature = {
  checkJoin(_turn: Turn, join: JoinRequest) {
    const id =
      child(join.presence, "flip_device") === undefined ? undefined : identity({ connection: join.sender.connection });
    if (id === undefined || tokenContext(join.sender.connection)?.features?.get("flip") === false) return undefined;
    for (const occupant of join.room.occupants.all())
      if (identity(occupant) === id) occupant.notes.set(leaving, join.nick);
    return undefined;
  },
  joined(turn: Turn, room: Room, occupant: Occupant): void {
    const id = identity(occupant);
    if (id === undefined) return;
    for (const other of [...room.occupants.all()]) {
      if (other === occupant || identity(other) !== id || other.notes.get(leaving) !== occupant.nick) continue;
      room.exit(turn, other, {
        cause: "replaced",
        codes: [307],
        payload: { id: undefined, lang: undefined, children: [xml("flip_device")] },
      });
    }
  },
};
