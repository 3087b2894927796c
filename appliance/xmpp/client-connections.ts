/**
 * Connections of clients, over TCP, WebSocket and BOSH: admitted, throttled, watched for silence, and joined to their streams and sessions.
 */
import type { XmppLimits } from "../config.ts";
import { type Deadline, soonest } from "../deadlines.ts";
import { later, type Millis, seconds } from "../time.ts";
import { type Jid, jid } from "../wire/jid.ts";
import { NS } from "../wire/namespaces.ts";
import type { Condition } from "../wire/stanza.ts";
import { type Element, xml } from "../wire/xml.ts";
import type { Accounts } from "./accounts.ts";
import { Bosh, type BoshServer } from "./bosh.ts";
import {
  type AnonymousAnswer,
  ClientStream,
  type ClientTransport,
  type Login,
  type StreamServer,
} from "./client-stream.ts";
import type { Registration } from "./features/registration.ts";
import { type Framing, type FramingEvent, TcpFraming, WebSocketFraming } from "./framing.ts";
import type { ConnectionInfo } from "./host.ts";
import { InboundGate } from "./inbound-gate.ts";
import { LoginRate, SLOW_BYTES_PER_SECOND } from "./login-rate.ts";
import { RateLimit } from "./rate-limit.ts";
import type { HttpOrigin, LinkId, RequestId, ServerAction, TlsState } from "./server-io.ts";
import type { SessionKeeper } from "./session-keeper.ts";
import type { Session } from "./sessions.ts";
import { Timers } from "./timers.ts";
import type { XmlLimits } from "./xml-parser.ts";

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

export interface ConnectionsOptions {
  readonly limits: XmppLimits;
  readonly accounts: Accounts;
  readonly caps: Element;
  readonly isUserDomain: (domain: string) => boolean;
  readonly allowsAnonymous: (domain: string) => boolean;
  readonly isServiceDomain: (domain: string) => boolean;
  readonly randomId: () => string;
  readonly count: (reason: string) => void;
  readonly act: (action: ServerAction) => void;
  readonly anonymous: (now: Millis, stream: ClientStream, domain: string, origin: HttpOrigin) => AnonymousAnswer;
  readonly stanza: (now: Millis, session: Session, stanza: Element) => void;
  readonly hasRoster: (account: Jid) => boolean;
  /** Undefined: nobody makes accounts over the wire. */
  readonly registration: Registration | undefined;
  /** Told before the bind result goes out (signaling.md 1.10). */
  readonly binding: (session: Session) => Element | undefined;
}

/** Silence after which a peer is asked whether it lives. */
const IDLE = seconds(60);
/** Time to answer that. */
const PROBE = seconds(30);
/** Time for a peer to close after we did. */
const CLOSING = seconds(5);
const BACKLOG_BYTES = 524_288;
/** Password checks that need a PBKDF2 of some milliseconds, over all connections. */
const DERIVATIONS_PER_SECOND = 10;
const DERIVATIONS_AT_ONCE = 50;

export class ClientConnections implements StreamServer, BoshServer {
  readonly accounts: Accounts;
  readonly caps: Element;
  readonly clientLimits: XmlLimits;
  readonly serviceLimits: XmlLimits;
  readonly idleSeconds = IDLE / 1000;
  readonly #options: ConnectionsOptions;
  readonly #keeper: SessionKeeper;
  readonly #bosh: Bosh;
  readonly #links = new Map<LinkId, Link>();
  readonly #byStream = new Map<ClientStream, Link>();
  readonly #silence = new Timers<LinkId>();
  readonly #throttled = new Timers<LinkId>();
  readonly #addresses = new Map<string, number>();
  readonly #loginRate: LoginRate;
  readonly #derivations = new RateLimit(0 as Millis, DERIVATIONS_PER_SECOND, DERIVATIONS_AT_ONCE);
  /** The instant of the turn that runs. */
  #now = 0 as Millis;

  constructor(options: ConnectionsOptions, keeper: SessionKeeper) {
    this.#options = options;
    this.#keeper = keeper;
    this.accounts = options.accounts;
    this.caps = options.caps;
    const { depth, attributes, clientStanzaBytes, serviceStanzaBytes } = options.limits;
    this.clientLimits = { elementSize: clientStanzaBytes, depth, attributes };
    this.serviceLimits = { elementSize: serviceStanzaBytes, depth, attributes };
    this.#bosh = new Bosh(this, this.clientLimits);
    this.#loginRate = new LoginRate(options.limits.loginsPerSecond);
  }

  get size(): number {
    return this.#links.size;
  }

