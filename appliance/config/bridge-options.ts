/**
 * Options of the media bridges. Kinds of options are in option.ts; the whole table is options.ts.
 */
import { choice, fraction, integer, port, secret, text, texts, yesNo } from "./option.ts";
import { address, known, ROOM_JID, USER } from "./shapes.ts";

export const bridgeOptions = {
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
  "bridge.stop_idle_after": integer({
    default: 600,
    min: 5,
    max: 86_400,
    unit: "s",
    reason: "A bridge beyond bridge.count that nobody uses for this long ends, once the others are calm.",
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
  "bridge.advertise": texts({
    default: [],
    pattern: /^[0-9A-Fa-f:.]{2,45}(#\d{1,5})?$/,
    expects: "IP addresses, each with #port where it differs",
    reason: "Public addresses that lead to the media port through a NAT or into a container, beside the machine's own.",
  }),
  "bridge.advertise_private": yesNo({
    default: true,
    reason: "Whether clients are told private addresses too. Off: only those that ask for them, such as recorders.",
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
  "bridge.relay_url": text({
    default: "",
    pattern: /^$|^wss?:\/\/[^\s/?#]{1,255}$/,
    expects: "ws:// or wss://, a host and perhaps a port",
    reason:
      "Where other bridges open relay channels. Empty: wss:// and bridge.channel_host; Jitsi's trust public roots only.",
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
  "bridge.release": text({
    default: "",
    pattern: /^[A-Za-z0-9._-]{0,64}$/,
    expects: "letters, digits, dots and hyphens",
    reason: "Name of a set of bridges that may share a conference: a focus never mixes two of them.",
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
    of: ["auto", "gnutls", "libcrypto", "vector", "scalar", "node"],
    reason: "Who encrypts media: the fastest measured at start, or one pinned.",
  }),
  "bridge.hold_max_ms": integer({
    default: 2,
    min: 0,
    max: 10,
    unit: "ms",
    reason:
      "How long video waits at most for more packets to the same receiver when the media core is busy: longer runs cost less. 0: never. Audio never waits.",
  }),
  "bridge.hold_from_percent": integer({
    default: 60,
    min: 10,
    max: 90,
    unit: "%",
    reason:
      "Load of the media core above which video may wait, where much goes to each receiver; the wait grows with the load. A core with time to spare holds nothing.",
  }),
  "bridge.max_cameras": integer({
    default: 0,
    min: 0,
    max: 1_000_000,
    unit: "cameras",
    reason:
      "Cameras that one bridge forwards at once, counted once per receiver: three people who see each other are six. 0: what this machine was measured to carry.",
  }),
  "bridge.pin": yesNo({
    default: false,
    reason:
      "Ties each bridge's media thread to a core of its own, the last ones first. For machines of four cores and more whose cores do nothing else.",
  }),
} as const;
