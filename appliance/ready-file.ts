/**
 * What scripts and tests learn of a box that runs: the JSON of `--ready-file`, and the addresses for people. Pure.
 */
import type { Settings } from "./config/options.ts";
import { listenHost } from "./config/slices.ts";
import type { MachineAddress } from "./machine.ts";
import type { Ports } from "./supervision.ts";

export interface ReadyContent {
  /** https URL without a path. */
  readonly base: string;
  readonly domain: string;
  readonly muc: string;
  readonly focus: string;
  /** Full room JID. */
  readonly brewery: string;
  readonly ports: Readonly<Record<string, number | readonly number[]>>;
  readonly pids: Readonly<Record<string, number | readonly number[]>>;
  readonly services: {
    readonly focus: { readonly domain: string; readonly user: string; readonly password: string };
    readonly bridge: { readonly domain: string; readonly user: string; readonly password: string };
  };
}

export interface Process {
  readonly pid: number;
  readonly ports: Ports;
}

/** `host` in a URL: IPv6 addresses get brackets; the port is left out where it is the scheme's own. */
export const webAddress = (scheme: "https" | "http", host: string, port: number, path = ""): string =>
  `${scheme}://${host.includes(":") ? `[${host}]` : host}${port === (scheme === "https" ? 443 : 80) ? "" : `:${port}`}${path}`;

/** The host that this box is reached by, best first. */
export const ownHosts = (settings: Settings, boxName: string, addresses: readonly MachineAddress[]): string[] => {
  if (!settings["listen.lan"]) {
    const listen = listenHost(settings, false);
    return listen === "127.0.0.1" || listen === "::1" ? ["localhost", listen] : [listen];
  }
  const network = addresses.filter((each) => !each.internal && each.family === 4).map((each) => each.address);
  return [...network, `${boxName}.local`, "localhost"];
};

export const readyContent = (
  settings: Settings,
  passwords: { readonly focus: string; readonly bridge: string },
  supervisor: number,
  control: Process | undefined,
  bridges: readonly Process[],
): ReadyContent => {
  const port = (name: string): number => control?.ports[name] ?? 0;
  const ports = (name: string): number[] => bridges.map((bridge) => bridge.ports[name] ?? 0);
  const listen = settings["listen.lan"] ? "127.0.0.1" : settings["listen.address"];
  const host = listen === "0.0.0.0" || listen === "::" ? "127.0.0.1" : listen;
  const service = (user: string, password: string) => ({ domain: settings["domains.auth"], user, password });
  const controlPid: Record<string, number> =
    control === undefined
      ? {}
      : {
          control: control.pid,
          ...Object.fromEntries(
            settings["start.parts"].filter((part) => part !== "bridge").map((part) => [part, control.pid]),
          ),
        };
  return {
    base: webAddress("https", host, port("https")),
    domain: settings["domains.domain"],
    muc: settings["domains.muc"],
    focus: settings["domains.focus"],
    brewery: settings["bridge.brewery"],
    ports: {
      https: port("https"),
      http: port("http"),
      xmpp: port("xmpp"),
      xmppHttp: port("xmppHttp"),
      focusHttp: port("focusHttp"),
      bridgeHttp: ports("bridgeHttp"),
      colibri: ports("colibri"),
      media: ports("media"),
    },
    pids: { supervisor, ...controlPid, bridge: bridges.map((bridge) => bridge.pid) },
    services: {
      focus: service(settings["focus.user"], passwords.focus),
      bridge: service(settings["bridge.user"], passwords.bridge),
    },
  };
};
