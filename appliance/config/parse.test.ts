import { describe, expect, test } from "bun:test";
import { keys, options } from "./options.ts";
import { type Layer, parseLayers } from "./parse.ts";
import { printConfiguration } from "./print.ts";
import { parseConfig } from "./read.ts";

const commandLine = (values: Readonly<Record<string, unknown>>): Layer => ({ origin: "command line", values });

const settingsOf = (text: string, layers: readonly Layer[] = []) => {
  const result = parseConfig(text, layers);
  if (!result.ok) throw new Error(JSON.stringify(result.faults));
  return result.configuration;
};

const faultsOf = (text: string, layers: readonly Layer[] = []): string[] => {
  const result = parseConfig(text, layers);
  return result.ok ? [] : result.faults.map((fault) => `${fault.key}: ${fault.right}`);
};

describe("defaults", () => {
  test("are accepted by their own options", () => {
    const { settings } = settingsOf("");
    for (const key of keys) {
      const option = options[key];
      if (option.kind === "secret" || settings[key] === "") continue;
      expect([key, option.check(settings[key]).ok]).toEqual([key, true]);
    }
  });

  test("every option says why it exists, and every number its unit", () => {
    for (const key of keys) {
      expect([key, options[key].reason.length > 20]).toEqual([key, true]);
      if (options[key].kind === "integer" || options[key].kind === "number")
        expect([key, options[key].unit]).not.toEqual([key, ""]);
    }
  });

  test("follow from options above them", () => {
    const { settings } = settingsOf('[domains]\ndomain = "example.org"\n[focus]\nuser = "chair"');
    expect(settings["domains.internal_muc"]).toBe("internal-muc.example.org");
    expect(settings["focus.account"]).toBe("chair@auth.example.org");
    expect(settings["bridge.brewery"]).toBe("jvbbrewery@internal-muc.example.org");
  });
});

describe("precedence", () => {
  const text = "[gateway]\nhttps_port = 1001\n";
  const rows: readonly (readonly [string, readonly Layer[], number, string])[] = [
    ["", [], 443, "default"],
    ["", [{ origin: "checkout", values: { "gateway.https_port": 8443 } }], 8443, "checkout"],
    [text, [{ origin: "checkout", values: { "gateway.https_port": 8443 } }], 1001, "parley.toml"],
    [text, [commandLine({ "gateway.https_port": 1002 })], 1002, "command line"],
  ];
  for (const [file, layers, value, origin] of rows)
    test(`${origin} gives ${value}`, () => {
      const { settings, origins } = settingsOf(file, layers);
      expect(settings["gateway.https_port"]).toBe(value);
      expect(origins["gateway.https_port"]).toBe(origin as never);
    });

  test("the settings table changes live options only", () => {
    const live = settingsOf("", [{ origin: "settings", values: { "log.level": "debug" } }]);
    expect(live.settings["log.level"]).toBe("debug");
    expect(faultsOf("", [{ origin: "settings", values: { "xmpp.port": 1 } }])).toEqual([
      "xmpp.port: it may be set in parley.toml only",
    ]);
  });

  test("the result is frozen", () => {
    const { settings } = settingsOf("");
    expect(Object.isFrozen(settings)).toBe(true);
  });
});

