// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts are code under test
import { describe, expect, test } from "bun:test";
import { circleFaults } from "./circles.ts";
import { contrast, contrastFaults, parseTokens } from "./contrast.ts";
import { coreFaults } from "./cores.ts";
import { directionFaults } from "./directions.ts";
import { portableFaults } from "./portable.ts";
import { codeOnly, importsOf, isShell, resolveImport } from "./source.ts";
import { testPresence } from "./tests-present.ts";

const file = (path: string, text: string) => ({ path, text });
const squeezed = (text: string): string => codeOnly(text).replaceAll(/ +/g, " ").trim();

describe("code without comments and strings", () => {
  const rows: readonly (readonly [string, string])[] = [
    ["a // Date.now\nb", "a \nb"],
    ["a /* Date.now\n */ b", "a \n b"],
    ['f("Date.now")', 'f(" ")'],
    ["f('it\\'s Bun.x')", "f(' ')"],
    ["`text ${Date.now()} Bun.x ${`inner ${a}`}`", "` ${Date.now()} ${` ${a}`}`"],
    ["const x = { a: `b${{ c: 1 }.c}` };", "const x = { a: ` ${{ c: 1 }.c}` };"],
    ['x.replace(/Date.now\\/[/"]/g, y)', "x.replace( , y)"],
    ["a / b / c", "a / b / c"],
    ['return /"/.test(x) ? process.x : 1', "return .test(x) ? process.x : 1"],
  ];
  for (const [text, expected] of rows) test(text, () => expect(squeezed(text)).toBe(expected));

  test("any text is taken, and lines stay where they are (seed 3)", () => {
    const parts = ["`", "${", "}", '"', "'", "/", "/*", "*/", "//", "\n", "\\", "a", "{", "(", "["];
    let seed = 3;
    for (let round = 0; round < 2_000; round++) {
      let text = "";
      for (let count = 0; count < 12; count++) {
        seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
        text += parts[(seed >> 8) % parts.length];
      }
      expect(codeOnly(text).split("\n").length).toBe(text.split("\n").length);
    }
  });
});

test("imports of every form", () => {
  const text = `
import { a, type B } from "./a.ts";
import type { C } from "./c.ts";
import { type D } from "./d.ts";
import E, { f } from "../e.ts";
import "./g.ts";
export { h } from "./h.ts";
export * from "./i.ts";
const j = await import("./j.ts");
// import { no } from "./comment.ts";
`;
  expect(importsOf(text).map(({ specifier, typeOnly }) => `${specifier}${typeOnly ? " type" : ""}`)).toEqual([
    "./a.ts",
    "./c.ts type",
    "./d.ts type",
    "../e.ts",
    "./g.ts",
    "./h.ts",
    "./i.ts",
    "./j.ts",
  ]);
  expect(resolveImport("appliance/bridge/rtp/vp8.ts", "../../time.ts")).toBe("appliance/time.ts");
  expect(resolveImport("appliance/x.ts", "node:fs")).toBeUndefined();
});

test("a shell says so first", () => {
  expect(isShell("/**\n * Shell: sockets.\n */\n")).toBe(true);
  expect(isShell("/** Shell: short. */")).toBe(true);
  expect(isShell("/**\n * The core. Not a Shell: really.\n */")).toBe(false);
});

describe("cores", () => {
  const rows: readonly (readonly [string, number])[] = [
    ["const now = Date.now();", 1],
    ["const d = new Date();", 1],
    ["const d = new Date(now);", 0],
    ["setTimeout(f, 1);", 1],
    ["this.setTimeout(f);", 0],
    ["const x = Math.random() + performance.now();", 2],
    ["await fetch(url);", 1],
    ["server.fetch(url); this.#fetch(x);", 0],
    ["return process.pid;", 1],
    ["child.process.pid;", 0],
    ["Bun.hash(x);", 1],
    ['import { readFileSync } from "node:fs";', 1],
    ['import { createHash } from "node:crypto";', 0],
    ['import { createHash, randomBytes } from "node:crypto";', 1],
    ['import type { Socket } from "node:net";', 0],
    ['import { Buffer } from "node:buffer";', 0],
    ['import pino from "pino";', 1],
    ["// Date.now in a comment\nconst text = 'Bun.x';", 0],
  ];
  for (const [text, count] of rows)
    test(`${text}: ${count}`, () => expect(coreFaults([file("appliance/x.ts", text)]).length).toBe(count));

  test("a shell may do all of it", () => {
    expect(
      coreFaults([
        file("appliance/x.ts", '/**\n * Shell: a clock.\n */\nimport { readFileSync } from "node:fs";\nDate.now();'),
      ]),
    ).toEqual([]);
  });
});

