/**
 * The client's half of a WebSocket, RFC 6455, as a core: bytes from the part in, events out; frames to the part as bytes. The gateway is a client of xmpp and bridge.
 * Bun's own client says neither why an upgrade was refused nor lets its reader be paused, and a relay needs both.
 * Declines: extensions (none is offered, so a set RSV bit is a fault), sending fragments.
 */
import { createHash } from "node:crypto";

export type WebSocketEvent =
  | { readonly type: "open" }
  /** The upgrade was refused with an HTTP status. */
  | { readonly type: "refused"; readonly status: number }
  | { readonly type: "message"; readonly data: string | Uint8Array<ArrayBuffer> }
  /** Answer with a pong of the same bytes. */
  | { readonly type: "ping"; readonly data: Uint8Array }
  | { readonly type: "pong" }
  /** The peer says goodbye; 1005: without a code. */
  | { readonly type: "close"; readonly code: number; readonly reason: string }
  /** The peer broke the protocol; `code` is what to close with. Nothing follows. */
  | { readonly type: "fault"; readonly code: 1002 | 1007 | 1009; readonly why: string };

export interface WebSocketClientOptions {
  /** `host:port` for the Host header. */
  readonly host: string;
  /** Path and query. */
  readonly target: string;
  readonly subprotocol: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Longest message, bytes. */
  readonly maxMessageBytes: number;
}

type RandomBytes = (length: number) => Uint8Array;

const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const MAX_HEAD_BYTES = 16_384;
/** RFC 6455 1.3. */
const ACCEPT_SUFFIX = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const encoder = new TextEncoder();
const fatalDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const utf8 = (bytes: Uint8Array): string | undefined => {
  try {
    return fatalDecoder.decode(bytes);
  } catch {
    return undefined;
  }
};

export class WebSocketClient {
  readonly #options: WebSocketClientOptions;
  readonly #random: RandomBytes;
  readonly #key: string;
  #state: "handshake" | "open" | "over" = "handshake";
  #buffer = new Uint8Array(0);
  /** Fragments of a message that is not complete. */
  #parts: Uint8Array[] = [];
  #partsBytes = 0;
  #partsText = false;
  #fragmented = false;

  constructor(options: WebSocketClientOptions, random: RandomBytes) {
    this.#options = options;
    this.#random = random;
    this.#key = Buffer.from(random(16)).toString("base64");
  }

  /** What to send first, RFC 6455 4.1. */
  request(): Uint8Array {
    const { host, target, subprotocol, headers } = this.#options;
    const lines = [
      `GET ${target} HTTP/1.1`,
      `Host: ${host}`,
      "Upgrade: websocket",
      "Connection: Upgrade",
      `Sec-WebSocket-Key: ${this.#key}`,
      "Sec-WebSocket-Version: 13",
      ...(subprotocol === undefined ? [] : [`Sec-WebSocket-Protocol: ${subprotocol}`]),
      ...Object.entries(headers).map(([name, value]) => `${name}: ${value.replaceAll(/[\r\n]/g, " ")}`),
    ];
    return encoder.encode(`${lines.join("\r\n")}\r\n\r\n`);
  }

  /** A whole message as one masked frame. */
  message(data: string | Uint8Array): Uint8Array {
    return typeof data === "string" ? this.#frame(OPCODE.text, encoder.encode(data)) : this.#frame(OPCODE.binary, data);
  }

  pong(data: Uint8Array): Uint8Array {
    return this.#frame(OPCODE.pong, data);
  }

  close(code: number, reason: string): Uint8Array {
    const text = encoder.encode(reason).subarray(0, 100);
    const payload = new Uint8Array(2 + text.length);
    payload[0] = code >> 8;
    payload[1] = code & 0xff;
    payload.set(text, 2);
    return this.#frame(OPCODE.close, payload);
  }

