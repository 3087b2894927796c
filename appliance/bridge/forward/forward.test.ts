import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../simulated-network.ts";
import { SenderReport } from "../rtcp/reports.ts";
import { DependencyStructure, parseDescriptor } from "../rtp/dependency-descriptor.ts";
import { parseExtensions } from "../rtp/extensions.ts";
import { parseHeader } from "../rtp/header.ts";
import { RtpPacket } from "../rtp/packet.ts";
import { DescriptorFilter } from "./descriptor-filter.ts";
import { FrameDecisions } from "./frame-decisions.ts";
import { HISTORY_SIZE, History } from "./history.ts";
import { LastSent, type LayerFilter } from "./layer-filter.ts";
import { isUsualVideo, NO_EXTENSIONS, usualVideoId, writeUsualVideoHeader, writeVideoHeader } from "./packet-writer.ts";
import { Rewrite } from "./rewrite.ts";
import { OutgoingStream } from "./sender.ts";
import { SequenceMap } from "./sequence-map.ts";
import { continuedTimestamp, follows, offsetBetween } from "./timestamps.ts";
import { Vp8Filter } from "./vp8-filter.ts";
import { Vp9Filter } from "./vp9-filter.ts";

describe("sequence map", () => {
  test.each([
    ["nothing dropped", [0, 1, 2], [], [100, 101, 102]],
    ["a hole stays", [0, 3, 4], [], [100, 103, 104]],
    ["a drop closes", [0, 2, 3], [1], [100, 101, 102]],
    ["several drops in a row are one", [0, 4, 5], [1, 2, 3], [100, 101, 102]],
    ["late into a hole", [0, 3, 1, 2], [], [100, 103, 101, 102]],
    ["late behind a drop", [0, 3, 1], [2], [100, 102, 101]],
  ])("%s", (_name, forwarded, dropped, expected) => {
    const map = new SequenceMap(16);
    map.begin(65_536, 100);
    const out: number[] = [];
    for (const incoming of forwarded) {
      for (const drop of dropped) if (drop > map.highest - 65_536 && drop < incoming) map.drop(65_536 + drop, false);
      out.push(map.map(65_536 + incoming));
    }
    expect(out).toEqual(expected);
  });

  test("dropped, older than the beginning, older than the ring: no number", () => {
    const map = new SequenceMap(4);
    map.begin(10, 1);
    map.drop(11, false);
    expect(map.map(11)).toBe(-1);
    expect(map.map(9)).toBe(-1);
    for (let incoming = 12; incoming < 40; incoming += 2) {
      map.map(incoming);
      map.drop(incoming + 1, false);
    }
    expect(map.map(12)).toBe(-1);
  });

  test("numbers missing before a drop of the same frame are dropped with it", () => {
    const map = new SequenceMap(16);
    map.begin(10, 1);
    map.map(10);
    map.drop(11, false);
    map.drop(14, true);
    expect(map.map(15)).toBe(2);
    expect(map.map(12)).toBe(-1);
  });

  test("outgoing numbers are found back (seed 5)", () => {
    const random = seededRandom(5);
    const map = new SequenceMap(64);
    map.begin(65_000, 40_000);
    const pairs = new Map<number, number>();
    for (let incoming = 65_000; incoming < 65_100; incoming++) {
      if (random() < 0.2) map.drop(incoming, false);
      else pairs.set(map.map(incoming), incoming);
    }
    const outgoing = [...pairs.keys()];
    // No gap, no number twice.
    expect(outgoing).toEqual(outgoing.map((_, index) => 40_000 + index));
    for (const [out, incoming] of pairs) expect(map.incomingOf(out)).toBe(incoming);
    expect(map.incomingOf(40_000 + outgoing.length)).toBe(-1);
    expect(map.incomingOf(39_999)).toBe(-1);
  });
});

