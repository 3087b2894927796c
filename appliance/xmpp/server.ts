/**
 * The XMPP server as a core: connections, streams, sessions, router, features and hosts together. Inputs in, actions out (server-io.ts); no
 * socket, clock or randomness of its own.
 *
 * It declines: offline storage.
 */
import type { ExternalService, XmppDomains, XmppLimits } from "../config.ts";
import { type Deadline, soonest } from "../deadlines.ts";
import type { TokenRules } from "../jwt.ts";
import type { Metrics } from "../metrics.ts";
import type { Millis } from "../time.ts";
import { bareText, type Jid, jid, parseJid, sameBare } from "../wire/jid.ts";
import { NS } from "../wire/namespaces.ts";
import { attr, type Element, xml } from "../wire/xml.ts";
import type { Accounts } from "./accounts.ts";
import { ClientConnections } from "./client-connections.ts";
import { type ComponentAccount, Components } from "./components.ts";
import { type ClientProxy, clientProxy } from "./features/client-proxy.ts";
import { CAPS_NODE, capsVersion, type DiscoInfo, disco, discoInfoQuery } from "./features/disco.ts";
import { externalServices } from "./features/external-services.ts";
import { ping } from "./features/ping.ts";
import { PrivateStorage, type StoredPrivate } from "./features/private-storage.ts";
import { Registration } from "./features/registration.ts";
import { roster } from "./features/roster.ts";
import { sessionRequest } from "./features/session-request.ts";
import { version } from "./features/version.ts";
import { Federation, type FederationRules } from "./federation.ts";
import type { Host, HttpPage, HttpRequest } from "./host.ts";
import { Logins } from "./logins.ts";
import { type Roster, Rosters } from "./roster/rosters.ts";
import { REMOTE_OFF, Router } from "./router.ts";
import type { LinkId, ServerAction, ServerInput } from "./server-io.ts";
import { SessionKeeper } from "./session-keeper.ts";
import type { Session } from "./sessions.ts";
import type { WallClock } from "./wall-clock.ts";

export interface ServerOptions {
  readonly domains: XmppDomains;
  /** Guests log in there; then the main domain wants accounts. Undefined: guests log in to the main domain. */
  readonly guestDomain?: string;
  readonly limits: XmppLimits;
  readonly accounts: Accounts;
  readonly components: readonly ComponentAccount[];
  /** Bare JID. */
  readonly focusAccount: string;
  readonly externalServices: readonly ExternalService[];
  readonly tokens?: TokenRules;
  /** People make accounts on the main domain (XEP-0077); undefined: nobody does. */
  readonly registration?: { readonly from: "loopback" | "network" };
  /** Contact lists as they were kept, by bare JID. */
  readonly rosters?: ReadonlyMap<string, Roster>;
  /** What clients keep with the server (XEP-0049), by bare JID. */
  readonly privateStorage?: StoredPrivate;
  /** Server to server; undefined: off. */
  readonly federation?: FederationRules;
  /** Clients get the discovery answer with the bind result (signaling.md 1.10). */
  readonly pushDiscovery: boolean;
  /** Rooms and components; the server adds the client proxy. */
  readonly hosts: readonly Host[];
  /** Puts something before the host that takes conference requests: reservations, tenants. */
  readonly focusHost?: (proxy: Host) => Host;
  readonly software: { readonly name: string; readonly version: string };
  /** That many random bytes, unguessable. */
  readonly random: (size: number) => Buffer;
  readonly wallClock: WallClock;
  readonly metrics: Metrics;
}

/** HTTP requests on their way out. */
const MAX_FETCHES = 500;
/** `status` undefined: there was no answer. */
type FetchDone = (now: Millis, status: number | undefined, body: string) => void;
const SERVER_BACKLOG_BYTES = 1024 * 1024;
/** Connections that we make count down from here; BOSH's links count down from zero, the shell's up. */
const FIRST_OWN_LINK = -1_000_000_000_000;

export class XmppServer {
  readonly #options: ServerOptions;
  readonly #clients: ClientConnections;
  readonly #keeper: SessionKeeper;
  readonly #logins: Logins;
  readonly #components: Components;
  readonly #federation: Federation | undefined;
  readonly #router: Router;
  readonly #proxy: ClientProxy | undefined;
  readonly #hosts: readonly Host[];
  readonly #rosters: Rosters;
  readonly #private: PrivateStorage;
  /** Accounts given up in this turn. */
  readonly #removed: Jid[] = [];
  readonly #info: (domain: string) => DiscoInfo;
  readonly #fetches = new Map<number, FetchDone>();
  /** For which there was no place: told at the end of the turn, when whoever asked is ready to hear it. */
  #refusedFetches: FetchDone[] = [];
  #lastFetch = 0;
  #lastOwnLink = 0;
  #actions: ServerAction[] = [];

