import { describe, expect, test } from "bun:test";
import { canonicalAddress, formatAddress, isLoopback, parseAddress } from "./address.ts";

describe("addresses", () => {
  for (const [text, canonical] of [
    ["1.2.3.4", "1.2.3.4"],
    ["255.255.255.255", "255.255.255.255"],
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["::", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["fe80::1", "fe80::1"],
    ["::ffff:10.0.0.1", "::ffff:10.0.0.1"],
    ["::ffff:0a00:0001", "::ffff:10.0.0.1"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ] as const)
    test(`${text} is ${canonical}`, () => expect(canonicalAddress(text)).toBe(canonical));

  for (const text of [
    "",
    "1.2.3",
    "1.2.3.256",
    "01.2.3.4",
    "1.2.3.4.5",
    "a.local",
    ":::",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1::2::3",
    "fe80::1%eth0",
    "[::1]",
    "12345::",
    "1.2.3.4::",
    "::1.2.3",
    "1:2:3:4:5:6:7::8:9",
  ])
    test(`"${text}" is none`, () => expect(parseAddress(text)).toBeUndefined());

  test("bytes there and back", () => {
    for (let n = 0; n < 256; n++) {
      const bytes = Uint8Array.from({ length: 16 }, (_, i) => ((n >> (i >> 1)) & 1 ? n : 0));
      expect(parseAddress(formatAddress(bytes, 0, 16))).toEqual(bytes);
    }
  });

  test("loopback", () => {
    expect(["127.0.0.1", "127.9.9.9", "::1", "10.0.0.1", "::2"].map(isLoopback)).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
  });
});
