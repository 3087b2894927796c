/**
 * Shell: the gateway as a part: reads the pages, listens on TLS and on plain HTTP.
 */
import { monotonicNow } from "../clock.ts";
import type { GatewayConfig } from "../config.ts";
import type { PartEnvironment } from "../part.ts";
import { AddressBudget } from "./address-budget.ts";
import { Gateway } from "./gateway.ts";
import { HealthProbe } from "./health-probe.ts";
import { Listener } from "./listen.ts";
import type { RunningGateway } from "./running-gateway.ts";
import { readStaticFolder } from "./static-folder.ts";

export const startGateway = async (config: GatewayConfig, environment: PartEnvironment): Promise<RunningGateway> => {
  const { log, metrics } = environment;
  const gateway = new Gateway(config, readStaticFolder(config.staticFolder), () => metrics.exposition());
  const common = {
    budget: new AddressBudget(config.relaysPerAddress),
    forwardBudget: new AddressBudget(config.relaysPerAddress),
    gateway,
    health: new HealthProbe(() => gateway.probes, monotonicNow),
    log,
    refused: metrics.counter("parley_gateway_refused_total", "Requests refused, by reason"),
    relaysEnded: metrics.counter("parley_gateway_relays_ended_total", "WebSockets ended, by who or what ended them"),
    relaysOpen: metrics.gauge("parley_gateway_relays", "WebSockets being relayed"),
  };
  let httpsPort = 0;
  const https = new Listener({ ...common, listen: config.https, tls: config.tls, httpsPort: () => httpsPort });
  httpsPort = https.port;
  let http: Listener;
  try {
    http = new Listener({ ...common, listen: config.http, tls: undefined, httpsPort: () => httpsPort });
  } catch (error) {
    await https.stop();
    throw error;
  }
  log.info("gateway listens", { https: https.port, http: http.port });
  let stopping = false;
  return {
    ports: { https: https.port, http: http.port },
    health: () => (stopping ? "stopping" : undefined),
    setBridges: (bridges) => gateway.setBridges(bridges),
    async setIdentity(tls, hosts) {
      gateway.setIdentity(tls, hosts);
      await https.setIdentity(tls);
    },
    async stop() {
      stopping = true;
      await Promise.all([https.stop(), http.stop()]);
    },
  };
};
