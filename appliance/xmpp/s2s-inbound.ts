/**
 * A stream that another server opened to us: TLS first, then SASL EXTERNAL where its certificate is good for the name it gives (XEP-0178), else
 * dialback (XEP-0220). Only stanzas of pairs of domains that were proven come through.
 */
import type { Millis } from "../time.ts";
import { parseJid } from "../wire/jid.ts";
import { NS } from "../wire/namespaces.ts";
import { attr, type Element, is, text, xml } from "../wire/xml.ts";
import type { StreamCondition, StreamHeader, TcpFraming } from "./framing.ts";
import {
  certifies,
  DIALBACK,
  DIALBACK_FEATURE,
  dialback,
  domainOf,
  type Federated,
  isStanza,
  ServerStream,
} from "./s2s-link.ts";
import type { LinkId } from "./server-io.ts";

export interface InboundOwner extends Federated {
  /** Asks the authoritative server of `originating` whether the key is its own; `verified` follows. */
  verify(
    now: Millis,
    stream: InboundStream,
    originating: string,
    receiving: string,
    streamId: string,
    key: string,
  ): void;
  stanza(now: Millis, stanza: Element, from: string): void;
  authenticated(now: Millis, stream: InboundStream): void;
  ended(stream: InboundStream): void;
  /** Whether that domain may talk to us at all. */
  allows(domain: string): boolean;
  /** Dialback is not enough: peers must have a certificate that is good for their name. */
  readonly certificatesRequired: boolean;
}

/** Pairs of domains that one stream may prove. */
const MAX_SASL_FAILURES = 5;
const MAX_PAIRS = 32;

export class InboundStream extends ServerStream {
  readonly #owner: InboundOwner;
  #id = "";
  #remote: string | undefined;
  #saslFailures = 0;
  #external: string | undefined;
  /** `theirs ours` → proven. */
  readonly #pairs = new Set<string>();
  readonly #asked = new Set<string>();

  constructor(link: LinkId, framing: TcpFraming, owner: InboundOwner) {
    super(link, framing, owner);
    this.#owner = owner;
  }

  get proven(): boolean {
    return this.#pairs.size > 0 || this.#external !== undefined;
  }

