/**
 * Our bridge under our XMPP server, driven by a focus of a few lines: log-in, brewery, health, colibri2, and what a lost server costs (nothing that flows).
 */

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { pinnedProvider } from "../appliance/bridge/media-loop/test-provider.ts";
import type { RunningPart } from "../appliance/part.ts";
import {
  conferenceModify,
  conferenceModifyElement,
  isColibriFault,
  readConferenceModified,
} from "../appliance/wire/colibri2.ts";
import { NS } from "../appliance/wire/namespaces.ts";
import { iq } from "../appliance/wire/stanza.ts";
import { attr, child, children, type Element, xml } from "../appliance/wire/xml.ts";
import { loopbackBridge } from "./bridge-config.ts";
import { BridgeFocus } from "./bridge-focus.ts";
import { Prosody } from "./e2e/prosody.ts";
import { MediaPeer, until } from "./media-peer.ts";
import { armGuard, disarmGuard, useRealTime } from "./real-time.ts";
import { TEST_ACCOUNTS, TEST_DOMAINS, TEST_LIMITS } from "./xmpp-dialogue.ts";

useRealTime();
// These read the clock when they are loaded: after the guard is down.
const { silentLogger } = await import("../appliance/log.ts");
const { Metrics } = await import("../appliance/metrics.ts");
const { startXmpp } = await import("../appliance/xmpp/start.ts");
const { MucSessions } = await import("../appliance/bridge/muc-sessions.ts");
const { startBridge } = await import("../appliance/bridge/start.ts");
const { XmppSession } = await import("../appliance/xmpp-session.ts");

const fixtures = new URL("../appliance/xmpp/fixtures/", import.meta.url).pathname;
const certificate = readFileSync(`${fixtures}meet.test.crt.pem`, "utf8");
const BREWERY = `jvbbrewery@${TEST_DOMAINS.internalMuc}`;
const environment = { log: silentLogger, metrics: new Metrics() };

const account = (name: string) => {
  const found = TEST_ACCOUNTS.find((each) => each.user === name);
  if (found === undefined) throw new Error(`the test server has no account ${name}`);
  return found;
};

const startServer = (port: number): Promise<RunningPart> =>
  startXmpp(
    {
      domains: TEST_DOMAINS,
      c2s: { host: "127.0.0.1", port },
      http: { host: "127.0.0.1", port: 0 },
      tls: { certificateChain: certificate, privateKey: readFileSync(`${fixtures}meet.test.key.pem`, "utf8") },
      accounts: TEST_ACCOUNTS,
      limits: TEST_LIMITS,
      focusAccount: `focus@${TEST_DOMAINS.auth}`,
      externalServices: [],
    },
    environment,
  );

/** A focus's log-in: in the brewery, with the presence of whoever is there. */
class Focus {
  readonly occupants = new Map<string, Element>();
  readonly session: InstanceType<typeof XmppSession>;

  constructor(port: number, domain = TEST_DOMAINS.auth, brewery = BREWERY) {
    const { user, password } = account("focus");
    this.session = new XmppSession({
      host: "127.0.0.1",
      port,
      stream: {
        domain,
        identity: { kind: "user", user, password, resource: "focus" },
        streamManagement: "off",
        pingTo: domain,
      },
      tls: { kind: "insecure" },
      log: silentLogger,
      handlers: {
        online: () => {
          this.occupants.clear();
          this.session.send(xml("presence", { xmlns: NS.client, to: `${brewery}/focus` }, xml("x", { xmlns: NS.muc })));
        },
        stanza: (stanza) => {
          const from = attr(stanza, "from") ?? "";
          if (stanza.getName() !== "presence" || !from.startsWith(`${brewery}/`)) return;
          if (attr(stanza, "type") === "unavailable") this.occupants.delete(from);
          else this.occupants.set(from, stanza);
        },
        offline: () => this.occupants.clear(),
      },
    });
    this.session.start();
  }

  /** Occupant address of a bridge whose statistics are known. */
  bridge(): string | undefined {
    for (const [from, presence] of this.occupants) if (child(presence, "stats", NS.colibri) !== undefined) return from;
    return undefined;
  }

  stat(name: string): string | undefined {
    const presence = this.occupants.get(this.bridge() ?? "");
    const stats = presence === undefined ? undefined : child(presence, "stats", NS.colibri);
    const found = stats === undefined ? undefined : children(stats, "stat").find((each) => attr(each, "name") === name);
    return found === undefined ? undefined : attr(found, "value");
  }
}

