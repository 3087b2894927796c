/**
 * Options of the XMPP server. Kinds of options are in option.ts; the whole table is options.ts.
 */
import { choice, integer, map, port, records, secret, text, texts, yesNo } from "./option.ts";
import { address, DOMAIN, IP_ADDRESS, optional, PATH, USER } from "./shapes.ts";

export const xmppOptions = {
  "xmpp.port": port({ default: 5_222, reason: "XMPP over TCP with STARTTLS, for services and other XMPP software." }),
  "xmpp.http_port": port({ default: 5_280, reason: "XMPP over WebSocket and BOSH in plain HTTP, for the gateway." }),
  "xmpp.http_address": address("127.0.0.1", "Address of xmpp.http_port: loopback, because it has no TLS."),
  "xmpp.trusted_proxies": texts({
    default: [],
    pattern: IP_ADDRESS,
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
  "xmpp.guest_domain": text({
    default: "",
    pattern: optional(DOMAIN),
    expects: "a domain name in lower case",
    reason:
      "Domain at which guests log in without account (guest.meet.jitsi); the main domain then wants an account or token. Empty: everybody is a guest.",
  }),
  "xmpp.push_discovery": yesNo({
    default: false,
    reason:
      "Tells clients at login what the server can do, which saves a round trip; stock clients then ask for no TURN servers.",
  }),
  "xmpp.registration.from": choice({
    default: "nobody",
    of: ["nobody", "loopback", "network"],
    reason:
      "From where people may make accounts for themselves (XEP-0077), which count as members. Meetings need none; this is for XMPP software in general.",
  }),
  "xmpp.registration.accounts": integer({
    default: 100,
    min: 1,
    max: 10_000,
    unit: "accounts",
    reason: "Most accounts made so: each may keep 200 contacts.",
  }),
  "xmpp.components": records({
    fields: {
      domain: text({ default: "", pattern: DOMAIN, expects: "a domain name in lower case", reason: "" }),
      secret: secret({ default: "", reason: "" }),
      admin: yesNo({ default: false, reason: "" }),
    },
    required: ["domain", "secret"],
    reason: "External components (XEP-0114) that may connect. admin: owner of every room.",
  }),
  "xmpp.component_port": port({ default: 5_347, reason: "Where components connect; opened only when some are named." }),
  "xmpp.component_address": address(
    "127.0.0.1",
    "Address of xmpp.component_port: loopback, because the protocol has no TLS.",
  ),
  "xmpp.tokens.app_id": text({
    default: "",
    pattern: /^[^\s]{0,256}$/,
    expects: "a text without spaces",
    reason: "Issuer of the tokens (JWT) that open rooms. Empty: no tokens are asked for or read.",
  }),
  "xmpp.tokens.secret": secret({ default: "", reason: "Shared secret of HS256 tokens." }),
  "xmpp.tokens.key_server": text({
    default: "",
    pattern: /^$|^https:\/\/[^\s?#]+$/,
    expects: "an https URL",
    reason: "RS256: where public keys lie, as <SHA-256 of the key id in hex>.pem.",
  }),
  "xmpp.tokens.key_cache": text({
    default: "",
    pattern: /^$|^https:\/\/[^\s#]+$/,
    expects: "an https URL",
    reason: "RS256: a JSON object of key ids and PEM texts.",
  }),
  "xmpp.tokens.accepted_issuers": texts({
    default: [],
    pattern: /^[^\s]{1,256}$/,
    expects: "issuers, or *",
    reason: "Issuers whose tokens count. Empty: xmpp.tokens.app_id alone.",
  }),
  "xmpp.tokens.accepted_audiences": texts({
    default: ["*"],
    pattern: /^[^\s]{1,256}$/,
    expects: "audiences, or *",
    reason: "Audiences that a token may be for.",
  }),
  "xmpp.tokens.allow_empty": yesNo({
    default: false,
    reason: "Lets people without token in as guests, instead of refusing them.",
  }),
  "xmpp.tokens.require_room": yesNo({
    default: true,
    reason: "A token must name the room it is for; off lets old tokens in everywhere.",
  }),
  "xmpp.federation.enabled": yesNo({
    default: false,
    reason:
      "Whether other XMPP servers may connect, and messages may go to them. Off: a meeting box has no need of it.",
  }),
  "xmpp.federation.port": port({ default: 5_269, reason: "Port for other XMPP servers." }),
  "xmpp.federation.domains": texts({
    default: [],
    pattern: DOMAIN,
    expects: "domain names in lower case",
    reason: "Domains that may talk to us and be talked to. Empty: all.",
  }),
  "xmpp.federation.certificates_required": yesNo({
    default: false,
    reason:
      "Dialback is not enough: peers need a certificate good for their name. Boxes in an office sign their own, hence off.",
  }),
  "xmpp.federation.routes": map({
    default: {},
    key: DOMAIN,
    pattern: /^[^\s/]{1,255}:\d{1,5}$/,
    expects: 'a table of domain = "HOST:PORT"',
    reason: "Where servers of some domains are, asked before the DNS.",
  }),
  "xmpp.federation.roots": text({
    default: "",
    pattern: PATH,
    expects: "a path",
    reason: "PEM file of roots that peers' certificates are checked against. Empty: the system's.",
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
  "xmpp.limits.logins_per_second": integer({
    default: 0,
    min: 0,
    max: 1_000,
    unit: "logins/s",
    reason:
      "More logins from one address slow its connections down to 200 bytes/s for a minute; 0: any number. Jitsi's own servers may have 3; an office behind one address needs more.",
  }),
  "xmpp.limits.login_seconds": integer({
    default: 30,
    min: 5,
    max: 600,
    unit: "s",
    reason: "How long a connection may take to log in and bind a resource. Longer where people make accounts by hand.",
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
} as const;
