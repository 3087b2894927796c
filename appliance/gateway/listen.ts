/**
 * Shell: Elysia on TLS and on plain HTTP; performs what gateway.ts answers. Elysia's own WebSocket routes parse JSON out of messages and so cannot relay;
 * the sockets are therefore upgraded here and served by Bun's handlers.
 */
import type { Server, WebSocketHandler } from "bun";
import { Elysia } from "elysia";
import type { ListenAddress, TlsIdentity } from "../config.ts";
import type { Logger } from "../log.ts";
import type { Counter, Gauge } from "../metrics.ts";
import type { AddressBudget } from "./address-budget.ts";
import type { Gateway, GatewayAnswer } from "./gateway.ts";
import type { HealthProbe } from "./health-probe.ts";
import { Relay, RelayRefused } from "./relay.ts";

interface SocketData {
  readonly relay: Relay;
  readonly address: string;
}

export interface ListenerOptions {
  readonly listen: ListenAddress;
  readonly tls: TlsIdentity | undefined;
  readonly httpsPort: () => number;
  /** WebSockets, shared by all listeners. */
  readonly budget: AddressBudget;
  /** Requests under way that a part answers: long polls are held for a minute. Shared likewise. */
  readonly forwardBudget: AddressBudget;
  readonly gateway: Gateway;
  readonly health: HealthProbe;
  readonly log: Logger;
  readonly refused: Counter;
  readonly relaysEnded: Counter;
  readonly relaysOpen: Gauge;
}

const TLS_1_2 = 0x0303;
const UPSTREAM_OPEN_MS = 5_000;
/** Bun pings before this runs out; a client that answers no ping for so long is gone. At least 120 s are asked for (1.13). */
const SOCKET_IDLE_S = 120;
const HTTP_IDLE_S = 65;
const MAX_MESSAGE_BYTES = 1_048_576;
const MAX_BACKLOG_BYTES = 8 * 1_048_576;
const MAX_REQUEST_BYTES = 1_048_576;
/** Headers that parts see of a request. */
const FORWARDED_HEADERS = [
  "content-type",
  "authorization",
  "accept",
  "accept-language",
  "user-agent",
  "origin",
  "access-control-request-method",
  "access-control-request-headers",
] as const;
/** Headers that clients see of a part's answer. */
const RETURNED_HEADERS = [
  "content-type",
  "cache-control",
  "access-control-allow-origin",
  "access-control-allow-methods",
  "access-control-allow-headers",
  "access-control-allow-credentials",
  "access-control-max-age",
  "x-jitsi-shard",
  "retry-after",
] as const;

