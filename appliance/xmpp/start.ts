/**
 * Shell: the XMPP part, built from its slice of the configuration: accounts, rooms, core, sockets.
 */
import { randomBytes, randomUUID } from "node:crypto";
import packageFile from "../../package.json" with { type: "json" };
import type { XmppConfig } from "../config.ts";
import type { PartEnvironment, RunningPart } from "../part.ts";
import { Accounts } from "./accounts.ts";
import { listen } from "./listen.ts";
import { createMeetingServices } from "./muc/hosts.ts";
import { roomPolicies } from "./room-policies.ts";
import { XmppServer } from "./server.ts";
import { WallClock } from "./wall-clock.ts";

export async function startXmpp(config: XmppConfig, environment: PartEnvironment): Promise<RunningPart> {
  const { log, metrics } = environment;
  const { domains, limits, focusAccount } = config;
  const wallClock = new WallClock();
  const { hosts, focusHost } = createMeetingServices({
    domains,
    limits,
    focusAccount,
    newId: randomUUID,
    toEpoch: wallClock.toEpoch,
    ...roomPolicies(config, wallClock.toEpoch),
  });
  const server = new XmppServer({
    domains,
    limits,
    accounts: new Accounts(config.accounts, randomBytes),
    focusAccount,
    externalServices: config.externalServices,
    components: config.components ?? [],
    pushDiscovery: config.pushDiscovery ?? false,
    ...(config.guestDomain !== undefined ? { guestDomain: config.guestDomain } : {}),
    ...(config.federation !== undefined ? { federation: config.federation } : {}),
    ...(config.tokens !== undefined ? { tokens: config.tokens } : {}),
    hosts,
    focusHost,
    software: { name: "Parley", version: packageFile.version },
    random: randomBytes,
    wallClock,
    metrics,
  });
  const listening = await listen(
    server,
    {
      c2s: config.c2s,
      http: config.http,
      component: config.component,
      federation:
        config.federation === undefined
          ? undefined
          : { listen: config.federation.listen, routes: config.federation.routes, roots: config.federation.roots },
      tls: config.tls,
      trustedProxies: config.trustedProxies ?? [],
      regionHeader: config.regionHeader,
    },
    log,
    metrics,
  );
  log.info("xmpp listens", { ...listening.ports });
  let stopping = false;
  return {
    ports: listening.ports,
    health: () => (stopping ? "stopping" : undefined),
    async stop(deadlineMs) {
      stopping = true;
      await listening.stop(deadlineMs);
    },
  };
}
