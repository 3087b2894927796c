/**
 * Shell: sockets to inputs and actions to sockets. One turn: an input goes into the core, all its actions are performed, then the one timer is
 * set to the core's soonest deadline.
 */

import { monotonicNow, wallNow } from "../clock.ts";
import type { ListenAddress, TlsIdentity } from "../config.ts";
import { fetchBounded } from "../fetch-bounded.ts";
import type { Logger } from "../log.ts";
import type { Metrics } from "../metrics.ts";
import { type Outgoing, outgoingConnections } from "./connect.ts";
import { type HttpEvents, type HttpListener, listenHttp, type WebSocketConnection } from "./listen-http.ts";
import { listenTcp, type TcpConnection, type TcpEvents, type TlsSettings } from "./listen-tcp.ts";
import type { XmppServer } from "./server.ts";
import type { LinkId, ServerAction, ServerInput, StoreChange } from "./server-io.ts";

export interface ListenOptions {
  readonly c2s: ListenAddress;
  readonly http: ListenAddress;
  /** XEP-0114: bare TCP, for this machine. */
  readonly component: ListenAddress | undefined;
  /** 5269, and fixed routes to other servers; undefined: no server to server. */
  readonly federation:
    | {
        readonly listen: ListenAddress;
        readonly routes: Readonly<Record<string, string>>;
        readonly roots: string | undefined;
      }
    | undefined;
  readonly tls: TlsIdentity;
  readonly trustedProxies: readonly string[];
  readonly regionHeader: string | undefined;
  /** Keeps what must outlive the process. */
  readonly store: (change: StoreChange) => void;
}

export interface Listening {
  readonly ports: Readonly<Record<string, number>>;
  stop(deadlineMs: number): Promise<void>;
}

type Transport =
  | { readonly kind: "tcp"; readonly connection: TcpConnection }
  | { readonly kind: "websocket"; readonly connection: WebSocketConnection };

/** The wall clock is looked at this often. */
const CLOCK_CHECK_MS = 60_000;
/** After a fault in a deadline's work the next is not tried at once: it might be the same. */
const AFTER_FAULT_MS = 1_000;

