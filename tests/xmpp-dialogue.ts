/**
 * XMPP dialogues against the server's core, in virtual time: several participants send and expect stanzas, nothing sleeps, nothing is random.
 *
 *   const box = new DialogueServer({ hosts: (environment) => createMucHosts(…) });
 *   const ana = box.guest({ room: "standup" });            // WebSocket, anonymous, bound, stream management on
 *   const focus = box.service("focus");                    // TCP as after TLS, SCRAM skipped by PLAIN, resource = user
 *   ana.send(`<presence to="standup@muc.meet.test/7c1e22d0"><x xmlns="http://jabber.org/protocol/muc"/></presence>`);
 *   const joined = ana.expect("presence", (stanza) => …);  // takes it out of what has arrived, in order; fails with all that arrived
 *   ana.expectNothing();
 *   box.advance(seconds(20));                              // deadlines fire on the way
 *
 * What a client writes without xmlns gets jabber:client. Acknowledgement traffic of XEP-0198 is answered and hidden unless `rawManagement`.
 */
import { expect } from "bun:test";
import { createHash } from "node:crypto";
import type { ServiceAccount, XmppDomains, XmppLimits } from "../appliance/config.ts";
import { Metrics } from "../appliance/metrics.ts";
import { later, type Millis, millis } from "../appliance/time.ts";
import { NS } from "../appliance/wire/namespaces.ts";
import { attr, type Element, parse, text } from "../appliance/wire/xml.ts";
import { Accounts } from "../appliance/xmpp/accounts.ts";
import type { Host } from "../appliance/xmpp/host.ts";
import { type ServerOptions, XmppServer } from "../appliance/xmpp/server.ts";
import type { LinkId, RequestId, ServerAction, ServerInput } from "../appliance/xmpp/server-io.ts";
import { WallClock } from "../appliance/xmpp/wall-clock.ts";
import { XmlParser } from "../appliance/xmpp/xml-parser.ts";

export const TEST_DOMAINS: XmppDomains = {
  domain: "meet.test",
  auth: "auth.meet.test",
  muc: "muc.meet.test",
  internalMuc: "internal-muc.meet.test",
  focus: "focus.meet.test",
  hidden: "hidden.meet.test",
};

export const TEST_LIMITS: XmppLimits = {
  serviceStanzaBytes: 262_144,
  clientStanzaBytes: 65_536,
  depth: 32,
  attributes: 64,
  bytesPerSecond: 50_000,
  stanzasPerSecond: 100,
  connections: 10_000,
  connectionsPerAddress: 1_000,
  rooms: 1_000,
  occupantsPerRoom: 500,
  roomsPerUser: 50,
  resumeSeconds: 60,
  loginsPerSecond: 0,
  loginSeconds: 30,
  serviceResumeSeconds: 15,
};

/** Password of every account: `secret`. */
export const TEST_ACCOUNTS: readonly ServiceAccount[] = [
  ...["focus", "jvb", "jibri"].map((user) => ({ user, domain: TEST_DOMAINS.auth, password: "secret", admin: true })),
  { user: "plain", domain: TEST_DOMAINS.auth, password: "secret", admin: false },
  { user: "recorder", domain: TEST_DOMAINS.hidden, password: "secret", admin: false },
];

export interface DialogueEnvironment {
  readonly domains: XmppDomains;
  readonly limits: XmppLimits;
  readonly focusAccount: string;
  readonly newId: () => string;
  readonly toEpoch: WallClock["toEpoch"];
}

export interface DialogueOptions {
  readonly hosts?: (environment: DialogueEnvironment) => readonly Host[];
  readonly limits?: Partial<XmppLimits>;
  readonly server?: Partial<ServerOptions>;
  /** Milliseconds since 1970 at virtual instant 0. */
  readonly epoch?: number;
  /** Another one makes other ids and secrets, as another start of a server does. Default 0. */
  readonly entropy?: number;
}

/** Virtual time starts here, so that nothing relies on zero. */
const START = millis(1_000_000);

export class DialogueServer {
  now: Millis = START;
  readonly metrics = new Metrics();
  readonly wallClock = new WallClock();
  readonly core: XmppServer;
  /** Actions that concern no participant: HTTP, outgoing connections, log lines. */
  readonly actions: ServerAction[] = [];
  readonly #participants = new Map<LinkId, Participant>();
  #lastLink = 0;
  #entropy: number;

