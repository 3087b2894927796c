/**
 * Shell: the bridge channel's WebSocket server (bridge.md 2.1), and the WebSockets that the bridge itself opens toward other bridges.
 */
import type { Server, ServerWebSocket } from "bun";
import { monotonicNow } from "../clock.ts";
import type { ListenAddress, ServerTrust } from "../config.ts";
import { MAX_CHANNEL_MESSAGE } from "../wire/channel-messages.ts";
import { type ChannelPath, parseChannelPath } from "./channel-path.ts";
import type { ChannelId } from "./context.ts";

export interface ColibriWsEvents {
  /** Status to refuse with, or undefined. */
  refusal(path: ChannelPath): 403 | 404 | undefined;
  newChannel(): ChannelId;
  opened(channel: ChannelId, path: ChannelPath): void;
  dialled(channel: ChannelId): void;
  text(channel: ChannelId, text: string): void;
  /** `orderly`: with a closing handshake. */
  closed(channel: ChannelId, orderly: boolean): void;
  dropped(reason: string): void;
}

export interface ColibriWs {
  readonly port: number;
  send(channel: ChannelId, text: string): void;
  close(channel: ChannelId, code: number, reason: string): void;
  /** Connects as client, again and again until `close`. */
  dial(channel: ChannelId, url: string, headers: Readonly<Record<string, string>>): void;
  /** Drops a dialled connection; the next attempt follows. */
  redial(channel: ChannelId): void;
  stop(): Promise<void>;
}

interface SocketData {
  readonly channel: ChannelId;
  readonly path: ChannelPath;
  lastFrameAt: number;
}

const PING_MS = 15_000;
const SILENCE_MS = 60_000;
/** What a client that reads nothing may leave unsent, bytes. */
const MAX_UNSENT = 1024 * 1024;
const MAX_SOCKETS = 5_000;
const MIN_REDIAL_MS = 1_000;
const MAX_REDIAL_MS = 30_000;
const STABLE_MS = 30_000;
/** UTF-8 takes at most three bytes for what is one UTF-16 unit. */
const MAX_MESSAGE_BYTES = 3 * MAX_CHANNEL_MESSAGE;

/** The runtime's own constructor takes TLS options, which the browser's type does not know. */
const ClientSocket = WebSocket as unknown as new (
  url: string,
  options: {
    readonly headers: Readonly<Record<string, string>>;
    readonly tls: { readonly ca?: string; readonly rejectUnauthorized: boolean };
  },
) => WebSocket;

/** Other bridges stand behind gateways whose certificates come from where the XMPP server's does. */
const trustOptions = (trust: ServerTrust): { readonly ca?: string; readonly rejectUnauthorized: boolean } =>
  trust.kind === "ca"
    ? { ca: trust.certificates, rejectUnauthorized: true }
    : { rejectUnauthorized: trust.kind !== "insecure" };

export function startColibriWs(listen: ListenAddress, trust: ServerTrust, events: ColibriWsEvents): ColibriWs {
  const sockets = new Map<ChannelId, ServerWebSocket<SocketData>>();
  const dialled = new Map<ChannelId, WebSocket>();
  let stopped = false;

  const server: Server<SocketData> = Bun.serve<SocketData>({
    hostname: listen.host,
    port: listen.port,
    fetch(request, own) {
      const url = new URL(request.url);
      const path = parseChannelPath(url.pathname, url.search.slice(1));
      if (path === undefined) return new Response("", { status: 404 });
      const refusal = events.refusal(path);
      if (refusal !== undefined) {
        events.dropped(`channel-refused-${refusal}`);
        return new Response("", { status: refusal });
      }
      if (sockets.size >= MAX_SOCKETS) {
        events.dropped("channel-table-full");
        return new Response("", { status: 503 });
      }
      const data = { channel: events.newChannel(), path, lastFrameAt: monotonicNow() };
      return own.upgrade(request, { data }) ? undefined : new Response("", { status: 426 });
    },
    websocket: {
      idleTimeout: 120,
      sendPings: false,
      maxPayloadLength: MAX_MESSAGE_BYTES,
      backpressureLimit: MAX_UNSENT,
      closeOnBackpressureLimit: true,
      open(socket) {
        sockets.set(socket.data.channel, socket);
        events.opened(socket.data.channel, socket.data.path);
      },
      message(socket, message) {
        socket.data.lastFrameAt = monotonicNow();
        if (typeof message === "string") events.text(socket.data.channel, message);
        else events.dropped("channel-message-binary");
      },
      ping(socket) {
        socket.data.lastFrameAt = monotonicNow();
      },
      pong(socket) {
        socket.data.lastFrameAt = monotonicNow();
      },
      close(socket, code) {
        sockets.delete(socket.data.channel);
        events.closed(socket.data.channel, code !== 1006);
      },
    },
  });

  const keepAlive = setInterval(() => {
    const now = monotonicNow();
    for (const socket of sockets.values())
      if (now - socket.data.lastFrameAt > SILENCE_MS) socket.terminate();
      else socket.ping();
  }, PING_MS);

  const dial = (channel: ChannelId, url: string, headers: Readonly<Record<string, string>>, waitMs: number): void => {
    if (stopped) return;
    let openedAt: number | undefined;
    const socket = new ClientSocket(url, { headers, tls: trustOptions(trust) });
    dialled.set(channel, socket);
    socket.onopen = () => {
      openedAt = monotonicNow();
      events.dialled(channel);
    };
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") events.text(channel, data);
      else events.dropped("channel-message-binary");
    };
    socket.onerror = () => events.dropped("channel-dial-failed");
    socket.onclose = ({ code }) => {
      if (dialled.get(channel) !== socket) return;
      events.closed(channel, code !== 1006);
      // At once after a connection that was stable, then 1 s, doubling to 30 s (bridge.md 7.3).
      const stable = openedAt !== undefined && monotonicNow() - openedAt > STABLE_MS;
      const next = stable ? 0 : Math.min(MAX_REDIAL_MS, Math.max(MIN_REDIAL_MS, waitMs * 2));
      setTimeout(() => {
        if (dialled.get(channel) === socket) dial(channel, url, headers, next);
      }, waitMs);
    };
  };

  return {
    port: server.port ?? 0,
    send(channel, text) {
      const socket = sockets.get(channel);
      if (socket !== undefined) {
        if (socket.send(text) === 0) events.dropped("channel-send-failed");
        return;
      }
      const own = dialled.get(channel);
      if (own?.readyState !== WebSocket.OPEN) return;
      if (own.bufferedAmount > MAX_UNSENT) events.dropped("channel-send-failed");
      else own.send(text);
    },
    close(channel, code, reason) {
      sockets.get(channel)?.close(code, reason);
      const own = dialled.get(channel);
      dialled.delete(channel);
      own?.close(code, reason); // Bun lets 1001 pass: the original takes any other code for a loss, and opens the channel again
    },
    dial: (channel, url, headers) => dial(channel, url, headers, 0),
    redial: (channel) => dialled.get(channel)?.close(),
    async stop() {
      stopped = true;
      clearInterval(keepAlive);
      for (const socket of dialled.values()) socket.close();
      dialled.clear();
      await server.stop(true);
    },
  };
}
