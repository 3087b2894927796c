/**
 * A bridge that gets full and empty again, in virtual time: the focus's admission over the bridge's own limits on pictures. What a forwarded picture costs is
 * a model (the smaller, the cheaper); who comes and goes is random.
 */
import { expect, test } from "bun:test";
import { Quality } from "../../appliance/bridge/quality.ts";
import { type SimulatedClient, SimulatedWorld, seeded } from "../../appliance/focus/simulated-world.ts";
import { xml } from "../../appliance/wire/xml.ts";

/** Pictures in full size that the core carries. */
const CORE = 24;
const ROOMS = Array.from({ length: 4 }, (_, index) => `room${index}@muc.meet.test`);
const REPORT_S = 5;
const RISING_S = 600;
const END_S = 1_300;

const cost = (tileHeight: number): number => (tileHeight <= 180 ? 0.35 : tileHeight <= 360 ? 0.6 : 1);
const source = (nick: string, on: boolean) => [
  xml("SourceInfo", {}, JSON.stringify({ [`${nick}-v0`]: { muted: !on } })),
];

/** Of one run. */
interface Seen {
  highest: number;
  /** Seconds above full. */
  overS: number;
  qualityChanges: number;
  fullChanges: number;
  held: number;
  declined: number;
}

function run(seed: number): Seen {
  const random = seeded(seed);
  const world = new SimulatedWorld().start(["jvb1"]);
  const quality = new Quality();
  const people = new Map<SimulatedClient, { camera: boolean; running: boolean }>();
  const seen: Seen = { highest: 0, overS: 0, qualityChanges: 0, fullChanges: 0, held: 0, declined: 0 };
  const load = (): number => {
    const { tileHeight, lastN } = quality.limits;
    let pictures = 0;
    for (const [client] of people) {
      if (!client.accepted) continue;
      const cameras = [...people].filter(
        ([other, { camera }]) => camera && other !== client && other.room === client.room,
      );
      pictures += lastN < 0 ? cameras.length : Math.min(lastN, cameras.length);
    }
    return (pictures * cost(tileHeight)) / CORE;
  };
  const recent: number[] = [];
  let full = false;
  let made = 0;
  for (let second = 0; second < END_S; second += REPORT_S) {
    const rising = second < RISING_S;
    if (random() < (rising ? 0.3 : 0.03)) {
      const room = ROOMS[Math.floor(random() * ROOMS.length)] ?? "";
      const nick = (0x10000000 + ++made).toString(16);
      world.ask(room, `${nick}-uuid@meet.test/res`);
      if (!world.focus.conferences.has(room)) seen.declined++;
      else
        people.set(world.join(room, nick, { presence: source(nick, true), ask: false }), {
          camera: true,
          running: false,
        });
    }
    const [someone] = [...people.keys()];
    if (random() < (rising ? 0.03 : 0.3) && someone !== undefined) {
      world.leave(someone);
      people.delete(someone);
    }
    for (const [client, person] of people) {
      if (client.mutes.length > 0 && person.camera) {
        expect(person.running).toBe(false); // a camera that ran is not taken
        seen.held++;
        person.camera = false;
        world.updatePresence(client, source(client.nick, false));
      }
      person.running = person.camera && client.accepted;
    }
    world.advance(REPORT_S * 1_000);
    const now = Math.max(0, load() + (random() - 0.5) * 0.06);
    recent.push(now);
    const stress = (now + (recent.at(-2) ?? now)) / 2; // the bridge averages over ten seconds
    seen.highest = Math.max(seen.highest, stress);
    if (stress > 1) seen.overS += REPORT_S;
    if (quality.update(world.now, stress)) seen.qualityChanges++;
    world.bridgePresence("jvb1", {
      stress_level: String(stress),
      average_participant_stress: "0.05",
      parley_quality_step: String(quality.step),
    });
    const fullNow = ROOMS.some((room) => world.focus.conferences.get(room)?.cameras.full === true);
    if (fullNow !== full) seen.fullChanges++;
    full = fullNow;
  }
  expect(quality.step).toBe(0);
  expect(full).toBe(false);
  return seen;
}

test.each([1])(
  "a load that rises and falls: limits, then refusals, and all of it back; nothing flaps (seed %i)",
  (seed) => {
    const seen = run(seed);
    expect(seen.held).toBeGreaterThan(0);
    expect(seen.highest).toBeWithin(0.9, 1.2);
    expect(seen.overS).toBeLessThanOrEqual(60);
    expect(seen.qualityChanges).toBeWithin(2, 32); // eight steps there and back are sixteen
    expect(seen.fullChanges).toBeWithin(2, 18);
  },
);
