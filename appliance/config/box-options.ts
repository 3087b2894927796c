/**
 * Options of the box as a whole, its XMPP domains, and the server that services log in to. Kinds of options are in option.ts; the whole table is options.ts.
 */
import { choice, integer, text, texts, yesNo } from "./option.ts";
import { address, below, domain, optional } from "./shapes.ts";

export const boxOptions = {
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
} as const;
