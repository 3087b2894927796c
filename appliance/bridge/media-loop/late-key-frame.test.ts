/**
 * Key frames whose packets come out of order, or by retransmission: whatever the order, a picture begins with the first key frame that has come whole, and
 * nobody asks for another.
 */
import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../simulated-network.ts";
import { RtcpType } from "../rtcp/compound.ts";
import { read16, write16 } from "../rtp/bytes.ts";
import { RTX_TYPE, type SentRtp, TestBed, type TestPeer, vp8Payload } from "./test-bed.ts";

const SSRC = 101;
const RTX_SSRC = 1101;

function meeting(receivers = 1): { bed: TestBed; sender: TestPeer; receivers: TestPeer[] } {
  const bed = new TestBed();
  const sender = bed.peer();
  const others = Array.from({ length: receivers }, () => bed.peer());
  const encodings = [{ ssrc: SSRC, rtxSsrc: RTX_SSRC }];
  bed.command(
    ...sender.join([{ source: 1, name: "v", kind: "video", encodings }]),
    ...others.flatMap((each) => each.join([])),
  );
  return { bed, sender, receivers: others };
}

const watch = (bed: TestBed, receiver: TestPeer): void =>
  bed.command({
    type: "video-targets",
    receiver: receiver.index,
    targets: [{ source: 1, layer: 0x07, ssrc: SSRC, rtxSsrc: RTX_SSRC }],
  });

/** A meeting of two, of whom the second watches the first. */
function watched(): { bed: TestBed; sender: TestPeer; receiver: TestPeer } {
  const { bed, sender, receivers } = meeting();
  const [receiver] = receivers as [TestPeer];
  watch(bed, receiver);
  return { bed, sender, receiver };
}

/** Two frames of three packets in order: number and part. */
const TWO_FRAMES = Array.from({ length: 6 }, (_, number) => [number, number % 3]);

/** Frames from `first` on, each in `parts` packets; those in `keys` are key frames. Numbers go over the wrap of 16 bits. */
function frames(first: number, count: number, parts: number, keys: readonly number[]): SentRtp[] {
  return Array.from({ length: count }, (_, frame) =>
    Array.from({ length: parts }, (_, part) => ({
      ssrc: SSRC,
      sequence: (65_500 + (first + frame) * parts + part) & 0xffff,
      timestamp: (first + frame) * 3000,
      marker: part === parts - 1,
      payload: vp8Payload({
        pictureId: (first + frame) & 0x7fff,
        zeroIndex: (first + frame) & 0xff,
        key: keys.includes(first + frame),
        start: part === 0,
        size: 30 + part,
      }),
    })),
  ).flat();
}

let rtxSequence = 0;
/** The same packet as a repeat. */
const repeated = (packet: SentRtp): SentRtp => {
  const payload = new Uint8Array(packet.payload.length + 2);
  write16(payload, 0, packet.sequence);
  payload.set(packet.payload, 2);
  return { ...packet, ssrc: RTX_SSRC, payloadType: RTX_TYPE, sequence: rtxSequence++ & 0xffff, payload };
};

/** Outgoing packets in the order of their numbers: number, timestamp and picture id from the first on. */
function story(receiver: TestPeer): { number: number; timestamp: number; picture: number; part: number }[] {
  const [first] = receiver.got;
  if (first === undefined) return [];
  return receiver.got
    .map(({ sequence, timestamp, payload }) => ({
      number: ((sequence - first.sequence) << 16) >> 16,
      timestamp: (timestamp - first.timestamp) | 0,
      picture: read16(payload, 2) & 0x7fff,
      part: payload.length - 36,
    }))
    .sort((a, b) => a.number - b.number);
}

const keyFramesAsked = (sender: TestPeer): number =>
  sender.gotRtcp.filter(({ type }) => type === RtcpType.payloadFeedback).length;

