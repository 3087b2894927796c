/**
 * The core of the gateway: a request in, an answer out, or the order to relay a WebSocket or to forward a request (gateway-recorder-appliance.md 1.2-1.4).
 * No sockets, no files: `Gateway.handle(request, from)` is all a test needs.
 */
import type { GatewayConfig, TlsIdentity } from "../config.ts";
import { clientConfigText } from "./client-config.ts";
import { securityHeaders } from "./headers.ts";
import { AllowedHosts, hostName, isLoopbackAddress, isLoopbackName } from "./hosts.ts";
import { type Probe, probesOf } from "./parts-health.ts";
import { isRoomSegment, parsePath, splitTarget } from "./path.ts";
import { answerFile, looksLikeFile, type StaticTable } from "./static-files.ts";
import { appleProfile, derOfPem } from "./trust.ts";

export interface RequestSource {
  readonly remoteAddress: string;
  readonly secure: boolean;
  /** Ports that the gateway listens on, for redirects. */
  readonly httpsPort: number;
}

export type GatewayAnswer =
  | {
      readonly type: "answer";
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      readonly body?: string | Uint8Array | { readonly location: string; readonly start: number; readonly end: number };
      /** Counted as `parley_gateway_refused_total{reason}`. */
      readonly reason?: string;
    }
  /** Relay a WebSocket. `url`: ws://, of the part that answers it. */
  | {
      readonly type: "relay";
      readonly url: string;
      readonly subprotocol: "xmpp" | undefined;
      readonly host: string;
      /** Longest message either way, bytes. */
      readonly maxMessageBytes: number;
    }
  /** Forward a request. */
  | {
      readonly type: "forward";
      readonly url: string;
      readonly host: string | undefined;
      readonly maxBodyBytes: number;
      /** Long polling is answered when there is something to say. */
      readonly timeoutMs: number;
    }
  /** Ask the parts whether people can meet. `detailed`: say which part it is that is not well. */
  | { readonly type: "health"; readonly detailed: boolean };

const NO_STORE = { "Cache-Control": "no-store" } as const;
const ANYWHERE = { "Access-Control-Allow-Origin": "*" } as const;

/** XMPP clients' stanzas are bounded by xmpp itself; this bounds what is read before it sees them. Answers of the focus are longer. */
const XMPP_MESSAGE_BYTES = 262_144 + 16_384;
const CHANNEL_MESSAGE_BYTES = 1_048_576;
const BOSH_BODY_BYTES = 1_048_576;
const CONFERENCE_REQUEST_BYTES = 262_144;
/** BOSH answers after 60 s at the latest (signaling.md 1.8). */
const BOSH_TIMEOUT_MS = 130_000;

const text = (
  status: number,
  body: string,
  headers: Readonly<Record<string, string>> = {},
  reason?: string,
): GatewayAnswer => ({
  type: "answer",
  status,
  headers: {
    "Content-Type": "text/plain; charset=utf-8",
    "X-Content-Type-Options": "nosniff",
    ...NO_STORE,
    ...headers,
  },
  body: `${body}\n`,
  ...(reason === undefined ? {} : { reason }),
});

interface Known {
  readonly request: Request;
  readonly from: RequestSource;
  /** As in the Host header. */
  readonly host: string;
  readonly hostName: string;
  readonly query: string;
}

/** Asked by this machine itself, under a name that only it has. */
const isAtHome = (name: string, from: RequestSource): boolean =>
  isLoopbackName(name) && isLoopbackAddress(from.remoteAddress);

export class Gateway {
  readonly #config: GatewayConfig;
  readonly #files: StaticTable;
  readonly #hosts: AllowedHosts;
  readonly #metrics: () => string;
  #localBridges: Readonly<Record<string, string>> = {};

  /** `metrics`: text for `/metrics`, which this machine itself may read. */
  constructor(config: GatewayConfig, files: StaticTable, metrics: () => string) {
    this.#config = config;
    this.#metrics = metrics;
    this.#files = files;
    this.#hosts = new AllowedHosts(config.hosts);
  }

  setBridges(bridges: Readonly<Record<string, string>>): void {
    this.#localBridges = bridges;
  }

