import { describe, expect, test } from "bun:test";
import {
  candidates,
  type InterfaceAddress,
  isPrivate,
  plainAddress,
  readPublicAddress,
  selectAddresses,
} from "./addresses.ts";
import type { MediaSocket } from "./media-commands.ts";

const outer = (address: string): InterfaceAddress => ({
  address,
  family: address.includes(":") ? 6 : 4,
  internal: false,
});
const inner = (address: string): InterfaceAddress => ({ ...outer(address), internal: true });
const LO = [inner("127.0.0.1"), inner("::1")];

describe("which addresses media is bound on", () => {
  const table: [string, InterfaceAddress[], boolean, string[]][] = [
    ["a laptop, loopback only asked for", [...LO, outer("192.168.4.2")], false, ["192.168.4.2", "127.0.0.1"]],
    ["the same on the LAN", [...LO, outer("192.168.4.2")], true, ["192.168.4.2"]],
    [
      "v6 too, link-local left out",
      [...LO, outer("fe80::1"), outer("2001:db8::7"), outer("192.168.4.2")],
      true,
      ["192.168.4.2", "2001:db8::7"],
    ],
    ["169.254 left out", [...LO, outer("169.254.3.4"), outer("10.0.0.1")], false, ["10.0.0.1", "127.0.0.1"]],
    ["loopback is all there is", LO, true, ["127.0.0.1", "::1"]],
    ["link-local is all there is", [outer("fe80::1")], true, ["fe80::1"]],
    ["the same address twice", [outer("10.0.0.1"), outer("10.0.0.1")], true, ["10.0.0.1"]],
    ["nothing", [], true, []],
  ];
  test.each(table)("%s", (_name, own, lan, chosen) => expect(selectAddresses(own, lan)).toEqual(chosen));
});

test("private addresses", () => {
  for (const address of [
    "10.1.2.3",
    "127.0.0.1",
    "192.168.0.1",
    "172.16.0.1",
    "172.31.9.9",
    "169.254.1.1",
    "100.64.0.1",
    "100.127.0.1",
    "::1",
    "fd00::1",
    "fe80::2",
  ])
    expect([address, isPrivate(address)]).toEqual([address, true]);
  for (const address of [
    "8.8.8.8",
    "172.32.0.1",
    "172.15.0.1",
    "100.63.0.1",
    "100.128.0.1",
    "2001:db8::1",
    "192.169.0.1",
  ])
    expect([address, isPrivate(address)]).toEqual([address, false]);
});

test("one host, one text form", () => {
  expect(plainAddress("::ffff:192.0.2.1")).toBe("192.0.2.1");
  expect(plainAddress("2001:DB8::1")).toBe("2001:db8::1");
});

describe("candidates", () => {
  const sockets: MediaSocket[] = [
    { address: "192.168.4.2", family: 4, port: 10_000 },
    { address: "2001:db8::7", family: 6, port: 10_000 },
  ];
  const offer = (advertise: string[], withPrivate: boolean) =>
    candidates(sockets, { advertise: advertise.map(readPublicAddress), withPrivate, id: () => "x" }).map(
      ({ type, ip, port, priority, relAddr, relPort }) => [type, ip, port, priority, relAddr, relPort],
    );
  const host4 = ["host", "192.168.4.2", 10_000, 2_130_706_431, undefined, undefined];
  const host6 = (priority: number) => ["host", "2001:db8::7", 10_000, priority, undefined, undefined];

  test("own addresses, the first with the highest priority", () => {
    expect(offer([], true)).toEqual([host4, host6(2_130_706_175)]);
  });

  test("public addresses behind a NAT, with their own port where it differs", () => {
    expect(offer(["203.0.113.7", "203.0.113.8#20000"], true)).toEqual([
      host4,
      host6(2_130_706_175),
      ["srflx", "203.0.113.7", 10_000, 1_694_498_815, "192.168.4.2", 10_000],
      ["srflx", "203.0.113.8", 20_000, 1_694_498_559, "192.168.4.2", 10_000],
    ]);
  });

  test("private ones hidden: neither as candidates nor as related addresses", () => {
    expect(offer(["203.0.113.7"], false)).toEqual([
      host6(2_130_706_431),
      ["srflx", "203.0.113.7", 10_000, 1_694_498_815, "0.0.0.0", 9],
    ]);
  });

  test("a family without a socket has nothing to lead to", () => {
    expect(
      candidates([sockets[0] as MediaSocket], {
        advertise: [{ address: "2001:db8::9", port: 0 }],
        withPrivate: true,
        id: () => "x",
      }),
    ).toHaveLength(1);
  });
});
