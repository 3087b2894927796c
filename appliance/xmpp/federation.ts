/**
 * Server to server (RFC 6120 §4, XEP-0220, XEP-0178): which stream carries what, both directions, with bounds. Off unless configured.
 *
 * Bounds: 200 streams in, 20 of one address; 200 out; 30 s to prove a stream, 10 minutes of silence; inputs of a peer throttled as clients' are,
 * twenty times as wide. The limits on stanzas are those of services.
 */
import { createHash, createHmac } from "node:crypto";
import type { Deadline } from "../deadlines.ts";
import { later, type Millis, minutes, seconds } from "../time.ts";
import { parseJid } from "../wire/jid.ts";
import type { StanzaError } from "../wire/stanza.ts";
import { attr, type Element } from "../wire/xml.ts";
import { TcpFraming } from "./framing.ts";
import type { Sender } from "./host.ts";
import { type GateLimits, InboundGate } from "./inbound-gate.ts";
import { type InboundOwner, InboundStream } from "./s2s-inbound.ts";
import type { Federated } from "./s2s-link.ts";
import { type OutboundOwner, OutboundStream } from "./s2s-outbound.ts";
import type { LinkId, ServerAction, TlsState } from "./server-io.ts";
import { Timers } from "./timers.ts";
import type { XmlLimits } from "./xml-parser.ts";

export interface FederationRules {
  /** Domains that may talk to us and be talked to; empty: all. */
  readonly domains: readonly string[];
  /** Dialback is not enough: peers must have a certificate that is good for their name. */
  readonly certificatesRequired: boolean;
}

export interface FederationOptions {
  readonly rules: FederationRules;
  readonly limits: XmlLimits;
  readonly gate: GateLimits;
  /** Ours and open to the outside. */
  readonly serves: (domain: string) => boolean;
  readonly randomId: () => string;
  /** A number for a connection that we make: negative ones are ours. */
  readonly newLink: () => LinkId;
  readonly count: (reason: string) => void;
  readonly act: (action: ServerAction) => void;
  readonly stanza: (now: Millis, stanza: Element, sender: Sender) => void;
  /** A stanza could not be delivered: its sender hears of it. */
  readonly refuse: (now: Millis, stanza: Element, error: StanzaError) => void;
}

interface Inbound {
  readonly stream: InboundStream;
  readonly gate: InboundGate<Uint8Array>;
  readonly remoteAddress: string;
}

const MAX_INBOUND = 200;
const MAX_INBOUND_PER_ADDRESS = 20;
const MAX_OUTBOUND = 200;
const NEGOTIATION = seconds(30);
const SILENCE = minutes(10);
const GATE_FACTOR = 20;

export class Federation implements InboundOwner {
  readonly #options: FederationOptions;
  readonly #secret: string;
  readonly #inbound = new Map<LinkId, Inbound>();
  readonly #outbound = new Map<LinkId, OutboundStream>();
  readonly #byPair = new Map<string, OutboundStream>();
  readonly #inquiries = new Map<string, (now: Millis, valid: boolean | undefined) => void>();
  readonly #timers = new Timers<LinkId>();
  readonly #throttled = new Timers<LinkId>();
  readonly #outboundOwner: OutboundOwner;

