/**
 * Tokens in the `Authorization` header of HTTP conference requests (signaling.md 2.2, 2.4): over XMPP the server has verified the requester's token, over HTTP nobody has. A core.
 */
import type { EpochMillis, Millis } from "../time.ts";
import { opens } from "../token-rooms.ts";
import { TokenVerifier, type Verdict } from "../token-verifier.ts";
import type { TokenSettings } from "./context.ts";

/** What a request carries, and the time of day when it came. */
export interface BearerToken {
  readonly token: string;
  readonly wallNow: EpochMillis;
}

/** The header's token, with or without the word before it, as the original takes it. */
export function bearerToken(header: string | null): string | undefined {
  const token = header?.replace(/^Bearer +/i, "").trim();
  return token === undefined || token === "" ? undefined : token;
}

export class Bearer {
  readonly #settings: TokenSettings;
  readonly #domain: string;
  readonly #verifier: TokenVerifier;

  /** `domain`: the XMPP domain, subject of tokens for rooms without a tenant. */
  constructor(settings: TokenSettings, domain: string, fetch: (url: string) => void) {
    this.#settings = settings;
    this.#domain = domain;
    this.#verifier = new TokenVerifier(settings.rules, fetch);
  }

  /** `decided`: whether the token opens that room; at once, or when its key has come. */
  decide(
    now: Millis,
    { token, wallNow }: BearerToken,
    room: string,
    decided: (now: Millis, opens: boolean) => void,
  ): void {
    const fits = (verdict: Verdict): boolean => verdict.ok && this.#opens(verdict.claims, room);
    const verdict = this.#verifier.verify(now, wallNow, token, (at, late) => decided(at, fits(late)));
    if (verdict !== undefined) decided(now, fits(verdict));
  }

  /** What `fetch` was asked for; undefined: it could not be had. */
  fetched(now: Millis, wallNow: EpochMillis, url: string, body: string | undefined): void {
    this.#verifier.fetched(now, wallNow, url, body);
  }

  #opens(claims: Readonly<Record<string, unknown>>, room: string): boolean {
    const { rules, verifyTenant } = this.#settings;
    const local = room.slice(0, room.indexOf("@"));
    return opens(claims, local, { requireRoom: rules.requireRoom ?? true, verifyTenant, domain: this.#domain });
  }
}
