/**
 * Rooms that wait for a host, signaling.md 6.3 (mod_muc_wait_for_host): until somebody with an account or a token is inside, guests find themselves
 * in the lobby.
 */
import type { Sender } from "../host.ts";
import type { RoomFeature } from "../muc/feature.ts";
import type { Occupant } from "../muc/occupants.ts";
import type { Lobby } from "./lobby.ts";

const isHost = (person: Pick<Sender, "kind" | "connection"> | Occupant): boolean =>
  person.kind === "member" || person.connection?.claims !== undefined;

/** Runs before the members-only check. */
export const waitForHost = (lobby: Lobby, hiddenDomain: string): RoomFeature => ({
  checkJoin(turn, join) {
    const { room, sender } = join;
    if (sender.admin || sender.kind === "service" || sender.jid.domain === hiddenDomain) return undefined;
    if (isHost(sender)) {
      lobby.hostArrived(turn, room);
      return undefined;
    }
    for (const occupant of room.occupants.all()) if (isHost(occupant)) return undefined;
    lobby.openForHost(turn, room);
    return undefined;
  },
});
