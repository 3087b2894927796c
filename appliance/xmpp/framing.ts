/**
 * Where a stream's elements begin and end: RFC 6120 §4 over TCP, RFC 7395 over WebSocket. Both turn what arrives into the same events and
 * write what goes out; the byte rules for WebSocket are those of signaling.md 1.2.
 */
import { NS } from "../wire/namespaces.ts";
import { attr, type Element, xml } from "../wire/xml.ts";
import { type XmlEvent, type XmlLimits, XmlParser, type XmlProblem } from "./xml-parser.ts";

/** RFC 6120 §4.9.3. */
export type StreamCondition =
  | "bad-format"
  | "bad-namespace-prefix"
  | "conflict"
  | "connection-timeout"
  | "host-gone"
  | "host-unknown"
  | "improper-addressing"
  | "internal-server-error"
  | "invalid-from"
  | "invalid-namespace"
  | "invalid-xml"
  | "not-authorized"
  | "not-well-formed"
  | "policy-violation"
  | "remote-connection-failed"
  | "reset"
  | "resource-constraint"
  | "restricted-xml"
  | "see-other-host"
  | "system-shutdown"
  | "undefined-condition"
  | "unsupported-encoding"
  | "unsupported-feature"
  | "unsupported-stanza-type"
  | "unsupported-version";

export interface StreamHeader {
  readonly to: string | undefined;
  readonly from: string | undefined;
  readonly version: string | undefined;
  readonly id: string | undefined;
  readonly lang: string | undefined;
  /** Default namespace of the content; that of RFC 7395 has none and counts as jabber:client. */
  readonly namespace: string | undefined;
  /** XEP-0220: the stream declares the dialback namespace. */
  readonly dialback: boolean;
}

export type FramingEvent =
  | { readonly type: "open"; readonly header: StreamHeader }
  | { readonly type: "element"; readonly element: Element }
  | { readonly type: "close" }
  | { readonly type: "problem"; readonly condition: StreamCondition; readonly text?: string }
  /** The transport itself must be closed, without a word of XMPP (RFC 7395 §3.2, 3.3.3). */
  | { readonly type: "abort"; readonly code: number; readonly reason: string };

export interface OwnHeader {
  readonly namespace: string;
  readonly from: string | undefined;
  readonly to?: string | undefined;
  readonly id: string;
  readonly dialback?: boolean;
  /** 1.0 unless the peer has none (XEP-0114). */
  readonly version?: "1.0" | undefined;
}

export interface Framing {
  open(header: OwnHeader): string;
  element(element: Element): string;
  /** A stanza that was serialised before. */
  stanza(serialised: string): string;
  error(condition: StreamCondition, text: string | undefined): string;
  close(): string;
  /** The next thing to arrive is a new stream header (after TLS or SASL). */
  restart(): void;
  setLimits(limits: XmlLimits): void;
}

const CONDITION_OF: Readonly<Record<XmlProblem, { condition: StreamCondition; text?: string }>> = {
  "not-well-formed": { condition: "not-well-formed" },
  "restricted-xml": { condition: "restricted-xml" },
  "bad-namespace-prefix": { condition: "bad-namespace-prefix" },
  "text-in-stream": { condition: "bad-format" },
  "too-large": { condition: "policy-violation", text: "stanza too large" },
  "too-deep": { condition: "policy-violation", text: "stanza nested too deep" },
  "too-many-attributes": { condition: "policy-violation", text: "too many attributes" },
};

const problem = (which: XmlProblem): FramingEvent => ({ type: "problem", ...CONDITION_OF[which] });

export const streamError = (condition: StreamCondition, text: string | undefined): Element =>
  xml(
    "stream:error",
    { "xmlns:stream": NS.stream },
    xml(condition, { xmlns: NS.streams }),
    text !== undefined && xml("text", { xmlns: NS.streams, "xml:lang": "en" }, text),
  );

/** A stream over TCP: bytes in. */
export class TcpFraming implements Framing {
  #limits: XmlLimits;
  #parser: XmlParser;
  #decoder = newDecoder();
  #opened = false;

  constructor(limits: XmlLimits) {
    this.#limits = limits;
    this.#parser = new XmlParser("stream", limits);
  }

