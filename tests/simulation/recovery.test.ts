/**
 * What dies comes back (design.md 2), in virtual time: xmpp, focus, bridge or the whole control process, at any moment of a meeting, even while the last
 * death is not mended yet: in the end everybody sees and hears everybody.
 */
import { expect, test } from "bun:test";
import { seededRandom } from "../../appliance/simulated-network.ts";
import { useRealTime } from "../real-time.ts";
import { everythingFlows, settled } from "./everybody.ts";
import { WholeBox } from "./whole-box.ts";

useRealTime(); // libssl and the runtime below it; the cores get virtual time

const NAMES = ["Ana", "Ben", "Cleo", "Dan", "Eve"];
const seed = Number(process.env["PARLEY_SEED"] ?? Date.now() >>> 0);

function meeting(people: number, seeded: number): WholeBox {
  const box = new WholeBox({ seed: seeded, delayMs: 15, jitterMs: 5, loss: 0.01 });
  for (const name of NAMES.slice(0, people)) box.join(name);
  expect(box.runUntil(() => settled(box), 15_000)).toBe(true);
  expect(everythingFlows(box)).toBe(true);
  return box;
}

/** What happened, for whoever reads a failure. */
const story = (box: WholeBox): string =>
  `${box.log.slice(-60).join("\n")}\n${box.present.map(({ name, nick, joined, connected, occupants, sources, faults }) => `${name} ${nick} joined ${joined} connected ${connected} sees ${[...occupants.values()]} has ${[...sources.keys()]} ${faults}`).join("\n")}`;

/** Everybody back, and everything flowing, in that time (and what it takes to see that it flows). */
function comesBack(box: WholeBox, ms: number): void {
  const from = box.now;
  let flows = false;
  let left = ms;
  // A remainder that is lost in the rounding of the clock is none.
  while (!flows && left > 1e-3) {
    flows = box.runUntil(() => settled(box), left) && everythingFlows(box);
    left = from + ms - box.now;
  }
  if (!flows) throw new Error(`not back ${ms} ms after ${(from / 1000).toFixed(3)}\n${story(box)}`);
}

test(`the bridge dies: everybody has media again within 5 s (seed ${seed})`, () => {
  const box = meeting(3, seed);
  box.killBridge(700);
  box.run(100);
  comesBack(box, 4_900);
}, 60_000);

test(`the control process dies: media goes on, and everybody is back within 10 s (seed ${seed})`, () => {
  const box = meeting(3, seed);
  const packets = () => box.present.map(({ received }) => [...received.values()].map((each) => each.packets));
  box.killControl(900);
  const before = packets();
  box.run(500);
  for (const [index, own] of packets().entries())
    for (const [stream, count] of own.entries()) expect(count).toBeGreaterThan(before[index]?.[stream] ?? 0);
  comesBack(box, 9_500);
}, 60_000);

test(`the focus dies: everybody is back within 10 s (seed ${seed})`, () => {
  const box = meeting(4, seed);
  box.killFocus(900);
  box.run(100);
  comesBack(box, 9_900);
}, 60_000);

test(`the focus dies, and while nobody serves, the bridge: everybody is back within 10 s (seed ${seed})`, () => {
  const box = meeting(3, seed);
  box.killFocus(1_500);
  box.run(500);
  box.killBridge(700);
  comesBack(box, 10_000);
}, 60_000);

test(`the focus dies, and long after it the bridge: everybody is back within 5 s (seed ${seed})`, () => {
  const box = meeting(3, seed);
  box.killFocus(500);
  box.run(15_000);
  expect(settled(box)).toBe(true);
  box.killBridge(700);
  box.run(100);
  comesBack(box, 4_900);
}, 60_000);

test(`the only bridge stands still for 17 s: everybody has media again within 15 s (seed ${seed})`, () => {
  const box = meeting(3, seed);
  box.stallBridge(17_000);
  box.run(100);
  box.act(() => box.present[0]?.leave());
  box.join("Finn");
  box.run(16_900);
  comesBack(box, 15_000);
}, 60_000);

test(`xmpp dies: everybody is back within 10 s (seed ${seed})`, () => {
  const box = meeting(4, seed);
  box.killXmpp(900);
  comesBack(box, 10_000);
}, 60_000);

for (let round = 0; round < 4; round++)
  test(`deaths at any moments end with everybody seeing and hearing everybody (seed ${seed}, round ${round})`, () => {
    const own = (seed + round * 7_919) >>> 0;
    const random = seededRandom(own);
    const box = meeting(3 + Math.floor(random() * 3), own);
    for (let death = 0; death < 4; death++) {
      box.run(random() < 0.5 ? random() * 1_500 : random() * 8_000);
      const down = 100 + random() * 1_500;
      const kind = Math.floor(random() * 5);
      if (kind === 4) box.stallBridge(random() * 20_000);
      else [box.killControl, box.killFocus, box.killBridge, box.killXmpp][kind]?.call(box, down);
    }
    comesBack(box, 45_000);
  }, 120_000);