  /** Who must be well for people to meet. */
  get probes(): readonly Probe[] {
    return probesOf(this.#config, { ...this.#config.bridges, ...this.#localBridges });
  }

  setIdentity(_tls: TlsIdentity, hosts: readonly string[]): void {
    this.#hosts.replace(hosts);
  }

  handle(request: Request, from: RequestSource): GatewayAnswer {
    const host = request.headers.get("host");
    const name = hostName(host);
    if (host === null || name === undefined) return text(400, "Bad Host header", {}, "bad-host");
    if (!this.#hosts.allows(name)) return text(421, "This box is not known by that name", {}, "unknown-host");
    const { path, query } = splitTarget(request.url);
    const parsed = parsePath(path);
    if (parsed === undefined) return text(400, "Bad path", {}, "bad-path");
    const known: Known = { request, from, host, hostName: name, query };
    // Browsers take the page for secure under such a name; others on the network get it over TLS only, whatever name they give.
    const atHome = isAtHome(name, from);
    if (!from.secure && !atHome) {
      const open = this.#openRoute(known, parsed.segments);
      if (open !== undefined) return open;
      return this.#toHttps(known, path);
    }
    if (atHome && parsed.segments.join("/") === "metrics")
      return this.#readOnly(known, { "Content-Type": "text/plain; version=0.0.4; charset=utf-8" }, this.#metrics());
    return this.#dispatch(known, parsed.segments, "");
  }

  /** What plain HTTP offers to everybody: the way to trust the box, and liveness. */
  #openRoute(known: Known, segments: readonly string[]): GatewayAnswer | undefined {
    const path = segments.join("/");
    const root = this.#config.rootCertificate;
    switch (path) {
      case "box.crt":
        return root === ""
          ? undefined
          : this.#readOnly(
              known,
              { "Content-Type": "application/x-x509-ca-cert", "Content-Disposition": 'attachment; filename="box.crt"' },
              derOfPem(root),
            );
      case "box.mobileconfig":
        return root === ""
          ? undefined
          : this.#readOnly(
              known,
              { "Content-Type": "application/x-apple-aspen-config" },
              appleProfile(root, this.#config.boxName),
            );
      case "probe":
        // The trust page, on plain HTTP, asks for this over TLS to see whether the root is trusted (product.md 6.1).
        return this.#readOnly(known, { "Content-Type": "text/plain; charset=utf-8", ...ANYWHERE }, "ok\n");
      case "about/health":
        if (known.request.method !== "GET" && known.request.method !== "HEAD") return this.#notAllowed("GET, HEAD");
        return { type: "health", detailed: isAtHome(known.hostName, known.from) };
      default:
        return undefined;
    }
  }

