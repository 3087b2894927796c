/**
 * The XML of a stream, piece by piece: text in, ltx elements out; the restricted XML of RFC 6120 §11.1 and nothing more.
 *
 * The tokenizer is ours and the elements are ltx's. ltx's own SAX parser (3.1.2) was tried first and is no gate against strangers: it skips
 * comments, processing instructions and DOCTYPEs, takes mismatched and unclosed tags, attributes without value or twice, "<" in attribute
 * values, undeclared prefixes, text outside the document, throws on unknown entities, and copies everything it kept at every write (a stanza
 * sent byte by byte costs its square). Here each of these is a problem by name, and work is linear in the bytes.
 *
 * Elements that come out stand alone: the namespace that a stanza inherits from the stream's root is written on it. `xmlns=""` counts as not
 * declared (as it does for ltx's getNS).
 */
import { Element } from "ltx";

export interface XmlLimits {
  /** Of one stanza, stream header or frame child, in UTF-16 code units of its source; 1 … */
  readonly elementSize: number;
  /** Levels of elements, the stanza itself counting 1. */
  readonly depth: number;
  /** Attributes of one element, namespace declarations included. */
  readonly attributes: number;
}

export type XmlProblem =
  | "not-well-formed"
  | "restricted-xml"
  | "bad-namespace-prefix"
  | "text-in-stream"
  | "too-large"
  | "too-deep"
  | "too-many-attributes";

export type XmlEvent =
  /** The document element of a stream; it never has children. */
  | { readonly type: "open"; readonly element: Element }
  | { readonly type: "element"; readonly element: Element }
  | { readonly type: "close" }
  | { readonly type: "problem"; readonly problem: XmlProblem };

type State = "text" | "tag" | "markup" | "cdata" | "declaration";

const NAME_START =
  "A-Z_a-z\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u02FF\\u0370-\\u037D\\u037F-\\u1FFF\\u200C\\u200D\\u2070-\\u218F\\u2C00-\\u2FEF\\u3001-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFFD\\u{10000}-\\u{EFFFF}";
