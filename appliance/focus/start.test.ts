/**
 * The shells against the real thing: service logins and the whole focus at a plain Prosody of Debian (no Jitsi plugins), with its component,
 * a bridge that answers as one, and clients that are accounts; then its HTTP.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash, X509Certificate } from "node:crypto";
import { connect, createServer, type Server, type Socket } from "node:net";
import { Prosody } from "../../tests/e2e/prosody.ts";
import { until } from "../../tests/e2e/until.ts";
import { armGuard, disarmGuard, useRealTime } from "../../tests/real-time.ts";
import type { ServerTrust } from "../config.ts";
import { silentLogger } from "../log.ts";
import { Metrics } from "../metrics.ts";
import type { RunningPart } from "../part.ts";
import { conferenceModifiedElement, endpoint, isColibriFault, readConferenceModify } from "../wire/colibri2.ts";
import { NS } from "../wire/namespaces.ts";
import { errorReply, iqResult } from "../wire/stanza.ts";
import { attr, child, type Element, xml } from "../wire/xml.ts";
import { XmppSession, type XmppSessionHandlers } from "../xmpp-session.ts";
import { startFocus } from "./start.ts";

useRealTime();

const PASSWORD = "a long password \u00e9";
const OTHER_ROOT = `-----BEGIN CERTIFICATE-----
MIIBgjCCASegAwIBAgIUZnTEmrfVphIGH/FdP7SMXXgssS8wCgYIKoZIzj0EAwIw
FTETMBEGA1UEAwwKb3RoZXItcm9vdDAgFw0yNjExMjExMjI3MDBaGA8yMTI2MTAy
ODEyMjcwMFowFTETMBEGA1UEAwwKb3RoZXItcm9vdDBZMBMGByqGSM49AgEGCCqG
SM49AwEHA0IABEAaGPTKtG1F7sd/1sqIBG7yfBJfMYEXVdB2/yCcmqNDHHjFqhf9
pIPnAWH4qlAzIZlcbeBk1nBOkQLEGWCiMcSjUzBRMB0GA1UdDgQWBBQwbXybyrm9
jT/FjFUNEzHPcR0SsTAfBgNVHSMEGDAWgBQwbXybyrm9jT/FjFUNEzHPcR0SsTAP
BgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQDVG2VGq/xztGADU++i
VZqNwQaQF4uSeev7RwgpHM1gkgIhANmDVfhnlp9QPMyi+dWN5P7+8lCUotpmgeDh
KtyZF+cD
-----END CERTIFICATE-----`;

let prosody: Prosody;
const open: { stop(deadlineMs: number): Promise<unknown> }[] = [];

beforeAll(async () => {
  const users = ["focus", "jvb", "ana", "ben"].map((user) => ({ user, password: PASSWORD }));
  prosody = await Prosody.start({ accounts: users });
}, 30_000);
afterAll(async () => {
  disarmGuard(); // useRealTime's own hook has run before this one
  await Promise.all(open.map((each) => each.stop(1_000)));
  await prosody?.stop();
  armGuard();
});

function session(
  user: string,
  options: {
    tls?: ServerTrust;
    password?: string;
    port?: number;
    resource?: string;
    handlers?: Partial<XmppSessionHandlers>;
    management?: "off" | "without-resumption" | "resumption";
  } = {},
): XmppSession {
  const made = new XmppSession({
    host: "127.0.0.1",
    port: options.port ?? prosody.ports.c2s,
    tls: options.tls ?? { kind: "ca", certificates: prosody.certificate },
    log: silentLogger,
    stream: {
      domain: `auth.${prosody.domain}`,
      identity: { kind: "user", user, password: options.password ?? PASSWORD, resource: options.resource ?? "r" },
      streamManagement: options.management ?? "off",
      pingTo: `auth.${prosody.domain}`,
    },
    handlers: { online() {}, stanza() {}, offline() {}, ...options.handlers },
  });
  open.push(made);
  made.start();
  return made;
}

const online = (made: XmppSession): Promise<unknown> =>
  until(
    "a login",
    5_000,
    () => made.online,
    () => made.health() ?? "",
  );
/** The first thing that is wrong. */
const refusal = (made: XmppSession): Promise<string> =>
  new Promise((resolve) => {
    const timer = setInterval(() => {
      const fault = made.health();
      if (fault === "not connected yet" || fault === "logging in" || fault === undefined) return;
      clearInterval(timer);
      resolve(fault);
    }, 10);
  });