describe("history", () => {
  test("gives back what was sent, by number, as long as the ring reaches", () => {
    const history = new History();
    const rewrite = new Rewrite();
    for (let sequence = 65_530; sequence < 65_530 + HISTORY_SIZE + 3; sequence++) {
      Object.assign(rewrite, {
        sequence,
        timestamp: 0xffffffff,
        marker: sequence % 2 === 0,
        pictureId: 0x7fff,
        temporalZeroIndex: 255,
        frameNumber: 0xffff,
        templateOffset: 63,
      });
      history.add(rewrite, sequence * 10, 5, sequence % 3 === 0, 0xfffe);
    }
    expect(history.find(65_532)).toBe(-1);
    const slot = history.find(65_534);
    const again = new Rewrite();
    history.read(slot, 65_534, again);
    expect(again).toEqual(
      Object.assign(new Rewrite(), {
        sequence: 65_534,
        timestamp: 0xffffffff,
        marker: true,
        pictureId: 0x7fff,
        temporalZeroIndex: 255,
        frameNumber: 0xffff,
        templateOffset: 63,
      }),
    );
    expect([history.position(slot), history.transport(slot), history.padded(slot)]).toEqual([
      655_340,
      0xfffe,
      65_534 % 3 === 0,
    ]);
    history.touch(slot, 99);
    expect(history.sinceSentMs(slot, 100.5)).toBe(1.5);
    expect(history.firstSentAt(slot)).toBeCloseTo(5, 2);
    history.clear();
    expect(history.find(65_534)).toBe(-1);
  });

  test("a packet sent again carries the send time of the first time, whatever the clock", () => {
    const history = new History();
    const rewrite = new Rewrite();
    const sendTime = (ms: number): number => Math.floor((ms % 64_000) * 262.144);
    for (const at of [0, 0.003, 63_999.999, 64_000, 1_234_567_890.123, 2 ** 31 / 8 + 0.5, 2 ** 33 + 1 / 3]) {
      history.add(rewrite, 8, at, false, 0);
      const slot = history.find(rewrite.sequence);
      expect(sendTime(history.firstSentAt(slot))).toBe(sendTime(at));
      expect(history.sinceSentMs(slot, at + 20)).toBeCloseTo(20, 0);
    }
  });

  test("absent numbers stay absent", () => {
    const history = new History();
    const rewrite = new Rewrite();
    rewrite.sequence = 9;
    history.add(rewrite, 0, 0, false, 0);
    const again = Object.assign(new Rewrite(), { pictureId: 1, temporalZeroIndex: 1, frameNumber: 1 });
    history.read(history.find(9), 9, again);
    expect([again.pictureId, again.temporalZeroIndex, again.frameNumber]).toEqual([-1, -1, -1]);
  });
});

describe("outgoing stream", () => {
  test("round-trip time from a report about a forwarded sender report; forged ones tell nothing", () => {
    const stream = new OutgoingStream("audio", 7, 100);
    const report = new SenderReport();
    report.ntpSeconds = 0x12345678;
    stream.reportSent(report, 1000);
    expect(stream.roundTrip(0x56780000, 65_536 * 0.5, 1600)).toBeCloseTo(100);
    expect(stream.roundTrip(0x56780001, 0, 1600)).toBe(-1);
    expect(stream.roundTrip(0, 0, 1600)).toBe(-1);
    expect(stream.roundTrip(0x56780000, 0xffffffff, 1600)).toBe(-1);
    expect(stream.roundTrip(0x56780000, 0, 9000)).toBe(-1);
  });

  test("only newer numbers move it on; the first is in the lower half", () => {
    const stream = new OutgoingStream("video", 0xffffffff, 32_767);
    expect(stream.started).toBe(false);
    const rewrite = new Rewrite();
    rewrite.sequence = stream.nextSequence;
    expect(rewrite.sequence % 65_536).toBe(32_767);
    rewrite.timestamp = 500;
    stream.sent(rewrite, 10, 1);
    rewrite.sequence -= 5;
    rewrite.timestamp = 400;
    stream.sent(rewrite, 10, 2);
    expect([stream.lastTimestamp, stream.lastSentAt, stream.packets, stream.octets]).toEqual([500, 1, 2, 20]);
  });

  test("timestamps go on by wall clock, or by two reports", () => {
    const stream = new OutgoingStream("video", 1, 0);
    const rewrite = new Rewrite();
    Object.assign(rewrite, { sequence: stream.nextSequence, timestamp: 0xfffffff0 });
    stream.sent(rewrite, 1, 1000);
    expect(continuedTimestamp(stream, 1000, 90_000, 3000) - 0xfffffff0).toBe(3000);
    expect(continuedTimestamp(stream, 1110, 90_000, 3000) - 0xfffffff0).toBe(9000);
    expect(offsetBetween({ ntpMs: 1000, rtpTimestamp: 500 }, { ntpMs: 1100, rtpTimestamp: 90_000 }, 90_000)).toBe(
      500 + 9000 - 90_000,
    );
    expect(offsetBetween({ ntpMs: -1, rtpTimestamp: 0 }, { ntpMs: 1, rtpTimestamp: 0 }, 90_000)).toBeUndefined();
    expect(follows(0xfffffff0 + 9000, stream, 1100, 90_000, 0)).toBe(true);
    expect(follows(0xfffffff0 + 9001, stream, 1100, 90_000, 0)).toBe(false);
    expect(follows(0xfffffff0, stream, 1100, 90_000, 500)).toBe(false);
  });
});

