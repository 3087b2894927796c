/**
 * Shell: measured processes: pinned to a core, spoken with by lines of JSON, their processor time and memory read from `/proc`.
 */
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { Subprocess } from "bun";
import { runtimeEnvironment } from "../../appliance/runtime-environment.ts";
import { parsePss } from "./memory.ts";

export type Child = Subprocess<"pipe", "pipe", "inherit">;

/** The subject has a core of its own, and the generator another, where the machine has two. */
export const SUBJECT_CORE = 0;
export const LOAD_CORE = 1;

export const pinned = (core: number, command: readonly string[]): string[] =>
  Bun.which("taskset") !== null && availableParallelism() > 1
    ? ["taskset", "-c", String(core), ...command]
    : [...command];

/** Processes that live only as long as the bench, however it ends. */
const ours = new Set<number>();
let watching = false;

/** Ends this process with the bench, should it still run then. */
export function endWithBench(pid: number): void {
  ours.add(pid);
  if (watching) return;
  watching = true;
  process.on("exit", () => {
    for (const each of ours)
      try {
        process.kill(each);
      } catch {
        // it has ended already
      }
  });
  process.on("SIGINT", () => process.exit(130));
  process.on("SIGTERM", () => process.exit(143));
}

export const spawn = (command: readonly string[]): Child => {
  const child = Bun.spawn([...command], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
    env: runtimeEnvironment(),
  });
  endWithBench(child.pid);
  return child;
};

/** Lines of a child's output, one at a time. */
export class Lines {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  readonly #what: string;
  #rest = "";

  constructor(stream: ReadableStream<Uint8Array>, what: string) {
    this.#reader = stream.getReader();
    this.#what = what;
  }

  async text(): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0) {
        const line = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 1);
        return line;
      }
      const { value, done } = await this.#reader.read();
      if (done) throw new Error(`${this.#what} ended early`);
      this.#rest += this.#decoder.decode(value, { stream: true });
    }
  }

  async next(): Promise<Record<string, unknown>> {
    return JSON.parse(await this.text()) as Record<string, unknown>;
  }
}

/** Nanoseconds on a processor since each thread began, by `name#id`. */
export function cpuOf(pid: number): Map<string, number> {
  const threads = new Map<string, number>();
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    try {
      const [ns] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ");
      const name = readFileSync(`/proc/${pid}/task/${task}/comm`, "utf8").trim();
      threads.set(`${name}#${task}`, Number(ns));
    } catch {
      // The thread ended while we looked.
    }
  }
  return threads;
}

export interface CpuUse {
  readonly seconds: number;
  /** By thread name. */
  readonly threads: Readonly<Record<string, number>>;
}

export function cpuBetween(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): CpuUse {
  const threads: Record<string, number> = {};
  let seconds = 0;
  for (const [name, ns] of after) {
    const spent = (ns - (before.get(name) ?? 0)) / 1e9;
    seconds += spent;
    const plain = name.replace(/#\d+$/, "");
    threads[plain] = (threads[plain] ?? 0) + spent;
  }
  return { seconds, threads };
}

export interface Memory {
  readonly pssMb: number;
  readonly rssMb: number;
}

export function memoryOfProcess(pid: number): Memory {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return {
    pssMb: (parsePss(rollup) ?? 0) / 1_048_576,
    rssMb: Number(/^Rss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) / 1024,
  };
}

/** Ends a child by its id and waits until it is gone. */
export async function end(
  child: Subprocess<"pipe" | "ignore", "pipe" | "ignore", "inherit" | "ignore" | "pipe"> | undefined,
): Promise<void> {
  if (child === undefined) return;
  child.kill();
  const killer = setTimeout(() => child.kill("SIGKILL"), 5_000);
  await child.exited;
  clearTimeout(killer);
  ours.delete(child.pid);
}
