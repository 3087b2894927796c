import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import { readFileSync } from "node:fs";
import net from "node:net";
import tls from "node:tls";
import { armGuard, disarmGuard, useRealTime } from "../../tests/real-time.ts";
import { loginAnonymously, type OpenWebSocket, openWebSocket, Wire } from "../../tests/wire.ts";
import { TEST_ACCOUNTS, TEST_DOMAINS, TEST_LIMITS } from "../../tests/xmpp-dialogue.ts";
import { Metrics } from "../metrics.ts";
import type { RunningPart } from "../part.ts";
import { NS } from "../wire/namespaces.ts";

useRealTime();
// pino reads the clock when it is loaded: after the guard is down
const { silentLogger } = await import("../log.ts");
const { startXmpp } = await import("./start.ts");

const loopback = { host: "127.0.0.1", port: 0 };
const identity = {
  certificateChain: readFileSync(`${import.meta.dir}/fixtures/meet.test.crt.pem`, "utf8"),
  privateKey: readFileSync(`${import.meta.dir}/fixtures/meet.test.key.pem`, "utf8"),
};
const metrics = new Metrics();
let part: RunningPart;

beforeAll(async () => {
  part = await startXmpp(
    {
      domains: TEST_DOMAINS,
      c2s: loopback,
      http: loopback,
      tls: identity,
      accounts: TEST_ACCOUNTS,
      limits: TEST_LIMITS,
      focusAccount: `focus@${TEST_DOMAINS.auth}`,
      externalServices: [],
    },
    { log: silentLogger, metrics },
  );
});
afterAll(async () => {
  disarmGuard(); // afterAll runs in order of registration
  await part.stop(1_000);
  armGuard();
});

const xmppPort = (): number => part.ports["xmpp"] ?? 0;
const httpPort = (): number => part.ports["xmppHttp"] ?? 0;

const header = (to: string): string =>
  `<stream:stream xmlns='jabber:client' xmlns:stream='${NS.stream}' to='${to}' version='1.0'>`;

const webSocket = (query = ""): Promise<OpenWebSocket> =>
  openWebSocket(`ws://127.0.0.1:${httpPort()}/xmpp-websocket${query}`);
const login = (wire: Wire): Promise<void> => loginAnonymously(wire, TEST_DOMAINS.domain);

