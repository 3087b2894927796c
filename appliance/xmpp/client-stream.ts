/**
 * One client's stream from its header to its end: RFC 6120 §4 (streams), §5 (STARTTLS), §6 (SASL), §7 (binding), XEP-0198, over any framing.
 * It knows its own stream only; who is logged in, and where stanzas go, is asked of `StreamServer`.
 *
 * Order is enforced: header, TLS where the transport is bare TCP, SASL, header, bind or resume, then stanzas. What comes out of order gets the
 * condition that RFC 6120 names.
 */
import type { Millis } from "../time.ts";
import { jidText } from "../wire/jid.ts";
import { NS } from "../wire/namespaces.ts";
import { type Condition, errorReply, iq } from "../wire/stanza.ts";
import { attr, child, childText, type Element, is, xml } from "../wire/xml.ts";
import type { Account, Accounts } from "./accounts.ts";
import { readCounter } from "./features/stream-management.ts";
import type { Framing, FramingEvent, StreamCondition, StreamHeader } from "./framing.ts";
import { Sasl, type SaslAnswer, type SaslCondition } from "./sasl.ts";
import type { ChannelBinding } from "./scram.ts";
import type { LinkId } from "./server-io.ts";
import type { Session } from "./sessions.ts";
import { streamFeatures } from "./stream-features.ts";
import type { XmlLimits } from "./xml-parser.ts";

/** Who somebody turned out to be. */
export interface Login {
  readonly user: string;
  readonly domain: string;
  readonly account: Account | undefined;
  readonly claims: Readonly<Record<string, unknown>> | undefined;
}

export type AnonymousAnswer =
  | { readonly type: "login"; readonly login: Login }
  | { readonly type: "refused"; readonly condition: SaslCondition; readonly text?: string }
  /** A key is being fetched: `anonymousDecided` follows. */
  | { readonly type: "pending" };

export interface StreamServer {
  readonly accounts: Accounts;
  readonly caps: Element;
  readonly clientLimits: XmlLimits;
  readonly serviceLimits: XmlLimits;
  readonly idleSeconds: number;
  isUserDomain(domain: string): boolean;
  allowsAnonymous(domain: string): boolean;
  randomId(): string;
  count(reason: string): void;
  write(link: LinkId, data: string): void;
  startTls(link: LinkId, domain: string): void;
  /** `graceful`: the peer said goodbye or was told to go; its session ends now. */
  end(now: Millis, stream: ClientStream, close: { code?: number; reason?: string; abrupt?: boolean }): void;
  anonymous(now: Millis, stream: ClientStream, domain: string): AnonymousAnswer;
  /** Whether a password check that costs some milliseconds may be made now. */
  mayDerive(): boolean;
  /** Whether that account has a contact list. */
  keepsRoster(login: Login): boolean;
  /** Whether accounts may be made on that stream. */
  offersRegistration(stream: ClientStream, domain: string): boolean;
  /** A request to make an account; undefined: it is none. */
  register(now: Millis, request: Element): Element | undefined;
  loggedIn(now: Millis, stream: ClientStream, login: Login): void;
  /** Undefined: resources are exhausted or the name is no resource. */
  bind(now: Millis, stream: ClientStream, login: Login, resource: string | undefined): Session | Condition;
  enableManagement(
    now: Millis,
    session: Session,
    resume: boolean,
    max: number | undefined,
  ): { id: string | undefined; max: number | undefined };
  /** Takes a session over, or says why not, with the last counter when it is still known. */
  resume(now: Millis, stream: ClientStream, login: Login, previd: string): Session | { readonly h: number | undefined };
  resumed(now: Millis, session: Session): void;
  stanza(now: Millis, session: Session, stanza: Element): void;
  /** Acknowledgements freed the queue or closed the gap. */
  request(now: Millis, session: Session): void;
}

export interface ClientTransport {
  readonly link: LinkId;
  readonly kind: "tcp" | "websocket" | "bosh";
  readonly framing: Framing;
  /** TLS, or ended by a proxy that we trust to. */
  readonly secure: boolean;
  /** TLS can and must be started on the stream. */
  readonly startTls: boolean;
}

