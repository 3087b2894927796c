import { describe, expect, test } from "bun:test";
import { addressAndMask, addressBytes, inRanges, PRIVATE_RANGES } from "./address-ranges.ts";

const hex = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString("hex");

describe("addresses", () => {
  const rows: readonly (readonly [string, string | undefined])[] = [
    ["10.0.0.1", "0a000001"],
    ["255.255.255.255", "ffffffff"],
    ["256.0.0.1", undefined],
    ["10.0.1", undefined],
    ["::", "00000000000000000000000000000000"],
    ["::1", "00000000000000000000000000000001"],
    ["fd00::5", "fd000000000000000000000000000005"],
    ["fe80::1%eth0", "fe800000000000000000000000000001"],
    ["1:2:3:4:5:6:7:8", "00010002000300040005000600070008"],
    ["::ffff:10.0.0.1", "00000000000000000000ffff0a000001"],
    ["1:2:3", undefined],
    ["1::2::3", undefined],
    ["1:2:3:4:5:6:7::8", undefined],
    ["12345::", undefined],
    ["localhost", undefined],
    ["", undefined],
  ];
  for (const [text, bytes] of rows)
    test(text === "" ? "(empty)" : text, () => expect(hex(addressBytes(text))).toBe(bytes));

  test("a range is an address and its mask", () => {
    expect(hex(addressAndMask("172.16.0.0/12"))).toBe("ac100000fff00000");
    expect(hex(addressAndMask("fc00::/7"))).toBe("fc000000000000000000000000000000fe000000000000000000000000000000");
    expect(() => addressAndMask("nonsense/8")).toThrow(RangeError);
  });
});

describe("private ranges", () => {
  const rows: readonly (readonly [string, boolean])[] = [
    ["10.255.0.1", true],
    ["172.15.255.255", false],
    ["172.16.0.1", true],
    ["192.168.1.1", true],
    ["100.64.0.1", true],
    ["127.0.0.1", true],
    ["8.8.8.8", false],
    ["fd12::1", true],
    ["2001:db8::1", false],
    ["::1", true],
    ["nonsense", false],
  ];
  for (const [address, inside] of rows) test(address, () => expect(inRanges(address, PRIVATE_RANGES)).toBe(inside));
});
