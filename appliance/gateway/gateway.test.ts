import { describe, expect, test } from "bun:test";
import { createContext, runInContext } from "node:vm";
import type { GatewayConfig } from "../config.ts";
import { Gateway, type GatewayAnswer, type RequestSource } from "./gateway.ts";
import type { StaticFile, StaticTable } from "./static-files.ts";

const file = (name: string, encodings: StaticFile["encodings"] = {}): [string, StaticFile] => [
  name,
  { location: `/pages/${name}`, size: 1_000, digest: "d1", encodings },
];

const FILES: StaticTable = new Map([
  file("index.html"),
  file("robots.txt"),
  file("admin/index.html"),
  file("assets/main-a1b2c3d4.js", {
    br: { location: "/pages/assets/main-a1b2c3d4.js.br", size: 200 },
    gzip: { location: "/pages/assets/main-a1b2c3d4.js.gz", size: 300 },
  }),
  file("libs/external_api.min.js"),
  file("sounds/join.wav"),
]);

const CONFIG: GatewayConfig = {
  https: { host: "127.0.0.1", port: 443 },
  http: { host: "127.0.0.1", port: 80 },
  tls: { certificateChain: "", privateKey: "" },
  hosts: ["localhost", "127.0.0.1", "box.local", "10.0.0.5", "fd00::5"],
  staticFolder: "/pages",
  domains: {
    domain: "meet.jitsi",
    auth: "auth.meet.jitsi",
    muc: "muc.meet.jitsi",
    internalMuc: "internal-muc.meet.jitsi",
    focus: "focus.meet.jitsi",
    hidden: "hidden.meet.jitsi",
  },
  xmppHttp: "http://127.0.0.1:5280",
  focusHttp: "http://127.0.0.1:8888",
  bridges: { far: "http://10.0.0.9:9090" },
  focusAccount: "focus@auth.meet.jitsi",
  rootCertificate: "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n",
  frameAncestors: ["'self'"],
  relaysPerAddress: 10,
  lan: true,
  clients: { ssrcRewriting: false, sctp: "fallback", recorders: false },
  client: { resolution: 360 },
  boxName: "box",
};

const SECURE: RequestSource = { remoteAddress: "10.0.0.77", secure: true, httpsPort: 443 };
const PLAIN: RequestSource = { ...SECURE, secure: false };
const HOME: RequestSource = { ...PLAIN, remoteAddress: "127.0.0.1" };

const gateway = new Gateway(CONFIG, FILES, () => "parley_x 1\n");
gateway.setBridges({ jvb: "http://127.0.0.1:9090" });

interface Ask {
  readonly method?: string;
  readonly host?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly from?: RequestSource;
}

/** As Bun hands it over: the path in `url` is as on the wire. */
const ask = (
  target: string,
  { method = "GET", host = "box.local", headers = {}, from = SECURE }: Ask = {},
): GatewayAnswer =>
  gateway.handle(
    {
      method,
      url: `https://${host}${target}`,
      headers: new Headers({ ...(host === "" ? {} : { host }), ...headers }),
    } as Request,
    from,
  );

const WEBSOCKET = { upgrade: "websocket", connection: "Upgrade" };
const XMPP = { ...WEBSOCKET, "sec-websocket-protocol": "xmpp" };

/** In short: status and file, or what is relayed or forwarded where. */
const short = (answer: GatewayAnswer): string => {
  if (answer.type === "answer") {
    const location =
      typeof answer.body === "object" && !(answer.body instanceof Uint8Array) ? ` ${answer.body.location}` : "";
    return `${answer.status}${location}${answer.headers["Location"] === undefined ? "" : ` to ${answer.headers["Location"]}`}`;
  }
  if (answer.type === "health") return answer.detailed ? "health with its reasons" : "health";
  return `${answer.type} ${answer.url}`;
};

