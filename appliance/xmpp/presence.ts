/**
 * Presence of accounts: broadcast and directed (RFC 6121 §4), probes, and subscriptions between accounts with contact lists (§3). The router
 * hands over what is presence to or from a user of ours; what this sends on goes back through the router.
 *
 * Guests and service accounts have no contact list: nobody can subscribe to them, and they may ask others.
 */
import type { Millis } from "../time.ts";
import { bare, bareText, type Jid, jidText, parseJid } from "../wire/jid.ts";
import { NS } from "../wire/namespaces.ts";
import { attr, clone, type Element, parse, xml } from "../wire/xml.ts";
import type { Sender } from "./host.ts";
import { type Contact, rosterItem } from "./roster/contact.ts";
import type { Rosters } from "./roster/rosters.ts";
import { inbound, isSubscriptionType, outbound, type SubscriptionType } from "./roster/subscription.ts";
import { isAvailable, type Session, type Sessions, senderOf } from "./sessions.ts";

export interface PresenceOptions {
  readonly sessions: Sessions;
  readonly rosters: Rosters;
  /** Whether that account has a contact list. */
  readonly hasRoster: (account: Jid) => boolean;
  readonly deliver: (now: Millis, session: Session, stanza: Element) => void;
  readonly route: (now: Millis, stanza: Element, sender: Sender, hops: number) => void;
  readonly count: (reason: string) => void;
  /** An account's session has become available (first broadcast presence). */
  readonly becameAvailable: (now: Millis, session: Session) => void;
}

/** Directed presence that a session may have standing (RFC 6121 §4.6.4), rooms included. */
const MAX_DIRECTED = 256;
/** Characters of a subscription request that are kept until it is answered; a longer one is kept without its content. */
const MAX_REQUEST = 2_048;