const NAME_REST = `${NAME_START}0-9.\\-\\u00B7\\u0300-\\u036F\\u203F\\u2040`;
const QNAME = `[${NAME_START}][${NAME_REST}]*(?::[${NAME_START}][${NAME_REST}]*)?`;
const TAG_NAME = new RegExp(QNAME, "uy");
const ATTRIBUTE = new RegExp(`[ \\t\\r\\n]+(${QNAME})[ \\t\\r\\n]*=[ \\t\\r\\n]*(?:"([^"<]*)"|'([^'<]*)')`, "uy");
const TAG_END = /[ \t\r\n]*(\/?)$/y;
const WHITESPACE_ONLY = /^[ \t\r\n]*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the characters that XML 1.0 §2.2 forbids
const FORBIDDEN = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/;
const REFERENCE = /&(?:#([0-9]{1,7})|#x([0-9A-Fa-f]{1,6})|([A-Za-z_][\w.-]{0,63}));/y;
const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
const DECLARATION = /^\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*["']1\.0["'][^<>]*\?$/;
const MAX_DECLARATION = 128;
const XML_NS = "http://www.w3.org/XML/1998/namespace";
const XMLNS_NS = "http://www.w3.org/2000/xmlns/";

class Problem extends Error {
  constructor(readonly problem: XmlProblem) {
    super(problem);
  }
}

export class XmlParser {
  readonly #mode: "stream" | "fragments";
  #limits: XmlLimits;
  #state: State = "text";
  /** Pieces of the token that is being read; joined once, at its end. */
  #parts: string[] = [];
  /** Last characters of a CDATA section so far. */
  #tail = "";
  #quote = "";
  #size = 0;
  #atStart = true;
  #root: Element | undefined;
  #rootPrefixes: ReadonlyMap<string, string> = new Map();
  #current: Element | undefined;
  #depth = 0;
  /** Prefixes that the stanza uses and only the root declares. */
  #borrowed = new Set<string>();
  #dead = false;

  /** `stream`: a root element that stays open, its children come out one by one. `fragments`: every top element comes out (RFC 7395, BOSH). */
  constructor(mode: "stream" | "fragments", limits: XmlLimits) {
    this.#mode = mode;
    this.#limits = limits;
  }

  setLimits(limits: XmlLimits): void {
    this.#limits = limits;
  }

  /** True between documents: nothing begun is waiting for its end. */
  get idle(): boolean {
    return this.#state === "text" && this.#current === undefined && this.#parts.length === 0;
  }

  /** After a problem, or the end of the stream, every further write answers with nothing. */
  write(chunk: string): XmlEvent[] {
    const events: XmlEvent[] = [];
    if (this.#dead) return events;
    try {
      let at = 0;
      while (at < chunk.length && !this.#dead) at = this.#step(chunk, at, events);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.#dead = true;
      events.push({ type: "problem", problem: error.problem });
    }
    return events;
  }

  #step(chunk: string, at: number, events: XmlEvent[]): number {
    switch (this.#state) {
      case "text":
        return this.#text(chunk, at);
      case "tag":
        return this.#tag(chunk, at, events);
      case "markup":
        return this.#markup(chunk, at);
      case "cdata":
        return this.#cdata(chunk, at);
      case "declaration":
        return this.#declaration(chunk, at);
    }
  }

  #grow(length: number): void {
    this.#size += length;
    if (this.#size > this.#limits.elementSize) throw new Problem("too-large");
  }

  #text(chunk: string, at: number): number {
    const end = chunk.indexOf("<", at);
    const piece = chunk.slice(at, end === -1 ? chunk.length : end);
    if (piece !== "") {
      if (this.#current === undefined) {
        if (!WHITESPACE_ONLY.test(piece))
          throw new Problem(this.#mode === "stream" && this.#root !== undefined ? "text-in-stream" : "not-well-formed");
        this.#atStart = false;
      } else {
        this.#grow(piece.length);
        this.#parts.push(piece);
      }
    }
    if (end === -1) return chunk.length;
    if (this.#current !== undefined && this.#parts.length > 0) {
      const raw = this.#join();
      if (raw.includes("]]>")) throw new Problem("not-well-formed");
      this.#current.t(decode(raw).replace(/\r\n?/g, "\n"));
    }
    if (this.#current === undefined) this.#size = 0;
    this.#grow(1);
    this.#state = "tag";
    this.#quote = "";
    return end + 1;
  }

  #tag(chunk: string, at: number, events: XmlEvent[]): number {
    if (this.#parts.length === 0) {
      const first = chunk[at];
      if (first === "!") {
        this.#state = "markup";
        return at;
      }
      if (first === "?") {
        if (!this.#atStart || this.#root !== undefined || this.#current !== undefined)
          throw new Problem("restricted-xml");
        this.#state = "declaration";
        return at;
      }
    }
    let i = at;
    for (; i < chunk.length; i++) {
      const c = chunk[i];
      if (this.#quote !== "") {
        if (c === this.#quote) this.#quote = "";
        else if (c === "<") throw new Problem("not-well-formed");
      } else if (c === '"' || c === "'") this.#quote = c;
      else if (c === ">") break;
      else if (c === "<") throw new Problem("not-well-formed");
    }
    this.#grow(i - at + (i < chunk.length ? 1 : 0));
    if (i > at) this.#parts.push(chunk.slice(at, i));
    if (i === chunk.length) return i;
    this.#state = "text";
    this.#atStart = false;
    const source = this.#join();
    if (source.startsWith("/")) this.#endTag(source, events);
    else this.#startTag(source, events);
    return i + 1;
  }

  /** After "<!": only CDATA inside an element may come; comments and DOCTYPE are restricted XML. */
  #markup(chunk: string, at: number): number {
    const wanted = "![CDATA[";
    const have = this.#join();
    const take = chunk.slice(at, at + wanted.length - have.length);
    const all = have + take;
    this.#grow(take.length);
    if (!wanted.startsWith(all)) throw new Problem("restricted-xml");
    if (all === wanted) {
      if (this.#current === undefined) throw new Problem("not-well-formed");
      this.#state = "cdata";
      this.#tail = "";
    } else this.#parts.push(all);
    return at + take.length;
  }

  #cdata(chunk: string, at: number): number {
    // The end mark may be cut by a chunk: the last two characters are looked at again.
    const rest = chunk.slice(at);
    const found = (this.#tail + rest).indexOf("]]>");
    if (found === -1) {
      this.#grow(rest.length);
      this.#parts.push(rest);
      this.#tail = (this.#tail + rest).slice(-2);
      return chunk.length;
    }
    const end = at + found - this.#tail.length + 3;
    this.#tail = "";
    this.#grow(end - at);
    this.#parts.push(chunk.slice(at, end));
    const text = this.#join().slice(0, -3);
    if (FORBIDDEN.test(text)) throw new Problem("not-well-formed");
    if (text !== "") this.#current?.t(text.replace(/\r\n?/g, "\n"));
    this.#state = "text";
    return end;
  }

  #declaration(chunk: string, at: number): number {
    const end = chunk.indexOf(">", at);
    const piece = chunk.slice(at, end === -1 ? chunk.length : end);
    this.#grow(piece.length);
    if (this.#size > MAX_DECLARATION) throw new Problem("not-well-formed");
    this.#parts.push(piece);
    if (end === -1) return chunk.length;
    if (!DECLARATION.test(this.#join())) throw new Problem("restricted-xml");
    this.#state = "text";
    this.#atStart = false;
    return end + 1;
  }

  #startTag(source: string, events: XmlEvent[]): void {
    TAG_NAME.lastIndex = 0;
    const name = TAG_NAME.exec(source)?.[0];
    if (name === undefined) throw new Problem("not-well-formed");
    let at = name.length;
    const attributes: Record<string, string> = {};
    let count = 0;
    for (;;) {
      ATTRIBUTE.lastIndex = at;
      const match = ATTRIBUTE.exec(source);
      if (match === null) break;
      const key = match[1] ?? "";
      if (Object.hasOwn(attributes, key) || key === "__proto__") throw new Problem("not-well-formed");
      if (++count > this.#limits.attributes) throw new Problem("too-many-attributes");
      attributes[key] = decode((match[2] ?? match[3] ?? "").replace(/[\t\r\n]/g, " "));
      at = ATTRIBUTE.lastIndex;
    }
    TAG_END.lastIndex = at;
    const end = TAG_END.exec(source);
    if (end === null) throw new Problem("not-well-formed");
    const element = new Element(name, attributes);
    const top = this.#current === undefined;
    if (this.#mode === "stream" && this.#root === undefined) {
      this.#checkNamespaces(element);
      this.#root = element;
      this.#rootPrefixes = new Map(
        Object.keys(attributes)
          .filter((key) => key.startsWith("xmlns:"))
          .map((key) => [key.slice(6), attributes[key] ?? ""]),
      );
      events.push({ type: "open", element });
      if (end[1] === "/") {
        events.push({ type: "close" });
        this.#dead = true;
      }
      return;
    }
    if (++this.#depth > this.#limits.depth) throw new Problem("too-deep");
    if (this.#current !== undefined) this.#current.cnode(element);
    else this.#borrowed = new Set();
    this.#checkNamespaces(element);
    this.#current = element;
    if (end[1] === "/") this.#finish(events);
    else if (top) this.#parts = [];
  }

  #endTag(source: string, events: XmlEvent[]): void {
    const name = source.slice(1).replace(/[ \t\r\n]+$/, "");
    if (this.#current === undefined) {
      if (this.#mode !== "stream" || this.#root?.name !== name) throw new Problem("not-well-formed");
      events.push({ type: "close" });
      this.#dead = true;
      return;
    }
    if (this.#current.name !== name) throw new Problem("not-well-formed");
    this.#finish(events);
  }

  #finish(events: XmlEvent[]): void {
    const element = this.#current;
    if (element === undefined) return;
    this.#depth--;
    if (element.parent !== null) {
      this.#current = element.parent;
      return;
    }
    this.#current = undefined;
    this.#size = 0;
    if (this.#root !== undefined) {
      const inherited = this.#root.attrs["xmlns"];
      if (!element.attrs["xmlns"] && inherited !== undefined) element.attrs["xmlns"] = inherited;
      for (const prefix of this.#borrowed) element.attrs[`xmlns:${prefix}`] ??= this.#rootPrefixes.get(prefix);
    }
    events.push({ type: "element", element });
  }

  #checkNamespaces(element: Element): void {
    for (const [key, value] of Object.entries(element.attrs)) {
      if (key === "xmlns:xmlns" || (key === "xmlns:xml" && value !== XML_NS)) throw new Problem("bad-namespace-prefix");
      if (key.startsWith("xmlns:")) {
        if (value === "" || value === XMLNS_NS) throw new Problem("bad-namespace-prefix");
      } else if (key.includes(":")) this.#resolve(element, key.slice(0, key.indexOf(":")));
    }
    const colon = element.name.indexOf(":");
    if (colon !== -1) this.#resolve(element, element.name.slice(0, colon));
  }

  #resolve(element: Element, prefix: string): void {
    if (prefix === "xml" || element.findNS(prefix) !== undefined) return;
    if (!this.#rootPrefixes.has(prefix)) throw new Problem("bad-namespace-prefix");
    this.#borrowed.add(prefix);
  }

  #join(): string {
    const all = this.#parts.length === 1 ? (this.#parts[0] ?? "") : this.#parts.join("");
    this.#parts = [];
    return all;
  }
}

/** References resolved, XML 1.0 §4.6 and §4.1; anything that a DTD would have to declare is restricted XML. */
function decode(raw: string): string {
  if (FORBIDDEN.test(raw)) throw new Problem("not-well-formed");
  let at = raw.indexOf("&");
  if (at === -1) return raw;
  let out = "";
  let from = 0;
  while (at !== -1) {
    REFERENCE.lastIndex = at;
    const match = REFERENCE.exec(raw);
    if (match === null) throw new Problem("not-well-formed");
    let value: string | undefined;
    if (match[3] !== undefined) {
      value = Object.hasOwn(ENTITIES, match[3]) ? ENTITIES[match[3]] : undefined;
      if (value === undefined) throw new Problem("restricted-xml");
    } else
      value = character(match[1] !== undefined ? Number.parseInt(match[1], 10) : Number.parseInt(match[2] ?? "", 16));
    out += raw.slice(from, at) + value;
    from = REFERENCE.lastIndex;
    at = raw.indexOf("&", from);
  }
  return out + raw.slice(from);
}

function character(code: number): string {
  const legal =
    code === 0x9 ||
    code === 0xa ||
    code === 0xd ||
    (code >= 0x20 && code <= 0xd7ff) ||
    (code >= 0xe000 && code <= 0xfffd) ||
    (code >= 0x10000 && code <= 0x10ffff);
  if (!legal) throw new Problem("not-well-formed");
  return String.fromCodePoint(code);
}
