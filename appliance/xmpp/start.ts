/**
 * Shell: the XMPP part, built from its slice of the configuration: accounts, rooms, core, sockets.
 */
import { randomBytes, randomUUID } from "node:crypto";
import packageFile from "../../package.json" with { type: "json" };
import type { XmppConfig } from "../config.ts";
import type { PartEnvironment, RunningPart } from "../part.ts";
import type { AccountStore } from "./account-store.ts";
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
  const { registration } = config;
  const store = await storeOf(config);
  const accounts = new Accounts(
    config.accounts,
    randomBytes,
    undefined,
    registration === undefined
      ? undefined
      : {
          stored: store?.stored.accounts ?? [],
          changed: (change) => store?.apply(change),
          domain: domains.domain,
          bound: registration.accounts,
        },
  );
  const server = new XmppServer({
    domains,
    limits,
    accounts,
    ...(registration !== undefined ? { registration } : {}),
    rosters: store?.stored.rosters ?? new Map(),
    privateStorage: store?.stored.privateStorage ?? new Map(),
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
      store: (change) => store?.apply(change),
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
      store?.close();
    },
  };
}

/** Opened only where somebody can have an account with a contact list: a meeting box has no need of it, and no memory to spare. */
async function storeOf({ accounts, database, domains, registration }: XmppConfig): Promise<AccountStore | undefined> {
  const people = accounts.some(({ domain }) => domain !== domains.auth && domain !== domains.hidden);
  if (database === undefined || (registration === undefined && !people)) return undefined;
  return (await import("./account-store.ts")).openAccountStore(database);
}
