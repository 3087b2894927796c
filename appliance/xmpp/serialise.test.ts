import { expect, test } from "bun:test";
import { Element } from "ltx";
import { Serialiser, serialise } from "./serialise.ts";

test("writes what ltx writes (seed 11)", () => {
  let state = 11;
  const next = (below: number): number => {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    return (state >> 8) % below;
  };
  const word = (): string => Array.from({ length: next(8) }, () => "ab<>&'\"é\u{1F600} ]x"[next(12)] ?? "x").join("");
  const build = (depth: number): Element => {
    const element = new Element(next(2) === 0 ? "a" : "b:c", { k: word(), "xml:lang": word(), gone: undefined });
    for (let i = next(4); i > 0; i--) element.cnode(depth > 4 || next(2) === 0 ? word() : build(depth + 1));
    return element;
  };
  for (let round = 0; round < 2_000; round++) {
    const element = build(0);
    expect(serialise(element)).toBe(element.toString());
  }
});

test("copies that share their content differ in their opening tag only", () => {
  const serialiser = new Serialiser();
  const one = new Element("presence", { to: "a" });
  one.cnode(new Element("x", { y: "<" })).t("z");
  const two = new Element("presence", { to: "b" });
  two.children = one.children;
  expect([one, two].map((each) => serialiser.write(each))).toEqual([one.toString(), two.toString()]);
  one.cnode("more");
  expect(serialiser.write(two)).toBe(two.toString());
  serialiser.forget();
  expect(serialiser.write(new Element("a"))).toBe("<a/>");
});