type Phase = "header" | "negotiate" | "tls" | "pending" | "authenticated" | "bound" | "closed";

const MAX_SASL_FAILURES = 5;
const MAX_RESOURCE = 256;

export class ClientStream {
  readonly transport: ClientTransport;
  readonly #server: StreamServer;
  #phase: Phase = "header";
  #secure: boolean;
  #bindings: readonly ChannelBinding[] = [];
  #domain: string | undefined;
  #peer: string | undefined;
  #sasl: Sasl | undefined;
  #saslFailures = 0;
  #login: Login | undefined;
  #headerSent = false;
  session: Session | undefined;

  constructor(transport: ClientTransport, server: StreamServer) {
    this.transport = transport;
    this.#server = server;
    this.#secure = transport.secure;
  }

  get link(): LinkId {
    return this.transport.link;
  }

  get closed(): boolean {
    return this.#phase === "closed";
  }

  get authenticated(): boolean {
    return this.#login !== undefined;
  }

  get bound(): boolean {
    return this.#phase === "bound";
  }

  receive(now: Millis, event: FramingEvent): void {
    if (this.#phase === "closed") return;
    if (this.#phase === "tls") {
      // Clear text behind <starttls/> must not be taken for something said under TLS.
      this.#server.count("clear-text-after-starttls");
      this.#phase = "closed";
      this.#server.end(now, this, { abrupt: true });
      return;
    }
    switch (event.type) {
      case "open":
        this.#header(now, event.header);
        break;
      case "element":
        this.#element(now, event.element);
        break;
      case "close":
        this.#goodbye(now);
        break;
      case "problem":
        this.fail(now, event.condition, event.text);
        break;
      case "abort":
        this.#server.count(`websocket-${event.code}`);
        this.#phase = "closed";
        this.#server.end(now, this, { code: event.code, reason: event.reason });
        break;
    }
  }

  tlsStarted(bindings: readonly ChannelBinding[]): void {
    if (this.#phase !== "tls") return;
    this.#secure = true;
    this.#bindings = bindings;
    this.#phase = "header";
    this.#headerSent = false;
    this.transport.framing.restart();
  }

  /** A stanza or nonza goes out as it is. */
  send(element: Element): void {
    if (this.#phase !== "closed") this.#server.write(this.link, this.transport.framing.element(element));
  }

  /** RFC 6120 §4.9: says why, says goodbye, and ends. */
  fail(now: Millis, condition: StreamCondition, text?: string): void {
    if (this.#phase === "closed") return;
    this.#server.count(`stream-${condition}`);
    const { framing } = this.transport;
    if (!this.#headerSent) this.#sendHeader(undefined);
    if (this.session?.management !== undefined) this.send(acknowledgement(this.session));
    this.#server.write(
      this.link,
      framing.error(condition, text) + (this.transport.kind === "tcp" ? framing.close() : ""),
    );
    if (this.transport.kind === "websocket") this.#server.write(this.link, framing.close());
    this.#phase = "closed";
    this.#server.end(now, this, { code: 1000, reason: "Stream closed" });
  }

  /** The transport vanished, or another stream has taken over. */
  drop(): void {
    this.#phase = "closed";
  }

  /** The answer that `anonymous` left pending. */
  anonymousDecided(now: Millis, answer: AnonymousAnswer): void {
    if (this.#phase !== "pending" || answer.type === "pending") return;
    this.#phase = "negotiate";
    if (answer.type === "login") this.#success(now, answer.login, undefined);
    else this.#failure(now, answer.condition, answer.text);
  }

  #header(now: Millis, header: StreamHeader): void {
    const { kind } = this.transport;
    if (this.#phase !== "header") {
      this.fail(now, kind === "websocket" ? "unsupported-stanza-type" : "not-well-formed");
      return;
    }
    this.#peer = header.from;
    if (header.namespace !== NS.client) {
      this.#sendHeader(undefined);
      this.fail(now, "invalid-namespace");
      return;
    }
    const domain = header.to?.toLowerCase();
    if (domain === undefined || !this.#server.isUserDomain(domain)) {
      this.#sendHeader(header.to);
      this.fail(
        now,
        "host-unknown",
        domain === undefined ? "A 'to' attribute is required" : `This server does not serve ${header.to}`,
      );
      return;
    }
    this.#sendHeader(domain);
    if (header.version !== "1.0") {
      this.fail(now, "unsupported-version");
      return;
    }
    if (this.#login !== undefined && this.#login.domain !== domain) {
      this.fail(now, "not-authorized");
      return;
    }
    this.#domain = domain;
    if (this.#login === undefined) {
      this.#phase = "negotiate";
      this.#sasl = new Sasl({
        domain,
        secure: this.#secure,
        anonymous: this.#server.allowsAnonymous(domain),
        accounts: this.#server.accounts,
        bindings: this.#bindings,
        mayDerive: () => this.#server.mayDerive(),
        nonce: () => this.#server.randomId(),
      });
    } else this.#phase = "authenticated";
    this.send(
      streamFeatures({
        server: this.#server,
        domain,
        login: this.#login,
        tlsRequired: this.transport.startTls && !this.#secure,
        secure: this.#secure,
        bindings: this.#bindings,
        registration: this.#mayRegister(),
        management: kind !== "bosh",
      }),
    );
  }

  #sendHeader(domain: string | undefined): void {
    this.#headerSent = true;
    const id = domain === undefined && this.transport.kind === "websocket" ? "" : this.#server.randomId();
    const data = this.transport.framing.open({
      namespace: NS.client,
      from: domain,
      to: this.transport.kind === "tcp" ? this.#peer : undefined,
      id,
      version: "1.0",
    });
    if (data !== "") this.#server.write(this.link, data);
  }

  #element(now: Millis, element: Element): void {
    switch (this.#phase) {
      case "header":
        // signaling.md 1.2: a first frame that is no <open/>
        this.fail(now, this.#login === undefined ? "invalid-namespace" : "not-well-formed");
        break;
      case "tls":
        break;
      case "pending":
        this.fail(now, "not-authorized");
        break;
      case "negotiate":
        this.#negotiate(now, element);
        break;
      case "authenticated":
        this.#bindOrResume(now, element);
        break;
      case "bound":
        this.#bound(now, element);
        break;
      case "closed":
        break;
    }
  }

  #negotiate(now: Millis, element: Element): void {
    const ns = element.getNS();
    if (is(element, "starttls", NS.tls)) {
      if (!this.transport.startTls || this.#secure) {
        this.send(xml("failure", { xmlns: NS.tls }));
        this.fail(now, "policy-violation", "TLS is not available here");
        return;
      }
      this.send(xml("proceed", { xmlns: NS.tls }));
      this.#phase = "tls";
      this.#server.startTls(this.link, this.#domain ?? "");
      return;
    }
    if (ns === NS.sasl && this.#sasl !== undefined) {
      if (this.transport.startTls && !this.#secure) {
        // RFC 6120 §6.5.4: nothing but STARTTLS was offered
        this.#failure(now, "encryption-required");
        return;
      }
      if (element.name === "auth")
        this.#answer(now, this.#sasl.auth(attr(element, "mechanism"), element.getText().trim()));
      else if (element.name === "response") this.#answer(now, this.#sasl.response(element.getText().trim()));
      else if (element.name === "abort") this.#answer(now, this.#sasl.abort());
      else this.fail(now, "unsupported-stanza-type");
      return;
    }
    if (!isStanza(element)) {
      this.fail(now, "unsupported-stanza-type");
      return;
    }
    const registered = this.#mayRegister() ? this.#server.register(now, element) : undefined;
    if (registered !== undefined) {
      this.send(registered);
      return;
    }
    const type = attr(element, "type");
    if (this.transport.kind !== "tcp" && element.name === "iq" && (type === "get" || type === "set")) {
      // COMPAT transcript ws-raw…: over HTTP transports a request before login is refused and the stream goes on; RFC 6120 §4.9.3.12 ends it.
      this.#server.count("stanza-before-login");
      this.send(errorReply(element, { condition: "service-unavailable" }));
      return;
    }
    this.fail(now, "not-authorized");
  }