describe("a service's login", () => {
  test("with the server's own root; the answer to a request comes back", async () => {
    const made = session("ana");
    await online(made);
    const outcome = await made.request(
      xml("iq", { type: "get", to: `muc.${prosody.domain}` }, xml("query", { xmlns: NS.discoInfo })),
    );
    expect(outcome.kind).toBe("result");
    const refused = await made.request(
      xml("iq", { type: "get", to: `auth.${prosody.domain}` }, xml("x", { xmlns: "urn:none" })),
    );
    expect(refused.kind).toBe("error");
    const silent = await made.request(
      xml("iq", { type: "get", to: `ana@auth.${prosody.domain}/r` }, xml("x", { xmlns: "urn:none" })),
      100,
    );
    expect(silent.kind).toBe("timeout");
    await made.stop(1_000);
  });

  test("with a pin, and refused with another", async () => {
    const sha256 = createHash("sha256").update(new X509Certificate(prosody.certificate).raw).digest("hex");
    const good = session("ana", { tls: { kind: "pin", sha256 }, resource: "pin" });
    await online(good);
    await good.stop(1_000);
    const bad = session("ana", { tls: { kind: "pin", sha256: "00".repeat(32) } });
    expect(await refusal(bad)).toContain(`its SHA-256 is ${sha256}, not the pinned`);
    expect(bad.send(xml("presence"))).toBe(false);
    await bad.stop(1_000);
  });

  test.each([
    ["a wrong password", { password: "wrong" }, "wrong user or password"],
    ["another root", { tls: { kind: "ca", certificates: OTHER_ROOT } as ServerTrust }, "certificate is refused"],
    [
      "a root that is none",
      { tls: { kind: "ca", certificates: "nonsense" } as ServerTrust },
      "certificates to trust are unusable",
    ],
    ["nobody there", { port: 1 }, "unreachable"],
  ])("%s is said in words", async (_, options, words) => {
    const made = session("ana", options);
    expect(await refusal(made)).toContain(words);
    await made.stop(1_000);
  });

  test("a lost connection is resumed, and what was sent meanwhile arrives", async () => {
    const proxy = await cuttable(prosody.ports.c2s);
    const events: string[] = [];
    const received: string[] = [];
    const made = session("ben", {
      port: proxy.port,
      resource: "resumes",
      management: "resumption",
      handlers: {
        online: (_, resumed) => events.push(resumed ? "resumed" : "online"),
        offline: () => events.push("offline"),
        stanza: (stanza) => received.push(attr(stanza, "id") ?? ""),
      },
    });
    await online(made);
    proxy.cut();
    await until("the loss", 5_000, () => !made.online);
    expect(made.send(xml("message", { to: `ben@auth.${prosody.domain}/resumes`, id: "while-away" }))).toBe(true);
    await until("the resumption", 5_000, () => events.includes("resumed"));
    await until("the message", 5_000, () => received.includes("while-away"));
    expect(events).toEqual(["online", "resumed"]);
    await made.stop(1_000);
    await proxy.close();
  });
});

