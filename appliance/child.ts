/**
 * Shell: a child process of the supervisor: takes its plan from the channel, runs the parts, says how they are, and ends when told to, or when the supervisor is gone.
 */

import type { RunningAppliance } from "./appliance.ts";
import { type FromChild, isToChild } from "./child-messages.ts";
import { collectRegularly } from "./garbage-collection.ts";
import { startLine } from "./start-line.ts";

const HEALTH_MS = 2_000;
const FIRST_HEALTH_MS = 50;
/** What an orderly stop gets when the supervisor died: nobody waits any more. */
const ORPHAN_DEADLINE_MS = 1_000;

export const runChild = (): void => {
  let appliance: RunningAppliance | undefined;
  let ending = false;
  let well = false;
  const say = (message: FromChild): void => {
    if (process.connected) process.send?.(message);
  };
  const end = async (deadlineMs: number): Promise<void> => {
    if (ending) return;
    ending = true;
    // A part that hangs while stopping must not keep the process.
    setTimeout(() => process.exit(1), deadlineMs + 1_000);
    await appliance?.stop(deadlineMs);
    process.exit(0);
  };
  const report = (): void => {
    if (appliance === undefined || ending) return;
    const faults = appliance.faults();
    const fault = faults.length === 0 ? undefined : faults.join("; ");
    if (!well && fault === undefined) {
      well = true;
      collectRegularly();
    }
    say({ type: "health", ...(fault === undefined ? {} : { fault }) });
    setTimeout(report, well ? HEALTH_MS : FIRST_HEALTH_MS);
  };
  // Ctrl-C in a terminal reaches the whole process group; the supervisor alone decides.
  process.on("SIGINT", () => {});
  process.on("SIGHUP", () => {});
  process.on("SIGTERM", () => void end(5_000));
  process.on("disconnect", () => void end(ORPHAN_DEADLINE_MS));
  process.on("message", (message: unknown) => {
    if (!isToChild(message)) return;
    switch (message.type) {
      case "start":
        void import("./appliance.ts")
          .then(({ startParts }) => startParts(message.plan, message.level))
          .then((running) => {
            appliance = running;
            if (ending) return;
            say({ type: "started", ports: running.ports });
            report();
          })
          .catch((error: unknown) => {
            say({ type: "refused", why: startLine(error) });
            // The line above must leave the process first.
            setTimeout(() => process.exit(1), 50);
          });
        break;
      case "bridges":
        appliance?.setBridges(message.bridges);
        break;
      case "identity":
        void appliance?.setIdentity(message.tls, message.hosts);
        break;
      case "stop":
        void end(message.deadlineMs);
        break;
    }
  });
};
