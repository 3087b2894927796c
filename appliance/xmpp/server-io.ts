/**
 * What the XMPP core is fed and what it answers with: all that is said between server.ts and its shells (listen.ts, start.ts). Plain data.
 */

import type { AccountChange } from "./accounts.ts";
import type { PrivateChange } from "./features/private-storage.ts";
import type { HttpRequest } from "./host.ts";
import type { RosterChange } from "./roster/rosters.ts";

/** Names one connection of the shell's, as long as the process lives. */
export type LinkId = number & { readonly unit: "link" };
/** Names one HTTP request that waits for its answer. */
export type RequestId = number & { readonly unit: "request" };

/** What an HTTP request or WebSocket upgrade said. */
export interface HttpOrigin {
  /** The client's address; from X-Forwarded-For only when the peer is a trusted proxy. */
  readonly remoteAddress: string;
  /** Query parameters, first value of each. */
  readonly query: Readonly<Record<string, string>>;
  /** Value of `Authorization: Bearer`. */
  readonly bearer?: string;
  /** Region by the configured header. */
  readonly region?: string;
  /** The peer came from the network in clear, not through a proxy of ours that ends TLS: no password may be asked in clear. */
  readonly insecure?: boolean;
}

export interface ChannelBindingData {
  readonly type: "tls-exporter" | "tls-server-end-point";
  readonly data: Uint8Array;
}

export interface TlsState {
  readonly bindings: readonly ChannelBindingData[];
  /** Domains that the peer's verified certificate names (server to server). */
  readonly peerDomains: readonly string[];
}

/** Accounts made over the wire, contact lists, and what clients keep with the server. */
export type StoreChange = AccountChange | RosterChange | PrivateChange;

export type ServerInput =
  | {
      readonly type: "tcp-connected";
      readonly link: LinkId;
      readonly service: "client" | "server" | "component";
      readonly remoteAddress: string;
    }
  | { readonly type: "websocket-connected"; readonly link: LinkId; readonly origin: HttpOrigin }
  | { readonly type: "bytes"; readonly link: LinkId; readonly bytes: Uint8Array }
  | { readonly type: "frame"; readonly link: LinkId; readonly text: string }
  | { readonly type: "binary-frame"; readonly link: LinkId }
  | { readonly type: "tls-started"; readonly link: LinkId; readonly tls: TlsState }
  /** An outgoing connection (action `connect`) stands. */
  | { readonly type: "connect-done"; readonly link: LinkId }
  /** The transport is gone, whoever closed it; nothing of this link follows. */
  | { readonly type: "disconnected"; readonly link: LinkId }
  /** The peer does not read what we write: more waits than the shell keeps. */
  | { readonly type: "overflow"; readonly link: LinkId }
  /** POST to /http-bind. */
  | { readonly type: "bosh-request"; readonly request: RequestId; readonly origin: HttpOrigin; readonly body: string }
  | { readonly type: "bosh-aborted"; readonly request: RequestId }
  /** Answer to action `fetch`; undefined: it could not be had. */
  | { readonly type: "fetched"; readonly id: number; readonly status: number | undefined; readonly body: string }
  /** Milliseconds since 1970 minus the monotonic clock, when it changes. */
  | { readonly type: "wall-clock"; readonly epochMinusMonotonicMs: number };

export type ServerAction =
  | { readonly type: "write"; readonly link: LinkId; readonly data: string }
  /** Answer bytes before it in clear, everything after it under TLS. */
  | { readonly type: "start-tls"; readonly link: LinkId; readonly role: "server" | "client"; readonly domain: string }
  /** After what was written has gone out. `abrupt`: at once and without a closing handshake. */
  | {
      readonly type: "close";
      readonly link: LinkId;
      readonly code?: number;
      readonly reason?: string;
      readonly abrupt?: boolean;
    }
  /** A TCP connection to another server (s2s); `connect-done` or `disconnected` follows. */
  | { readonly type: "connect"; readonly link: LinkId; readonly domain: string }
  | { readonly type: "http-answer"; readonly request: RequestId; readonly status: number; readonly body: string }
  /** An HTTP request to another system; `fetched` follows. */
  | ({ readonly type: "fetch"; readonly id: number } & HttpRequest)
  /** Something to be kept for the next start. */
  | { readonly type: "store"; readonly change: StoreChange }
  | {
      readonly type: "log";
      readonly level: "debug" | "info" | "warn";
      readonly message: string;
      readonly fields?: Readonly<Record<string, unknown>>;
    };
