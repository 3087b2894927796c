/**
 * A service's end of an XMPP stream: client login (RFC 6120: STARTTLS, SCRAM, bind; XEP-0198 stream management; XEP-0199 ping) or external component (XEP-0114).
 * A core: text and time in, actions out. One object lives through all reconnections, because a resumable session does.
 * It declines SASL mechanisms that show the password to the server before the connection is secure, and channel binding.
 */
import { createHash } from "node:crypto";
import { type Deadline, Deadlines } from "./deadlines.ts";
import { ScramClient, type ScramMechanism } from "./scram.ts";
import { later, type Millis } from "./time.ts";
import { NS } from "./wire/namespaces.ts";
import { attr, child, children, clone, type Element, is, text, xml } from "./wire/xml.ts";
import { type StreamEvent, XmppStreamParser } from "./xmpp-stream-parser.ts";

export interface ClientStreamOptions {
  /** XMPP domain of the stream's `to`; for a component: its own address. */
  readonly domain: string;
  readonly identity:
    | { readonly kind: "user"; readonly user: string; readonly password: string; readonly resource: string | undefined }
    | { readonly kind: "component"; readonly secret: string };
  /** XEP-0198: with resumption the session survives a lost connection; without, its end is seen at once by the server. */
  readonly streamManagement: "off" | "without-resumption" | "resumption";
  /** What the 30 s ping goes to. */
  readonly pingTo: string;
}

export type ClientStreamAction =
  | { readonly kind: "write"; readonly text: string }
  /** Start TLS on this connection and call `secured`. */
  | { readonly kind: "start-tls" }
  | { readonly kind: "online"; readonly jid: string; readonly resumed: boolean }
  | { readonly kind: "stanza"; readonly stanza: Element }
  /** The session is gone: nothing sent before will be answered. */
  | { readonly kind: "offline"; readonly reason: string }
  | { readonly kind: "close"; readonly reason: string };

const STANZA_LENGTH = 512 * 1024;
const DEPTH = 64;
const PING_EVERY = 30_000;
const PING_TIMEOUT = 15_000;
const LOGIN_TIMEOUT = 15_000;
/** Unacknowledged stanzas kept for resumption; beyond it the session is given up. */
const MAX_UNACKED = 5_000;
/** Stanzas between two requests for an acknowledgement. */
const ACK_EVERY = 50;

type Phase =
  | "closed"
  | "header"
  | "features"
  | "tls-requested"
  | "tls"
  | "sasl"
  | "bind"
  | "session"
  | "enable"
  | "resume"
  | "handshake"
  | "online";

/** What outlives a connection when resumption was granted. */
interface Session {
  readonly jid: string;
  resumeId: string | undefined;
  managed: boolean;
  received: number;
  acked: number;
  unacked: string[];
}

export class ClientStream {
  readonly #options: ClientStreamOptions;
  readonly #random: () => string;
  readonly #deadlines = new Deadlines<"login" | "ping" | "pong">();
  #parser = new XmppStreamParser({ stanzaLength: STANZA_LENGTH, depth: DEPTH });
  #phase: Phase = "closed";
  #secure = false;
  #authenticated = false;
  #scram: ScramClient | undefined;
  #mechanism: string | undefined;
  #smOffered = false;
  #sessionOffered = false;
  #session: Session | undefined;
  /** Whether the owner was told "online" and not yet "offline". */
  #announced = false;
  #pings = 0;

  /** `random`: fresh unguessable text without commas or quotes, 16 characters or more. */
  constructor(options: ClientStreamOptions, random: () => string) {
    this.#options = options;
    this.#random = random;
  }

  get online(): boolean {
    return this.#phase === "online";
  }

  nextDeadline(): Deadline | undefined {
    return this.#deadlines.soonest();
  }

  connected(now: Millis, secure: boolean): ClientStreamAction[] {
    this.#secure = secure;
    this.#authenticated = false;
    this.#scram = undefined;
    this.#deadlines.set("login", later(now, LOGIN_TIMEOUT));
    return this.#open();
  }

