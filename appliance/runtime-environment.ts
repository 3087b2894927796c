/**
 * Shell: what the environment of our processes says to the runtime.
 *
 * Bun's timer collects every second in which something was allocated; where little is, as in a bridge, one of these is a full collection every minute or two, and a full one
 * throws away all compiled code older than a minute: what forwards packets is then interpreted and compiled anew for seconds (p99 of the delay 23 ms). So the timer is off, and
 * each thread collects what is new by itself (garbage-collection.ts). The rest is JavaScriptCore's: it collects when much has been allocated.
 */

/** For Bun.spawn. Read once, when a process starts; what is set already counts. */
export const runtimeEnvironment = (): Readonly<Record<string, string | undefined>> => ({
  BUN_GC_TIMER_DISABLE: "1",
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
