/**
 * Shell: `parley start`: the processes of design.md 2. What to do is decided by supervision.ts; this spawns, listens, kills and keeps the one timer.
 * Imports nothing heavy: it lives as long as the box, and its memory counts.
 */
import { rmSync } from "node:fs";
import { allowedHosts, type Box, currentCertificates, mainFile, webIdentity } from "./box.ts";
import { isFromChild, type ToChild } from "./child-messages.ts";
import { monotonicNow } from "./clock.ts";
import { bridgeSlice, focusSlice, gatewaySlice, httpUrl, serverId, xmppSlice } from "./config/slices.ts";
import { writeFileSafely } from "./data-folder.ts";
import { DeadlineTimer } from "./deadline-timer.ts";
import { machineAddresses, machineCores } from "./machine.ts";
import { ownHosts, type Process, type ReadyContent, readyContent, webAddress } from "./ready-file.ts";
import { runtimeEnvironment } from "./runtime-environment.ts";
import { type ChildId, type Ports, Supervision, type SupervisionAction } from "./supervision.ts";

export interface SupervisorOptions {
  readonly box: Box;
  readonly staticFolder: string;
  readonly readyFile: string | undefined;
  /** Called once, when everything is well. */
  readonly onReady: (ready: ReadyContent) => void;
  /** One line for people and the log. */
  readonly say: (line: string) => void;
}

type Subprocess = ReturnType<typeof Bun.spawn>;

interface Running {
  readonly process: Subprocess;
  ports: Ports;
  refused: string | undefined;
}

const LOAD_MS = 5_000;
const NETWORK_MS = 10_000;
/** Certificates are looked at this often even if no address changes. */
const CERTIFICATES_MS = 3_600_000;
const INTERRUPT_MS = 1_500;

