/**
 * The life of sessions: bound, connected, hibernating (XEP-0198), taken over, gone. What is delivered to a session goes through here, so that
 * nothing is lost between two connections and nothing is kept without bound.
 */
import type { XmppLimits } from "../config.ts";
import type { Deadline } from "../deadlines.ts";
import { later, type Millis, seconds } from "../time.ts";
import { parseJid } from "../wire/jid.ts";
import { NS } from "../wire/namespaces.ts";
import { type Condition, errorReply } from "../wire/stanza.ts";
import { attr, type Element, parse } from "../wire/xml.ts";
import type { Login } from "./client-stream.ts";
import { type QueueLimits, StreamManagement } from "./features/stream-management.ts";
import type { ConnectionInfo } from "./host.ts";
import { Serialiser } from "./serialise.ts";
import type { LinkId } from "./server-io.ts";
import { type Session, Sessions } from "./sessions.ts";
import { Timers } from "./timers.ts";

export interface KeeperOptions {
  readonly limits: XmppLimits;
  /** Accounts of these domains are services: short hibernation, no rate limit. */
  readonly isServiceDomain: (domain: string) => boolean;
  readonly randomId: () => string;
  readonly count: (reason: string) => void;
  /** Something for the stream of a connected session. */
  readonly write: (link: LinkId, text: string) => void;
  /** A newer stream has bound the same resource: the old one ends with `conflict`. */
  readonly replaced: (now: Millis, link: LinkId) => void;
  /** A newer connection has taken the session over: the old one is cut. */
  readonly takenOver: (now: Millis, link: LinkId) => void;
  /** The session is gone for good. */
  readonly closed: (now: Millis, session: Session, status: string | undefined) => void;
  readonly route: (now: Millis, stanza: Element) => void;
  readonly available: (now: Millis, session: Session) => void;
  /** A hibernating session ended or was resumed: its address has a place again. */
  readonly released: (address: string) => void;
}

const QUEUE: QueueLimits = { stanzas: 1_000, size: 4 * 1024 * 1024 };
const FORGOTTEN_KEPT = 1_000;
const RESOURCES_PER_ACCOUNT = 128;

export class SessionKeeper {
  readonly sessions = new Sessions();
  readonly #options: KeeperOptions;
  readonly #hibernating = new Timers<Session>();
  /** Sessions that ended lately, by resumption id: their counter, for <failed h/>. */
  readonly #forgotten = new Map<string, number>();
  readonly #alive = new Set<Session>();
  readonly #serialiser = new Serialiser();
  #number = 0;

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  bind(
    now: Millis,
    login: Login,
    resource: string | undefined,
    link: LinkId,
    info: Omit<ConnectionInfo, "id">,
  ): Session | Condition {
    const { limits, randomId, isServiceDomain } = this.#options;
    const address = parseJid(`${login.user}@${login.domain}/${resource ?? randomId().slice(0, 12)}`);
    if (address === undefined) return "bad-request";
    const old = this.sessions.find(address);
    if (old !== undefined) {
      if (old.link === undefined) this.#endHibernating(now, old);
      else this.#options.replaced(now, old.link);
    }
    if (
      this.sessions.ofAccount(address).length >= RESOURCES_PER_ACCOUNT ||
      this.sessions.size >= 2 * limits.connections
    )
      return "resource-constraint";
    const service = login.account !== undefined && isServiceDomain(login.domain);
    const session: Session = {
      jid: address,
      kind: service ? "service" : login.account !== undefined || login.claims !== undefined ? "member" : "guest",
      anonymous: login.account === undefined,
      admin: login.account?.admin ?? false,
      number: ++this.#number,
      connection: { id: randomId(), ...info, ...(login.claims !== undefined ? { claims: login.claims } : {}) },
      link,
      management: undefined,
      resumptionId: undefined,
      keptSeconds: service ? limits.serviceResumeSeconds : limits.resumeSeconds,
      interested: false,
      presence: undefined,
      directed: new Set(),
    };
    this.sessions.add(session);
    this.#alive.add(session);
    return session;
  }