  has(link: LinkId): boolean {
    return this.#links.has(link);
  }

  // What the shell tells.

  turn(now: Millis): void {
    this.#now = now;
  }

  connectTcp(now: Millis, id: LinkId, remoteAddress: string): void {
    const framing = new TcpFraming(this.clientLimits);
    const receive = (chunk: Chunk): FramingEvent[] => (chunk instanceof Uint8Array ? framing.receive(chunk) : []);
    this.#connect(now, { link: id, kind: "tcp", framing, secure: false, startTls: true }, receive, {
      remoteAddress,
      query: {},
    });
  }

  connectWebSocket(now: Millis, id: LinkId, origin: HttpOrigin): void {
    const framing = new WebSocketFraming(this.clientLimits);
    const receive = (chunk: Chunk): FramingEvent[] => (typeof chunk === "string" ? framing.receive(chunk) : []);
    this.#connect(
      now,
      { link: id, kind: "websocket", framing, secure: origin.insecure !== true, startTls: false },
      receive,
      origin,
    );
  }

  arrived(now: Millis, id: LinkId, chunk: Chunk, bytes: number): void {
    const link = this.#links.get(id);
    if (link === undefined || link.stream.closed) return;
    if (!link.gate.offer(chunk, bytes)) link.stream.fail(now, "policy-violation", "Too much, too fast");
    else this.#workOff(now, link);
  }

  binaryFrame(now: Millis, id: LinkId): void {
    this.#links
      .get(id)
      ?.stream.receive(now, { type: "abort", code: 1003, reason: "Only text frames are supported, RFC 7395 3.2" });
  }

  tlsStarted(id: LinkId, tls: TlsState): void {
    this.#links.get(id)?.stream.tlsStarted(tls.bindings);
  }

  overflow(now: Millis, id: LinkId): void {
    if (!this.#links.has(id)) return;
    this.count("slow-reader");
    this.#cut(now, id);
  }

  /** The transport is gone; a resumable session hibernates. */
  lost(now: Millis, id: LinkId): void {
    const link = this.#links.get(id);
    if (link === undefined) return;
    this.#links.delete(id);
    this.#byStream.delete(link.stream);
    this.#silence.clear(id);
    this.#throttled.clear(id);
    const { session } = link.stream;
    link.stream.drop();
    link.stream.session = undefined;
    const hibernates = session !== undefined && session.link === id && this.#keeper.lost(now, session);
    if (!hibernates) this.released(link.origin.remoteAddress);
  }

  boshRequest(now: Millis, request: RequestId, origin: HttpOrigin, body: string): void {
    this.#bosh.request(now, request, origin, body);
  }

  boshAborted(request: RequestId): void {
    this.#bosh.aborted(request);
  }

  /** At the end of a turn. */
  flush(now: Millis): void {
    this.#bosh.flush(now);
  }

  shutdown(now: Millis): void {
    for (const link of [...this.#links.values()]) link.stream.fail(now, "system-shutdown");
  }

  nextDeadline(): Deadline | undefined {
    return soonest(
      this.#silence.soonest(),
      this.#throttled.soonest(),
      this.#loginRate.nextDeadline(),
      this.#bosh.nextDeadline(),
    );
  }

  handleTimeout(now: Millis): void {
    this.#bosh.handleTimeout(now);
    this.#loginRate.due(now, (address) => {
      for (const link of this.#from(address)) link.gate.restore(now);
    });
    this.#throttled.due(now, (id) => {
      const link = this.#links.get(id);
      if (link !== undefined) this.#workOff(now, link);
    });
    this.#silence.due(now, (id) => {
      const link = this.#links.get(id);
      if (link !== undefined) this.#silent(now, link);
    });
  }

  // What sessions tell.

  replaced(now: Millis, id: LinkId): void {
    this.#links.get(id)?.stream.fail(now, "conflict", "Replaced by new connection");
  }

  /** The account is gone (XEP-0077 §3.2). */
  expelled(now: Millis, id: LinkId): void {
    this.#links.get(id)?.stream.fail(now, "not-authorized", "The account was given up");
  }

  /** Transcript ws-raw…: the old socket is cut without a word. */
  takenOver(now: Millis, id: LinkId): void {
    const link = this.#links.get(id);
    if (link === undefined) return;
    link.stream.drop();
    link.stream.session = undefined;
    this.#close(now, id, { abrupt: true });
  }

  /** One connection or hibernating session less from an address. */
  released(address: string): void {
    const left = (this.#addresses.get(address) ?? 0) - 1;
    if (left > 0) this.#addresses.set(address, left);
    else this.#addresses.delete(address);
  }

  // What streams ask (StreamServer).

  isUserDomain(domain: string): boolean {
    return this.#options.isUserDomain(domain);
  }

  allowsAnonymous(domain: string): boolean {
    return this.#options.allowsAnonymous(domain);
  }

  randomId(): string {
    return this.#options.randomId();
  }

  count(reason: string): void {
    this.#options.count(reason);
  }

  write(link: LinkId, data: string): void {
    if (this.#bosh.has(link)) this.#bosh.write(this.#now, link, data);
    else this.#options.act({ type: "write", link, data });
  }

  startTls(link: LinkId, domain: string): void {
    this.#options.act({ type: "start-tls", link, role: "server", domain });
  }

  end(now: Millis, stream: ClientStream, close: { code?: number; reason?: string; abrupt?: boolean }): void {
    const { link, session } = stream;
    if (this.#links.has(link)) this.#silence.set(link, later(now, CLOSING), "closing connection");
    stream.session = undefined;
    if (session !== undefined && session.link === link) this.#keeper.end(now, session);
    this.#close(now, link, close);
  }

  anonymous(now: Millis, stream: ClientStream, domain: string): AnonymousAnswer {
    const link = this.#byStream.get(stream);
    return link === undefined
      ? { type: "refused", condition: "temporary-auth-failure" }
      : this.#options.anonymous(now, stream, domain, link.origin);
  }

  mayDerive(): boolean {
    if (this.#derivations.waitMs(this.#now) > 0) {
      this.count("too-many-password-checks");
      return false;
    }
    this.#derivations.spend(this.#now, 1);
    return true;
  }

  keepsRoster({ user, domain }: Login): boolean {
    return this.#options.hasRoster(jid(user, domain));
  }

  offersRegistration(stream: ClientStream, domain: string): boolean {
    const origin = this.#byStream.get(stream)?.origin;
    return (
      origin !== undefined &&
      this.#options.registration?.offered(domain, origin.insecure !== true, origin.remoteAddress) === true
    );
  }

  register(now: Millis, request: Element): Element | undefined {
    return this.#options.registration?.beforeLogin(now, request);
  }

  loggedIn(now: Millis, stream: ClientStream, login: Login): void {
    const link = this.#byStream.get(stream);
    if (link === undefined) return;
    if (login.account !== undefined && this.#options.isServiceDomain(login.domain)) {
      link.gate.lift(now);
      return;
    }
    const { remoteAddress } = link.origin;
    if (isLoopback(remoteAddress) || !this.#loginRate.noted(now, remoteAddress)) return;
    this.count("too-many-logins");
    for (const each of this.#from(remoteAddress)) each.gate.slow(now, SLOW_BYTES_PER_SECOND);
  }

  bind(now: Millis, stream: ClientStream, login: Login, resource: string | undefined): Session | Condition {
    const link = this.#byStream.get(stream);
    if (link === undefined) return "internal-server-error";
    const bound = this.#keeper.bind(now, login, resource, link.id, connectionInfo(link));
    if (typeof bound === "string") return bound;
    this.#silence.set(link.id, later(now, IDLE), "idle connection");
    const pushed = this.#options.binding(bound);
    if (pushed !== undefined) this.write(link.id, pushed.toString());
    return bound;
  }

  enableManagement(
    _now: Millis,
    session: Session,
    resume: boolean,
    max: number | undefined,
  ): { id: string | undefined; max: number | undefined } {
    return this.#keeper.enableManagement(session, resume, max);
  }

  resume(
    now: Millis,
    stream: ClientStream,
    login: Login,
    previd: string,
  ): Session | { readonly h: number | undefined } {
    const link = this.#byStream.get(stream);
    if (link === undefined) return { h: undefined };
    const found = this.#keeper.resume(now, login, previd, link.id, connectionInfo(link));
    if ("jid" in found) this.#silence.set(link.id, later(now, IDLE), "idle connection");
    return found;
  }

  resumed(now: Millis, session: Session): void {
    this.#keeper.resumed(now, session);
  }

  stanza(now: Millis, session: Session, stanza: Element): void {
    this.#options.stanza(now, session, stanza);
  }

  request(_now: Millis, session: Session): void {
    this.#keeper.request(session);
  }

  // What BOSH tells (BoshServer).

  answer(request: RequestId, body: string): void {
    this.#options.act({ type: "http-answer", request, status: 200, body });
  }

  opened(now: Millis, link: LinkId, origin: HttpOrigin, framing: Framing): void {
    const receive = (chunk: Chunk): readonly FramingEvent[] =>
      typeof chunk === "string" || chunk instanceof Uint8Array ? [] : chunk;
    this.#connect(
      now,
      { link, kind: "bosh", framing, secure: origin.insecure !== true, startTls: false },
      receive,
      origin,
    );
  }

  events(now: Millis, link: LinkId, events: readonly FramingEvent[], bytes: number): void {
    this.arrived(now, link, events, bytes);
  }

  gone(now: Millis, link: LinkId): void {
    this.lost(now, link);
  }

  #connect(now: Millis, transport: ClientTransport, receive: Link["receive"], origin: HttpOrigin): void {
    const { limits } = this.#options;
    const { remoteAddress } = origin;
    const { bytesPerSecond, stanzasPerSecond } = limits;
    const link: Link = {
      id: transport.link,
      transport: transport.kind,
      stream: new ClientStream(transport, this),
      receive,
      gate: new InboundGate<Chunk>(now, { bytesPerSecond, stanzasPerSecond, backlogBytes: BACKLOG_BYTES }),
      origin,
      lastReceived: now,
      probed: false,
    };
    if (this.#loginRate.isSlow(remoteAddress)) link.gate.slow(now, SLOW_BYTES_PER_SECOND);
    const fromThere = this.#addresses.get(remoteAddress) ?? 0;
    const crowded =
      this.#links.size >= limits.connections ||
      (!isLoopback(remoteAddress) && fromThere >= limits.connectionsPerAddress);
    this.#links.set(link.id, link);
    this.#byStream.set(link.stream, link);
    this.#addresses.set(remoteAddress, fromThere + 1);
    this.#silence.set(link.id, later(now, seconds(limits.loginSeconds)), "login of a connection");
    if (crowded) link.stream.fail(now, "resource-constraint", "Too many connections");
  }

  /** Connections of people, not services, from that address. */
  *#from(address: string): Iterable<Link> {
    for (const link of this.#links.values())
      if (link.origin.remoteAddress === address && link.stream.session?.kind !== "service") yield link;
  }

  #close(now: Millis, link: LinkId, close: { code?: number; reason?: string; abrupt?: boolean }): void {
    if (this.#bosh.has(link)) this.#bosh.close(now, link);
    else this.#options.act({ type: "close", link, ...close });
  }

  #cut(now: Millis, id: LinkId): void {
    this.#close(now, id, { abrupt: true });
    this.lost(now, id);
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
    if (link.gate.empty) return;
    this.count("throttled");
    this.#throttled.set(link.id, later(now, link.gate.waitMs(now)), "throttled connection");
  }

  #silent(now: Millis, link: Link): void {
    const { session } = link.stream;
    if (link.stream.closed)
      this.#cut(now, link.id); // it was told to go and does not
    else if (session === undefined) link.stream.fail(now, "connection-timeout", "Log in and bind a resource in time");
    else if (link.transport === "bosh" || now < later(link.lastReceived, IDLE)) {
      // BOSH has an inactivity of its own. (The same sum as the deadline's: a difference is rounded otherwise, and at the instant at which the deadline
      // came the connection would not have been silent for long enough, again and again.)
      const since = link.transport === "bosh" ? now : link.lastReceived;
      this.#silence.set(link.id, later(since, IDLE), "idle connection");
    } else if (!link.probed) {
      link.probed = true;
      this.#probe(now, link, session);
      this.#silence.set(link.id, later(now, PROBE), "silent connection");
    } else {
      this.count("connection-timeout");
      this.#cut(now, link.id);
    }
  }

  #probe(now: Millis, link: Link, session: Session): void {
    if (session.management === undefined) {
      const ping = xml(
        "iq",
        { xmlns: NS.client, type: "get", id: this.randomId(), from: session.jid.domain },
        xml("ping", { xmlns: NS.ping }),
      );
      this.#keeper.deliver(now, session, ping);
      return;
    }
    session.management.requested();
    this.write(link.id, `<r xmlns="${NS.sm}"/>`);
  }
}

const isLoopback = (address: string): boolean => address === "::1" || address.startsWith("127.");

function connectionInfo(link: Link): Omit<ConnectionInfo, "id"> {
  const { query, remoteAddress, region } = link.origin;
  const room = query["room"];
  const prefix = query["prefix"];
  return {
    transport: link.transport,
    remoteAddress,
    ...(room !== undefined && room !== "" ? { room: room.toLowerCase() } : {}),
    ...(prefix !== undefined && prefix !== "" ? { prefix: prefix.toLowerCase() } : {}),
    ...(region !== undefined ? { region } : {}),
  };
}