let server: RunningPart;
let bridge: RunningPart;
let focus: Focus;
beforeAll(async () => {
  server = await startServer(0);
  const port = server.ports["xmpp"] ?? 0;
  const { user, password } = account("jvb");
  bridge = await startBridge(
    loopbackBridge({
      login: { host: "127.0.0.1", port, domain: TEST_DOMAINS.auth, user, password, tls: { kind: "insecure" } },
      brewery: BREWERY,
      srtpProvider: pinnedProvider(),
    }),
    environment,
  );
  focus = new Focus(port);
});
afterAll(async () => {
  disarmGuard();
  await bridge.stop(1_000);
  await focus.session.stop(500);
  await server.stop(1_000);
  armGuard();
});

test("the bridge is in the brewery, healthy, not draining, and answers a focus there", async () => {
  await until("the bridge's statistics", () => focus.bridge() !== undefined);
  expect(bridge.health()).toBeUndefined();
  for (const [name, value] of [
    ["drain", "false"],
    ["healthy", "true"],
    ["graceful_shutdown", "false"],
    ["relay_id", "box-1"],
  ] as const)
    expect(focus.stat(name)).toBe(value);
  const to = focus.bridge() ?? "";
  const health = await focus.session.request(iq("get", { to }, xml("healthcheck", { xmlns: NS.health })));
  expect(health.kind).toBe("result");

  const peer = await MediaPeer.open({
    id: "aaaaaaaa",
    ssrc: 1000,
    channelUrl: new BridgeFocus(bridge.ports, "").channelUrl,
  });
  const ask = async (request: Element): Promise<Element> => {
    const outcome = await focus.session.request(iq("get", { to }, request));
    if (outcome.kind !== "result")
      throw new Error(JSON.stringify(outcome.kind === "error" ? String(outcome.stanza) : outcome.kind));
    return child(outcome.stanza, "conference-modified", NS.colibri2) as Element;
  };
  const answer = readConferenceModified(
    await ask(
      conferenceModifyElement(
        conferenceModify("m-xmpp", { create: true, name: "room@muc.meet.test", endpoints: [peer.allocation()] }),
      ),
    ),
  );
  if (isColibriFault(answer)) throw new Error(answer.text);
  await ask(conferenceModifyElement(conferenceModify("m-xmpp", { endpoints: [peer.accepted()] })));
  const ice = answer.endpoints[0]?.transport?.ice;
  if (ice === undefined) throw new Error("no transport");
  await peer.connect(ice);
  await ask(conferenceModifyElement(conferenceModify("m-xmpp", { expire: true })));
  await until("goodbye", () => peer.closed.length === 1);
  peer.close();

  // Somebody outside the brewery is not served, even by the bridge's real address.
  const stranger = await focus.session.request(
    iq("get", { to: `jvb@${TEST_DOMAINS.auth}/box-1` }, xml("healthcheck", { xmlns: NS.health })),
  );
  expect(stranger.kind).toBe("error");
}, 20_000);

test("the server goes and comes back: media flows without a gap, the bridge is in the brewery again with its conference", async () => {
  const meeting = new BridgeFocus(bridge.ports, "m-restart");
  const a = await meeting.join({ id: "aaaaaaaa", ssrc: 1000 });
  const b = await meeting.join({ id: "bbbbbbbb", ssrc: 2000 });
  a.startMedia({ audioLevel: 50, video: false });
  await until("b hears a", () => (b.reception(1000)?.packets ?? 0) > 20);
  let longestMs = 0;
  let lastAt = b.reception(1000)?.lastAtMs ?? 0;
  const watch = setInterval(() => {
    const at = b.reception(1000)?.lastAtMs ?? 0;
    longestMs = Math.max(longestMs, at - lastAt);
    lastAt = at;
  }, 5);
  const port = server.ports["xmpp"] ?? 0;
  const nick = focus.bridge();
  await server.stop(500);
  await until("the bridge notices", () => bridge.health() !== undefined);
  server = await startServer(port);
  await until("the bridge is back", () => bridge.health() === undefined, 15_000);
  await until("and a focus sees it with its conference", () => focus.stat("conferences") === "1", 15_000);
  clearInterval(watch);
  expect(focus.bridge()).toBe(nick as string);
  expect(longestMs).toBeLessThan(1_000); // this process starts a server meanwhile; what counts is that nothing is lost
  expect(b.reception(1000)?.lost).toBe(0);
  await meeting.stop();
}, 40_000);

