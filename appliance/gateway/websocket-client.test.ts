import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { WebSocketClient, type WebSocketEvent } from "./websocket-client.ts";

const bytes = (...values: readonly (number | string | readonly number[])[]): Uint8Array =>
  new Uint8Array(
    Buffer.concat(
      values.map((value) =>
        typeof value === "string" ? Buffer.from(value) : Buffer.from(typeof value === "number" ? [value] : [...value]),
      ),
    ),
  );

const fixed = (length: number): Uint8Array => new Uint8Array(length).fill(0x37);
const KEY = Buffer.from(fixed(16)).toString("base64");
const ACCEPT = createHash("sha1").update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");

const client = (...subprotocols: readonly string[]): WebSocketClient =>
  new WebSocketClient(
    {
      host: "box:443",
      target: "/xmpp-websocket?room=a",
      subprotocol: subprotocols[0],
      headers: { "X-Forwarded-For": "10.0.0.1\r\nEvil: 1" },
      maxMessageBytes: 1_000,
    },
    fixed,
  );

const accepted = (extra = ""): Uint8Array =>
  bytes(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${ACCEPT}\r\nSec-WebSocket-Protocol: xmpp\r\n${extra}\r\n`,
  );

const opened = (): WebSocketClient => {
  const one = client("xmpp");
  expect(one.receive(accepted())).toEqual([{ type: "open" }]);
  return one;
};

describe("handshake", () => {
  test("asks as RFC 6455 4.1 has it, and a header cannot smuggle in another", () => {
    const text = Buffer.from(client("xmpp").request()).toString();
    expect(text.split("\r\n")).toEqual([
      "GET /xmpp-websocket?room=a HTTP/1.1",
      "Host: box:443",
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Key: ${KEY}`,
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Protocol: xmpp",
      "X-Forwarded-For: 10.0.0.1  Evil: 1",
      "",
      "",
    ]);
  });

  const rows: readonly (readonly [string, Uint8Array, WebSocketEvent])[] = [
    [
      "a status of refusal",
      bytes("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"),
      { type: "refused", status: 403 },
    ],
    ["what is no HTTP", bytes("SSH-2.0-OpenSSH\r\n\r\n"), { type: "refused", status: 502 }],
    [
      "a wrong accept key",
      bytes("HTTP/1.1 101 x\r\nSec-WebSocket-Accept: x\r\n\r\n"),
      { type: "fault", code: 1002, why: "wrong Sec-WebSocket-Accept" },
    ],
    [
      "an extension that was not offered",
      accepted("Sec-WebSocket-Extensions: permessage-deflate\r\n"),
      { type: "fault", code: 1002, why: "an extension that was not offered" },
    ],
    [
      "an endless header",
      bytes("HTTP/1.1 101 x\r\n", "x".repeat(20_000)),
      { type: "fault", code: 1002, why: "endless header" },
    ],
  ];
  for (const [name, answer, event] of rows)
    test(`${name} ends it`, () => {
      const one = client("xmpp");
      expect(one.receive(answer)).toEqual([event]);
      expect(one.receive(bytes(0x81, 1, "x"))).toEqual([]);
    });

  test("an answer in single bytes, with a frame right behind it", () => {
    const one = client("xmpp");
    const events: WebSocketEvent[] = [];
    for (const byte of bytes([...accepted()], 0x81, 2, "hi")) events.push(...one.receive(Uint8Array.of(byte)));
    expect(events).toEqual([{ type: "open" }, { type: "message", data: "hi" }]);
  });

  test("without a subprotocol asked for, one that is answered is a fault", () => {
    expect(client().receive(accepted())).toEqual([{ type: "fault", code: 1002, why: "another subprotocol" }]);
  });
});

