import { expect, test } from "bun:test";
import { nodeProvider } from "../transport/srtp-node.ts";
import { MEMORY_PAGES } from "./layout.ts";
import type { Outbox } from "./outbox.ts";
import { makeMemory } from "./test-bed.ts";
import { ROUND_MS, WarmUp } from "./warm-up.ts";

test("goes through every stage of a plain meeting, and nothing of it is refused", () => {
  const memory = makeMemory(MEMORY_PAGES);
  let media = 0;
  const count = (outbox: Outbox): void => {
    for (let run = 0; run < outbox.runCount; run++) {
      const [from = 0, length = 0, segment = 0] = [
        outbox.runOffset[run],
        outbox.runLength[run],
        outbox.runSegment[run],
      ];
      for (let at = from; at < from + length; at += segment) {
        const type = outbox.bytes[at + 1] ?? 0; // RFC 5761, section 4: of RTCP 192 to 223
        if (type < 192 || type > 223) media++;
      }
    }
  };
  const warming = new WarmUp(memory, nodeProvider(memory), "AES128_CM_HMAC_SHA1_80", 0, count);
  for (let round = 0; round < 120; round++) warming.round(ROUND_MS);
  const { state } = warming;
  // Three of the microphones heard by five, and fifteen cameras watched with four packets each, from their key frames on; some of it is lost on the way.
  expect(media).toBeGreaterThan(119 * (15 + 60) * 0.9);
  expect(state.nacksSent).toBeGreaterThan(10);
  expect(state.nacksReceived).toBeGreaterThan(10);
  expect(state.retransmissions).toBeGreaterThan(15);
  const unexpected = Object.entries(state.drops.record()).filter(([reason]) => !["not-loudest"].includes(reason));
  expect(unexpected).toEqual([]);
  warming.close();
  expect(state.endpointCount).toBe(0);
});