export async function listen(
  server: XmppServer,
  options: ListenOptions,
  log: Logger,
  metrics: Metrics,
): Promise<Listening> {
  const transports = new Map<LinkId, Transport>();
  const ids = new Map<TcpConnection | WebSocketConnection, LinkId>();
  const troubles = metrics.counter("parley_xmpp_socket_errors_total", "Errors of sockets, by reason");
  const faults = metrics.counter("parley_xmpp_faults_total", "Faults of our own in the core, by kind");
  let lastLink = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let http: HttpListener | undefined;
  let outgoing: Outgoing | undefined;
  let stopping = false;
  let stopped = false;
  const queue: ServerInput[] = [];
  let running = false;

  const add = (transport: Transport): LinkId => {
    const link = ++lastLink as LinkId;
    transports.set(link, transport);
    ids.set(transport.connection, link);
    return link;
  };

  const perform = (action: ServerAction): void => {
    switch (action.type) {
      case "write": {
        const transport = transports.get(action.link);
        if (transport?.kind === "tcp") transport.connection.write(action.data);
        else transport?.connection.send(action.data);
        break;
      }
      case "close": {
        const transport = transports.get(action.link);
        if (transport === undefined && outgoing?.abandon(action.link) === true)
          feed({ type: "disconnected", link: action.link });
        if (transport?.kind === "tcp") transport.connection.close(action.abrupt ?? false);
        else transport?.connection.close(action.code ?? 1000, action.reason ?? "", action.abrupt ?? false);
        break;
      }
      case "start-tls": {
        const transport = transports.get(action.link);
        if (transport?.kind === "tcp") transport.connection.startTls(action.role, action.domain);
        break;
      }
      case "http-answer":
        http?.answer(action.request, action.status, action.body);
        break;
      case "store":
        options.store(action.change);
        break;
      case "log":
        log[action.level](action.message, action.fields);
        break;
      case "fetch":
        void fetchBounded(action).then(({ status, body }) =>
          feed({ type: "fetched", id: action.id, status: status === 0 ? undefined : status, body }),
        );
        break;
      case "connect":
        outgoing?.connect(action.link, action.domain);
        break;
    }
  };

  /** A fault of ours must not take everybody's meetings along: it is logged and counted, and the connection that met it is cut. */
  const guarded = (turn: () => readonly ServerAction[], link: LinkId | undefined): boolean => {
    try {
      for (const action of turn()) perform(action);
      return true;
    } catch (error) {
      faults.add({ reason: error instanceof Error ? error.name : "unknown" });
      log.error("fault in the core", {
        reason: "core-fault",
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
      const transport = link === undefined ? undefined : transports.get(link);
      if (transport?.kind === "tcp") transport.connection.close(true);
      else transport?.connection.close(1011, "", true);
      return false;
    }
  };

  const wake = (notBefore = 0): void => {
    clearTimeout(timer);
    const next = server.nextDeadline();
    if (next === undefined || stopped) return;
    const inMs = Math.max(notBefore, Math.ceil(next.at - monotonicNow()));
    timer = setTimeout(
      () => wake(guarded(() => server.handleTimeout(monotonicNow()), undefined) ? 0 : AFTER_FAULT_MS),
      Math.min(inMs, CLOCK_CHECK_MS),
    );
  };

  // Performing an action may bring the next input at once (a write that overflows): inputs queue, so that a turn is never entered twice.
  const feed = (input: ServerInput): void => {
    queue.push(input);
    if (running) return;
    running = true;
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const turn = next;
      guarded(() => server.handle(monotonicNow(), turn), "link" in turn ? turn.link : undefined);
    }
    running = false;
    wake();
  };

  const about = (connection: TcpConnection | WebSocketConnection, make: (link: LinkId) => ServerInput): void => {
    const link = ids.get(connection);
    if (link !== undefined) feed(make(link));
  };
  const gone = (connection: TcpConnection | WebSocketConnection): void => {
    const link = ids.get(connection);
    if (link === undefined) return;
    ids.delete(connection);
    transports.delete(link);
    feed({ type: "disconnected", link });
  };

  const tcpEvents = (service: "client" | "server" | "component"): TcpEvents => ({
    connected(connection) {
      const link = add({ kind: "tcp", connection });
      feed({ type: "tcp-connected", link, service, remoteAddress: connection.remoteAddress });
    },
    bytes: (connection, bytes) => about(connection, (link) => ({ type: "bytes", link, bytes })),
    tlsStarted: (connection, tls) => about(connection, (link) => ({ type: "tls-started", link, tls })),
    overflow: (connection) => about(connection, (link) => ({ type: "overflow", link })),
    gone,
    trouble(reason, detail) {
      troubles.add({ reason });
      log.debug("socket trouble", { reason, detail });
    },
  });

  const tellClock = (): void => feed({ type: "wall-clock", epochMinusMonotonicMs: wallNow() - monotonicNow() });
  tellClock();
  const clockTimer = setInterval(tellClock, CLOCK_CHECK_MS);

  const { federation } = options;
  const clientTls: TlsSettings = { identity: options.tls, asksPeerCertificate: false };
  const serverTls: TlsSettings = {
    identity: options.tls,
    asksPeerCertificate: true,
    ...(federation?.roots !== undefined ? { peerRoots: federation.roots } : {}),
  };
  const httpEvents: HttpEvents = {
    websocketOpened(connection, origin) {
      const link = add({ kind: "websocket", connection });
      feed({ type: "websocket-connected", link, origin });
    },
    frame: (connection, text) => about(connection, (link) => ({ type: "frame", link, text })),
    binaryFrame: (connection) => about(connection, (link) => ({ type: "binary-frame", link })),
    websocketClosed: gone,
    overflow: (connection) => about(connection, (link) => ({ type: "overflow", link })),
    boshRequest: (request, origin, body) => feed({ type: "bosh-request", request, origin, body }),
    boshAborted: (request) => feed({ type: "bosh-aborted", request }),
    health: () => (stopping ? "stopping" : undefined),
    metrics: () => metrics.exposition(),
    other: (path, query) => server.httpGet(monotonicNow(), path, query),
  };
  const ports: Record<string, number> = {};
  const listeners: { stop(): void }[] = [];
  const open = async (
    name: string,
    address: ListenAddress,
    service: "client" | "server" | "component",
    settings: TlsSettings | undefined,
  ): Promise<void> => {
    const listener = await listenTcp(address, tcpEvents(service), settings);
    listeners.push(listener);
    ports[name] = listener.port;
  };
  try {
    await open("xmpp", options.c2s, "client", clientTls);
    if (options.component !== undefined) await open("xmppComponent", options.component, "component", undefined);
    if (federation !== undefined) await open("xmppServer", federation.listen, "server", serverTls);
    http = listenHttp(
      { address: options.http, trustedProxies: options.trustedProxies, regionHeader: options.regionHeader },
      httpEvents,
    );
    ports["xmppHttp"] = http.port;
  } catch (error) {
    // A port is taken: leave nothing behind that listens.
    for (const listener of listeners) listener.stop();
    clearInterval(clockTimer);
    clearTimeout(timer);
    throw error;
  }
  if (federation !== undefined)
    outgoing = outgoingConnections(federation.routes, serverTls, {
      tcp: tcpEvents("server"),
      connected(link, connection) {
        transports.set(link, { kind: "tcp", connection });
        ids.set(connection, link);
        feed({ type: "connect-done", link });
      },
      failed: (link) => feed({ type: "disconnected", link }),
    });

  return {
    ports,
    async stop(deadlineMs) {
      stopping = true;
      const until = monotonicNow() + deadlineMs;
      for (const each of listeners) each.stop();
      for (const action of server.shutdown(monotonicNow())) perform(action);
      while (transports.size > 0 && monotonicNow() < until) await new Promise((resolve) => setTimeout(resolve, 5));
      stopped = true;
      clearTimeout(timer);
      clearInterval(clockTimer);
      for (const transport of transports.values())
        if (transport.kind === "tcp") transport.connection.close(true);
        else transport.connection.close(1001, "", true);
      await http?.stop();
    },
  };
}
