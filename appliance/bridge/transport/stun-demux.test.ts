import { describe, expect, test } from "bun:test";
import { millis } from "../../time.ts";
import type { Path } from "../media-commands.ts";
import { writeStun } from "./stun.ts";
import { StunDemux } from "./stun-demux.ts";

const PWD = "0123456789abcdefghijkl";
const from = (address: string, port = 1000): Path => ({ socket: 0, address, port });
const check = (username: string, pwd = PWD): Uint8Array =>
  writeStun({ class: "request", transaction: "0".repeat(24), username }, pwd);

describe("finding the endpoint of a Binding request", () => {
  const demux = new StunDemux<string>();
  demux.add("abcd", PWD, "alice");
  demux.add("efgh", `${PWD}2`, "bob");
  const now = millis(0);

  test("by the ufrag, after the integrity held", () => {
    expect(demux.find(now, from("10.0.0.1"), check("abcd:xxxx"))).toEqual({ key: "alice" });
    expect(demux.find(now, from("10.0.0.1"), check("efgh:xxxx", `${PWD}2`))).toEqual({ key: "bob" });
  });

  for (const [name, bytes, refused] of [
    ["a wrong password", check("abcd:xxxx", "another-password-12345"), "bad-integrity"],
    ["another endpoint's password", check("abcd:xxxx", `${PWD}2`), "bad-integrity"],
    ["an unknown ufrag", check("zzzz:xxxx"), "unknown-ufrag"],
    ["no colon", check("abcd"), "no-username"],
    ["a response", writeStun({ class: "success", transaction: "0".repeat(24) }, PWD), "not-a-binding-request"],
    ["no integrity", writeStun({ class: "request", transaction: "0".repeat(24), username: "abcd:x" }), "bad-integrity"],
    ["garbage", Uint8Array.of(0, 1, 2, 3), "not-a-binding-request"],
  ] as const)
    test(`not with ${name}`, () => expect(demux.find(now, from("10.0.0.9"), bytes)).toEqual({ refused }));

  test("not after it was removed", () => {
    demux.add("gone", PWD, "carol");
    demux.remove("gone");
    expect(demux.find(now, from("10.0.0.1"), check("gone:x"))).toEqual({ refused: "unknown-ufrag" });
  });
});

describe("bounds", () => {
  test("an address that only fails is cut off, others are not; it comes back with time", () => {
    const demux = new StunDemux<string>();
    demux.add("abcd", PWD, "alice");
    const bad = check("abcd:x", "another-password-12345");
    let refused = 0;
    for (let n = 0; n < 1000; n++)
      if (demux.find(millis(0), from("10.0.0.1", n), bad).refused === "over-budget") refused++;
    expect(refused).toBe(900);
    expect(demux.find(millis(0), from("10.0.0.1"), check("abcd:x")).refused).toBe("over-budget");
    expect(demux.find(millis(0), from("10.0.0.2"), check("abcd:x"))).toEqual({ key: "alice" });
    expect(demux.find(millis(1000), from("10.0.0.1"), check("abcd:x"))).toEqual({ key: "alice" });
  });

  test("what authenticates costs nothing: a whole office behind one address", () => {
    const demux = new StunDemux<string>();
    demux.add("abcd", PWD, "alice");
    for (let n = 0; n < 2000; n++)
      expect(demux.find(millis(0), from("10.0.0.1", n), check("abcd:x"))).toEqual({ key: "alice" });
  });

  test("made-up source addresses hit the total", () => {
    const demux = new StunDemux<string>();
    const bad = check("abcd:x");
    let over = 0;
    for (let n = 0; n < 7000; n++)
      if (demux.find(millis(0), from(`10.${n >> 8}.${n & 255}.1`), bad).refused === "over-budget") over++;
    expect(over).toBe(2000);
  });
});
