/**
 * Verifies tokens (RFC 7519; signaling.md 6.9) whose keys may have to be fetched first: keys by id are fetched once and kept an hour, failures a minute. A core; the shell
 * does the fetching.
 *
 * Bounds: 100 keys kept, 1,000 tokens waiting for keys.
 */
import { keyOf, keyUrl, type ParsedToken, parseToken, type TokenRules, type TokenVerdict, verifyToken } from "./jwt.ts";
import { type EpochMillis, later, type Millis, minutes, seconds } from "./time.ts";

/** `busy`: too many wait for keys; the token may be good. */
export type Verdict = TokenVerdict | { readonly ok: false; readonly busy: true; readonly text: string };

/** Called when the key has come, or never will. */
export type Verified = (now: Millis, verdict: Verdict) => void;

interface Waiting {
  readonly token: ParsedToken;
  readonly kid: string;
  readonly verified: Verified;
}

const KEYS_KEPT = 100;
const MAX_WAITING = 1_000;
const KEEP_KEY = minutes(60);
const KEEP_FAILURE = seconds(60);

export class TokenVerifier {
  readonly #rules: TokenRules;
  readonly #fetch: (url: string) => void;
  /** By URL; body undefined: it could not be had. */
  readonly #kept = new Map<string, { readonly body: string | undefined; readonly until: Millis }>();
  readonly #waiting = new Map<string, Waiting[]>();
  #waitingCount = 0;

  /** `fetch` starts a GET; `fetched` follows with what it names. */
  constructor(rules: TokenRules, fetch: (url: string) => void) {
    this.#rules = rules;
    this.#fetch = fetch;
  }

  /** The verdict; undefined: `verified` will be called with it. */
  verify(now: Millis, wallNow: EpochMillis, text: string, verified: Verified): Verdict | undefined {
    const rules = this.#rules;
    const token = parseToken(text);
    if (token === undefined) return refused("token is malformed");
    if (token.algorithm === "HS256")
      return rules.secret === undefined
        ? refused("token algorithm is not accepted")
        : verifyToken(token, rules, rules.secret, wallNow);
    const { kid } = token;
    if (kid === undefined) return refused("token names no key");
    const url = keyUrl(rules, kid);
    if (url === undefined) return refused("token algorithm is not accepted");
    const kept = this.#kept.get(url);
    if (kept !== undefined && kept.until > now) return this.#withKey(wallNow, token, kid, kept.body);
    if (this.#waitingCount >= MAX_WAITING) return { ok: false, busy: true, text: "too many tokens wait for keys" };
    this.#waitingCount++;
    const waiting = this.#waiting.get(url);
    if (waiting !== undefined) waiting.push({ token, kid, verified });
    else {
      this.#waiting.set(url, [{ token, kid, verified }]);
      this.#fetch(url);
    }
    return undefined;
  }

  /** What `fetch` was asked for; undefined: it could not be had. */
  fetched(now: Millis, wallNow: EpochMillis, url: string, body: string | undefined): void {
    if (this.#kept.size >= KEYS_KEPT)
      for (const oldest of [...this.#kept.keys()].slice(0, 1)) this.#kept.delete(oldest);
    this.#kept.set(url, { body, until: later(now, body === undefined ? KEEP_FAILURE : KEEP_KEY) });
    const waiting = this.#waiting.get(url) ?? [];
    this.#waiting.delete(url);
    this.#waitingCount -= waiting.length;
    for (const { token, kid, verified } of waiting) verified(now, this.#withKey(wallNow, token, kid, body));
  }

  #withKey(wallNow: EpochMillis, token: ParsedToken, kid: string, body: string | undefined): Verdict {
    const key = body === undefined ? undefined : keyOf(this.#rules, kid, body);
    return key === undefined
      ? refused("token key could not be obtained")
      : verifyToken(token, this.#rules, key, wallNow);
  }
}

const refused = (text: string): Verdict => ({ ok: false, text });
