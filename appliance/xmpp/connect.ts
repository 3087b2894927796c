/**
 * Shell: connections to other servers: SRV records, RFC 6120 §3.2, or a fixed route; else the domain itself on 5269.
 */
import { promises as dns } from "node:dns";
import net from "node:net";
import { TcpConnection, type TcpEvents, type TlsSettings } from "./listen-tcp.ts";
import type { LinkId } from "./server-io.ts";

export interface OutgoingEvents {
  readonly tcp: TcpEvents;
  connected(link: LinkId, connection: TcpConnection): void;
  failed(link: LinkId): void;
}

export interface Outgoing {
  connect(link: LinkId, domain: string): void;
  /** Gives up a connection that is not made yet. True: it was one. */
  abandon(link: LinkId): boolean;
}

const DEFAULT_PORT = 5269;
const MAX_TARGETS = 4;

interface Target {
  readonly host: string;
  readonly port: number;
}

/** `routes`: domain → `host:port`, asked before the DNS. */
export function outgoingConnections(
  routes: Readonly<Record<string, string>>,
  settings: TlsSettings,
  events: OutgoingEvents,
): Outgoing {
  const pending = new Map<LinkId, net.Socket | undefined>();

  const resolve = async (domain: string): Promise<Target[]> => {
    const route = Object.hasOwn(routes, domain) ? routes[domain] : undefined;
    if (route !== undefined) {
      const at = route.lastIndexOf(":");
      return [{ host: route.slice(0, at), port: Number(route.slice(at + 1)) }];
    }
    try {
      const records = await dns.resolveSrv(`_xmpp-server._tcp.${domain}`);
      return records
        .filter((each) => each.name !== "" && each.name !== ".")
        .sort((a, b) => a.priority - b.priority || b.weight - a.weight)
        .slice(0, MAX_TARGETS)
        .map((each) => ({ host: each.name, port: each.port }));
    } catch {
      return [{ host: domain, port: DEFAULT_PORT }]; // no such records: §3.2.2
    }
  };

  const attempt = (link: LinkId, targets: readonly Target[]): void => {
    const [target, ...others] = targets;
    if (!pending.has(link)) return;
    if (target === undefined) {
      pending.delete(link);
      events.failed(link);
      return;
    }
    const socket = net.connect(target.port, target.host);
    pending.set(link, socket);
    const failed = (error: Error): void => {
      events.tcp.trouble("connect", error.message);
      attempt(link, others);
    };
    socket.once("error", failed);
    socket.once("connect", () => {
      if (!pending.delete(link)) return;
      socket.removeListener("error", failed);
      events.connected(link, new TcpConnection(socket, events.tcp, settings));
    });
  };

  return {
    connect(link, domain) {
      pending.set(link, undefined);
      void resolve(domain).then((targets) => attempt(link, targets));
    },
    abandon(link) {
      const found = pending.has(link);
      pending.get(link)?.destroy();
      pending.delete(link);
      return found;
    },
  };
}
