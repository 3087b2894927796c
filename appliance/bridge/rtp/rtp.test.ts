import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../simulated-network.ts";
import { parseAv1 } from "./av1.ts";
import { BitReader } from "./bits.ts";
import { read16, read24, read32, write16, write24, write32 } from "./bytes.ts";
import { DependencyStructure, parseDescriptor } from "./dependency-descriptor.ts";
import { Extension, ExtensionWriter, fitsOneByte, parseExtensions } from "./extensions.ts";
import { parseH264, spsHeight } from "./h264.ts";
import { isRtcp, parseHeader, parsePadding, writeHeader } from "./header.ts";
import { RtpPacket } from "./packet.ts";
import { unwrapRtx } from "./rtx.ts";
import { difference16, difference32, differenceBits, unwrap16, unwrap32 } from "./sequence.ts";
import { parseVp8, rewriteVp8 } from "./vp8.ts";
import { parseVp9, rewriteVp9, structureHeight } from "./vp9.ts";

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));

/** A packet whose payload is all of `payload`. */
function payload(hex: string, marker = false): { bytes: Uint8Array; packet: RtpPacket } {
  const bytes = bytesOf(hex);
  const packet = new RtpPacket();
  packet.payloadOffset = 0;
  packet.payloadLength = bytes.length;
  packet.marker = marker;
  return { bytes, packet };
}

describe("numbers that wrap", () => {
  test.each([
    [0, 65_535, 1],
    [65_535, 0, -1],
    [32_767, 0, 32_767],
    [32_768, 0, -32_768],
    [5, 5, 0],
  ])("difference16(%d, %d) = %d", (a, b, expected) => expect(difference16(a, b)).toBe(expected));

  test.each([
    [0, 0xffffffff, 1],
    [0xffffffff, 0, -1],
    [0x7fffffff, 0, 0x7fffffff],
  ])("difference32(%d, %d) = %d", (a, b, expected) => expect(difference32(a, b)).toBe(expected));

  test.each([
    [0, 127, 7, 1],
    [127, 0, 7, -1],
    [0, 32_767, 15, 1],
    [0, 255, 8, 1],
  ])("differenceBits(%d, %d, %d) = %d", (a, b, bits, expected) => expect(differenceBits(a, b, bits)).toBe(expected));

  test.each([
    [1, 65_535, 65_537],
    [65_535, 65_536, 65_535],
    [0, 131_071, 131_072],
    [10, 4_294_967_296 + 65_530, 4_294_967_296 + 65_546],
  ])("unwrap16(%d, %d) = %d", (sequence, reference, expected) => expect(unwrap16(sequence, reference)).toBe(expected));

  test.each([
    [5, 4_294_967_295, 4_294_967_301],
    [4_294_967_295, 4_294_967_296, 4_294_967_295],
  ])("unwrap32(%d, %d) = %d", (timestamp, reference, expected) =>
    expect(unwrap32(timestamp, reference)).toBe(expected),
  );

  test("bytes are big-endian both ways", () => {
    const bytes = new Uint8Array(4);
    write32(bytes, 0, 0xfedcba98);
    expect([read32(bytes, 0), read24(bytes, 1), read16(bytes, 2)]).toEqual([0xfedcba98, 0xdcba98, 0xba98]);
    write24(bytes, 0, 0x010203);
    write16(bytes, 2, 0x0405);
    expect([...bytes]).toEqual([1, 2, 4, 5]);
  });
});

