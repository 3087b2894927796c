import { describe, expect, test } from "bun:test";
import type { ServerTrust } from "../config.ts";
import { parseConfig } from "./read.ts";
import {
  bridgeSlice,
  focusSlice,
  gatewaySlice,
  httpUrl,
  listenHost,
  reachable,
  type SliceContext,
  xmppSlice,
} from "./slices.ts";

const TLS = { certificateChain: "chain", privateKey: "key" };
const TRUST: ServerTrust = { kind: "insecure" };

const contextOf = (text = ""): SliceContext => {
  const result = parseConfig(text);
  if (!result.ok) throw new Error(JSON.stringify(result.faults));
  return {
    settings: result.configuration.settings,
    ipv6: true,
    focusPassword: "focus-secret",
    bridgePassword: "bridge-secret",
  };
};

describe("where things listen", () => {
  const rows: readonly (readonly [string, string])[] = [
    ["", "127.0.0.1"],
    ["[listen]\nlan = true", "::"],
    ['[listen]\naddress = "10.0.0.5"', "10.0.0.5"],
  ];
  for (const [text, host] of rows)
    test(`${text === "" ? "default" : text}: ${host}`, () =>
      expect(listenHost(contextOf(text).settings, true)).toBe(host));

  test("without IPv6 the network is 0.0.0.0", () =>
    expect(listenHost(contextOf("[listen]\nlan = true").settings, false)).toBe("0.0.0.0"));

  test("a wildcard is reached over the loopback", () => {
    expect([reachable("::"), reachable("0.0.0.0"), reachable("10.0.0.5")]).toEqual([
      "127.0.0.1",
      "127.0.0.1",
      "10.0.0.5",
    ]);
    expect(httpUrl({ host: "fd00::5", port: 8888 })).toBe("http://[fd00::5]:8888");
  });
});

describe("logins", () => {
  test("go to the xmpp of the same machine when it runs here", () => {
    const focus = focusSlice(contextOf('[server]\nhost = "elsewhere"'), TRUST, 6222);
    expect(focus.login).toEqual({
      host: "127.0.0.1",
      port: 6222,
      domain: "auth.meet.jitsi",
      user: "focus",
      password: "focus-secret",
      resource: "focus",
      tls: TRUST,
    });
  });

  test("go where the configuration says when it does not", () => {
    const bridge = bridgeSlice(
      contextOf('[server]\nhost = "elsewhere"\nport = 5223\n[bridge]\nuser = "jvb7"'),
      TRUST,
      0,
      undefined,
      "box",
    );
    expect(bridge.login).toEqual({
      host: "elsewhere",
      port: 5223,
      domain: "auth.meet.jitsi",
      user: "jvb7",
      password: "bridge-secret",
      tls: TRUST,
    });
  });
});

describe("further bridges", () => {
  test("take the next ports and a name of their own", () => {
    const second = bridgeSlice(contextOf(), TRUST, 1, 5222, "box.local:8443");
    expect([second.mediaPort, second.http.port, second.colibri.port, second.serverId, second.channelHost]).toEqual([
      10_001,
      8_081,
      9_091,
      "jvb-2",
      "box.local:8443",
    ]);
  });

  test("with port 0 all take any free one", () => {
    expect(bridgeSlice(contextOf("[bridge]\nmedia_port = 0"), TRUST, 3, 5222, "box").mediaPort).toBe(0);
  });

  test("a configured channel host wins", () => {
    expect(
      bridgeSlice(contextOf('[bridge]\nchannel_host = "meet.example.org"'), TRUST, 0, 5222, "box").channelHost,
    ).toBe("meet.example.org");
  });
});

