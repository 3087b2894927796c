/**
 * The one routing table: RFC 6120 §10 (where a stanza goes) and RFC 6121 §8 (what an address of ours does with it). A stanza that comes in has
 * a stamped `from`; it leaves as deliveries to sessions, hosts, components or remote servers, or as an answer to its sender.
 *
 * What hosts answer is routed by the same queue, first in first out, so nobody sees two stanzas of one sender out of order. A chain of hosts
 * answering each other ends after 16 hops.
 */
import type { Millis } from "../time.ts";
import { bare, type Jid, jidText, sameBare } from "../wire/jid.ts";
import { errorReply, type StanzaError } from "../wire/stanza.ts";
import { attr, type Element } from "../wire/xml.ts";
import type { IqFeature, IqTarget } from "./features/iq-feature.ts";
import type { Host, HostAction, Sender } from "./host.ts";
import { JidMemory } from "./jid-memory.ts";
import { Presence } from "./presence.ts";
import type { Rosters } from "./roster/rosters.ts";
import { isSubscriptionType } from "./roster/subscription.ts";
import { priority, type Session, type Sessions, senderOf } from "./sessions.ts";

export interface RouterOptions {
  /** Domains whose users log in here. */
  readonly userDomains: ReadonlySet<string>;
  /** Domains whose users are no business of guests (service accounts). */
  readonly serviceDomains: ReadonlySet<string>;
  readonly hosts: readonly Host[];
  readonly features: readonly IqFeature[];
  readonly sessions: Sessions;
  /** Gives a stanza to a session, connected or hibernating. */
  readonly deliver: (now: Millis, session: Session, stanza: Element) => void;
  /** Gives a stanza to a component; "unknown": that domain is none of a component's. */
  readonly toComponent: (domain: string, stanza: Element) => "taken" | "unknown" | StanzaError;
  /** Takes a stanza for another server; an error is answered to the sender. */
  readonly toRemote: (now: Millis, domain: string, stanza: Element, sender: Sender) => StanzaError | undefined;
  readonly count: (reason: string) => void;
  /** A host wants something of another system. */
  readonly http: (host: Host, request: Extract<HostAction, { type: "http" }>) => void;
  readonly rosters: Rosters;
  /** Whether that account has a contact list. */
  readonly hasRoster: (account: Jid) => boolean;
  /** An account's session has become available (first broadcast presence, or bound). */
  readonly becameAvailable: (now: Millis, session: Session) => void;
}

interface Queued {
  readonly stanza: Element;
  readonly sender: Sender;
  readonly hops: number;
}

const MAX_HOPS = 16;

const REMOTE_OFF: StanzaError = {
  condition: "not-allowed",
  type: "cancel",
  text: "Communication with remote domains is not enabled",
};

export { REMOTE_OFF };

export class Router {
  readonly #options: RouterOptions;
  readonly #hosts: ReadonlyMap<string, Host>;
  readonly #jids = new JidMemory();
  readonly presence: Presence;
  #queue: Queued[] = [];
  #running = false;

  constructor(options: RouterOptions) {
    this.#options = options;
    this.#hosts = new Map(options.hosts.map((host) => [host.domain, host]));
    this.presence = new Presence({
      ...options,
      route: (now, stanza, sender, hops) => this.route(now, stanza, sender, hops),
    });
  }

  /** Whether an address of that domain is ours, components not counted. */
  serves(domain: string): boolean {
    return this.#options.userDomains.has(domain) || this.hostOf(domain) !== undefined;
  }

  hostOf(domain: string): Host | undefined {
    return this.#hosts.get(domain) ?? this.#options.hosts.find((host) => host.answersFor?.(domain) === true);
  }

