import { expect, test } from "bun:test";
import { ConferencePackets } from "./conference-packets.ts";
import type { EndpointStatistics } from "./media-commands.ts";

const link = (endpoint: number, packetsReceived: number, packetsSent = 0): EndpointStatistics => ({
  endpoint,
  packetsReceived,
  bytesReceived: packetsReceived * 1_000,
  packetsSent,
  bytesSent: packetsSent * 1_000,
  packetsLostByReceiver: 0,
  packetsLostOnReceive: 0,
  rttMs: 0,
});

test("what went through since the last report counts for the size that the conference has now", () => {
  const stats = new ConferencePackets();
  stats.update([link(0, 10, 1), link(1, 20, 2)], [{ size: 2, links: [0, 1] }]);
  stats.update([link(0, 15, 1), link(1, 20, 4), link(2, 7)], [{ size: 3, links: [0, 1, 2] }]);
  const { packets, bytes, total_packets, total_bytes } = stats.toJson() as Record<string, number[]>;
  expect([packets?.length, packets?.[2], packets?.[3], bytes?.[3]]).toEqual([501, 33, 14, 14_000]);
  expect([total_packets, total_bytes] as unknown[]).toEqual([47, 47_000]);
});

test("a slot's next endpoint counts from nothing; links of no conference count nowhere; very large ones share the last column", () => {
  const stats = new ConferencePackets();
  stats.update([link(0, 100), link(1, 50)], [{ size: 1, links: [0] }]);
  stats.update([link(0, 3)], [{ size: 700, links: [0, 9] }]);
  const { packets } = stats.toJson() as Record<string, number[]>;
  expect([packets?.[1], packets?.[500]]).toEqual([100, 3]);
});