  #mayRegister(): boolean {
    return this.#secure && this.#login === undefined && this.#server.offersRegistration(this, this.#domain ?? "");
  }

  #answer(now: Millis, answer: SaslAnswer): void {
    switch (answer.type) {
      case "challenge":
        this.send(xml("challenge", { xmlns: NS.sasl }, answer.data));
        break;
      case "failure":
        this.#failure(now, answer.condition);
        break;
      case "success": {
        const { user, domain } = answer.account;
        this.#success(now, { user, domain, account: answer.account, claims: undefined }, answer.data);
        break;
      }
      case "anonymous": {
        const decided = this.#server.anonymous(now, this, this.#domain ?? "");
        if (decided.type === "login") this.#success(now, decided.login, undefined);
        else if (decided.type === "refused") this.#failure(now, decided.condition, decided.text);
        else this.#phase = "pending";
        break;
      }
    }
  }

  #success(now: Millis, login: Login, data: string | undefined): void {
    this.#login = login;
    this.#sasl = undefined;
    this.#phase = "header";
    this.send(data === undefined ? xml("success", { xmlns: NS.sasl }) : xml("success", { xmlns: NS.sasl }, data));
    this.transport.framing.restart();
    this.transport.framing.setLimits(
      login.account === undefined ? this.#server.clientLimits : this.#server.serviceLimits,
    );
    this.#headerSent = false;
    this.#server.loggedIn(now, this, login);
  }

  /** signaling.md 1.4: nothing between the elements, no attributes on <text/>. */
  #failure(now: Millis, condition: SaslCondition, text?: string): void {
    this.#server.count(`sasl-${condition}`);
    this.send(xml("failure", { xmlns: NS.sasl }, xml(condition), text !== undefined && xml("text", {}, text)));
    if (++this.#saslFailures >= MAX_SASL_FAILURES) this.fail(now, "policy-violation", "Too many failed logins");
  }

  #bindOrResume(now: Millis, element: Element): void {
    const login = this.#login;
    if (login === undefined) return;
    if (element.getNS() === NS.sm && this.transport.kind !== "bosh") {
      if (element.name === "resume") this.#resume(now, login, element);
      else if (element.name === "enable")
        this.send(smFailed("unexpected-request", "Client must bind a resource before enabling stream management"));
      else this.#server.count("sm-before-bind");
      return;
    }
    const request =
      is(element, "iq", NS.client) && attr(element, "type") === "set" ? child(element, "bind", NS.bind) : undefined;
    if (request === undefined) {
      if (element.getNS() === NS.sasl) this.fail(now, "policy-violation", "Already authenticated");
      else if (isStanza(element)) this.fail(now, "not-authorized", "A resource must be bound first");
      else this.fail(now, "unsupported-stanza-type");
      return;
    }
    const asked = childText(request, "resource")?.trim();
    const resource = asked === undefined || asked === "" ? undefined : asked;
    const bound =
      resource !== undefined && resource.length > MAX_RESOURCE
        ? "bad-request"
        : this.#server.bind(now, this, login, resource);
    if (typeof bound === "string") {
      this.send(errorReply(element, { condition: bound }));
      return;
    }
    this.session = bound;
    this.#phase = "bound";
    this.send(
      iq("result", { id: attr(element, "id") }, xml("bind", { xmlns: NS.bind }, xml("jid", {}, jidText(bound.jid)))),
    );
  }

  #resume(now: Millis, login: Login, element: Element): void {
    const h = readCounter(attr(element, "h"));
    const previd = attr(element, "previd");
    if (h === undefined || previd === undefined) {
      this.send(smFailed("bad-request"));
      return;
    }
    const found = this.#server.resume(now, this, login, previd);
    if (!("jid" in found)) {
      this.send(xml("failed", { xmlns: NS.sm, h: found.h }, xml("item-not-found", { xmlns: NS.stanzas })));
      return;
    }
    this.session = found;
    this.#phase = "bound";
    const management = found.management;
    if (management === undefined) return;
    if (!management.acknowledge(h)) {
      this.#tooHigh(now);
      return;
    }
    management.resumed();
    this.send(xml("resumed", { xmlns: NS.sm, h: management.received, previd }));
    for (const stanza of management.unacked) this.#server.write(this.link, this.transport.framing.stanza(stanza));
    management.requested();
    this.send(xml("r", { xmlns: NS.sm }));
    this.#server.resumed(now, found);
  }

  #bound(now: Millis, element: Element): void {
    const session = this.session;
    if (session === undefined) return;
    if (element.getNS() === NS.sm && this.transport.kind !== "bosh") {
      this.#management(now, session, element);
      return;
    }
    if (!isStanza(element)) {
      this.fail(now, "unsupported-stanza-type");
      return;
    }
    const binding =
      element.name === "iq" && attr(element, "type") === "set" ? child(element, "bind", NS.bind) : undefined;
    session.management?.stanzaReceived();
    if (binding !== undefined) {
      // RFC 6120 §7.7.2.1 allows several resources on a stream; we do not.
      this.#server.count("second-bind");
      this.send(errorReply(element, { condition: "not-allowed" }));
      return;
    }
    this.#server.stanza(now, session, element);
  }

  #management(now: Millis, session: Session, element: Element): void {
    const { management } = session;
    if (element.name === "enable") {
      if (management !== undefined) {
        this.send(smFailed("unexpected-request", "Stream management is already enabled"));
        return;
      }
      const resume = ["true", "1"].includes(attr(element, "resume") ?? "");
      const granted = this.#server.enableManagement(now, session, resume, readCounter(attr(element, "max")));
      this.send(
        xml("enabled", {
          xmlns: NS.sm,
          id: granted.id,
          resume: granted.id === undefined ? undefined : "true",
          max: granted.max,
        }),
      );
    } else if (element.name === "resume") this.send(smFailed("unexpected-request"));
    else if (management === undefined) this.#server.count("sm-not-enabled");
    else if (element.name === "r") this.send(acknowledgement(session));
    else if (element.name === "a") {
      const h = readCounter(attr(element, "h"));
      if (h === undefined) this.fail(now, "policy-violation", "The counter of an acknowledgement is not a number");
      else if (!management.acknowledge(h)) this.#tooHigh(now);
      else this.#server.request(now, session);
    } else this.#server.count("sm-unknown");
  }

  #tooHigh(now: Millis): void {
    this.fail(now, "undefined-condition", "Client acknowledged more stanzas than sent by server");
  }

  #goodbye(now: Millis): void {
    const { framing } = this.transport;
    if (this.session?.management !== undefined) this.send(acknowledgement(this.session));
    if (this.#headerSent || this.#login !== undefined) this.#server.write(this.link, framing.close());
    this.#phase = "closed";
    this.#server.end(now, this, { code: 1000, reason: "Stream closed" });
  }
}

const isStanza = (element: Element): boolean =>
  element.getNS() === NS.client && (element.name === "iq" || element.name === "message" || element.name === "presence");

const acknowledgement = (session: Session): Element => xml("a", { xmlns: NS.sm, h: session.management?.received ?? 0 });

/** COMPAT transcript ws-raw…: the condition stands inside <error/>. */
const smFailed = (condition: Condition, text?: string): Element =>
  xml(
    "failed",
    { xmlns: NS.sm },
    xml(
      "error",
      { type: "cancel" },
      xml(condition, { xmlns: NS.stanzas }),
      text !== undefined && xml("text", { xmlns: NS.stanzas }, text),
    ),
  );
