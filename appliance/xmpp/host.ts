/**
 * What answers for one domain of the server: the main domain, a MUC service, a component such as polls. The router hands a host every stanza
 * addressed to it or to an address below it, after it has checked the stanza and stamped `from`. A host is a core: it answers with actions.
 */

import type { Deadline } from "../deadlines.ts";
import type { BoundedAnswer, BoundedRequest } from "../fetch-bounded.ts";
import type { Millis } from "../time.ts";
import type { Jid } from "../wire/jid.ts";
import type { Element } from "../wire/xml.ts";

/** What is known of the connection that a stanza came by; undefined for remote servers and components. */
export interface ConnectionInfo {
  /** Opaque, unique per connection (survives resumption). */
  readonly id: string;
  readonly transport: "tcp" | "websocket" | "bosh";
  readonly remoteAddress: string;
  /** `room` of the connection's URL: local part of the meeting's room (signaling.md 1.1). */
  readonly room?: string;
  /** Tenant, from `prefix` of the URL. */
  readonly prefix?: string;
  /** Region by the configured header. */
  readonly region?: string;
  /** Claims of a verified JWT (signaling.md 6.9). */
  readonly claims?: Readonly<Record<string, unknown>>;
}

export interface Sender {
  readonly jid: Jid;
  /** guest: anonymous; member: token or local user; service: account with a role; component: XEP-0114; remote: by server to server; host: another host of this server. */
  readonly kind: "guest" | "member" | "service" | "component" | "remote" | "host";
  /** Owner of every room, may create rooms: focus, recorder and administration accounts. */
  readonly admin: boolean;
  readonly connection?: ConnectionInfo;
}

export type HostAction =
  /**
   * Routed by its `to`, wherever that is. `from` is an address of the host, or of a sibling made by the same factory: the MUC graph sends in the
   * name of its components (room metadata before a self-presence), so the router does not compare `from` with the acting host.
   */
  | { readonly type: "send"; readonly stanza: Element }
  /** Counted as `parley_xmpp_dropped_total{reason}`. */
  | { readonly type: "drop"; readonly reason: string }
  /**
   * A request to an outside system (signaling.md 6.10), made by the shell with a time-out of 10 s; the answer comes by `Host.httpAnswered` of the
   * host that acted, under the same id. Hosts keep few of them in the air (at most 100 each).
   */
  | { readonly type: "http"; readonly id: string; readonly request: HttpRequest };

export type HttpRequest = BoundedRequest;
export type HttpAnswer = BoundedAnswer;

/** An identity that the main domain shows for this host in disco#info (signaling.md 1.9). */
export interface AdvertisedIdentity {
  readonly category: string;
  readonly type: string;
  readonly name: string;
}

export interface Host {
  readonly domain: string;
  /** Shown in disco#items of the main domain. */
  readonly listed?: boolean;
  readonly advertised?: readonly AdvertisedIdentity[];
  handle(now: Millis, stanza: Element, sender: Sender): readonly HostAction[];
  /** A session is gone for good (not merely hibernating): its occupants leave. */
  sessionClosed?(now: Millis, jid: Jid): readonly HostAction[];
  nextDeadline?(): Deadline | undefined;
  handleTimeout?(now: Millis): readonly HostAction[];
  /** The answer to an `http` action of this host. */
  httpAnswered?(now: Millis, id: string, answer: HttpAnswer): readonly HostAction[];
  /** Further domains that it answers for (tenants: `muc.acme.meet.jitsi`); asked only when no host has the domain itself. */
  answersFor?(domain: string): boolean;
  /** A GET on the server's HTTP port (5280) that nobody else knows (signaling.md 6.10: room census); undefined: not ours either. */
  httpGet?(now: Millis, path: string, query: ReadonlyMap<string, string>): HttpPage | undefined;
}

export interface HttpPage {
  readonly status: number;
  /** MIME type. */
  readonly type: string;
  readonly body: string;
}
