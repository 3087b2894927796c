/**
 * Garbage on every port of a running box: a clear error or silence; nothing stops, nothing is logged as an error, and people are served meanwhile.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { disarmGuard } from "../real-time.ts";
import { alive, Box } from "./box.ts";
import { until } from "./until.ts";

disarmGuard(); // each of these files runs in a process of its own

let box: Box;

beforeAll(async () => {
  box = await Box.start();
}, 60_000);

afterAll(() => box?.stop(), 30_000);

/** A generator with a printed seed: mulberry32. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const seed = Date.now() >>> 0;
const random = generator(seed);
const bytes = (count: number): Buffer => Buffer.from(Array.from({ length: count }, () => Math.floor(random() * 256)));

/** Writes to a TCP port and waits until the other side closes, resets or two seconds are over: all three are fine. */
const tcp = (port: number, chunks: readonly Buffer[]): Promise<void> =>
  new Promise((done) => {
    const socket = connect(port, "127.0.0.1");
    const limit = setTimeout(() => socket.destroy(), 2_000);
    socket.on("error", () => {}); // a reset is an answer
    socket.on("data", () => {});
    socket.on("close", () => {
      clearTimeout(limit);
      done();
    });
    socket.on("connect", () => {
      for (const chunk of chunks) socket.write(chunk);
      socket.end();
    });
  });

const STREAM =
  "<?xml version='1.0'?><stream:stream to='meet.jitsi' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>";
const TEXTS = [
  "GET / HTTP/1.1\r\n\r\n",
  `GET /${"a".repeat(70_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
  "GET /../../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
  "GET /colibri-ws/jvb/1/2?pwd=x HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: eA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
  "POST /http-bind HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n<body><<>",
  "POST /conference-request/v1 HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n{{{{{",
  "POST /colibri/v2/conferences HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n{{{{{",
  `${STREAM}<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`,
  `${STREAM}<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGEAYg==</auth>`,
  `<!DOCTYPE x [<!ENTITY a "${"b".repeat(1000)}">]><x>&a;</x>`,
  `${STREAM}${"<a>".repeat(5_000)}`,
];

test(`TCP ports take random bytes and broken protocols (seed ${seed})`, async () => {
  const { https, http, xmpp, xmppHttp, focusHttp, bridgeHttp, colibri } = box.ready.ports;
  for (const port of [https, http, xmpp, xmppHttp, focusHttp, ...bridgeHttp, ...colibri])
    await Promise.all([
      ...TEXTS.map((text) => tcp(port, [Buffer.from(text)])),
      ...Array.from({ length: 10 }, () => tcp(port, [bytes(1 + Math.floor(random() * 4_000))])),
      tcp(port, [Buffer.from([0x16, 0x03, 0x01, 0x40, 0x00, 0x01]), bytes(300)]),
      tcp(port, [Buffer.from([0xff, 0xfe, 0x00])]),
    ]);
}, 120_000);

test("the media port takes random datagrams, broken STUN, DTLS, RTP and RTCP", async () => {
  const socket = createSocket("udp4");
  const address = "10.77.0.1";
  for (const port of box.ready.ports.media)
    for (let i = 0; i < 5_000; i++) {
      const datagram = bytes(1 + Math.floor(random() * 1_400));
      const kind = i % 5;
      if (kind === 1) Buffer.from([0, 1, 0, 8, 0x21, 0x12, 0xa4, 0x42]).copy(datagram);
      else if (kind === 2) Buffer.from([22, 0xfe, 0xfd]).copy(datagram);
      else if (kind === 3) Buffer.from([0x80, 111]).copy(datagram);
      else if (kind === 4) Buffer.from([0x81, 201]).copy(datagram);
      await new Promise<void>((done) => socket.send(datagram, port, address, () => done()));
    }
  await new Promise<void>((done) => socket.close(done));
}, 60_000);

test("the box goes on as if nothing had been", async () => {
  const { supervisor, control, bridge } = box.ready.pids;
  expect([supervisor, control, ...bridge].every(alive)).toBe(true);
  expect(box.refresh().pids).toEqual({ ...box.ready.pids });
  expect(box.errors()).toEqual([]);
  const socket = new WebSocket(`ws://127.0.0.1:${box.ready.ports.xmppHttp}/xmpp-websocket?room=x`, ["xmpp"]);
  const frames: string[] = [];
  socket.onmessage = ({ data }) => frames.push(String(data));
  await new Promise((done) => {
    socket.onopen = done;
  });
  socket.send(`<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="${box.ready.domain}" version="1.0"/>`);
  await until("a stream", 5_000, () => frames.some((frame) => frame.includes("ANONYMOUS")));
  socket.close();
  const stats = (await (await fetch(`http://127.0.0.1:${box.ready.ports.bridgeHttp[0]}/metrics`)).text()).split("\n");
  const dropped = stats.filter((line) => line.startsWith("parley_") && line.includes("dropped")).join("\n");
  expect(dropped).toContain("reason=");
}, 30_000);