  #readOnly(known: Known, headers: Readonly<Record<string, string>>, body: string | Uint8Array): GatewayAnswer {
    if (known.request.method !== "GET" && known.request.method !== "HEAD") return this.#notAllowed("GET, HEAD");
    return {
      type: "answer",
      status: 200,
      headers: { "X-Content-Type-Options": "nosniff", ...NO_STORE, ...headers },
      body,
    };
  }

  #notAllowed(allow: string): GatewayAnswer {
    return text(405, "Method not allowed", { Allow: allow }, "method");
  }

  #toHttps(known: Known, path: string): GatewayAnswer {
    if (known.request.method !== "GET" && known.request.method !== "HEAD")
      return text(403, "This needs https", {}, "plain-http");
    const port = known.from.httpsPort === 443 ? "" : `:${known.from.httpsPort}`;
    const host = known.hostName.includes(":") ? `[${known.hostName}]` : known.hostName;
    return text(302, "This page is at its https address", {
      Location: `https://${host}${port}${path}${known.query === "" ? "" : `?${known.query}`}`,
    });
  }

  #dispatch(known: Known, segments: readonly string[], tenant: string): GatewayAnswer {
    const path = segments.join("/");
    const [first = ""] = segments;
    switch (path) {
      case "xmpp-websocket":
        return this.#xmppWebSocket(known, tenant);
      case "http-bind":
        return this.#bosh(known, tenant);
      case "config.js":
        return this.#readOnly(
          known,
          { "Content-Type": "text/javascript; charset=utf-8", ...ANYWHERE },
          this.#clientConfig(known, tenant),
        );
      case "_unlock":
        return this.#readOnly(known, ANYWHERE, "");
      case "_api/room-info":
        return {
          type: "forward",
          url: `${this.#config.xmppHttp}/room-info?${this.#query(known, tenant)}`,
          host: this.#config.domains.domain,
          maxBodyBytes: 0,
          timeoutMs: 15_000,
        };
      case "":
        return this.#page(known);
    }
    // Clients and, under the second name, bridges of other machines (bridge.md 7.1).
    if (first === "colibri-ws" || first === "colibri-relay-ws") return this.#channel(known, segments);
    if (first === "conference-request" && segments[1] === "v1") return this.#conferenceRequest(known, segments);
    const open = this.#openRoute(known, segments);
    if (open !== undefined) return open;
    const file =
      this.#file(known, path) ??
      this.#file(known, `${path}/index.html`) ??
      (path === "external_api.js" ? this.#file(known, "libs/external_api.min.js") : undefined);
    if (file !== undefined) return file;
    if (segments.length === 1)
      return isRoomSegment(first) && !looksLikeFile(first) ? this.#page(known) : this.#missing();
    // One level of tenant: `/team/room`, `/team/config.js`, `/team/xmpp-websocket`.
    if (tenant === "" && isRoomSegment(first) && !looksLikeFile(first))
      return this.#dispatch(known, segments.slice(1), `${first}/`);
    return this.#missing();
  }

  #missing(): GatewayAnswer {
    return text(404, "Not found", {}, "not-found");
  }

  #clientConfig(known: Known, tenant: string): string {
    return clientConfigText(this.#config, {
      host: known.host,
      secure: known.from.secure,
      tenant,
      userAgent: known.request.headers.get("user-agent") ?? "",
      privateRoot: this.#config.rootCertificate !== "",
    });
  }

  #page(known: Known): GatewayAnswer {
    return this.#file(known, "index.html") ?? text(503, "The pages are not built", {}, "no-pages");
  }

  #file(known: Known, path: string): GatewayAnswer | undefined {
    const file = this.#files.get(path);
    if (file === undefined) return undefined;
    if (known.request.method !== "GET" && known.request.method !== "HEAD") return this.#notAllowed("GET, HEAD");
    const answer = answerFile(path, file, known.request.headers, /(^|&)v=/.test(known.query));
    return {
      type: "answer",
      status: answer.status,
      headers: { ...answer.headers, ...securityHeaders(known.host, known.from.secure, this.#config.frameAncestors) },
      ...(answer.body === undefined ? {} : { body: answer.body }),
    };
  }

  /** The client's query, with the tenant that only we may set. */
  #query(known: Known, tenant: string): string {
    const own = known.query.split("&").filter((each) => each !== "" && !/^prefix(=|$)/i.test(each));
    return [`prefix=${encodeURIComponent(tenant.replace("/", ""))}`, ...own].join("&");
  }

  #xmppWebSocket(known: Known, tenant: string): GatewayAnswer {
    const { request } = known;
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
      // The client's keep-alive is an ordinary GET of the same address (1.7).
      if (request.method === "GET" || request.method === "HEAD")
        return text(200, "An XMPP WebSocket (RFC 7395) is here", ANYWHERE);
      return this.#notAllowed("GET, HEAD");
    }
    const offered = (request.headers.get("sec-websocket-protocol") ?? "").split(",").map((each) => each.trim());
    if (!offered.includes("xmpp")) return text(400, "The WebSocket subprotocol xmpp is needed", {}, "subprotocol");
    return {
      type: "relay",
      url: `${this.#config.xmppHttp.replace(/^http/, "ws")}/xmpp-websocket?${this.#query(known, tenant)}`,
      subprotocol: "xmpp",
      // Prosody picks its host by this name, as it does for BOSH.
      host: this.#config.domains.domain,
      maxMessageBytes: XMPP_MESSAGE_BYTES,
    };
  }

  #bosh(known: Known, tenant: string): GatewayAnswer {
    return {
      type: "forward",
      url: `${this.#config.xmppHttp}/http-bind?${this.#query(known, tenant)}`,
      host: this.#config.domains.domain,
      maxBodyBytes: BOSH_BODY_BYTES,
      timeoutMs: BOSH_TIMEOUT_MS,
    };
  }

  #conferenceRequest(known: Known, segments: readonly string[]): GatewayAnswer {
    if (known.request.method === "OPTIONS")
      return {
        type: "answer",
        status: 204,
        headers: {
          ...ANYWHERE,
          "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
          "Access-Control-Allow-Headers": "Authorization, Content-Type",
          "Access-Control-Max-Age": "86400",
        },
      };
    const rest = segments.map(encodeURIComponent).join("/");
    return {
      type: "forward",
      url: `${this.#config.focusHttp}/${rest}${known.query === "" ? "" : `?${known.query}`}`,
      host: undefined,
      maxBodyBytes: CONFERENCE_REQUEST_BYTES,
      timeoutMs: 30_000,
    };
  }

  #channel(known: Known, segments: readonly string[]): GatewayAnswer {
    const [kind = "", server = "", conference = "", endpoint = ""] = segments;
    const bridge = this.#bridge(server);
    if (segments.length !== 4 || bridge === undefined) return text(404, "No such bridge", {}, "unknown-bridge");
    if (known.request.headers.get("upgrade")?.toLowerCase() !== "websocket")
      return text(426, "A WebSocket is here", { Upgrade: "websocket" });
    const path = [kind, server, conference, endpoint].map(encodeURIComponent).join("/");
    return {
      type: "relay",
      url: `${bridge.replace(/^http/, "ws")}/${path}?${known.query}`,
      subprotocol: undefined,
      host: known.host,
      maxMessageBytes: CHANNEL_MESSAGE_BYTES,
    };
  }

  #bridge(server: string): string | undefined {
    if (Object.hasOwn(this.#localBridges, server)) return this.#localBridges[server];
    return Object.hasOwn(this.#config.bridges, server) ? this.#config.bridges[server] : undefined;
  }
}
