/**
 * Shell: the bridge's streams to XMPP servers, one a client of muc-clients.ts: the configured one, and those that were added over HTTP.
 */
import { rootCertificates } from "node:tls";
import type { ServerTrust, ServiceLogin } from "../config.ts";
import type { Logger } from "../log.ts";
import type { Element } from "../wire/xml.ts";
import { XmppSession } from "../xmpp-session.ts";
import type { MucClientNumber } from "./context.ts";
import type { MucClientLogin } from "./muc-client-json.ts";
import { CONFIGURED_CLIENT } from "./muc-clients.ts";

export interface MucSessionEvents {
  online(client: MucClientNumber, resumed: boolean): void;
  stanza(client: MucClientNumber, stanza: Element): void;
  offline(client: MucClientNumber): void;
}

/** What a removed client's goodbye gets. */
const CLOSE_MS = 2_000;

export class MucSessions {
  readonly #configured: ServiceLogin;
  readonly #serverId: string;
  readonly #log: Logger;
  readonly #events: MucSessionEvents;
  readonly #sessions = new Map<MucClientNumber, XmppSession>();

  constructor(configured: ServiceLogin, serverId: string, log: Logger, events: MucSessionEvents) {
    this.#configured = configured;
    this.#serverId = serverId;
    this.#log = log;
    this.#events = events;
  }

  /** Logs in to the configured server. */
  start(): void {
    const { tls, resource, ...login } = this.#configured;
    // The same at every start: a new stream ends the one of a bridge that died without a word (design.md 2).
    this.#open(CONFIGURED_CLIENT, login, resource ?? this.#serverId, tls);
  }

  open(client: MucClientNumber, login: MucClientLogin): void {
    // Another resource than the configured one's: it may be the same account.
    this.#open(client, login, `${this.#serverId}-${client}`, trustOf(login.security, this.#configured.tls));
  }

  #open(
    client: MucClientNumber,
    login: Pick<MucClientLogin, "host" | "port" | "domain" | "user" | "password">,
    resource: string,
    tls: ServerTrust | undefined,
  ): void {
    const { host, port, domain, user, password } = login;
    const session = new XmppSession({
      host,
      port,
      stream: {
        domain,
        identity: { kind: "user", user, password, resource },
        streamManagement: "without-resumption",
        pingTo: domain,
      },
      tls,
      log: this.#log,
      handlers: {
        online: (_jid, resumed) => this.#events.online(client, resumed),
        stanza: (stanza) => this.#events.stanza(client, stanza),
        offline: () => this.#events.offline(client),
      },
    });
    this.#sessions.set(client, session);
    session.start();
  }

  send(client: MucClientNumber, stanza: Element): void {
    this.#sessions.get(client)?.send(stanza);
  }

  /** Ends the stream after what was sent to it. */
  close(client: MucClientNumber): void {
    const session = this.#sessions.get(client);
    this.#sessions.delete(client);
    void session?.stop(CLOSE_MS);
  }

  /** Undefined when every server has let us in; otherwise why one has not. */
  health(): string | undefined {
    if (this.#sessions.size === 0) return "no XMPP server is served any more";
    return [...this.#sessions.values()].map((each) => each.health()).find((each) => each !== undefined);
  }

  async stop(deadlineMs: number): Promise<void> {
    await Promise.all([...this.#sessions.values()].map((each) => each.stop(deadlineMs)));
    this.#sessions.clear();
  }
}

/** A pin is one server's own: any other one has to show a certificate of a public root, or of the one that the administrator named. */
function trustOf(security: MucClientLogin["security"], configured: ServerTrust): ServerTrust | undefined {
  if (security === "open") return undefined;
  if (security === "unverified") return { kind: "insecure" };
  const own = configured.kind === "ca" ? [configured.certificates] : [];
  return { kind: "ca", certificates: [...own, ...rootCertificates].join("\n") };
}