  constructor(options: DialogueOptions = {}) {
    this.#entropy = options.entropy ?? 0;
    const limits = { ...TEST_LIMITS, ...options.limits };
    const focusAccount = `focus@${TEST_DOMAINS.auth}`;
    this.wallClock.set((options.epoch ?? Date.UTC(2026, 7, 21)) - START);
    this.core = new XmppServer({
      domains: TEST_DOMAINS,
      limits,
      accounts: new Accounts(TEST_ACCOUNTS, this.random, 8),
      focusAccount,
      externalServices: [],
      components: [],
      pushDiscovery: false,
      hosts:
        options.hosts?.({
          domains: TEST_DOMAINS,
          limits,
          focusAccount,
          newId: this.newId,
          toEpoch: this.wallClock.toEpoch,
        }) ?? [],
      software: { name: "Parley", version: "0.0.0" },
      random: this.random,
      wallClock: this.wallClock,
      metrics: this.metrics,
      ...options.server,
    });
  }

  /** Unguessable to nobody: the same in every run. */
  readonly random = (size: number): Buffer => {
    const blocks: Buffer[] = [];
    for (let have = 0; have < size; have += 32)
      blocks.push(
        createHash("sha256")
          .update(String(++this.#entropy))
          .digest(),
      );
    return Buffer.concat(blocks).subarray(0, size);
  };

  readonly newId = (): string => {
    const hex = this.random(16).toString("hex");
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  };

  nextLink(): LinkId {
    return ++this.#lastLink as LinkId;
  }

  nextRequest(): RequestId {
    return ++this.#lastLink as unknown as RequestId;
  }

  feed(input: ServerInput): void {
    this.#perform(this.core.handle(this.now, input));
  }

  /** Virtual time passes; every deadline on the way fires at its instant. */
  advance(duration: number): void {
    const end = later(this.now, duration);
    let calls = 0;
    for (;;) {
      const next = this.core.nextDeadline();
      if (next === undefined || next.at > end) break;
      calls = next.at > this.now ? 0 : calls + 1;
      if (calls > 10_000) throw new Error(`the server's time stands still at ${this.now} ms: ${next.why}`);
      if (next.at > this.now) this.now = next.at;
      this.#perform(this.core.handleTimeout(this.now));
    }
    this.now = end;
  }

  counted(reason: string): number {
    return this.metrics.counter("parley_xmpp_dropped_total", "Input refused or dropped, by reason").get({ reason });
  }

  /** A WebSocket that has said nothing yet. */
  websocket(
    query: Record<string, string> = {},
    extra: {
      readonly remoteAddress?: string;
      readonly bearer?: string;
      readonly region?: string;
      readonly insecure?: boolean;
    } = {},
  ): Participant {
    const participant = new Participant(this, "websocket");
    this.#participants.set(participant.link, participant);
    this.feed({
      type: "websocket-connected",
      link: participant.link,
      origin: { remoteAddress: "192.0.2.7", query, ...extra },
    });
    return participant;
  }

  /** A bare TCP connection. */
  tcp(remoteAddress = "192.0.2.8", service: "client" | "server" | "component" = "client"): Participant {
    const participant = new Participant(this, "tcp");
    this.#participants.set(participant.link, participant);
    this.feed({ type: "tcp-connected", link: participant.link, service, remoteAddress });
    return participant;
  }

  adopt(participant: Participant): void {
    this.#participants.set(participant.link, participant);
  }

  /** An anonymous client, bound, with stream management. */
  guest(
    query: Record<string, string> = {},
    options: { readonly management?: boolean; readonly remoteAddress?: string } = {},
  ): Participant {
    const participant = this.websocket(
      query,
      options.remoteAddress === undefined ? {} : { remoteAddress: options.remoteAddress },
    );
    participant.loginAnonymously();
    participant.bind();
    if (options.management !== false) participant.enableManagement();
    return participant;
  }

  /** A service account over TCP and TLS, bound, without broadcast presence. */
  service(
    user: string,
    options: { readonly resource?: string; readonly domain?: string; readonly presence?: boolean } = {},
  ): Participant {
    const participant = this.tcp();
    participant.startTls();
    participant.loginPlain(user, "secret", options.domain ?? TEST_DOMAINS.auth);
    participant.bind(options.resource ?? user);
    if (options.presence !== false) {
      participant.send("<presence/>");
      participant.expect("presence");
    }
    return participant;
  }

  #perform(actions: readonly ServerAction[]): void {
    for (const action of actions) {
      const participant = "link" in action ? this.#participants.get(action.link) : undefined;
      if (participant === undefined) this.actions.push(action);
      else participant.perform(action);
    }
  }
}

export class Participant {
  readonly link: LinkId;
  /** Everything written to it, in order: frames, or pieces of the TCP stream. */
  readonly written: string[] = [];
  closed:
    | { readonly code: number | undefined; readonly reason: string | undefined; readonly abrupt: boolean }
    | undefined;
  jid = "";
  rawManagement = false;
  /** How many stanzas it has taken, for its answers to <r/>. */
  received = 0;
  resumptionId = "";
  #management = false;
  #inbox: Element[] = [];
  #parser = new XmlParser("stream", { elementSize: 10_000_000, depth: 100, attributes: 1_000 });
  #ids = 0;

