/**
 * Shell, tests only: one bridge in a process of its own, so that its memory can be told from the test's. Says its ports, then on `measure` what it holds.
 */
import { readFileSync } from "node:fs";
import type { BridgeConfig } from "../appliance/config.ts";
import { silentLogger } from "../appliance/log.ts";
import { Metrics } from "../appliance/metrics.ts";

const { startBridge } = await import("../appliance/bridge/start.ts");
const config: BridgeConfig = {
  // Nobody listens there: a bridge serves media and its private HTTP without an XMPP server.
  login: { host: "127.0.0.1", port: 1, domain: "auth.test", user: "jvb", password: "x", tls: { kind: "insecure" } },
  brewery: "jvbbrewery@internal.auth.test",
  mediaPort: 0,
  mediaAddresses: ["127.0.0.1"],
  lan: false,
  http: { host: "127.0.0.1", port: 0 },
  colibri: { host: "127.0.0.1", port: 0 },
  channelHost: "meet.test",
  serverId: "box-1",
  sctp: false,
  loudestSpeakers: 3,
  srtpProvider: "auto",
};
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
