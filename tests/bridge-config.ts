/**
 * Tests only: how a bridge is configured that serves media and its private HTTP on the loopback. By itself it has no XMPP server: nobody listens where it logs in.
 */
import type { BridgeConfig } from "../appliance/config.ts";

export const loopbackBridge = (own: Pick<BridgeConfig, "srtpProvider"> & Partial<BridgeConfig>): BridgeConfig => ({
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
  loudestSpeakers: 0,
  ...own,
});
