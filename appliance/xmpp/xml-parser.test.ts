import { describe, expect, test } from "bun:test";
import type { Element } from "ltx";
import { type XmlEvent, type XmlLimits, XmlParser, type XmlProblem } from "./xml-parser.ts";

const LIMITS: XmlLimits = { elementSize: 10_000, depth: 8, attributes: 6 };
const HEAD = "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";

const fragments = (source: string): XmlEvent[] => new XmlParser("fragments", LIMITS).write(source);
const stream = (source: string): XmlEvent[] => new XmlParser("stream", LIMITS).write(source);
const element = (source: string): Element => {
  const events = fragments(source);
  const only = events[0];
  if (events.length !== 1 || only?.type !== "element") throw new Error(JSON.stringify(events.map((each) => each.type)));
  return only.element;
};
const problem = (events: XmlEvent[]): XmlProblem | undefined => {
  const last = events.at(-1);
  return last?.type === "problem" ? last.problem : undefined;
};

describe("what is accepted", () => {
  test("references, CDATA, attributes in either quotes, normalised ends of lines", () => {
    const parsed = element(
      `<a b='1 &lt; "2"' c = "x&#x41;&#66;\ty"  >t&amp;&apos;&quot;&gt;\r\n<![CDATA[<b>&amp;]]]>u</a >`,
    );
    expect(parsed.attrs).toEqual({ b: '1 < "2"', c: "xAB y" });
    expect(parsed.getText()).toBe(`t&'">\n<b>&amp;]u`);
  });
  test("names with prefixes, dots, dashes, other scripts", () => {
    expect(element("<x:a-b.c xmlns:x='urn:x' x:é='1'><größe/></x:a-b.c>").getNS()).toBe("urn:x");
  });
  test("an XML declaration in front, once", () => {
    expect(fragments(`<?xml version="1.0" encoding='UTF-8'?><a/>`).map((each) => each.type)).toEqual(["element"]);
    expect(problem(fragments(`<a/><?xml version="1.0"?>`))).toBe("restricted-xml");
  });
  test("several fragments, with white space between", () => {
    expect(fragments("<a/> \n<b>x</b>").map((each) => each.type)).toEqual(["element", "element"]);
  });
  test("a stream: header, stanzas that stand alone with their namespace, end", () => {
    const events = stream(
      `<?xml version='1.0'?>${HEAD} <message><body>x</body></message>\n<stream:features/><q xmlns='urn:q'/></stream:stream>`,
    );
    expect(events.map((each) => each.type)).toEqual(["open", "element", "element", "element", "close"]);
    const [, message, features, other] = events.map((each) => ("element" in each ? each.element : undefined));
    expect(message?.toString()).toBe('<message xmlns="jabber:client"><body>x</body></message>');
    expect(message?.parent).toBeNull();
    expect(features?.getNS()).toBe("http://etherx.jabber.org/streams");
    expect(features?.attrs["xmlns:stream"]).toBe("http://etherx.jabber.org/streams");
    expect(other?.getNS()).toBe("urn:q");
  });
});

const REFUSED: readonly (readonly [string, XmlProblem])[] = [
  ["<a></b>", "not-well-formed"],
  ["<a><b></a></b>", "not-well-formed"],
  ["</a>", "not-well-formed"],
  ["<a b></a>", "not-well-formed"],
  ["<a b=1/>", "not-well-formed"],
  ["<a b='1'c='2'/>", "not-well-formed"],
  ["<a b='1' b='2'/>", "not-well-formed"],
  ["<a b='<'/>", "not-well-formed"],
  ["<a <b/>", "not-well-formed"],
  ["< a/>", "not-well-formed"],
  ["<1a/>", "not-well-formed"],
  ["<a:b:c xmlns:a='x'/>", "not-well-formed"],
  ["<a/ >", "not-well-formed"],
  ["<a / b='1'>", "not-well-formed"],
  ["<>", "not-well-formed"],
  ["x<a/>", "not-well-formed"],
  ["<a/>x<a/>", "not-well-formed"],
  ["<a>]]></a>", "not-well-formed"],
  ["<a>&</a>", "not-well-formed"],
  ["<a>& amp;</a>", "not-well-formed"],
  ["<a>&#0;</a>", "not-well-formed"],
  ["<a>&#xD800;</a>", "not-well-formed"],
  ["<a>&#1114112;</a>", "not-well-formed"],
  ["<a>&#xFFFFFFFFFF;</a>", "not-well-formed"],
  ["<a>\u0001</a>", "not-well-formed"],
  ["<a b='\u0000'/>", "not-well-formed"],
  ["<a>\uFFFF</a>", "not-well-formed"],
  ["<![CDATA[x]]>", "not-well-formed"],
  ["<a __proto__='1'/>", "not-well-formed"],
  ["<a>&nbsp;</a>", "restricted-xml"],
  ["<a>&constructor;</a>", "restricted-xml"],
  ["<!-- x -->", "restricted-xml"],
  ["<a><!-- x --></a>", "restricted-xml"],
  ["<?pi x?>", "restricted-xml"],
  ["<a><?xml version='1.0'?></a>", "restricted-xml"],
  ["<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>", "restricted-xml"],
  ["<a><!ELEMENT b></a>", "restricted-xml"],
  ["<p:a/>", "bad-namespace-prefix"],
  ["<a p:b='1'/>", "bad-namespace-prefix"],
  ["<a xmlns:p=''/>", "bad-namespace-prefix"],
  ["<a xmlns:xmlns='x'/>", "bad-namespace-prefix"],
  ["<a xmlns:xml='x'/>", "bad-namespace-prefix"],
  ["<a><b xmlns:p='x'/><p:c/></a>", "bad-namespace-prefix"],
  ["<a>".repeat(9), "too-deep"],
  ["<a a='' b='' c='' d='' e='' f='' g=''/>", "too-many-attributes"],
  [`<a>${"x".repeat(10_000)}</a>`, "too-large"],
  [`<a b='${"x".repeat(10_000)}`, "too-large"],
  [`<a><![CDATA[${"x".repeat(10_000)}`, "too-large"],
  [`<${"a".repeat(10_000)}`, "too-large"],
];

