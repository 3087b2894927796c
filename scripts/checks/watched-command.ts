/**
 * Shell: a command that is ended when it has said nothing for too long, with all that it started: a test that hangs must not take the whole run's time and its
 * last line with it.
 */
import { readdirSync, readFileSync } from "node:fs";

export interface Watch {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What it says, as it comes. */
  readonly onText: (text: string, stream: "stdout" | "stderr") => void;
  /** ms without a word after which it is asked to end. */
  readonly silenceMs: number;
  /** ms from there until it is ended without asking. */
  readonly graceMs: number;
}

export interface Outcome {
  /** What both streams said. */
  readonly text: string;
  readonly code: number;
  /** Its last line, if it was ended for its silence. */
  readonly hungAfter: string | undefined;
}

/** Of all its threads. Empty once it has ended. */
function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
      .flatMap((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" "))
      .filter((child) => child !== "")
      .map(Number);
  } catch {
    return [];
  }
}

/** The process and what descends from it. Browsers have process groups and sessions of their own: only by descent are they found. */
function familyOf(pid: number): Set<number> {
  const family = new Set([pid]);
  for (const each of family) for (const child of childrenOf(each)) family.add(child);
  return family;
}

function signal(pids: Iterable<number>, name: "SIGTERM" | "SIGKILL"): void {
  for (const pid of pids)
    try {
      process.kill(pid, name);
    } catch {
      // ended already
    }
}

export async function watchedCommand(command: readonly string[], watch: Watch): Promise<Outcome> {
  const child = Bun.spawn([...command], {
    cwd: watch.cwd,
    env: watch.env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let text = "";
  let hungAfter: string | undefined;
  let timer: Timer | undefined;
  const end = (): void => {
    hungAfter = text.trimEnd().split("\n").at(-1) ?? "";
    const family = familyOf(child.pid);
    signal(family, "SIGTERM");
    // Whoever ended first has left its own behind: what there was then goes, and what there is now.
    timer = setTimeout(
      () => signal(new Set([...family].flatMap((pid) => [...familyOf(pid)])), "SIGKILL"),
      watch.graceMs,
    );
  };
  const heard = (): void => {
    if (hungAfter !== undefined) return;
    clearTimeout(timer);
    timer = setTimeout(end, watch.silenceMs);
  };
  const pass = async (from: ReadableStream<Uint8Array>, stream: "stdout" | "stderr"): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const bytes of from) {
      heard();
      const said = decoder.decode(bytes, { stream: true });
      text += said;
      watch.onText(said, stream);
    }
  };
  heard();
  await Promise.all([pass(child.stdout, "stdout"), pass(child.stderr, "stderr")]);
  const code = await child.exited;
  clearTimeout(timer);
  return { text, code, hungAfter };
}
