/**
 * Shell: the composition root of one process: starts the parts that this process runs, hands each its slice of the configuration and fills in the ports that
 * parts of the same process were given by the system. Parts are loaded only where they run.
 */
import type { BridgeConfig, FocusConfig, GatewayConfig, TlsIdentity, XmppConfig } from "./config.ts";
import type { RunningGateway } from "./gateway/running-gateway.ts";
import { createLogger, type LogLevel } from "./log.ts";
import { Metrics } from "./metrics.ts";
import type { RunningPart } from "./part.ts";

/** The parts of one process. Port 0 in a reference (`focus.login.port`, `gateway.xmppHttp`, `gateway.focusHttp`) names the part of this process. */
export interface PartsPlan {
  readonly xmpp?: XmppConfig;
  readonly focus?: FocusConfig;
  readonly bridge?: BridgeConfig;
  readonly gateway?: GatewayConfig;
}

export interface RunningAppliance {
  readonly ports: Readonly<Record<string, number>>;
  /** One line per part that is not well. */
  faults(): string[];
  /** Server id → `http://host:port` of bridges of this machine, beside the configured ones. */
  setBridges(bridges: Readonly<Record<string, string>>): void;
  setIdentity(tls: TlsIdentity, hosts: readonly string[]): Promise<void>;
  stop(deadlineMs: number): Promise<void>;
}

/** What a part's `http` is called in the ready file. */
const HTTP_NAMES: Readonly<Record<string, string>> = { focus: "focusHttp", bridge: "bridgeHttp", xmpp: "xmppHttp" };

const withPort = (url: string, port: number | undefined): string =>
  port !== undefined && url.endsWith(":0") ? `${url.slice(0, -1)}${port}` : url;

export const startParts = async (plan: PartsPlan, level: LogLevel): Promise<RunningAppliance> => {
  const running: { readonly name: string; readonly part: RunningPart }[] = [];
  const environment = (part: string) => ({ log: createLogger(part, level), metrics: new Metrics() });
  let gateway: RunningGateway | undefined;
  const ports: Record<string, number> = {};
  const add = (name: string, part: RunningPart): void => {
    running.push({ name, part });
    // A part says its ports in its own words; the box has several `http`.
    for (const [own, port] of Object.entries(part.ports))
      ports[own === "http" ? (HTTP_NAMES[name] ?? own) : own] = port;
  };
  const stop = async (deadlineMs: number): Promise<void> => {
    // The last one started is the first to stop: gateway, bridge and focus say goodbye through xmpp.
    const until = performance.now() + deadlineMs;
    for (const { name, part } of running.toReversed()) {
      const left = Math.max(0, until - performance.now());
      await Promise.race([
        part
          .stop(left)
          .catch((error: unknown) => environment(name).log.error("did not stop cleanly", { error: String(error) })),
        Bun.sleep(left + 200),
      ]);
    }
    running.length = 0;
  };
  try {
    if (plan.xmpp !== undefined)
      add("xmpp", await (await import("./xmpp/start.ts")).startXmpp(plan.xmpp, environment("xmpp")));
    if (plan.focus !== undefined) {
      const { login } = plan.focus;
      const focus = { ...plan.focus, login: { ...login, port: login.port === 0 ? (ports["xmpp"] ?? 0) : login.port } };
      add("focus", await (await import("./focus/start.ts")).startFocus(focus, environment("focus")));
    }
    if (plan.bridge !== undefined) {
      const { login } = plan.bridge;
      const bridge = {
        ...plan.bridge,
        login: { ...login, port: login.port === 0 ? (ports["xmpp"] ?? 0) : login.port },
      };
      add("bridge", await (await import("./bridge/start.ts")).startBridge(bridge, environment("bridge")));
    }
    if (plan.gateway !== undefined) {
      gateway = await (await import("./gateway/start.ts")).startGateway(
        {
          ...plan.gateway,
          xmppHttp: withPort(plan.gateway.xmppHttp, ports["xmppHttp"]),
          focusHttp: withPort(plan.gateway.focusHttp, ports["focusHttp"]),
        },
        environment("gateway"),
      );
      add("gateway", gateway);
    }
  } catch (error) {
    await stop(1_000);
    throw error;
  }
  return {
    ports,
    faults: () =>
      running.flatMap(({ name, part }) => {
        const fault = part.health();
        return fault === undefined ? [] : [`${name}: ${fault}`];
      }),
    setBridges: (bridges) => gateway?.setBridges(bridges),
    setIdentity: async (tls, hosts) => gateway?.setIdentity(tls, hosts),
    stop,
  };
};
