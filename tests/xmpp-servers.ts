/**
 * Several servers' cores and the connections between them, in virtual time; and a stranger who talks to the port of servers by hand.
 */
import { createHash } from "node:crypto";
import type { XmppDomains } from "../appliance/config.ts";
import { Metrics } from "../appliance/metrics.ts";
import { later, type Millis, millis } from "../appliance/time.ts";
import { NS } from "../appliance/wire/namespaces.ts";
import type { Element } from "../appliance/wire/xml.ts";
import { Accounts } from "../appliance/xmpp/accounts.ts";
import type { FederationRules } from "../appliance/xmpp/federation.ts";
import type { Host, Sender } from "../appliance/xmpp/host.ts";
import { XmppServer } from "../appliance/xmpp/server.ts";
import type { LinkId, ServerAction, ServerInput } from "../appliance/xmpp/server-io.ts";
import { WallClock } from "../appliance/xmpp/wall-clock.ts";
import { XmlParser } from "../appliance/xmpp/xml-parser.ts";
import { TEST_LIMITS } from "./xmpp-dialogue.ts";

const LIMITS = { elementSize: 1_000_000, depth: 50, attributes: 100 };

/** One server: its core, a host `rooms.<domain>` that keeps what arrives, and what it writes to whom. */
export class Peer {
  readonly metrics = new Metrics();
  readonly core: XmppServer;
  readonly got: { readonly stanza: Element; readonly sender: Sender }[] = [];
  /** Names that its certificate proves to others. */
  certificate: readonly string[] = [];
  #entropy = 0;

  constructor(
    readonly net: Net,
    readonly domain: string,
    rules: FederationRules = { domains: [], certificatesRequired: false },
  ) {
    const domains: XmppDomains = {
      domain,
      auth: `auth.${domain}`,
      muc: `muc.${domain}`,
      internalMuc: `internal-muc.${domain}`,
      focus: `focus.${domain}`,
      hidden: `hidden.${domain}`,
    };
    const host: Host = {
      domain: `rooms.${domain}`,
      handle: (_now, stanza, sender) => {
        this.got.push({ stanza, sender });
        return [];
      },
    };
    const random = (size: number): Buffer =>
      createHash("sha512")
        .update(`${domain} ${++this.#entropy}`)
        .digest()
        .subarray(0, size);
    this.core = new XmppServer({
      domains,
      limits: TEST_LIMITS,
      accounts: new Accounts([], random),
      components: [],
      focusAccount: `focus@auth.${domain}`,
      externalServices: [],
      federation: rules,
      pushDiscovery: false,
      hosts: [host],
      software: { name: "x", version: "0" },
      random,
      wallClock: new WallClock(),
      metrics: this.metrics,
    });
  }

  feed(input: ServerInput): void {
    this.net.perform(this, this.core.handle(this.net.now, input));
  }

  /** A guest's session, by hand over a WebSocket. */
  guest(): { readonly say: (stanza: string) => void; readonly heard: string[]; readonly jid: string } {
    const link = this.net.newLink();
    const heard: string[] = [];
    this.net.listen(this, link, (data) => heard.push(data));
    this.feed({ type: "websocket-connected", link, origin: { remoteAddress: "192.0.2.1", query: {} } });
    const say = (text: string): void => this.feed({ type: "frame", link, text });
    const open = `<open xmlns="${NS.framing}" to="${this.domain}" version="1.0"/>`;
    for (const text of [
      open,
      `<auth xmlns="${NS.sasl}" mechanism="ANONYMOUS"/>`,
      open,
      `<iq xmlns="jabber:client" type="set" id="b"><bind xmlns="${NS.bind}"/></iq>`,
      '<presence xmlns="jabber:client"/>',
    ])
      say(text);
    return { say, heard, jid: /<jid>(.*)<\/jid>/.exec(heard.join(""))?.[1] ?? "" };
  }
}

/** The world: connections between servers, in order and at once. */
export class Net {
  now: Millis = millis(5_000);
  readonly peers = new Map<string, Peer>();
  readonly #ends = new Map<string, { readonly peer: Peer; readonly link: LinkId }>();
  readonly #ears = new Map<string, (data: string) => void>();
  readonly #tls = new Set<string>();
  readonly lost: string[] = [];
  #links = 0;