describe("real sockets", () => {
  test("@xmpp/client logs in over STARTTLS with SCRAM and pings", async () => {
    // @xmpp/client 0.14 verifies against the system's roots and has no option for another (runtime.md): it runs in a process of its own that is told ours.
    const script = `
      import { client, xml } from "@xmpp/client";
      const xmpp = client({ service: "xmpp://127.0.0.1:${xmppPort()}", domain: "auth.meet.test", username: "jvb", password: "secret", resource: "bridge" });
      xmpp.on("error", (error) => { console.log("error", String(error)); process.exit(1); });
      xmpp.on("online", async (address) => {
        const result = await xmpp.iqCaller.get(xml("ping", "urn:xmpp:ping"), "meet.test");
        console.log("online", address.toString(), result === undefined ? "pinged" : String(result));
        await xmpp.stop();
        process.exit(0);
      });
      xmpp.start();`;
    const child = Bun.spawn([process.execPath, "-e", script], {
      cwd: `${import.meta.dir}/../..`,
      env: { ...process.env, NODE_EXTRA_CA_CERTS: `${import.meta.dir}/fixtures/meet.test.crt.pem` },
      stdout: "pipe",
      stderr: "pipe",
    });
    expect((await new Response(child.stdout).text()).trim()).toBe("online jvb@auth.meet.test/bridge pinged");
  });

  test("a WebSocket that is cut resumes with previd and gets what was said meanwhile", async () => {
    const first = await webSocket("?room=standup");
    await login(first.wire);
    first.wire.send(`<iq xmlns="jabber:client" type="set" id="b"><bind xmlns="${NS.bind}"/></iq>`);
    const address = /<jid>(.*?)<\/jid>/.exec(await first.wire.until("</iq>"))?.[1] ?? "";
    first.wire.send(`<enable xmlns="${NS.sm}" resume="true"/>`);
    const id = / id="([\w-]+)"/.exec(await first.wire.until(/<enabled[^>]*>/))?.[1] ?? "";
    first.wire.send('<presence xmlns="jabber:client"/>');
    await first.wire.until("<presence");
    (first.socket as unknown as { terminate(): void }).terminate(); // Bun's own: no closing handshake
    await first.wire.end();

    const other = await webSocket();
    await login(other.wire);
    other.wire.send(`<iq xmlns="jabber:client" type="set" id="b"><bind xmlns="${NS.bind}"/></iq>`);
    await other.wire.until("</iq>");
    other.wire.send(`<message xmlns="jabber:client" to="${address}" type="chat"><body>meanwhile</body></message>`);

    const again = await webSocket(`?room=standup&previd=${id}`);
    await login(again.wire);
    again.wire.send(`<resume xmlns="${NS.sm}" h="1" previd="${id}"/>`);
    await again.wire.until("<resumed");
    await again.wire.until("meanwhile");
    again.wire.send(`<iq xmlns="jabber:client" type="get" id="p" to="meet.test"><ping xmlns="${NS.ping}"/></iq>`);
    expect(await again.wire.until(/id="p"[^>]*>/)).toContain(address);
    again.wire.send(`<close xmlns="${NS.framing}"/>`);
    await again.wire.until('<close xmlns="urn:ietf:params:xml:ns:xmpp-framing" />');
    await again.wire.end();
    other.socket.close();
  });

  test("STARTTLS gives the exporter's channel binding, and nothing but TLS is offered before", async () => {
    const socket = net.connect(xmppPort(), "127.0.0.1");
    const wire = new Wire((text) => socket.write(text));
    socket.on("data", (bytes) => wire.heard(bytes.toString()));
    socket.on("close", () => wire.gone());
    wire.send(header(TEST_DOMAINS.auth));
    const before = await wire.until("</stream:features>");
    expect(before).toContain("<required/>");
    expect(before).not.toContain("mechanism");
    wire.send(`<starttls xmlns="${NS.tls}"/>`);
    await wire.until("<proceed");
    socket.removeAllListeners("data");
    const secured = tls.connect({ socket, ca: identity.certificateChain, servername: TEST_DOMAINS.auth });
    await new Promise((resolve) => secured.once("secureConnect", resolve));
    const safe = new Wire((text) => secured.write(text));
    secured.on("data", (bytes) => safe.heard(bytes.toString()));
    safe.send(header(TEST_DOMAINS.auth));
    const features = await safe.until("</stream:features>");
    for (const expected of [
      "SCRAM-SHA-256-PLUS",
      "SCRAM-SHA-1-PLUS",
      "SCRAM-SHA-256",
      "SCRAM-SHA-1",
      "PLAIN",
      "tls-exporter",
      "tls-server-end-point",
    ])
      expect(features).toContain(expected);
    secured.destroy();
    await wire.end();
  });

  for (const type of ["tls-exporter", "tls-server-end-point"] as const)
    test(`SCRAM-SHA-256-PLUS bound by ${type} to this TLS connection, and to no other`, async () => {
      const login = async (wrong: boolean): Promise<string> => {
        const bare = net.connect(xmppPort(), "127.0.0.1");
        const before = new Wire((text) => bare.write(text));
        bare.on("data", (bytes) => before.heard(bytes.toString()));
        before.send(header(TEST_DOMAINS.auth));
        await before.until("</stream:features>");
        before.send(`<starttls xmlns="${NS.tls}"/>`);
        await before.until("<proceed");
        bare.removeAllListeners("data");
        const secured = tls.connect({ socket: bare, ca: identity.certificateChain, servername: TEST_DOMAINS.auth });
        await new Promise((resolve) => secured.once("secureConnect", resolve));
        const wire = new Wire((text) => secured.write(text));
        secured.on("data", (bytes) => wire.heard(bytes.toString()));
        wire.send(header(TEST_DOMAINS.auth));
        await wire.until("</stream:features>");
        const data =
          type === "tls-exporter"
            ? secured.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0))
            : createHash("sha256").update(secured.getPeerCertificate().raw).digest();
        if (wrong) data[0] = (data[0] ?? 0) ^ 1;
        const gs2 = `p=${type},,`;
        const first = "n=jvb,r=clientnonce";
        wire.send(
          `<auth xmlns="${NS.sasl}" mechanism="SCRAM-SHA-256-PLUS">${Buffer.from(gs2 + first).toString("base64")}</auth>`,
        );
        const challenge = Buffer.from(
          />([^<]+)<\/challenge>/.exec(await wire.until("</challenge>"))?.[1] ?? "",
          "base64",
        ).toString();
        const [, nonce = "", salt = "", iterations = ""] = /^r=(.*),s=(.*),i=(.*)$/.exec(challenge) ?? [];
        const without = `c=${Buffer.concat([Buffer.from(gs2), data]).toString("base64")},r=${nonce}`;
        const salted = pbkdf2Sync("secret", Buffer.from(salt, "base64"), Number(iterations), 32, "sha256");
        const clientKey = createHmac("sha256", salted).update("Client Key").digest();
        const signature = createHmac("sha256", createHash("sha256").update(clientKey).digest())
          .update(`${first},${challenge},${without}`)
          .digest();
        const proof = Buffer.from(clientKey.map((byte, at) => byte ^ (signature[at] ?? 0))).toString("base64");
        wire.send(`<response xmlns="${NS.sasl}">${Buffer.from(`${without},p=${proof}`).toString("base64")}</response>`);
        const answer = await wire.until(/<\/(success|failure)>/);
        secured.destroy();
        return answer;
      };
      expect(await login(false)).toContain("<success");
      expect(await login(true)).toContain("not-authorized");
    });

  test("HTTP: health, a harmless page for a plain GET, CORS, 501 without the subprotocol", async () => {
    const base = `http://127.0.0.1:${httpPort()}`;
    expect(await (await fetch(`${base}/health`)).text()).toBe("OK\n");
    const plain = await fetch(`${base}/xmpp-websocket?room=x`);
    expect([plain.status, plain.headers.get("access-control-allow-origin")]).toEqual([200, "*"]);
    expect((await fetch(`${base}/http-bind`)).status).toBe(200);
    expect((await fetch(`${base}/http-bind`, { method: "OPTIONS" })).headers.get("access-control-allow-methods")).toBe(
      "OPTIONS, POST, GET",
    );
    expect((await fetch(`${base}/nosuch`)).status).toBe(404);
    const upgrade = {
      connection: "upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
    };
    expect((await fetch(`${base}/xmpp-websocket`, { headers: upgrade })).status).toBe(501);
  });
});
