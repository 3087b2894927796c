/**
 * JSON Web Tokens as connections carry them (RFC 7519; signaling.md 6.9): HS256 with a shared secret, RS256 with a key found by `kid`. Pure: the
 * keys and the time of day come from outside. Whether the token's room is the room is checked at the join, not here.
 */
import { createHash, createHmac, createPublicKey, createVerify, timingSafeEqual } from "node:crypto";
import type { XmppTokens } from "./config.ts";
import type { EpochMillis } from "./time.ts";

export type TokenRules = XmppTokens;

export interface ParsedToken {
  readonly algorithm: "HS256" | "RS256";
  readonly kid: string | undefined;
  readonly claims: Readonly<Record<string, unknown>>;
  readonly signed: string;
  readonly signature: Buffer;
}

export type TokenVerdict =
  | { readonly ok: true; readonly claims: Readonly<Record<string, unknown>> }
  | { readonly ok: false; readonly text: string };

export const MAX_TOKEN = 16_384;
/** Seconds that clocks may differ. */
const LEEWAY_SECONDS = 5;

export function parseToken(token: string): ParsedToken | undefined {
  const match = /^([\w-]+)\.([\w-]+)\.([\w-]+)$/.exec(token);
  if (match === null || token.length > MAX_TOKEN) return undefined;
  const [, head = "", body = "", signature = ""] = match;
  const header = record(head);
  const claims = record(body);
  const algorithm = header?.["alg"];
  const kid = header?.["kid"];
  if (header === undefined || claims === undefined || (algorithm !== "HS256" && algorithm !== "RS256"))
    return undefined;
  if (kid !== undefined && (typeof kid !== "string" || kid.length > 1_024)) return undefined;
  return { algorithm, kid, claims, signed: `${head}.${body}`, signature: Buffer.from(signature, "base64url") };
}

/** Where the key of a kid is fetched from. */
export const keyUrl = (rules: TokenRules, kid: string): string | undefined =>
  rules.keyCache ??
  (rules.keyServer === undefined
    ? undefined
    : `${rules.keyServer.replace(/\/$/, "")}/${createHash("sha256").update(kid).digest("hex")}.pem`);

/** The PEM of a kid in what was fetched from `keyUrl`. */
export function keyOf(rules: TokenRules, kid: string, fetched: string): string | undefined {
  if (rules.keyCache === undefined) return fetched;
  try {
    const all: unknown = JSON.parse(fetched);
    const key =
      typeof all === "object" && all !== null && Object.hasOwn(all, kid)
        ? (all as Record<string, unknown>)[kid]
        : undefined;
    return typeof key === "string" ? key : undefined;
  } catch {
    return undefined;
  }
}

export function verifyToken(token: ParsedToken, rules: TokenRules, key: string, now: EpochMillis): TokenVerdict {
  const no = (text: string): TokenVerdict => ({ ok: false, text });
  if (!signatureHolds(token, key)) return no("token signature is wrong");
  const { exp, nbf, iss, aud, room, sub } = token.claims;
  const seconds = now / 1000;
  if (typeof exp !== "number") return no("token has no expiry");
  if (exp + LEEWAY_SECONDS <= seconds) return no("token expired");
  if (nbf !== undefined && (typeof nbf !== "number" || nbf - LEEWAY_SECONDS > seconds))
    return no("token is not valid yet");
  if (!accepted(rules.acceptedIssuers ?? [rules.appId], iss)) return no("token issuer is not accepted");
  if (!accepted(rules.acceptedAudiences ?? ["*"], aud)) return no("token audience is not accepted");
  if ((rules.requireRoom ?? true) && (typeof room !== "string" || room === "")) return no("token names no room");
  if (sub !== undefined && typeof sub !== "string") return no("token subject is not a text");
  return { ok: true, claims: token.claims };
}

function signatureHolds(token: ParsedToken, key: string): boolean {
  if (token.algorithm === "HS256") {
    const expected = createHmac("sha256", key).update(token.signed).digest();
    return expected.length === token.signature.length && timingSafeEqual(expected, token.signature);
  }
  try {
    const publicKey = createPublicKey(key);
    return (
      publicKey.asymmetricKeyType === "rsa" &&
      createVerify("RSA-SHA256").update(token.signed).verify(publicKey, token.signature)
    );
  } catch {
    return false; // what the key server gave is no key
  }
}

function accepted(list: readonly string[], value: unknown): boolean {
  const values = Array.isArray(value) ? value : [value];
  return list.includes("*") || values.some((each) => typeof each === "string" && list.includes(each));
}

function record(part: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(part, "base64url")));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