describe("routes", () => {
  const rows: readonly (readonly [string, string, Ask?])[] = [
    ["/", "200 /pages/index.html"],
    ["/MyRoom", "200 /pages/index.html"],
    ["/R%C3%A4ume", "200 /pages/index.html"],
    ["/robots.txt", "200 /pages/robots.txt"],
    ["/admin", "200 /pages/admin/index.html"],
    ["/admin/", "200 /pages/admin/index.html"],
    ["/missing.js", "404"],
    ["/assets/missing.css", "404"],
    ["/assets/main-a1b2c3d4.js", "200 /pages/assets/main-a1b2c3d4.js"],
    ["//external_api.js", "200 /pages/libs/external_api.min.js", { method: "HEAD" }],
    ["/team/MyRoom", "200 /pages/index.html"],
    ["/team/robots.txt", "200 /pages/robots.txt"],
    ["/team/assets/main-a1b2c3d4.js", "200 /pages/assets/main-a1b2c3d4.js"],
    ["/a/b/c", "404"],
    ["/room:1", "404"],
    ["/ro'om", "404"],
    ["/config.js", "200"],
    ["/team/config.js", "200"],
    ["/_unlock", "200"],
    ["/about/health", "health"],
    ["/probe", "200"],
    ["/box.crt", "200"],
    ["/box.mobileconfig", "200"],
    ["/xmpp-websocket?room=x", "200"],
    ["/xmpp-websocket?room=x", "relay ws://127.0.0.1:5280/xmpp-websocket?prefix=&room=x", { headers: XMPP }],
    [
      "/team/xmpp-websocket?room=x&prefix=other&token=t",
      "relay ws://127.0.0.1:5280/xmpp-websocket?prefix=team&room=x&token=t",
      { headers: XMPP },
    ],
    ["/xmpp-websocket", "400", { headers: WEBSOCKET }],
    ["/xmpp-websocket", "405", { method: "POST" }],
    ["/http-bind", "forward http://127.0.0.1:5280/http-bind?prefix=", { method: "POST" }],
    ["/team/http-bind?room=x", "forward http://127.0.0.1:5280/http-bind?prefix=team&room=x", { method: "POST" }],
    ["/conference-request/v1?room=x", "forward http://127.0.0.1:8888/conference-request/v1?room=x", { method: "POST" }],
    ["/conference-request/v1", "204", { method: "OPTIONS" }],
    ["/_api/room-info?room=x", "forward http://127.0.0.1:5280/room-info?prefix=&room=x"],
    [
      "/colibri-ws/jvb/c0nf/ep1?pwd=s",
      "relay ws://127.0.0.1:9090/colibri-ws/jvb/c0nf/ep1?pwd=s",
      { headers: WEBSOCKET },
    ],
    [
      "/colibri-relay-ws/jvb/c0nf/relay-2?pwd=s",
      "relay ws://127.0.0.1:9090/colibri-relay-ws/jvb/c0nf/relay-2?pwd=s",
      { headers: WEBSOCKET },
    ],
    [
      "/colibri-ws/far/c0nf/ep1?pwd=s",
      "relay ws://10.0.0.9:9090/colibri-ws/far/c0nf/ep1?pwd=s",
      { headers: WEBSOCKET },
    ],
    ["/colibri-ws/jvb/c0nf/ep1?pwd=s", "426"],
    ["/colibri-ws/nobody/c0nf/ep1?pwd=s", "404", { headers: WEBSOCKET }],
    ["/colibri-ws/__proto__/c0nf/ep1?pwd=s", "404", { headers: WEBSOCKET }],
    ["/colibri-ws/jvb/c0nf", "404", { headers: WEBSOCKET }],
    ["/colibri-ws/jvb/c0nf/ep1/more", "404", { headers: WEBSOCKET }],
    ["/config.js", "405", { method: "DELETE" }],
    ["/MyRoom", "405", { method: "POST" }],
  ];
  for (const [target, expected, options] of rows)
    test(`${options?.method ?? "GET"} ${target}${options?.headers === undefined ? "" : " (upgrade)"}: ${expected}`, () =>
      expect(short(ask(target, options))).toBe(expected));
});