  add(domain: string, rules?: FederationRules): Peer {
    const peer = new Peer(this, domain, rules);
    this.peers.set(domain, peer);
    this.peers.set(`rooms.${domain}`, peer);
    return peer;
  }

  newLink(): LinkId {
    return ++this.#links as LinkId;
  }

  listen(peer: Peer, link: LinkId, ear: (data: string) => void): void {
    this.#ears.set(key(peer, link), ear);
  }

  advance(duration: number): void {
    const end = later(this.now, duration);
    for (;;) {
      const due = [...new Set(this.peers.values())]
        .map((peer) => ({ peer, at: peer.core.nextDeadline()?.at }))
        .filter((each) => each.at !== undefined && each.at <= end);
      const first = due.sort((a, b) => (a.at ?? 0) - (b.at ?? 0))[0];
      if (first?.at === undefined) break;
      if (first.at > this.now) this.now = first.at;
      this.perform(first.peer, first.peer.core.handleTimeout(this.now));
    }
    this.now = end;
  }

  perform(peer: Peer, actions: readonly ServerAction[]): void {
    for (const action of actions) {
      if (!("link" in action)) continue;
      const here = key(peer, action.link);
      const other = this.#ends.get(here);
      if (action.type === "connect") {
        const target = this.peers.get(action.domain);
        if (target === undefined) {
          peer.feed({ type: "disconnected", link: action.link });
          continue;
        }
        const link = this.newLink();
        this.#ends.set(here, { peer: target, link });
        this.#ends.set(key(target, link), { peer, link: action.link });
        target.feed({ type: "tcp-connected", link, service: "server", remoteAddress: `198.51.100.${this.peers.size}` });
        peer.feed({ type: "connect-done", link: action.link });
      } else if (action.type === "write") {
        this.#ears.get(here)?.(action.data);
        other?.peer.feed({ type: "bytes", link: other.link, bytes: new TextEncoder().encode(action.data) });
      } else if (action.type === "start-tls") {
        this.#tls.add(here);
        if (other === undefined || !this.#tls.has(key(other.peer, other.link))) continue;
        for (const [end, from] of [
          [{ peer, link: action.link }, other.peer],
          [other, peer],
        ] as const)
          end.peer.feed({ type: "tls-started", link: end.link, tls: { bindings: [], peerDomains: from.certificate } });
      } else if (action.type === "close") {
        this.#ends.delete(here);
        if (other !== undefined) {
          this.#ends.delete(key(other.peer, other.link));
          other.peer.feed({ type: "disconnected", link: other.link });
        }
        peer.feed({ type: "disconnected", link: action.link });
      }
    }
  }
}
const key = (peer: Peer, link: LinkId): string => `${peer.domain} ${link}`;

/** Somebody who talks to the port of servers by hand. */
export class Stranger {
  readonly link: LinkId;
  readonly elements: Element[] = [];
  #parser = new XmlParser("stream", LIMITS);
  id = "";
  constructor(
    readonly net: Net,
    readonly target: Peer,
  ) {
    this.link = net.newLink();
    net.listen(target, this.link, (data) => {
      this.id = /^<\?xml.* id="([^"]+)"/.exec(data)?.[1] ?? this.id;
      if (data.startsWith("<?xml")) this.#parser = new XmlParser("stream", LIMITS);
      for (const event of this.#parser.write(data)) if (event.type === "element") this.elements.push(event.element);
    });
    target.feed({ type: "tcp-connected", link: this.link, service: "server", remoteAddress: "203.0.113.5" });
  }
  say(text: string): void {
    this.target.feed({ type: "bytes", link: this.link, bytes: new TextEncoder().encode(text) });
  }
  open(from = "evil.test", to = "a.test"): void {
    this.say(
      `<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback' xmlns:stream='${NS.stream}' from='${from}' to='${to}' version='1.0'>`,
    );
  }
  secure(peerDomains: readonly string[] = []): void {
    this.open();
    this.say(`<starttls xmlns="${NS.tls}"/>`);
    this.target.feed({ type: "tls-started", link: this.link, tls: { bindings: [], peerDomains } });
    this.open();
  }
  condition(): string | undefined {
    return this.elements.find((each) => each.name === "stream:error")?.getChildElements()[0]?.name;
  }
}
