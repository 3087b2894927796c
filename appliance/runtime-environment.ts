/**
 * Shell: what the environment of our own processes says to the runtime.
 */

/** Bytes allocated between two collections of a small heap; the runtime's own 8 MB would count as the process's memory. */
const GARBAGE_BYTES = 2 * 1024 * 1024;

/**
 * For Bun.spawn. Bun's timer collects garbage every second in which something was allocated; where little is, as in a bridge, such a collection is a full one
 * every minute or two, and a full one throws away all compiled code older than a minute: what forwards packets is then interpreted and compiled anew for seconds (p99 of
 * the delay 23 ms). Without the timer JavaScriptCore collects by itself, when enough has been allocated. Read once, when a process starts; what is set already counts.
 */
export const runtimeEnvironment = (): Readonly<Record<string, string | undefined>> => ({
  BUN_GC_TIMER_DISABLE: "1",
  BUN_JSC_largeHeapSize: String(GARBAGE_BYTES),
  ...process.env,
});

/** The same program in the same process once more, this time with that environment; returns where it is there already. */
export function startAgainWithRuntimeEnvironment(): void {
  const environment = runtimeEnvironment();
  if (Object.keys(environment).every((name) => process.env[name] !== undefined)) return;
  process.execve?.(process.execPath, [process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
    ...environment,
  });
}