describe("directions", () => {
  const rows: readonly (readonly [string, string, number])[] = [
    ["appliance/focus/focus.ts", 'import { x } from "../bridge/bridge.ts";', 1],
    ["appliance/focus/focus.ts", 'import type { x } from "../bridge/bridge.ts";', 1],
    ["appliance/focus/focus.ts", 'import { x } from "../wire/jid.ts";', 0],
    ["appliance/focus/focus.ts", 'import { x } from "../xmpp-session.ts";', 0],
    ["appliance/focus/focus.ts", 'import { x } from "../supervisor.ts";', 1],
    ["appliance/focus/focus.ts", 'import { x } from "../config.ts";', 1],
    ["appliance/focus/focus.ts", 'import type { x } from "../config.ts";', 0],
    ["appliance/wire/jid.ts", 'import { x } from "../time.ts";', 1],
    ["appliance/wire/jid.ts", 'import { x } from "ltx";', 0],
    ["appliance/wire/jid.ts", 'import { x } from "werift";', 1],
    ["appliance/xmpp-session.ts", 'import { x } from "./xmpp/sasl.ts";', 1],
    ["appliance/appliance.ts", 'import { x } from "./xmpp/start.ts";', 0],
    ["ui/session/room.ts", 'import { x } from "../../appliance/wire/jid.ts";', 0],
    ["ui/session/room.ts", 'import { x } from "../../appliance/time.ts";', 1],
    ["appliance/main.ts", 'import { x } from "../scripts/bench.ts";', 1],
    ["appliance/main.ts", 'import { x } from "../tests/real-time.ts";', 1],
    ["appliance/main.test.ts", 'import { x } from "../tests/real-time.ts";', 0],
    ["appliance/bridge/rtp/vp8.ts", 'import { x } from "../endpoint.ts";', 1],
    ["appliance/bridge/rtcp/nack.ts", 'import { x } from "../rtp/sequence.ts";', 0],
    ["appliance/bridge/receive/receiver.ts", 'import { x } from "../conference.ts";', 1],
    ["appliance/bridge/bridge.ts", 'import { x } from "./endpoint.ts";', 0],
  ];
  for (const [path, text, count] of rows)
    test(`${path}: ${text}`, () => expect(directionFaults([file(path, text)]).length).toBe(count));
});

describe("circles of imports", () => {
  /** `a: b, type c` → a file a.ts that imports b.ts, and types of c.ts. */
  const graph = (...lines: readonly string[]) =>
    lines.map((line) => {
      const [name = "", imports = ""] = line.split(": ");
      const text = imports
        .split(", ")
        .filter((each) => each !== "")
        .map(
          (each) => `import ${each.startsWith("type ") ? "type " : ""}{ x } from "./${each.replace("type ", "")}.ts";`,
        );
      return file(`appliance/${name}.ts`, text.join("\n"));
    });
  const rows: readonly (readonly [string, readonly string[], number])[] = [
    ["none", ["a: b", "b: c", "c"], 0],
    ["two ways to one file", ["a: b, c", "b: d", "c: d", "d"], 0],
    ["two files", ["a: b", "b: a"], 1],
    ["three files", ["a: b", "b: c", "c: a"], 1],
    ["two files, one by type", ["a: b", "b: type a"], 0],
    ["three files, one by type", ["a: b", "b: c", "c: type a"], 1],
    ["files that all know the types of one that uses them", ["a: b, c", "b: type a", "c: type a"], 1],
    ["two circles", ["a: b", "b: a", "c: d", "d: c", "e: a"], 2],
  ];
  for (const [what, lines, count] of rows) test(what, () => expect(circleFaults(graph(...lines))).toHaveLength(count));
  test("names the files", () =>
    expect(circleFaults(graph("b: a", "a: b"))).toEqual(["appliance/a.ts appliance/b.ts: a circle of imports"]));
});

describe("contrast", () => {
  test("as WCAG computes it", () => {
    expect(contrast([255, 255, 255], [0, 0, 0])).toBe(21);
    // A known pair: #767676 on white is the lightest grey that passes 4.5.
    expect(contrast([0x76, 0x76, 0x76], [255, 255, 255])).toBeCloseTo(4.54, 2);
  });

  test("reads plain and light-dark colours, the first definition", () => {
    const tokens = parseTokens("--a: #000000;\n--b: light-dark(#ffffff, #000000); /* c */\n--a: #ffffff;\n--c: 1rem;");
    expect(tokens.get("a")).toEqual({ light: [0, 0, 0], dark: [0, 0, 0] });
    expect(tokens.get("b")).toEqual({ light: [255, 255, 255], dark: [0, 0, 0] });
    expect(tokens.has("c")).toBe(false);
  });

  test("names what fails, and what is missing", () => {
    const faults = contrastFaults("--text: light-dark(#777777, #eeeeee); --bg: light-dark(#888888, #000000);");
    expect(faults[0]).toBe("tokens.css: --text on --bg is 1.26 : 1 in the light theme; 4.5 is the least");
    expect(faults).toContain("tokens.css: --surface is missing or no hex colour");
  });
});

test("tests reach cores directly or through others", () => {
  const presence = testPresence([
    file("a.test.ts", 'import { a } from "./a.ts";'),
    file("a.ts", 'import { b } from "./b.ts";\nexport const a = () => b();'),
    file("b.ts", "export const b = () => 1;"),
    file("c.ts", "export const c = () => 1;"),
    file("d.ts", "export interface D {\n  readonly f: () => void;\n}"),
    file("e.ts", "/** Shell: e. */\nexport const e = () => 1;"),
  ]);
  expect(presence).toEqual({ cores: 3, tested: 1, unreached: ["c.ts"] });
});

test("paths of one machine and registries' hosts are found", () => {
  const slash = "/";
  expect(
    portableFaults([
      file("a.md", `see ${slash}work/main/x\nand https:${slash}/registry.npmjs.${"org"}/x\nfine: src/work/main`),
    ]).map((fault) => fault.split(": ")[0]),
  ).toEqual(["a.md:1", "a.md:2"]);
});
