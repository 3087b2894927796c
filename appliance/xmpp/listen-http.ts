/**
 * Shell: the HTTP port of the XMPP server (5280, behind the gateway): WebSocket upgrade, BOSH, health. Fragmented WebSocket messages are put
 * together by Bun; text that is no UTF-8 closes the connection there (1007).
 */
import type { ListenAddress } from "../config.ts";
import type { HttpPage } from "./host.ts";
import { plainAddress } from "./listen-tcp.ts";
import type { HttpOrigin, RequestId } from "./server-io.ts";

export interface WebSocketConnection {
  send(text: string): void;
  close(code: number, reason: string, abrupt: boolean): void;
}

export interface HttpEvents {
  websocketOpened(connection: WebSocketConnection, origin: HttpOrigin): void;
  frame(connection: WebSocketConnection, text: string): void;
  binaryFrame(connection: WebSocketConnection): void;
  websocketClosed(connection: WebSocketConnection): void;
  overflow(connection: WebSocketConnection): void;
  boshRequest(request: RequestId, origin: HttpOrigin, body: string): void;
  boshAborted(request: RequestId): void;
  /** Undefined when well. */
  health(): string | undefined;
  metrics(): string;
  /** Further paths (room census and the like). */
  other(path: string, query: ReadonlyMap<string, string>): HttpPage | undefined;
}

export interface HttpSettings {
  readonly address: ListenAddress;
  /** Addresses whose X-Forwarded-For is believed, beside loopback. */
  readonly trustedProxies: readonly string[];
  readonly regionHeader: string | undefined;
}

export interface HttpListener {
  readonly port: number;
  answer(request: RequestId, status: number, body: string): void;
  stop(): Promise<void>;
}

/** A frame may be four times the biggest stanza, so that the core can say what is wrong with it before Bun cuts the connection. */
const MAX_FRAME_BYTES = 1024 * 1024;
const MAX_BODY_BYTES = 512 * 1024;
const MAX_UNSENT_BYTES = 4 * 1024 * 1024;
/** Longer than any BOSH wait. */
const HTTP_IDLE_SECONDS = 180;

interface SocketData {
  readonly origin: HttpOrigin;
  connection: WebSocketConnection | undefined;
}

const cors = (methods: string): Record<string, string> => ({
  "access-control-allow-origin": "*",
  "access-control-allow-methods": methods,
  "access-control-allow-headers": "Content-Type, Authorization",
  "access-control-max-age": "7200",
});