describe("faults", () => {
  test("are reported all at once, with what would be right", () => {
    const text = `
[gateway]
https_port = 70000
http_port = "80"
htps_port = 1
[xmpp.limits]
depth = 3
[focus]
sctp = "maybe"
[bridge]
start_next_at = 1.5
media_addresses = ["here!"]
`;
    expect(faultsOf(text)).toEqual([
      "gateway.https_port: it must be a whole number from 0 to 65535",
      "gateway.http_port: it must be a whole number from 0 to 65535",
      "gateway.htps_port: there is no such option; did you mean gateway.https_port?",
      "xmpp.limits.depth: it must be a whole number from 8 to 256",
      "focus.sctp: it must be one of off, on, fallback",
      "bridge.start_next_at: it must be a number from 0.05 to 1",
      "bridge.media_addresses: it must be a list of IP addresses",
    ]);
  });

  const rows: readonly (readonly [string, string, string])[] = [
    ["not TOML", "[gateway", "parley.toml: it is not TOML"],
    ["an unknown section", "[nothing]\nx = 1", "nothing.x: there is no such option"],
    ["two services on one port", "[xmpp]\nport = 8888", "focus.http_port: it must differ from xmpp.port"],
    ["two hosts of one name", '[domains]\nmuc = "meet.jitsi"', "domains.muc: it must differ from domains.domain"],
    [
      "a certificate without its key",
      '[gateway]\ncertificate = "/x.pem"',
      "gateway.certificate: gateway.certificate and gateway.key go together",
    ],
    [
      "a component without its secret",
      "[focus]\ncomponent_port = 5347",
      "focus.component_port: focus.component_secret is needed with it",
    ],
    [
      "fewer bridges at most than at least",
      "[bridge]\ncount = 3\nmax_count = 2",
      "bridge.max_count: it must not be less than bridge.count",
    ],
    [
      "clients allowed more than services",
      "[xmpp.limits]\nclient_stanza_bytes = 500000",
      "xmpp.limits.client_stanza_bytes: it must not be more",
    ],
    ["a short password", '[focus]\npassword = "short"', "focus.password: it must be a text of at least 8 characters"],
    [
      "an account without a password",
      '[[xmpp.accounts]]\nuser = "jibri"',
      "xmpp.accounts: it must be tables with user",
    ],
    [
      "an account with a field too many",
      '[[xmpp.accounts]]\nuser = "a"\npassword = "12345678"\nrole = "x"',
      "xmpp.accounts: it must be tables with user",
    ],
    [
      "a secret's file that is not there",
      '[focus]\npassword = "file:/nonexistent/secret"',
      "focus.password: the file cannot be read",
    ],
  ];
  for (const [name, text, start] of rows)
    test(name, () => {
      const faults = faultsOf(text);
      expect(faults.length).toBe(1);
      expect(faults[0]?.slice(0, start.length)).toBe(start);
    });

  test("never show a secret", () => {
    const result = parseConfig('[focus]\npassword = "hidden"\n');
    expect(JSON.stringify(result)).not.toContain("hidden");
  });

  test("headers with credentials are not shown either", () => {
    const printed = printConfiguration(
      settingsOf(
        '[xmpp.rooms.reservations]\nurl = "https://r.example"\nheaders = { Authorization = "Bearer s3cr3t" }\n',
      ),
    );
    expect(printed).not.toContain("s3cr3t");
    expect(printed).toContain('headers = { "Authorization" = "(set)" }');
  });

  test("garbage of any kind is a fault or accepted, never an exception", () => {
    const values: readonly unknown[] = [
      null,
      undefined,
      0,
      -1,
      1.5,
      Number.NaN,
      "",
      "x",
      "\0",
      true,
      [],
      [1],
      [[]],
      {},
      { a: 1 },
      () => 1,
      "a".repeat(100_000),
      new Array(5_000).fill("xmpp"),
    ];
    for (const key of keys)
      for (const value of values) expect(typeof parseLayers([commandLine({ [key]: value })]).ok).toBe("boolean");
  });
});

describe("records and tables", () => {
  test("take defaults for what is left out", () => {
    const { settings } = settingsOf(
      '[[xmpp.accounts]]\nuser = "jibri"\npassword = "12345678"\n[[xmpp.external_services]]\ntype = "turns"\nhost = "turn.example.org"\nport = 5349\n',
    );
    expect(settings["xmpp.accounts"]).toEqual([{ user: "jibri", domain: "", password: "12345678", admin: false }]);
    expect(settings["xmpp.external_services"]).toEqual([
      { type: "turns", host: "turn.example.org", port: 5349, transport: "udp", secret: "" },
    ]);
  });

  test("bridges of other machines and keys for clients stay whole", () => {
    const { settings } = settingsOf(
      '[gateway.bridges]\njvb2 = "http://10.0.0.2:9090"\n[gateway.client.p2p]\nenabled = true\n',
    );
    expect(settings["gateway.bridges"]).toEqual({ jvb2: "http://10.0.0.2:9090" });
    expect(settings["gateway.client"]).toEqual({ p2p: { enabled: true } });
  });
});

test("what `parley config` prints is read back as the same settings", () => {
  const before = settingsOf(
    '[domains]\ndomain = "example.org"\n[gateway]\nhosts = ["meet.example.org"]\n[gateway.client]\nresolution = 360\n',
  );
  const after = settingsOf(printConfiguration(before));
  expect(after.settings).toEqual(before.settings);
});

test("`parley config` hides secrets and says where values come from", () => {
  const printed = printConfiguration(
    settingsOf('[focus]\npassword = "very-secret"\n[[xmpp.accounts]]\nuser = "a"\npassword = "also-secret"\n'),
  );
  expect(printed).not.toContain("very-secret");
  expect(printed).not.toContain("also-secret");
  expect(printed).toContain("from: parley.toml");
});
