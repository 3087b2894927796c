/**
 * Addresses of the bridge channel's WebSocket server (bridge.md 2.1, 7.1).
 */

/** Whose channel a path of the WebSocket server names. */
export interface ChannelPath {
  readonly kind: "endpoint" | "relay";
  readonly serverId: string;
  readonly conference: string;
  readonly peer: string;
  /** The query, without the question mark. */
  readonly query: string;
}

/** `/colibri-ws/<server id>/<conference>/<endpoint>?pwd=…`, or the same for relays; undefined: another path. */
export function parseChannelPath(pathname: string, query: string): ChannelPath | undefined {
  const match = /^\/colibri-(relay-)?ws\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(pathname);
  const [, relay, serverId, conference, encoded] = match ?? [];
  const peer = encoded === undefined ? undefined : decoded(encoded);
  if (serverId === undefined || conference === undefined || peer === undefined) return undefined;
  return { kind: relay === undefined ? "endpoint" : "relay", serverId, conference, peer, query };
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined; // not UTF-8: no path of ours
  }
}
