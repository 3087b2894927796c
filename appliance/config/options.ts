/**
 * Every option of the appliance: key, type, unit, default, bounds, reason. Nothing else reads the configuration file or the environment.
 * Keys are the paths in parley.toml (`[gateway] https_port = 443` is `gateway.https_port`). Order is the order of `parley config`;
 * a default that follows from another option names one above it.
 */
import {
  choice,
  fraction,
  integer,
  json,
  type Known,
  map,
  type Option,
  port,
  records,
  secret,
  text,
  texts,
  type ValueOf,
  yesNo,
} from "./option.ts";

const DOMAIN = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
const HOST_OR_ADDRESS = /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$|^[0-9A-Fa-f:.]{2,45}$/;
const HTTP_URL = /^https?:\/\/[^\s/?#]+$/;
const USER = /^[A-Za-z0-9._-]{1,64}$/;
const ROOM_JID = /^[^\s@/'"<>&]{1,256}@[a-z0-9.-]{1,253}$/;

const known = (options: Known, key: string): string => {
  const value = options[key];
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
};
const numberKnown = (options: Known, key: string): number => {
  const value = options[key];
  return typeof value === "number" ? value : 0;
};
const below = (label: string) => (options: Known) => `${label}.${known(options, "domains.domain")}`;

const domain = (standard: string | ((options: Known) => string), reason: string): Option<string> =>
  text({ default: standard, pattern: DOMAIN, expects: "a domain name in lower case", reason });

const address = (standard: string, reason: string): Option<string> =>
  text({ default: standard, pattern: HOST_OR_ADDRESS, expects: "an IP address or host name", reason });

const optional = (pattern: RegExp): RegExp => new RegExp(`^$|${pattern.source}`);

export const options = {
  "box.name": text({
    default: "",
    pattern: optional(/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/),
    expects: "a host name of at most 32 letters, digits and hyphens",
    reason: "Name of this box on the network (NAME.local, certificate, pages). Empty: the host name of the machine.",
  }),
  "start.parts": texts({
    default: ["xmpp", "focus", "gateway", "bridge"],
    pattern: /^(xmpp|focus|gateway|bridge)$/,
    expects: "xmpp, focus, gateway, bridge",
    reason:
      "The parts that `parley start` runs on this machine; the others are named by [server], [gateway] and [focus].",
  }),
  "listen.address": address(
    "127.0.0.1",
    "TCP address of the pages and of 5222. Loopback until someone opens the box to the network.",
  ),
  "listen.lan": yesNo({
    default: false,
    reason:
      "Opens the box to the network: TCP listens on all addresses and the media port takes packets from anywhere.",
  }),
  "log.level": choice({
    default: "info",
    of: ["debug", "info", "warn", "error"],
    live: true,
    reason: "Lowest level of log lines. Names, texts and addresses of people appear at debug only.",
  }),
  "stop.deadline": integer({
    default: 10,
    min: 0,
    max: 3_600,
    unit: "s",
    reason: "How long SIGTERM lets parts drain before they are ended. Ctrl-C takes 2 s at most.",
  }),

  "domains.domain": domain(
    "meet.jitsi",
    "XMPP domain that clients log in to; independent of the host in the page's address.",
  ),
  "domains.auth": domain(below("auth"), "XMPP domain of service accounts."),
  "domains.muc": domain(below("muc"), "MUC service with the meeting rooms."),
  "domains.internal_muc": domain(below("internal-muc"), "MUC service with the breweries; only services get in."),
  "domains.focus": domain(below("focus"), "Address that clients ask for a conference."),
  "domains.hidden": domain(below("hidden"), "XMPP domain of recorders, whom clients do not show."),

  "xmpp.port": port({ default: 5_222, reason: "XMPP over TCP with STARTTLS, for services and other XMPP software." }),
  "xmpp.http_port": port({ default: 5_280, reason: "XMPP over WebSocket and BOSH in plain HTTP, for the gateway." }),
  "xmpp.http_address": address("127.0.0.1", "Address of xmpp.http_port: loopback, because it has no TLS."),
  "xmpp.trusted_proxies": texts({
    default: [],
    pattern: /^[0-9A-Fa-f:.]{2,45}$/,
    expects: "IP addresses",
    reason: "Addresses of gateways on other machines, whose X-Forwarded-For is believed. Loopback always is.",
  }),
  "xmpp.region_header": text({
    default: "",
    pattern: /^[A-Za-z0-9-]{0,64}$/,
    expects: "a header name",
    reason: "HTTP header in which a proxy in front tells the client's region (x-proxy-region at Jitsi's). Empty: none.",
  }),
  "xmpp.accounts": records({
    fields: {
      user: text({ default: "", pattern: USER, expects: "a user name", reason: "" }),
      domain: text({
        default: "",
        pattern: optional(DOMAIN),
        expects: "a domain; domains.auth when left out",
        reason: "",
      }),
      password: secret({ default: "", reason: "" }),
      admin: yesNo({ default: false, reason: "" }),
    },
    required: ["user", "password"],
    reason: "Further service accounts: foreign bridges, recorders, SIP gateways. admin: owner of every room.",
  }),
  "xmpp.external_services": records({
    fields: {
      type: choice({ default: "turn", of: ["stun", "turn", "turns"], reason: "" }),
      host: address("", ""),
      port: port({ default: 3_478, reason: "" }),
      transport: choice({ default: "udp", of: ["udp", "tcp"], reason: "" }),
      secret: secret({ default: "", reason: "" }),
    },
    required: ["type", "host"],
    reason: "STUN and TURN servers announced to clients (XEP-0215); with a secret, credentials are time-limited ones.",
  }),
  "xmpp.limits.service_stanza_bytes": integer({
    default: 262_144,
    min: 10_000,
    max: 10_485_760,
    unit: "bytes",
    reason: "Longest stanza of a service: an offer to a full room is some 100 kB.",
  }),
  "xmpp.limits.client_stanza_bytes": integer({
    default: 65_536,
    min: 10_000,
    max: 1_048_576,
    unit: "bytes",
    reason:
      "Longest stanza of a client: a session-accept with many sources is some 20 kB. RFC 6120 13.12 asks for 10,000 at least.",
  }),
  "xmpp.limits.depth": integer({
    default: 32,
    min: 8,
    max: 256,
    unit: "elements",
    reason: "Deepest nesting of a stanza: Jingle needs 8; endless nesting is an attack.",
  }),
  "xmpp.limits.attributes": integer({
    default: 64,
    min: 16,
    max: 1_024,
    unit: "attributes",
    reason: "Most attributes of one element; an offer's elements have fewer than 16.",
  }),
  "xmpp.limits.bytes_per_second": integer({
    default: 10_240,
    min: 1_024,
    max: 10_485_760,
    unit: "bytes/s",
    reason:
      "Long-term rate of one client connection; a burst of ten seconds' worth is allowed. Jitsi's own servers take 10 kB/s.",
  }),
  "xmpp.limits.stanzas_per_second": integer({
    default: 30,
    min: 1,
    max: 10_000,
    unit: "stanzas/s",
    reason:
      "Long-term rate of one client connection: a client that joins sends some 30 in its first second, later one or two.",
  }),
  "xmpp.limits.connections": integer({
    default: 5_000,
    min: 10,
    max: 100_000,
    unit: "connections",
    reason: "Client connections in total; each takes some 20 kB.",
  }),
  "xmpp.limits.connections_per_address": integer({
    default: 500,
    min: 1,
    max: 100_000,
    unit: "connections",
    reason: "Client connections from one address: a whole office may sit behind one.",
  }),
  "xmpp.limits.rooms": integer({
    default: 1_000,
    min: 1,
    max: 100_000,
    unit: "rooms",
    reason: "Rooms that exist at once.",
  }),
  "xmpp.limits.occupants_per_room": integer({
    default: 500,
    min: 2,
    max: 10_000,
    unit: "occupants",
    reason: "Occupants of one room, the focus included: presence goes to everybody, so the cost grows with the square.",
  }),
  "xmpp.limits.rooms_per_user": integer({
    default: 20,
    min: 1,
    max: 10_000,
    unit: "rooms",
    reason: "Rooms that one client is in at once: a meeting, its lobby, a breakout room; not a thousand.",
  }),
  "xmpp.limits.resume_seconds": integer({
    default: 60,
    min: 0,
    max: 3_600,
    unit: "s",
    reason: "How long the session of a lost client waits to be resumed (XEP-0198).",
  }),
  "xmpp.limits.service_resume_seconds": integer({
    default: 15,
    min: 0,
    max: 3_600,
    unit: "s",
    reason: "The same for services that ask for resumption. Short: until it is over a dead bridge looks alive.",
  }),

  "server.host": address("127.0.0.1", "XMPP server that focus and bridge log in to."),
  "server.port": port({
    default: (options) => numberKnown(options, "xmpp.port"),
    reason: "Its port for services.",
  }),
  "server.tls": text({
    default: "root",
    pattern: /^(root|insecure|ca:.{1,4000}|pin:[0-9a-f]{64})$/,
    expects: "root, ca:FILE, pin:SHA-256 of the certificate in lower-case hex, or insecure",
    reason:
      "How logins verify the server: the box's own root, a CA file, a pin, or (with a warning in the log) not at all.",
  }),

  "focus.user": text({
    default: "focus",
    pattern: USER,
    expects: "a user name",
    reason: "Account of the focus in domains.auth.",
  }),
  "focus.password": secret({ default: "", reason: "Its password. Empty: made at first start, in secrets/." }),
  "focus.account": text({
    default: (options) => `${known(options, "focus.user")}@${known(options, "domains.auth")}`,
    pattern: ROOM_JID,
    expects: "a bare JID",
    reason: "Account that clients see as the focus (focusUserJid).",
  }),
  "focus.brewery": text({
    default: (options) => `jvbbrewery@${known(options, "domains.internal_muc")}`,
    pattern: ROOM_JID,
    expects: "a room's JID",
    reason: "Room in which bridges announce themselves.",
  }),
  "focus.http_port": port({ default: 8_888, reason: "HTTP of the focus: conference requests, health, statistics." }),
  "focus.http_address": address("127.0.0.1", "Address of focus.http_port: loopback, because it has no TLS."),
  "focus.component_port": port({
    default: 0,
    reason:
      "External component port (XEP-0114) of a server without client proxy, where the focus logs in as domains.focus; 0: none.",
  }),
  "focus.component_secret": secret({ default: "", reason: "Secret of that component." }),
  "focus.sctp": choice({
    default: "fallback",
    of: ["off", "on", "fallback"],
    reason: "Whether offers carry a data channel: never, always, or for clients that cannot open a WebSocket.",
  }),
  "focus.min_participants": integer({
    default: 2,
    min: 1,
    max: 100,
    unit: "participants",
    reason: "How many make a conference: alone in a room there is nothing to send.",
  }),
  "focus.max_participants": integer({
    default: 200,
    min: 2,
    max: 10_000,
    unit: "participants",
    reason: "Most participants of one conference; further ones are refused.",
  }),
  "focus.max_ssrcs_per_participant": integer({
    default: 20,
    min: 2,
    max: 1_000,
    unit: "SSRCs",
    reason: "Most sources of one participant: camera and screen with three layers and their RTX, and audio, are 14.",
  }),

  "bridge.user": text({
    default: "jvb",
    pattern: USER,
    expects: "a user name",
    reason: "Account of the bridges in domains.auth.",
  }),
  "bridge.password": secret({ default: "", reason: "Its password. Empty: made at first start, in secrets/." }),
  "bridge.brewery": text({
    default: (options) => known(options, "focus.brewery"),
    pattern: ROOM_JID,
    expects: "a room's JID",
    reason: "Room in which this machine's bridges announce themselves.",
  }),
  "bridge.count": integer({
    default: 1,
    min: 1,
    max: 64,
    unit: "processes",
    reason: "Bridges that run when idle.",
  }),
  "bridge.max_count": integer({
    default: 0,
    min: 0,
    max: 64,
    unit: "processes",
    reason: "Bridges that may run under load, one per core. 0: cores - 1, at least one.",
  }),
  "bridge.start_next_at": fraction({
    default: 0.5,
    min: 0.05,
    max: 1,
    unit: "stress",
    reason: "The next bridge starts when all running ones are above this share of what a core can do.",
  }),
  "bridge.media_port": port({
    default: 10_000,
    reason: "UDP port of media, the same on every address; further bridges take the next ones.",
  }),
  "bridge.media_addresses": texts({
    default: [],
    pattern: /^[0-9A-Fa-f:.]{2,45}$/,
    expects: "IP addresses",
    reason: "Addresses to bind and advertise for media. Empty: all suitable ones of this machine.",
  }),
  "bridge.http_port": port({
    default: 8_080,
    reason: "Private HTTP of the first bridge: health, statistics; further ones take the next.",
  }),
  "bridge.http_address": address(
    "127.0.0.1",
    "Address of bridge.http_port: loopback, because it has no access control.",
  ),
  "bridge.colibri_port": port({
    default: 9_090,
    reason: "Bridge channel (WebSocket) of the first bridge; further ones take the next.",
  }),
  "bridge.colibri_address": address("127.0.0.1", "Address of bridge.colibri_port: the gateway's machine only."),
  "bridge.channel_host": text({
    default: "",
    pattern: /^$|^[^\s/?#]{1,255}$/,
    expects: "a host name, with a port if it is not 443",
    reason: "Host in the bridge channel's address that clients get. Empty: the box's name and https port.",
  }),
  "bridge.server_id": text({
    default: "jvb",
    pattern: /^[A-Za-z0-9._-]{1,64}$/,
    expects: "letters, digits, dots and hyphens",
    reason: "First bridge's name in the channel's address; further ones get -2, -3 appended.",
  }),
  "bridge.region": text({
    default: "",
    pattern: /^[A-Za-z0-9._-]{0,64}$/,
    expects: "letters, digits, dots and hyphens",
    reason: "Where this bridge stands, for the focus's choice.",
  }),
  "bridge.sctp": yesNo({ default: true, reason: "Whether the bridge answers data channels." }),
  "bridge.loudest_speakers": integer({
    default: 3,
    min: 0,
    max: 100,
    unit: "speakers",
    reason:
      "How many of the loudest are forwarded; 0: everybody. More than three at once are noise, and each costs every receiver.",
  }),
  "bridge.srtp_provider": choice({
    default: "auto",
    of: ["auto", "libcrypto", "scalar", "node"],
    reason: "Who encrypts media: the fastest measured at start, or one pinned.",
  }),

  "gateway.https_port": port({ default: 443, reason: "The pages, over TLS 1.2 and 1.3." }),
  "gateway.http_port": port({
    default: 80,
    reason: "Plain HTTP: the pages for this machine itself, the way to trust the box and to https for others.",
  }),
  "gateway.hosts": texts({
    default: [],
    pattern: HOST_OR_ADDRESS,
    expects: "host names or IP addresses",
    live: true,
    reason: "Names that requests may ask for, beside the machine's own names and addresses. All others are refused.",
  }),
  "gateway.certificate": text({
    default: "",
    pattern: /^.{0,4000}$/,
    expects: "a path",
    reason:
      "PEM file with a certificate and its intermediates, for a public name. Empty: made under the box's own root.",
  }),
  "gateway.key": text({
    default: "",
    pattern: /^.{0,4000}$/,
    expects: "a path",
    reason: "PEM file with the private key of gateway.certificate.",
  }),
  "gateway.xmpp_http": text({
    default: "",
    pattern: optional(HTTP_URL),
    expects: "http://HOST:PORT",
    reason: "Where xmpp-websocket and http-bind are relayed to. Empty: this machine's xmpp.",
  }),
  "gateway.focus_http": text({
    default: "",
    pattern: optional(HTTP_URL),
    expects: "http://HOST:PORT",
    reason: "Where conference requests are relayed to. Empty: this machine's focus.",
  }),
  "gateway.bridges": map({
    default: {},
    key: /^[A-Za-z0-9._-]{1,64}$/,
    pattern: HTTP_URL,
    expects: 'a table of server id = "http://HOST:PORT"',
    live: true,
    reason: "Bridges of other machines whose channel is relayed. Local ones are added by `parley start`.",
  }),
  "gateway.frame_ancestors": texts({
    default: ["'self'"],
    pattern: /^('self'|'none'|\*|https?:\/\/[^\s;,']{1,255})$/,
    expects: "'self', 'none', * or origins",
    live: true,
    reason: "Sites that may show the pages in a frame (Content-Security-Policy).",
  }),
  "gateway.client": json({
    default: {},
    live: true,
    reason:
      "Keys of config.js beside and above the box's own, in the names that Jitsi clients know: [gateway.client] resolution = 360.",
  }),
  "gateway.relays_per_address": integer({
    default: 1_000,
    min: 1,
    max: 100_000,
    unit: "connections",
    reason: "WebSockets from one address: a whole office may sit behind one, with two each.",
  }),
} as const satisfies Readonly<Record<string, Option<unknown>>>;

export type Options = typeof options;
export type Key = keyof Options;
/** The effective values, one per key. */
export type Settings = { readonly [K in Key]: ValueOf<Options[K]> };

export const keys = Object.keys(options) as readonly Key[];
export const isKey = (name: string): name is Key => Object.hasOwn(options, name);
