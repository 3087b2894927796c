/**
 * Shell: one WebSocket relayed: the client's side is Bun's server socket, the other side a client socket to xmpp or bridge. Both ways bounded:
 * who does not take what is sent to it is closed, because neither socket can be told to read slower (Bun has no pause for WebSockets).
 */
import type { ServerWebSocket } from "bun";

/** Bytes that wait for a side that does not take them. XMPP's stream management repeats what a closed client missed. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
/** Messages of a client before the other side is open. */
const MAX_EARLY_BYTES = 256 * 1024;

export type RelayEnd = "client" | "part" | "client-slow" | "part-slow" | "early-flood";

export interface RelayOrder {
  readonly url: string;
  readonly subprotocol: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

const sizeOf = (message: string | Uint8Array): number =>
  typeof message === "string" ? Buffer.byteLength(message) : message.byteLength;

/** Codes that may be sent in a close frame (RFC 6455 7.4); others become 1011. */
const sendable = (code: number): number =>
  code === 1000 ||
  code === 1001 ||
  (code >= 1003 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006) ||
  (code >= 3000 && code <= 4999)
    ? code
    : 1011;

export class Relay {
  readonly #part: WebSocket;
  readonly #ended: (how: RelayEnd) => void;
  #client: ServerWebSocket<unknown> | undefined;
  #early: (string | Uint8Array<ArrayBuffer>)[] = [];
  #earlyBytes = 0;
  #over = false;

  /** Resolves once the part has accepted; rejects if it refuses or is not there. */
  static open(order: RelayOrder, timeoutMs: number, ended: (how: RelayEnd) => void): Promise<Relay> {
    const options = {
      ...(order.subprotocol === undefined ? {} : { protocols: [order.subprotocol] }),
      headers: order.headers,
    };
    // Bun's client takes options where the browser's, whose types these are, takes a list of subprotocols.
    const socket = new WebSocket(order.url, options as unknown as string[]);
    socket.binaryType = "arraybuffer";
    const relay = new Relay(socket, ended);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error("time-out"));
        socket.close();
      }, timeoutMs);
      socket.addEventListener("open", () => {
        clearTimeout(timer);
        resolve(relay);
      });
      socket.addEventListener("close", () => {
        clearTimeout(timer);
        reject(new Error("refused"));
      });
    });
  }

  constructor(part: WebSocket, ended: (how: RelayEnd) => void) {
    this.#part = part;
    this.#ended = ended;
    part.addEventListener("message", ({ data }: MessageEvent<string | ArrayBuffer>) =>
      this.#toClient(typeof data === "string" ? data : new Uint8Array(data)),
    );
    part.addEventListener("close", ({ code, reason }) => this.#end("part", sendable(code), reason));
    // A close event follows each error.
    part.addEventListener("error", () => {});
  }

  /** The client's side is there. */
  attach(client: ServerWebSocket<unknown>): void {
    this.#client = client;
    const early = this.#early;
    this.#early = [];
    for (const message of early) this.#toClient(message);
    if (this.#over) client.close(1011, "");
  }

  fromClient(message: string | Uint8Array<ArrayBuffer>): void {
    if (this.#over) return;
    this.#part.send(message);
    if (this.#part.bufferedAmount > MAX_WAITING_BYTES) this.#end("part-slow", 1013, "overloaded");
  }

  clientClosed(code: number, reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#part.close(sendable(code) === code ? code : 1000, reason.slice(0, 100));
    this.#ended("client");
  }

  /** Ends both sides, e.g. because the gateway stops. */
  close(): void {
    this.#end("part", 1001, "");
  }

  #toClient(message: string | Uint8Array<ArrayBuffer>): void {
    if (this.#over) return;
    if (this.#client === undefined) {
      this.#early.push(message);
      this.#earlyBytes += sizeOf(message);
      if (this.#earlyBytes > MAX_EARLY_BYTES) this.#end("early-flood", 1011, "");
      return;
    }
    // 0: dropped by the socket, because it is closing.
    this.#client.send(message);
    if (this.#client.getBufferedAmount() > MAX_WAITING_BYTES) this.#end("client-slow", 1013, "too slow");
  }

  #end(how: RelayEnd, code: number, reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#early = [];
    this.#client?.close(code, reason.slice(0, 100));
    this.#part.close(1000);
    this.#ended(how);
  }
}
