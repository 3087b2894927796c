/**
 * Moderators by policy, signaling.md 3.5: holders of a token that says `context.user.moderator`, or everybody (mod_muc_allowners). Off by
 * default: then the focus chooses.
 */
import { bareText } from "../../wire/jid.ts";
import type { RoomFeature } from "../muc/feature.ts";
import { isTokenModerator } from "./token-claims.ts";

export type OwnerPolicy = "focus" | "token" | "everybody";

export const ownerPolicy = (policy: OwnerPolicy): RoomFeature => ({
  checkJoin(turn, join) {
    const { room, sender } = join;
    const bare = bareText(sender.jid);
    if (policy === "focus" || sender.admin || room.affiliationOf(bare) === "outcast") return undefined;
    // Before he is in, so that his first presence shows it and a lobby lets him pass.
    if (policy === "everybody" || isTokenModerator(sender.connection)) room.setAffiliation(turn, bare, "owner");
    return undefined;
  },
});
