/**
 * Who an anonymous login is: a fresh UUID, or the user whose session it resumes (signaling.md 1.6 rule 7); with the claims of the connection's
 * token where tokens are in use (1.4, 6.9). Keys by id are fetched once and kept an hour; failures a minute.
 *
 * Bounds: 100 keys kept, 1,000 logins waiting for keys.
 */
import { later, type Millis, minutes, seconds } from "../time.ts";
import type { AnonymousAnswer, ClientStream, Login } from "./client-stream.ts";
import { keyOf, keyUrl, type ParsedToken, parseToken, type TokenRules, verifyToken } from "./jwt.ts";
import type { HttpOrigin } from "./server-io.ts";
import type { Sessions } from "./sessions.ts";
import type { WallClock } from "./wall-clock.ts";

export interface LoginOptions {
  readonly tokens: TokenRules | undefined;
  readonly sessions: Sessions;
  readonly wallClock: WallClock;
  readonly random: (size: number) => Buffer;
  /** Starts a GET; `fetched` follows with what it names. */
  readonly fetch: (url: string) => void;
}

interface Waiting {
  readonly stream: ClientStream;
  readonly token: ParsedToken;
  readonly kid: string;
  readonly login: Login;
}

const KEYS_KEPT = 100;
const MAX_WAITING = 1_000;
const KEEP_KEY = minutes(60);
const KEEP_FAILURE = seconds(60);

export class Logins {
  readonly #options: LoginOptions;
  /** By URL; body undefined: it could not be had. */
  readonly #kept = new Map<string, { readonly body: string | undefined; readonly until: Millis }>();
  readonly #waiting = new Map<string, Waiting[]>();
  #waitingCount = 0;

  constructor(options: LoginOptions) {
    this.#options = options;
  }

  anonymous(now: Millis, stream: ClientStream, domain: string, origin: HttpOrigin): AnonymousAnswer {
    const previous =
      origin.query["previd"] === undefined ? undefined : this.#options.sessions.resumable(origin.query["previd"]);
    const user = previous?.anonymous && previous.jid.domain === domain ? previous.jid.local : undefined;
    const login: Login = { user: user ?? this.#uuid(), domain, account: undefined, claims: undefined };
    const { tokens } = this.#options;
    if (tokens === undefined) return { type: "login", login };
    const text = origin.query["token"] ?? origin.bearer;
    if (text === undefined || text === "")
      return tokens.allowEmpty ? { type: "login", login } : refused("token required");
    const token = parseToken(text);
    if (token === undefined) return refused("token is malformed");
    if (token.algorithm === "HS256")
      return tokens.secret === undefined
        ? refused("token algorithm is not accepted")
        : this.#verdict(now, login, token, tokens.secret);
    const url = token.kid === undefined ? undefined : keyUrl(tokens, token.kid);
    if (token.kid === undefined || url === undefined)
      return refused(token.kid === undefined ? "token names no key" : "token algorithm is not accepted");
    const kept = this.#kept.get(url);
    if (kept !== undefined && kept.until > now) return this.#withKey(now, login, token, token.kid, kept.body);
    if (this.#waitingCount >= MAX_WAITING) return { type: "refused", condition: "temporary-auth-failure" };
    const waiting = this.#waiting.get(url);
    this.#waitingCount++;
    if (waiting === undefined) {
      this.#waiting.set(url, [{ stream, token, kid: token.kid, login }]);
      this.#options.fetch(url);
    } else waiting.push({ stream, token, kid: token.kid, login });
    return { type: "pending" };
  }

  /** What `fetch` was asked for; undefined: it could not be had. */
  fetched(now: Millis, url: string, body: string | undefined): void {
    if (this.#kept.size >= KEYS_KEPT)
      for (const oldest of [...this.#kept.keys()].slice(0, 1)) this.#kept.delete(oldest);
    this.#kept.set(url, { body, until: later(now, body === undefined ? KEEP_FAILURE : KEEP_KEY) });
    const waiting = this.#waiting.get(url) ?? [];
    this.#waiting.delete(url);
    this.#waitingCount -= waiting.length;
    for (const { stream, login, token, kid } of waiting)
      stream.anonymousDecided(now, this.#withKey(now, login, token, kid, body));
  }

  #withKey(now: Millis, login: Login, token: ParsedToken, kid: string, body: string | undefined): AnonymousAnswer {
    const { tokens } = this.#options;
    const key = tokens === undefined || body === undefined ? undefined : keyOf(tokens, kid, body);
    return key === undefined ? refused("token key could not be obtained") : this.#verdict(now, login, token, key);
  }

  #verdict(now: Millis, login: Login, token: ParsedToken, key: string): AnonymousAnswer {
    const { tokens, wallClock } = this.#options;
    if (tokens === undefined) return refused("token not expected");
    const verdict = verifyToken(token, tokens, key, wallClock.toEpoch(now));
    return verdict.ok ? { type: "login", login: { ...login, claims: verdict.claims } } : refused(verdict.text);
  }

  /** RFC 9562 §5.4, lower case: clients make their endpoint id of its first eight digits (signaling.md 1.5). */
  #uuid(): string {
    const bytes = this.#options.random(16);
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
    const hex = bytes.toString("hex");
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  }
}

/** signaling.md 1.4: the client shows this text. */
const refused = (text: string): AnonymousAnswer => ({ type: "refused", condition: "not-allowed", text });
