import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { type DnsResponder, dnsResponder } from "../../tests/dns-responder.ts";
import { freePorts, Prosody } from "../../tests/e2e/prosody.ts";
import { armGuard, disarmGuard, useRealTime } from "../../tests/real-time.ts";
import { bindResource, loginAnonymously, openWebSocket, type Wire } from "../../tests/wire.ts";
import { TEST_LIMITS } from "../../tests/xmpp-dialogue.ts";
import type { XmppDomains } from "../config.ts";
import { Metrics } from "../metrics.ts";
import type { RunningPart } from "../part.ts";
import { NS } from "../wire/namespaces.ts";

useRealTime();
const { silentLogger } = await import("../log.ts");
const { startXmpp } = await import("./start.ts");

const loopback = { host: "127.0.0.1", port: 0 };
const THEIRS = "prosody.test";
// Prosody's resolver answers for .test by itself.
const DOMAINS: XmppDomains = {
  domain: "meet.example",
  auth: "auth.meet.example",
  muc: "muc.meet.example",
  internalMuc: "internal-muc.meet.example",
  focus: "focus.meet.example",
  hidden: "hidden.meet.example",
};
const metrics = new Metrics();
let dns: DnsResponder;
let prosody: Prosody;
let part: RunningPart;

beforeAll(async () => {
  const [s2s = 0] = await freePorts(1);
  const domains = [DOMAINS.domain, DOMAINS.muc];
  dns = await dnsResponder(
    ["box.example"],
    Object.fromEntries(domains.map((domain) => [`_xmpp-server._tcp.${domain}`, { port: s2s, target: "box.example" }])),
  );
  prosody = await Prosody.start({
    domain: THEIRS,
    extra: `
modules_disabled = { "offline", "register" }
modules_enabled = { "roster", "saslauth", "tls", "disco", "ping", "websocket", "posix", "dialback" }
allow_anonymous_s2s = true
s2s_secure_auth = false
s2s_require_encryption = true
unbound = { resolvconf = false, forward = "127.0.0.1@${dns.port}", options = { ["do-not-query-localhost:"] = "no" } }
`,
  });
  const route = `127.0.0.1:${prosody.ports.s2s}`;
  part = await startXmpp(
    {
      domains: DOMAINS,
      c2s: loopback,
      http: loopback,
      tls: {
        certificateChain: readFileSync(`${import.meta.dir}/fixtures/meet.test.crt.pem`, "utf8"),
        privateKey: readFileSync(`${import.meta.dir}/fixtures/meet.test.key.pem`, "utf8"),
      },
      accounts: [{ user: "focus", domain: DOMAINS.auth, password: "secret", admin: true }],
      limits: TEST_LIMITS,
      focusAccount: `focus@${DOMAINS.auth}`,
      externalServices: [],
      federation: {
        listen: { host: "127.0.0.1", port: s2s },
        domains: [],
        certificatesRequired: false,
        routes: { [THEIRS]: route, [`muc.${THEIRS}`]: route },
      },
    },
    { log: silentLogger, metrics },
  );
}, 30_000);

afterAll(async () => {
  disarmGuard();
  await part?.stop(1_000);
  await prosody?.stop();
  dns?.stop();
  armGuard();
}, 15_000);

async function guest(
  url: string,
  domain: string,
  headers: Record<string, string> = {},
): Promise<{ wire: Wire; jid: string }> {
  const { wire } = await openWebSocket(url, headers);
  await loginAnonymously(wire, domain);
  const jid = await bindResource(wire);
  wire.send('<presence xmlns="jabber:client"/>');
  return { wire, jid };
}
const ours = (): Promise<{ wire: Wire; jid: string }> =>
  guest(`ws://127.0.0.1:${part.ports["xmppHttp"]}/xmpp-websocket`, DOMAINS.domain);
const theirs = (): Promise<{ wire: Wire; jid: string }> =>
  guest(`ws://127.0.0.1:${prosody.ports.http}/xmpp-websocket`, THEIRS, { host: THEIRS });

test("a message goes to Debian's Prosody and one comes back, both streams under TLS with dialback", async () => {
  const ana = await ours();
  const bob = await theirs();
  ana.wire.send(`<message xmlns="jabber:client" to="${bob.jid}" type="chat"><body>to prosody</body></message>`);
  expect(await bob.wire.until("to prosody")).toContain(ana.jid);
  bob.wire.send(`<message xmlns="jabber:client" to="${ana.jid}" type="chat"><body>from prosody</body></message>`);
  expect(await ana.wire.until("from prosody")).toContain(bob.jid);
}, 20_000);

test("our guest joins a room there", async () => {
  const ana = await ours();
  const bob = await theirs();
  const room = `away@muc.${THEIRS}`;
  bob.wire.send(`<presence xmlns="jabber:client" to="${room}/bob"><x xmlns="${NS.muc}"/></presence>`);
  await bob.wire.until(/110/);
  ana.wire.send(`<presence xmlns="jabber:client" to="${room}/ana"><x xmlns="${NS.muc}"/></presence>`);
  await ana.wire.until(/110/);
  ana.wire.send(`<message xmlns="jabber:client" to="${room}" type="groupchat"><body>across</body></message>`);
  expect(await bob.wire.until("across")).toContain(`${room}/ana`);
}, 20_000);

test("their guest joins a room here that our focus made", async () => {
  const { DialogueFocus } = await import("../../tests/dialogue-focus.ts");
  const room = `home@${DOMAINS.muc}`;
  const focus = await DialogueFocus.join(part.ports["xmpp"] ?? 0, DOMAINS.auth, room);
  const bob = await theirs();
  bob.wire.send(`<presence xmlns="jabber:client" to="${room}/bob"><x xmlns="${NS.muc}"/></presence>`);
  await bob.wire.until(/110/);
  bob.wire.send(`<message xmlns="jabber:client" to="${room}" type="groupchat"><body>hello home</body></message>`);
  expect(await focus.wire.until("hello home")).toContain(`${room}/bob`);
  focus.end();
}, 20_000);

test("a domain that nobody answers for comes back as an error", async () => {
  const ana = await ours();
  ana.wire.send(`<message xmlns="jabber:client" to="x@nowhere.invalid" id="n" type="chat"><body>?</body></message>`);
  expect(await ana.wire.until(/<message[^>]*type="error".*<\/message>/)).toContain("remote-server-not-found");
}, 20_000);
