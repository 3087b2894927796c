import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../simulated-network.ts";
import { RtpPacket } from "../rtp/packet.ts";
import { LastSent } from "./layer-filter.ts";
import { Rewrite } from "./rewrite.ts";
import { TemporalSteps } from "./temporal-steps.ts";
import { Vp8Filter } from "./vp8-filter.ts";

const FRAMES = 600;
/** Layers of a sender's frames, over and over. */
const PATTERN = [0, 2, 1, 2];
/** A packet comes at most so many frames late. */
const LATEST = 12;

interface Arriving {
  readonly frame: number;
  readonly place: number;
}

const packetOf = (frame: number, sync: boolean): RtpPacket =>
  Object.assign(new RtpPacket(), {
    timestamp: (0xfffff000 + frame * 3000) >>> 0,
    pictureId: (32_700 + frame) & 0x7fff,
    pictureIdBits: 15,
    temporalZeroIndex: (frame >> 2) & 0xff,
    temporalLayer: PATTERN[frame % PATTERN.length] as number,
    layerSync: sync,
    keyFrame: frame === 0,
    frameStart: true,
  });

describe("VP8 filter, whatever comes late", () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8])("all packets of a frame share one fate and one number (seed %d)", (seed) => {
    const random = seededRandom(seed);
    const arriving: Arriving[] = [];
    for (let frame = 0; frame < FRAMES; frame++)
      for (let packet = 0; packet < 3; packet++)
        if (frame === 0 || random() < 0.9)
          arriving.push({ frame, place: frame + (frame > 0 && random() < 0.2 ? random() * LATEST : 0) });
    arriving.sort((one, other) => one.place - other.place);
    const filter = new Vp8Filter();
    const rewrite = new Rewrite();
    const last = new LastSent();
    const fates = new Map<number, number | undefined>();
    for (const { frame } of arriving) {
      if (random() < 0.02) filter.setTarget(0, Math.floor(random() * 3));
      const packet = packetOf(frame, random() < 0.3);
      if (fates.size === 0) filter.begin(packet, last);
      const fate = filter.accept(packet, rewrite, last) ? rewrite.pictureId : undefined;
      if (fates.has(frame)) expect({ seed, frame, fate }).toEqual({ seed, frame, fate: fates.get(frame) });
      fates.set(frame, fate);
    }
    // Numbers rise with the frames, never by more than they do, and none is used twice.
    const passed = [...fates].filter(([, fate]) => fate !== undefined).toSorted(([one], [other]) => one - other);
    expect(passed.length).toBeGreaterThan(FRAMES / 4);
    for (let index = 1; index < passed.length; index++) {
      const [from, before = 0] = passed[index - 1] ?? [0, 0];
      const [to, after = 0] = passed[index] ?? [0, 0];
      const step = (after - before) & 0x7fff;
      expect({ seed, to, step: step >= 1 && step <= to - from }).toEqual({ seed, to, step: true });
    }
  });

  test("a frame that passed goes on passing when the target has fallen since, one that was refused stays refused", () => {
    const filter = new Vp8Filter();
    const rewrite = new Rewrite();
    const last = new LastSent();
    const accept = (frame: number, sync = false): number | undefined =>
      filter.accept(packetOf(frame, sync), rewrite, last) ? rewrite.pictureId : undefined;
    filter.begin(packetOf(0, false), last);
    const first = [0, 1, 2].map((frame) => accept(frame));
    filter.setTarget(0, 0);
    expect(accept(2)).toBe(first[2]); // the newest, begun before
    expect([accept(3), accept(4)]).toEqual([undefined, 32_703]);
    expect([accept(1), accept(2)]).toEqual([first[1], first[2]]);
    filter.setTarget(0, 2);
    expect(accept(5, true)).toBe(32_704);
    expect(accept(3)).toBeUndefined();
  });
});

test("temporal steps: at each place what passed there, for the newest sixteen changes", () => {
  const steps = new TemporalSteps();
  expect(steps.at(123, 2)).toBe(2);
  for (let change = 0; change < 20; change++) steps.change((0xffffff00 + change * 100) >>> 0, change % 3);
  for (let change = 4; change < 20; change++) expect(steps.at((0xffffff00 + change * 100) >>> 0, 7)).toBe(change % 3);
  expect(steps.at((0xffffff00 + 1901) >>> 0, 7)).toBe(7);
  steps.begin();
  expect(steps.at(0xffffff00, 7)).toBe(7);
});
