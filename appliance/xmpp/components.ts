/**
 * External components, XEP-0114 (1.6): a service that answers for a domain of its own, over a TCP connection that proves a shared secret. The
 * port is bare TCP and belongs on the loopback. A newer connection for the same domain ends the older one.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Deadline } from "../deadlines.ts";
import { later, type Millis, seconds } from "../time.ts";
import { parseJid } from "../wire/jid.ts";
import { NS } from "../wire/namespaces.ts";
import type { StanzaError } from "../wire/stanza.ts";
import { attr, clone, type Element, is, text, xml } from "../wire/xml.ts";
import { type FramingEvent, type StreamCondition, TcpFraming } from "./framing.ts";
import type { Sender } from "./host.ts";
import type { LinkId, ServerAction } from "./server-io.ts";
import { Timers } from "./timers.ts";
import type { XmlLimits } from "./xml-parser.ts";

export interface ComponentAccount {
  readonly domain: string;
  readonly secret: string;
  /** Owner of every room, may create rooms. */
  readonly admin: boolean;
}

export interface ComponentsOptions {
  readonly accounts: readonly ComponentAccount[];
  readonly limits: XmlLimits;
  readonly randomId: () => string;
  readonly count: (reason: string) => void;
  readonly act: (action: ServerAction) => void;
  readonly stanza: (now: Millis, stanza: Element, sender: Sender) => void;
}

interface Link {
  readonly id: LinkId;
  readonly framing: TcpFraming;
  streamId: string | undefined;
  account: ComponentAccount | undefined;
  ready: boolean;
  closed: boolean;
}

const HANDSHAKE = seconds(10);
const MAX_LINKS = 64;

export class Components {
  readonly #options: ComponentsOptions;
  readonly #accounts: ReadonlyMap<string, ComponentAccount>;
  readonly #links = new Map<LinkId, Link>();
  readonly #byDomain = new Map<string, Link>();
  readonly #timers = new Timers<LinkId>();

  constructor(options: ComponentsOptions) {
    this.#options = options;
    this.#accounts = new Map(options.accounts.map((account) => [account.domain, account]));
  }

  has(link: LinkId): boolean {
    return this.#links.has(link);
  }

