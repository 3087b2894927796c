/**
 * docs/replacing-parts.md holds: each example is read by our reader and becomes what the page says, and the original's configuration beside it names the same things.
 */
import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseConfig } from "../appliance/config/read.ts";
import {
  bridgeSlice,
  focusSlice,
  gatewaySlice,
  type SliceContext,
  serverId,
  xmppSlice,
} from "../appliance/config/slices.ts";
import type { GatewayConfig, ServerTrust } from "../appliance/config.ts";

const page = readFileSync(resolve(import.meta.dir, "..", "docs", "replacing-parts.md"), "utf8");

/** Text under the heading. */
const section = (title: string): string => {
  const found = page.split(/^## /m).find((text) => text.startsWith(`${title}\n`));
  if (found === undefined) throw new Error(`no section ${title}`);
  return found;
};

/** Indented blocks of a section in their order; commands are left out. */
const blocks = (title: string): string[] =>
  [...section(title).matchAll(/(?:^ {4}.*\n|^\n(?= {4}))+/gm)].map(([block]) =>
    block
      .replaceAll(/^ {4}/gm, "")
      .replaceAll(/^(?:parley|prosodyctl) .*$/gm, "")
      .trim(),
  );

const isToml = (block: string): boolean => /^(#.*\n)?\[/.test(block);

const TLS = { certificateChain: "chain", privateKey: "key" };
const TRUST: ServerTrust = { kind: "insecure" };

const contextOf = (text: string): SliceContext => {
  const result = parseConfig(
    text.replaceAll(/"file:[^"]*\/([^"/]+)\.password"/g, '"password-of-$1"').replaceAll('"…"', '"some-secret"'),
  );
  if (!result.ok) throw new Error(JSON.stringify(result.faults));
  const { settings } = result.configuration;
  return {
    settings,
    ipv6: false,
    focusPassword: settings["focus.password"],
    bridgePassword: settings["bridge.password"],
  };
};

/** The section's own TOML, all blocks as one file. */
const ours = (title: string): SliceContext => contextOf(blocks(title).filter(isToml).join("\n"));

const bridgeOf = (context: SliceContext) => bridgeSlice(context, TRUST, 0, undefined, "box.example.org");
const focusOf = (context: SliceContext) => focusSlice(context, TRUST, undefined);
const gatewayOf = (context: SliceContext): GatewayConfig =>
  gatewaySlice(context, {
    tls: TLS,
    rootCertificate: "",
    hosts: context.settings["gateway.hosts"],
    boxName: "box",
    staticFolder: "/",
    xmppHttp: undefined,
    focusHttp: undefined,
  });

/** `a.b { c = "d" }` as `a.b.c` → `d`: as much of HOCON as the page shows. */
const readHocon = (text: string): ReadonlyMap<string, string> => {
  const path: string[] = [];
  const values = new Map<string, string>();
  for (const line of text.split("\n").map((raw) => raw.trim())) {
    if (line === "" || line.startsWith("#")) continue;
    const [, opened] = /^([\w.-]+) \{$/.exec(line) ?? [];
    const [, key, value] = /^([\w.-]+) = "?([^"]*)"?$/.exec(line) ?? [];
    if (opened !== undefined) path.push(opened);
    else if (line === "}") path.pop();
    else if (key !== undefined && value !== undefined) values.set([...path, key].join("."), value);
    else throw new Error(`not understood: ${line}`);
  }
  expect(path).toEqual([]);
  return values;
};

const hocon = (title: string): ReadonlyMap<string, string> =>
  readHocon(blocks(title).find((block) => /^# \w+\.conf\n\w+ \{/.test(block)) ?? "");

test("our bridge in place of Jitsi Videobridge", () => {
  const context = ours("Our bridge in place of Jitsi Videobridge");
  expect(context.settings["server.tls"]).toStartWith("pin:");
  expect(bridgeOf(context)).toMatchObject({
    login: { host: "192.0.2.10", port: 5222, domain: "auth.meet.jitsi", user: "jvb", password: "password-of-jvb" },
    brewery: "jvbbrewery@internal-muc.meet.jitsi",
    mediaPort: 10_000,
    lan: true,
    colibri: { host: "0.0.0.0", port: 9090 },
    channelHost: "meet.example.org",
    serverId: "jvb2",
  });
});

test("Jitsi Videobridge in place of our bridge", () => {
  const title = "Jitsi Videobridge in place of our bridge";
  const context = ours(title);
  expect(context.settings["start.parts"]).toEqual(["xmpp", "focus", "gateway"]);
  const original = hocon(title);
  const shard = (key: string): string | undefined => original.get(`videobridge.apis.xmpp-client.configs.shard.${key}`);
  const { c2s, accounts } = xmppSlice(context, TLS);
  expect(c2s).toEqual({ host: "0.0.0.0", port: Number(shard("port")) });
  expect(accounts.map(({ user, domain }) => `${user}@${domain}`)).toContain(`${shard("username")}@${shard("domain")}`);
  expect(shard("muc_jids")).toBe(focusOf(context).brewery);
  const id = original.get("videobridge.websockets.server-id") ?? "";
  expect(new URL(gatewayOf(context).bridges[id] ?? "").port).toBe(
    original.get("videobridge.http-servers.public.port") ?? "",
  );
  // bridge.md 9.4, row 52: without these a JVB on a LAN is unhealthy, or its clients have no channel.
  expect(original.get("videobridge.health.require-valid-address")).toBe("false");
  expect(original.get("videobridge.websockets.enabled")).toBe("true");
});

test("our focus in place of Jicofo", () => {
  const context = ours("Our focus in place of Jicofo");
  expect(context.settings["server.tls"]).toBe("insecure");
  const slice = focusOf(context);
  expect(slice).toMatchObject({
    login: { host: "192.0.2.10", port: 5222, domain: "auth.meet.jitsi", user: "focus", password: "password-of-focus" },
    domains: { domain: "meet.jitsi", muc: "muc.meet.jitsi", focus: "focus.meet.jitsi" },
    brewery: "jvbbrewery@internal-muc.meet.jitsi",
    http: { port: 8888 },
  });
  expect(slice.component).toBeUndefined();
});

test("Jicofo in place of our focus", () => {
  const title = "Jicofo in place of our focus";
  const context = ours(title);
  expect(context.settings["start.parts"]).toEqual(["xmpp", "gateway", "bridge"]);
  const original = hocon(title);
  const client = (key: string): string => original.get(`jicofo.xmpp.client.${key}`) ?? "";
  const { c2s, accounts, domains, focusAccount } = xmppSlice(context, TLS);
  expect(c2s.port).toBe(Number(client("port")));
  expect(accounts).toContainEqual(
    expect.objectContaining({ user: client("username"), domain: client("domain"), admin: true }),
  );
  expect(focusAccount).toBe(`${client("username")}@${client("domain")}`);
  expect([client("xmpp-domain"), client("conference-muc-jid"), client("client-proxy")]).toEqual([
    domains.domain,
    domains.muc,
    domains.focus,
  ]);
  expect(original.get("jicofo.bridge.brewery-jid")).toBe(bridgeOf(context).brewery);
  expect(new URL(gatewayOf(context).focusHttp).port).toBe(original.get("jicofo.rest.port") ?? "");
});

test("our xmpp in place of Prosody", () => {
  const context = ours("Our xmpp in place of Prosody");
  expect(context.settings["start.parts"]).toEqual(["xmpp"]);
  const { accounts, c2s, http, domains } = xmppSlice(context, TLS);
  expect(accounts).toEqual([
    { user: "focus", domain: "auth.meet.jitsi", password: "password-of-focus", admin: true },
    { user: "jvb", domain: "auth.meet.jitsi", password: "password-of-jvb", admin: false },
    { user: "jibri", domain: "auth.meet.jitsi", password: "password-of-jibri", admin: true },
    { user: "recorder", domain: domains.hidden, password: "password-of-recorder", admin: false },
  ]);
  expect([c2s, http.port]).toEqual([{ host: "0.0.0.0", port: 5222 }, 5280]);
});

describe("Prosody in place of our xmpp", () => {
  const title = "Prosody in place of our xmpp";
  const [lua = "", toml = ""] = blocks(title);

  test("ours beside it names the component that its configuration opens", () => {
    const context = contextOf(toml);
    expect(context.settings["start.parts"]).toEqual(["focus", "gateway", "bridge"]);
    const { component, domains, brewery } = focusOf(context);
    expect(component).toEqual({
      host: "127.0.0.1",
      port: Number(/component_ports = \{ (\d+) \}/.exec(lua)?.[1]),
      secret: /component_secret = "([^"]*)"/.exec(lua)?.[1] ?? "",
    });
    const entries = [...lua.matchAll(/^(VirtualHost|Component) "([^"]*)"/gm)].map(
      ([, kind, name]) => `${kind} ${name}`,
    );
    expect(entries).toEqual([
      `VirtualHost ${domains.domain}`,
      `VirtualHost ${domains.auth}`,
      `Component ${domains.muc}`,
      `Component ${domains.internalMuc}`,
      `Component ${domains.focus}`,
    ]);
    expect(brewery).toEndWith(`@${domains.internalMuc}`);
    expect(gatewayOf(context).xmppHttp).toBe("http://127.0.0.1:5280");
  });

  test("Debian's Prosody loads it", () => {
    if (!existsSync("/usr/bin/prosodyctl"))
      throw new Error("prosody is not installed: install Debian's package prosody (./scripts/test does it as root)");
    const folder = mkdtempSync(join(tmpdir(), "parley-docs-"));
    try {
      const file = join(folder, "prosody.cfg.lua");
      writeFileSync(file, `run_as_root = true\ndata_path = ${JSON.stringify(folder)}\n${lua}\n`);
      // Registering loads the whole file, and fails where the host is not in it.
      const register = (host: string) =>
        spawnSync("prosodyctl", ["--config", file, "register", "focus", host, "a long password"], { stdio: "pipe" });
      expect(register("auth.meet.jitsi").status).toBe(0);
      expect(register("auth.elsewhere.jitsi").status).not.toBe(0);
      writeFileSync(file, `run_as_root = true\n${lua}\nVirtualHost {\n`);
      expect(register("auth.meet.jitsi").status).not.toBe(0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }, 30_000);
});

test("our gateway in place of nginx", () => {
  const context = ours("Our gateway in place of nginx");
  expect(context.settings["gateway.certificate"]).toBe("/etc/ssl/meet/fullchain.pem");
  expect(context.settings["gateway.key"]).toBe("/etc/ssl/meet/privkey.pem");
  expect(gatewayOf(context)).toMatchObject({
    hosts: ["meet.example.org"],
    xmppHttp: "http://192.0.2.10:5280",
    focusHttp: "http://192.0.2.10:8888",
    bridges: { jvb: "http://192.0.2.20:9090" },
  });
});

test("nginx in place of our gateway: its routes lead to our ports", () => {
  const title = "nginx in place of our gateway";
  const context = ours(title);
  expect(context.settings["start.parts"]).toEqual(["xmpp", "focus", "bridge"]);
  const nginx = blocks(title).find((block) => block.startsWith("# nginx")) ?? "";
  const upstream = new Map(
    [...nginx.matchAll(/location (?:= |~ )(\S+) \{\n([^}]*)\}/g)].flatMap(([, route = "", body = ""]) => {
      const [, origin] = /proxy_pass (http:\/\/[\d.:]+)/.exec(body) ?? [];
      return origin === undefined ? [] : [[route, origin] as const];
    }),
  );
  const bridge = bridgeOf(context);
  const id = serverId(context.settings, 0);
  expect(Object.fromEntries(upstream)).toEqual({
    "/xmpp-websocket": `http://127.0.0.1:${xmppSlice(context, TLS).http.port}`,
    "/http-bind": `http://127.0.0.1:${xmppSlice(context, TLS).http.port}`,
    [`^/colibri-ws/${id}/(.*)`]: `http://127.0.0.1:${bridge.colibri.port}`,
    "^/conference-request/v1(/.*)?$": `http://127.0.0.1:${focusOf(context).http.port}`,
  });
  // On the loopback nginx is the proxy whose X-Forwarded-For counts.
  expect(xmppSlice(context, TLS).http.host).toBe("127.0.0.1");
  expect(bridge.channelHost).toBe("meet.example.org");
});

test("Debian's names", () => {
  const context = ours("Debian's names");
  expect(bridgeOf(context)).toMatchObject({
    login: { domain: "auth.example.org" },
    brewery: "jvbbrewery@internal.auth.example.org",
  });
  const focus = focusOf(context);
  expect(focus.domains).toEqual({
    domain: "example.org",
    auth: "auth.example.org",
    muc: "conference.example.org",
    internalMuc: "internal.auth.example.org",
    focus: "focus.example.org",
    hidden: "recorder.example.org",
  });
  expect([focus.login.domain, focus.brewery]).toEqual(["auth.example.org", "jvbbrewery@internal.auth.example.org"]);
  expect(xmppSlice(context, TLS).focusAccount).toBe("focus@auth.example.org");
  expect(gatewayOf(context).domains).toEqual(focus.domains);
});