describe("what is refused", () => {
  for (const [source, expected] of REFUSED)
    test(`${source.slice(0, 50)} is ${expected}`, () => {
      expect(problem(fragments(source))).toBe(expected);
      const parser = new XmlParser("fragments", LIMITS);
      let found: XmlProblem | undefined;
      for (const character of source) found ??= problem(parser.write(character));
      expect(found).toBe(expected); // the same when it comes in pieces
      expect(parser.write("<a/>")).toEqual([]);
    });
  test("text between stanzas", () => {
    expect(problem(stream(`${HEAD}text<a/>`))).toBe("text-in-stream");
  });
  test("a stanza bigger than allowed, and not the stream of small ones", () => {
    const parser = new XmlParser("stream", LIMITS);
    parser.write(HEAD);
    for (let i = 0; i < 100; i++) expect(problem(parser.write(`<a>${"x".repeat(900)}</a> `))).toBeUndefined();
    expect(problem(parser.write(`<a>${"<b/>".repeat(3_000)}`))).toBe("too-large");
  });
});

test("a stanza of 200 kB that comes byte by byte costs about as much as bytes, not their square", () => {
  const parser = new XmlParser("fragments", { elementSize: 300_000, depth: 8, attributes: 8 });
  const source = `<a b='${"y".repeat(50_000)}'>${"x".repeat(100_000)}<![CDATA[${"z".repeat(50_000)}]]></a>`;
  let events = 0;
  for (let i = 0; i < source.length; i++) events += parser.write(source.charAt(i)).length;
  expect(events).toBe(1);
});

const show = (event: XmlEvent): string =>
  "element" in event ? `${event.type} ${event.element}` : event.type === "problem" ? event.problem : event.type;

/** Numbers that follow from the seed (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

describe("properties", () => {
  const seed = Number(process.env["SEED"] ?? 20260821);
  const PIECES = [
    "<",
    ">",
    "/",
    "a",
    "b:c",
    " ",
    "=",
    "'",
    '"',
    "&",
    "amp;",
    "#x41;",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<?xml",
    "?>",
    "xmlns='u'",
    "xmlns:b='u'",
    "é",
    "\u{1F600}",
    "\u0000",
    "</a>",
    "<a>",
    "\n",
  ];

  test(`never throws and ends, whatever comes in whatever pieces (seed ${seed})`, () => {
    const random = numbers(seed);
    for (let round = 0; round < 3_000; round++) {
      const mode = random() < 0.5 ? "stream" : "fragments";
      const parser = new XmlParser(mode, LIMITS);
      const source =
        (random() < 0.5 ? HEAD : "") +
        Array.from(
          { length: Math.floor(random() * 30) },
          () => PIECES[Math.floor(random() * PIECES.length)] ?? "",
        ).join("");
      const whole = new XmlParser(mode, LIMITS).write(source).map(show);
      const parts: string[] = [];
      for (let at = 0; at < source.length; ) {
        const size = 1 + Math.floor(random() * 7);
        parts.push(...parser.write(source.slice(at, at + size)).map(show));
        at += size;
      }
      expect([source, ...parts]).toEqual([source, ...whole]);
    }
  });

  test(`what is written is read back the same (seed ${seed})`, () => {
    const random = numbers(seed);
    const word = (): string =>
      Array.from(
        { length: 1 + Math.floor(random() * 6) },
        () => "ab<>&'\"é\u{1F600} ]x"[Math.floor(random() * 12)] ?? "x",
      ).join("");
    const build = (depth: number): string => {
      const name = random() < 0.5 ? "a" : "b";
      const kids = depth > 5 ? "" : Array.from({ length: Math.floor(random() * 3) }, () => build(depth + 1)).join("");
      const escaped = word()
        .replaceAll("&", "&amp;")
        .replaceAll("<", "&lt;")
        .replaceAll(">", "&gt;")
        .replaceAll('"', "&quot;");
      return `<${name} k="${escaped}">${escaped}${kids}</${name}>`;
    };
    for (let round = 0; round < 300; round++) {
      const first = element(build(1));
      expect(element(first.toString()).toString()).toBe(first.toString());
    }
  });
});
