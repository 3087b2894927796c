/**
 * The XMPP server as a core: connections, streams, sessions, router, features and hosts together. Inputs in, actions out (server-io.ts); no
 * socket, clock or randomness of its own.
 *
 * It declines: accounts made over the wire (XEP-0077), contact lists (RFC 6121 §2–3), offline storage.
 */
import type { ExternalService, XmppDomains, XmppLimits } from "../config.ts";
import { type Deadline, soonest } from "../deadlines.ts";
import type { Metrics } from "../metrics.ts";
import { later, type Millis, seconds } from "../time.ts";
import { jid, parseJid } from "../wire/jid.ts";
import { NS } from "../wire/namespaces.ts";
import { type Condition, errorReply } from "../wire/stanza.ts";
import { attr, type Element, parse, xml } from "../wire/xml.ts";
import type { Accounts } from "./accounts.ts";
import { Bosh, type BoshServer } from "./bosh.ts";
import { type AnonymousAnswer, ClientStream, type Login, type StreamServer } from "./client-stream.ts";
import { type ClientProxy, clientProxy } from "./features/client-proxy.ts";
import { CAPS_NODE, capsVersion, type DiscoInfo, disco } from "./features/disco.ts";
import { externalServices } from "./features/external-services.ts";
import { ping } from "./features/ping.ts";
import { roster } from "./features/roster.ts";
import { sessionRequest } from "./features/session-request.ts";
import { type QueueLimits, StreamManagement } from "./features/stream-management.ts";
import { version } from "./features/version.ts";
import { type Framing, type FramingEvent, TcpFraming, WebSocketFraming } from "./framing.ts";
import type { Host } from "./host.ts";
import { InboundGate } from "./inbound-gate.ts";
import { REMOTE_OFF, Router } from "./router.ts";
import type { HttpOrigin, LinkId, RequestId, ServerAction, ServerInput } from "./server-io.ts";
import { type Session, Sessions } from "./sessions.ts";
import { Timers } from "./timers.ts";
import type { WallClock } from "./wall-clock.ts";
import type { XmlLimits } from "./xml-parser.ts";

export interface ServerOptions {
  readonly domains: XmppDomains;
  readonly limits: XmppLimits;
  readonly accounts: Accounts;
  /** Bare JID. */
  readonly focusAccount: string;
  readonly externalServices: readonly ExternalService[];
  /** Rooms and components; the server adds the client proxy. */
  readonly hosts: readonly Host[];
  readonly software: { readonly name: string; readonly version: string };
  /** That many random bytes, unguessable. */
  readonly random: (size: number) => Buffer;
  readonly wallClock: WallClock;
  readonly metrics: Metrics;
}

/** Bytes of TCP, a frame of WebSocket, the children of a BOSH body. */
type Chunk = Uint8Array | string | readonly FramingEvent[];

interface Link {
  readonly id: LinkId;
  readonly transport: "tcp" | "websocket" | "bosh";
  readonly stream: ClientStream;
  readonly receive: (chunk: Chunk) => readonly FramingEvent[];
  readonly gate: InboundGate<Chunk>;
  readonly origin: HttpOrigin;
  lastReceived: Millis;
  probed: boolean;
}

/** Time to log in and bind. */
const NEGOTIATION = seconds(30);
/** Silence after which a peer is asked whether it lives. */
const IDLE = seconds(60);
/** Time to answer that. */
const PROBE = seconds(30);
/** Time for a peer to close after we did. */
const CLOSING = seconds(5);
const QUEUE: QueueLimits = { stanzas: 1_000, size: 4 * 1024 * 1024 };
const FORGOTTEN_KEPT = 1_000;
const BACKLOG_BYTES = 524_288;
const RESOURCES_PER_ACCOUNT = 128;

export class XmppServer implements StreamServer, BoshServer {
  readonly accounts: Accounts;
  readonly caps: Element;
  readonly clientLimits: XmlLimits;
  readonly serviceLimits: XmlLimits;
  readonly idleSeconds = IDLE / 1000;
  readonly #options: ServerOptions;
  readonly #links = new Map<LinkId, Link>();
  readonly #byStream = new Map<ClientStream, Link>();
  readonly #sessions = new Sessions();
  readonly #router: Router;
  readonly #proxy: ClientProxy;
  readonly #hosts: readonly Host[];
  readonly #timers = new Timers<string>();
  readonly #bosh: Bosh;
  #now = 0 as Millis;
  readonly #addresses = new Map<string, number>();
  /** Sessions that ended lately, by resumption id: their counter, for <failed h/>. */
  readonly #forgotten = new Map<string, number>();
  readonly #bySessionNumber = new Map<number, Session>();
  #sessionNumber = 0;
  #actions: ServerAction[] = [];

