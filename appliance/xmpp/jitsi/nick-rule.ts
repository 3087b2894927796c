/**
 * Nicks in meeting rooms are endpoint ids: `[A-Za-z0-9][A-Za-z0-9_]*` (signaling.md 3.1). Others are refused with cancel/not-allowed.
 */
import type { RoomFeature } from "../muc/feature.ts";
import { refuse } from "../muc/refusal.ts";

const NICK = /^[A-Za-z0-9][A-Za-z0-9_]{0,63}$/;

export const nickRule: RoomFeature = {
  checkJoin(_turn, join) {
    if (!NICK.test(join.nick)) return refuse({ condition: "not-allowed", text: "Invalid resource" });
    // Clients take what comes from this nick for the bridge's offer (signaling.md 3.4).
    return join.nick === "focus" && !join.sender.admin ? refuse({ condition: "conflict" }) : undefined;
  },
};
