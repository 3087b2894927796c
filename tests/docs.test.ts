/**
 * The documentation holds: configuration shown in it is accepted, files and options it names exist.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { isKey, keys } from "../appliance/config/options.ts";
import { parseConfig } from "../appliance/config/read.ts";

const root = resolve(import.meta.dir, "..");
const pages = [
  "README.md",
  "ARCHITECTURE.md",
  "CHANGELOG.md",
  ...readdirSync(join(root, "docs")).map((name) => join("docs", name)),
];

const read = (name: string): string => readFileSync(join(root, name), "utf8");

/** Indented blocks that are TOML: they begin with a table or a comment and then a table. */
const tomlBlocks = (text: string): string[] =>
  [...text.matchAll(/(?:^ {4}.*\n|^\s*\n(?= {4}))+/gm)]
    .map(([block]) => block.replaceAll(/^ {4}/gm, ""))
    .flatMap((block) => block.split(/^ *(?:parley|prosodyctl|curl|\.\/).*$/m))
    .filter((block) =>
      /^\s*(#[^\n]*\n)?\s*\[\[?(box|start|listen|domains|xmpp|server|focus|bridge|gateway)/.test(block),
    );

test("configuration in the documentation is accepted", () => {
  let blocks = 0;
  for (const page of pages)
    for (const block of tomlBlocks(read(page))) {
      blocks++;
      const result = parseConfig(block.replaceAll(/"file:[^"]*"|"…"/g, '"some-secret"'));
      expect([page, result.ok ? [] : result.faults]).toEqual([page, []]);
    }
  expect(blocks).toBeGreaterThan(10);
});

describe("names of options", () => {
  const sections = new Set(keys.map((key) => key.slice(0, key.indexOf("."))));
  for (const page of pages.filter((name) => name.startsWith("docs")))
    test(page, () => {
      for (const [, name = ""] of read(page).matchAll(/`([a-z_]+(?:\.[a-z_]+)+)`/g)) {
        if (!sections.has(name.split(".")[0] ?? "") || /\.(ts|toml|conf|json|js|crt|mobileconfig|jitsi)$/.test(name))
          continue;
        expect([name, isKey(name) || keys.some((key) => key.startsWith(`${name}.`))]).toEqual([name, true]);
      }
    });
});

test("files that are named exist", () => {
  for (const page of pages) {
    const text = read(page);
    for (const [, link = ""] of text.matchAll(/\]\(([^)#:]+)\)/g))
      expect([page, link, existsSync(join(root, page.startsWith("docs") ? "docs" : ".", link))]).toEqual([
        page,
        link,
        true,
      ]);
    if (page !== "ARCHITECTURE.md") continue;
    for (const [, path = ""] of text.matchAll(/`((?:appliance|ui|scripts|tests|docs)\/[\w./-]*)`/g))
      expect([path, existsSync(join(root, path))]).toEqual([path, true]);
  }
});