  constructor(
    readonly box: DialogueServer,
    readonly transport: "tcp" | "websocket",
  ) {
    this.link = box.nextLink();
  }

  perform(action: ServerAction): void {
    if (action.type === "write") {
      this.written.push(action.data);
      for (const element of this.#read(action.data)) this.#take(element);
    } else if (action.type === "close") {
      this.closed = { code: action.code, reason: action.reason, abrupt: action.abrupt ?? false };
      this.box.feed({ type: "disconnected", link: this.link });
    } else if (action.type === "start-tls")
      this.#parser = new XmlParser("stream", { elementSize: 10_000_000, depth: 100, attributes: 1_000 });
  }

  /** Raw text: a frame, or bytes of the stream. */
  raw(source: string): void {
    if (this.transport === "websocket") this.box.feed({ type: "frame", link: this.link, text: source });
    else this.box.feed({ type: "bytes", link: this.link, bytes: new TextEncoder().encode(source) });
  }

  /** A stanza; gets jabber:client unless it says otherwise. */
  send(source: string): void {
    const named = /^<(iq|message|presence)(?=[\s/>])(?![^>]*\sxmlns=)/.test(source)
      ? source.replace(/^<(iq|message|presence)/, '<$1 xmlns="jabber:client"')
      : source;
    this.raw(named);
  }

  /** Sends an IQ and gives its answer. */
  ask(type: "get" | "set", to: string | undefined, payload: string): Element {
    const id = `ask${++this.#ids}`;
    this.send(`<iq type="${type}" id="${id}"${to === undefined ? "" : ` to="${to}"`}>${payload}</iq>`);
    return this.expect("iq", (stanza) => attr(stanza, "id") === id);
  }

  /** The first arrived element of that name (and for which `which` holds); it and only it is taken out. */
  expect(name: string, which: (element: Element) => boolean = () => true): Element {
    const at = this.#inbox.findIndex((each) => each.name === name && which(each));
    const found = this.#inbox[at];
    if (found === undefined)
      throw new Error(
        `${this.jid || this.transport}: no such ${name}; arrived:\n${this.#inbox.map(String).join("\n")}\n${this.closed === undefined ? "" : "(closed)"}`,
      );
    this.#inbox.splice(at, 1);
    return found;
  }

  /** The oldest arrived element, which must be of that name. */
  next(name: string): Element {
    const first = this.#inbox.shift();
    expect(first?.name ?? "(nothing)").toBe(name);
    if (first === undefined) throw new Error("nothing arrived");
    return first;
  }

  /** The oldest arrived element, whatever it is. */
  oldest(): Element | undefined {
    return this.#inbox.shift();
  }

  /** All that has arrived, taken out. */
  all(): Element[] {
    return this.#inbox.splice(0);
  }

  expectNothing(): void {
    expect(this.#inbox.map(String)).toEqual([]);
  }

  expectStreamError(condition: string): void {
    const error = this.expect("stream:error");
    expect(error.getChildElements()[0]?.name).toBe(condition);
    expect(this.closed).toBeDefined();
  }

  open(to = TEST_DOMAINS.domain): void {
    if (this.transport === "websocket") this.raw(`<open xmlns="${NS.framing}" to="${to}" version="1.0"/>`);
    else {
      this.#parser = new XmlParser("stream", { elementSize: 10_000_000, depth: 100, attributes: 1_000 });
      this.raw(
        `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='${NS.stream}' to='${to}' version='1.0'>`,
      );
    }
  }

  startTls(to = TEST_DOMAINS.auth): void {
    this.open(to);
    this.expect("stream:features");
    this.raw(`<starttls xmlns="${NS.tls}"/>`);
    this.expect("proceed");
    this.box.feed({ type: "tls-started", link: this.link, tls: { bindings: [], peerDomains: [] } });
  }

  loginAnonymously(): void {
    this.open();
    if (this.transport === "websocket") this.expect("open");
    this.expect("stream:features");
    this.raw(`<auth xmlns="${NS.sasl}" mechanism="ANONYMOUS"/>`);
    this.expect("success");
    this.open();
    if (this.transport === "websocket") this.expect("open");
    this.expect("stream:features");
  }

  loginPlain(user: string, password: string, domain: string): void {
    this.open(domain);
    if (this.transport === "websocket") this.expect("open");
    this.expect("stream:features");
    this.raw(
      `<auth xmlns="${NS.sasl}" mechanism="PLAIN">${Buffer.from(`\0${user}\0${password}`).toString("base64")}</auth>`,
    );
    this.expect("success");
    this.open(domain);
    if (this.transport === "websocket") this.expect("open");
    this.expect("stream:features");
  }

  bind(resource?: string): void {
    const answer = this.ask(
      "set",
      undefined,
      `<bind xmlns="${NS.bind}">${resource === undefined ? "" : `<resource>${resource}</resource>`}</bind>`,
    );
    this.jid = answer.getChild("bind")?.getChildText("jid") ?? "";
    expect(this.jid).not.toBe("");
  }

  enableManagement(resume = true): void {
    this.raw(resume ? `<enable xmlns="${NS.sm}" resume="true"/>` : `<enable xmlns="${NS.sm}"/>`);
    const enabled = this.expect("enabled");
    this.resumptionId = attr(enabled, "id") ?? "";
    this.#management = true;
    this.received = 0;
  }

  /** The transport is lost without a word. */
  drop(): void {
    this.closed = { code: 1006, reason: "", abrupt: true };
    this.box.feed({ type: "disconnected", link: this.link });
  }

  /** After logging in again: takes over what `old` was. */
  resume(old: Participant): Element {
    this.raw(`<resume xmlns="${NS.sm}" h="${old.received}" previd="${old.resumptionId}"/>`);
    this.jid = old.jid;
    this.resumptionId = old.resumptionId;
    this.received += old.received;
    this.#management = true;
    return this.expect("resumed");
  }

  #read(data: string): Element[] {
    if (this.transport === "websocket") {
      const element = parse(data);
      if (element === undefined) throw new Error(`a frame that is no XML: ${data}`);
      return [element];
    }
    if (data.startsWith("<?xml"))
      this.#parser = new XmlParser("stream", { elementSize: 10_000_000, depth: 100, attributes: 1_000 });
    return this.#parser.write(data).flatMap((event) => {
      if (event.type === "problem") throw new Error(`the server wrote ${event.problem}: ${data}`);
      return event.type === "element" ? [event.element] : [];
    });
  }

  #take(element: Element): void {
    if (["iq", "message", "presence"].includes(element.name)) this.received++;
    if (element.getNS() === NS.sm && !this.rawManagement && this.#management) {
      if (element.name === "r") this.raw(`<a xmlns="${NS.sm}" h="${this.received}"/>`);
      if (element.name === "r" || element.name === "a") return;
    }
    this.#inbox.push(element);
  }
}

/** The condition of an error stanza. */
export const conditionOf = (stanza: Element): string | undefined =>
  stanza
    .getChild("error")
    ?.getChildElements()
    .find((each) => each.getNS() === NS.stanzas && each.name !== "text")?.name;

export const errorText = (stanza: Element): string | undefined => {
  const found = stanza.getChild("error")?.getChild("text");
  return found === undefined ? undefined : text(found);
};
