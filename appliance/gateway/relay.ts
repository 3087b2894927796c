/**
 * Shell: one WebSocket relayed between a client (Bun's server socket) and a part (a TCP connection under websocket-client.ts). Bounded both ways:
 * when the client does not take what the part says, the part's connection is read no further until it does; when the part does not take what the
 * client says, the client is closed, because Bun's server sockets cannot be read slower.
 */
import { randomBytes } from "node:crypto";
import type { ServerWebSocket, Socket } from "bun";
import { WebSocketClient, type WebSocketEvent } from "./websocket-client.ts";

/** Bytes waiting for the client from which the part is read no further. */
const PAUSE_BYTES = 256 * 1024;
/** Bytes that may wait for a part that does not read. */
const MAX_WAITING_BYTES = 1024 * 1024;

export type RelayEnd = "client" | "part" | "part-fault" | "part-slow" | "gateway";

export interface RelayOrder {
  /** `ws://host:port/path?query`. */
  readonly url: string;
  readonly subprotocol: string | undefined;
  /** Host header. */
  readonly host: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly maxMessageBytes: number;
}

/** The part refused the upgrade, or is not there (502), or takes too long (504). */
export class RelayRefused extends Error {
  override readonly name = "RelayRefused";
  constructor(readonly status: number) {
    super(`refused with status ${status}`);
  }
}

/** Codes that may be sent in a close frame (RFC 6455 7.4); others become 1011. */
export const sendableCode = (code: number): number =>
  code === 1000 ||
  code === 1001 ||
  code === 1002 ||
  code === 1003 ||
  (code >= 1007 && code <= 1014) ||
  (code >= 3000 && code <= 4999)
    ? code
    : 1011;

export class Relay {
  readonly #websocket: WebSocketClient;
  readonly #ended: (how: RelayEnd) => void;
  readonly #opened = Promise.withResolvers<void>();
  #part: Socket | undefined;
  #client: ServerWebSocket<unknown> | undefined;
  /** Bytes that the part's connection did not take at once. */
  #unsent: Uint8Array[] = [];
  #unsentBytes = 0;
  /** What the part said before the client's side was upgraded; its connection is paused then, so this is one read at most. */
  #early: WebSocketEvent[] = [];
  #isOpen = false;
  #paused = false;
  #over = false;

  /** Resolves once the part has accepted; rejects with RelayRefused. */
  static async open(order: RelayOrder, timeoutMs: number, ended: (how: RelayEnd) => void): Promise<Relay> {
    const url = new URL(order.url);
    const websocket = new WebSocketClient(
      {
        host: order.host,
        target: `${url.pathname}${url.search}`,
        subprotocol: order.subprotocol,
        headers: order.headers,
        maxMessageBytes: order.maxMessageBytes,
      },
      randomBytes,
    );
    const relay = new Relay(websocket, ended);
    const timer = setTimeout(() => relay.#refuse(504), timeoutMs);
    try {
      relay.#part = await Bun.connect({
        hostname: url.hostname.replace(/^\[|\]$/g, ""),
        port: Number(url.port || "80"),
        socket: {
          data: (_socket, bytes) => relay.#received(bytes),
          drain: () => relay.#flush(),
          close: () => relay.#partGone(),
          error: () => relay.#partGone(),
        },
      }).catch(() => {
        throw new RelayRefused(502);
      });
      relay.#write(websocket.request());
      await relay.#opened.promise;
      return relay;
    } finally {
      clearTimeout(timer);
    }
  }

  private constructor(websocket: WebSocketClient, ended: (how: RelayEnd) => void) {
    this.#websocket = websocket;
    this.#ended = ended;
  }

  /** The client's side is there. */
  attach(client: ServerWebSocket<unknown>): void {
    this.#client = client;
    const early = this.#early;
    this.#early = [];
    for (const event of early) this.#perform(event);
    this.#resume();
  }

  fromClient(message: string | Uint8Array): void {
    if (this.#over) return;
    this.#write(this.#websocket.message(message));
    if (this.#unsentBytes > MAX_WAITING_BYTES) this.#end("part-slow", 1013, "overloaded");
  }

  /** The client took what waited for it. */
  clientDrained(): void {
    this.#resume();
  }

  clientClosed(code: number, reason: string): void {
    if (this.#over) return;
    this.#over = true;
    // 1005 and 1006 are words for "said nothing"; a part is told what a browser that goes away would say.
    this.#write(this.#websocket.close(sendableCode(code) === code ? code : 1001, reason));
    this.#part?.end();
    this.#ended("client");
  }

  /** Ends both sides because the gateway stops. */
  close(): void {
    this.#end("gateway", 1001, "");
  }

  #received(bytes: Uint8Array): void {
    for (const event of this.#websocket.receive(bytes)) this.#perform(event);
  }

  #perform(event: WebSocketEvent): void {
    if (this.#over) return;
    if (event.type === "open") {
      this.#isOpen = true;
      // Nothing is read until there is somebody to give it to.
      this.#pause();
      this.#opened.resolve();
      return;
    }
    if (event.type === "refused") {
      this.#refuse(event.status);
      return;
    }
    if (event.type === "ping") {
      this.#write(this.#websocket.pong(event.data));
      return;
    }
    if (event.type === "pong") return;
    const client = this.#client;
    if (client === undefined) {
      if (this.#isOpen) this.#early.push(event);
      else this.#refuse(502);
      return;
    }
    switch (event.type) {
      case "message":
        client.send(event.data);
        if (client.getBufferedAmount() > PAUSE_BYTES) this.#pause();
        break;
      case "close":
        this.#end("part", event.code === 1005 ? 1000 : sendableCode(event.code), event.reason);
        break;
      case "fault":
        this.#end("part-fault", 1011, "");
        break;
    }
  }

  #refuse(status: number): void {
    if (this.#over) return;
    this.#over = true;
    this.#part?.end();
    this.#opened.reject(new RelayRefused(status));
  }

  #partGone(): void {
    if (!this.#isOpen) {
      this.#refuse(502);
      return;
    }
    this.#end("part", 1011, "");
  }

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#part?.pause();
  }

  #resume(): void {
    if (!this.#paused || this.#over || this.#client === undefined) return;
    if (this.#client.getBufferedAmount() > PAUSE_BYTES) return;
    this.#paused = false;
    this.#part?.resume();
  }

  #write(bytes: Uint8Array): void {
    const part = this.#part;
    if (part === undefined) return;
    const taken = this.#unsent.length > 0 ? 0 : Math.max(0, part.write(bytes));
    if (taken === bytes.length) return;
    this.#unsent.push(bytes.subarray(taken));
    this.#unsentBytes += bytes.length - taken;
  }

  #flush(): void {
    while (this.#part !== undefined) {
      const [first] = this.#unsent;
      if (first === undefined) return;
      const taken = Math.max(0, this.#part.write(first));
      this.#unsentBytes -= taken;
      if (taken < first.length) {
        this.#unsent[0] = first.subarray(taken);
        return;
      }
      this.#unsent.shift();
    }
  }

  #end(how: RelayEnd, code: number, reason: string): void {
    if (this.#over) return;
    if (how === "gateway") this.#write(this.#websocket.close(1001, ""));
    this.#over = true;
    this.#early = [];
    this.#client?.close(code, reason.slice(0, 100));
    this.#part?.end();
    this.#ended(how);
  }
}