  /** Answer to `verify`; undefined: the authoritative server could not be asked. */
  verified(now: Millis, originating: string, receiving: string, valid: boolean | undefined): void {
    const pair = `${originating} ${receiving}`;
    if (this.closed || !this.#asked.delete(pair)) return;
    const attributes = { from: receiving, to: originating };
    if (valid === undefined) {
      this.send(dialbackError("result", attributes, "remote-server-not-found"));
      return;
    }
    this.send(dialback("result", { ...attributes, type: valid ? "valid" : "invalid" }));
    if (!valid) {
      this.fail(now, "not-authorized", "Dialback key is not valid");
      return;
    }
    this.#pairs.add(pair);
    this.#owner.authenticated(now, this);
  }

  protected onTls(): void {}

  protected onHeader(now: Millis, header: StreamHeader): void {
    if (this.headerSent) {
      this.fail(now, "not-well-formed");
      return;
    }
    const to = header.to?.toLowerCase();
    const from = header.from?.toLowerCase();
    if (to !== undefined && !this.#owner.serves(to)) {
      this.sendHeader(header.to, header.from);
      this.fail(now, "host-unknown", `This server does not serve ${header.to}`);
      return;
    }
    this.#remote = from;
    this.#id = this.sendHeader(to, from);
    if (header.version !== "1.0") {
      this.fail(now, "unsupported-version");
      return;
    }
    this.send(this.#features());
  }

  #features(): Element {
    const frame = (...children: (Element | false)[]): Element =>
      xml("stream:features", { "xmlns:stream": NS.stream }, children);
    if (!this.tls) return frame(xml("starttls", { xmlns: NS.tls }, xml("required")));
    if (this.#external !== undefined) return frame();
    const external = this.#remote !== undefined && certifies(this.peerDomains, this.#remote);
    return frame(
      external && xml("mechanisms", { xmlns: NS.sasl }, xml("mechanism", {}, "EXTERNAL")),
      !this.#owner.certificatesRequired && xml("dialback", { xmlns: DIALBACK_FEATURE }, xml("errors")),
    );
  }

  protected onElement(now: Millis, element: Element): void {
    if (!this.headerSent) {
      this.fail(now, "bad-format");
      return;
    }
    if (is(element, "starttls", NS.tls)) {
      if (this.tls) {
        this.fail(now, "policy-violation", "TLS is on already");
        return;
      }
      this.send(xml("proceed", { xmlns: NS.tls }));
      this.federated.startTls(this.link, "server", "");
    } else if (!this.tls) this.fail(now, "policy-violation", "TLS is required");
    else if (element.getNS() === NS.sasl) this.#sasl(now, element);
    else if (element.getNS() === DIALBACK) this.#dialback(now, element);
    else if (isStanza(element)) this.#stanza(now, element);
    else this.fail(now, "unsupported-stanza-type");
  }

  protected onEnd(_now: Millis, _condition: StreamCondition | undefined): void {
    this.#owner.ended(this);
  }

  #sasl(now: Millis, element: Element): void {
    if (element.name !== "auth" || this.#external !== undefined) {
      this.fail(now, "not-authorized");
      return;
    }
    const failure = (condition: string): void => {
      this.federated.count(`s2s-sasl-${condition}`);
      this.send(xml("failure", { xmlns: NS.sasl }, xml(condition)));
      // RFC 6120 §6.4.5: a few tries, not all night.
      if (++this.#saslFailures >= MAX_SASL_FAILURES) this.fail(now, "policy-violation", "Too many failed logins");
    };
    if (attr(element, "mechanism") !== "EXTERNAL") {
      failure("invalid-mechanism");
      return;
    }
    const payload = text(element).trim();
    const authzid =
      payload === "" || payload === "=" ? this.#remote : Buffer.from(payload, "base64").toString("utf8").toLowerCase();
    if (authzid === undefined || !this.#owner.allows(authzid) || !certifies(this.peerDomains, authzid)) {
      failure("not-authorized");
      return;
    }
    this.#external = authzid;
    this.#remote = authzid;
    this.send(xml("success", { xmlns: NS.sasl }));
    this.framing.restart();
    this.headerSent = false;
    this.#owner.authenticated(now, this);
  }

  #dialback(now: Millis, element: Element): void {
    const from = domainOf(element, "from");
    const to = domainOf(element, "to");
    if (from === undefined || to === undefined || attr(element, "type") !== undefined) {
      this.fail(now, "improper-addressing");
      return;
    }
    if (element.getName() === "verify") {
      const id = attr(element, "id") ?? "";
      const valid = this.#owner.serves(to) && text(element).trim() === this.#owner.key(from, to, id);
      this.send(dialback("verify", { from: to, to: from, id, type: valid ? "valid" : "invalid" }));
      return;
    }
    if (element.getName() !== "result") {
      this.fail(now, "unsupported-stanza-type");
      return;
    }
    const attributes = { from: to, to: from };
    const pair = `${from} ${to}`;
    if (!this.#owner.serves(to)) this.send(dialbackError("result", attributes, "item-not-found"));
    else if (!this.#owner.allows(from) || this.#owner.serves(from) || this.#owner.certificatesRequired)
      this.send(dialbackError("result", attributes, "policy-violation"));
    else if (this.#asked.size + this.#pairs.size >= MAX_PAIRS)
      this.send(dialbackError("result", attributes, "resource-constraint"));
    else if (!this.#asked.has(pair)) {
      this.#asked.add(pair);
      this.#owner.verify(now, this, from, to, this.#id, text(element).trim());
    }
  }

  #stanza(now: Millis, element: Element): void {
    const from = parseJid(attr(element, "from"));
    const to = parseJid(attr(element, "to"));
    if (from === undefined || to === undefined) {
      this.fail(now, "improper-addressing");
      return;
    }
    const proven = from.domain === this.#external || this.#pairs.has(`${from.domain} ${to.domain}`);
    if (!proven) this.fail(now, this.proven ? "invalid-from" : "not-authorized");
    else if (!this.#owner.serves(to.domain)) this.fail(now, "host-unknown");
    else {
      element.attrs["xmlns"] = NS.client;
      this.#owner.stanza(now, element, from.domain);
    }
  }
}

const dialbackError = (name: "result" | "verify", attributes: Record<string, string>, condition: string): Element => {
  const element = dialback(name, { ...attributes, type: "error" });
  element.cnode(xml("error", { type: "cancel" }, xml(condition, { xmlns: NS.stanzas })));
  return element;
};