/** Runs until told to stop; resolves to the exit code. */
export const supervise = async (options: SupervisorOptions): Promise<number> => {
  const { box } = options;
  const { settings } = box.context;
  const parts = settings["start.parts"];
  const bridges = parts.includes("bridge") ? settings["bridge.count"] : 0;
  const most = settings["bridge.max_count"] === 0 ? Math.max(1, machineCores() - 1) : settings["bridge.max_count"];
  const maxBridges = bridges === 0 ? 0 : Math.max(bridges, most);
  const supervision = new Supervision({
    control: parts.some((part) => part !== "bridge"),
    bridges,
    maxBridges,
    startNextAt: settings["bridge.start_next_at"],
    stopIdleAfterMs: settings["bridge.stop_idle_after"] * 1_000,
  });
  const running = new Map<ChildId, Running>();
  let localBridges: Readonly<Record<string, string>> = {};
  let ready = false;
  const timer = new DeadlineTimer(() => perform(supervision.handleTimeout(monotonicNow())));
  const finished = Promise.withResolvers<number>();

  const controlPorts = (): Ports => running.get("control")?.ports ?? lastControlPorts;
  let lastControlPorts: Ports = {};

  const channelHost = (): string => {
    const port = controlPorts()["https"] ?? settings["gateway.https_port"];
    const [host = "localhost"] = ownHosts(settings, box.name, machineAddresses());
    return webAddress("https", host, port).slice("https://".length);
  };

  const planOf = (id: ChildId, kept: Ports): ToChild => {
    const context = { ...box.context, settings: withPorts(kept) };
    const level = settings["log.level"];
    if (id !== "control") {
      const index = Number(id.slice("bridge-".length));
      const slice = bridgeSlice(
        context,
        box.trust,
        index,
        parts.includes("xmpp") ? controlPorts()["xmpp"] : undefined,
        channelHost(),
      );
      const port = (name: string, configured: number): number => kept[name] ?? configured;
      return {
        type: "start",
        level,
        plan: {
          bridge: {
            ...slice,
            mediaPort: port("media", slice.mediaPort),
            http: { ...slice.http, port: port("bridgeHttp", slice.http.port) },
            colibri: { ...slice.colibri, port: port("colibri", slice.colibri.port) },
          },
        },
      };
    }
    const own = context.settings;
    const here = (name: string): boolean => parts.includes(name);
    return {
      type: "start",
      level,
      plan: {
        ...(here("xmpp") && box.certificates !== undefined
          ? { xmpp: xmppSlice(context, box.certificates.xmpp, box.federationRoots) }
          : {}),
        ...(here("focus")
          ? { focus: focusSlice(context, box.trust, here("xmpp") ? own["xmpp.port"] : undefined) }
          : {}),
        ...(here("gateway") && web !== undefined
          ? {
              gateway: gatewaySlice(context, {
                tls: web,
                rootCertificate: settings["gateway.certificate"] === "" ? (box.certificates?.root ?? "") : "",
                hosts,
                boxName: box.name,
                staticFolder: options.staticFolder,
                xmppHttp: here("xmpp") ? { host: own["xmpp.http_address"], port: own["xmpp.http_port"] } : undefined,
                focusHttp: here("focus")
                  ? { host: own["focus.http_address"], port: own["focus.http_port"] }
                  : undefined,
              }),
            }
          : {}),
      },
    };
  };

  /** A process that comes back takes the ports it had: others know them. */
  const withPorts = (kept: Ports): typeof settings => ({
    ...settings,
    "xmpp.port": kept["xmpp"] ?? settings["xmpp.port"],
    "xmpp.http_port": kept["xmppHttp"] ?? settings["xmpp.http_port"],
    "focus.http_port": kept["focusHttp"] ?? settings["focus.http_port"],
    "gateway.https_port": kept["https"] ?? settings["gateway.https_port"],
    "gateway.http_port": kept["http"] ?? settings["gateway.http_port"],
  });

  const send = (id: ChildId, message: ToChild): void => {
    const child = running.get(id);
    if (child === undefined || child.process.exitCode !== null || child.process.signalCode !== null) return;
    try {
      child.process.send(message);
    } catch (error) {
      // It died between the check and the write; its exit is reported by onExit.
      options.say(`${id}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };

  const spawn = (id: ChildId, kept: Ports): void => {
    const child: Running = {
      ports: kept,
      refused: undefined,
      process: Bun.spawn([process.execPath, mainFile, "child"], {
        stdio: ["ignore", "inherit", "inherit"],
        serialization: "json",
        env: runtimeEnvironment(),
        ipc: (message: unknown) => {
          if (running.get(id) !== child || !isFromChild(message)) return;
          const now = monotonicNow();
          switch (message.type) {
            case "started":
              child.ports = message.ports;
              if (id === "control") {
                lastControlPorts = message.ports;
                send("control", { type: "bridges", bridges: localBridges });
              }
              perform(supervision.started(now, id, message.ports));
              break;
            case "health":
              perform(supervision.reported(now, id, message.fault));
              break;
            case "refused":
              child.refused = message.why;
              break;
          }
        },
        onExit: (_process, code, signal) => {
          if (running.get(id) !== child) return;
          running.delete(id);
          const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
          perform(supervision.exited(monotonicNow(), id, how, child.refused));
        },
      }),
    };
    running.set(id, child);
    send(id, planOf(id, kept));
  };

  const perform = (actions: readonly SupervisionAction[]): void => {
    for (const action of actions) {
      switch (action.type) {
        case "spawn":
          spawn(action.id, action.ports);
          break;
        case "stop":
          send(action.id, { type: "stop", deadlineMs: action.deadlineMs });
          break;
        case "drain":
          void drain(action.id, action.on);
          break;
        case "kill":
          running.get(action.id)?.process.kill("SIGKILL");
          break;
        case "bridges":
          localBridges = Object.fromEntries(
            action.running.map(({ index, ports }) => [
              serverId(settings, index),
              httpUrl({ host: settings["bridge.colibri_address"], port: ports["colibri"] ?? 0 }),
            ]),
          );
          send("control", { type: "bridges", bridges: localBridges });
          if (ready) writeReadyFile();
          break;
        case "healthy":
          ready = true;
          options.onReady(writeReadyFile());
          break;
        case "log":
          options.say(`${action.id}: ${action.message}`);
          break;
        case "done":
          if (action.why !== "") options.say(action.why);
          finished.resolve(action.exitCode);
          break;
      }
    }
    timer.set(supervision.nextDeadline());
  };

  const writeReadyFile = (): ReadyContent => {
    const processOf = (child: Running): Process => ({ pid: child.process.pid, ports: child.ports });
    const control = running.get("control");
    const content = readyContent(
      settings,
      { focus: box.context.focusPassword, bridge: box.context.bridgePassword },
      process.pid,
      control === undefined ? undefined : processOf(control),
      [...running].filter(([id]) => id !== "control").map(([, child]) => processOf(child)),
    );
    if (options.readyFile !== undefined) {
      try {
        writeFileSafely(options.readyFile, `${JSON.stringify(content, null, 2)}\n`);
      } catch (error) {
        // The meetings go on without it.
        options.say(`${options.readyFile}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    return content;
  };

  let hosts = box.hosts;
  let web = box.web;
  let certificatesAt = monotonicNow();
  const watchNetwork = setInterval(() => {
    if (box.certificates === undefined || !ready) return;
    const now = allowedHosts(settings, box.name);
    const moved = now.join(" ") !== hosts.join(" ");
    if (!moved && monotonicNow() - certificatesAt < CERTIFICATES_MS) return;
    certificatesAt = monotonicNow();
    hosts = now;
    currentCertificates(settings, box.name, box.folder)
      .then((certificates) => {
        const identity = webIdentity(settings, certificates);
        if (!moved && identity.certificateChain === web?.certificateChain) return;
        web = identity;
        send("control", { type: "identity", tls: identity, hosts: now });
      })
      .catch((error: unknown) =>
        options.say(`certificates: ${error instanceof Error ? error.message : String(error)}`),
      );
  }, NETWORK_MS);

  const watchLoad =
    maxBridges <= bridges
      ? undefined
      : setInterval(() => {
          for (const [id, child] of running) if (id !== "control") void readLoad(id, child);
        }, LOAD_MS);
  const drain = async (id: ChildId, on: boolean): Promise<void> => {
    const port = running.get(id)?.ports["bridgeHttp"] ?? 0;
    const url = `${httpUrl({ host: settings["bridge.http_address"], port })}/colibri/drain/${on ? "enable" : "disable"}`;
    try {
      await fetch(url, { method: "POST", signal: AbortSignal.timeout(LOAD_MS - 1_000) });
    } catch (error) {
      // Its silence is the business of its health reports; what it still gets it keeps, and is not stopped then.
      options.say(`${id}: not drained: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const readLoad = async (id: ChildId, child: Running): Promise<void> => {
    try {
      const url = `${httpUrl({ host: settings["bridge.http_address"], port: child.ports["bridgeHttp"] ?? 0 })}/colibri/stats`;
      const answer = await fetch(url, { signal: AbortSignal.timeout(LOAD_MS - 1_000) });
      const stats: unknown = await answer.json();
      if (typeof stats !== "object" || stats === null) return;
      const number = (key: string): number => {
        const value: unknown = Reflect.get(stats, key);
        return typeof value === "number" && Number.isFinite(value) ? value : 0;
      };
      if (running.get(id) === child)
        perform(supervision.loaded(monotonicNow(), id, number("stress_level"), number("endpoints")));
    } catch {
      // Silence of a bridge is the business of its health reports; without a load figure nothing is scaled.
      return;
    }
  };

  const interrupt = (): void => perform(supervision.stop(monotonicNow(), INTERRUPT_MS));
  const terminate = (): void => perform(supervision.stop(monotonicNow(), settings["stop.deadline"] * 1_000));
  process.on("SIGINT", interrupt);
  process.on("SIGHUP", interrupt);
  process.on("SIGTERM", terminate);

  perform(supervision.start(monotonicNow()));
  const code = await finished.promise;
  timer.set(undefined);
  clearInterval(watchNetwork);
  clearInterval(watchLoad);
  process.off("SIGINT", interrupt);
  process.off("SIGHUP", interrupt);
  process.off("SIGTERM", terminate);
  if (options.readyFile !== undefined) rmSync(options.readyFile, { force: true });
  return code;
};