/** Packets in an order in which none is further than `reach` from its place. */
const shuffled = <Item>(items: readonly Item[], reach: number, random: () => number): Item[] =>
  items
    .map((item, place) => ({ item, place: place + random() * reach }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);

describe("a key frame that begins late", () => {
  test("starts when its first packet comes, and what came before it follows in order", () => {
    const { sender, receiver } = watched();
    const [start, ...rest] = frames(1, 2, 3, [1]) as [SentRtp, ...SentRtp[]];
    sender.send(frames(0, 1, 1, [])[0] as SentRtp);
    for (const packet of rest) sender.send(packet);
    expect(receiver.got).toEqual([]);
    sender.send(start);
    expect(receiver.got.map(({ timestamp }) => timestamp)).toEqual([3000, 3000, 3000, 6000, 6000, 6000]);
    expect(story(receiver).map(({ number, part }) => [number, part])).toEqual(TWO_FRAMES);
  });

  test("even when it is the first packet of the stream, and comes as a repeat", () => {
    const { sender, receiver } = watched();
    const [start, ...rest] = frames(1, 1, 4, [1]) as [SentRtp, ...SentRtp[]];
    for (const packet of rest) sender.send(packet);
    sender.send(repeated(start));
    expect(story(receiver).map(({ part }) => part)).toEqual([0, 1, 2, 3]);
  });

  test("a hole behind the first packet is kept for what fills it", () => {
    const { sender, receiver } = watched();
    const packets = frames(1, 2, 3, [1]);
    sender.send(frames(0, 1, 1, [])[0] as SentRtp);
    for (const index of [2, 3, 5, 0, 1, 4]) sender.send(packets[index] as SentRtp);
    expect(story(receiver).map(({ number, part }) => [number, part])).toEqual(TWO_FRAMES);
  });

  test("does not start what can no longer follow: another key frame is asked for, until one has come", () => {
    const { bed, sender, receiver } = watched();
    const packets = frames(1, 100, 3, [1]);
    sender.send(frames(0, 1, 1, [])[0] as SentRtp);
    const before = keyFramesAsked(sender);
    for (const packet of packets.slice(1)) {
      sender.send(packet);
      bed.advance(40);
    }
    sender.send(packets[0] as SentRtp);
    expect(receiver.got).toEqual([]);
    // Twelve seconds without one: asked again and again, further and further apart.
    expect(keyFramesAsked(sender) - before).toBeGreaterThan(8);
    expect(keyFramesAsked(sender) - before).toBeLessThan(20);
    for (const packet of frames(101, 1, 3, [101])) sender.send(packet);
    expect(receiver.got.length).toBe(3);
    const asked = keyFramesAsked(sender);
    for (const packet of frames(102, 60, 3, [])) {
      sender.send(packet);
      bed.advance(11);
    }
    expect(keyFramesAsked(sender)).toBe(asked);
  });
});

test("in any order, with losses repaired, everything from the key frame on arrives under numbers in the sender's order", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = seededRandom(seed);
    const { bed, sender, receivers } = meeting(3);
    const [early, late, later] = receivers as [TestPeer, TestPeer, TestPeer];
    watch(bed, early);
    const parts = 1 + Math.floor(random() * 6);
    const reach = 1 + random() * 20;
    // One who sees it already; two more who come while it runs, and a key frame for each of them.
    const packets = frames(1, 30, parts, [1, 10, 20]);
    const comes = new Map([
      [Math.max(0, Math.floor(9 * parts - reach) - 1), late],
      [Math.max(1, Math.floor(19 * parts - reach) - 1), later],
    ]);
    const lost: SentRtp[] = [];
    sender.send(frames(0, 1, parts, [])[0] as SentRtp);
    for (const [index, packet] of shuffled(packets, reach, random).entries()) {
      const newcomer = comes.get(index);
      if (newcomer !== undefined) watch(bed, newcomer);
      if (random() < 0.1) lost.push(packet);
      else sender.send(packet);
      if (random() < 0.02) sender.send(packet);
      if (lost.length > 0 && random() < 0.3) sender.send(repeated(lost.shift() as SentRtp));
      bed.advance(2);
    }
    for (const packet of lost) sender.send(repeated(packet));
    for (const [receiver, keys] of [
      [early, [1]],
      [late, [1, 10]],
      [later, [1, 10, 20]],
    ] as const) {
      const got = story(receiver).filter(({ part }) => part >= 0);
      const begin = got[0]?.picture ?? -1;
      expect(keys as readonly number[], `seed ${seed}: begins with a key frame`).toContain(begin);
      const origin = got[0] ?? { number: 0, timestamp: 0 };
      expect(
        got.map(({ number, timestamp, picture, part }) => [
          number - origin.number,
          timestamp - origin.timestamp,
          picture,
          part,
        ]),
        `seed ${seed}: everything from ${begin} on`,
      ).toEqual(
        Array.from({ length: (31 - begin) * parts }, (_, place) => {
          const frame = Math.floor(place / parts);
          return [place, frame * 3000, begin + frame, place % parts];
        }),
      );
    }
    expect(early.bad + late.bad + later.bad).toBe(0);
  }
}, 30_000);