test("frame decisions: the newest 64 are known, two numbers each", () => {
  const decisions = new FrameDecisions();
  for (let frame = 0; frame < 70; frame++) decisions.add(frame, frame % 2 === 0, frame, -frame);
  expect(decisions.find(5)).toBe(-1);
  expect(decisions.find(6)).toBeGreaterThanOrEqual(0);
  const slot = decisions.find(69);
  expect([decisions.accepted(slot), decisions.first(slot), decisions.second(slot)]).toEqual([false, 69, -69]);
  decisions.clear();
  expect(decisions.find(69)).toBe(-1);
});

/** Passes frames through a filter; what it says of each. */
function through(filter: LayerFilter, frames: readonly Partial<RtpPacket>[], begin = true, last = new LastSent()) {
  const rewrite = new Rewrite();
  return frames.map((fields, index) => {
    const packet = Object.assign(new RtpPacket(), { frameStart: true, frameEnd: true, ...fields });
    if (index === 0 && begin) filter.begin(packet, last);
    return filter.accept(packet, rewrite, last)
      ? {
          pictureId: rewrite.pictureId,
          zero: rewrite.temporalZeroIndex,
          marker: rewrite.marker,
          frame: rewrite.frameNumber,
        }
      : undefined;
  });
}

describe("VP8 filter", () => {
  const frame = (number: number, temporal = 0, more: Partial<RtpPacket> = {}): Partial<RtpPacket> => ({
    timestamp: (0xffffff00 + number * 3000) >>> 0,
    pictureId: (32_760 + number) & 0x7fff,
    pictureIdBits: 15,
    temporalZeroIndex: (250 + number) & 0xff,
    temporalLayer: temporal,
    keyFrame: number === 0,
    ...more,
  });

  test("ids go on from another stream and wrap in their width", () => {
    const filter = new Vp8Filter();
    const last = new LastSent();
    Object.assign(last, { pictureId: 32_766, temporalZeroIndex: 254 });
    const seen = through(
      filter,
      [0, 1, 2].map((number) => frame(number)),
      true,
      last,
    );
    expect(seen.map((each) => [each?.pictureId, each?.zero])).toEqual([
      [32_767, 255],
      [0, 0],
      [1, 1],
    ]);
  });

  test("a decision holds for a frame's late packets, and a late frame keeps its own number", () => {
    const filter = new Vp8Filter();
    filter.setTarget(0, 0);
    const seen = through(filter, [frame(0), frame(1, 1), frame(3), frame(1, 1), frame(0), frame(2)]);
    expect(seen.map((each) => each?.pictureId)).toEqual([32_760, undefined, 32_762, undefined, 32_760, 32_761]);
  });

  test("without picture ids nothing is invented", () => {
    const filter = new Vp8Filter();
    expect(through(filter, [frame(0, 0, { pictureId: -1, temporalZeroIndex: -1 })])).toEqual([
      { pictureId: -1, zero: -1, marker: false, frame: -1 },
    ]);
  });

  test("a sender that never sets the sync bit is taken at its word in the end", () => {
    const filter = new Vp8Filter();
    filter.setTarget(0, 0);
    through(filter, [frame(0)]);
    filter.setTarget(0, 2);
    const seen = through(
      filter,
      Array.from({ length: 200 }, (_, index) => frame(index + 1, index % 2 === 0 ? 2 : 0)),
      false,
    );
    expect(seen[0]).toBeUndefined();
    expect(seen.at(-2)).toBeDefined();
  });
});

