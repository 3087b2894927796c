import { expect, test } from "bun:test";
import type { Millis } from "../time.ts";
import type { EndpointStatistics, MediaStatistics } from "./media-commands.ts";
import { Rates } from "./stats.ts";
import { NO_STATISTICS } from "./test-bridge.ts";

const endpoint = (index: number, rest: Partial<EndpointStatistics>): EndpointStatistics => ({
  endpoint: index,
  packetsReceived: 0,
  bytesReceived: 0,
  packetsSent: 0,
  bytesSent: 0,
  packetsLostByReceiver: 0,
  packetsLostOnReceive: 0,
  rttMs: 0,
  ...rest,
});
const report = (endpoints: readonly EndpointStatistics[], load = 0): MediaStatistics => {
  const sum = (name: "packetsReceived" | "bytesReceived" | "packetsSent" | "bytesSent"): number =>
    endpoints.reduce((total, each) => total + each[name], 0);
  return {
    ...NO_STATISTICS,
    packetsReceived: sum("packetsReceived"),
    bytesReceived: sum("bytesReceived"),
    packetsSent: sum("packetsSent"),
    bytesSent: sum("bytesSent"),
    load,
    endpoints,
  };
};
const at = (seconds: number): Millis => (seconds * 1000) as Millis;

test("rates are of clients; links to other bridges are counted apart", () => {
  const rates = new Rates();
  rates.update(at(0), report([endpoint(0, {}), endpoint(1, {})]), new Set([1]), 0);
  rates.update(
    at(5),
    report([
      endpoint(0, { bytesReceived: 5_000, packetsReceived: 50 }),
      endpoint(1, { bytesReceived: 10_000, packetsReceived: 100, bytesSent: 500 }),
    ]),
    new Set([1]),
    3,
  );
  expect(rates.bitsPerSecondIn).toBe(8_000);
  expect(rates.packetsPerSecondIn).toBe(10);
  expect(rates.bitsPerSecondOut).toBe(0);
  expect(rates.relayRates).toMatchObject({ bytesReceived: 2_000, packetsReceived: 20, bytesSent: 100 });
  expect(rates.relayTotals).toMatchObject({ bytesReceived: 10_000, bytesSent: 500 });
  expect(rates.videoMs).toBe(15_000);
});

test("loss: of both directions, and endpoints that have much of it; a slot that is used again begins at zero", () => {
  const rates = new Rates();
  rates.update(at(0), report([endpoint(0, { packetsSent: 1_000, packetsLostByReceiver: 500 })]), new Set(), 0);
  rates.update(
    at(1),
    report([
      endpoint(0, { packetsSent: 100, packetsLostByReceiver: 20, packetsReceived: 90, packetsLostOnReceive: 10 }),
      endpoint(1, { packetsSent: 300, packetsLostByReceiver: 0 }),
    ]),
    new Set(),
    0,
  );
  expect(rates.outgoingLoss).toBeCloseTo(20 / 400);
  expect(rates.incomingLoss).toBeCloseTo(0.1);
  expect(rates.endpointsWithHighLoss).toBe(1);
});

test("stress is the load of ten seconds over its threshold", () => {
  const rates = new Rates();
  expect(rates.stress).toBe(0);
  for (const [second, load] of [
    [0, 0.9],
    [5, 0.45],
    [20, 0.9],
  ] as const) {
    rates.update(at(second), report([], load), new Set(), 0);
    expect(rates.stress).toBeCloseTo(second === 5 ? 0.75 : 1);
  }
});
