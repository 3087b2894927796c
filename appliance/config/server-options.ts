/**
 * How focus and bridge reach the XMPP server. Kinds of options are in option.ts; the whole table is options.ts.
 */
import { port, text } from "./option.ts";
import { address, numberKnown } from "./shapes.ts";

export const serverOptions = {
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
} as const;