describe("xmpp", () => {
  test("knows focus and bridge, and further accounts", () => {
    const { accounts } = xmppSlice(
      contextOf('[[xmpp.accounts]]\nuser = "jibri"\npassword = "12345678"\nadmin = true\n'),
      TLS,
    );
    expect(accounts).toEqual([
      { user: "focus", domain: "auth.meet.jitsi", password: "focus-secret", admin: true },
      { user: "jvb", domain: "auth.meet.jitsi", password: "bridge-secret", admin: false },
      { user: "jibri", domain: "auth.meet.jitsi", password: "12345678", admin: true },
    ]);
  });

  test("has components, tokens and federation only where they are asked for", () => {
    const plain = xmppSlice(contextOf(), TLS);
    for (const key of ["component", "components", "tokens", "federation", "guestDomain"])
      expect([key, key in plain]).toEqual([key, false]);
    const full = xmppSlice(
      contextOf(
        '[xmpp]\nguest_domain = "guest.meet.jitsi"\n[[xmpp.components]]\ndomain = "c.meet.jitsi"\nsecret = "12345678"\n[xmpp.tokens]\napp_id = "app"\nsecret = "87654321"\n[xmpp.federation]\nenabled = true\ndomains = ["a.example"]\n',
      ),
      TLS,
      "roots",
    );
    expect(full).toMatchObject({
      guestDomain: "guest.meet.jitsi",
      component: { host: "127.0.0.1", port: 5347 },
      components: [{ domain: "c.meet.jitsi", secret: "12345678", admin: false }],
      tokens: { appId: "app", secret: "87654321", acceptedAudiences: ["*"], allowEmpty: false, requireRoom: true },
      federation: {
        listen: { host: "127.0.0.1", port: 5269 },
        domains: ["a.example"],
        certificatesRequired: false,
        routes: {},
        roots: "roots",
      },
    });
  });
});

describe("gateway", () => {
  const around = { tls: TLS, rootCertificate: "root", hosts: ["box"], boxName: "box", staticFolder: "/pages" };

  test("relays to the parts of this machine", () => {
    const slice = gatewaySlice(contextOf(), {
      ...around,
      xmppHttp: { host: "127.0.0.1", port: 0 },
      focusHttp: { host: "127.0.0.1", port: 8888 },
    });
    expect([slice.xmppHttp, slice.focusHttp]).toEqual(["http://127.0.0.1:0", "http://127.0.0.1:8888"]);
  });

  test("or to those of another", () => {
    const text =
      '[server]\nhost = "xmpp.example"\n[gateway]\nfocus_http = "http://focus.example:8888"\n[gateway.bridges]\njvb = "http://bridge.example:9090"';
    const slice = gatewaySlice(contextOf(text), { ...around, xmppHttp: undefined, focusHttp: undefined });
    expect([slice.xmppHttp, slice.focusHttp, slice.bridges]).toEqual([
      "http://xmpp.example:5280",
      "http://focus.example:8888",
      { jvb: "http://bridge.example:9090" },
    ]);
  });
});

test("the focus gets a component only with a port", () => {
  expect(focusSlice(contextOf(), TRUST, 5222).component).toBeUndefined();
  expect(
    focusSlice(contextOf('[focus]\ncomponent_port = 5347\ncomponent_secret = "12345678"'), TRUST, 5222).component,
  ).toEqual({ host: "127.0.0.1", port: 5347, secret: "12345678" });
});

test("who may open conferences", () => {
  expect(focusSlice(contextOf(), TRUST, 5222).options?.authentication).toBeUndefined();
  expect(focusSlice(contextOf('[focus.authentication]\nkind = "xmpp"'), TRUST, 5222).options?.authentication).toEqual({
    kind: "xmpp",
    loginDomain: "meet.jitsi",
  });
  // By token: the focus verifies those of HTTP requests by the XMPP server's rules.
  const tokens = '[xmpp.tokens]\napp_id = "app"\nsecret = "a-long-secret"\n[xmpp.rooms]\nverify_tenant = true\n';
  const byToken = focusSlice(contextOf(`${tokens}[focus.authentication]\nkind = "jwt"`), TRUST, 5222);
  expect(byToken.options?.authentication).toMatchObject({
    kind: "jwt",
    tokens: { rules: { appId: "app", secret: "a-long-secret", requireRoom: true }, verifyTenant: true },
  });
});
