/**
 * Shell: a command that is ended when it has said nothing for too long, with all that it started: a test that hangs must not take the whole run's time and its
 * last line with it.
 */

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

export interface WatchedCommand {
  /** Asks it and what it started to end. */
  stop(): void;
  readonly ended: Promise<Outcome>;
}

export function watchedCommand(command: readonly string[], watch: Watch): WatchedCommand {
  // A process group of its own: whatever it starts ends with it.
  const child = Bun.spawn([...command], {
    cwd: watch.cwd,
    env: watch.env,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
  });
  const signal = (name: "SIGTERM" | "SIGKILL"): void => {
    try {
      process.kill(-child.pid, name);
    } catch {
      // all gone already
    }
  };
  let text = "";
  let hungAfter: string | undefined;
  let timer: Timer | undefined;
  const heard = (): void => {
    if (hungAfter !== undefined) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      hungAfter = text.trimEnd().split("\n").at(-1) ?? "";
      signal("SIGTERM");
      timer = setTimeout(() => signal("SIGKILL"), watch.graceMs);
    }, watch.silenceMs);
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
  const ended = async (): Promise<Outcome> => {
    await Promise.all([pass(child.stdout, "stdout"), pass(child.stderr, "stderr")]);
    const code = await child.exited;
    clearTimeout(timer);
    return { text, code, hungAfter };
  };
  return { stop: () => signal("SIGTERM"), ended: ended() };
}