describe("header, RFC 3550 §5.1", () => {
  test("reads what it wrote", () => {
    const bytes = new Uint8Array(40);
    writeHeader(bytes, 4, false, false, true, 111, 65_535, 0xfffffffe, 0x89abcdef);
    const packet = new RtpPacket();
    expect(parseHeader(bytes, 4, 36, packet)).toBe(true);
    expect(packet).toMatchObject({
      marker: true,
      payloadType: 111,
      sequence: 65_535,
      timestamp: 0xfffffffe,
      ssrc: 0x89abcdef,
      headerLength: 12,
      payloadOffset: 16,
      payloadLength: 24,
      extensionOffset: -1,
    });
  });

  test.each([
    ["too short", "80 6f 00 01 00 00 00 02 00 00 00", false],
    ["version 1", "40 6f 00 01 00 00 00 02 00 00 00 03", false],
    ["CSRCs beyond the end", "82 6f 00 01 00 00 00 02 00 00 00 03 00 00 00 04", false],
    ["one CSRC", "81 6f 00 01 00 00 00 02 00 00 00 03 00 00 00 04", true],
    ["extension header beyond the end", "90 6f 00 01 00 00 00 02 00 00 00 03 be de", false],
    ["extension beyond the end", "90 6f 00 01 00 00 00 02 00 00 00 03 be de 00 01", false],
    ["empty extension", "90 6f 00 01 00 00 00 02 00 00 00 03 be de 00 00", true],
  ])("%s", (_name, hex, good) => {
    const bytes = bytesOf(hex);
    expect(parseHeader(bytes, 0, bytes.length, new RtpPacket())).toBe(good);
  });

  test.each([
    ["no P bit", "80", "01 02 03", true, 3],
    ["all but one byte", "a0", "01 02 02", true, 1],
    ["everything", "a0", "00 00 03", true, 0],
    ["zero", "a0", "01 02 00", false, 0],
    ["more than there is", "a0", "01 02 04", false, 0],
  ])("padding: %s", (_name, first, hex, good, length) => {
    const bytes = bytesOf(`${first} 6f 00 01 00 00 00 02 00 00 00 03 ${hex}`);
    const packet = new RtpPacket();
    parseHeader(bytes, 0, bytes.length, packet);
    expect(parsePadding(bytes, bytes.length - 12, packet)).toBe(good);
    if (good) expect(packet.payloadLength).toBe(length);
  });

  test("RTCP is told by its type, RFC 5761 §4", () => {
    expect([191, 192, 200, 223, 224].map((type) => isRtcp(Uint8Array.of(0x80, type), 0))).toEqual([
      false,
      true,
      true,
      true,
      false,
    ]);
  });
});

describe("extensions, RFC 8285", () => {
  const kinds = new Uint8Array(256);
  kinds[1] = Extension.audioLevel;
  kinds[5] = Extension.transportSequence;
  kinds[13] = Extension.videoOrientation;
  kinds[200] = Extension.dependencyDescriptor;

  const read = (profile: number, body: string): RtpPacket => {
    const bytes = bytesOf(body);
    const packet = new RtpPacket();
    packet.extensionOffset = 0;
    packet.extensionLength = bytes.length;
    packet.extensionProfile = profile;
    parseExtensions(bytes, kinds, packet);
    return packet;
  };

  test.each([
    ["one byte", 0xbede, "10 9e 51 12 34 00 00 00", { audioLevel: 30, voice: true, transportSequence: 0x1234 }],
    ["padding between", 0xbede, "00 10 1e 00 00 d0 05 00", { audioLevel: 30, voice: false, videoOrientation: 5 }],
    ["id 15 ends it", 0xbede, "f0 00 10 1e", { audioLevel: -1 }],
    ["a length beyond the end", 0xbede, "10 1e 5f 12", { audioLevel: 30, transportSequence: -1 }],
    ["two bytes", 0x1000, "05 02 12 34 01 01 7f 00", { audioLevel: 127, transportSequence: 0x1234 }],
    ["two bytes, other app bits", 0x100f, "c8 03 aa bb cc 00 00 00", { descriptorOffset: 2, descriptorLength: 3 }],
    ["two bytes, empty value", 0x1000, "01 00 05 02 00 07 00 00", { audioLevel: -1, transportSequence: 7 }],
    ["another profile", 0x1234, "10 1e 00 00", { audioLevel: -1 }],
  ])("%s", (_name, profile, body, expected) => expect(read(profile, body)).toMatchObject(expected));

  test("what is written is read again, in both forms", () => {
    for (const twoByte of [false, true]) {
      const bytes = new Uint8Array(64);
      const writer = new ExtensionWriter();
      writer.begin(12, twoByte);
      write16(bytes, writer.element(bytes, 5, 2), 0xbeef);
      bytes[writer.element(bytes, 1, 1)] = 0x80 | 12;
      const length = writer.end(bytes);
      writeHeader(bytes, 0, false, true, false, 100, 1, 2, 3);
      const packet = new RtpPacket();
      expect(parseHeader(bytes, 0, 12 + length, packet)).toBe(true);
      expect(packet.payloadLength).toBe(0);
      parseExtensions(bytes, kinds, packet);
      expect(packet).toMatchObject({ transportSequence: 0xbeef, audioLevel: 12, voice: true });
    }
  });

  test("a block without elements is no block; only some elements fit one byte", () => {
    const writer = new ExtensionWriter();
    writer.begin(12, false);
    expect(writer.end(new Uint8Array(32))).toBe(0);
    expect([fitsOneByte(14, 16), fitsOneByte(15, 1), fitsOneByte(1, 17), fitsOneByte(1, 0)]).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });
});

