/**
 * The receiving half of an XMPP stream over TCP (RFC 6120 §4): text in, the opening tag, whole first-level elements and the closing tag out.
 * ltx's tokenizer does the lexing; size and depth are bounded here. It declines what a stream may not carry anyway: DTDs, comments' contents, processing instructions.
 */
import SaxLtx from "ltx/src/parsers/ltx.js";
import { Element } from "./wire/xml.ts";

export type StreamEvent =
  | { readonly kind: "open"; readonly header: Element }
  | { readonly kind: "element"; readonly element: Element }
  | { readonly kind: "close" }
  /** The stream is of no use any more: the caller ends the connection. */
  | { readonly kind: "fault"; readonly reason: string };

export interface StreamParserLimits {
  /** UTF-16 code units of one first-level element. */
  readonly stanzaLength: number;
  /** Levels below the stream's root. */
  readonly depth: number;
}

export class XmppStreamParser {
  readonly #limits: StreamParserLimits;
  readonly #sax = new SaxLtx();
  #events: StreamEvent[] = [];
  #root: Element | undefined;
  /** The first-level element being built, and the innermost open one. */
  #cursor: Element | undefined;
  #depth = 0;
  /** Code units written since the last first-level element ended. */
  #pending = 0;
  #dead = false;
  /** The end of the last chunk, where it might be the beginning of `?>`, `]]>` or `-->`: ltx 3.1 does not recognise them across a cut. */
  #held = "";

  constructor(limits: StreamParserLimits) {
    this.#limits = limits;
    this.#sax.on("startElement", (name, attributes) => this.#start(name, attributes));
    this.#sax.on("endElement", (name) => this.#end(name));
    this.#sax.on("text", (text) => {
      if (this.#cursor !== undefined) this.#cursor.t(text);
    });
    this.#sax.on("error", (error) => this.#fault(error.message));
  }

  /** Never throws; after a fault everything is ignored. */
  write(text: string): StreamEvent[] {
    this.#events = [];
    if (this.#dead) return [];
    if (this.#cursor !== undefined || text.trim() !== "") this.#pending += text.length; // white space keeps the connection alive
    try {
      const all = this.#held + text;
      this.#held = /(?:\?|-{1,2}|\]{1,2})$/.exec(all)?.[0] ?? "";
      this.#sax.write(this.#held === "" ? all : all.slice(0, -this.#held.length));
    } catch (error) {
      this.#fault(error instanceof Error ? error.message : "not well-formed"); // ltx throws on unknown entities
    }
    if (this.#pending > this.#limits.stanzaLength) this.#fault("stanza too long");
    return this.#events;
  }

  #start(name: string, attributes: Record<string, string>): void {
    if (this.#dead) return;
    const element = new Element(name, attributes);
    if (this.#root === undefined) {
      this.#root = element;
      this.#pending = 0;
      this.#events.push({ kind: "open", header: element });
      return;
    }
    if (++this.#depth > this.#limits.depth) {
      this.#fault("stanza too deep");
      return;
    }
    if (this.#cursor === undefined) element.parent = this.#root;
    else this.#cursor.cnode(element);
    this.#cursor = element;
  }

  #end(name: string): void {
    if (this.#dead) return;
    const cursor = this.#cursor;
    if (cursor === undefined) {
      if (this.#root === undefined || name !== this.#root.name) this.#fault("unexpected end tag");
      else this.#events.push({ kind: "close" });
      return;
    }
    if (cursor.name !== name) {
      this.#fault("mismatched end tag");
      return;
    }
    this.#depth--;
    if (this.#depth > 0) {
      this.#cursor = cursor.parent ?? undefined;
      return;
    }
    this.#cursor = undefined;
    this.#pending = 0;
    this.#events.push({ kind: "element", element: detached(cursor) });
  }

  #fault(reason: string): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#events.push({ kind: "fault", reason });
  }
}

/** The element on its own: the namespaces that it inherits from the stream header are written onto it. */
function detached(element: Element): Element {
  const colon = element.name.indexOf(":");
  if (colon !== -1) {
    const prefix = element.name.slice(0, colon);
    const namespace = element.findNS(prefix);
    if (namespace !== undefined) element.attrs[`xmlns:${prefix}`] = namespace;
  }
  const namespace = element.findNS();
  if (namespace !== undefined && element.attrs.xmlns === undefined) element.attrs.xmlns = namespace;
  element.parent = null;
  return element;
}