export class Listener {
  readonly #options: ListenerOptions;
  readonly #relays = new Set<Relay>();
  #server: Server<SocketData>;
  #tls: TlsIdentity | undefined;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#tls = options.tls;
    this.#server = this.#listen(options.listen.port);
  }

  get port(): number {
    return this.#server.port ?? 0;
  }

  /** Bun cannot change a server's certificate, so a new server takes the port; connections of the old one live on. */
  async setIdentity(tls: TlsIdentity): Promise<void> {
    if (this.#tls === undefined) return;
    const before = this.#tls;
    const { port } = this;
    this.#tls = tls;
    void this.#server.stop(false);
    try {
      this.#server = this.#listen(port);
    } catch (error) {
      this.#options.log.error("the new certificate does not work; the old one stays", { error: String(error) });
      this.#tls = before;
      this.#server = this.#listen(port);
    }
  }

  async stop(): Promise<void> {
    for (const relay of [...this.#relays]) relay.close();
    await this.#server.stop(true);
  }

  #listen(port: number): Server<SocketData> {
    const websocket: WebSocketHandler<SocketData> = {
      maxPayloadLength: MAX_MESSAGE_BYTES,
      backpressureLimit: MAX_BACKLOG_BYTES,
      closeOnBackpressureLimit: true,
      idleTimeout: SOCKET_IDLE_S,
      sendPings: true,
      perMessageDeflate: false,
      open: (socket) => socket.data.relay.attach(socket),
      message: (socket, message) => socket.data.relay.fromClient(message),
      drain: (socket) => socket.data.relay.clientDrained(),
      close: (socket, code, reason) => socket.data.relay.clientClosed(code, reason),
    };
    // Bun's types lack minVersion; its TLS refuses 1.1 even without it (measured), but defaults change.
    const tls =
      this.#tls === undefined
        ? undefined
        : { cert: this.#tls.certificateChain, key: this.#tls.privateKey, minVersion: TLS_1_2 };
    const app = new Elysia({ aot: false, serve: { development: false } });
    const answer = ({ request }: { request: Request }): Response | Promise<Response> =>
      this.#answer(request, app.server);
    // Bodies are read by the part they are for, not parsed here.
    app.onParse(({ request }) => request);
    app.all("/", answer).all("/*", answer);
    app.onError(({ error }) => {
      this.#options.log.error("request failed", {
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
      return new Response("Internal error\n", { status: 500 });
    });
    app.listen({
      hostname: this.#options.listen.host,
      port,
      development: false,
      // Elysia's default would let a second box take the same port in silence.
      reusePort: false,
      idleTimeout: HTTP_IDLE_S,
      maxRequestBodySize: MAX_REQUEST_BYTES,
      websocket,
      ...(tls === undefined ? {} : { tls }),
    });
    if (app.server === null) throw new Error("Elysia does not listen");
    return app.server;
  }

  #answer(request: Request, server: Server<SocketData> | null): Response | Promise<Response> {
    const remoteAddress = server?.requestIP(request)?.address ?? "";
    const answer = this.#options.gateway.handle(request, {
      remoteAddress,
      secure: this.#tls !== undefined,
      httpsPort: this.#options.httpsPort(),
    });
    switch (answer.type) {
      case "answer":
        return this.#plain(request, answer);
      case "relay":
        return this.#relay(request, answer, remoteAddress, server);
      case "forward":
        return this.#forward(request, answer, remoteAddress, server);
      case "health":
        return this.#health(request, answer.detailed);
    }
  }

  /** Strangers are told whether, this machine itself why not. */
  async #health(request: Request, detailed: boolean): Promise<Response> {
    const { ok, faults } = await this.#options.health.check();
    const lines = [ok ? "OK" : "People cannot meet here now", ...(detailed ? faults : [])];
    return new Response(request.method === "HEAD" ? null : `${lines.join("\n")}\n`, {
      status: ok ? 200 : 503,
      headers: {
        "Content-Type": "text/plain; charset=utf-8",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        ...(ok ? {} : { "Retry-After": "1" }),
      },
    });
  }

  #plain(request: Request, answer: GatewayAnswer & { type: "answer" }): Response {
    if (answer.reason !== undefined) this.#options.refused.add({ reason: answer.reason });
    const headers = new Headers(answer.headers);
    const { body } = answer;
    if (typeof body !== "object" || body instanceof Uint8Array) {
      const length = body === undefined ? 0 : typeof body === "string" ? Buffer.byteLength(body) : body.byteLength;
      if (request.method === "HEAD") headers.set("Content-Length", String(length));
      return new Response(request.method === "HEAD" ? null : ((body as BodyInit | undefined) ?? null), {
        status: answer.status,
        headers,
      });
    }
    if (request.method === "HEAD") return new Response(null, { status: answer.status, headers });
    headers.delete("Content-Length");
    return new Response(Bun.file(body.location).slice(body.start, body.end), { status: answer.status, headers });
  }

  async #relay(
    request: Request,
    order: GatewayAnswer & { type: "relay" },
    address: string,
    server: Server<SocketData> | null,
  ): Promise<Response> {
    const { refused, relaysEnded, relaysOpen, budget, log } = this.#options;
    if (server === null || !budget.take(address)) {
      refused.add({ reason: "relays-per-address" });
      return new Response("Too many connections\n", { status: 429, headers: { "Retry-After": "10" } });
    }
    let counted = true;
    let relay: Relay | undefined;
    const release = (how: string): void => {
      if (!counted) return;
      counted = false;
      budget.release(address);
      if (relay !== undefined) this.#relays.delete(relay);
      relaysOpen.set(this.#relays.size, { listener: this.#tls === undefined ? "http" : "https" });
      relaysEnded.add({ reason: how });
    };
    try {
      relay = await Relay.open(
        { ...order, headers: forwardedFor(address, undefined, this.#tls !== undefined) },
        UPSTREAM_OPEN_MS,
        release,
      );
    } catch (error) {
      const status = error instanceof RelayRefused ? error.status : 500;
      release("refused");
      // A bridge refuses wrong passwords with 403 and what it does not know with 404: that is the client's business, not ours.
      if (status >= 500)
        log.warn("a part did not take a WebSocket", { reason: "relay-refused", status, error: String(error) });
      return new Response("The part behind this address refused\n", { status: status < 400 ? 502 : status });
    }
    this.#relays.add(relay);
    relaysOpen.set(this.#relays.size, { listener: this.#tls === undefined ? "http" : "https" });
    const upgraded = server.upgrade(request, {
      data: { relay, address },
      ...(order.subprotocol === undefined ? {} : { headers: { "Sec-WebSocket-Protocol": order.subprotocol } }),
    });
    if (upgraded) return new Response(null, { status: 101 });
    relay.close();
    release("not-upgraded");
    return new Response("Not a WebSocket request\n", { status: 400 });
  }

  async #forward(
    request: Request,
    order: GatewayAnswer & { type: "forward" },
    address: string,
    server: Server<SocketData> | null,
  ): Promise<Response> {
    const { refused, forwardBudget } = this.#options;
    if (!forwardBudget.take(address)) {
      refused.add({ reason: "forwards-per-address" });
      return new Response("Too many requests\n", { status: 429, headers: { "Retry-After": "10" } });
    }
    try {
      return await this.#forwardWithin(request, order, address, server);
    } finally {
      forwardBudget.release(address);
    }
  }

  async #forwardWithin(
    request: Request,
    order: GatewayAnswer & { type: "forward" },
    address: string,
    server: Server<SocketData> | null,
  ): Promise<Response> {
    const { refused, log } = this.#options;
    const length = Number(request.headers.get("content-length") ?? "0");
    if (length > order.maxBodyBytes) {
      refused.add({ reason: "body-too-long" });
      return new Response("Too long\n", { status: 413 });
    }
    // Long polling says nothing for a minute.
    server?.timeout(request, Math.min(255, Math.ceil(order.timeoutMs / 1000)));
    const headers = new Headers(forwardedFor(address, order.host, this.#tls !== undefined));
    for (const name of FORWARDED_HEADERS) {
      const value = request.headers.get(name);
      if (value !== null) headers.set(name, value);
    }
    try {
      const body = request.method === "GET" || request.method === "HEAD" ? undefined : await request.arrayBuffer();
      if (body !== undefined && body.byteLength > order.maxBodyBytes) {
        refused.add({ reason: "body-too-long" });
        return new Response("Too long\n", { status: 413 });
      }
      const answer = await fetch(order.url, {
        method: request.method,
        headers,
        ...(body === undefined ? {} : { body }),
        redirect: "manual",
        signal: AbortSignal.any([request.signal, AbortSignal.timeout(order.timeoutMs)]),
      });
      const returned = new Headers({ "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff" });
      for (const name of RETURNED_HEADERS) {
        const value = answer.headers.get(name);
        if (value !== null) returned.set(name, value);
      }
      return new Response(answer.body, { status: answer.status, headers: returned });
    } catch (error) {
      if (request.signal.aborted) return new Response(null, { status: 499 });
      refused.add({ reason: "part-unreachable" });
      log.warn("a part does not answer", {
        reason: "part-unreachable",
        error: error instanceof Error ? error.message : String(error),
      });
      return new Response("The part behind this address does not answer\n", { status: 502 });
    }
  }
}

const forwardedFor = (address: string, host: string | undefined, secure: boolean): Record<string, string> => ({
  ...(host === undefined ? {} : { Host: host }),
  "X-Forwarded-For": address,
  "X-Forwarded-Proto": secure ? "https" : "http",
});