describe("RTX, RFC 4588", () => {
  test("gives the original back in place", () => {
    const bytes = bytesOf("90 e0 00 4d 00 00 00 07 00 00 04 57 be de 00 01 51 00 09 00 01 02 aa bb cc");
    const packet = new RtpPacket();
    parseHeader(bytes, 0, bytes.length, packet);
    expect(unwrapRtx(bytes, packet, 0x65, 100)).toBe(true);
    const again = new RtpPacket();
    expect(parseHeader(bytes, packet.offset, bytes.length - packet.offset, again)).toBe(true);
    expect(again).toMatchObject({
      marker: true,
      payloadType: 100,
      sequence: 0x0102,
      ssrc: 0x65,
      timestamp: 7,
      payloadLength: 3,
    });
    expect(again.payloadOffset).toBe(packet.payloadOffset);
  });

  test("an empty one is a probe", () => {
    const { bytes, packet } = payload("01 02");
    expect(unwrapRtx(bytes, packet, 1, 100)).toBe(false);
  });
});

describe("VP8 descriptor, RFC 7741", () => {
  test.each([
    [
      "no extension, start of a key frame",
      "10 00 00 00 9d 01 2a 40 01 b4 00",
      { frameStart: true, keyFrame: true, pictureId: -1, width: 320, height: 180 },
    ],
    ["no extension, later partition", "01 00", { frameStart: false, keyFrame: false }],
    [
      "15-bit picture id, TL0PICIDX, T2 with Y",
      "90 e0 ff fe 7f a0 01",
      {
        pictureId: 0x7ffe,
        pictureIdBits: 15,
        temporalZeroIndex: 0x7f,
        temporalLayer: 2,
        layerSync: true,
        keyFrame: false,
      },
    ],
    ["7-bit picture id", "90 80 7f 01", { pictureId: 0x7f, pictureIdBits: 7, temporalZeroIndex: -1 }],
    ["K without T: no layer", "90 10 ff 01", { temporalLayer: 0, layerSync: false }],
    ["N bit", "20 01", { notReference: true }],
  ])("%s", (_name, hex, expected) => {
    const { bytes, packet } = payload(hex);
    expect(parseVp8(bytes, packet)).toBe(true);
    expect(packet).toMatchObject(expected);
  });

  test.each([[""], ["90"], ["90 80"], ["90 80 ff"], ["90 e0 ff fe"], ["90 e0 ff fe 01"], ["90 e0 ff fe 01 00"]])(
    "too short: %p",
    (hex) => {
      const { bytes, packet } = payload(hex);
      expect(parseVp8(bytes, packet)).toBe(false);
    },
  );

  test("rewriting keeps the widths and wraps inside them", () => {
    const wide = payload("90 e0 80 01 02 00 01");
    parseVp8(wide.bytes, wide.packet);
    rewriteVp8(wide.bytes, wide.packet, 0x8000 + 5, 256 + 7);
    expect([...wide.bytes.subarray(2, 5)]).toEqual([0x80, 5, 7]);
    const narrow = payload("90 80 01 01");
    parseVp8(narrow.bytes, narrow.packet);
    rewriteVp8(narrow.bytes, narrow.packet, 128 + 3, 9);
    expect(narrow.bytes[2]).toBe(3);
  });
});