  enableManagement(
    session: Session,
    resume: boolean,
    max: number | undefined,
  ): { id: string | undefined; max: number | undefined } {
    const id = resume ? this.#options.randomId() : undefined;
    session.management = new StreamManagement(id, QUEUE);
    if (id === undefined) return { id: undefined, max: undefined };
    this.sessions.setResumable(session, id);
    if (max !== undefined && max > 0) session.keptSeconds = Math.min(max, session.keptSeconds);
    return { id, max: session.keptSeconds };
  }

  /** Takes a session over for a new connection of the same user. */
  resume(
    now: Millis,
    login: Login,
    previd: string,
    link: LinkId,
    info: Pick<ConnectionInfo, "transport" | "remoteAddress">,
  ): Session | { readonly h: number | undefined } {
    const session = this.sessions.resumable(previd);
    if (session === undefined || session.jid.local !== login.user || session.jid.domain !== login.domain)
      return { h: this.#forgotten.get(previd) };
    const old = session.link;
    if (old === undefined) {
      this.#hibernating.clear(session);
      this.#options.released(session.connection.remoteAddress);
    } else this.#options.takenOver(now, old);
    session.link = link;
    const { transport, remoteAddress } = info;
    session.connection = {
      ...session.connection,
      transport,
      remoteAddress,
      ...(login.claims !== undefined ? { claims: login.claims } : {}),
    };
    return session;
  }

  resumed(now: Millis, session: Session): void {
    if (session.presence !== undefined) this.#options.available(now, session);
  }

  deliver(now: Millis, session: Session, stanza: Element): void {
    if (!stanza.attrs["xmlns"]) stanza.attrs["xmlns"] = NS.client;
    const text = this.#serialiser.write(stanza);
    const { management, link } = session;
    if (management !== undefined && !management.stanzaSent(text)) {
      this.#options.count("resumption-queue-full");
      this.sessions.setResumable(session, undefined);
      if (link === undefined) {
        this.#endHibernating(now, session);
        return;
      }
    }
    if (link === undefined) return;
    this.#options.write(link, text);
    this.request(session);
  }

  /** Asks for an acknowledgement when it is time. */
  request(session: Session): void {
    const { management, link } = session;
    if (management === undefined || link === undefined || !management.shouldRequest()) return;
    management.requested();
    this.#options.write(link, `<r xmlns="${NS.sm}"/>`);
  }

  /** The connection is gone. True: the session hibernates and keeps its address's place. */
  lost(now: Millis, session: Session): boolean {
    if (session.resumptionId === undefined) {
      this.end(now, session, "Disconnected");
      return false;
    }
    session.link = undefined;
    this.#hibernating.set(session, later(now, seconds(session.keptSeconds)), "hibernating session");
    return true;
  }

  end(now: Millis, session: Session, status?: string): void {
    if (!this.#alive.delete(session)) return;
    const { management, resumptionId } = session;
    if (management !== undefined && resumptionId !== undefined) {
      if (this.#forgotten.size >= FORGOTTEN_KEPT)
        for (const oldest of [...this.#forgotten.keys()].slice(0, 1)) this.#forgotten.delete(oldest);
      this.#forgotten.set(resumptionId, management.received);
    }
    this.sessions.remove(session);
    session.link = undefined;
    session.management = undefined;
    this.#options.closed(now, session, status);
    if (management !== undefined && status !== undefined) this.#bounce(now, management.unacked);
  }

  /** At the end of a turn. */
  endTurn(): void {
    this.#serialiser.forget();
  }

  nextDeadline(): Deadline | undefined {
    return this.#hibernating.soonest();
  }

  handleTimeout(now: Millis): void {
    this.#hibernating.due(now, (session) => {
      if (session.link === undefined) this.#endHibernating(now, session);
    });
  }

  #endHibernating(now: Millis, session: Session): void {
    this.#hibernating.clear(session);
    this.#options.released(session.connection.remoteAddress);
    this.end(now, session, "Disconnected");
  }

  /** XEP-0198 §6: requests that were never acknowledged are answered, so that nobody waits for them. */
  #bounce(now: Millis, unacked: readonly string[]): void {
    for (const text of unacked) {
      if (!text.startsWith("<iq")) continue;
      const stanza = parse(text);
      const type = stanza === undefined ? undefined : attr(stanza, "type");
      if (stanza !== undefined && (type === "get" || type === "set"))
        this.#options.route(now, errorReply(stanza, { condition: "recipient-unavailable" }));
    }
  }
}