  receive(bytes: Uint8Array): FramingEvent[] {
    let text: string;
    try {
      text = this.#decoder.decode(bytes, { stream: true });
    } catch {
      // RFC 6120 §11.6: anything but UTF-8
      return [{ type: "problem", condition: this.#opened ? "not-well-formed" : "unsupported-encoding" }];
    }
    return this.#parser.write(text).map((event) => this.#event(event));
  }

  #event(event: XmlEvent): FramingEvent {
    switch (event.type) {
      case "open":
        this.#opened = true;
        return headerEvent(event.element);
      case "element":
        return event;
      case "close":
        return event;
      case "problem":
        return problem(event.problem);
    }
  }

  open(header: OwnHeader): string {
    // Built by hand: the tag stays open.
    const attributes = xml("x", {
      xmlns: header.namespace,
      "xmlns:stream": NS.stream,
      "xmlns:db": header.dialback === true ? "jabber:server:dialback" : undefined,
      from: header.from,
      to: header.to,
      id: header.id,
      version: header.version,
      "xml:lang": "en",
    }).toString();
    return `<?xml version='1.0'?><stream:stream${attributes.slice(2, -2)}>`;
  }

  element(element: Element): string {
    return element.toString();
  }

  stanza(serialised: string): string {
    return serialised;
  }

  error(condition: StreamCondition, text: string | undefined): string {
    return streamError(condition, text).toString();
  }

  close(): string {
    return "</stream:stream>";
  }

  restart(): void {
    this.#parser = new XmlParser("stream", this.#limits);
    this.#decoder = newDecoder();
    this.#opened = false;
  }

  setLimits(limits: XmlLimits): void {
    this.#limits = limits;
    this.#parser.setLimits(limits);
  }
}

/** A stream over WebSocket: one text message in, one frame per element out. */
export class WebSocketFraming implements Framing {
  #limits: XmlLimits;

  constructor(limits: XmlLimits) {
    this.#limits = limits;
  }

  receive(frame: string): FramingEvent[] {
    if (!frame.startsWith("<"))
      return [{ type: "abort", code: 1007, reason: "Invalid payload start character, RFC 7395 3.3.3" }];
    if (!frame.isWellFormed()) return [{ type: "problem", condition: "not-well-formed" }];
    const parser = new XmlParser("fragments", this.#limits);
    const events: FramingEvent[] = [];
    for (const event of parser.write(frame)) {
      if (event.type === "problem") {
        // COMPAT transcript ws-raw…: over WebSocket the original calls restricted XML not well-formed.
        events.push(event.problem === "restricted-xml" ? problem("not-well-formed") : problem(event.problem));
        return events;
      }
      if (event.type !== "element") continue;
      const { element } = event;
      if (element.getNS() !== NS.framing) events.push(event);
      else if (element.name === "open") events.push(headerEvent(element));
      else if (element.name === "close") events.push({ type: "close" });
      else events.push(event);
    }
    if (!parser.idle) events.push({ type: "problem", condition: "not-well-formed" });
    return events;
  }

  open(header: OwnHeader): string {
    return xml("open", {
      xmlns: NS.framing,
      from: header.from,
      to: header.to,
      id: header.id,
      version: header.version ?? "1.0",
      "xml:lang": "en",
    }).toString();
  }

  element(element: Element): string {
    return element.toString();
  }

  stanza(serialised: string): string {
    return serialised;
  }

  error(condition: StreamCondition, text: string | undefined): string {
    return streamError(condition, text).toString();
  }

  /** signaling.md 1.2 rule 7: exactly these bytes, or Strophe takes it for an unknown stanza. */
  close(): string {
    return '<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" />';
  }

  restart(): void {}

  setLimits(limits: XmlLimits): void {
    this.#limits = limits;
  }
}

const newDecoder = (): TextDecoder => new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

function headerEvent(element: Element): FramingEvent {
  if (element.getNS() === NS.framing) return { type: "open", header: header(element, NS.client) };
  if (element.getName() !== "stream") return { type: "problem", condition: "bad-format" };
  if (element.getNS() !== NS.stream) return { type: "problem", condition: "invalid-namespace" };
  if (element.name !== "stream:stream") return { type: "problem", condition: "bad-namespace-prefix" };
  return { type: "open", header: header(element, attr(element, "xmlns")) };
}

const header = (element: Element, namespace: string | undefined): StreamHeader => ({
  to: attr(element, "to"),
  from: attr(element, "from"),
  version: attr(element, "version"),
  id: attr(element, "id"),
  lang: attr(element, "xml:lang"),
  namespace,
  dialback: attr(element, "xmlns:db") === "jabber:server:dialback",
});