  connect(now: Millis, id: LinkId): void {
    const link: Link = {
      id,
      framing: new TcpFraming(this.#options.limits),
      streamId: undefined,
      account: undefined,
      ready: false,
      closed: false,
    };
    this.#links.set(id, link);
    this.#timers.set(id, later(now, HANDSHAKE), "component handshake");
    if (this.#links.size > MAX_LINKS) this.#fail(link, "resource-constraint");
  }

  arrived(now: Millis, id: LinkId, bytes: Uint8Array): void {
    const link = this.#links.get(id);
    if (link !== undefined)
      for (const event of link.framing.receive(bytes)) if (!link.closed) this.#event(now, link, event);
  }

  lost(id: LinkId): void {
    const link = this.#links.get(id);
    this.#links.delete(id);
    this.#timers.clear(id);
    const domain = link?.account?.domain;
    if (domain !== undefined && this.#byDomain.get(domain) === link) this.#byDomain.delete(domain);
  }

  /** "unknown": the domain is none of a component's. */
  deliver(domain: string, stanza: Element): "taken" | "unknown" | StanzaError {
    if (!this.#accounts.has(domain)) return "unknown";
    const link = this.#byDomain.get(domain);
    if (link === undefined) return { condition: "service-unavailable", type: "wait", text: "Component unavailable" };
    const copy = clone(stanza);
    copy.attrs["xmlns"] = NS.component;
    this.#options.act({ type: "write", link: link.id, data: copy.toString() });
    return "taken";
  }

  shutdown(): void {
    for (const link of this.#links.values()) this.#fail(link, "system-shutdown");
  }

  nextDeadline(): Deadline | undefined {
    return this.#timers.soonest();
  }

  handleTimeout(now: Millis): void {
    this.#timers.due(now, (id) => {
      const link = this.#links.get(id);
      if (link === undefined || link.ready) return;
      if (link.closed) this.#options.act({ type: "close", link: id, abrupt: true });
      else {
        this.#fail(link, "connection-timeout");
        this.#timers.set(id, later(now, HANDSHAKE), "closing component");
      }
    });
  }

  #event(now: Millis, link: Link, event: FramingEvent): void {
    switch (event.type) {
      case "open": {
        if (link.streamId !== undefined) {
          this.#fail(link, "not-well-formed");
          return;
        }
        const { to, namespace } = event.header;
        link.streamId = this.#options.randomId();
        link.account = to === undefined ? undefined : this.#accounts.get(to.toLowerCase());
        this.#write(
          link,
          link.framing.open({ namespace: NS.component, from: to, id: link.streamId, version: undefined }),
        );
        if (namespace !== NS.component) this.#fail(link, "invalid-namespace");
        else if (link.account === undefined)
          this.#fail(link, "host-unknown", `No component is configured for ${to ?? "that"}`);
        break;
      }
      case "element":
        if (link.ready) this.#stanza(now, link, event.element);
        else this.#handshake(link, event.element);
        break;
      case "close":
        this.#write(link, link.framing.close());
        this.#end(link);
        break;
      case "problem":
        this.#fail(link, event.condition, event.text);
        break;
      case "abort":
        this.#end(link);
        break;
    }
  }

  #handshake(link: Link, element: Element): void {
    const { account, streamId } = link;
    if (!is(element, "handshake", NS.component) || account === undefined || streamId === undefined) {
      this.#fail(link, "not-authorized");
      return;
    }
    const expected = createHash("sha1").update(`${streamId}${account.secret}`).digest("hex");
    const given = text(element).trim().toLowerCase();
    if (given.length !== expected.length || !timingSafeEqual(Buffer.from(given), Buffer.from(expected))) {
      this.#fail(link, "not-authorized", "The handshake does not match");
      return;
    }
    const old = this.#byDomain.get(account.domain);
    if (old !== undefined) this.#fail(old, "conflict", "Replaced by new connection");
    link.ready = true;
    this.#byDomain.set(account.domain, link);
    this.#timers.clear(link.id);
    this.#write(link, xml("handshake", { xmlns: NS.component }).toString());
  }

  #stanza(now: Millis, link: Link, element: Element): void {
    const { account } = link;
    if (account === undefined) return;
    if (element.getNS() !== NS.component || !["iq", "message", "presence"].includes(element.name)) {
      this.#fail(link, "unsupported-stanza-type");
      return;
    }
    const from = parseJid(attr(element, "from"));
    if (from === undefined || from.domain !== account.domain) {
      this.#fail(link, "invalid-from");
      return;
    }
    if (attr(element, "to") === undefined) {
      this.#options.count("component-without-to");
      return;
    }
    element.attrs["xmlns"] = NS.client;
    this.#options.stanza(now, element, { jid: from, kind: "component", admin: account.admin });
  }

  #write(link: Link, data: string): void {
    this.#options.act({ type: "write", link: link.id, data });
  }

  #fail(link: Link, condition: StreamCondition, description?: string): void {
    if (link.closed) return;
    this.#options.count(`component-${condition}`);
    if (link.streamId === undefined)
      this.#write(
        link,
        link.framing.open({
          namespace: NS.component,
          from: undefined,
          id: this.#options.randomId(),
          version: undefined,
        }),
      );
    this.#write(link, link.framing.error(condition, description) + link.framing.close());
    this.#end(link);
  }

  #end(link: Link): void {
    link.closed = true;
    link.ready = false;
    const domain = link.account?.domain;
    if (domain !== undefined && this.#byDomain.get(domain) === link) this.#byDomain.delete(domain);
    this.#options.act({ type: "close", link: link.id });
  }
}