describe("no way out of the folder", () => {
  const rows = [
    "/../etc/passwd",
    "/..%2fetc/passwd",
    "/%2e%2e/etc/passwd",
    "/%2E%2E%2Fetc%2Fpasswd",
    "/assets/../../etc/passwd",
    "/assets/..",
    "/./index.html",
    "/..\\..\\etc\\passwd",
    "/%5c..%5c",
    "/index.html%00.js",
    "/%",
    "/%zz",
    "/%ff%fe",
    `/${"a/".repeat(2_000)}`,
  ];
  for (const target of rows)
    test(target.slice(0, 40), () => {
      const answer = ask(target);
      expect(answer.type).toBe("answer");
      if (answer.type === "answer") expect([400, 404]).toContain(answer.status);
    });

  test("hidden names are nothing, and a path that looks like one outside is a tenant's room", () => {
    for (const target of ["/.git/config", "/.stamp", "/assets/.stamp"]) expect(short(ask(target))).toBe("404");
    expect(short(ask("//etc/passwd"))).toBe("200 /pages/index.html");
  });
});

describe("hosts", () => {
  const rows: readonly (readonly [string, number])[] = [
    ["box.local", 200],
    ["BOX.local:8443", 200],
    ["box.local.", 200],
    ["10.0.0.5:443", 200],
    ["[fd00::5]:443", 200],
    ["evil.example", 421],
    ["box.local.evil.example", 421],
    ["10.0.0.6", 421],
    ["", 400],
    ["box.local@evil", 400],
    ["box.local:port", 400],
    [`${"a".repeat(300)}`, 400],
  ];
  for (const [host, status] of rows)
    test(`${host === "" ? "(none)" : host.slice(0, 40)}: ${status}`, () => {
      const answer = ask("/", { host });
      expect(answer.type === "answer" ? answer.status : 0).toBe(status);
    });

  test("new names are taken over while running", () => {
    const one = new Gateway(CONFIG, FILES, () => "parley_x 1\n");
    one.setIdentity(CONFIG.tls, ["new.local"]);
    const request = (host: string) =>
      one.handle({ method: "GET", url: `https://${host}/`, headers: new Headers({ host }) } as Request, SECURE);
    expect(short(request("new.local"))).toBe("200 /pages/index.html");
    expect(short(request("box.local"))).toBe("421");
  });
});

describe("plain HTTP", () => {
  const rows: readonly (readonly [string, string, Ask?])[] = [
    ["/MyRoom?a=b", "302 to https://box.local/MyRoom?a=b"],
    ["/MyRoom", "302 to https://box.local:8443/MyRoom", { from: { ...PLAIN, httpsPort: 8443 } }],
    ["/MyRoom", "302 to https://[fd00::5]/MyRoom", { host: "[fd00::5]:80" }],
    ["/MyRoom", "200 /pages/index.html", { host: "localhost:8000", from: HOME }],
    [
      "/MyRoom",
      "200 /pages/index.html",
      { host: "127.0.0.1:8000", from: { ...HOME, remoteAddress: "::ffff:127.0.0.1" } },
    ],
    ["/MyRoom", "302 to https://localhost/MyRoom", { host: "localhost:8000" }],
    ["/metrics", "200", { host: "localhost:8000", from: HOME }],
    ["/about/health", "health with its reasons", { host: "localhost:8000", from: HOME }],
    ["/about/health", "405", { method: "POST" }],
    ["/metrics", "302 to https://localhost/metrics", { host: "localhost:8000" }],
    [
      "/xmpp-websocket",
      "relay ws://127.0.0.1:5280/xmpp-websocket?prefix=",
      { host: "localhost:8000", headers: XMPP, from: HOME },
    ],
    ["/box.crt", "200"],
    ["/box.mobileconfig", "200"],
    ["/about/health", "health"],
    ["/http-bind", "403", { method: "POST" }],
  ];
  for (const [target, expected, options] of rows)
    test(`${target} at ${options?.host ?? "box.local"}: ${expected}`, () =>
      expect(short(ask(target, { from: PLAIN, ...options }))).toBe(expected));
});

