import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { freePorts } from "../../tests/e2e/prosody.ts";
import { armGuard, disarmGuard, useRealTime } from "../../tests/real-time.ts";
import { bindResource, loginAnonymously, openWebSocket, type Wire } from "../../tests/wire.ts";
import { TEST_LIMITS } from "../../tests/xmpp-dialogue.ts";
import type { XmppDomains } from "../config.ts";
import { Metrics } from "../metrics.ts";
import type { RunningPart } from "../part.ts";

useRealTime();
const { silentLogger } = await import("../log.ts");
const { startXmpp } = await import("./start.ts");

const certificate = readFileSync(`${import.meta.dir}/fixtures/meet.test.crt.pem`, "utf8");
const privateKey = readFileSync(`${import.meta.dir}/fixtures/meet.test.key.pem`, "utf8");
const metrics = new Metrics();
const parts: RunningPart[] = [];

/** The certificate is good for meet.test and the names one label below it. */
const NAMES = ["meet.test", "b.meet.test", "c.elsewhere.test"] as const;

beforeAll(async () => {
  const ports = await freePorts(NAMES.length);
  const routes = Object.fromEntries(NAMES.map((name, at) => [name, `127.0.0.1:${ports[at]}`]));
  for (const [at, domain] of NAMES.entries()) {
    const domains: XmppDomains = {
      domain,
      auth: `auth.${domain}`,
      muc: `muc.${domain}`,
      internalMuc: `internal-muc.${domain}`,
      focus: `focus.${domain}`,
      hidden: `hidden.${domain}`,
    };
    const loopback = { host: "127.0.0.1", port: 0 };
    parts.push(
      await startXmpp(
        {
          domains,
          c2s: loopback,
          http: loopback,
          tls: { certificateChain: certificate, privateKey },
          accounts: [],
          limits: TEST_LIMITS,
          focusAccount: `focus@auth.${domain}`,
          externalServices: [],
          federation: {
            listen: { host: "127.0.0.1", port: ports[at] ?? 0 },
            domains: [],
            certificatesRequired: true,
            routes,
            roots: certificate,
          },
        },
        { log: silentLogger, metrics },
      ),
    );
  }
});
afterAll(async () => {
  disarmGuard();
  for (const part of parts) await part.stop(1_000);
  armGuard();
});

async function guest(at: number): Promise<{ wire: Wire; jid: string }> {
  const { wire } = await openWebSocket(`ws://127.0.0.1:${parts[at]?.ports["xmppHttp"]}/xmpp-websocket`);
  await loginAnonymously(wire, NAMES[at] ?? "");
  const jid = await bindResource(wire);
  wire.send('<presence xmlns="jabber:client"/>');
  return { wire, jid };
}

test("certificates that are good for both names: SASL EXTERNAL, both directions", async () => {
  const [ana, ben] = [await guest(0), await guest(1)];
  ana.wire.send(`<message xmlns="jabber:client" to="${ben.jid}" type="chat"><body>proven</body></message>`);
  expect(await ben.wire.until("proven")).toContain(ana.jid);
  ben.wire.send(`<message xmlns="jabber:client" to="${ana.jid}" type="chat"><body>as well</body></message>`);
  expect(await ana.wire.until("as well")).toContain(ben.jid);
});

test("a certificate that is not good for the name is refused, both directions", async () => {
  const [ana, carl] = [await guest(0), await guest(2)];
  ana.wire.send(`<message xmlns="jabber:client" to="${carl.jid}" id="n" type="chat"><body>?</body></message>`);
  expect(await ana.wire.until(/<message[^>]*type="error".*<\/message>/)).toContain("remote-server");
  carl.wire.send(`<message xmlns="jabber:client" to="${ana.jid}" id="n" type="chat"><body>?</body></message>`);
  expect(await carl.wire.until(/<message[^>]*type="error".*<\/message>/)).toContain("remote-server");
});
