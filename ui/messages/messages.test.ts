import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { chooseLanguage, LANGUAGES, type MessageId, message } from "./messages.ts";

const CLIENT = join(import.meta.dir, "../client");
const sources = (folder: string): readonly string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory()
      ? sources(join(folder, entry.name))
      : /\.tsx?$/.test(entry.name) && !entry.name.endsWith(".test.ts") && entry.name !== "fixture.tsx"
        ? [join(folder, entry.name)]
        : [],
  );

describe("texts", () => {
  test("no string outside the message files (W75): no words between tags, none in labels", () => {
    const found: string[] = [];
    for (const path of sources(CLIENT).filter((each) => each.endsWith(".tsx"))) {
      const code = readFileSync(path, "utf8").replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
      for (const match of code.matchAll(/<\w[^<>{}]*>\s*([A-Za-z][A-Za-z ,.'-]{2,})\s*<\//g))
        found.push(`${path}: ${match[1]}`);
      for (const match of code.matchAll(/(?:aria-label|title|placeholder|alt)="([^"]+)"/g))
        found.push(`${path}: ${match[1]}`);
    }
    expect(found).toEqual([]);
  });

  test("every language has every text, and none is empty", () => {
    const keys = Object.keys(LANGUAGES["en"]?.messages ?? {}) as MessageId[];
    expect(keys.length).toBeGreaterThan(200);
    for (const [code, { messages }] of Object.entries(LANGUAGES))
      for (const key of keys) {
        const text = message(messages, key, "A", "B");
        expect(`${code} ${key} ${text.trim() === "" ? "empty" : "ok"}`).toBe(`${code} ${key} ok`);
        expect(text).not.toContain("undefined");
      }
  });

  test("the voice: no exclamation marks, no please, no oops, no protocol words", () => {
    for (const { messages } of Object.values(LANGUAGES))
      for (const key of Object.keys(messages) as MessageId[]) {
        const text = message(messages, key, "", "");
        expect(text).not.toMatch(/!|\bplease\b|\boops\b|\bbitte\b|\b(ICE|TLS|WebSocket|XMPP|JVB)\b/i);
      }
  });

  test("numbers take their plural", () => {
    const english = LANGUAGES["en"]?.messages;
    if (english === undefined) throw new Error("no English");
    expect(message(english, "meeting.people", 1)).toBe("1 person");
    expect(message(english, "meeting.people", 2)).toBe("2 people");
    expect(message(english, "time.hours", 1, 2)).toBe("1 hour 2 minutes");
  });

  test("a language is chosen by wish, then by the browser, else English", () => {
    expect(chooseLanguage("", ["en-GB"])).toBe("en");
    expect(chooseLanguage("xx", ["yy", "zz"])).toBe("en");
    expect(chooseLanguage("en", ["de"])).toBe("en");
    expect(chooseLanguage("", ["fr", "de-CH"])).toBe("de");
  });
});