  /** Bytes as they arrive. */
  receive(bytes: Uint8Array): WebSocketEvent[] {
    if (this.#state === "over") return [];
    const joined = new Uint8Array(this.#buffer.length + bytes.length);
    joined.set(this.#buffer);
    joined.set(bytes, this.#buffer.length);
    this.#buffer = joined;
    const events: WebSocketEvent[] = [];
    if (this.#state === "handshake") this.#readHandshake(events);
    let at = 0;
    while (this.#isOpen()) {
      const used = this.#readFrame(at, events);
      if (used === 0) break;
      at += used;
    }
    this.#buffer = this.#isOpen() || this.#state === "handshake" ? this.#buffer.slice(at) : new Uint8Array(0);
    return events;
  }

  #isOpen(): boolean {
    return this.#state === "open";
  }

  #readHandshake(events: WebSocketEvent[]): void {
    const end = Buffer.from(this.#buffer.buffer, 0, this.#buffer.length).indexOf("\r\n\r\n");
    if (end < 0) {
      if (this.#buffer.length > MAX_HEAD_BYTES) this.#fault(events, 1002, "endless header");
      return;
    }
    const [status = "", ...lines] = Buffer.from(this.#buffer.buffer, 0, end).toString("latin1").split("\r\n");
    const code = Number(/^HTTP\/1\.1 (\d{3})/.exec(status)?.[1] ?? "0");
    if (code !== 101) {
      this.#state = "over";
      events.push({ type: "refused", status: code === 0 ? 502 : code });
      return;
    }
    const headers = new Map(
      lines.map((line) => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    const expected = createHash("sha1")
      .update(this.#key + ACCEPT_SUFFIX)
      .digest("base64");
    const wrong =
      headers.get("sec-websocket-accept") !== expected
        ? "wrong Sec-WebSocket-Accept"
        : headers.has("sec-websocket-extensions")
          ? "an extension that was not offered"
          : headers.get("sec-websocket-protocol") !== this.#options.subprotocol
            ? "another subprotocol"
            : undefined;
    if (wrong !== undefined) {
      this.#fault(events, 1002, wrong);
      return;
    }
    this.#buffer = this.#buffer.slice(end + 4);
    this.#state = "open";
    events.push({ type: "open" });
  }

  /** Reads one frame at `at`; 0 if it is not whole yet, else its length. RFC 6455 5.2. */
  #readFrame(at: number, events: WebSocketEvent[]): number {
    const bytes = this.#buffer;
    if (bytes.length - at < 2) return 0;
    const first = bytes[at] ?? 0;
    const second = bytes[at + 1] ?? 0;
    const opcode = first & 0x0f;
    const final = (first & 0x80) !== 0;
    if ((first & 0x70) !== 0) return this.#refuse(events, 1002, "reserved bits set");
    if ((second & 0x80) !== 0) return this.#refuse(events, 1002, "masked by a server");
    let length = second & 0x7f;
    let head = 2;
    if (opcode >= 8 && (!final || length > 125)) return this.#refuse(events, 1002, "long or fragmented control frame");
    if (length === 126) {
      if (bytes.length - at < 4) return 0;
      length = ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0);
      head = 4;
    } else if (length === 127) {
      if (bytes.length - at < 10) return 0;
      length =
        new DataView(bytes.buffer, bytes.byteOffset + at + 2).getUint32(0) * 2 ** 32 +
        new DataView(bytes.buffer, bytes.byteOffset + at + 6).getUint32(0);
      head = 10;
    }
    // Known before the payload has come: a peer must not make us wait for gigabytes.
    if (length + this.#partsBytes > this.#options.maxMessageBytes)
      return this.#refuse(events, 1009, "message too long");
    if (bytes.length - at < head + length) return 0;
    this.#take(opcode, final, bytes.slice(at + head, at + head + length), events);
    return head + length;
  }

  #take(opcode: number, final: boolean, payload: Uint8Array<ArrayBuffer>, events: WebSocketEvent[]): void {
    switch (opcode) {
      case OPCODE.text:
      case OPCODE.binary:
        if (this.#fragmented) {
          this.#fault(events, 1002, "a message within a message");
          return;
        }
        this.#partsText = opcode === OPCODE.text;
        this.#takePart(final, payload, events);
        return;
      case OPCODE.continuation:
        if (!this.#fragmented) {
          this.#fault(events, 1002, "a continuation of nothing");
          return;
        }
        this.#takePart(final, payload, events);
        return;
      case OPCODE.ping:
        events.push({ type: "ping", data: payload });
        return;
      case OPCODE.pong:
        events.push({ type: "pong" });
        return;
      case OPCODE.close: {
        if (payload.length === 1) {
          this.#fault(events, 1002, "half a close code");
          return;
        }
        const reason = utf8(payload.subarray(2));
        if (reason === undefined) {
          this.#fault(events, 1007, "close reason is not UTF-8");
          return;
        }
        this.#state = "over";
        events.push({
          type: "close",
          code: payload.length === 0 ? 1005 : ((payload[0] ?? 0) << 8) | (payload[1] ?? 0),
          reason,
        });
        return;
      }
      default:
        this.#fault(events, 1002, `unknown opcode ${opcode}`);
    }
  }

  #takePart(final: boolean, payload: Uint8Array<ArrayBuffer>, events: WebSocketEvent[]): void {
    this.#fragmented = !final;
    if (!final || this.#parts.length > 0) {
      this.#parts.push(payload);
      this.#partsBytes += payload.length;
    }
    if (!final) {
      // Empty fragments cost memory too.
      if (this.#parts.length > 4_096) this.#fault(events, 1009, "too many fragments");
      return;
    }
    const whole = this.#parts.length === 0 ? payload : new Uint8Array(Buffer.concat(this.#parts));
    this.#parts = [];
    this.#partsBytes = 0;
    if (!this.#partsText) {
      events.push({ type: "message", data: whole });
      return;
    }
    const text = utf8(whole);
    if (text === undefined) this.#fault(events, 1007, "text is not UTF-8");
    else events.push({ type: "message", data: text });
  }

  #refuse(events: WebSocketEvent[], code: 1002 | 1007 | 1009, why: string): 0 {
    this.#fault(events, code, why);
    return 0;
  }

  #fault(events: WebSocketEvent[], code: 1002 | 1007 | 1009, why: string): void {
    this.#state = "over";
    this.#parts = [];
    events.push({ type: "fault", code, why });
  }

  #frame(opcode: number, payload: Uint8Array): Uint8Array {
    const { length } = payload;
    const head = length < 126 ? 2 : length < 65_536 ? 4 : 10;
    const frame = new Uint8Array(head + 4 + length);
    frame[0] = 0x80 | opcode;
    if (head === 2) frame[1] = 0x80 | length;
    else if (head === 4) {
      frame[1] = 0x80 | 126;
      frame[2] = length >> 8;
      frame[3] = length & 0xff;
    } else {
      frame[1] = 0x80 | 127;
      new DataView(frame.buffer).setUint32(2, Math.floor(length / 2 ** 32));
      new DataView(frame.buffer).setUint32(6, length >>> 0);
    }
    // The mask protects caches between a browser and its server; between our own parts any value does, but the RFC wants one.
    const mask = this.#random(4);
    frame.set(mask, head);
    for (let index = 0; index < length; index++)
      frame[head + 4 + index] = (payload[index] ?? 0) ^ (mask[index & 3] ?? 0);
    return frame;
  }
}
