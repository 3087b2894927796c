/**
 * Options of the gateway. Kinds of options are in option.ts; the whole table is options.ts.
 */
import { integer, json, map, port, text, texts } from "./option.ts";
import { HOST_OR_ADDRESS, HTTP_URL, optional } from "./shapes.ts";

export const gatewayOptions = {
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
    reason: "WebSockets, and as many long polls, from one address: a whole office may sit behind one, with two each.",
  }),
} as const;