describe("VP9 filter", () => {
  /** One picture of spatial layers 0 … top, as K-SVC or SVC sends it. */
  const picture = (
    number: number,
    options: { key?: boolean; ksvc?: boolean; top?: number; temporal?: number; sync?: boolean } = {},
  ): Partial<RtpPacket>[] => {
    const top = options.top ?? 2;
    return Array.from({ length: top + 1 }, (_, spatial) => ({
      timestamp: number * 3000,
      pictureId: number,
      pictureIdBits: 15,
      temporalZeroIndex: number & 255,
      temporalLayer: options.temporal ?? 0,
      layerSync: options.sync ?? false,
      spatialLayer: spatial,
      keyFrame: options.key === true && spatial === 0,
      interPicture: options.key !== true,
      interLayer: spatial > 0 && (options.key === true || options.ksvc !== true),
      notReference: spatial === top || (options.ksvc === true && options.key !== true),
      spatialLayers: options.key === true && spatial === 0 ? top + 1 : 0,
      marker: spatial === top,
    }));
  };
  const layers = (seen: ReturnType<typeof through>): string =>
    seen.map((each) => (each === undefined ? "-" : each.marker ? "M" : "x")).join("");

  test("SVC: lower layers go along, the marker closes the highest that passes", () => {
    const filter = new Vp9Filter();
    filter.setTarget(1, 7);
    expect(layers(through(filter, [...picture(1, { key: true }), ...picture(2), ...picture(3)]))).toBe("xM-xM-xM-");
    // Down at once: the base layer has passed all along.
    filter.setTarget(0, 7);
    expect(filter.needsKeyFrame).toBe(false);
    expect(layers(through(filter, picture(4), false))).toBe("M--");
    // Up only with a key picture.
    filter.setTarget(2, 7);
    expect(filter.needsKeyFrame).toBe(true);
    expect(layers(through(filter, [...picture(5), ...picture(6, { key: true })], false))).toBe("M--xxM");
    expect(filter.needsKeyFrame).toBe(false);
  });

  test("K-SVC: lower layers pass with key pictures only; down waits for one", () => {
    const filter = new Vp9Filter();
    filter.setTarget(2, 7);
    expect(layers(through(filter, [...picture(1, { key: true, ksvc: true }), ...picture(2, { ksvc: true })]))).toBe(
      "xxM--M",
    );
    filter.setTarget(0, 7);
    expect(filter.needsKeyFrame).toBe(true);
    expect(
      layers(
        through(
          filter,
          [...picture(3, { ksvc: true }), ...picture(4, { key: true, ksvc: true }), ...picture(5, { ksvc: true })],
          false,
        ),
      ),
    ).toBe("--MM--M--");
  });

  test("a structure with fewer layers lowers the target; layers that stop coming ask for a key picture", () => {
    const filter = new Vp9Filter();
    filter.setTarget(2, 7);
    expect(layers(through(filter, [...picture(1, { key: true, top: 1 }), ...picture(2, { top: 1 })]))).toBe("xMxM");
    expect(filter.needsKeyFrame).toBe(false);
    through(filter, Array.from({ length: 12 }, (_, index) => picture(3 + index, { top: 0 })).flat(), false);
    expect(filter.needsKeyFrame).toBe(true);
  });

  test("a picture above the temporal target is dropped whole and its id closed up", () => {
    const filter = new Vp9Filter();
    filter.setTarget(2, 0);
    const seen = through(filter, [...picture(1, { key: true }), ...picture(2, { temporal: 1 }), ...picture(3)]);
    expect(layers(seen)).toBe("xxM---xxM");
    expect(seen.map((each) => each?.pictureId)).toEqual([1, 1, 1, undefined, undefined, undefined, 2, 2, 2]);
    filter.setTarget(2, 1);
    expect(
      layers(through(filter, [...picture(4, { temporal: 1 }), ...picture(5, { temporal: 1, sync: true })], false)),
    ).toBe("---xxM");
  });
});

