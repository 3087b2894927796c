/**
 * A stream that we open to another server, for one pair of domains: TLS, then SASL EXTERNAL if offered, else (or when that is refused) dialback.
 * Stanzas wait until it is proven; bounded, and answered with an error when it fails. The same stream carries a dialback inquiry (db:verify),
 * which needs TLS and a header but no proof.
 */
import type { Millis } from "../time.ts";
import { NS } from "../wire/namespaces.ts";
import type { StanzaError } from "../wire/stanza.ts";
import { attr, children, type Element, is, text, xml } from "../wire/xml.ts";
import type { StreamCondition, StreamHeader, TcpFraming } from "./framing.ts";
import {
  certifies,
  DIALBACK,
  DIALBACK_FEATURE,
  dialback,
  type Federated,
  ServerStream,
  toServerNamespace,
} from "./s2s-link.ts";
import type { LinkId } from "./server-io.ts";

export interface OutboundOwner extends Federated {
  proven(now: Millis, stream: OutboundStream): void;
  /** These stanzas did not get there. */
  undelivered(now: Millis, stanzas: readonly Element[], error: StanzaError): void;
  inquiryAnswered(now: Millis, id: string, valid: boolean | undefined): void;
  ended(stream: OutboundStream): void;
  readonly certificatesRequired: boolean;
}

export interface Inquiry {
  /** Ours, unique; not on the wire. */
  readonly id: string;
  readonly streamId: string;
  readonly key: string;
}

const MAX_WAITING = 200;
const MAX_WAITING_SIZE = 1024 * 1024;

export class OutboundStream extends ServerStream {
  readonly #owner: OutboundOwner;
  #waiting: { readonly stanza: Element; readonly size: number }[] = [];
  #size = 0;
  #inquiries: Inquiry[] = [];
  #asked: Inquiry[] = [];
  #state: "connecting" | "header" | "features" | "external" | "dialback" | "proven" = "connecting";
  #peerId = "";
  #offersExternal = false;
  #offersDialback = false;
  #externalTried = false;
  #authenticated = false;
  /** It must be proven: there are, or were, stanzas for it. */
  #wanted = false;

  constructor(
    link: LinkId,
    framing: TcpFraming,
    owner: OutboundOwner,
    readonly local: string,
    readonly remote: string,
  ) {
    super(link, framing, owner);
    this.#owner = owner;
  }

  get isProven(): boolean {
    return this.#state === "proven";
  }

