/**
 * Authentication sessions of the focus: who may create conferences. signaling.md 2.4. A core.
 */
import { later, type Millis } from "../time.ts";
import type { AuthenticationSettings, FocusRandom } from "./context.ts";

interface Session {
  readonly id: string;
  readonly machineUid: string;
  /** Bare JID of the user. */
  readonly identity: string;
  expires: Millis;
}

export type Authentication =
  /** What the client is told; a token over HTTP makes no session and is nobody's JID. */
  | { readonly kind: "authenticated"; readonly sessionId: string | undefined; readonly identity: string | undefined }
  | { readonly kind: "guest" }
  | { readonly kind: "invalid-session" }
  /** A user of the login domain without a machine-uid, or with another's session. */
  | { readonly kind: "not-acceptable" };

const MAX_SESSIONS = 10_000;

export class Authenticator {
  readonly settings: AuthenticationSettings;
  readonly #random: FocusRandom;
  readonly #sessions = new Map<string, Session>();

  constructor(settings: AuthenticationSettings, random: FocusRandom) {
    this.settings = settings;
    this.#random = random;
  }

  /** Who asks: by the JID the server vouches for (undefined over HTTP) and the session it names. */
  authenticate(
    now: Millis,
    jid: string | undefined,
    machineUid: string | undefined,
    sessionId: string | undefined,
  ): Authentication {
    this.#expire(now);
    const bare = jid?.split("/")[0];
    if (bare !== undefined && bare.slice(bare.indexOf("@") + 1) === this.settings.loginDomain) {
      if (machineUid === undefined || machineUid === "" || machineUid.length > 256) return { kind: "not-acceptable" };
      const session = this.#sessionFor(now, bare, machineUid);
      return { kind: "authenticated", sessionId: session.id, identity: bare };
    }
    if (sessionId === undefined || sessionId === "") return { kind: "guest" };
    const session = this.#sessions.get(sessionId);
    if (session === undefined) return { kind: "invalid-session" };
    if (session.machineUid !== machineUid) return { kind: "not-acceptable" };
    session.expires = later(now, this.settings.sessionLifetime);
    return { kind: "authenticated", sessionId: session.id, identity: session.identity };
  }

  /** False: there is no such session. */
  logout(sessionId: string | undefined): boolean {
    return sessionId !== undefined && this.#sessions.delete(sessionId);
  }

  #sessionFor(now: Millis, identity: string, machineUid: string): Session {
    const expires = later(now, this.settings.sessionLifetime);
    for (const session of this.#sessions.values())
      if (session.identity === identity && session.machineUid === machineUid) {
        session.expires = expires;
        return session;
      }
    if (this.#sessions.size >= MAX_SESSIONS) {
      const oldest = this.#sessions.keys().next();
      if (oldest.done !== true) this.#sessions.delete(oldest.value);
    }
    const session = { id: this.#random.uuid(), machineUid, identity, expires };
    this.#sessions.set(session.id, session);
    return session;
  }

  #expire(now: Millis): void {
    for (const [id, session] of this.#sessions) if (session.expires <= now) this.#sessions.delete(id);
  }
}
