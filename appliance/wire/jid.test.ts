import { expect, test } from "bun:test";
import { jidText, parseJid } from "./jid.ts";

// RFC 7622 §3.5, tables 1 and 2, as far as the header of jid.ts says we go.
const valid: [string, string][] = [
  ["juliet@example.com", "juliet@example.com"],
  ["juliet@example.com/foo", "juliet@example.com/foo"],
  ["juliet@example.com/foo bar", "juliet@example.com/foo bar"],
  ["juliet@example.com/foo@bar", "juliet@example.com/foo@bar"],
  ["foo\\20bar@example.com", "foo\\20bar@example.com"],
  ["fussball@example.com", "fussball@example.com"],
  ["fu\u00DFball@example.com", "fu\u00DFball@example.com"],
  ["\u03C0@example.com", "\u03C0@example.com"],
  ["\u03A3@example.com/foo", "\u03C3@example.com/foo"],
  ["king@example.com/\u265A", "king@example.com/\u265A"],
  ["example.com", "example.com"],
  ["example.com/foobar", "example.com/foobar"],
  ["a.example.com/b@example.net", "a.example.com/b@example.net"],
  ["Room@Muc.Meet.Test/Ab", "room@muc.meet.test/Ab"],
  ["meet.test.", "meet.test"],
];
test.each(valid)("%s is an address", (source, canonical) => {
  const parsed = parseJid(source);
  expect(parsed && jidText(parsed)).toBe(canonical);
});

const invalid = [
  '"juliet"@example.com',
  "foo bar@example.com",
  "juliet@example.com/",
  "@example.com",
  "juliet@",
  "henry@/rr",
  "",
  "/foo",
  "a<b@example.com",
  `${"a".repeat(1024)}@example.com`,
  `${"\u00E9".repeat(600)}@example.com`,
  "x@example.com/\u0000",
  "a@b@c",
];
test.each(invalid)("%p is none", (source) => expect(parseJid(source)).toBeUndefined());
