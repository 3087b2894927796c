import { expect, test } from "bun:test";
import { nodeProvider } from "../transport/srtp-node.ts";
import { MEMORY_PAGES } from "./layout.ts";
import { makeMemory } from "./test-bed.ts";
import { warmUp } from "./warm-up.ts";

test("forwards made-up packets until its time is up", () => {
  const memory = makeMemory(MEMORY_PAGES);
  let clock = 0;
  const sent = warmUp(memory, nodeProvider(memory), "AES128_CM_HMAC_SHA1_80", 10, () => clock++);
  // Nine rounds of six people: three of the microphones heard by five, and fifteen cameras watched with four packets each, from their key frames on.
  expect(sent).toBeGreaterThan(9 * (15 + 60) - 1);
});
