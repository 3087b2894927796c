/**
 * Shell: our XMPP part alone, for the signalling benchmark, with the limits of the configuration's defaults. Argument: `plain` rooms as any server has
 * them, or `meetings` with all that Jitsi's server does. It says its HTTP port as JSON.
 */
import { readFileSync } from "node:fs";
import { parseConfig } from "../../../appliance/config/read.ts";
import { xmppSlice } from "../../../appliance/config/slices.ts";
import { createLogger } from "../../../appliance/log.ts";
import { Metrics } from "../../../appliance/metrics.ts";
import { startXmpp } from "../../../appliance/xmpp/start.ts";
import { BENCH_DOMAIN, BENCH_PASSWORD } from "./subjects.ts";

const read = parseConfig(
  `[domains]\ndomain = "${BENCH_DOMAIN}"\n[xmpp]\nport = 0\nhttp_port = 0\n[xmpp.rooms]\nplain = ${process.argv[2] === "plain"}\n`,
);
if (!read.ok) throw new Error(JSON.stringify(read.faults));
const fixture = (name: string): string =>
  readFileSync(`${import.meta.dirname}/../../../appliance/xmpp/fixtures/${name}`, "utf8");
const config = xmppSlice(
  {
    settings: read.configuration.settings,
    ipv6: false,
    focusPassword: BENCH_PASSWORD,
    bridgePassword: BENCH_PASSWORD,
  },
  { certificateChain: fixture("meet.test.crt.pem"), privateKey: fixture("meet.test.key.pem") },
);
const part = await startXmpp(config, { log: createLogger("xmpp", "warn"), metrics: new Metrics() });
process.stdout.write(`${JSON.stringify({ http: part.ports["xmppHttp"] })}\n`);