  constructor(options: ServerOptions) {
    this.#options = options;
    this.accounts = options.accounts;
    const { domains, limits } = options;
    this.clientLimits = { elementSize: limits.clientStanzaBytes, depth: limits.depth, attributes: limits.attributes };
    this.serviceLimits = { elementSize: limits.serviceStanzaBytes, depth: limits.depth, attributes: limits.attributes };
    const focus = parseJid(options.focusAccount) ?? jid("focus", domains.auth);
    this.#proxy = clientProxy(domains.focus, options.focusAccount, () => this.#sessions.best(focus)?.jid);
    this.#hosts = [this.#proxy, ...options.hosts];
    const features = [
      ping,
      version(options.software),
      sessionRequest,
      roster(new Map([[options.focusAccount, [domains.focus]]])),
      externalServices(options.externalServices, options.wallClock.toEpoch),
    ];
    const vars = [NS.discoInfo, NS.discoItems, ...features.flatMap((each) => each.features)];
    const info = (domain: string): DiscoInfo => ({
      identities: [
        { category: "server", type: "im", name: options.software.name },
        ...(domain === domains.domain ? this.#hosts.flatMap((host) => host.advertised ?? []) : []),
      ],
      features: vars,
    });
    const items = (domain: string): readonly string[] =>
      domain === domains.domain ? this.#hosts.filter((host) => host.listed === true).map((host) => host.domain) : [];
    this.caps = xml("c", { xmlns: NS.caps, hash: "sha-1", node: CAPS_NODE, ver: capsVersion(info(domains.domain)) });
    this.#bosh = new Bosh(this, this.clientLimits);
    this.#router = new Router({
      userDomains: new Set([domains.domain, domains.auth, domains.hidden]),
      serviceDomains: new Set([domains.auth]),
      hosts: this.#hosts,
      features: [...features, disco({ info, items })],
      sessions: this.#sessions,
      deliver: (now, session, stanza) => this.#deliver(now, session, stanza),
      toComponent: () => false,
      toRemote: () => REMOTE_OFF,
      count: (reason) => this.count(reason),
      becameAvailable: (now, session) => this.#becameAvailable(now, session),
    });
  }

  /** One input, all its actions. */
  handle(now: Millis, input: ServerInput): ServerAction[] {
    this.#now = now;
    switch (input.type) {
      case "tcp-connected":
        this.#connectTcp(now, input.link, input.remoteAddress);
        break;
      case "websocket-connected":
        this.#connectWebSocket(now, input.link, input.origin);
        break;
      case "bytes":
        this.#arrived(now, input.link, input.bytes, input.bytes.length);
        break;
      case "frame":
        this.#arrived(now, input.link, input.text, input.text.length);
        break;
      case "binary-frame":
        this.#links
          .get(input.link)
          ?.stream.receive(now, { type: "abort", code: 1003, reason: "Only text frames are supported, RFC 7395 3.2" });
        break;
      case "tls-started":
        this.#links.get(input.link)?.stream.tlsStarted(input.tls.bindings);
        break;
      case "disconnected":
        this.#lost(now, input.link);
        break;
      case "overflow":
        this.#overflow(now, input.link);
        break;
      case "bosh-request":
        this.#bosh.request(now, input.request, input.origin, input.body);
        break;
      case "bosh-aborted":
        this.#bosh.aborted(input.request);
        break;
      case "wall-clock":
        this.#options.wallClock.set(input.epochMinusMonotonicMs);
        break;
      default:
        this.count(`unexpected-${input.type}`);
    }
    return this.#take();
  }

  nextDeadline(): Deadline | undefined {
    return soonest(
      this.#timers.soonest(),
      this.#bosh.nextDeadline(),
      ...this.#hosts.map((host) => host.nextDeadline?.()),
    );
  }

  handleTimeout(now: Millis): ServerAction[] {
    this.#now = now;
    this.#bosh.handleTimeout(now);
    for (let key = this.#timers.due(now); key !== undefined; key = this.#timers.due(now)) this.#timer(now, key);
    for (const host of this.#hosts) {
      const at = host.nextDeadline?.()?.at;
      if (at !== undefined && at <= now && host.handleTimeout !== undefined)
        this.#router.perform(now, host, host.handleTimeout(now));
    }
    return this.#take();
  }

  /** Everybody is told to go: orderly stop. */
  shutdown(now: Millis): ServerAction[] {
    this.#now = now;
    for (const link of [...this.#links.values()]) link.stream.fail(now, "system-shutdown");
    return this.#take();
  }

  get connectionCount(): number {
    return this.#links.size;
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  // What streams ask (StreamServer).

  isUserDomain(domain: string): boolean {
    const { domain: main, auth, hidden } = this.#options.domains;
    return domain === main || domain === auth || domain === hidden;
  }

  allowsAnonymous(domain: string): boolean {
    return domain === this.#options.domains.domain;
  }

  randomId(): string {
    return this.#options.random(18).toString("base64url");
  }

  count(reason: string): void {
    this.#options.metrics.counter("parley_xmpp_dropped_total", "Input refused or dropped, by reason").add({ reason });
  }

  write(link: LinkId, data: string): void {
    if (this.#bosh.has(link)) this.#bosh.write(this.#now, link, data);
    else this.#actions.push({ type: "write", link, data });
  }

  startTls(link: LinkId, domain: string): void {
    this.#actions.push({ type: "start-tls", link, role: "server", domain });
  }

  end(now: Millis, stream: ClientStream, close: { code?: number; reason?: string; abrupt?: boolean }): void {
    const link = this.#byStream.get(stream);
    if (link !== undefined) this.#timers.set(linkKey(link), later(now, CLOSING), "closing connection");
    const { session } = stream;
    stream.session = undefined;
    if (session !== undefined && session.link === stream.link) this.#endSession(now, session);
    this.#close(now, stream.link, close);
  }

  anonymous(_now: Millis, stream: ClientStream, domain: string): AnonymousAnswer {
    const query = this.#byStream.get(stream)?.origin.query ?? {};
    const previous = query["previd"] === undefined ? undefined : this.#sessions.resumable(query["previd"]);
    // signaling.md 1.6 rule 7: the resumption id says whom the new login continues.
    const user =
      previous !== undefined && previous.kind !== "service" && previous.jid.domain === domain
        ? previous.jid.local
        : undefined;
    return { type: "login", login: { user: user ?? this.#uuid(), domain, account: undefined, claims: undefined } };
  }

  loggedIn(now: Millis, stream: ClientStream, login: Login): void {
    if (login.account !== undefined) this.#byStream.get(stream)?.gate.lift(now);
  }

  bind(now: Millis, stream: ClientStream, login: Login, resource: string | undefined): Session | Condition {
    const link = this.#byStream.get(stream);
    const address = parseJid(
      `${login.user}@${login.domain}/${resource ?? this.#options.random(9).toString("base64url")}`,
    );
    if (link === undefined) return "internal-server-error";
    if (address === undefined) return "bad-request";
    const old = this.#sessions.find(address);
    if (old !== undefined) this.#replace(now, old);
    if (
      this.#sessions.ofAccount(address).length >= RESOURCES_PER_ACCOUNT ||
      this.#sessions.size >= 2 * this.#options.limits.connections
    )
      return "resource-constraint";
    const session: Session = {
      jid: address,
      kind: login.account !== undefined ? "service" : login.claims !== undefined ? "member" : "guest",
      admin: login.account?.admin ?? false,
      number: ++this.#sessionNumber,
      connection: {
        id: this.randomId(),
        transport: link.transport,
        ...originInfo(link.origin),
        ...(login.claims !== undefined ? { claims: login.claims } : {}),
      },
      link: link.id,
      management: undefined,
      resumptionId: undefined,
      presence: undefined,
      directed: new Set(),
    };
    this.#sessions.add(session);
    this.#bySessionNumber.set(session.number, session);
    this.#armIdle(now, link);
    this.#gauges();
    return session;
  }

  enableManagement(
    _now: Millis,
    session: Session,
    resume: boolean,
    max: number | undefined,
  ): { id: string | undefined; max: number | undefined } {
    const id = resume ? this.randomId() : undefined;
    session.management = new StreamManagement(id, QUEUE);
    if (id === undefined) return { id: undefined, max: undefined };
    this.#sessions.setResumable(session, id);
    const { resumeSeconds, serviceResumeSeconds } = this.#options.limits;
    const allowed = session.kind === "service" ? serviceResumeSeconds : resumeSeconds;
    return { id, max: max === undefined || max === 0 ? allowed : Math.min(max, allowed) };
  }

  resume(
    now: Millis,
    stream: ClientStream,
    login: Login,
    previd: string,
  ): Session | { readonly h: number | undefined } {
    const link = this.#byStream.get(stream);
    const session = this.#sessions.resumable(previd);
    if (
      link === undefined ||
      session === undefined ||
      session.jid.local !== login.user ||
      session.jid.domain !== login.domain
    )
      return { h: this.#forgotten.get(previd) };
    const old = session.link === undefined ? undefined : this.#links.get(session.link);
    if (old !== undefined) {
      // Transcript ws-raw…: the old socket is cut without a word.
      old.stream.drop();
      old.stream.session = undefined;
      this.#close(now, old.id, { abrupt: true });
    } else this.#releaseAddress(session.connection.remoteAddress);
    this.#timers.clear(sessionKey(session));
    session.link = link.id;
    session.connection = {
      ...session.connection,
      transport: link.transport,
      remoteAddress: link.origin.remoteAddress,
      ...(login.claims !== undefined ? { claims: login.claims } : {}),
    };
    this.#armIdle(now, link);
    return session;
  }

  resumed(now: Millis, session: Session): void {
    if (session.presence !== undefined) this.#becameAvailable(now, session);
    this.#gauges();
  }

  stanza(now: Millis, session: Session, stanza: Element): void {
    this.#router.fromSession(now, session, stanza);
  }

  request(_now: Millis, session: Session): void {
    const { management, link } = session;
    if (management === undefined || link === undefined || !management.shouldRequest()) return;
    management.requested();
    this.write(link, `<r xmlns="${NS.sm}"/>`);
  }

  // What BOSH tells (BoshServer).

  answer(request: RequestId, body: string): void {
    this.#actions.push({ type: "http-answer", request, status: 200, body });
  }

  opened(now: Millis, link: LinkId, origin: HttpOrigin, framing: Framing): void {
    const stream = new ClientStream({ link, kind: "bosh", framing, secure: true, startTls: false }, this);
    this.#connect(now, {
      id: link,
      transport: "bosh",
      stream,
      receive: (chunk) => (typeof chunk === "string" || chunk instanceof Uint8Array ? [] : chunk),
      origin,
    });
  }

  events(now: Millis, link: LinkId, events: readonly FramingEvent[], bytes: number): void {
    this.#arrived(now, link, events, bytes);
  }

  gone(now: Millis, link: LinkId): void {
    this.#lost(now, link);
  }

  // Connections.

  #close(now: Millis, link: LinkId, close: { code?: number; reason?: string; abrupt?: boolean }): void {
    if (this.#bosh.has(link)) this.#bosh.close(now, link);
    else this.#actions.push({ type: "close", link, ...close });
  }

  #connectTcp(now: Millis, id: LinkId, remoteAddress: string): void {
    const framing = new TcpFraming(this.clientLimits);
    const stream = new ClientStream({ link: id, kind: "tcp", framing, secure: false, startTls: true }, this);
    this.#connect(now, {
      id,
      transport: "tcp",
      stream,
      receive: (chunk) => (chunk instanceof Uint8Array ? framing.receive(chunk) : []),
      origin: { remoteAddress, query: {} },
    });
  }

  #connectWebSocket(now: Millis, id: LinkId, origin: HttpOrigin): void {
    const framing = new WebSocketFraming(this.clientLimits);
    const stream = new ClientStream({ link: id, kind: "websocket", framing, secure: true, startTls: false }, this);
    this.#connect(now, {
      id,
      transport: "websocket",
      stream,
      receive: (chunk) => (typeof chunk === "string" ? framing.receive(chunk) : []),
      origin,
    });
  }

  #connect(now: Millis, parts: Omit<Link, "gate" | "lastReceived" | "probed">): void {
    const { limits } = this.#options;
    const { remoteAddress } = parts.origin;
    const gate = new InboundGate<Chunk>(now, {
      bytesPerSecond: limits.bytesPerSecond,
      stanzasPerSecond: limits.stanzasPerSecond,
      backlogBytes: BACKLOG_BYTES,
    });
    const link: Link = { ...parts, gate, lastReceived: now, probed: false };
    const crowded =
      this.#links.size >= limits.connections ||
      (!isLoopback(remoteAddress) && (this.#addresses.get(remoteAddress) ?? 0) >= limits.connectionsPerAddress);
    this.#links.set(link.id, link);
    this.#byStream.set(link.stream, link);
    this.#addresses.set(remoteAddress, (this.#addresses.get(remoteAddress) ?? 0) + 1);
    this.#timers.set(linkKey(link), later(now, NEGOTIATION), "login of a connection");
    this.#gauges();
    if (crowded) link.stream.fail(now, "resource-constraint", "Too many connections");
  }

  #arrived(now: Millis, id: LinkId, chunk: Chunk, bytes: number): void {
    const link = this.#links.get(id);
    if (link === undefined || link.stream.closed) return;
    if (!link.gate.offer(chunk, bytes)) {
      link.stream.fail(now, "policy-violation", "Too much, too fast");
      return;
    }
    this.#workOff(now, link);
  }

  #workOff(now: Millis, link: Link): void {
    for (let chunk = link.gate.next(now); chunk !== undefined; chunk = link.gate.next(now)) {
      link.lastReceived = now;
      link.probed = false;
      for (const event of link.receive(chunk)) {
        if (event.type === "element") link.gate.stanza(now);
        link.stream.receive(now, event);
      }
      if (link.stream.closed) return;
    }
    if (!link.gate.empty) {
      this.count("throttled");
      this.#timers.set(`gate ${link.id}`, later(now, link.gate.waitMs(now)), "throttled connection");
    }
  }

  #overflow(now: Millis, id: LinkId): void {
    const link = this.#links.get(id);
    if (link === undefined) return;
    this.count("slow-reader");
    this.#close(now, id, { abrupt: true });
    this.#lost(now, id);
  }

  /** The transport is gone; a resumable session hibernates. */
  #lost(now: Millis, id: LinkId): void {
    const link = this.#links.get(id);
    if (link === undefined) return;
    this.#links.delete(id);
    this.#byStream.delete(link.stream);
    this.#timers.clear(linkKey(link));
    this.#timers.clear(`gate ${id}`);
    const { session } = link.stream;
    link.stream.drop();
    link.stream.session = undefined;
    if (session === undefined || session.link !== id) this.#releaseAddress(link.origin.remoteAddress);
    else if (session.resumptionId === undefined) {
      this.#releaseAddress(link.origin.remoteAddress);
      this.#endSession(now, session, "Disconnected");
    } else {
      // It keeps its place in the count of its address.
      session.link = undefined;
      const { resumeSeconds, serviceResumeSeconds } = this.#options.limits;
      this.#timers.set(
        sessionKey(session),
        later(now, seconds(session.kind === "service" ? serviceResumeSeconds : resumeSeconds)),
        "hibernating session",
      );
    }
    this.#gauges();
  }

  // Sessions.

  #deliver(now: Millis, session: Session, stanza: Element): void {
    if (!stanza.attrs["xmlns"]) stanza.attrs["xmlns"] = NS.client;
    const text = stanza.toString();
    const { management, link } = session;
    if (management !== undefined && !management.stanzaSent(text)) {
      this.count("resumption-queue-full");
      this.#sessions.setResumable(session, undefined);
      if (link === undefined) {
        this.#endHibernating(now, session);
        return;
      }
    }
    if (link === undefined) return;
    this.write(link, text);
    this.request(now, session);
  }

  #endHibernating(now: Millis, session: Session): void {
    this.#timers.clear(sessionKey(session));
    this.#releaseAddress(session.connection.remoteAddress);
    this.#endSession(now, session, "Disconnected");
  }

  #endSession(now: Millis, session: Session, status?: string): void {
    const { management, resumptionId } = session;
    if (!this.#bySessionNumber.delete(session.number)) return;
    if (management !== undefined && resumptionId !== undefined) {
      if (this.#forgotten.size >= FORGOTTEN_KEPT)
        for (const oldest of [...this.#forgotten.keys()].slice(0, 1)) this.#forgotten.delete(oldest);
      this.#forgotten.set(resumptionId, management.received);
    }
    this.#sessions.remove(session);
    session.link = undefined;
    session.management = undefined;
    this.#router.sessionClosed(now, session, status);
    if (management !== undefined && status !== undefined) this.#bounce(now, management.unacked);
    this.#gauges();
  }

  /** XEP-0198 §6: requests that were never acknowledged are answered, so that nobody waits for them. */
  #bounce(now: Millis, unacked: readonly string[]): void {
    for (const text of unacked) {
      if (!text.startsWith("<iq")) continue;
      const stanza = parse(text);
      const type = stanza === undefined ? undefined : attr(stanza, "type");
      if (stanza === undefined || (type !== "get" && type !== "set")) continue;
      const from = parseJid(attr(stanza, "to"));
      if (from !== undefined)
        this.#router.route(now, errorReply(stanza, { condition: "recipient-unavailable" }), {
          jid: from,
          kind: "host",
          admin: false,
        });
    }
  }

  /** RFC 6120 §7.7.2.2: the same resource again ends the older session at once. */
  #replace(now: Millis, session: Session): void {
    const link = session.link === undefined ? undefined : this.#links.get(session.link);
    if (link !== undefined) link.stream.fail(now, "conflict", "Replaced by new connection");
    else this.#endHibernating(now, session);
  }

  #becameAvailable(now: Millis, session: Session): void {
    const focus = parseJid(this.#options.focusAccount);
    if (focus?.local === session.jid.local && focus?.domain === session.jid.domain)
      this.#router.perform(now, this.#proxy, this.#proxy.targetAvailable(now));
  }

  // Time.

  #timer(now: Millis, key: string): void {
    const [kind, id] = key.split(" ");
    if (kind === "session") {
      const session = this.#bySessionNumber.get(Number(id));
      if (session !== undefined && session.link === undefined) this.#endHibernating(now, session);
      return;
    }
    const link = this.#links.get(Number(id) as LinkId);
    if (link === undefined) return;
    if (kind === "gate") this.#workOff(now, link);
    else this.#idle(now, link);
  }

  #armIdle(now: Millis, link: Link): void {
    this.#timers.set(linkKey(link), later(now, IDLE), "idle connection");
  }

  #idle(now: Millis, link: Link): void {
    const { session } = link.stream;
    if (link.stream.closed) {
      // It was told to go and does not: cut.
      this.#close(now, link.id, { abrupt: true });
      this.#lost(now, link.id);
    } else if (session === undefined) link.stream.fail(now, "connection-timeout", "Log in and bind a resource in time");
    else if (link.transport === "bosh")
      this.#armIdle(now, link); // its own inactivity decides
    else if (now - link.lastReceived < IDLE)
      this.#timers.set(linkKey(link), later(link.lastReceived, IDLE), "idle connection");
    else if (!link.probed) {
      link.probed = true;
      if (session.management !== undefined) {
        session.management.requested();
        this.write(link.id, `<r xmlns="${NS.sm}"/>`);
      } else {
        const id = this.randomId();
        this.#deliver(
          now,
          session,
          xml("iq", { xmlns: NS.client, type: "get", id, from: session.jid.domain }, xml("ping", { xmlns: NS.ping })),
        );
      }
      this.#timers.set(linkKey(link), later(now, PROBE), "silent connection");
    } else {
      this.count("connection-timeout");
      this.#close(now, link.id, { abrupt: true });
      this.#lost(now, link.id);
    }
  }

  // Odds.

  #uuid(): string {
    const bytes = this.#options.random(16);
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
    const hex = bytes.toString("hex");
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  }

  #releaseAddress(address: string): void {
    const left = (this.#addresses.get(address) ?? 0) - 1;
    if (left > 0) this.#addresses.set(address, left);
    else this.#addresses.delete(address);
  }

  #gauges(): void {
    this.#options.metrics.gauge("parley_xmpp_connections", "Open client connections").set(this.#links.size);
    this.#options.metrics
      .gauge("parley_xmpp_sessions", "Bound sessions, hibernating ones included")
      .set(this.#sessions.size);
  }

  #take(): ServerAction[] {
    this.#bosh.flush(this.#now);
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }
}

const linkKey = (link: Link): string => `link ${link.id}`;
const sessionKey = (session: Session): string => `session ${session.number}`;
const isLoopback = (address: string): boolean =>
  address === "::1" || address.startsWith("127.") || address.startsWith("::ffff:127.");

function originInfo(origin: HttpOrigin): { remoteAddress: string; room?: string; prefix?: string; region?: string } {
  const room = origin.query["room"];
  const prefix = origin.query["prefix"];
  return {
    remoteAddress: origin.remoteAddress,
    ...(room !== undefined && room !== "" ? { room: room.toLowerCase() } : {}),
    ...(prefix !== undefined && prefix !== "" ? { prefix: prefix.toLowerCase() } : {}),
    ...(origin.region !== undefined ? { region: origin.region } : {}),
  };
}