  /** From a session; `from` is stamped here, whatever the client wrote (RFC 6120 §8.1.2.1). */
  fromSession(now: Millis, session: Session, stanza: Element): void {
    stanza.attrs["from"] = jidText(session.jid);
    if (this.#malformed(now, stanza, senderOf(session))) return;
    const to = attr(stanza, "to");
    if (to === undefined) {
      this.#toOwnAccount(now, session, stanza);
      return;
    }
    if (stanza.name === "presence" && this.presence.directed(now, session, stanza, to)) return;
    this.route(now, stanza, senderOf(session), 0);
  }

  /** From a component, a remote server or a host: `from` has been checked. */
  route(now: Millis, stanza: Element, sender: Sender, hops = 0): void {
    this.#queue.push({ stanza, sender, hops });
    if (this.#running) return;
    this.#running = true;
    try {
      for (let at = 0; at < this.#queue.length; at++) {
        const next = this.#queue[at];
        if (next !== undefined) this.#dispatch(now, next);
      }
    } finally {
      this.#queue = [];
      this.#running = false;
    }
  }

  /** Actions of a host that nobody asked for: time-outs, sessions that closed. */
  perform(now: Millis, host: Host, actions: readonly HostAction[], hops = 0): void {
    for (const action of actions) {
      if (action.type === "drop") this.#options.count(action.reason);
      else if (action.type === "http") this.#options.http(host, action);
      else {
        const from = this.#jids.parse(attr(action.stanza, "from"));
        if (from === undefined || !this.serves(from.domain)) this.#options.count("host-forged-from");
        else this.route(now, action.stanza, { jid: from, kind: "host", admin: false }, hops);
      }
    }
  }

  /** A session is gone for good: everybody it had told of itself hears so; rooms that watch sessions see it themselves. */
  sessionClosed(now: Millis, session: Session, status?: string): void {
    for (const host of this.#options.hosts) {
      const actions = host.sessionClosed?.(now, session.jid);
      if (actions !== undefined) this.perform(now, host, actions);
    }
    this.presence.gone(now, session, status, (to) => {
      const domain = this.#jids.parse(to)?.domain;
      return domain === undefined || this.hostOf(domain)?.sessionClosed !== undefined;
    });
  }

  #dispatch(now: Millis, { stanza, sender, hops }: Queued): void {
    const reply = (error: StanzaError): void => this.#refuse(now, stanza, error, hops);
    if (hops > MAX_HOPS) {
      this.#options.count("routing-loop");
      return;
    }
    const to = this.#jids.parse(attr(stanza, "to"));
    if (to === undefined) {
      reply({ condition: "jid-malformed" });
      return;
    }
    const host = this.hostOf(to.domain);
    if (host !== undefined) {
      this.perform(now, host, host.handle(now, stanza, sender), hops + 1);
      return;
    }
    if (this.#options.userDomains.has(to.domain)) {
      this.#local(now, stanza, sender, to, hops);
      return;
    }
    const component = this.#options.toComponent(to.domain, stanza);
    if (component === "taken") return;
    const error = component === "unknown" ? this.#options.toRemote(now, to.domain, stanza, sender) : component;
    if (error !== undefined) reply(error);
  }

  /** RFC 6120 §8.2.3 and 8.1: what is no stanza is answered before anybody sees it. True: answered or dropped. */
  #malformed(now: Millis, stanza: Element, sender: Sender): boolean {
    const refuse = (error: StanzaError): true => {
      this.#options.count(`stanza-${error.condition}`);
      const reply = errorReply(stanza, error);
      const session = this.#options.sessions.find(sender.jid);
      if (session !== undefined) this.#options.deliver(now, session, reply);
      return true;
    };
    const type = attr(stanza, "type");
    if (stanza.name === "iq") {
      if (attr(stanza, "id") === undefined) return refuse({ condition: "bad-request", text: "IQ without id" });
      if (type === "get" || type === "set") {
        if (stanza.getChildElements().length !== 1)
          return refuse({ condition: "bad-request", text: "Incorrect number of children for IQ stanza" });
      } else if (type !== "result" && type !== "error")
        return refuse({ condition: "bad-request", text: "Invalid type for IQ stanza" });
    }
    const to = attr(stanza, "to");
    if (to !== undefined && this.#jids.parse(to) === undefined) {
      if (type === "error" || (stanza.name === "iq" && type === "result")) {
        this.#options.count("jid-malformed");
        return true;
      }
      const reply = errorReply(stanza, { condition: "jid-malformed" });
      delete reply.attrs["from"];
      const session = this.#options.sessions.find(sender.jid);
      if (session !== undefined) this.#options.deliver(now, session, reply);
      return true;
    }
    return false;
  }

  /** Tells a sender that its stanza did not arrive. */
  refuse(now: Millis, stanza: Element, error: StanzaError): void {
    this.#refuse(now, stanza, error, 0);
  }