describe("VP9 descriptor, RFC 9628", () => {
  test.each([
    [
      "key picture, base layer, structure with sizes",
      "aa 81 23 00 05 38 00 a0 00 5a 01 40 00 b4 00",
      {
        pictureId: 0x123,
        keyFrame: true,
        frameStart: true,
        spatialLayer: 0,
        temporalZeroIndex: 5,
        spatialLayers: 2,
        height: 90,
      },
    ],
    [
      "inter picture, upper layer, K-SVC",
      "e4 01 84 09 00",
      { interPicture: true, spatialLayer: 2, temporalLayer: 4, interLayer: false, frameEnd: true, keyFrame: false },
    ],
    [
      "flexible mode with two references",
      "f8 81 23 15 03 02 00",
      { interPicture: true, layerSync: true, interLayer: true, spatialLayer: 2, temporalZeroIndex: -1 },
    ],
    ["no layers", "88 7f 00", { pictureId: 0x7f, pictureIdBits: 7, keyFrame: true }],
  ])("%s", (_name, hex, expected) => {
    const { bytes, packet } = payload(hex);
    expect(parseVp9(bytes, packet)).toBe(true);
    expect(packet).toMatchObject(expected);
  });

  test.each([[""], ["80"], ["80 81"], ["20"], ["20 00"], ["d0 01 01 01 01 01"], ["02"], ["0a 38 00 a0"]])(
    "malformed: %p",
    (hex) => {
      const { bytes, packet } = payload(hex);
      expect(parseVp9(bytes, packet)).toBe(false);
    },
  );

  test("all heights of a structure, and rewriting", () => {
    const { bytes, packet } = payload("aa 81 23 00 05 38 00 a0 00 5a 01 40 00 b4 00");
    parseVp9(bytes, packet);
    expect([0, 1, 2].map((spatial) => structureHeight(bytes, packet, spatial))).toEqual([90, 180, 0]);
    rewriteVp9(bytes, packet, 0x7fff, 255);
    expect([...bytes.subarray(1, 5)]).toEqual([0xff, 0xff, 0, 255]);
  });
});

describe("H.264, RFC 6184", () => {
  // 640 × 360, baseline: 40 × 23 macroblocks, cropped by 8 lines.
  const sps = "42 c0 1e d9 00 a0 2f f9 61 00 00 03 00 01 00 00 03 00 3c 0f 16 2e 48";

  test.each([
    ["IDR slice", "65 88 80", { keyFrame: true, frameStart: true }],
    ["IDR, not its first slice", "65 08 80", { keyFrame: true, frameStart: false }],
    ["slice", "41 9a 80", { keyFrame: false, frameStart: true }],
    ["SPS, PPS and IDR in one", "78 00 02 67 42 00 02 68 ce 00 02 65 88", { keyFrame: true, frameStart: true }],
    ["FU-A, start of an IDR", "7c 85 88", { keyFrame: true, frameStart: true }],
    ["FU-A, middle of an IDR", "7c 05 88", { keyFrame: false, frameStart: false }],
  ])("%s", (_name, hex, expected) => {
    const { bytes, packet } = payload(hex);
    expect(parseH264(bytes, packet)).toBe(true);
    expect(packet).toMatchObject(expected);
  });

  test.each([[""], ["78 00 05 67 42"], ["78 00 00"], ["7c"]])("malformed: %p", (hex) => {
    const { bytes, packet } = payload(hex);
    expect(parseH264(bytes, packet)).toBe(false);
  });

  test("the height stands in the SPS", () => {
    const bytes = bytesOf(sps);
    expect(spsHeight(bytes, 0, bytes.length)).toBe(360);
    expect(spsHeight(bytes, 0, 4)).toBe(0);
  });
});