describe("frames from the part", () => {
  const rows: readonly (readonly [string, Uint8Array, readonly WebSocketEvent[]])[] = [
    ["RFC 6455 5.7: a text", bytes(0x81, 5, "Hello"), [{ type: "message", data: "Hello" }]],
    ["RFC 6455 5.7: a text in fragments", bytes(0x01, 3, "Hel", 0x80, 2, "lo"), [{ type: "message", data: "Hello" }]],
    ["RFC 6455 5.7: a ping", bytes(0x89, 5, "Hello"), [{ type: "ping", data: bytes("Hello") }]],
    [
      "RFC 6455 5.7: 256 bytes",
      bytes(0x82, 0x7e, 1, 0, new Array<number>(256).fill(7)),
      [{ type: "message", data: new Uint8Array(256).fill(7) }],
    ],
    [
      "a ping between fragments",
      bytes(0x01, 1, "a", 0x89, 0, 0x80, 1, "b"),
      [
        { type: "ping", data: bytes() },
        { type: "message", data: "ab" },
      ],
    ],
    ["a character cut by fragments", bytes(0x01, 1, 0xc3, 0x80, 1, 0xa4), [{ type: "message", data: "ä" }]],
    ["an empty text", bytes(0x81, 0), [{ type: "message", data: "" }]],
    ["a pong", bytes(0x8a, 0), [{ type: "pong" }]],
    [
      "a close with code and reason",
      bytes(0x88, 4, 3, 232, "ok", 0x81, 1, "x"),
      [{ type: "close", code: 1000, reason: "ok" }],
    ],
    ["a close without code", bytes(0x88, 0), [{ type: "close", code: 1005, reason: "" }]],
    ["half a close code", bytes(0x88, 1, 3), [{ type: "fault", code: 1002, why: "half a close code" }]],
    ["a masked frame", bytes(0x81, 0x81, 1, 2, 3, 4, "x"), [{ type: "fault", code: 1002, why: "masked by a server" }]],
    ["reserved bits", bytes(0xc1, 1, "x"), [{ type: "fault", code: 1002, why: "reserved bits set" }]],
    ["an unknown opcode", bytes(0x83, 0), [{ type: "fault", code: 1002, why: "unknown opcode 3" }]],
    [
      "a continuation of nothing",
      bytes(0x80, 1, "x"),
      [{ type: "fault", code: 1002, why: "a continuation of nothing" }],
    ],
    [
      "a message within a message",
      bytes(0x01, 1, "a", 0x81, 1, "b"),
      [{ type: "fault", code: 1002, why: "a message within a message" }],
    ],
    ["a fragmented ping", bytes(0x09, 0), [{ type: "fault", code: 1002, why: "long or fragmented control frame" }]],
    [
      "a long ping",
      bytes(0x89, 0x7e, 0, 200),
      [{ type: "fault", code: 1002, why: "long or fragmented control frame" }],
    ],
    ["broken UTF-8", bytes(0x81, 2, 0xc3, 0x28), [{ type: "fault", code: 1007, why: "text is not UTF-8" }]],
    [
      "a message that is announced too long",
      bytes(0x81, 0x7e, 0x10, 0),
      [{ type: "fault", code: 1009, why: "message too long" }],
    ],
    [
      "a message of 2^63 bytes",
      bytes(0x82, 0x7f, 0x7f, new Array<number>(7).fill(255)),
      [{ type: "fault", code: 1009, why: "message too long" }],
    ],
    [
      "fragments that are too long together",
      bytes(0x01, 0x7e, 2, 0, new Array<number>(512).fill(65), 0x80, 0x7e, 2, 0),
      [{ type: "fault", code: 1009, why: "message too long" }],
    ],
  ];
  for (const [name, input, events] of rows) {
    test(name, () => expect(opened().receive(input)).toEqual([...events]));
    test(`${name}, byte by byte`, () => {
      const one = opened();
      expect([...input].flatMap((byte) => one.receive(Uint8Array.of(byte)))).toEqual([...events]);
    });
  }

  test("endless empty fragments end it", () => {
    const one = opened();
    let events = one.receive(bytes(0x01, 0));
    for (let count = 0; count < 5_000 && events.length === 0; count++) events = one.receive(bytes(0x00, 0));
    expect(events).toEqual([{ type: "fault", code: 1009, why: "too many fragments" }]);
  });

  test("random bytes never throw, and end in bounded time (seed 11)", () => {
    let seed = 11;
    const random = (): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return (seed >> 16) & 0xff;
    };
    for (let round = 0; round < 500; round++) {
      const one = opened();
      for (let chunk = 0; chunk < 8; chunk++) one.receive(Uint8Array.from({ length: random() % 64 }, random));
    }
  });
});

describe("frames to the part", () => {
  const unmask = (frame: Uint8Array, head: number): string =>
    Buffer.from(frame.slice(head + 4).map((byte, index) => byte ^ (frame[head + (index & 3)] ?? 0))).toString();

  for (const length of [0, 1, 125, 126, 65_535, 65_536])
    test(`a text of ${length} bytes is masked and its length written right`, () => {
      const frame = opened().message("x".repeat(length));
      const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
      expect(frame.length).toBe(head + 4 + length);
      expect((frame[1] ?? 0) & 0x80).toBe(0x80);
      expect(unmask(frame, head)).toBe("x".repeat(length));
    });

  test("a close carries code and reason", () => {
    const frame = opened().close(1001, "bye");
    expect(frame[0]).toBe(0x88);
    expect(unmask(frame, 2)).toBe("\u0003\ufffdbye");
  });
});
