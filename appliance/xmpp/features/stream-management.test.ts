import { describe, expect, test } from "bun:test";
import { readCounter, StreamManagement } from "./stream-management.ts";

const LIMITS = { stanzas: 10, size: 100 };

describe("the queue", () => {
  test("keeps what is not acknowledged, in order", () => {
    const sm = new StreamManagement("id", LIMITS);
    for (const stanza of ["a", "b", "c"]) expect(sm.stanzaSent(stanza)).toBe(true);
    expect(sm.acknowledge(2)).toBe(true);
    expect(sm.unacked).toEqual(["c"]);
    expect(sm.acknowledge(2)).toBe(true);
    expect(sm.acknowledge(3)).toBe(true);
    expect(sm.unacked).toEqual([]);
  });
  test("refuses an acknowledgement of what was never sent, or of less than before", () => {
    const sm = new StreamManagement("id", LIMITS);
    sm.stanzaSent("a");
    sm.stanzaSent("b");
    expect(sm.acknowledge(3)).toBe(false);
    expect(sm.acknowledge(2)).toBe(true);
    expect(sm.acknowledge(1)).toBe(false);
    expect(sm.acknowledge(99)).toBe(false);
  });
  test("over its bound is given up: no resumption, acknowledgements still checked", () => {
    const sm = new StreamManagement("id", LIMITS);
    for (let i = 0; i < 10; i++) expect(sm.stanzaSent("x")).toBe(true);
    expect(sm.stanzaSent("x")).toBe(false);
    expect(sm.id).toBeUndefined();
    expect(sm.unacked).toEqual([]);
    expect(sm.stanzaSent("y")).toBe(true);
    expect(sm.acknowledge(5)).toBe(true);
    expect(sm.acknowledge(12)).toBe(true);
    expect(sm.acknowledge(13)).toBe(false);
  });
  test("is bounded in size, too", () => {
    const sm = new StreamManagement("id", LIMITS);
    expect(sm.stanzaSent("x".repeat(60))).toBe(true);
    expect(sm.stanzaSent("x".repeat(60))).toBe(false);
  });
});

test("asks after five stanzas, once, until the answer", () => {
  const sm = new StreamManagement("id", LIMITS);
  for (let i = 0; i < 4; i++) sm.stanzaSent("x");
  expect(sm.shouldRequest()).toBe(false);
  sm.stanzaSent("x");
  expect(sm.shouldRequest()).toBe(true);
  sm.requested();
  for (let i = 0; i < 5; i++) sm.stanzaSent("x");
  expect(sm.shouldRequest()).toBe(false);
  sm.acknowledge(5);
  expect(sm.shouldRequest()).toBe(true);
});

test("counters wrap at 2³²", () => {
  const sm = new StreamManagement(undefined, { stanzas: 5, size: 1_000 }, 2 ** 32 - 2);
  for (let i = 0; i < 4; i++) sm.stanzaSent(String(i));
  expect(sm.acknowledge(2 ** 32 - 1)).toBe(true);
  expect(sm.acknowledge(1)).toBe(true);
  expect(sm.unacked).toEqual(["3"]);
  expect(sm.acknowledge(3)).toBe(false);
  for (let i = 0; i < 3; i++) sm.stanzaReceived();
  expect(sm.received).toBe(1);
});

test("a counter on the wire", () => {
  expect(["0", "7", "4294967295"].map(readCounter)).toEqual([0, 7, 4294967295]);
  for (const wrong of [undefined, "", "-1", "1.5", "4294967296", "0x10", "1e3", " 1", "99999999999"])
    expect(readCounter(wrong)).toBeUndefined();
});
