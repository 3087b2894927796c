import { expect, test } from "bun:test";
import { parse } from "../wire/xml.ts";
import { DebugStats, debugFeature } from "./debug-stats.ts";
import { NO_STATISTICS, TestBridge } from "./test-bridge.ts";

const iq = (payload: string, type = "get") => {
  const stanza = parse(`<iq xmlns='jabber:client' type='${type}' id='1'>${payload}</iq>`);
  if (stanza === undefined) throw new Error(payload);
  return stanza;
};
type Counted = { readonly total_count: number; readonly buckets: Readonly<Record<string, number>> };

test("requests of XMPP servers are counted by kind and delay", () => {
  const stats = new DebugStats();
  stats.handled(iq("<conference-modify xmlns='jitsi:colibri2' meeting-id='m'/>"), 7);
  stats.handled(iq("<conference-modify xmlns='jitsi:colibri2' meeting-id='m'/>"), 0.4);
  stats.handled(iq("<healthcheck xmlns='http://jitsi.org/protocol/healthcheck'/>"), 200);
  stats.handled(iq("<query xmlns='jabber:iq:version'/>"), 1);
  stats.handled(iq("<query xmlns='jabber:iq:version'/>", "result"), 1);
  stats.handled(iq("<ping xmlns='urn:xmpp:ping'/>"), 1);
  const told = stats.of("xmpp-delay-stats", undefined) as Record<string, Counted>;
  expect(Object.keys(told)).toEqual(["colibri", "colibri_processing", "health", "version"]);
  expect(Object.values(told).map((each) => each.total_count)).toEqual([2, 2, 1, 1]);
  expect(told["colibri"]?.buckets).toMatchObject({ "0_to_5_ms": 1, "5_to_50_ms": 1 });
  expect(told["health"]?.buckets).toMatchObject({ "100_to_1000_ms": 1 });
});

test("what the media loop dropped for want of room, or of loudness", () => {
  const stats = new DebugStats();
  const media = { ...NO_STATISTICS, dropped: { "socket-full": 3, "not-loudest": 9 }, turnP999Ms: 2, longestTurnMs: 4 };
  expect(stats.of("queue-stats", media)).toMatchObject({ srtp_send_queue: { dropped_packets: 3, exceptions: 0 } });
  expect(stats.of("tossed-packet-stats", media)).toEqual({ parley_packets: 9 });
  expect(stats.of("transit-stats", media)).toMatchObject({ parley_turn_p999_ms: 2, parley_longest_turn_ms: 4 });
});

test("a transport's first round trip counts, and traffic counts for the size of its conference", () => {
  const bridge = new TestBridge().join();
  bridge.ask(
    "<conference-modify xmlns='jitsi:colibri2' meeting-id='m' create='true'><endpoint id='a' create='true'><capability name='source-names'/><transport/></endpoint></conference-modify>",
  );
  const index = [...bridge.bridge.conferences][0]?.endpoints.get("a")?.index ?? -1;
  bridge.events(
    { type: "round-trip", endpoint: index, rttMs: 33.4 },
    { type: "round-trip", endpoint: index, rttMs: 90 },
  );
  const ice = bridge.bridge.debugStats.of("ice-stats", undefined) as Record<string, { average: number }>;
  expect(ice["all"]?.average).toBe(33);
  expect(ice["host"]).toEqual(ice["all"] as { average: number });
  const endpoint = {
    endpoint: index,
    packetsReceived: 5,
    bytesReceived: 500,
    packetsSent: 2,
    bytesSent: 200,
    packetsLostByReceiver: 0,
    packetsLostOnReceive: 0,
    rttMs: 33,
  };
  bridge.events({ type: "statistics", statistics: { ...NO_STATISTICS, endpoints: [endpoint] } });
  const packets = bridge.bridge.debugStats.of("conference-packet-stats", undefined) as Record<string, number[]>;
  expect([packets["packets"]?.[1], packets["bytes"]?.[1]]).toEqual([7, 700]);
});

test("unknown names, and features", () => {
  const stats = new DebugStats();
  for (const name of ["", "node-stats", "pool-bookkeeping", "__proto__"])
    expect(stats.of(name, undefined)).toBeUndefined();
  expect([debugFeature("transit_stats"), debugFeature("node-tracing"), debugFeature("ice-stats")]).toEqual([
    true,
    undefined,
    undefined,
  ]);
});
