/**
 * One stream between servers, either direction: framing, TLS, the text that goes out. What is said on it is s2s-inbound.ts and s2s-outbound.ts.
 */
import type { Millis } from "../time.ts";
import { attr, clone, type Element, xml } from "../wire/xml.ts";
import type { FramingEvent, StreamCondition, StreamHeader, TcpFraming } from "./framing.ts";
import type { LinkId, TlsState } from "./server-io.ts";

export const DIALBACK = "jabber:server:dialback";
export const DIALBACK_FEATURE = "urn:xmpp:features:dialback";

/** What a stream between servers may ask of the federation it belongs to. */
export interface Federated {
  randomId(): string;
  count(reason: string): void;
  write(link: LinkId, data: string): void;
  startTls(link: LinkId, role: "server" | "client", domain: string): void;
  close(link: LinkId, abrupt: boolean): void;
  /** Whether addresses of that domain are ours and may be reached from outside. */
  serves(domain: string): boolean;
  /** The dialback key of a stream (XEP-0185). */
  key(receiving: string, originating: string, streamId: string): string;
}

export abstract class ServerStream {
  tls = false;
  peerDomains: readonly string[] = [];
  closed = false;
  protected headerSent = false;

  constructor(
    readonly link: LinkId,
    protected readonly framing: TcpFraming,
    protected readonly federated: Federated,
  ) {}

  receive(now: Millis, bytes: Uint8Array): void {
    for (const event of this.framing.receive(bytes)) {
      if (this.closed) return;
      this.#event(now, event);
    }
  }

  tlsStarted(now: Millis, tls: TlsState): void {
    this.tls = true;
    this.peerDomains = tls.peerDomains;
    this.framing.restart();
    this.headerSent = false;
    this.onTls(now);
  }

  fail(now: Millis, condition: StreamCondition, description?: string): void {
    if (this.closed) return;
    this.federated.count(`s2s-${condition}`);
    if (!this.headerSent) this.sendHeader(undefined, undefined);
    this.federated.write(this.link, this.framing.error(condition, description) + this.framing.close());
    this.#end(now, condition);
  }

  /** Our goodbye. */
  finish(now: Millis): void {
    if (this.closed) return;
    if (this.headerSent) this.federated.write(this.link, this.framing.close());
    this.#end(now, undefined);
  }

  protected send(element: Element): void {
    if (!this.closed) this.federated.write(this.link, element.toString());
  }

  protected sendHeader(from: string | undefined, to: string | undefined, id = this.federated.randomId()): string {
    this.headerSent = true;
    this.federated.write(
      this.link,
      this.framing.open({ namespace: "jabber:server", from, to, id, dialback: true, version: "1.0" }),
    );
    return id;
  }

  protected abstract onTls(now: Millis): void;
  protected abstract onHeader(now: Millis, header: StreamHeader): void;
  protected abstract onElement(now: Millis, element: Element): void;
  /** The stream is over, by us or by the peer. */
  protected abstract onEnd(now: Millis, condition: StreamCondition | undefined): void;

  #event(now: Millis, event: FramingEvent): void {
    switch (event.type) {
      case "open":
        if (event.header.namespace === "jabber:server") this.onHeader(now, event.header);
        else this.fail(now, "invalid-namespace");
        break;
      case "element":
        this.onElement(now, event.element);
        break;
      case "close":
        this.finish(now);
        break;
      case "problem":
        this.fail(now, event.condition, event.text);
        break;
      case "abort":
        this.#end(now, undefined);
        break;
    }
  }

  #end(now: Millis, condition: StreamCondition | undefined): void {
    this.closed = true;
    this.federated.close(this.link, false);
    this.onEnd(now, condition);
  }
}

export const dialback = (
  name: "result" | "verify",
  attributes: Record<string, string | undefined>,
  key?: string,
): Element => xml(`db:${name}`, { "xmlns:db": DIALBACK, ...attributes }, key);

export const isStanza = (element: Element): boolean =>
  element.getNS() === "jabber:server" &&
  (element.name === "iq" || element.name === "message" || element.name === "presence");

/** Content namespaces are translated at the root only: what inherits them follows. */
export function toServerNamespace(stanza: Element): string {
  const copy = clone(stanza);
  copy.attrs["xmlns"] = "jabber:server";
  return copy.toString();
}

export const domainOf = (element: Element, name: "from" | "to"): string | undefined =>
  attr(element, name)?.toLowerCase();

/** RFC 6125 §6.4.3: equal, or a wildcard for the whole first label. */
export const certifies = (names: readonly string[], domain: string): boolean =>
  names.some(
    (name) =>
      name === domain ||
      (name.startsWith("*.") && domain.slice(domain.indexOf(".")) === name.slice(1) && domain.includes(".")),
  );
