/**
 * Property: no stanza from the network makes the focus throw, grow or stop serving others. Recorded stanzas, bent at random; seeds are printed.
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { attr, type Element, parse } from "../wire/xml.ts";
import { SimulatedWorld, seeded, stockSources, testConfig } from "./simulated-world.ts";

const ROOM = "recbridge@muc.meet.test";
const RECORDED = ["focus-connection.txt", "call-of-three.txt", "asked-of-the-focus.txt"]
  .flatMap((name) => readFileSync(join(import.meta.dir, "fixtures", name), "utf8").split("\n"))
  .flatMap((line) => parse(/^-?[\d.]+ (?:p\d )?[CS] (.*)$/.exec(line)?.[1] ?? "") ?? []);

const WORDS = [
  "",
  "x",
  "focus",
  "-1",
  "0",
  "4294967296",
  "true",
  "NaN",
  "{",
  "[]",
  '{"sources":{}}',
  "\u{1F600}",
  "a".repeat(5_000),
  `${ROOM}/focus`,
  `${ROOM}/aaaaaaaa`,
  ROOM,
  "jvbbrewery@internal-muc.meet.test/jvb1",
  "focus.meet.test/x",
  "@",
  "/",
];

function bend(element: Element, random: () => number): void {
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
  const all: Element[] = [];
  const collect = (each: Element): void => {
    all.push(each);
    for (const one of each.children) if (typeof one !== "string") collect(one);
  };
  collect(element);
  for (let times = 1 + Math.floor(random() * 4); times > 0; times--) {
    const target = pick(all);
    if (target === undefined) return;
    const names = Object.keys(target.attrs);
    const choice = random();
    if (choice < 0.3 && names.length > 0) delete target.attrs[pick(names) ?? ""];
    else if (choice < 0.6)
      target.attrs[pick([...names, "from", "type", "id", "sid", "xmlns", "__proto__"]) ?? "x"] = pick(WORDS);
    else if (choice < 0.7)
      target.name = pick(["iq", "presence", "message", "jingle", "mute", "query", "x", "source"]) ?? "x";
    else if (choice < 0.8) target.children.length = 0;
    else if (choice < 0.9) target.children.push(pick(WORDS) ?? "");
    else {
      const other = pick(all);
      if (other !== undefined) target.children.push(parse(other.toString()) ?? "x");
    }
  }
}

test("bent stanzas: nothing is thrown, and the meeting beside them goes on", () => {
  expect(RECORDED.length).toBeGreaterThan(200);
  for (let seed = 1; seed <= 2; seed++) {
    const random = seeded(seed);
    const world = new SimulatedWorld(
      testConfig({ options: { jibriBrewery: "jibribrewery@internal-muc.meet.test" } }),
      seed,
    ).start();
    const ana = world.join("safe@muc.meet.test", "aaaaaaaa");
    const ben = world.join("safe@muc.meet.test", "bbbbbbbb");
    world.join(ROOM, "bd88dab7");
    world.join(ROOM, "83bf7493");
    for (let i = 0; i < 1_000; i++) {
      const recorded = RECORDED[Math.floor(random() * RECORDED.length)];
      const stanza = parse(String(recorded));
      if (stanza === undefined) continue;
      bend(stanza, random);
      // Those of the meeting beside are not forged: the server vouches for `from`.
      if ((attr(stanza, "from") ?? "").startsWith("safe@") || (attr(stanza, "from") ?? "").includes("brewery@"))
        continue;
      try {
        world.input({ kind: "stanza", via: random() < 0.1 ? "component" : "client", stanza });
        if (random() < 0.05) world.advance(random() * 3_000);
      } catch (error) {
        throw new Error(`seed ${seed}, stanza ${i}: ${stanza}\n${error instanceof Error ? error.stack : error}`);
      }
    }
    expect(ana.sid).toBeDefined();
    world.jingle(ana, { action: "source-add", sources: new Map([["", stockSources("aaaaaaaa", "v1")]]) });
    expect(ben.remote.get("aaaaaaaa")?.size).toBe(5);
  }
}, 60_000);