  constructor(options: FederationOptions) {
    this.#options = options;
    this.#secret = createHash("sha256").update(options.randomId()).digest("hex");
    const common: Federated = {
      randomId: () => this.randomId(),
      count: (reason) => this.count(reason),
      write: (link, data) => this.write(link, data),
      startTls: (link, role, domain) => this.startTls(link, role, domain),
      close: (link, abrupt) => this.close(link, abrupt),
      serves: (domain) => this.serves(domain),
      key: (receiving, originating, id) => this.key(receiving, originating, id),
    };
    this.#outboundOwner = {
      ...common,
      proven: (now, stream) => this.#timers.set(stream.link, later(now, SILENCE), "idle stream to a server"),
      undelivered: (now, stanzas, error) => {
        for (const stanza of stanzas) options.refuse(now, stanza, error);
      },
      inquiryAnswered: (now, id, valid) => {
        const done = this.#inquiries.get(id);
        this.#inquiries.delete(id);
        done?.(now, valid);
      },
      ended: (stream) => this.#forgetOutbound(stream),
      certificatesRequired: options.rules.certificatesRequired,
    };
  }

  get certificatesRequired(): boolean {
    return this.#options.rules.certificatesRequired;
  }

  has(link: LinkId): boolean {
    return this.#inbound.has(link) || this.#outbound.has(link);
  }

  /** A stanza for another server; an error is for its sender. */
  deliver(now: Millis, remote: string, stanza: Element): StanzaError | undefined {
    const local = parseJid(attr(stanza, "from"))?.domain;
    if (local === undefined) return { condition: "jid-malformed" };
    if (!this.allows(remote) || !this.serves(local))
      return { condition: "not-allowed", type: "cancel", text: "Communication with that domain is not enabled" };
    const stream = this.#stream(now, local, remote);
    if (stream === undefined || !stream.offer(stanza)) return { condition: "resource-constraint" };
    if (stream.isProven) this.#timers.set(stream.link, later(now, SILENCE), "idle stream to a server");
    return undefined;
  }

  accept(now: Millis, link: LinkId, remoteAddress: string): void {
    const { limits, gate } = this.#options;
    const stream = new InboundStream(link, new TcpFraming(limits), this);
    const entry: Inbound = {
      stream,
      remoteAddress,
      gate: new InboundGate(now, {
        ...gate,
        bytesPerSecond: gate.bytesPerSecond * GATE_FACTOR,
        stanzasPerSecond: gate.stanzasPerSecond * GATE_FACTOR,
      }),
    };
    const fromThere = [...this.#inbound.values()].filter((each) => each.remoteAddress === remoteAddress).length;
    this.#inbound.set(link, entry);
    this.#timers.set(link, later(now, NEGOTIATION), "a server's stream");
    if (this.#inbound.size > MAX_INBOUND || fromThere >= MAX_INBOUND_PER_ADDRESS)
      stream.fail(now, "resource-constraint");
  }

  arrived(now: Millis, link: LinkId, bytes: Uint8Array): void {
    const inbound = this.#inbound.get(link);
    if (inbound === undefined) {
      this.#outbound.get(link)?.receive(now, bytes);
      return;
    }
    if (inbound.stream.closed) return;
    if (inbound.gate.offer(bytes, bytes.length)) this.#workOff(now, link, inbound);
    else inbound.stream.fail(now, "policy-violation", "Too much, too fast");
  }

  connected(_now: Millis, link: LinkId): void {
    this.#outbound.get(link)?.connected();
  }

  tlsStarted(now: Millis, link: LinkId, tls: TlsState): void {
    (this.#inbound.get(link)?.stream ?? this.#outbound.get(link))?.tlsStarted(now, tls);
  }

  lost(now: Millis, link: LinkId): void {
    this.#inbound.delete(link);
    this.#timers.clear(link);
    this.#throttled.clear(link);
    const stream = this.#outbound.get(link);
    if (stream === undefined) return;
    this.#outbound.delete(link);
    if (!stream.closed) stream.lost(now);
  }

  shutdown(now: Millis): void {
    for (const { stream } of this.#inbound.values()) stream.fail(now, "system-shutdown");
    for (const stream of [...this.#outbound.values()]) stream.finish(now);
  }

  nextDeadline(): Deadline | undefined {
    const a = this.#timers.soonest();
    const b = this.#throttled.soonest();
    return a === undefined || (b !== undefined && b.at < a.at) ? b : a;
  }

  handleTimeout(now: Millis): void {
    this.#throttled.due(now, (link) => {
      const inbound = this.#inbound.get(link);
      if (inbound !== undefined) this.#workOff(now, link, inbound);
    });
    this.#timers.due(now, (link) => this.#timeout(now, link));
  }

  // What streams ask.

  randomId(): string {
    return this.#options.randomId();
  }

  count(reason: string): void {
    this.#options.count(reason);
  }

  write(link: LinkId, data: string): void {
    this.#options.act({ type: "write", link, data });
  }

  startTls(link: LinkId, role: "server" | "client", domain: string): void {
    this.#options.act({ type: "start-tls", link, role, domain });
  }

  close(link: LinkId, abrupt: boolean): void {
    this.#options.act({ type: "close", link, abrupt });
  }

  serves(domain: string): boolean {
    return this.#options.serves(domain);
  }

  allows(domain: string): boolean {
    const { domains } = this.#options.rules;
    return domains.length === 0 || domains.includes(domain);
  }

  /** XEP-0185 §2: nothing is remembered, and nobody else can make it. */
  key(receiving: string, originating: string, streamId: string): string {
    return createHmac("sha256", this.#secret).update(`${receiving} ${originating} ${streamId}`).digest("hex");
  }

  verify(
    now: Millis,
    stream: InboundStream,
    originating: string,
    receiving: string,
    streamId: string,
    key: string,
  ): void {
    const outbound = this.#stream(now, receiving, originating);
    if (outbound === undefined) {
      stream.verified(now, originating, receiving, undefined);
      return;
    }
    const id = this.randomId();
    this.#inquiries.set(id, (at, valid) => stream.verified(at, originating, receiving, valid));
    outbound.inquire({ id, streamId, key });
  }

  stanza(now: Millis, stanza: Element): void {
    const from = parseJid(attr(stanza, "from"));
    if (from !== undefined) this.#options.stanza(now, stanza, { jid: from, kind: "remote", admin: false });
  }

  authenticated(now: Millis, stream: InboundStream): void {
    this.#timers.set(stream.link, later(now, SILENCE), "idle stream of a server");
  }

  ended(_stream: InboundStream): void {}

  #stream(now: Millis, local: string, remote: string): OutboundStream | undefined {
    const pair = `${local} ${remote}`;
    const existing = this.#byPair.get(pair);
    if (existing !== undefined && !existing.closed) return existing;
    if (this.#outbound.size >= MAX_OUTBOUND) return undefined;
    const link = this.#options.newLink();
    const stream = new OutboundStream(link, new TcpFraming(this.#options.limits), this.#outboundOwner, local, remote);
    this.#outbound.set(link, stream);
    this.#byPair.set(pair, stream);
    this.#timers.set(link, later(now, NEGOTIATION), "a stream to a server");
    this.#options.act({ type: "connect", link, domain: remote });
    return stream;
  }

  #forgetOutbound(stream: OutboundStream): void {
    const pair = `${stream.local} ${stream.remote}`;
    if (this.#byPair.get(pair) === stream) this.#byPair.delete(pair);
  }

  #workOff(now: Millis, link: LinkId, { stream, gate }: Inbound): void {
    for (let bytes = gate.next(now); bytes !== undefined; bytes = gate.next(now)) {
      stream.receive(now, bytes);
      if (stream.closed) return;
    }
    if (stream.proven) this.#timers.set(link, later(now, SILENCE), "idle stream of a server");
    if (!gate.empty) this.#throttled.set(link, later(now, gate.waitMs(now)), "throttled server");
  }

  #timeout(now: Millis, link: LinkId): void {
    const inbound = this.#inbound.get(link);
    const outbound = this.#outbound.get(link);
    if (inbound?.stream.closed === true || outbound?.closed === true) {
      this.close(link, true);
      return;
    }
    this.#timers.set(link, later(now, seconds(5)), "closing stream");
    if (inbound !== undefined) {
      if (inbound.stream.proven) inbound.stream.finish(now);
      else inbound.stream.fail(now, "connection-timeout");
    } else if (outbound !== undefined) {
      if (outbound.isProven) outbound.finish(now);
      else outbound.timedOut(now);
    }
  }
}
