import { describe, expect, test } from "bun:test";
import { isFromChild, isToChild } from "./child-messages.ts";
import { parseConfig } from "./config/read.ts";
import type { MachineAddress } from "./machine.ts";
import { ownHosts, readyContent, webAddress } from "./ready-file.ts";
import { startLine } from "./start-line.ts";

const settingsOf = (text = "") => {
  const result = parseConfig(text);
  if (!result.ok) throw new Error(JSON.stringify(result.faults));
  return result.configuration.settings;
};

const ADDRESSES: readonly MachineAddress[] = [
  { address: "10.0.0.5", family: 4, internal: false },
  { address: "fd00::5", family: 6, internal: false },
  { address: "127.0.0.1", family: 4, internal: true },
];

test("addresses for people leave out a scheme's own port and put IPv6 into brackets", () => {
  expect(webAddress("https", "box.local", 443, "/a")).toBe("https://box.local/a");
  expect(webAddress("http", "fd00::5", 8000)).toBe("http://[fd00::5]:8000");
});

describe("the names of a box, best first", () => {
  const rows: readonly (readonly [string, readonly string[]])[] = [
    ["", ["localhost", "127.0.0.1"]],
    ["[listen]\nlan = true", ["10.0.0.5", "box.local", "localhost"]],
    ['[listen]\naddress = "10.0.0.5"', ["10.0.0.5"]],
  ];
  for (const [text, hosts] of rows)
    test(text === "" ? "default" : text, () =>
      expect(ownHosts(settingsOf(text), "box", ADDRESSES)).toEqual([...hosts]),
    );
});

describe("the ready file", () => {
  const passwords = { focus: "f", bridge: "b" };

  test("names ports and processes by part, bridges as lists", () => {
    const content = readyContent(
      settingsOf(),
      passwords,
      1,
      { pid: 2, ports: { https: 443, http: 80, xmpp: 5222, xmppHttp: 5280, focusHttp: 8888 } },
      [
        { pid: 3, ports: { media: 10_000, colibri: 9_090, bridgeHttp: 8_080 } },
        { pid: 4, ports: { media: 10_001, colibri: 9_091, bridgeHttp: 8_081 } },
      ],
    );
    expect(content).toEqual({
      base: "https://127.0.0.1",
      domain: "meet.jitsi",
      muc: "muc.meet.jitsi",
      focus: "focus.meet.jitsi",
      brewery: "jvbbrewery@internal-muc.meet.jitsi",
      ports: {
        https: 443,
        http: 80,
        xmpp: 5222,
        xmppHttp: 5280,
        focusHttp: 8888,
        bridgeHttp: [8_080, 8_081],
        colibri: [9_090, 9_091],
        media: [10_000, 10_001],
      },
      pids: { supervisor: 1, control: 2, xmpp: 2, focus: 2, gateway: 2, bridge: [3, 4] },
      services: {
        focus: { domain: "auth.meet.jitsi", user: "focus", password: "f" },
        bridge: { domain: "auth.meet.jitsi", user: "jvb", password: "b" },
      },
    });
  });

  const bases: readonly (readonly [string, string])[] = [
    ["[listen]\nlan = true", "https://127.0.0.1:8443"],
    ['[listen]\naddress = "10.0.0.5"', "https://10.0.0.5:8443"],
    ['[listen]\naddress = "0.0.0.0"', "https://127.0.0.1:8443"],
  ];
  for (const [text, base] of bases)
    test(`${text}: ${base}`, () =>
      expect(readyContent(settingsOf(text), passwords, 1, { pid: 2, ports: { https: 8443 } }, []).base).toBe(base));
});

describe("why something cannot start, in one line", () => {
  const rows: readonly (readonly [unknown, string])[] = [
    [
      Object.assign(new Error("listen EADDRINUSE: address already in use 127.0.0.1:5222"), {
        code: "EADDRINUSE",
        port: 5222,
      }),
      "port 5222 is taken by another program",
    ],
    [
      Object.assign(new Error("Failed to start server. Is port 8443 in use?"), { code: "EADDRINUSE" }),
      "port 8443 is taken by another program",
    ],
    [
      Object.assign(new Error("listen EACCES: permission denied 0.0.0.0:443"), { code: "EACCES", port: 443 }),
      "no permission to open port 443",
    ],
    [
      Object.assign(new Error("listen EADDRNOTAVAIL 10.9.9.9"), { code: "EADDRNOTAVAIL" }),
      "this machine has no such address",
    ],
    [new Error("first line\nsecond line"), "first line"],
    ["a text", "a text"],
    [undefined, "undefined"],
    [new Error(""), "unknown fault"],
  ];
  for (const [error, start] of rows)
    test(start, () => {
      expect(startLine(error).slice(0, start.length)).toBe(start);
      expect(startLine(error)).not.toContain("\n");
    });
});

test("only messages of our own are taken from the channel", () => {
  for (const message of [undefined, null, 1, "start", {}, { type: "other" }, { type: 1 }])
    expect([isToChild(message), isFromChild(message)]).toEqual([false, false]);
  expect(isToChild({ type: "stop", deadlineMs: 1 })).toBe(true);
  expect(isFromChild({ type: "health" })).toBe(true);
});
