/**
 * Bound resources: who is reachable under which full JID, connected or hibernating (XEP-0198), and the presence of each.
 */
import { bareText, type Jid, jidText } from "../wire/jid.ts";
import { attr, childText, type Element } from "../wire/xml.ts";
import type { StreamManagement } from "./features/stream-management.ts";
import type { ConnectionInfo, Sender } from "./host.ts";
import type { LinkId } from "./server-io.ts";

export interface Session {
  readonly jid: Jid;
  readonly kind: "guest" | "member" | "service";
  /** Logged in without an account (a token may vouch for it). */
  readonly anonymous: boolean;
  readonly admin: boolean;
  /** Order of binding: a later session has the higher number. */
  readonly number: number;
  connection: ConnectionInfo;
  /** Undefined: hibernating. */
  link: LinkId | undefined;
  management: StreamManagement | undefined;
  /** Seconds that it hibernates, as granted. */
  keptSeconds: number;
  /** Under which it can be resumed. */
  resumptionId: string | undefined;
  /** Has asked for its contact list, hence is told of changes (RFC 6121 §2.1.6). */
  interested: boolean;
  /** Last broadcast presence, without `to`; undefined: unavailable. */
  presence: Element | undefined;
  /** Where it has sent available presence directly: full or bare JIDs as text (RFC 6121 §4.6). */
  readonly directed: Set<string>;
}

export const senderOf = (session: Session): Sender => ({
  jid: session.jid,
  kind: session.kind,
  admin: session.admin,
  connection: session.connection,
});

/** RFC 6121 §4.7.2.3; −128 … 127, 0 when absent or broken. */
export function priority(presence: Element): number {
  const value = Number(childText(presence, "priority") ?? 0);
  return Number.isInteger(value) && value >= -128 && value <= 127 ? value : 0;
}

export class Sessions {
  readonly #byFull = new Map<string, Session>();
  readonly #byBare = new Map<string, Set<Session>>();
  readonly #byResumption = new Map<string, Session>();

  get size(): number {
    return this.#byFull.size;
  }

  all(): Iterable<Session> {
    return this.#byFull.values();
  }

  add(session: Session): void {
    this.#byFull.set(jidText(session.jid), session);
    const bare = bareText(session.jid);
    const siblings = this.#byBare.get(bare);
    if (siblings === undefined) this.#byBare.set(bare, new Set([session]));
    else siblings.add(session);
  }

  remove(session: Session): void {
    const full = jidText(session.jid);
    if (this.#byFull.get(full) === session) this.#byFull.delete(full);
    const bare = bareText(session.jid);
    const siblings = this.#byBare.get(bare);
    siblings?.delete(session);
    if (siblings?.size === 0) this.#byBare.delete(bare);
    this.setResumable(session, undefined);
  }

  find(jid: Jid): Session | undefined {
    return this.#byFull.get(jidText(jid));
  }

  ofAccount(jid: Jid): readonly Session[] {
    return [...(this.#byBare.get(bareText(jid)) ?? [])];
  }

  /** Those of an account that broadcast an available presence. */
  available(jid: Jid): readonly Session[] {
    return this.ofAccount(jid).filter((session) => session.presence !== undefined);
  }

  /** Where an account is best reached by something that must arrive once: available before unavailable, then the latest. */
  best(jid: Jid): Session | undefined {
    const rank = (session: Session): number =>
      (session.presence === undefined ? 0 : 2) + (session.link === undefined ? 0 : 1);
    let best: Session | undefined;
    for (const each of this.ofAccount(jid))
      if (best === undefined || rank(each) > rank(best) || (rank(each) === rank(best) && each.number > best.number))
        best = each;
    return best;
  }

  setResumable(session: Session, id: string | undefined): void {
    if (session.resumptionId !== undefined) this.#byResumption.delete(session.resumptionId);
    session.resumptionId = id;
    if (id !== undefined) this.#byResumption.set(id, session);
  }

  resumable(id: string): Session | undefined {
    return this.#byResumption.get(id);
  }
}

/** Whether a presence without `to` makes available. */
export const isAvailable = (presence: Element): boolean => attr(presence, "type") === undefined;