test("a second server, added and removed over HTTP: the bridge serves the focus of each, and the first notices nothing", async () => {
  const second = await startServer(0);
  const post = async (path: string, body: object): Promise<number> =>
    (
      await fetch(`http://127.0.0.1:${bridge.ports["bridgeHttp"]}/colibri/muc-client/${path}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      })
    ).status;
  const { user, password } = account("jvb");
  const foreign = new Focus(second.ports["xmpp"] ?? 0);
  const ready = async (each: Focus): Promise<string> =>
    (await each.session.request(iq("get", { to: each.bridge() ?? "" }, xml("healthcheck", { xmlns: NS.health })))).kind;
  try {
    const client = {
      id: "second",
      hostname: "127.0.0.1",
      port: String(second.ports["xmpp"]),
      domain: TEST_DOMAINS.auth,
      username: user,
      password,
      muc_jids: BREWERY,
      muc_nickname: "guest-bridge",
      disable_certificate_verification: "true",
    };
    expect(await post("add", client)).toBe(200);
    await until("the second focus sees the bridge", () => foreign.bridge() === `${BREWERY}/guest-bridge`);
    expect(foreign.stat("muc_clients_connected")).toBe("2");
    expect([await ready(focus), await ready(foreign)]).toEqual(["result", "result"]);
    expect(await post("remove", { id: "second" })).toBe(200);
    await until("it has left", () => foreign.bridge() === undefined);
    expect(await ready(focus)).toBe("result");
    expect(bridge.health()).toBeUndefined();
  } finally {
    await foreign.session.stop(500);
    await second.stop(1_000);
  }
}, 30_000);

test("an added server whose certificate nobody vouches for is not logged in to", async () => {
  const second = await startServer(0);
  const { user, password } = account("jvb");
  const warnings: string[] = [];
  const log = { ...silentLogger, warn: (_message: string, fields?: object) => warnings.push(JSON.stringify(fields)) };
  const sessions = new MucSessions(
    { host: "127.0.0.1", port: 1, domain: TEST_DOMAINS.auth, user, password, tls: { kind: "insecure" } },
    "box-9",
    log,
    { online: () => {}, stanza: () => {}, offline: () => {} },
  );
  try {
    sessions.open(1, {
      host: "127.0.0.1",
      port: second.ports["xmpp"] ?? 0,
      domain: TEST_DOMAINS.auth,
      user,
      password,
      security: "verified",
    });
    await until("the refusal", () => warnings.some((each) => each.includes("certificate is refused")));
    expect(sessions.health()).toContain("certificate is refused");
  } finally {
    await sessions.stop(500);
    await second.stop(1_000);
  }
}, 30_000);

test("under Debian's Prosody, without any Jitsi plugin: brewery, health, colibri2", async () => {
  const users = ["focus", "jvb"].map((user) => ({ user, password: account(user).password }));
  const prosody = await Prosody.start({ accounts: users });
  const domain = `auth.${prosody.domain}`;
  const brewery = `jvbbrewery@internal-muc.${prosody.domain}`;
  const { user, password } = account("jvb");
  const own = await startBridge(
    {
      login: {
        host: "127.0.0.1",
        port: prosody.ports.c2s,
        domain,
        user,
        password,
        tls: { kind: "ca", certificates: prosody.certificate },
      },
      brewery,
      mediaPort: 0,
      mediaAddresses: ["127.0.0.1"],
      lan: false,
      http: { host: "127.0.0.1", port: 0 },
      colibri: { host: "127.0.0.1", port: 0 },
      channelHost: "meet.test",
      serverId: "box-1",
      sctp: false,
      loudestSpeakers: 0,
      srtpProvider: pinnedProvider(),
    },
    environment,
  );
  const foreign = new Focus(prosody.ports.c2s, domain, brewery);
  try {
    await until("the bridge's statistics", () => foreign.bridge() !== undefined, 15_000);
    expect(own.health()).toBeUndefined();
    expect(foreign.stat("drain")).toBe("false");
    const to = foreign.bridge() ?? "";
    const health = await foreign.session.request(iq("get", { to }, xml("healthcheck", { xmlns: NS.health })));
    expect(health.kind).toBe("result");
    const unknown = await foreign.session.request(
      iq("get", { to }, conferenceModifyElement(conferenceModify("nosuch", { expire: true }))),
    );
    expect(unknown.kind === "error" && String(unknown.stanza)).toContain("conference_not_found");
    // The room shows the bridge's real address: a focus may need it.
    expect(String(foreign.occupants.get(to))).toContain(`jvb@${domain}/box-1`);
  } finally {
    await own.stop(1_000);
    await until("the bridge has left", () => foreign.bridge() === undefined, 5_000);
    await foreign.session.stop(500);
    await prosody.stop();
  }
}, 60_000);