describe("headers", () => {
  test("pages carry a strict policy that lets the meeting work, and no HSTS", () => {
    const answer = ask("/MyRoom", { host: "box.local:8443" });
    if (answer.type !== "answer") throw new Error("no answer");
    const policy = answer.headers["Content-Security-Policy"] ?? "";
    expect(policy).toContain("default-src 'self'");
    expect(policy).toContain("connect-src 'self' wss://box.local:8443");
    expect(policy).toContain("frame-ancestors 'self'");
    expect(policy).not.toContain("unsafe-inline");
    expect(policy).not.toContain("'unsafe-eval'");
    expect(answer.headers["Permissions-Policy"]).toContain("camera=(self)");
    expect(answer.headers["Strict-Transport-Security"]).toBeUndefined();
  });

  const rows: readonly (readonly [
    string,
    Readonly<Record<string, string>>,
    string,
    Readonly<Record<string, string | undefined>>,
  ])[] = [
    [
      "/assets/main-a1b2c3d4.js",
      {},
      "200 /pages/assets/main-a1b2c3d4.js",
      { "Cache-Control": "public, max-age=31536000, immutable", ETag: '"d1"', Vary: "Accept-Encoding" },
    ],
    [
      "/assets/main-a1b2c3d4.js",
      { "accept-encoding": "gzip, deflate, br" },
      "200 /pages/assets/main-a1b2c3d4.js.br",
      { "Content-Encoding": "br", "Content-Length": "200", ETag: '"d1-br"' },
    ],
    [
      "/assets/main-a1b2c3d4.js",
      { "accept-encoding": "gzip, br;q=0" },
      "200 /pages/assets/main-a1b2c3d4.js.gz",
      { "Content-Encoding": "gzip" },
    ],
    ["/assets/main-a1b2c3d4.js", { "if-none-match": '"x", "d1"' }, "304", { ETag: '"d1"' }],
    [
      "/assets/main-a1b2c3d4.js",
      { "if-none-match": '"d1"', "accept-encoding": "br" },
      "200 /pages/assets/main-a1b2c3d4.js.br",
      {},
    ],
    ["/robots.txt", {}, "200 /pages/robots.txt", { "Cache-Control": "no-cache" }],
    ["/robots.txt?v=5", {}, "200 /pages/robots.txt", { "Cache-Control": "public, max-age=31536000, immutable" }],
    ["/sounds/join.wav", {}, "200 /pages/sounds/join.wav", { "Content-Type": "audio/wav", "Accept-Ranges": "bytes" }],
    [
      "/sounds/join.wav",
      { range: "bytes=0-99" },
      "206 /pages/sounds/join.wav",
      { "Content-Range": "bytes 0-99/1000", "Content-Length": "100" },
    ],
    [
      "/sounds/join.wav",
      { range: "bytes=-100" },
      "206 /pages/sounds/join.wav",
      { "Content-Range": "bytes 900-999/1000" },
    ],
    [
      "/sounds/join.wav",
      { range: "bytes=990-2000" },
      "206 /pages/sounds/join.wav",
      { "Content-Range": "bytes 990-999/1000" },
    ],
    ["/sounds/join.wav", { range: "bytes=1000-" }, "416", { "Content-Range": "bytes */1000" }],
    ["/sounds/join.wav", { range: "bytes=0-1,5-6" }, "200 /pages/sounds/join.wav", {}],
    ["/sounds/join.wav", { range: "bytes=0-9", "if-range": '"old"' }, "200 /pages/sounds/join.wav", {}],
  ];
  for (const [target, headers, expected, wanted] of rows)
    test(`${target} ${JSON.stringify(headers)}`, () => {
      const answer = ask(target, { headers });
      expect(short(answer)).toBe(expected);
      if (answer.type === "answer") expect(answer.headers).toMatchObject(wanted as Record<string, string>);
    });
});

