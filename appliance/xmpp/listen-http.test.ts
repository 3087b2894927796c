import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import net from "node:net";
import { armGuard, disarmGuard, useRealTime } from "../../tests/real-time.ts";
import { bindResource, loginAnonymously, openWebSocket, Wire } from "../../tests/wire.ts";
import { TEST_ACCOUNTS, TEST_DOMAINS, TEST_LIMITS } from "../../tests/xmpp-dialogue.ts";
import { Metrics } from "../metrics.ts";
import type { RunningPart } from "../part.ts";
import { NS } from "../wire/namespaces.ts";

useRealTime();
const { silentLogger } = await import("../log.ts");
const { startXmpp } = await import("./start.ts");

let part: RunningPart;
const metrics = new Metrics();
beforeAll(async () => {
  const address = { host: "127.0.0.1", port: 0 };
  part = await startXmpp(
    {
      domains: TEST_DOMAINS,
      c2s: address,
      http: address,
      tls: {
        certificateChain: readFileSync(`${import.meta.dir}/fixtures/meet.test.crt.pem`, "utf8"),
        privateKey: readFileSync(`${import.meta.dir}/fixtures/meet.test.key.pem`, "utf8"),
      },
      accounts: TEST_ACCOUNTS,
      limits: { ...TEST_LIMITS, connectionsPerAddress: 3 },
      focusAccount: `focus@${TEST_DOMAINS.auth}`,
      externalServices: [],
    },
    { log: silentLogger, metrics },
  );
});
afterAll(async () => {
  disarmGuard();
  await part.stop(1_000);
  armGuard();
});

/** One frame of RFC 6455 §5.2 as a client sends it. */
function frame(payload: string | Uint8Array, { opcode = 1, fin = true, masked = true } = {}): Buffer {
  const data = Buffer.from(payload as string);
  const mask = Buffer.from([1, 2, 3, 4]);
  const length =
    data.length < 126
      ? Buffer.from([data.length | (masked ? 0x80 : 0)])
      : Buffer.from([126 | (masked ? 0x80 : 0), data.length >> 8, data.length & 255]);
  const body = masked ? Buffer.concat([mask, data.map((byte, at) => byte ^ (mask[at & 3] ?? 0))]) : data;
  return Buffer.concat([Buffer.from([(fin ? 0x80 : 0) | opcode]), length, body]);
}

/** A WebSocket by hand: what comes back as latin1 text, frame heads included. */
async function rawWebSocket(): Promise<{ wire: Wire; socket: net.Socket }> {
  const socket = net.connect(part.ports["xmppHttp"] ?? 0, "127.0.0.1");
  const wire = new Wire((text) => socket.write(text));
  socket.on("data", (bytes) => wire.heard(bytes.toString("latin1")));
  socket.on("close", () => wire.gone());
  socket.on("error", () => wire.gone());
  wire.send(
    "GET /xmpp-websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n",
  );
  expect((await wire.until("\r\n\r\n")).toLowerCase()).toContain("sec-websocket-protocol: xmpp");
  return { wire, socket };
}

const OPEN = `<open xmlns="${NS.framing}" to="meet.test" version="1.0"/>`;

/** Somebody else is served all the while. */
async function others(): Promise<void> {
  const { wire, socket } = await openWebSocket(`ws://127.0.0.1:${part.ports["xmppHttp"]}/xmpp-websocket`);
  await loginAnonymously(wire, TEST_DOMAINS.domain);
  expect(await bindResource(wire)).toContain("@meet.test/");
  socket.close();
}