  secured(): ClientStreamAction[] {
    if (this.#phase !== "tls") return [];
    this.#secure = true;
    return this.#open();
  }

  /** The connection is gone. Without resumption so is the session. */
  disconnected(reason: string): ClientStreamAction[] {
    this.#phase = "closed";
    this.#deadlines.clear("login");
    this.#deadlines.clear("ping");
    this.#deadlines.clear("pong");
    if (this.#session?.resumeId !== undefined) return [];
    return this.#forget(reason);
  }

  received(now: Millis, chunk: string): ClientStreamAction[] {
    const actions: ClientStreamAction[] = [];
    for (const event of this.#parser.write(chunk)) {
      actions.push(...this.#event(now, event));
      if (this.#phase === "closed" || this.#phase === "tls") break; // whatever was sent in clear after <proceed/> is not believed
    }
    return actions;
  }

  /** Sends a stanza; while a resumable session is without a connection it is kept. Undefined: there is no session, the stanza is lost. */
  send(stanza: Element): ClientStreamAction[] | undefined {
    const session = this.#session;
    if (session === undefined || !this.#announced) return undefined;
    const serialized = this.#serialize(stanza);
    if (!session.managed) return this.#phase === "online" ? [{ kind: "write", text: serialized }] : undefined;
    if (session.resumeId === undefined && this.#phase !== "online") return undefined;
    if (session.unacked.length >= MAX_UNACKED) {
      const actions = this.#forget("the server acknowledges nothing");
      return this.#phase === "closed" ? actions : [...actions, this.#close("the server acknowledges nothing")];
    }
    session.unacked.push(serialized);
    if (this.#phase !== "online") return [];
    const request = session.unacked.length % ACK_EVERY === 0 ? `<r xmlns="${NS.sm}"/>` : "";
    return [{ kind: "write", text: serialized + request }];
  }

  /** Ends the stream politely. */
  stop(): ClientStreamAction[] {
    if (this.#phase === "closed") return this.#forget("stopped");
    return [{ kind: "write", text: "</stream:stream>" }, ...this.#forget("stopped"), this.#close("stopped")];
  }

  tick(now: Millis): ClientStreamAction[] {
    const actions: ClientStreamAction[] = [];
    for (const due of this.#deadlines.due(now)) {
      if (due === "login") actions.push(this.#close("login timed out"));
      else if (due === "pong") actions.push(this.#close("ping timed out"));
      else if (this.#phase === "online") {
        this.#deadlines.set("ping", later(now, PING_EVERY));
        this.#deadlines.set("pong", later(now, PING_TIMEOUT));
        const ping = xml(
          "iq",
          {
            type: "get",
            id: `ping-${++this.#pings}`,
            to: this.#options.pingTo,
            from: this.#options.identity.kind === "component" ? this.#options.domain : undefined,
          },
          xml("ping", { xmlns: NS.ping }),
        );
        actions.push(...(this.send(ping) ?? []));
        if (this.#session?.managed === true) actions.push({ kind: "write", text: `<r xmlns="${NS.sm}"/>` });
      }
    }
    return actions;
  }

  #open(): ClientStreamAction[] {
    this.#parser = new XmppStreamParser({ stanzaLength: STANZA_LENGTH, depth: DEPTH });
    this.#phase = "header";
    const component = this.#options.identity.kind === "component";
    const header = xml("stream:stream", {
      xmlns: component ? NS.component : NS.client,
      "xmlns:stream": NS.stream,
      to: this.#options.domain,
      version: component ? undefined : "1.0",
    }).toString();
    return [{ kind: "write", text: `<?xml version="1.0"?>${header.slice(0, -2)}>` }];
  }

  #event(now: Millis, event: StreamEvent): ClientStreamAction[] {
    switch (event.kind) {
      case "fault":
        return [this.#close(`unusable stream: ${event.reason}`)];
      case "close":
        return [this.#close("the server closed the stream")];
      case "open": {
        if (this.#options.identity.kind === "user") {
          this.#phase = "features";
          return [];
        }
        this.#phase = "handshake";
        const id = attr(event.header, "id") ?? "";
        const digest = createHash("sha1")
          .update(id + this.#options.identity.secret)
          .digest("hex");
        return [{ kind: "write", text: `<handshake>${digest}</handshake>` }];
      }
      case "element":
        return this.#element(now, event.element);
    }
  }

  #element(now: Millis, element: Element): ClientStreamAction[] {
    if (is(element, "error", NS.stream)) return [this.#close(`stream error ${streamErrorText(element)}`)];
    switch (this.#phase) {
      case "features":
        return is(element, "features", NS.stream) ? this.#features(element) : [];
      case "tls-requested":
        if (is(element, "proceed", NS.tls)) {
          this.#phase = "tls";
          return [{ kind: "start-tls" }];
        }
        return [this.#close("the server refused STARTTLS")];
      case "sasl":
        return this.#sasl(element);
      case "bind":
        return this.#bound(now, element);
      case "session":
        return is(element, "iq") ? this.#enable(now) : [];
      case "enable":
        return this.#enabled(now, element);
      case "resume":
        return this.#resumed(now, element);
      case "handshake":
        if (!is(element, "handshake")) return [];
        this.#session = newSession(this.#options.domain);
        return this.#goOnline(now, false);
      case "online":
        return this.#online(element);
      default:
        return [];
    }
  }

  #features(features: Element): ClientStreamAction[] {
    const identity = this.#options.identity;
    if (identity.kind !== "user") return [];
    if (!this.#secure) {
      if (child(features, "starttls", NS.tls) === undefined)
        return [this.#close("the server offers no STARTTLS: nothing is sent in clear")];
      this.#phase = "tls-requested";
      return [{ kind: "write", text: `<starttls xmlns="${NS.tls}"/>` }];
    }
    if (!this.#authenticated) {
      const offered = children(child(features, "mechanisms", NS.sasl) ?? xml("mechanisms")).map((each) => text(each));
      return this.#authenticate(offered, identity.user, identity.password);
    }
    const sm = child(features, "sm", NS.sm) !== undefined;
    this.#smOffered = sm && this.#options.streamManagement !== "off";
    const session = child(features, "session", NS.session);
    this.#sessionOffered = session !== undefined && child(session, "optional") === undefined;
    const old = this.#session;
    if (old?.resumeId !== undefined) {
      if (sm) {
        this.#phase = "resume";
        return [{ kind: "write", text: `<resume xmlns="${NS.sm}" h="${old.received}" previd="${old.resumeId}"/>` }];
      }
      return [...this.#forget("the server resumes no sessions"), ...this.#bind(identity.resource)];
    }
    return this.#bind(identity.resource);
  }

  #bind(resource: string | undefined): ClientStreamAction[] {
    this.#phase = "bind";
    const request = xml("bind", { xmlns: NS.bind }, resource !== undefined && xml("resource", {}, resource));
    return [{ kind: "write", text: xml("iq", { type: "set", id: "bind" }, request).toString() }];
  }

  #authenticate(offered: readonly string[], user: string, password: string): ClientStreamAction[] {
    this.#phase = "sasl";
    const scram = (["SCRAM-SHA-256", "SCRAM-SHA-1"] satisfies ScramMechanism[]).find((name) => offered.includes(name));
    let initial: string;
    if (scram !== undefined) {
      this.#scram = new ScramClient(scram, user, password, this.#random());
      this.#mechanism = scram;
      initial = this.#scram.first();
    } else if (offered.includes("PLAIN")) {
      this.#mechanism = "PLAIN"; // the connection is secure here (#features)
      initial = `\0${user}\0${password}`;
    } else return [this.#close(`no usable SASL mechanism among ${offered.join(", ") || "none"}`)];
    const auth = xml("auth", { xmlns: NS.sasl, mechanism: this.#mechanism }, base64(initial));
    return [{ kind: "write", text: auth.toString() }];
  }

  #sasl(element: Element): ClientStreamAction[] {
    if (element.getNS() !== NS.sasl) return [];
    const data = Buffer.from(text(element), "base64").toString("utf8");
    switch (element.getName()) {
      case "challenge": {
        if (this.#scram === undefined) return [this.#close("unexpected SASL challenge")];
        const step = this.#scram.respond(data);
        if (step.kind === "failed") return [this.#close(`SASL: ${step.reason}`)];
        return [{ kind: "write", text: xml("response", { xmlns: NS.sasl }, base64(step.data)).toString() }];
      }
      case "success":
        if (this.#scram !== undefined && !this.#scram.verify(data))
          return [this.#close("SASL: the server does not know the password itself")];
        this.#authenticated = true;
        this.#scram = undefined;
        return this.#open();
      case "failure": {
        const condition =
          children(element)
            .find((each) => each.getName() !== "text")
            ?.getName() ?? "not-authorized";
        const hint = condition === "not-authorized" ? ": wrong user or password" : "";
        return [this.#close(`login refused (${condition}${hint})`)];
      }
      default:
        return [];
    }
  }

  #bound(now: Millis, element: Element): ClientStreamAction[] {
    if (!is(element, "iq") || attr(element, "id") !== "bind") return [];
    const jid = child(child(element, "bind", NS.bind) ?? element, "jid");
    if (attr(element, "type") !== "result" || jid === undefined) return [this.#close("the server refused to bind")];
    this.#session = newSession(text(jid));
    if (this.#sessionOffered) {
      this.#phase = "session";
      return [{ kind: "write", text: `<iq type="set" id="session"><session xmlns="${NS.session}"/></iq>` }];
    }
    return this.#enable(now);
  }

  #enable(now: Millis): ClientStreamAction[] {
    if (!this.#smOffered) return this.#goOnline(now, false);
    this.#phase = "enable";
    const resume = this.#options.streamManagement === "resumption" ? ' resume="true"' : "";
    return [{ kind: "write", text: `<enable xmlns="${NS.sm}"${resume}/>` }];
  }

  #enabled(now: Millis, element: Element): ClientStreamAction[] {
    const session = this.#session;
    if (session === undefined || element.getNS() !== NS.sm) return [];
    if (element.getName() === "enabled") {
      session.managed = true;
      session.received = 0;
      const id = attr(element, "id");
      if (this.#options.streamManagement === "resumption" && isTrue(attr(element, "resume"))) session.resumeId = id;
    }
    return this.#goOnline(now, false);
  }

  #resumed(now: Millis, element: Element): ClientStreamAction[] {
    const session = this.#session;
    if (session === undefined || element.getNS() !== NS.sm) return [];
    if (element.getName() === "resumed" && this.#acknowledge(session, attr(element, "h"))) {
      const again = session.unacked.join("");
      const actions = this.#goOnline(now, true);
      return again === "" ? actions : [{ kind: "write", text: again }, ...actions];
    }
    const identity = this.#options.identity;
    const actions = this.#forget("the session could not be resumed");
    return [...actions, ...this.#bind(identity.kind === "user" ? identity.resource : undefined)];
  }

  #goOnline(now: Millis, resumed: boolean): ClientStreamAction[] {
    this.#phase = "online";
    this.#announced = true;
    this.#deadlines.clear("login");
    this.#deadlines.set("ping", later(now, PING_EVERY));
    return [{ kind: "online", jid: this.#session?.jid ?? this.#options.domain, resumed }];
  }

  #online(element: Element): ClientStreamAction[] {
    const session = this.#session;
    if (session === undefined) return [];
    this.#deadlines.clear("pong"); // any sign of life will do
    const name = element.getName();
    if (name === "iq" || name === "message" || name === "presence") {
      if (session.managed) session.received = (session.received + 1) >>> 0;
      if (name === "iq" && (attr(element, "id")?.startsWith("ping-") ?? false) && attr(element, "type") !== "get")
        return [];
      element.attrs.xmlns = NS.client; // a component's stream has a namespace of its own
      return [{ kind: "stanza", stanza: element }];
    }
    if (!session.managed || element.getNS() !== NS.sm) return [];
    if (name === "r") return [{ kind: "write", text: `<a xmlns="${NS.sm}" h="${session.received}"/>` }];
    if (name === "a" && !this.#acknowledge(session, attr(element, "h")))
      return [...this.#forget("acknowledgement out of range"), this.#close("acknowledgement out of range")];
    return [];
  }

  /** False when the count is impossible. Counters wrap at 2³² (XEP-0198 §4). */
  #acknowledge(session: Session, h: string | undefined): boolean {
    const count = Number(h);
    if (!Number.isInteger(count) || count < 0 || count > 0xffffffff) return false;
    const newly = (count - session.acked) >>> 0;
    if (newly > session.unacked.length) return false;
    session.unacked.splice(0, newly);
    session.acked = count;
    return true;
  }

  #forget(reason: string): ClientStreamAction[] {
    this.#session = undefined;
    if (!this.#announced) return [];
    this.#announced = false;
    return [{ kind: "offline", reason }];
  }

  #close(reason: string): ClientStreamAction {
    this.#phase = "closed";
    return { kind: "close", reason };
  }

  #serialize(stanza: Element): string {
    if (this.#options.identity.kind !== "component" || attr(stanza, "xmlns") !== NS.client) return stanza.toString();
    const copy = clone(stanza);
    delete copy.attrs.xmlns;
    return copy.toString();
  }
}

const newSession = (jid: string): Session => ({
  jid,
  resumeId: undefined,
  managed: false,
  received: 0,
  acked: 0,
  unacked: [],
});
const base64 = (value: string): string => Buffer.from(value, "utf8").toString("base64");
const isTrue = (value: string | undefined): boolean => value === "true" || value === "1";
const streamErrorText = (error: Element): string =>
  children(error)
    .map((each) => (each.getName() === "text" ? text(each) : each.getName()))
    .join(": ");