export class Presence {
  readonly #options: PresenceOptions;

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  /** From a session, without `to` (§4.2–4.5): to the account's own available resources, and to whoever sees its presence. */
  broadcast(now: Millis, session: Session, stanza: Element): void {
    const type = attr(stanza, "type");
    if (type !== undefined && type !== "unavailable") {
      this.#options.count("presence-without-to");
      return;
    }
    const wasAvailable = session.presence !== undefined;
    if (isAvailable(stanza)) {
      session.presence = stanza;
      const siblings = this.#options.sessions.available(session.jid);
      for (const each of siblings) this.#options.deliver(now, each, stanza);
      this.#toContacts(now, session, stanza);
      if (wasAvailable) return;
      for (const each of siblings)
        if (each !== session && each.presence !== undefined) this.#options.deliver(now, session, each.presence);
      this.#initial(now, session);
      this.#options.becameAvailable(now, session);
      return;
    }
    if (wasAvailable) {
      for (const each of this.#options.sessions.available(session.jid)) this.#options.deliver(now, each, stanza);
      session.presence = undefined;
      this.#toContacts(now, session, stanza);
    }
    for (const to of this.#takeDirected(session, wasAvailable)) {
      const copy = clone(stanza);
      copy.attrs["to"] = to;
      this.#options.route(now, copy, senderOf(session), 0);
    }
  }

  /** From a session, with `to`. True: it was a matter of subscription, and is done with. */
  directed(now: Millis, session: Session, stanza: Element, to: string): boolean {
    const type = attr(stanza, "type");
    if (isSubscriptionType(type)) {
      const contact = parseJid(to);
      if (contact === undefined) return false;
      this.#ask(now, session, stanza, type, contact);
      return true;
    }
    if (type === "unavailable") session.directed.delete(to);
    else if (type === undefined) {
      if (session.directed.size >= MAX_DIRECTED && !session.directed.has(to))
        this.#options.count("directed-presence-untracked");
      else session.directed.add(to);
    }
    return false;
  }

  /** A session is gone for good. `except`: addresses that learn it otherwise. */
  gone(now: Millis, session: Session, status: string | undefined, except: (to: string) => boolean): void {
    const sender = senderOf(session);
    const unavailable = (to?: string): Element =>
      xml(
        "presence",
        { xmlns: NS.client, type: "unavailable", from: jidText(session.jid), to },
        status !== undefined && xml("status", {}, status),
      );
    const wasAvailable = session.presence !== undefined;
    if (wasAvailable) {
      session.presence = undefined;
      for (const sibling of this.#options.sessions.available(session.jid))
        this.#options.deliver(now, sibling, unavailable());
      this.#toContacts(now, session, unavailable());
    }
    for (const to of this.#takeDirected(session, wasAvailable))
      if (!except(to)) this.#options.route(now, unavailable(to), sender, 0);
  }

  /** To the bare address of a user of ours. */
  arrived(now: Millis, stanza: Element, to: Jid, hops: number): void {
    const type = attr(stanza, "type");
    if (type === undefined || type === "unavailable" || type === "error")
      for (const each of this.#options.sessions.available(to)) this.#options.deliver(now, each, stanza);
    else if (type === "probe") this.#probed(now, stanza, to, hops);
    else if (!isSubscriptionType(type)) this.#options.count("presence-to-nobody");
    else if (this.#options.hasRoster(to)) this.#subscription(now, stanza, type, to, hops);
    else if (type === "subscribe") this.#send(now, "unsubscribed", to, attr(stanza, "from"), hops);
    else this.#options.count("presence-to-nobody");
  }

  /** The account's clients learn how a contact stands now (§2.1.6). */
  push(now: Millis, account: string, item: Element): void {
    const address = parseJid(account);
    if (address === undefined) return;
    for (const session of this.#options.sessions.ofAccount(address)) {
      if (!session.interested) continue;
      const ver = this.#options.rosters.version(account);
      const id = `push-${ver}-${session.number}`;
      const query = xml("query", { xmlns: NS.roster, ver }, clone(item));
      this.#options.deliver(
        now,
        session,
        xml("iq", { xmlns: NS.client, type: "set", id, to: jidText(session.jid) }, query),
      );
    }
  }

  /** A contact leaves the list: both directions end (§2.5.2). */
  removed(now: Millis, account: Jid, contact: Contact, hops: number): void {
    if (contact.to || contact.ask) this.#send(now, "unsubscribe", account, contact.jid, hops);
    if (contact.from || contact.request !== undefined) this.#send(now, "unsubscribed", account, contact.jid, hops);
    if (contact.from) this.#withdraw(now, account, contact.jid, hops);
  }

  #ask(now: Millis, session: Session, stanza: Element, type: SubscriptionType, contact: Jid): void {
    const { rosters } = this.#options;
    if (!this.#options.hasRoster(session.jid)) {
      // Nothing is remembered of it: the answer must find this client itself.
      this.#options.route(now, stanza, senderOf(session), 0);
      return;
    }
    const account = bareText(session.jid);
    stanza.attrs["from"] = account;
    stanza.attrs["to"] = bareText(contact);
    const sender: Sender = { ...senderOf(session), jid: bare(session.jid) };
    const before = rosters.find(account, bareText(contact));
    const after = outbound(before, type);
    if (!rosters.set(account, after.contact)) {
      this.#options.count("roster-full");
      return;
    }
    if (after.route) this.#options.route(now, stanza, sender, 0);
    this.#pushIfSeen(now, account, before, after.contact);
    if (type === "subscribed" && after.contact.from && !before.from)
      for (const each of this.#options.sessions.available(session.jid))
        this.#show(now, each, each.presence, bareText(contact));
    if (type === "unsubscribed" && before.from) this.#withdraw(now, session.jid, bareText(contact), 0);
  }

  #subscription(now: Millis, stanza: Element, type: SubscriptionType, to: Jid, hops: number): void {
    const { rosters, sessions, deliver } = this.#options;
    const asker = parseJid(attr(stanza, "from"));
    if (asker === undefined) return;
    const account = bareText(to);
    const from = bareText(asker);
    stanza.attrs["from"] = from;
    stanza.attrs["to"] = account;
    const before = rosters.find(account, from);
    const text = stanza.toString();
    const after = inbound(before, type, text.length <= MAX_REQUEST ? text : bareRequest(from, account));
    if (!rosters.set(account, after.contact)) {
      this.#options.count("roster-full");
      return;
    }
    if (after.deliver)
      for (const each of sessions.ofAccount(to))
        if (each.presence !== undefined || (type !== "subscribe" && each.interested)) deliver(now, each, stanza);
    this.#pushIfSeen(now, account, before, after.contact);
    if (after.answer !== undefined) {
      this.#send(now, after.answer, to, from, hops);
      for (const each of sessions.available(to)) this.#show(now, each, each.presence, from);
    }
    if (type === "unsubscribe" && before.from) this.#withdraw(now, to, from, hops);
  }

  /** §4.3: who may see the account gets what it shows; others get `unsubscribed`. */
  #probed(now: Millis, stanza: Element, to: Jid, hops: number): void {
    const from = parseJid(attr(stanza, "from"));
    if (from === undefined) return;
    const mine = bareText(from) === bareText(to);
    if (!mine && !(this.#options.hasRoster(to) && this.#options.rosters.find(bareText(to), bareText(from)).from)) {
      this.#send(now, "unsubscribed", to, bareText(from), hops);
      return;
    }
    const sessions = this.#options.sessions.available(to);
    for (const each of sessions) this.#show(now, each, each.presence, jidText(from));
    if (sessions.length > 0) return;
    const offline = xml("presence", { xmlns: NS.client, type: "unavailable", from: bareText(to), to: jidText(from) });
    this.#options.route(now, offline, { jid: to, kind: "host", admin: false }, hops + 1);
  }

  /** §4.2.2 and 3.1.3: a client that comes online sees its contacts, and hears who has asked meanwhile. */
  #initial(now: Millis, session: Session): void {
    if (!this.#options.hasRoster(session.jid)) return;
    for (const contact of [...this.#options.rosters.contacts(bareText(session.jid))]) {
      if (contact.to)
        this.#options.route(
          now,
          xml("presence", { xmlns: NS.client, type: "probe", from: jidText(session.jid), to: contact.jid }),
          senderOf(session),
          0,
        );
      const request = contact.request === undefined ? undefined : parse(contact.request);
      if (request !== undefined) this.#options.deliver(now, session, request);
    }
  }

  #toContacts(now: Millis, session: Session, stanza: Element): void {
    if (!this.#options.hasRoster(session.jid)) return;
    for (const contact of [...this.#options.rosters.contacts(bareText(session.jid))])
      if (contact.from) this.#show(now, session, stanza, contact.jid);
  }

  #show(now: Millis, session: Session, presence: Element | undefined, to: string): void {
    if (presence === undefined) return;
    const copy = clone(presence);
    copy.attrs["to"] = to;
    this.#options.route(now, copy, senderOf(session), 0);
  }

  /** Whoever could see the account's resources sees them go (§3.2.2, 3.3.3). */
  #withdraw(now: Millis, account: Jid, to: string, hops: number): void {
    for (const { jid: from } of this.#options.sessions.available(account))
      this.#options.route(
        now,
        xml("presence", { xmlns: NS.client, type: "unavailable", from: jidText(from), to }),
        { jid: from, kind: "host", admin: false },
        hops + 1,
      );
  }

  #send(now: Millis, type: SubscriptionType, from: Jid, to: string | undefined, hops: number): void {
    const stanza = xml("presence", { xmlns: NS.client, type, from: bareText(from), to });
    this.#options.route(now, stanza, { jid: bare(from), kind: "host", admin: false }, hops + 1);
  }

  #pushIfSeen(now: Millis, account: string, before: Contact, after: Contact): void {
    if (!after.listed) return;
    const item = rosterItem(after);
    if (!before.listed || rosterItem(before).toString() !== item.toString()) this.push(now, account, item);
  }

  /** Directed presence that now ends; contacts who are told by the broadcast are left out. */
  #takeDirected(session: Session, broadcast: boolean): string[] {
    const directed = [...session.directed];
    session.directed.clear();
    if (!broadcast || !this.#options.hasRoster(session.jid)) return directed;
    const account = bareText(session.jid);
    return directed.filter((to) => {
      const address = parseJid(to);
      return address === undefined || !this.#options.rosters.find(account, bareText(address)).from;
    });
  }
}

const bareRequest = (from: string, to: string): string =>
  xml("presence", { xmlns: NS.client, type: "subscribe", from, to }).toString();