  #refuse(now: Millis, stanza: Element, error: StanzaError, hops: number): void {
    const type = attr(stanza, "type");
    this.#options.count(`refused-${error.condition}`);
    if (type === "error" || (stanza.name === "iq" && type === "result")) return;
    if (stanza.name === "presence" && type !== undefined && type !== "subscribe") return;
    const reply = errorReply(stanza, error);
    const from = this.#jids.parse(attr(reply, "from"));
    if (from === undefined) return;
    this.route(now, reply, { jid: from, kind: "host", admin: false }, hops + 1);
  }

  /** RFC 6120 §10.3: no `to`. */
  #toOwnAccount(now: Millis, session: Session, stanza: Element): void {
    if (stanza.name === "presence") this.presence.broadcast(now, session, stanza);
    else if (stanza.name === "message") this.#messageToAccount(now, stanza, session.jid, 0);
    else if (isRequest(stanza)) {
      const answer = this.#answer(now, stanza, senderOf(session), { kind: "account", jid: session.jid });
      // COMPAT transcript ws-odd… (odd16, odd46): such answers carry no `from`.
      delete answer.attrs["from"];
      answer.attrs["to"] = jidText(session.jid);
      this.#options.deliver(now, session, answer);
    } else this.#options.count("answer-to-nobody");
  }

  #answer(now: Millis, stanza: Element, sender: Sender, target: IqTarget): Element {
    const payload = stanza.getChildElements()[0];
    if (payload !== undefined)
      for (const feature of this.#options.features) {
        const answer = feature.handle(now, stanza, payload, sender, target);
        if (answer !== undefined) return answer;
      }
    return errorReply(stanza, { condition: "service-unavailable" });
  }

  /** RFC 6121 §8: an address of a user domain. */
  #local(now: Millis, stanza: Element, sender: Sender, to: Jid, hops: number): void {
    if (to.local === undefined) {
      if (!isRequest(stanza)) {
        if (stanza.name === "message") this.#refuse(now, stanza, { condition: "service-unavailable" }, hops);
        else this.#options.count("to-domain");
        return;
      }
      const answer = this.#answer(now, stanza, sender, { kind: "domain", jid: to });
      this.route(now, answer, { jid: to, kind: "host", admin: false }, hops + 1);
      return;
    }
    if (
      (sender.kind === "guest" || sender.kind === "remote") &&
      this.#options.serviceDomains.has(to.domain) &&
      !isAnswer(stanza)
    ) {
      this.#refuse(now, stanza, { condition: "service-unavailable" }, hops);
      return;
    }
    if (stanza.name === "presence" && (to.resource === undefined || this.#concernsAccount(attr(stanza, "type"), to))) {
      this.presence.arrived(now, stanza, bare(to), hops);
      return;
    }
    if (to.resource !== undefined) {
      const session = this.#options.sessions.find(to);
      if (session !== undefined) this.#options.deliver(now, session, stanza);
      else if (stanza.name === "message" && (attr(stanza, "type") ?? "normal") !== "groupchat")
        this.#messageToAccount(now, stanza, to, hops);
      else if (stanza.name === "presence") this.#options.count("presence-to-nobody");
      else this.#refuse(now, stanza, { condition: "service-unavailable" }, hops);
      return;
    }
    if (stanza.name === "message") this.#messageToAccount(now, stanza, to, hops);
    else if (!isRequest(stanza)) this.#options.count("answer-to-nobody");
    else if (sameBare(sender.jid, to)) {
      const answer = this.#answer(now, stanza, sender, { kind: "account", jid: to });
      this.route(now, answer, { jid: to, kind: "host", admin: false }, hops + 1);
    } else this.#refuse(now, stanza, { condition: "service-unavailable" }, hops);
  }

  /** RFC 6121 §3.1.1, 4.3.1: subscriptions and probes are the account's, whatever resource they name. Guests have their answers as clients. */
  #concernsAccount(type: string | undefined, to: Jid): boolean {
    return type === "probe" || (isSubscriptionType(type) && this.#options.hasRoster(to));
  }

  /** RFC 6121 §8.5.2.1.1 and 8.5.1: to every available resource of the account that wants messages. */
  #messageToAccount(now: Millis, stanza: Element, to: Jid, hops: number): void {
    const type = attr(stanza, "type") ?? "normal";
    if (type === "error") {
      this.#options.count("error-to-nobody");
      return;
    }
    const resources =
      type === "groupchat"
        ? []
        : this.#options.sessions
            .available(to)
            .filter((each) => each.presence !== undefined && priority(each.presence) >= 0);
    for (const each of resources) this.#options.deliver(now, each, stanza);
    if (resources.length > 0) return;
    if (type === "headline") this.#options.count("headline-to-nobody");
    else this.#refuse(now, stanza, { condition: "service-unavailable" }, hops);
  }
}

const isRequest = (stanza: Element): boolean =>
  stanza.name === "iq" && (attr(stanza, "type") === "get" || attr(stanza, "type") === "set");
const isAnswer = (stanza: Element): boolean =>
  attr(stanza, "type") === "error" || (stanza.name === "iq" && attr(stanza, "type") === "result");