describe("dependency descriptor", () => {
  /** Bits to bytes. */
  const pack = (bits: string): Uint8Array => {
    const clean = bits.replaceAll(" ", "");
    return Uint8Array.from({ length: Math.ceil(clean.length / 8) }, (_, index) =>
      Number.parseInt(clean.slice(index * 8, index * 8 + 8).padEnd(8, "0"), 2),
    );
  };
  const bits = (value: number, width: number): string => value.toString(2).padStart(width, "0");

  /** Two spatial layers, two decode targets: target 0 is the base layer, target 1 both. K-SVC. Template 0: base, key; 1: base; 2: upper, key; 3: upper. */
  const structure = (offset: number): string => {
    const dtis = [
      [2, 2],
      [3, 0],
      [0, 2],
      [0, 3],
    ];
    return [
      bits(offset, 6),
      bits(1, 5), // two targets
      "00 10 00 11".replaceAll(" ", ""), // template 0 → same layer, 1 → next spatial, 2 → same, 3 → end
      dtis
        .flat()
        .map((dti) => bits(dti, 2))
        .join(""),
      "0 0 1 0000 0 1 0000 0".replaceAll(" ", ""), // frame differences
      "0", // no chains: ns(3) 0
      "1",
      bits(319, 16),
      bits(179, 16),
      bits(639, 16),
      bits(359, 16),
    ].join("");
  };
  const descriptor = (template: number, frame: number, offset?: number): Uint8Array =>
    pack(`11${bits(template, 6)}${bits(frame, 16)}${offset === undefined ? "" : `10000${structure(offset)}`}`);

  const read = (state: DependencyStructure, bytes: Uint8Array): RtpPacket | undefined => {
    const packet = new RtpPacket();
    packet.descriptorOffset = 0;
    packet.descriptorLength = bytes.length;
    if (!parseDescriptor(bytes, packet, state)) return undefined;
    packet.dependencies = state;
    return packet;
  };

  test("templates come with the key frame and read the frames after it", () => {
    const state = new DependencyStructure();
    expect(read(state, descriptor(2, 5))).toMatchObject({ frameNumber: 5, spatialLayer: 0 });
    expect(state.decodeTargets).toBe(0);
    const key = read(state, descriptor(10, 6, 10));
    expect(key).toMatchObject({
      keyFrame: true,
      frameStart: true,
      frameEnd: true,
      frameNumber: 6,
      spatialLayer: 0,
      height: 180,
    });
    expect([state.templates, state.decodeTargets, [...state.heights]]).toEqual([4, 2, [180, 360, 0, 0]]);
    expect([...state.targetSpatial.subarray(0, 2)]).toEqual([0, 1]);
    expect(read(state, descriptor(13, 7))).toMatchObject({ keyFrame: false, spatialLayer: 1 });
    expect([...state.frameDtis.subarray(0, 2)]).toEqual([0, 3]);
    expect(read(state, descriptor(14, 8))).toBeUndefined(); // a template that is not there
    expect([state.targetFor(7, 7), state.targetFor(0, 7), state.contains(1, 0), state.contains(0, 1)]).toEqual([
      1,
      0,
      false,
      false,
    ]);
  });

  test("a structure cut short is refused", () => {
    const whole = descriptor(0, 1, 0);
    for (let length = 4; length < whole.length - 1; length++)
      expect(read(new DependencyStructure(), whole.subarray(0, length))).toBeUndefined();
  });

  test("frames pass by decode target, numbers and template ids go on over a switch", () => {
    const state = new DependencyStructure();
    const filter = new DescriptorFilter();
    const last = new LastSent();
    Object.assign(last, { frameNumber: 65_535, templateEnd: 62 });
    filter.setTarget(7, 7);
    const rewrite = new Rewrite();
    const pass = (bytes: Uint8Array, begin = false): [number, number, boolean] | undefined => {
      const packet = read(state, bytes);
      if (packet === undefined) throw new Error("malformed");
      if (begin) filter.begin(packet, last);
      return filter.accept(packet, rewrite, last)
        ? [rewrite.frameNumber, rewrite.templateOffset, rewrite.marker]
        : undefined;
    };
    expect(pass(descriptor(4, 100, 4), true)).toEqual([0, 58, false]);
    expect(last.templateEnd).toBe((62 + 4) & 63);
    expect(pass(descriptor(7, 101))).toEqual([1, 58, true]);
    // The base layer alone: its frames are not all part of the higher target here, so a key frame is asked for.
    filter.setTarget(0, 7);
    pass(descriptor(7, 102));
    expect(filter.needsKeyFrame).toBe(true);
    expect(pass(descriptor(4, 103, 4))).toEqual([3, 58, true]);
    expect(filter.needsKeyFrame).toBe(false);
    expect(pass(descriptor(7, 104))).toBeUndefined();
  });

  test("what goes out has the new numbers in it, the structure's first id, too", () => {
    const state = new DependencyStructure();
    const original = descriptor(10, 6, 10);
    const bytes = new Uint8Array(512);
    bytes.set(original, 300);
    const packet = read(state, original);
    if (packet === undefined) throw new Error("malformed");
    packet.descriptorOffset = 300;
    const rewrite = Object.assign(new Rewrite(), {
      frameNumber: 0xabcd,
      templateOffset: 60,
      sequence: 70_000,
      timestamp: 9,
    });
    const length = writeVideoHeader(
      bytes,
      0,
      packet,
      rewrite,
      { ...NO_EXTENSIONS, dependencyDescriptor: 11, transportCc: 5 },
      77,
      41,
      rewrite.sequence,
      false,
      0x1234,
      0,
      undefined,
    );
    const out = new RtpPacket();
    expect(parseHeader(bytes, 0, length, out)).toBe(true);
    const kinds = new Uint8Array(256);
    kinds[11] = 4;
    kinds[5] = 2;
    parseExtensions(bytes, kinds, out);
    expect(out).toMatchObject({ ssrc: 77, payloadType: 41, sequence: 70_000 & 0xffff, transportSequence: 0x1234 });
    const again = new DependencyStructure();
    expect(parseDescriptor(bytes, out, again)).toBe(true);
    expect([out.frameNumber, again.templateIdOffset, again.templates, [...again.heights]]).toEqual([
      0xabcd,
      6,
      4,
      [180, 360, 0, 0],
    ]);
    expect(out.spatialLayer).toBe(0);
  });
});