const page = (what: string): string =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>${what}</title><p>${what}: point an XMPP client here.</p></html>\n`;

/** Text; what is no UTF-8 becomes no body, which the core refuses as such. */
function utf8(bytes: ArrayBuffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return "";
  }
}

export function listenHttp(settings: HttpSettings, events: HttpEvents): HttpListener {
  const waiting = new Map<RequestId, (answer: Response) => void>();
  let lastRequest = 0;
  const isLoopback = (address: string): boolean => address === "::1" || address.startsWith("127.");

  const origin = (request: Request, peer: string, url: URL, tenant: string | undefined): HttpOrigin => {
    const trusted = isLoopback(peer) || settings.trustedProxies.includes(peer);
    const forwarded = request.headers.get("x-forwarded-for")?.split(",").at(-1)?.trim();
    const authorization = /^Bearer ([\w.~+/=-]{1,16384})$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    const region = settings.regionHeader === undefined ? null : request.headers.get(settings.regionHeader);
    const query: Record<string, string> = tenant === undefined ? {} : { prefix: tenant };
    for (const [key, value] of url.searchParams)
      if (value.length <= 16_384 && (!Object.hasOwn(query, key) || key === "prefix")) query[key] = value;
    return {
      remoteAddress:
        trusted && forwarded !== undefined && forwarded !== "" && forwarded.length <= 64
          ? plainAddress(forwarded)
          : peer,
      query,
      ...(trusted ? {} : { insecure: true }),
      ...(authorization !== undefined ? { bearer: authorization } : {}),
      ...(region !== null && region.length <= 64 ? { region } : {}),
    };
  };

  const server = Bun.serve<SocketData>({
    hostname: settings.address.host,
    port: settings.address.port,
    maxRequestBodySize: MAX_BODY_BYTES,
    idleTimeout: HTTP_IDLE_SECONDS,
    async fetch(request, self) {
      const url = new URL(request.url);
      const peer = plainAddress(self.requestIP(request)?.address ?? "");
      const route = /^\/(?:([^/]{1,64})\/)?(xmpp-websocket|http-bind)$/.exec(url.pathname);
      if (route?.[2] === "xmpp-websocket") {
        const headers = cors("OPTIONS, GET");
        if (request.method === "OPTIONS") return new Response(null, { status: 200, headers });
        if (request.method !== "GET") return new Response("method not allowed\n", { status: 405, headers });
        if (request.headers.get("upgrade")?.toLowerCase() !== "websocket")
          return new Response(page("XMPP over WebSocket"), {
            headers: { ...headers, "content-type": "text/html; charset=utf-8" },
          });
        const offered = (request.headers.get("sec-websocket-protocol") ?? "").split(",").map((each) => each.trim());
        if (!offered.includes("xmpp")) return new Response("subprotocol xmpp is required\n", { status: 501, headers });
        const data: SocketData = { origin: origin(request, peer, url, route[1]), connection: undefined };
        if (self.upgrade(request, { data, headers: { "Sec-WebSocket-Protocol": "xmpp" } })) return undefined;
        return new Response("bad upgrade\n", { status: 400, headers });
      }
      if (route?.[2] === "http-bind") {
        const headers = cors("OPTIONS, POST, GET");
        if (request.method === "OPTIONS") return new Response(null, { status: 200, headers });
        if (request.method === "GET")
          return new Response(page("XMPP over BOSH"), {
            headers: { ...headers, "content-type": "text/html; charset=utf-8" },
          });
        if (request.method !== "POST") return new Response("method not allowed\n", { status: 405, headers });
        const from = origin(request, peer, url, route[1]);
        const body = utf8(await request.arrayBuffer());
        const id = ++lastRequest as RequestId;
        return new Promise<Response>((resolve) => {
          waiting.set(id, resolve);
          request.signal.addEventListener("abort", () => {
            if (waiting.delete(id)) events.boshAborted(id);
          });
          events.boshRequest(id, from, body);
        });
      }
      if (request.method !== "GET") return new Response("method not allowed\n", { status: 405 });
      if (url.pathname === "/health") {
        const trouble = events.health();
        return new Response(`${trouble ?? "OK"}\n`, {
          status: trouble === undefined ? 200 : 503,
          headers: { ...cors("OPTIONS, GET"), "content-type": "text/plain" },
        });
      }
      if (url.pathname === "/metrics" && isLoopback(peer) && request.headers.get("x-forwarded-for") === null)
        return new Response(events.metrics(), { headers: { "content-type": "text/plain; version=0.0.4" } });
      if (url.pathname === "/")
        return new Response(page("XMPP server"), { headers: { "content-type": "text/html; charset=utf-8" } });
      const other = events.other(url.pathname, new Map(url.searchParams));
      if (other !== undefined)
        return new Response(other.body, { status: other.status, headers: { "content-type": other.type } });
      return new Response("not found\n", { status: 404 });
    },
    error: () => new Response("bad request\n", { status: 400 }),
    websocket: {
      maxPayloadLength: MAX_FRAME_BYTES,
      backpressureLimit: 2 * MAX_UNSENT_BYTES,
      idleTimeout: 0,
      perMessageDeflate: false,
      open(socket) {
        const connection: WebSocketConnection = {
          send(text) {
            socket.send(text);
            if (socket.getBufferedAmount() > MAX_UNSENT_BYTES) events.overflow(connection);
          },
          close(code, reason, abrupt) {
            if (abrupt) socket.terminate();
            else socket.close(code, reason);
          },
        };
        socket.data.connection = connection;
        events.websocketOpened(connection, socket.data.origin);
      },
      message(socket, message) {
        const { connection } = socket.data;
        if (connection === undefined) return;
        if (typeof message === "string") events.frame(connection, message);
        else events.binaryFrame(connection);
      },
      close(socket) {
        const { connection } = socket.data;
        socket.data.connection = undefined;
        if (connection !== undefined) events.websocketClosed(connection);
      },
    },
  });

  return {
    port: server.port ?? settings.address.port,
    answer(request, status, body) {
      const resolve = waiting.get(request);
      waiting.delete(request);
      resolve?.(
        new Response(body, {
          status,
          headers: { ...cors("OPTIONS, POST, GET"), "content-type": "text/xml; charset=utf-8" },
        }),
      );
    },
    async stop() {
      for (const resolve of waiting.values()) resolve(new Response(null, { status: 503 }));
      waiting.clear();
      await server.stop(true);
    },
  };
}
