import { expect, test } from "bun:test";
import { nodeProvider } from "../transport/srtp-node.ts";
import { MEMORY_PAGES } from "./layout.ts";
import { makeMemory } from "./test-bed.ts";
import { ROUND_MS, WarmUp } from "./warm-up.ts";

test("goes through every stage of a plain meeting, and nothing of it is refused", () => {
  const memory = makeMemory(MEMORY_PAGES);
  const warming = new WarmUp(memory, nodeProvider(memory), "AES128_CM_HMAC_SHA1_80", 0);
  for (let round = 0; round < 120; round++) warming.round(ROUND_MS);
  const { state } = warming;
  // Three of the microphones heard by five, and fifteen cameras watched with four packets each, from their key frames on.
  expect(state.packetsSent).toBeGreaterThan(119 * (15 + 60) * 0.94);
  expect(state.nacksSent).toBeGreaterThan(10);
  expect(state.nacksReceived).toBeGreaterThan(10);
  expect(state.retransmissions).toBeGreaterThan(15);
  const unexpected = Object.entries(state.drops.record()).filter(([reason]) => !["not-loudest"].includes(reason));
  expect(unexpected).toEqual([]);
  warming.close();
  expect(state.endpointCount).toBe(0);
});
