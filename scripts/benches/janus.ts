/**
 * Shell: Janus as a peer of the comparison: Debian's program with a configuration of the bench's own, in a network namespace, since it offers no candidate on
 * the loopback. Needs root or user namespaces.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Generator, Pair } from "./bridge/pair.ts";
import type { Load } from "./bridge/participants.ts";
import { end, endWithBench, SUBJECT_CORE } from "./processes.ts";

export const JANUS_NEEDS = { janus: "janus", unshare: "util-linux", ip: "iproute2" } as const;

const PORT = 8188;
const ADDRESS = "10.77.0.1";
const START_MS = 10_000;

/** Modules of a folder, as Janus's configuration lists those that it shall leave out. */
const allBut = (folder: string, wanted: string): string =>
  readdirSync(folder)
    .filter((file) => file.endsWith(".so") && !file.includes(wanted))
    .join(",");

const LIBRARIES = ["/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];

/** Nothing but the videoroom and its WebSocket; no STUN server, no IPv6. `eventLoops`: 0, a thread for each connection, as it comes; else threads that share them. */
function configuration(folder: string, eventLoops: number): void {
  const base = LIBRARIES.map((each) => join(each, "janus")).find((each) => existsSync(join(each, "plugins")));
  if (base === undefined) throw new Error("Janus's plugins are not where Debian puts them");
  writeFileSync(
    join(folder, "janus.jcfg"),
    `general: {
  configs_folder = "${folder}"
  plugins_folder = "${base}/plugins"
  transports_folder = "${base}/transports"
  events_folder = "${base}/events"
  loggers_folder = "${base}/loggers"
  debug_level = 2
  session_timeout = 0
${eventLoops > 0 ? `  event_loops = ${eventLoops}\n` : ""}}
media: { ipv6 = false }
nat: { ice_lite = false }
plugins: { disable = "${allBut(join(base, "plugins"), "videoroom")}" }
transports: { disable = "${allBut(join(base, "transports"), "websockets")}" }
loggers: { disable = "libjanus_jsonlog.so" }
events: { broadcast = false }
`,
  );
  writeFileSync(
    join(folder, "janus.transport.websockets.jcfg"),
    `general: { ws = true, ws_port = ${PORT}, ws_ip = "127.0.0.1", wss = false }\nadmin: { admin_ws = false, admin_wss = false }\n`,
  );
  writeFileSync(join(folder, "janus.plugin.videoroom.jcfg"), "general: { }\n");
}

/** Started, joined by everybody, not yet loaded. */
export async function janusPair(load: Load, eventLoops: number): Promise<Pair> {
  const folder = mkdtempSync(join(tmpdir(), "parley-bench-"));
  configuration(folder, eventLoops);
  const network = [
    "ip link set lo up",
    "ip link add bench0 type veth peer name bench1",
    `ip addr add ${ADDRESS}/24 dev bench0`,
    "ip link set bench0 up",
    "ip link set bench1 up",
    `exec taskset -c ${SUBJECT_CORE} janus -F ${folder}`,
  ].join(" && ");
  const flags = process.getuid?.() === 0 ? ["--net"] : ["--user", "--map-root-user", "--net"];
  const child = Bun.spawn(["unshare", ...flags, "sh", "-c", network], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  endWithBench(child.pid);
  const said = new Response(child.stdout).text();
  const complained = new Response(child.stderr).text();
  let generator: Generator | undefined;
  const stop = async (): Promise<void> => {
    await end(child);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await listening(
      child.pid,
      async () => `${await said}${await complained}`,
      () => child.exitCode !== null,
    );
    generator = new Generator(
      { load, how: "janus", check: 1, url: `ws://127.0.0.1:${PORT}`, address: ADDRESS },
      child.pid,
    );
    await generator.next();
    const name = eventLoops > 0 ? `Janus, ${eventLoops} loop${eventLoops > 1 ? "s" : ""}` : "Janus";
    return new Pair(name, generator, { pid: child.pid, stop });
  } catch (error) {
    if (generator !== undefined) await end(generator.child);
    await stop();
    throw error;
  }
}

/** Waits until the WebSocket's port is open in the namespace of a process. */
async function listening(pid: number, said: () => Promise<string>, ended: () => boolean): Promise<void> {
  const limit = performance.now() + START_MS;
  const port = `:${PORT.toString(16).toUpperCase().padStart(4, "0")} `;
  while (performance.now() < limit) {
    if (ended()) throw new Error(`Janus stopped while starting:\n${(await said()).slice(-2_000)}`);
    const sockets = await Bun.file(`/proc/${pid}/net/tcp`)
      .text()
      .catch(() => "");
    if (sockets.split("\n").some((line) => line.includes(port) && / 0A /.test(line))) return;
    await Bun.sleep(50);
  }
  throw new Error(`Janus did not open port ${PORT} within ${START_MS / 1000} s`);
}
