/**
 * Who may enter with or without a token, signaling.md 6.9. Refusal cancel/not-allowed.
 */

import { opens, type TokenRoomRules } from "../../token-rooms.ts";
import { NS } from "../../wire/namespaces.ts";
import type { StanzaError } from "../../wire/stanza.ts";
import { xml } from "../../wire/xml.ts";
import type { JoinRequest, RoomFeature } from "../muc/feature.ts";
import { refuse } from "../muc/refusal.ts";

export interface TokenRoomOptions extends TokenRoomRules {
  /** A token (or an account) is needed to enter; without it guests may. */
  readonly required: boolean;
  /** Accounts here are services and need no token. */
  readonly exemptDomains: ReadonlySet<string>;
}

function check(join: JoinRequest, options: TokenRoomOptions): StanzaError | undefined {
  const { sender, room } = join;
  if (sender.admin || options.exemptDomains.has(sender.jid.domain)) return undefined;
  const claims = sender.connection?.claims;
  if (claims !== undefined)
    return opens(claims, room.jid.local ?? "", options)
      ? undefined
      : { condition: "not-allowed", text: "Room and token mismatched" };
  if (!options.required || sender.kind === "member") return undefined;
  return {
    condition: "not-allowed",
    text: "Authentication is required",
    extra: [xml("authentication-required", { xmlns: NS.jitmeet })],
  };
}

export const tokenRoom = (options: TokenRoomOptions): RoomFeature => ({
  checkJoin(_turn, join) {
    const error = check(join, options);
    return error === undefined ? undefined : refuse(error);
  },
});
