/**
 * Who an anonymous login is: a fresh UUID, or the user whose session it resumes (signaling.md 1.6 rule 7); with the claims of the connection's
 * token where tokens are in use (1.4, 6.9).
 */
import type { TokenRules } from "../jwt.ts";
import type { Millis } from "../time.ts";
import { TokenVerifier, type Verdict } from "../token-verifier.ts";
import type { AnonymousAnswer, ClientStream, Login } from "./client-stream.ts";
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

export class Logins {
  readonly #options: LoginOptions;
  readonly #verifier: TokenVerifier | undefined;

  constructor(options: LoginOptions) {
    this.#options = options;
    this.#verifier = options.tokens === undefined ? undefined : new TokenVerifier(options.tokens, options.fetch);
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
    const answer = (verdict: Verdict): AnonymousAnswer => {
      if (verdict.ok) return { type: "login", login: { ...login, claims: verdict.claims } };
      return "busy" in verdict ? { type: "refused", condition: "temporary-auth-failure" } : refused(verdict.text);
    };
    const wallNow = this.#options.wallClock.toEpoch(now);
    const verdict = this.#verifier?.verify(now, wallNow, text, (at, late) => stream.anonymousDecided(at, answer(late)));
    return verdict === undefined ? { type: "pending" } : answer(verdict);
  }

  /** What `fetch` was asked for; undefined: it could not be had. */
  fetched(now: Millis, url: string, body: string | undefined): void {
    this.#verifier?.fetched(now, this.#options.wallClock.toEpoch(now), url, body);
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
