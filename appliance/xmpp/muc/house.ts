/**
 * Tests only: the MUC hosts as one house with people in it. What people send goes through `Host.handle`; what comes out lands in inboxes by real
 * address. Time stands still unless `wait` moves it, and then every deadline on the way is kept.
 */
import type { EpochMillis, Millis } from "../../time.ts";
import { later, millis } from "../../time.ts";
import { jidText, parseJid } from "../../wire/jid.ts";
import { attr, child, type Element, parse } from "../../wire/xml.ts";
import type { ConnectionInfo, Host, HostAction, Sender } from "../host.ts";
import { createMucHosts, type MucHostsOptions } from "./hosts.ts";

export const DOMAINS = {
  domain: "meet.test",
  auth: "auth.meet.test",
  muc: "muc.meet.test",
  internalMuc: "internal-muc.meet.test",
  focus: "focus.meet.test",
  hidden: "hidden.meet.test",
} as const;

/** 2026-11-21T09:53:33Z. */
export const EPOCH = 1_795_254_813_000;

export class Person {
  readonly inbox: Element[] = [];

  constructor(
    readonly house: House,
    readonly sender: Sender,
  ) {}

  get jid(): string {
    return jidText(this.sender.jid);
  }

  get bare(): string {
    return this.jid.split("/", 1)[0] ?? "";
  }

  /** Sends a stanza; what then came for this person. */
  send(text: string): Element[] {
    const before = this.inbox.length;
    this.house.deliver(text, this.sender);
    return this.inbox.slice(before);
  }

  /** Takes everything that came since the last call. */
  take(): Element[] {
    return this.inbox.splice(0);
  }

  join(room: string, nick: string, inside = "", more = ""): Element[] {
    return this.send(
      `<presence to="${room}/${nick}"><x xmlns="http://jabber.org/protocol/muc">${inside}</x>${more}</presence>`,
    );
  }

  leave(room: string, nick: string): Element[] {
    return this.send(`<presence to="${room}/${nick}" type="unavailable"/>`);
  }
}

export class House {
  now: Millis = millis(1_000);
  readonly hosts: readonly Host[];
  readonly people = new Map<string, Person>();
  readonly dropped: string[] = [];
  /** Actions other than sends and drops. */
  readonly effects: HostAction[] = [];
  #ids = 0;

  constructor(options: Partial<MucHostsOptions> = {}, hosts?: readonly Host[]) {
    this.hosts =
      hosts ??
      createMucHosts({
        domains: DOMAINS,
        limits: { rooms: 100, occupantsPerRoom: 50, roomsPerUser: 10 },
        focusAccount: "focus@auth.meet.test",
        newId: () => `00000000-0000-4000-8000-${String(++this.#ids).padStart(12, "0")}`,
        toEpoch: (now) => (EPOCH + now) as EpochMillis,
        ...options,
      });
  }

  person(address: string, more: Partial<Sender> = {}): Person {
    const jid = parseJid(address);
    if (jid === undefined) throw new Error(`no address: ${address}`);
    const person = new Person(this, { jid, kind: "guest", admin: false, ...more });
    this.people.set(address, person);
    return person;
  }

  /** A guest as browsers are: UUID user, endpoint id from its first eight characters. */
  guest(id: string, connection: Partial<ConnectionInfo> = {}): Person {
    return this.person(`${id}-0000-4000-8000-000000000000@meet.test/r`, {
      connection: { id: `c-${id}`, transport: "websocket", remoteAddress: "192.0.2.1", ...connection },
    });
  }

  focus(): Person {
    return this.person("focus@auth.meet.test/focus", { kind: "service", admin: true });
  }

  deliver(text: string, sender: Sender): void {
    const stanza = parse(text);
    if (stanza === undefined) throw new Error(`not well-formed: ${text}`);
    stanza.attrs["xmlns"] = "jabber:client";
    stanza.attrs["from"] = jidText(sender.jid);
    this.route(stanza, sender);
  }

  route(stanza: Element, sender: Sender): void {
    const host = this.host(parseJid(attr(stanza, "to"))?.domain ?? "");
    if (host === undefined) throw new Error(`no such host: ${attr(stanza, "to")}`);
    this.perform(host.handle(this.now, stanza, sender), host);
  }

  host(domain: string): Host | undefined {
    return this.hosts.find((each) => each.domain === domain) ?? this.hosts.find((each) => each.answersFor?.(domain));
  }

  perform(actions: readonly HostAction[], _host: Host): void {
    for (const action of actions) {
      if (action.type === "drop") this.dropped.push(action.reason);
      else if (action.type === "send") this.arrive(action.stanza);
      else this.effects.push(action);
    }
  }

  /** The connection of somebody is gone for good. */
  close(person: Person): void {
    this.people.delete(person.jid);
    for (const host of this.hosts) this.perform(host.sessionClosed?.(this.now, person.sender.jid) ?? [], host);
  }

  /** Lets time pass, keeping deadlines in order. */
  wait(ms: number): void {
    const end = later(this.now, ms);
    for (;;) {
      let next: { host: Host; at: Millis } | undefined;
      for (const host of this.hosts) {
        const at = host.nextDeadline?.()?.at;
        if (at !== undefined && at <= end && (next === undefined || at < next.at)) next = { host, at };
      }
      if (next === undefined) break;
      this.now = millis(Math.max(this.now, next.at));
      this.perform(next.host.handleTimeout?.(this.now) ?? [], next.host);
    }
    this.now = end;
  }

  /** A room with its focus inside. */
  meeting(local: string): { readonly room: string; readonly focus: Person } {
    const focus = this.people.get("focus@auth.meet.test/focus") ?? this.focus();
    const room = `${local}@${DOMAINS.muc}`;
    focus.join(room, "focus");
    focus.take();
    return { room, focus };
  }

  private arrive(stanza: Element): void {
    // As on the wire: what arrives has been written and read.
    const copy = parse(stanza.toString());
    if (copy === undefined) throw new Error(`not well-formed: ${stanza.toString()}`);
    this.people.get(attr(copy, "to") ?? "")?.inbox.push(copy);
  }
}

/** The status codes in a stanza's muc#user element, in order. */
export const codes = (stanza: Element | undefined): number[] =>
  stanza === undefined
    ? []
    : (child(stanza, "x", "http://jabber.org/protocol/muc#user")?.getChildren("status") ?? []).map((each) =>
        Number(attr(each, "code")),
      );

/** The item of a stanza's muc#user element. */
export const item = (stanza: Element | undefined): Element | undefined =>
  stanza === undefined ? undefined : child(stanza, "x", "http://jabber.org/protocol/muc#user")?.getChild("item");

/** Error type and condition, `cancel/not-allowed`. */
export const fault = (stanza: Element | undefined): string | undefined => {
  const error = stanza?.getChild("error");
  return error === undefined ? undefined : `${attr(error, "type")}/${error.getChildElements()[0]?.getName()}`;
};

/** One line a stanza: name, type, from's resource and codes; for tests of order. */
export const brief = (stanza: Element): string => {
  const from = attr(stanza, "from") ?? "";
  const type = attr(stanza, "type");
  const first = stanza.getChildElements()[0];
  const what = stanza.getName() === "presence" ? codes(stanza).join(",") : first === undefined ? "" : first.getName();
  return [stanza.getName(), type, from, what].filter((each) => each !== undefined && each !== "").join(" ");
};