describe("frames of a WebSocket", () => {
  test("a message in fragments, one of them empty, with a ping in between, is one message", async () => {
    const { wire, socket } = await rawWebSocket();
    socket.write(
      Buffer.concat([
        frame(OPEN.slice(0, 10), { fin: false }),
        frame("", { opcode: 0, fin: false }),
        frame("x", { opcode: 9 }),
      ]),
    );
    await wire.until("\x8a\x01x"); // the pong
    socket.write(frame(OPEN.slice(10), { opcode: 0 }));
    await wire.until("</stream:features>");
    socket.destroy();
  });
  const broken: readonly (readonly [string, Buffer])[] = [
    ["an unmasked frame", frame(OPEN, { masked: false })],
    ["a continuation of nothing", frame("x", { opcode: 0 })],
    ["an opcode that is none", frame("x", { opcode: 3 })],
    ["a new message inside a fragmented one", Buffer.concat([frame("<a", { fin: false }), frame("<b/>")])],
    ["a ping in fragments", frame("x", { opcode: 9, fin: false })],
    ["text that is no UTF-8", frame(new Uint8Array([0x3c, 0xff, 0xfe]))],
    [
      "a frame that says it is huge",
      Buffer.concat([Buffer.from([0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), Buffer.from("mask")]),
    ],
    ["a frame of 2 MiB", Buffer.concat([Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 0x20, 0, 0]), Buffer.from("mask")])],
  ];
  for (const [what, bytes] of broken)
    test(`${what} closes the connection, and only that`, async () => {
      const { wire, socket } = await rawWebSocket();
      socket.write(bytes);
      await wire.end();
      await others();
    });
});

describe("BOSH over HTTP", () => {
  const post = (body: string, signal?: AbortSignal): Promise<string> =>
    fetch(`http://127.0.0.1:${part.ports["xmppHttp"]}/http-bind?room=x`, {
      method: "POST",
      body,
      ...(signal === undefined ? {} : { signal }),
    }).then((response) => response.text());
  const body = (sid: string, rid: number, inner = "", attributes = ""): string =>
    `<body xmlns="${NS.httpbind}" sid="${sid}" rid="${rid}" xmlns:xmpp="${NS.xbosh}" ${attributes}>${inner}</body>`;

  test("log in, hold, break off and repeat, be told", async () => {
    const created = await post(`<body xmlns="${NS.httpbind}" to="meet.test" rid="100" wait="60" hold="1" ver="1.6"/>`);
    const sid = / sid="([^"]+)"/.exec(created)?.[1] ?? "";
    await post(body(sid, 101, `<auth xmlns="${NS.sasl}" mechanism="ANONYMOUS"/>`));
    await post(body(sid, 102, "", `xmpp:restart="true"`));
    const bound = await post(
      body(sid, 103, `<iq xmlns="jabber:client" type="set" id="b"><bind xmlns="${NS.bind}"/></iq>`),
    );
    expect(bound).toContain("@meet.test/");
    const breaking = new AbortController();
    const held = post(body(sid, 104), breaking.signal);
    await others();
    breaking.abort();
    await expect(held).rejects.toThrow();
    const again = post(body(sid, 104));
    await others();
    const pinged = post(
      body(sid, 105, `<iq xmlns="jabber:client" type="get" id="p" to="meet.test"><ping xmlns="${NS.ping}"/></iq>`),
    );
    expect(await again).toContain(`id="p"`);
    expect(await post(body(sid, 106, "", `type="terminate"`))).toContain(`type="terminate"`);
    expect(await pinged).toContain("terminate");
  });
  test("a body too large, and one that is none", async () => {
    const tooLarge = await fetch(`http://127.0.0.1:${part.ports["xmppHttp"]}/http-bind`, {
      method: "POST",
      body: "x".repeat(600_000),
    });
    expect(tooLarge.status).toBe(413);
    expect(await post("nonsense")).toContain(`condition="bad-request"`);
    const noText = await fetch(`http://127.0.0.1:${part.ports["xmppHttp"]}/http-bind`, {
      method: "POST",
      body: new Uint8Array([...Buffer.from(`<body xmlns="${NS.httpbind}" rid="1" to="meet.test">`), 0xc0, 0xaf]),
    });
    expect(await noText.text()).toContain(`condition="bad-request"`);
    await others();
  });
});

test("X-Forwarded-For is believed from this machine: one address cannot take all places", async () => {
  const connect = (address: string): ReturnType<typeof openWebSocket> =>
    openWebSocket(`ws://127.0.0.1:${part.ports["xmppHttp"]}/xmpp-websocket`, {
      "x-forwarded-for": `192.0.2.1, ${address}`,
    });
  const many = await Promise.all([1, 2, 3].map(() => connect("203.0.113.77")));
  expect(await (await connect("203.0.113.77")).wire.until("</stream:error>")).toContain("resource-constraint");
  const other = await connect("203.0.113.78");
  await loginAnonymously(other.wire, TEST_DOMAINS.domain);
  for (const { socket } of [...many, other]) socket.close();
  for (const { wire } of [...many, other]) await wire.end();
});
