/**
 * Which rooms a token opens, signaling.md 6.9: the claims `room` and `sub` against the room's name and tenant; and what those without a token may
 * do. Refusal cancel/not-allowed.
 */

import { NS } from "../../wire/namespaces.ts";
import type { StanzaError } from "../../wire/stanza.ts";
import { xml } from "../../wire/xml.ts";
import type { JoinRequest, RoomFeature } from "../muc/feature.ts";
import { refuse } from "../muc/refusal.ts";
import { isRecord } from "./component.ts";
import { splitTenant } from "./tenants.ts";

export interface TokenRoomOptions {
  /** A token (or an account) is needed to enter; without it guests may. */
  readonly required: boolean;
  /** A token without `room` opens nothing; otherwise everything. */
  readonly requireRoom: boolean;
  /** Check `sub` against the tenant, or the domain where there is none. */
  readonly verifyTenant: boolean;
  /** `meet.jitsi`. */
  readonly domain: string;
  /** Accounts here are services and need no token. */
  readonly exemptDomains: ReadonlySet<string>;
}

const MAX_PATTERN = 512;

function matchesPattern(pattern: string, room: string): boolean {
  if (pattern.length > MAX_PATTERN) return false;
  try {
    return new RegExp(`^(?:${pattern})$`).test(room);
  } catch {
    return false; // the issuer's fault: the token opens nothing
  }
}

/** Whether the claims open the room of that local part. */
export function opens(claims: Readonly<Record<string, unknown>>, local: string, options: TokenRoomOptions): boolean {
  const { tenant, room } = splitTenant(local);
  const wanted = claims["room"] ?? (options.requireRoom ? undefined : "*");
  if (typeof wanted !== "string") return false;
  const context = claims["context"];
  const roomContext = isRecord(context) ? context["room"] : undefined;
  const isPattern = options.verifyTenant && isRecord(roomContext) && roomContext["regex"] === true;
  const name = options.verifyTenant ? room : local;
  const roomFits =
    wanted === "*" ||
    (isPattern ? matchesPattern(wanted, name) : wanted.toLowerCase() === name || wanted.toLowerCase() === room);
  if (!roomFits || !options.verifyTenant) return roomFits;
  const subject = claims["sub"];
  if (typeof subject !== "string") return false;
  return subject === "*" || subject.toLowerCase() === (tenant ?? options.domain);
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
