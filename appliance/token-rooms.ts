/**
 * Which rooms a token opens (signaling.md 6.9): the claims `room` and `sub` against the room's name and tenant. Pure.
 */
import { isRecord } from "./wire/json.ts";

export interface TokenRoomRules {
  /** A token without `room` opens nothing; otherwise everything. */
  readonly requireRoom: boolean;
  /** Check `sub` against the tenant, or the domain where there is none. */
  readonly verifyTenant: boolean;
  /** `meet.jitsi`. */
  readonly domain: string;
}

const TENANT = /^\[([^\]]+)\](.*)$/;
const MAX_PATTERN = 512;

/** `[tenant]room` taken apart. */
export function splitTenant(local: string): { readonly tenant: string | undefined; readonly room: string } {
  const match = TENANT.exec(local);
  return match === null ? { tenant: undefined, room: local } : { tenant: match[1], room: match[2] ?? "" };
}

function matchesPattern(pattern: string, room: string): boolean {
  if (pattern.length > MAX_PATTERN) return false;
  try {
    return new RegExp(`^(?:${pattern})$`).test(room);
  } catch {
    return false; // the issuer's fault: the token opens nothing
  }
}

/** Whether the claims open the room of that local part. */
export function opens(claims: Readonly<Record<string, unknown>>, local: string, rules: TokenRoomRules): boolean {
  const { tenant, room } = splitTenant(local);
  const wanted = claims["room"] ?? (rules.requireRoom ? undefined : "*");
  if (typeof wanted !== "string") return false;
  const context = claims["context"];
  const roomContext = isRecord(context) ? context["room"] : undefined;
  const isPattern = rules.verifyTenant && isRecord(roomContext) && roomContext["regex"] === true;
  const name = rules.verifyTenant ? room : local;
  const roomFits =
    wanted === "*" ||
    (isPattern ? matchesPattern(wanted, name) : wanted.toLowerCase() === name || wanted.toLowerCase() === room);
  if (!roomFits || !rules.verifyTenant) return roomFits;
  const subject = claims["sub"];
  if (typeof subject !== "string") return false;
  return subject === "*" || subject.toLowerCase() === (tenant ?? rules.domain);
}