  /** False: too many wait already. */
  offer(stanza: Element): boolean {
    if (this.#state === "proven") {
      this.federated.write(this.link, toServerNamespace(stanza));
      return true;
    }
    const size = stanza.toString().length;
    if (this.#waiting.length >= MAX_WAITING || this.#size + size > MAX_WAITING_SIZE) return false;
    this.#waiting.push({ stanza, size });
    this.#size += size;
    if (!this.#wanted) {
      this.#wanted = true;
      if (this.#state === "features") this.#prove();
    }
    return true;
  }

  inquire(inquiry: Inquiry): void {
    if (this.#state === "connecting" || this.#state === "header") this.#inquiries.push(inquiry);
    else this.#ask(inquiry);
  }

  connected(): void {
    this.#state = "header";
    this.sendHeader(this.local, this.remote);
  }

  /** The connection could not be made, or broke. */
  lost(now: Millis): void {
    this.closed = true;
    this.#giveUp(
      now,
      this.#state === "connecting" ? { condition: "remote-server-not-found" } : { condition: "remote-server-timeout" },
    );
    this.#owner.ended(this);
  }

  timedOut(now: Millis): void {
    this.#giveUp(now, { condition: "remote-server-timeout" });
    if (this.#state === "connecting") {
      this.closed = true;
      this.federated.close(this.link, true);
      this.#owner.ended(this);
    } else this.fail(now, "connection-timeout");
  }

  protected onTls(now: Millis): void {
    if (this.#owner.certificatesRequired && !certifies(this.peerDomains, this.remote)) {
      this.sendHeader(this.local, this.remote);
      this.fail(now, "not-authorized", "Your certificate is not good for that name");
      return;
    }
    this.#state = "header";
    this.sendHeader(this.local, this.remote);
  }

  protected onHeader(_now: Millis, header: StreamHeader): void {
    this.#peerId = header.id ?? "";
  }

  protected onElement(now: Millis, element: Element): void {
    if (element.getName() === "features" && element.getNS() === NS.stream) this.#features(now, element);
    else if (element.getName() === "error" && element.getNS() === NS.stream) {
      this.federated.count("s2s-peer-error");
      this.#giveUp(now, { condition: "remote-server-not-found" });
      this.finish(now);
    } else if (is(element, "proceed", NS.tls) && !this.tls) this.federated.startTls(this.link, "client", this.remote);
    else if (element.getNS() === NS.sasl && this.#state === "external") this.#sasl(element);
    else if (element.getNS() === DIALBACK) this.#dialback(now, element);
    else if (is(element, "failure", NS.tls)) this.fail(now, "policy-violation", "TLS is required");
    else this.fail(now, "unsupported-stanza-type");
  }

  protected onEnd(now: Millis, _condition: StreamCondition | undefined): void {
    this.#giveUp(now, { condition: "remote-server-timeout" });
    this.#owner.ended(this);
  }

  #features(now: Millis, features: Element): void {
    if (!this.tls) {
      if (features.getChild("starttls", NS.tls) === undefined) {
        this.fail(now, "policy-violation", "TLS is required");
        return;
      }
      this.send(xml("starttls", { xmlns: NS.tls }));
      return;
    }
    if (this.#authenticated) {
      this.#done(now);
      return;
    }
    const mechanisms = features.getChild("mechanisms", NS.sasl);
    this.#offersExternal =
      mechanisms !== undefined && children(mechanisms, "mechanism").some((each) => text(each) === "EXTERNAL");
    this.#offersDialback = features.getChild("dialback", DIALBACK_FEATURE) !== undefined || mechanisms === undefined;
    this.#state = "features";
    for (const inquiry of this.#inquiries.splice(0)) this.#ask(inquiry);
    if (this.#wanted) this.#prove();
  }

  #prove(): void {
    if (this.#offersExternal && !this.#externalTried) {
      this.#externalTried = true;
      this.#state = "external";
      this.send(xml("auth", { xmlns: NS.sasl, mechanism: "EXTERNAL" }, Buffer.from(this.local).toString("base64")));
    } else this.#startDialback();
  }

  #startDialback(): void {
    // COMPAT Prosody takes dialback without announcing it when it offered EXTERNAL and refused it.
    this.#state = "dialback";
    if (!this.#offersDialback) this.federated.count("s2s-dialback-not-announced");
    this.send(
      dialback("result", { from: this.local, to: this.remote }, this.#owner.key(this.remote, this.local, this.#peerId)),
    );
  }

  #sasl(element: Element): void {
    if (element.name === "success") {
      this.#authenticated = true;
      this.#state = "header";
      this.framing.restart();
      this.sendHeader(this.local, this.remote);
    } else this.#startDialback();
  }

  #dialback(now: Millis, element: Element): void {
    const type = attr(element, "type");
    if (element.getName() === "verify") {
      const id = attr(element, "id");
      const at = this.#asked.findIndex((each) => each.streamId === id);
      const [inquiry] = at === -1 ? [] : this.#asked.splice(at, 1);
      if (inquiry !== undefined)
        this.#owner.inquiryAnswered(now, inquiry.id, type === "error" ? undefined : type === "valid");
      return;
    }
    if (element.getName() !== "result" || this.#state !== "dialback") return;
    if (type === "valid") this.#done(now);
    else {
      this.federated.count("s2s-dialback-refused");
      this.#giveUp(now, { condition: "remote-server-not-found" });
      this.finish(now);
    }
  }

  #ask(inquiry: Inquiry): void {
    this.#asked.push(inquiry);
    this.send(dialback("verify", { from: this.local, to: this.remote, id: inquiry.streamId }, inquiry.key));
  }

  #done(now: Millis): void {
    this.#state = "proven";
    const waiting = this.#waiting.splice(0);
    this.#size = 0;
    for (const { stanza } of waiting) this.federated.write(this.link, toServerNamespace(stanza));
    this.#owner.proven(now, this);
  }

  #giveUp(now: Millis, error: StanzaError): void {
    const waiting = this.#waiting.splice(0);
    this.#size = 0;
    for (const inquiry of [...this.#inquiries.splice(0), ...this.#asked.splice(0)])
      this.#owner.inquiryAnswered(now, inquiry.id, undefined);
    if (waiting.length > 0)
      this.#owner.undelivered(
        now,
        waiting.map(({ stanza }) => stanza),
        error,
      );
  }
}
