import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Server as BunServer } from "bun";
import { useRealTime } from "../../tests/real-time.ts";
import type { GatewayConfig } from "../config.ts";
import { silentLogger } from "../log.ts";
import { Metrics } from "../metrics.ts";
import { millis } from "../time.ts";
import type { RunningGateway } from "./running-gateway.ts";
import { startGateway } from "./start.ts";
import { createIssuer } from "./tls.ts";

useRealTime();

const WAIT_MS = 5_000;

const until = async (what: string, condition: () => boolean): Promise<void> => {
  const from = performance.now();
  while (!condition()) {
    if (performance.now() - from > WAIT_MS) throw new Error(`waited in vain for ${what}`);
    await Bun.sleep(5);
  }
};

let folder: string;
let part: BunServer<{ path: string }>;
let deaf: Server;
const deafSockets: Socket[] = [];
let gateway: RunningGateway;
let metrics: Metrics;
let config: GatewayConfig;
/** What the part has seen: paths, messages, closes. */
let seen: string[] = [];
let partSockets: Bun.ServerWebSocket<{ path: string }>[] = [];

const serial = (): string => Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("hex");

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "parley-gateway-"));
  writeFileSync(join(folder, "index.html"), "<!doctype html><title>meeting</title>");
  part = Bun.serve<{ path: string }>({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request, server) {
      const url = new URL(request.url);
      if (url.searchParams.get("pwd") === "wrong") return new Response("no", { status: 403 });
      if (request.headers.get("upgrade") === "websocket") {
        const xmpp = request.headers.get("sec-websocket-protocol");
        seen.push(`open ${url.pathname}${url.search} ${xmpp ?? "-"} ${request.headers.get("x-forwarded-for")}`);
        server.upgrade(request, {
          data: { path: url.pathname },
          ...(xmpp === null ? {} : { headers: { "Sec-WebSocket-Protocol": xmpp } }),
        });
        return undefined;
      }
      if (url.searchParams.has("slow")) await Bun.sleep(300);
      return Response.json({
        path: `${url.pathname}${url.search}`,
        method: request.method,
        body: await request.text(),
        host: request.headers.get("host"),
        from: request.headers.get("x-forwarded-for"),
        secret: request.headers.get("cookie"),
      });
    },
    websocket: {
      backpressureLimit: 64 * 1024 * 1024,
      open(socket) {
        partSockets.push(socket);
      },
      message(socket, message) {
        if (message === "close please") socket.close(4001, "as you wish");
        else socket.send(message);
      },
      close(_socket, code, reason) {
        seen.push(`close ${code} ${reason}`);
      },
    },
  });
  // Accepts an upgrade and reads nothing after it.
  deaf = createServer((socket) => {
    deafSockets.push(socket);
    socket.on("error", () => {});
    socket.once("data", (head) => {
      const key = /Sec-WebSocket-Key: (.*)\r\n/i.exec(head.toString())?.[1] ?? "";
      const accept = new Bun.CryptoHasher("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
      socket.pause();
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
    });
  });
  await new Promise<void>((resolve) => deaf.listen(0, "127.0.0.1", resolve));
  const address = deaf.address();
  const issuer = createIssuer(Date.now() as never, serial);
  const root = await issuer.makeRoot({
    commonName: "test root",
    names: ["localhost"],
    ranges: [],
    criticalConstraints: true,
  });
  const tls = await issuer.makeLeaf(root, { commonName: "localhost", names: ["localhost"], addresses: [] });
  config = {
    https: { host: "127.0.0.1", port: 0 },
    http: { host: "127.0.0.1", port: 0 },
    tls,
    hosts: ["localhost", "127.0.0.1"],
    staticFolder: folder,
    domains: {
      domain: "meet.jitsi",
      auth: "auth.meet.jitsi",
      muc: "muc.meet.jitsi",
      internalMuc: "internal-muc.meet.jitsi",
      focus: "focus.meet.jitsi",
      hidden: "hidden.meet.jitsi",
    },
    xmppHttp: `http://127.0.0.1:${part.port}`,
    focusHttp: "http://127.0.0.1:1",
    bridges: {
      jvb: `http://127.0.0.1:${part.port}`,
      deaf: `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`,
      gone: "http://127.0.0.1:1",
    },
    focusAccount: "focus@auth.meet.jitsi",
    rootCertificate: root.certificateChain,
    frameAncestors: ["'self'"],
    relaysPerAddress: 8,
    lan: false,
    clients: { ssrcRewriting: false, sctp: "fallback", recorders: false },
    client: {},
    boxName: "box",
  };
  metrics = new Metrics();
  gateway = await startGateway(config, { log: silentLogger, metrics });
});

afterAll(async () => {
  await gateway.stop(1_000);
  await part.stop(true);
  for (const socket of deafSockets) socket.destroy();
  deaf.close();
  rmSync(folder, { recursive: true, force: true });
});

const get = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`https://localhost:${gateway.ports["https"]}${path}`, {
    redirect: "manual",
    ...init,
    tls: { ca: config.rootCertificate },
  } as RequestInit);