test("AV1 without a descriptor: N begins a sequence and may not continue a unit", () => {
  const first = payload("18 0a");
  expect(parseAv1(first.bytes, first.packet)).toBe(true);
  expect(first.packet.keyFrame).toBe(true);
  const middle = payload("90 0a");
  expect(parseAv1(middle.bytes, middle.packet)).toBe(true);
  expect(middle.packet.keyFrame).toBe(false);
  const wrong = payload("88 0a");
  expect(parseAv1(wrong.bytes, wrong.packet)).toBe(false);
});

describe("bits", () => {
  test("ns(5) has two and three bits, AV1 §4.10.7", () => {
    const reader = new BitReader();
    // 0 → 00, 1 → 01, 2 → 10, 3 → 110, 4 → 111
    reader.begin(Uint8Array.of(0b00011011, 0b01110000), 0, 2);
    expect([0, 1, 2, 3, 4].map(() => reader.nonSymmetric(5))).toEqual([0, 1, 2, 3, 4]);
    expect(reader.overrun).toBe(false);
  });

  test("ue and se, H.264 §9.1", () => {
    const reader = new BitReader();
    // 1 010 011 00100 00101
    reader.begin(Uint8Array.of(0b10100110, 0b01000010, 0b10000000), 0, 3);
    expect([
      reader.exponential(),
      reader.exponential(),
      reader.exponential(),
      reader.exponential(),
      reader.signedExponential(),
    ]).toEqual([0, 1, 2, 3, -2]);
  });

  test("past the end there are zeros and a note", () => {
    const reader = new BitReader();
    reader.begin(Uint8Array.of(0xff), 0, 1);
    expect(reader.bits(9)).toBe(0x1fe);
    expect(reader.overrun).toBe(true);
    reader.begin(new Uint8Array(8), 0, 8);
    expect(reader.exponential()).toBe(0);
    expect(reader.overrun).toBe(true);
  });
});

describe("properties of every parser", () => {
  const seed = Number(process.env["SEED"] ?? 20_261_121);

  test(`random bytes: nothing throws, nothing is read past the end (seed ${seed})`, () => {
    const random = seededRandom(seed);
    const kinds = Uint8Array.from({ length: 256 }, (_, id) => id % 5);
    // Beyond the packet lies a pattern: two runs over different patterns must agree.
    const structure = [new DependencyStructure(), new DependencyStructure()] as const;
    for (let round = 0; round < 20_000; round++) {
      const length = Math.floor(random() * 80);
      const content = Uint8Array.from({ length }, () => (random() < 0.3 ? 0xff : Math.floor(random() * 256)));
      if (length > 0 && round % 2 === 0) content[0] = 0x80 | ((content[0] as number) & 0x3f);
      const seen = [0x00, 0xff].map((beyond, run) => {
        const bytes = new Uint8Array(length + 64).fill(beyond);
        bytes.set(content);
        const packet = new RtpPacket();
        const results: unknown[] = [parseHeader(bytes, 0, length, packet)];
        if (results[0] === true) {
          parseExtensions(bytes, kinds, packet);
          results.push(packet.audioLevel, packet.transportSequence, packet.descriptorLength);
          results.push(parsePadding(bytes, packet.payloadLength, packet), packet.payloadLength);
          if (packet.descriptorOffset >= 0)
            results.push(parseDescriptor(bytes, packet, structure[run] as DependencyStructure));
        }
        for (const parse of [parseVp8, parseVp9, parseH264, parseAv1]) {
          packet.payloadOffset = 0;
          packet.payloadLength = length;
          results.push(parse(bytes, packet), packet.keyFrame, packet.pictureId, packet.spatialLayer, packet.height);
        }
        packet.descriptorOffset = 0;
        packet.descriptorLength = length;
        results.push(
          parseDescriptor(bytes, packet, structure[run] as DependencyStructure),
          packet.spatialLayer,
          packet.frameNumber,
        );
        return results;
      });
      expect(seen[0]).toEqual(seen[1] as unknown[]);
    }
  });
});
