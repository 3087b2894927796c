/**
 * Shell: a whole box for a test: `./scripts/start` with its own data folder and free ports, as a newcomer starts it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pinnedProvider } from "../../appliance/bridge/media-loop/test-provider.ts";
import { EvidenceFile } from "./evidence.ts";
import { until } from "./until.ts";

/** The JSON of `--ready-file`. */
export interface Ready {
  readonly base: string;
  readonly domain: string;
  readonly muc: string;
  readonly focus: string;
  readonly brewery: string;
  readonly ports: {
    readonly https: number;
    readonly http: number;
    readonly xmpp: number;
    readonly xmppHttp: number;
    readonly focusHttp: number;
    readonly bridgeHttp: readonly number[];
    readonly colibri: readonly number[];
    readonly media: readonly number[];
  };
  readonly pids: { readonly supervisor: number; readonly control: number; readonly bridge: readonly number[] };
  readonly services: {
    readonly focus: { readonly domain: string; readonly user: string; readonly password: string };
    readonly bridge: { readonly domain: string; readonly user: string; readonly password: string };
  };
}

const root = resolve(import.meta.dir, "../..");
let boxes = 0;

export class Box {
  readonly data: string;
  readonly #child: ChildProcess;
  #ready: Ready;
  #log = "";

  private constructor(data: string, child: ChildProcess, ready: Ready) {
    this.data = data;
    this.#child = child;
    this.#ready = ready;
  }

  get ready(): Ready {
    return this.#ready;
  }

  /** Everything the box wrote to its standard output and error. */
  get log(): string {
    return this.#log;
  }

  /** Lines of the log at level error (pino 50) or worse. */
  errors(): string[] {
    return this.#log.split("\n").filter((line) => /"level":(50|60)\b/.test(line));
  }

  /** Starts a box on loopback (and, in the namespace, its own addresses) and waits until it says that it is ready. */
  static async start(options: { readonly args?: readonly string[]; readonly toml?: string } = {}): Promise<Box> {
    const data = mkdtempSync(join(tmpdir(), "parley-e2e-"));
    const readyFile = join(data, "ready.json");
    if (options.toml !== undefined) writeFileSync(join(data, "parley.toml"), options.toml);
    const any = ["https", "http", "xmpp", "xmpp-http", "focus-http", "bridge-http", "colibri", "media"];
    const provider = pinnedProvider();
    const args = [
      ...["--data", data, "--ready-file", readyFile, "--lan", "--set", "log.level=debug"],
      ...any.flatMap((name) => [`--${name}-port`, "0"]),
      ...(provider === "auto" ? [] : ["--set", `bridge.srtp_provider=${provider}`]),
      ...(options.args ?? []),
    ];
    const child = spawn(join(root, "scripts/start"), args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    let log = "";
    let box: Box | undefined;
    boxes++;
    const evidence = new EvidenceFile(`box-${boxes}.log`);
    const keep = (chunk: Buffer): void => {
      evidence.add(chunk);
      log = (log + chunk.toString()).slice(-4_000_000);
      if (box !== undefined) box.#log = log;
    };
    child.stdout?.on("data", keep);
    child.stderr?.on("data", keep);
    let exited = false;
    child.once("exit", () => {
      exited = true;
    });
    await until(`the box to be ready`, 60_000, () => {
      if (exited) throw new Error(`the box stopped while starting:\n${log}`);
      return existsSync(readyFile);
    }).catch((error: unknown) => {
      child.kill("SIGKILL");
      throw new Error(`${String(error)}\n${log}`);
    });
    box = new Box(data, child, JSON.parse(readFileSync(readyFile, "utf8")) as Ready);
    box.#log = log;
    return box;
  }

  /** Reads the ready file again: pids change when a part is started anew. */
  refresh(): Ready {
    this.#ready = JSON.parse(readFileSync(join(this.data, "ready.json"), "utf8")) as Ready;
    return this.#ready;
  }

  /** Ctrl-C, as a person would; resolves with the seconds it took. Leaves nothing behind. */
  async stop(): Promise<number> {
    const from = performance.now();
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = new Promise<void>((done) => this.#child.once("exit", () => done()));
      this.#child.kill("SIGINT");
      const killer = setTimeout(() => this.#child.kill("SIGKILL"), 20_000);
      await ended;
      clearTimeout(killer);
    }
    rmSync(this.data, { recursive: true, force: true });
    return (performance.now() - from) / 1000;
  }
}

/** Whether a process still runs. */
export const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false; // ESRCH: gone
  }
};
