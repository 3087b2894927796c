/**
 * Shell: when a thread of our processes collects garbage. Bun's timer is off in them (runtime-environment.ts); without it the runtime collects only once much has been
 * allocated, and the packet memory counts as allocated: a bridge would grow by twenty megabytes of garbage in ten minutes.
 */
import { edenGC } from "bun:jsc";

/** Each thread collects what is new on its heap so often. That leaves compiled code alone, which a full collection throws away. */
export const COLLECT_MS = 10_000;

/** On the thread that calls it, as long as the process lives. Begins with all that starting left behind. */
export function collectRegularly(): void {
  Bun.gc(true);
  setInterval(edenGC, COLLECT_MS).unref();
}
