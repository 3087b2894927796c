/**
 * Shell, tests only: one bridge in a process of its own, so that its memory can be told from the test's. Says its ports, then on `measure` what it holds.
 */
import { readFileSync } from "node:fs";
import { silentLogger } from "../appliance/log.ts";
import { Metrics } from "../appliance/metrics.ts";
import { loopbackBridge } from "./bridge-config.ts";

const { startBridge } = await import("../appliance/bridge/start.ts");
const config = loopbackBridge({ loudestSpeakers: 3, srtpProvider: "auto" });
const bridge = await startBridge(config, { log: silentLogger, metrics: new Metrics() });

/** Bytes of this process's own: what ends with it. */
const ownBytes = (): number => {
  let sum = 0;
  for (const [, kb] of readFileSync("/proc/self/smaps_rollup", "utf8").matchAll(
    /^Private_(?:Clean|Dirty):\s+(\d+) kB$/gm,
  ))
    sum += Number(kb) * 1024;
  return sum;
};

process.on("message", (message: unknown) => {
  if (message !== "measure") return;
  Bun.gc(true);
  process.send?.({ ownBytes: ownBytes() });
});
process.on("disconnect", () => process.exit(0));
process.send?.({ ports: bridge.ports });
