import { expect, test } from "bun:test";
import { SsrcSlots } from "./slots.ts";

const pool = (limit: number): SsrcSlots => {
  let next = 0;
  return new SsrcSlots(limit, () => ++next);
};
const names = (mapped: readonly { readonly source: string; readonly slot: { readonly ssrc: number } }[]): string =>
  mapped.map(({ source, slot }) => `${source}:${slot.ssrc}`).join(" ");

test("a source keeps its slot; only new mappings are told", () => {
  const slots = pool(3);
  expect(names(slots.activate(["a", "b"]))).toBe("a:1 b:3");
  expect(names(slots.activate(["b", "a"]))).toBe("");
  expect(slots.get("a")).toMatchObject({ ssrc: 1, rtxSsrc: 2, place: 0 });
  expect(slots.get("c")).toBeUndefined();
});

test("when all are taken the least recently used goes, never one that is asked for now", () => {
  const slots = pool(2);
  slots.activate(["a", "b"]);
  slots.activate(["a"]);
  const [mapped] = slots.activate(["c"]);
  expect(mapped).toMatchObject({ source: "c", evicted: "b", slot: { ssrc: 3 } });
  expect(slots.get("b")).toBeUndefined();
  expect(names(slots.activate(["a", "c", "d"]))).toBe("");
  expect([...slots.entries()].map(([name]) => name).sort()).toEqual(["a", "c"]);
});

test("a slot that was given back is taken before a new one is made", () => {
  const slots = pool(50);
  slots.activate(["a", "b"]);
  slots.release("a");
  slots.release("never there");
  const [mapped] = slots.activate(["c"]);
  expect(mapped).toMatchObject({ slot: { ssrc: 1 } });
  expect(mapped).not.toHaveProperty("evicted");
});

test("any order of use: never two sources in one slot, never more slots than allowed, SSRCs stay", () => {
  let state = 99;
  const random = (n: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % n;
  };
  const slots = pool(5);
  const ssrcs = new Set<number>();
  for (let round = 0; round < 2_000; round++) {
    if (random(4) === 0) slots.release(`s${random(12)}`);
    else slots.activate(Array.from({ length: random(8) }, () => `s${random(12)}`));
    const taken = [...slots.entries()].map(([, slot]) => slot.ssrc);
    for (const ssrc of taken) ssrcs.add(ssrc);
    expect(new Set(taken).size).toBe(taken.length);
  }
  expect(ssrcs.size).toBeLessThanOrEqual(5);
});