interface Client {
  readonly socket: WebSocket;
  readonly messages: (string | ArrayBuffer)[];
  closed: { code: number; reason: string } | undefined;
}

const dial = (path: string, subprotocol?: string): Promise<Client> => {
  const socket = new WebSocket(`wss://localhost:${gateway.ports["https"]}${path}`, {
    ...(subprotocol === undefined ? {} : { protocols: [subprotocol] }),
    tls: { ca: config.rootCertificate },
  } as unknown as string[]);
  socket.binaryType = "arraybuffer";
  const client: Client = { socket, messages: [], closed: undefined };
  socket.addEventListener("message", ({ data }: MessageEvent<string | ArrayBuffer>) => client.messages.push(data));
  return new Promise((resolve, reject) => {
    socket.addEventListener("open", () => resolve(client));
    socket.addEventListener("error", (event) => reject(new Error(String(Reflect.get(event, "message")))));
    socket.addEventListener("close", ({ code, reason }) => {
      client.closed = { code, reason };
      reject(new Error(`closed ${code}`));
    });
  });
};

describe("pages", () => {
  test("over TLS, under the box's own root", async () => {
    const answer = await get("/some-room");
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain("meeting");
    expect(answer.headers.get("content-security-policy")).toContain("default-src 'self'");
    const again = await get("/some-room", { headers: { "if-none-match": answer.headers.get("etag") ?? "" } });
    expect([again.status, await again.text()]).toEqual([304, ""]);
  });

  test("HEAD tells the length and sends nothing", async () => {
    const answer = await get("/some-room", { method: "HEAD" });
    expect([answer.status, await answer.text()]).toEqual([200, ""]);
    expect(answer.headers.get("content-length")).toBe("37");
  });

  test("a raw path with dots gets no further than the door", async () => {
    const said = await new Promise<string>((resolve) => {
      const socket = connect(gateway.ports["http"] ?? 0, "127.0.0.1", () =>
        socket.write("GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
      );
      let text = "";
      socket.on("data", (bytes) => {
        text += bytes.toString();
      });
      socket.on("close", () => resolve(text));
    });
    expect(said).toMatch(/^HTTP\/1\.1 (400|404|200)/);
    expect(said).not.toContain("root:");
  });

  test("an unknown host is refused and counted", async () => {
    expect((await get("/", { headers: { host: "evil.example" } })).status).toBe(421);
    expect(metrics.exposition()).toContain('parley_gateway_refused_total{reason="unknown-host"}');
  });
});

describe("forwarding", () => {
  test("carries method, body and address, and no cookie", async () => {
    const answer = await get("/http-bind?room=x", {
      method: "POST",
      body: "<body/>",
      headers: { "content-type": "text/xml", cookie: "a=b" },
    });
    expect(await answer.json()).toEqual({
      path: "/http-bind?prefix=&room=x",
      method: "POST",
      body: "<body/>",
      host: "meet.jitsi",
      from: "127.0.0.1",
      secret: null,
    });
  });

  test("a body that is too long is refused", async () => {
    expect((await get("/conference-request/v1", { method: "POST", body: "x".repeat(300_000) })).status).toBe(413);
  });

  test("one address has no more requests under way than its share, and gets room again", async () => {
    const post = () => get("/http-bind?slow=1", { method: "POST", body: "<body/>" });
    const statuses = (await Promise.all(Array.from({ length: 20 }, post))).map((answer) => answer.status);
    expect(statuses.filter((status) => status === 200).length).toBe(8);
    expect(statuses.filter((status) => status === 429).length).toBe(12);
    expect((await post()).status).toBe(200);
  });

  test("a part that is not there is a 502", async () => {
    expect((await get("/conference-request/v1", { method: "POST", body: "{}" })).status).toBe(502);
  });
});

describe("relayed WebSockets", () => {
  test("keep the subprotocol, the query, text and bytes, and both closes", async () => {
    seen = [];
    const one = await dial("/team/xmpp-websocket?room=r", "xmpp");
    expect(one.socket.protocol).toBe("xmpp");
    expect(seen).toEqual(["open /xmpp-websocket?prefix=team&room=r xmpp 127.0.0.1"]);
    one.socket.send("<open/>");
    one.socket.send(Uint8Array.of(1, 2, 3));
    await until("two echoes", () => one.messages.length === 2);
    expect(one.messages[0]).toBe("<open/>");
    expect(new Uint8Array(one.messages[1] as ArrayBuffer)).toEqual(Uint8Array.of(1, 2, 3));
    one.socket.send("close please");
    await until("the part's close", () => one.closed !== undefined);
    expect(one.closed).toEqual({ code: 4001, reason: "as you wish" });
  });

  test("a client that goes away is known to the part", async () => {
    seen = [];
    const one = await dial("/colibri-ws/jvb/conf/ep?pwd=s");
    one.socket.close(1000, "done");
    await until("the close", () => seen.length === 2);
    expect(seen).toEqual(["open /colibri-ws/jvb/conf/ep?pwd=s - 127.0.0.1", "close 1000 done"]);
  });

  test("a refusal of the part comes through as its status", async () => {
    const status = await refusalOf("/colibri-ws/jvb/conf/ep?pwd=wrong");
    expect(status).toBe(403);
    expect(await refusalOf("/colibri-ws/gone/conf/ep?pwd=s")).toBe(502);
    expect(await refusalOf("/colibri-ws/unknown/conf/ep?pwd=s")).toBe(404);
  });

  test("messages of 200 kB go both ways whole", async () => {
    const one = await dial("/colibri-ws/jvb/conf/ep?pwd=s");
    const long = "ä".repeat(100_000);
    one.socket.send(long);
    await until("the echo", () => one.messages.length === 1);
    expect(one.messages[0] === long).toBe(true);
    one.socket.close();
  });

  test("a client that does not read stops the part, not the gateway's memory", async () => {
    partSockets = [];
    const stuck = connect(gateway.ports["http"] ?? 0, "127.0.0.1");
    stuck.on("error", () => {});
    stuck.write(
      "GET /colibri-ws/jvb/conf/ep?pwd=s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    );
    await until("the part's side", () => partSockets.length === 1);
    stuck.pause();
    const [server] = partSockets;
    const block = "x".repeat(60_000);
    let sent = 0;
    for (; sent < 600; sent++) server?.send(block);
    // 36 MB are on their way; what the kernel's buffers and the gateway do not take stays with the part.
    let held = Number.NaN;
    await until("the part to be held back", () => {
      const before = held;
      held = server?.getBufferedAmount() ?? 0;
      Bun.sleepSync(50);
      return held === before;
    });
    expect(held).toBeGreaterThan(10_000_000);
    let got = 0;
    stuck.on("data", (bytes) => {
      got += bytes.length;
    });
    stuck.resume();
    await until("all of it to arrive once it is read", () => got >= sent * block.length);
    stuck.destroy();
  }, 15_000);

  test("a part that does not read costs its client the connection", async () => {
    const one = await dial("/colibri-ws/deaf/conf/ep?pwd=s");
    const block = "x".repeat(100_000);
    for (let count = 0; count < 300 && one.closed === undefined; count++) {
      one.socket.send(block);
      if (count % 10 === 9) await Bun.sleep(5);
    }
    await until("the close", () => one.closed !== undefined);
    expect(one.closed?.code).toBe(1013);
    expect(metrics.exposition()).toContain('parley_gateway_relays_ended_total{reason="part-slow"}');
  }, 15_000);

  test("one address has no more than its share", async () => {
    const clients: Client[] = [];
    for (let count = 0; count < 8; count++) clients.push(await dial("/colibri-ws/jvb/conf/ep?pwd=s"));
    expect(await refusalOf("/colibri-ws/jvb/conf/ep?pwd=s")).toBe(429);
    for (const client of clients) client.socket.close();
    await until("room again", () =>
      ["http", "https"].every((listener) => metrics.gauge("parley_gateway_relays", "").get({ listener }) === 0),
    );
    (await dial("/colibri-ws/jvb/conf/ep?pwd=s")).socket.close();
  });

  const refusalOf = async (path: string): Promise<number> => {
    const answer = await fetch(`http://localhost:${gateway.ports["http"]}${path}`, {
      headers: {
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
      },
    });
    return answer.status;
  };
});

describe("a new certificate", () => {
  test("is taken while open connections live on", async () => {
    const one = await dial("/colibri-ws/jvb/conf/ep?pwd=s");
    const issuer = createIssuer((Date.now() + millis(1_000)) as never, serial);
    const root = await issuer.makeRoot({
      commonName: "other root",
      names: ["localhost"],
      ranges: [],
      criticalConstraints: true,
    });
    await gateway.setIdentity(
      await issuer.makeLeaf(root, { commonName: "localhost", names: ["localhost"], addresses: [] }),
      ["localhost"],
    );
    const answer = await fetch(`https://localhost:${gateway.ports["https"]}/probe`, {
      tls: { ca: root.certificateChain },
      keepalive: false,
    } as RequestInit);
    expect(await answer.text()).toBe("ok\n");
    one.socket.send("still here");
    await until("the echo", () => one.messages.length === 1);
    one.socket.close();
  });
});

test("health is that of the parts; this machine is told what is wrong, and a HEAD has no body", async () => {
  const url = `http://localhost:${gateway.ports["http"]}/about/health`;
  const answer = await fetch(url);
  expect([answer.status, answer.headers.get("cache-control")]).toEqual([503, "no-store"]);
  expect((await answer.text()).split("\n")).toEqual([
    "People cannot meet here now",
    "focus: does not answer",
    "bridge deaf: does not answer",
    "bridge gone: does not answer",
    "",
  ]);
  const head = await fetch(url, { method: "HEAD" });
  expect([head.status, await head.text()]).toEqual([503, ""]);
});

test("a port that is taken is a fault, not a second listener", () => {
  const taken = { ...config, http: { host: "127.0.0.1", port: gateway.ports["http"] ?? 0 } };
  expect(startGateway(taken, { log: silentLogger, metrics: new Metrics() })).rejects.toThrow();
});