test("abs-send-time only where transport-wide numbers were not negotiated", () => {
  const bytes = new Uint8Array(64);
  const packet = new RtpPacket();
  const rewrite = new Rewrite();
  const length = (transportCc: number): number =>
    writeVideoHeader(
      bytes,
      0,
      packet,
      rewrite,
      { ...NO_EXTENSIONS, transportCc, absSendTime: 3 },
      1,
      100,
      5,
      false,
      9,
      1500,
      undefined,
    );
  expect(length(5)).toBe(20);
  expect(bytes[16]).toBe(0x51);
  expect(length(0)).toBe(20);
  expect([bytes[16], bytes[17], bytes[18], bytes[19]]).toEqual([0x32, 0x06, 0, 0]); // 1.5 s in 6.18
  expect(writeVideoHeader(bytes, 0, packet, rewrite, NO_EXTENSIONS, 1, 100, 5, false, 9, 0, undefined)).toBe(12);
});

test("the usual video header, written the short way, is the one that is written the long way", () => {
  const seed = 0x5eed;
  const random = seededRandom(seed);
  const number = (below: number): number => Math.floor(random() * below);
  let short = 0;
  for (let round = 0; round < 2000; round++) {
    const packet = new RtpPacket();
    packet.videoOrientation = number(4) === 0 ? number(8) : -1;
    const rewrite = Object.assign(new Rewrite(), {
      sequence: number(2 ** 20),
      timestamp: number(2 ** 32),
      marker: number(2) === 1,
      frameNumber: number(4) === 0 ? number(65_536) : -1,
    });
    const mid = number(4) === 0 ? Uint8Array.of(0x30) : undefined;
    const extensions = {
      ...NO_EXTENSIONS,
      transportCc: number(18),
      absSendTime: number(3),
      videoOrientation: number(3),
      mid: 3,
      mixed: true,
    };
    const [ssrc, type, transport] = [number(2 ** 32), number(128), number(65_536)];
    const id = usualVideoId(extensions);
    if (id === 0 || !isUsualVideo(packet, rewrite, mid)) continue;
    short += 1;
    const [long, written] = [new Uint8Array(64), new Uint8Array(64)];
    const length = writeVideoHeader(
      long,
      4,
      packet,
      rewrite,
      extensions,
      ssrc,
      type,
      rewrite.sequence,
      false,
      transport,
      7,
      mid,
    );
    expect([writeUsualVideoHeader(written, 4, rewrite, ssrc, type, id, transport), written, seed]).toEqual([
      length,
      long,
      seed,
    ]);
  }
  expect(short).toBeGreaterThan(300);
});