describe("the focus at a plain Prosody", () => {
  let focus: RunningPart;
  const room = (): string => `standup@muc.${prosody.domain}`;
  const brewery = (): string => `jvbbrewery@internal-muc.${prosody.domain}`;
  const http = (path: string, init?: RequestInit): Promise<Response> =>
    fetch(`http://127.0.0.1:${focus.ports["http"]}${path}`, init);
  const offers = new Map<string, string>();

  beforeAll(async () => {
    const { domain } = prosody;
    focus = await startFocus(
      {
        login: {
          host: "127.0.0.1",
          port: prosody.ports.c2s,
          domain: `auth.${domain}`,
          user: "focus",
          password: PASSWORD,
          tls: { kind: "ca", certificates: prosody.certificate },
        },
        domains: {
          domain,
          auth: `auth.${domain}`,
          muc: `muc.${domain}`,
          internalMuc: `internal-muc.${domain}`,
          focus: `focus.${domain}`,
          hidden: `hidden.${domain}`,
        },
        brewery: brewery(),
        http: { host: "127.0.0.1", port: 0 },
        component: { host: "127.0.0.1", port: prosody.ports.component, secret: prosody.componentSecret },
        sctp: "off",
        minParticipants: 2,
        maxSsrcsPerParticipant: 20,
        maxParticipants: 80,
      },
      { log: silentLogger, metrics: new Metrics() },
    );
    open.push(focus);
    await until(
      "the focus",
      5_000,
      () => focus.health() === undefined,
      () => focus.health() ?? "",
    );
  });

  test("clients ask its component, it makes and owns the room, both are offered a session on the bridge", async () => {
    const bridge = session("jvb", { handlers: { stanza: (stanza) => answerAsBridge(bridge, stanza) } });
    await online(bridge);
    bridge.send(
      xml(
        "presence",
        { to: `${brewery()}/jvb1` },
        xml("x", { xmlns: NS.muc }),
        xml("stats", { xmlns: NS.colibri }, xml("stat", { name: "drain", value: "false" })),
      ),
    );
    for (const user of ["ana", "ben"]) {
      const client = session(user, {
        resource: "meets",
        handlers: {
          stanza: (stanza) => {
            if (stanza.getName() !== "iq" || attr(stanza, "type") === "result") return;
            client.send(iqResult(stanza));
            if (child(stanza, "jingle") !== undefined) offers.set(user, String(stanza));
          },
        },
      });
      await online(client);
      const asked = await client.request(
        xml("iq", { type: "set", to: `focus.${prosody.domain}` }, xml("conference", { xmlns: NS.focus, room: room() })),
      );
      const conference = asked.kind === "result" ? child(asked.stanza, "conference", NS.focus) : undefined;
      expect(conference?.attrs).toMatchObject({ ready: "true", focusjid: `focus@auth.${prosody.domain}` });
      client.send(xml("presence", { to: `${room()}/${user}12345` }, xml("x", { xmlns: NS.muc })));
    }
    await until("both offers", 5_000, () => offers.size === 2);
    for (const offer of offers.values()) {
      expect(offer).toContain("session-initiate");
      expect(offer).toContain("the-bridge");
    }
  });

  test("its HTTP: health, statistics, metrics, debug", async () => {
    expect(await (await http("/about/health")).text()).toBe("OK");
    expect(await (await http("/stats")).json()).toMatchObject({
      conferences: 1,
      participants: 2,
      largest_conference: 2,
      bridge_selector: { bridge_count: 1, operational_bridge_count: 1 },
      jingle: { sent: { SESSION_INITIATE: 2 } },
    });
    const metrics = await http("/metrics");
    expect(metrics.headers.get("content-type")).toContain("openmetrics");
    expect(await metrics.text()).toMatch(/jitsi_jicofo_participants_current 2\n[\s\S]*# EOF\n$/);
    expect(await (await http("/metrics", { headers: { accept: "text/plain" } })).text()).toContain(
      "# TYPE jitsi_jicofo_conferences_created_total counter",
    );
    expect(await (await http("/metrics", { headers: { accept: "application/json" } })).json()).toMatchObject({
      conferences_created_total: 1,
    });
    expect(await (await http("/debug/conferences")).json()).toEqual([room()]);
    expect(await (await http(`/debug/conference/${encodeURIComponent(room())}`)).json()).toMatchObject({
      name: room(),
    });
    expect(await (await http("/debug?full=true")).json()).toMatchObject({
      focus_manager: { [room()]: { name: room() } },
    });
    expect(Object.keys((await (await http("/debug/conferences-full")).json()) as object)).toEqual([room()]);
    expect((await http("/debug/xmpp-caps")).status).toBe(200);
    expect((await http("/rtcstats")).status).toBe(200);
    for (const path of ["/rooms", "/nosuch", "/debug/conference/none", "/debug/conference/%"])
      expect((await http(path)).status).toBeGreaterThan(399);
  });

  test("its HTTP: conference requests, good and bad", async () => {
    const post = (body: string): Promise<Response> =>
      http("/conference-request/v1", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    const good = await post(JSON.stringify({ room: `other@muc.${prosody.domain}`, machineUid: "m" }));
    expect(await good.json()).toMatchObject({ ready: true, focusJid: `focus@auth.${prosody.domain}` });
    for (const body of [
      "not json",
      "[]",
      '{"machineUid":"x"}',
      '{"room":"x@elsewhere.test"}',
      "",
      "x".repeat(100_000),
    ]) {
      const answer = await post(body);
      expect(answer.status).toBeGreaterThanOrEqual(400);
      expect(answer.status).toBeLessThan(500);
    }
    expect((await http("/conference-request/v1")).status).toBe(405);
    const preflight = await http("/conference-request/v1", { method: "OPTIONS" });
    expect(preflight.headers.get("access-control-allow-headers")).toContain("Content-Type");
  });

  test("its HTTP: pins, drain, moving endpoints", async () => {
    const post = (path: string, body: unknown): Promise<Response> =>
      http(path, { method: "POST", body: JSON.stringify(body) });
    expect((await post("/pin", { conferenceId: room(), jvbVersion: "9", durationMinutes: 5 })).status).toBe(200);
    expect(await (await http("/pin")).json()).toMatchObject([{ conferenceId: room(), jvbVersion: "9" }]);
    expect((await post("/pin", { conferenceId: 5 })).status).toBe(400);
    expect((await post("/pin/remove", { conferenceId: room() })).status).toBe(200);
    expect((await post("/pin/remove", { conferenceId: room() })).status).toBe(404);
    expect((await post("/drain/enable", {})).status).toBe(200);
    expect(await (await http("/drain")).json()).toEqual({ drain: true });
    await post("/drain/disable", {});
    for (const headers of [{ origin: "https://evil.test" }, { "sec-fetch-site": "cross-site" }]) {
      expect((await http("/drain/enable", { method: "POST", headers })).status).toBe(403);
      expect((await http("/move-endpoints/move-fraction?bridge=jvb1&fraction=1", { headers })).status).toBe(403);
      expect((await http("/stats", { headers })).status).toBe(200);
    }
    expect(await (await http("/drain")).json()).toEqual({ drain: false });
    const move = (path: string): Promise<Response> => http(`/move-endpoints/${path}`);
    expect(await (await move("move-endpoints?bridge=jvb1&numEndpoints=2")).json()).toEqual({
      movedEndpoints: 0,
      conferences: 0,
    }); // no other bridge
    expect((await move("move-endpoints?bridge=nosuch")).status).toBe(404);
    expect((await move("move-fraction?bridge=jvb1&fraction=2")).status).toBe(400);
    expect((await move("move-endpoint?conference=x")).status).toBe(400);
    expect(
      (await move(`move-endpoint?conference=${encodeURIComponent(room())}&endpoint=ana12345&bridge=other`)).status,
    ).toBe(400);
  });

  test("it stops at once, and leaves its rooms", async () => {
    const before = performance.now();
    await focus.stop(2_000);
    expect(performance.now() - before).toBeLessThan(1_500);
    expect(
      http("/about/health").then(
        () => "answered",
        () => "closed",
      ),
    ).resolves.toBe("closed");
  });
});

function answerAsBridge(bridge: XmppSession, stanza: Element): void {
  if (stanza.getName() !== "iq" || attr(stanza, "type") !== "get") return;
  const element = child(stanza, "conference-modify", NS.colibri2);
  const modify = element === undefined ? undefined : readConferenceModify(element);
  if (modify === undefined) {
    bridge.send(iqResult(stanza));
    return;
  }
  if (isColibriFault(modify)) {
    bridge.send(errorReply(stanza, { condition: "bad-request" }));
    return;
  }
  const ice = {
    ufrag: "the-bridge",
    pwd: "its-password",
    rtcpMux: true,
    fingerprints: [],
    candidates: [],
    webSockets: [],
  };
  const endpoints = modify.endpoints.map((each) =>
    endpoint(
      each.id,
      each.create ? { transport: { iceControlling: false, useUniquePort: false, iceRestart: false, ice } } : {},
    ),
  );
  bridge.send(iqResult(stanza, conferenceModifiedElement({ endpoints, relays: [] })));
}

/** A TCP relay whose connections can be cut, as a network does it. */
async function cuttable(port: number): Promise<{ port: number; cut(): void; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((near) => {
    const far = connect(port, "127.0.0.1");
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("data", (chunk) => to.write(chunk));
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      from.on("error", () => from.destroy());
    }
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    cut() {
      for (const each of sockets) each.destroy();
    },
    close: () =>
      new Promise((done) => {
        for (const each of sockets) each.destroy();
        server.close(() => done());
      }),
  };
}