  constructor(options: ServerOptions) {
    this.#options = options;
    const { domains, limits, random, wallClock } = options;
    const guests = options.guestDomain ?? domains.domain;
    const userDomains = new Set([domains.domain, domains.auth, domains.hidden, guests]);
    const isServiceDomain = (domain: string): boolean => domain === domains.auth || domain === domains.hidden;
    const count = (reason: string): void => this.#count(reason);
    const act = (action: ServerAction): void => {
      this.#actions.push(action);
    };
    const randomId = (): string => random(18).toString("base64url");
    const focus = parseJid(options.focusAccount) ?? jid("focus", domains.auth);
    const componentDomains = new Set(options.components.map((each) => each.domain));
    this.#proxy = componentDomains.has(domains.focus)
      ? undefined
      : clientProxy(domains.focus, options.focusAccount, () => this.#keeper.sessions.best(focus)?.jid);
    this.#hosts = [
      ...(this.#proxy === undefined ? [] : [options.focusHost?.(this.#proxy) ?? this.#proxy]),
      ...options.hosts,
    ];

    this.#keeper = new SessionKeeper({
      limits,
      isServiceDomain,
      randomId,
      count,
      write: (link, text) => this.#clients.write(link, text),
      replaced: (now, link) => this.#clients.replaced(now, link),
      takenOver: (now, link) => this.#clients.takenOver(now, link),
      released: (address) => this.#clients.released(address),
      closed: (now, session, status) => {
        if (session.kind === "service")
          act(logged("service has left", { user: session.jid.local, domain: session.jid.domain, status }));
        this.#router.sessionClosed(now, session, status);
      },
      route: (now, stanza) => this.#routeOwn(now, stanza),
      available: (now, session) => this.#available(now, session),
    });
    this.#logins = new Logins({
      tokens: options.tokens,
      sessions: this.#keeper.sessions,
      wallClock,
      random,
      fetch: (url) =>
        this.#fetch({ method: "GET", url, headers: {} }, (now, status, body) =>
          this.#logins.fetched(now, url, status === 200 ? body : undefined),
        ),
    });

    this.#rosters = new Rosters(options.rosters ?? new Map(), (change) => act({ type: "store", change }));
    const hasRoster = (account: Jid): boolean =>
      account.local !== undefined &&
      !isServiceDomain(account.domain) &&
      options.accounts.find(account.local, account.domain) !== undefined;
    this.#private = new PrivateStorage(options.privateStorage ?? new Map(), hasRoster, (change) =>
      act({ type: "store", change }),
    );
    const registration =
      options.registration === undefined
        ? undefined
        : new Registration(0 as Millis, {
            domain: domains.domain,
            from: options.registration.from,
            accounts: options.accounts,
            removed: (account) => this.#removed.push(account),
          });
    const features = [
      ping,
      version(options.software),
      sessionRequest,
      roster({
        rosters: this.#rosters,
        hasRoster,
        fixed: new Map([[options.focusAccount, [domains.focus]]]),
        interested: (client) => {
          const session = this.#keeper.sessions.find(client);
          if (session !== undefined) session.interested = true;
        },
        push: (now, account, item) => this.#router.presence.push(now, account, item),
        removed: (now, account, contact) => this.#router.presence.removed(now, account, contact, 0),
      }),
      externalServices(options.externalServices, wallClock.toEpoch),
      // Where nobody can have an account, nobody need know of it.
      ...(options.accounts.serves(domains.domain) ? [this.#private.feature] : []),
      ...(registration === undefined ? [] : [registration.feature]),
    ];
    const vars = [NS.discoInfo, NS.discoItems, ...features.flatMap((each) => each.features)];
    this.#info = (domain) => ({
      identities: [
        { category: "server", type: "im", name: options.software.name },
        ...(domain === domains.domain || domain === guests ? this.#hosts.flatMap((host) => host.advertised ?? []) : []),
      ],
      features: vars,
    });
    const items = (domain: string): readonly string[] =>
      domain === domains.domain
        ? [...this.#hosts.filter((host) => host.listed === true).map((host) => host.domain), ...componentDomains]
        : [];
    const caps = xml("c", {
      xmlns: NS.caps,
      hash: "sha-1",
      node: CAPS_NODE,
      ver: capsVersion(this.#info(domains.domain)),
    });

    this.#clients = new ClientConnections(
      {
        limits,
        accounts: options.accounts,
        caps,
        isUserDomain: (domain) => userDomains.has(domain),
        allowsAnonymous: (domain) => domain === guests,
        isServiceDomain,
        hasRoster,
        registration,
        randomId,
        count,
        act,
        anonymous: (now, stream, domain, origin) => this.#logins.anonymous(now, stream, domain, origin),
        stanza: (now, session, stanza) => this.#router.fromSession(now, session, stanza),
        binding: (session) => {
          if (session.kind === "service")
            act(
              logged("service has logged in", {
                user: session.jid.local,
                domain: session.jid.domain,
                resource: session.jid.resource,
              }),
            );
          return this.#pushed(session);
        },
      },
      this.#keeper,
    );
    this.#components = new Components({
      accounts: options.components,
      limits: { elementSize: limits.serviceStanzaBytes, depth: limits.depth, attributes: limits.attributes },
      randomId,
      count,
      act,
      stanza: (now, stanza, sender) => this.#router.route(now, stanza, sender),
    });
    // What is the box's own business (services, breweries, the focus) is not open to the outside.
    const inward = new Set([domains.auth, domains.hidden, domains.internalMuc, domains.focus]);
    this.#federation =
      options.federation === undefined
        ? undefined
        : new Federation({
            rules: options.federation,
            limits: { elementSize: limits.serviceStanzaBytes, depth: limits.depth, attributes: limits.attributes },
            gate: {
              bytesPerSecond: limits.bytesPerSecond,
              stanzasPerSecond: limits.stanzasPerSecond,
              backlogBytes: SERVER_BACKLOG_BYTES,
            },
            serves: (domain) => this.#router.serves(domain) && !inward.has(domain),
            randomId,
            newLink: () => (FIRST_OWN_LINK - ++this.#lastOwnLink) as LinkId,
            count,
            act,
            stanza: (now, stanza, sender) => this.#router.route(now, stanza, sender),
            refuse: (now, stanza, error) => this.#router.refuse(now, stanza, error),
          });
    this.#router = new Router({
      userDomains,
      serviceDomains: new Set([domains.auth]),
      hosts: this.#hosts,
      features: [...features, disco({ info: this.#info, items })],
      sessions: this.#keeper.sessions,
      rosters: this.#rosters,
      hasRoster,
      deliver: (now, session, stanza) => this.#keeper.deliver(now, session, stanza),
      toComponent: (domain, stanza) => this.#components.deliver(domain, stanza),
      toRemote: (now, domain, stanza) =>
        this.#federation === undefined ? REMOTE_OFF : this.#federation.deliver(now, domain, stanza),
      http: (host, { id: name, request }) => {
        const done = (at: Millis, status: number | undefined, body: string): void =>
          this.#router.perform(at, host, host.httpAnswered?.(at, name, { status: status ?? 0, body }) ?? []);
        this.#fetch(request, done);
      },
      count,
      becameAvailable: (now, session) => this.#available(now, session),
    });
  }

  /** One input, all its actions. */
  handle(now: Millis, input: ServerInput): ServerAction[] {
    this.#clients.turn(now);
    this.#input(now, input);
    return this.#take(now);
  }

  nextDeadline(): Deadline | undefined {
    return soonest(
      this.#clients.nextDeadline(),
      this.#keeper.nextDeadline(),
      this.#components.nextDeadline(),
      this.#federation?.nextDeadline(),
      ...this.#hosts.map((host) => host.nextDeadline?.()),
    );
  }

  handleTimeout(now: Millis): ServerAction[] {
    this.#clients.turn(now);
    this.#clients.handleTimeout(now);
    this.#keeper.handleTimeout(now);
    this.#components.handleTimeout(now);
    this.#federation?.handleTimeout(now);
    for (const host of this.#hosts) {
      const at = host.nextDeadline?.()?.at;
      if (at !== undefined && at <= now && host.handleTimeout !== undefined)
        this.#router.perform(now, host, host.handleTimeout(now));
    }
    return this.#take(now);
  }

  /** Everybody is told to go: orderly stop. */
  shutdown(now: Millis): ServerAction[] {
    this.#clients.turn(now);
    this.#clients.shutdown(now);
    this.#components.shutdown();
    this.#federation?.shutdown(now);
    return this.#take(now);
  }

  /** A GET on the HTTP port that the shell does not know itself. */
  httpGet(now: Millis, path: string, query: ReadonlyMap<string, string>): HttpPage | undefined {
    // signaling.md 6.10: how many are logged in.
    if (path === "/sessions") return { status: 200, type: "text/plain", body: String(this.sessionCount) };
    for (const host of this.#hosts) {
      const answer = host.httpGet?.(now, path, query);
      if (answer !== undefined) return answer;
    }
    return undefined;
  }

  get connectionCount(): number {
    return this.#clients.size;
  }

  get sessionCount(): number {
    return this.#keeper.sessions.size;
  }

  #input(now: Millis, input: ServerInput): void {
    switch (input.type) {
      case "tcp-connected":
        if (input.service === "component") this.#components.connect(now, input.link);
        else if (input.service === "client") this.#clients.connectTcp(now, input.link, input.remoteAddress);
        else if (this.#federation !== undefined) this.#federation.accept(now, input.link, input.remoteAddress);
        else this.#actions.push({ type: "close", link: input.link, abrupt: true });
        break;
      case "websocket-connected":
        this.#clients.connectWebSocket(now, input.link, input.origin);
        break;
      case "bytes":
        if (this.#components.has(input.link)) this.#components.arrived(now, input.link, input.bytes);
        else if (this.#federation?.has(input.link) === true) this.#federation.arrived(now, input.link, input.bytes);
        else this.#clients.arrived(now, input.link, input.bytes, input.bytes.length);
        break;
      case "frame":
        this.#clients.arrived(now, input.link, input.text, input.text.length);
        break;
      case "binary-frame":
        this.#clients.binaryFrame(now, input.link);
        break;
      case "tls-started":
        if (this.#federation?.has(input.link) === true) this.#federation.tlsStarted(now, input.link, input.tls);
        else this.#clients.tlsStarted(input.link, input.tls);
        break;
      case "disconnected":
        if (this.#components.has(input.link)) this.#components.lost(input.link);
        else if (this.#federation?.has(input.link) === true) this.#federation.lost(now, input.link);
        else this.#clients.lost(now, input.link);
        break;
      case "overflow":
        if (this.#clients.has(input.link)) this.#clients.overflow(now, input.link);
        else this.#actions.push({ type: "close", link: input.link, abrupt: true });
        break;
      case "bosh-request":
        this.#clients.boshRequest(now, input.request, input.origin, input.body);
        break;
      case "bosh-aborted":
        this.#clients.boshAborted(input.request);
        break;
      case "fetched": {
        const waiting = this.#fetches.get(input.id);
        this.#fetches.delete(input.id);
        waiting?.(now, input.status, input.body);
        break;
      }
      case "wall-clock":
        this.#options.wallClock.set(input.epochMinusMonotonicMs);
        break;
      case "connect-done":
        this.#federation?.connected(now, input.link);
    }
  }

  #fetch(request: HttpRequest, done: FetchDone): void {
    if (this.#fetches.size >= MAX_FETCHES) {
      this.#count("too-many-fetches");
      this.#refusedFetches.push(done);
      return;
    }
    this.#fetches.set(++this.#lastFetch, done);
    this.#actions.push({ type: "fetch", id: this.#lastFetch, ...request });
  }

  #pushed(session: Session): Element | undefined {
    if (!this.#options.pushDiscovery || session.kind === "service") return undefined;
    const { domain } = session.jid;
    return xml(
      "message",
      { xmlns: NS.client, from: domain, to: `${session.jid.local}@${domain}/${session.jid.resource}` },
      discoInfoQuery(this.#info(domain)),
      xml("services", { xmlns: NS.extdisco2 }),
    );
  }

  #available(now: Millis, session: Session): void {
    const focus = parseJid(this.#options.focusAccount);
    if (focus !== undefined && sameBare(focus, session.jid) && this.#proxy !== undefined)
      this.#router.perform(now, this.#proxy, this.#proxy.targetAvailable(now));
  }

  /** A stanza that the server itself made. */
  #routeOwn(now: Millis, stanza: Element): void {
    const from = parseJid(attr(stanza, "from"));
    if (from !== undefined) this.#router.route(now, stanza, { jid: from, kind: "host", admin: false });
  }

  #count(reason: string): void {
    this.#options.metrics.counter("parley_xmpp_dropped_total", "Input refused or dropped, by reason").add({ reason });
  }

  /** XEP-0077 §3.2: after the answer, everything of the account ends. */
  #endRemoved(now: Millis): void {
    for (const account of this.#removed.splice(0)) {
      for (const session of this.#keeper.sessions.ofAccount(account))
        if (session.link === undefined) this.#keeper.end(now, session);
        else this.#clients.expelled(now, session.link);
      this.#rosters.forget(bareText(account));
      this.#private.forget(bareText(account));
    }
  }

  #take(now: Millis): ServerAction[] {
    const refused = this.#refusedFetches;
    this.#refusedFetches = [];
    for (const done of refused) done(now, undefined, "");
    this.#endRemoved(now);
    this.#clients.flush(now);
    this.#keeper.endTurn();
    this.#options.metrics.gauge("parley_xmpp_connections", "Open client connections").set(this.#clients.size);
    this.#options.metrics
      .gauge("parley_xmpp_sessions", "Bound sessions, hibernating ones included")
      .set(this.#keeper.sessions.size);
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }
}

/** Services are named in the log; people never (design.md 3). */
const logged = (message: string, fields: Readonly<Record<string, unknown>>): ServerAction => ({
  type: "log",
  level: "info",
  message,
  fields,
});