describe("config.js", () => {
  const configOf = (target: string, options: Ask = {}): Record<string, unknown> => {
    const answer = ask(target, options);
    if (answer.type !== "answer" || typeof answer.body !== "string") throw new Error("no text");
    const match = /^var config = ([\s\S]+);\n$/.exec(answer.body);
    return JSON.parse(match?.[1] ?? "") as Record<string, unknown>;
  };

  test("addresses follow the name that was asked", () => {
    expect(configOf("/config.js", { host: "10.0.0.5:8443" })).toMatchObject({
      websocket: "wss://10.0.0.5:8443/xmpp-websocket",
      bosh: "https://10.0.0.5:8443/http-bind",
      hosts: { domain: "meet.jitsi", muc: "muc.meet.jitsi", focus: "focus.meet.jitsi" },
      focusUserJid: "focus@auth.meet.jitsi",
      p2p: { enabled: false, stunServers: [] },
    });
    expect(configOf("/config.js", { host: "localhost:8000", from: HOME })).toMatchObject({
      websocket: "ws://localhost:8000/xmpp-websocket",
    });
  });

  test("a tenant has rooms and addresses of its own", () => {
    expect(configOf("/Team.A/config.js")).toMatchObject({
      websocket: "wss://box.local/Team.A/xmpp-websocket",
      hosts: { muc: "muc.team_a.meet.jitsi" },
    });
  });

  test("an iPhone under the box's own root polls", () => {
    const headers = { "user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)" };
    expect(configOf("/config.js", { headers })).toMatchObject({
      preferBosh: true,
      bridgeChannel: { preferSctp: true },
    });
    expect(configOf("/config.js")).not.toHaveProperty("preferBosh");
  });

  test("what other parts do is told: guests, log-in, SSRC rewriting, channels", () => {
    const one = new Gateway(
      {
        ...CONFIG,
        clients: {
          guestDomain: "guest.meet.jitsi",
          loginUrl: "https://login.example/{room}",
          ssrcRewriting: true,
          sctp: "on",
          recorders: true,
        },
      },
      FILES,
      () => "",
    );
    const answer = one.handle(
      { method: "GET", url: "https://box.local/config.js", headers: new Headers({ host: "box.local" }) } as Request,
      SECURE,
    );
    const text = answer.type === "answer" ? String(answer.body) : "";
    expect(JSON.parse(text.slice("var config = ".length, -2))).toMatchObject({
      hosts: { domain: "meet.jitsi", anonymousdomain: "guest.meet.jitsi", authdomain: "meet.jitsi" },
      tokenAuthUrl: "https://login.example/{room}",
      flags: { ssrcRewritingEnabled: true },
      bridgeChannel: { preferSctp: true },
      recordingService: { enabled: true },
    });
  });

  test("an app asks with the room's name and runs it in a bare sandbox, where only data survives", () => {
    const answer = ask("/team/config.js?room=weekly&release=1", { host: "10.0.0.5:8443" });
    if (answer.type !== "answer") throw new Error("no answer");
    expect(answer.status).toBe(200); // nothing else counts for an app
    const sandbox = createContext({});
    const config = JSON.parse(runInContext(`${String(answer.body)}; JSON.stringify(config)`, sandbox)) as unknown;
    expect(config).toMatchObject({
      hosts: { domain: "meet.jitsi", muc: "muc.team.meet.jitsi", focus: "focus.meet.jitsi" },
      focusUserJid: "focus@auth.meet.jitsi",
      websocket: "wss://10.0.0.5:8443/team/xmpp-websocket",
      websocketKeepAliveUrl: "https://10.0.0.5:8443/team/_unlock",
      bosh: "https://10.0.0.5:8443/team/http-bind",
      enableIceRestart: true,
      p2p: { enabled: false, stunServers: [] }, // or apps would ask a public STUN server
    });
    // What it is asked every minute afterwards.
    const alive = ask("/team/_unlock?room=weekly", { host: "10.0.0.5:8443" });
    expect(alive).toMatchObject({ status: 200, body: "", headers: { "Access-Control-Allow-Origin": "*" } });
  });

  test("the owner's keys win", () => expect(configOf("/config.js")["resolution"]).toBe(360));

  test("nothing in it can end a script element", () => {
    const one = new Gateway({ ...CONFIG, client: { x: "</script><script>" } }, FILES, () => "");
    const answer = one.handle(
      { method: "GET", url: "https://box.local/config.js", headers: new Headers({ host: "box.local" }) } as Request,
      SECURE,
    );
    expect(answer.type === "answer" ? String(answer.body) : "").not.toContain("</script");
  });
});

test("metrics are for this machine itself", () => {
  const answer = ask("/metrics", { host: "localhost", from: HOME });
  expect(answer.type === "answer" ? answer.body : "").toBe("parley_x 1\n");
  const outside = ask("/metrics");
  expect(short(outside)).toBe("200 /pages/index.html");
});

test("without pages the answer says so", () => {
  const answer = new Gateway(CONFIG, new Map(), () => "").handle(
    { method: "GET", url: "https://box.local/x", headers: new Headers({ host: "box.local" }) } as Request,
    SECURE,
  );
  expect(short(answer)).toBe("503");
});
