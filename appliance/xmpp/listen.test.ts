import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import net from "node:net";
import { useRealTime } from "../../tests/real-time.ts";
import { bindResource, loginAnonymously, openWebSocket } from "../../tests/wire.ts";
import { TEST_DOMAINS, TEST_LIMITS } from "../../tests/xmpp-dialogue.ts";
import { Metrics } from "../metrics.ts";
import { NS } from "../wire/namespaces.ts";
import { Accounts } from "./accounts.ts";
import type { Host } from "./host.ts";
import { XmppServer } from "./server.ts";
import { WallClock } from "./wall-clock.ts";

useRealTime();
const { silentLogger } = await import("../log.ts");
const { listen } = await import("./listen.ts");

const loopback = { host: "127.0.0.1", port: 0 };
const options = {
  c2s: loopback,
  http: loopback,
  component: undefined,
  federation: undefined,
  tls: {
    certificateChain: readFileSync(`${import.meta.dir}/fixtures/meet.test.crt.pem`, "utf8"),
    privateKey: readFileSync(`${import.meta.dir}/fixtures/meet.test.key.pem`, "utf8"),
  },
  trustedProxies: [],
  regionHeader: undefined,
  store: () => undefined,
};

function server(metrics: Metrics, hosts: readonly Host[]): XmppServer {
  return new XmppServer({
    domains: TEST_DOMAINS,
    limits: TEST_LIMITS,
    accounts: new Accounts([], randomBytes),
    components: [],
    focusAccount: "focus@auth.meet.test",
    externalServices: [],
    pushDiscovery: false,
    hosts,
    software: { name: "x", version: "0" },
    random: randomBytes,
    wallClock: new WallClock(),
    metrics,
  });
}

test("a fault of ours is counted and costs the connection that met it, nobody else's", async () => {
  const metrics = new Metrics();
  const faulty: Host = {
    domain: "faulty.meet.test",
    handle: () => {
      throw new TypeError("ours");
    },
  };
  const listening = await listen(server(metrics, [faulty]), options, silentLogger, metrics);
  const url = `ws://127.0.0.1:${listening.ports["xmppHttp"]}/xmpp-websocket`;
  const [ana, ben] = [await openWebSocket(url), await openWebSocket(url)];
  for (const { wire } of [ana, ben]) {
    await loginAnonymously(wire, TEST_DOMAINS.domain);
    await bindResource(wire);
  }
  ana.wire.send('<message xmlns="jabber:client" to="faulty.meet.test"/>');
  await ana.wire.end();
  ben.wire.send(`<iq xmlns="jabber:client" type="get" id="p" to="meet.test"><ping xmlns="${NS.ping}"/></iq>`);
  await ben.wire.until(/id="p"[^>]*type="result"|type="result"[^>]*id="p"/);
  expect(metrics.exposition()).toContain('parley_xmpp_faults_total{reason="TypeError"} 1');
  await listening.stop(1_000);
  expect(await ben.wire.until("</stream:error>")).toContain("system-shutdown");
});

test("a port that is taken is said, and nothing is left listening", async () => {
  const blocker = net.createServer();
  const taken = await new Promise<number>((resolve) =>
    blocker.listen(0, "127.0.0.1", () => resolve((blocker.address() as net.AddressInfo).port)),
  );
  const free = await new Promise<number>((resolve) => {
    const probe = net.createServer();
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as net.AddressInfo;
      probe.close(() => resolve(port));
    });
  });
  const metrics = new Metrics();
  const busy = { ...options, c2s: { host: "127.0.0.1", port: free }, http: { host: "127.0.0.1", port: taken } };
  expect(await listen(server(metrics, []), busy, silentLogger, metrics).catch((error: Error) => error.message)).toMatch(
    /in use|EADDRINUSE/i,
  );
  const again = net.createServer();
  await new Promise<void>((resolve, reject) => {
    again.once("error", reject);
    again.listen(free, "127.0.0.1", resolve);
  });
  again.close();
  blocker.close();
});
