import { expect, test } from "bun:test";
import { seededRandom } from "../../simulated-network.ts";
import { markReplayWindow, REPLAY_WINDOW_PACKETS, REPLAY_WINDOW_WORDS, replayVerdict } from "./replay-window.ts";

test("property: agrees with a set of all packets seen (seeds 1 to 20)", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seededRandom(seed);
    const table = new Int32Array(REPLAY_WINDOW_WORDS + 8);
    table.fill(-1, 0, 4);
    table.fill(-1, 4 + REPLAY_WINDOW_WORDS);
    const seen = new Set<number>();
    let highest = Math.floor(random() * 100_000);
    seen.add(highest);
    markReplayWindow(table, 4, 0, highest);
    for (let n = 0; n < 3000; n++) {
      const step = random() < 0.02 ? Math.floor(random() * 3000) : Math.floor(random() * 40) - 20;
      const index = random() < 0.1 ? highest - Math.floor(random() * 1100) : highest + step;
      if (index < 0) continue;
      const ahead = index - highest;
      if (ahead > 0) {
        markReplayWindow(table, 4, ahead, index);
        highest = index;
        seen.add(index);
        continue;
      }
      const expected = -ahead >= REPLAY_WINDOW_PACKETS ? -4 : seen.has(index) ? -3 : 0;
      expect(replayVerdict(table, 4, -ahead, index)).toBe(expected);
      if (expected === 0) {
        markReplayWindow(table, 4, ahead, index);
        seen.add(index);
      }
    }
    // Neighbours in the table are left alone.
    expect([...table.subarray(0, 4), ...table.subarray(4 + REPLAY_WINDOW_WORDS)].every((word) => word === -1)).toBe(
      true,
    );
  }
});
