import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../simulated-network.ts";
import type { CodecName, MediaCommand } from "../media-commands.ts";
import { RtcpType } from "../rtcp/compound.ts";
import { read16, write16, write32 } from "../rtp/bytes.ts";
import { checkIntegrity, parseStun, writeStun } from "../transport/stun.ts";
import { AUDIO_TYPE, payloadTypes, TestBed, type TestPeer, VIDEO_TYPE } from "./test-bed.ts";

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));

/** Two peers; the first sends video of a codec in `encodings` encodings with SSRCs 101, 102 … */
function pair(codec: CodecName, encodings = 1): { bed: TestBed; a: TestPeer; b: TestPeer } {
  const bed = new TestBed();
  const [a, b] = [bed.peer(), bed.peer()];
  const types = payloadTypes(codec);
  const video = {
    source: 1,
    name: "v",
    kind: "video",
    encodings: Array.from({ length: encodings }, (_, index) => ({ ssrc: 101 + index, rtxSsrc: 0 })),
  } as const;
  bed.command(...a.join([video], types), ...b.join([], types));
  return { bed, a, b };
}

const watch = (bed: TestBed, receiver: TestPeer, layer: number): void =>
  bed.command({
    type: "video-targets",
    receiver: receiver.index,
    targets: [{ source: 1, layer, ssrc: 101, rtxSsrc: 0 }],
  });

const packet = (sequence: number, frame: number, payload: Uint8Array, more: object = {}) => ({
  ssrc: 101,
  sequence,
  timestamp: frame * 3000,
  payload,
  ...more,
});

describe("H.264 simulcast", () => {
  const key = bytesOf("78 00 02 67 42 00 02 68 ce 00 02 65 88");
  const delta = bytesOf("41 9a 80 00");

  test("one encoding at a time, changed at a key frame only", () => {
    const { bed, a, b } = pair("h264", 2);
    watch(bed, b, 0x07);
    a.send(packet(1, 1, delta));
    expect(b.got.length).toBe(0);
    a.send(packet(2, 2, key));
    a.send({ ...packet(70, 2, key), ssrc: 102 });
    a.send(packet(3, 3, delta));
    watch(bed, b, 0x47);
    a.send({ ...packet(71, 4, delta), ssrc: 102 });
    a.send(packet(4, 4, delta));
    a.send({ ...packet(72, 5, key), ssrc: 102 });
    a.send(packet(5, 5, delta));
    a.send({ ...packet(73, 6, delta), ssrc: 102 });
    const first = b.got[0]?.sequence ?? 0;
    expect(b.got.map(({ sequence }) => sequence - first)).toEqual([0, 1, 2, 3, 4]);
    expect(b.got.map(({ payload }) => payload[0])).toEqual([0x78, 0x41, 0x41, 0x78, 0x41]);
    expect(b.got.every(({ ssrc }) => ssrc === 101)).toBe(true);
  });

  test("a stalled encoding gives way to one below it", () => {
    const { bed, a, b } = pair("h264", 2);
    watch(bed, b, 0x47);
    a.send({ ...packet(1, 1, key), ssrc: 102 });
    for (let frame = 2; frame < 20; frame++) a.send(packet(frame, frame, delta));
    expect(b.got.length).toBe(1);
    a.send(packet(20, 20, key));
    a.send(packet(21, 21, delta));
    expect(b.got.length).toBe(3);
  });
});

describe("VP9", () => {
  /** Descriptor with picture id, layer and TL0PICIDX, K-SVC of two spatial layers. */
  const layer = (number: number, spatial: number, isKey: boolean): Uint8Array =>
    Uint8Array.of(
      0x80 | 0x20 | 0x08 | 0x04 | (isKey ? 0 : 0x40) | (!isKey || spatial === 1 ? 1 : 0),
      0x80 | (number >> 8),
      number & 255,
      (spatial << 1) | (isKey && spatial > 0 ? 1 : 0),
      number & 255,
      1,
      2,
      3,
    );

  test("K-SVC: the chosen layer alone between key pictures, its last packet marked", () => {
    const { bed, a, b } = pair("vp9");
    watch(bed, b, 0x07); // spatial 0
    let sequence = 65_530;
    const picture = (number: number, isKey: boolean): void => {
      for (const spatial of [0, 1])
        a.send(packet(sequence++ & 0xffff, number, layer(number, spatial, isKey), { marker: spatial === 1 }));
    };
    picture(10, true);
    picture(11, false);
    watch(bed, b, 0x0f); // spatial 1: a key picture is asked for
    expect(a.gotRtcp.filter(({ type }) => type === RtcpType.payloadFeedback).length).toBeGreaterThan(0);
    picture(12, false);
    picture(13, true);
    picture(14, false);
    const first = b.got[0]?.sequence ?? 0;
    expect(b.got.map(({ sequence: number }) => (number - first) & 0xffff)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(b.got.map(({ payload }) => [read16(payload, 1) & 0x7fff, ((payload[3] as number) >> 1) & 7])).toEqual([
      [10, 0],
      [11, 0],
      [12, 0],
      [13, 0],
      [13, 1],
      [14, 1],
    ]);
    expect(b.got.map(({ marker }) => marker)).toEqual([true, true, true, false, true, true]);
    expect(b.bad).toBe(0);
  });
});

describe("AV1", () => {
  test("without a descriptor a new sequence starts it", () => {
    const { bed, a, b } = pair("av1");
    watch(bed, b, 0x07);
    a.send(packet(1, 1, bytesOf("10 0a")));
    a.send(packet(2, 2, bytesOf("18 0a")));
    a.send(packet(3, 3, bytesOf("10 0b")));
    expect(b.got.map(({ payload }) => payload[1])).toEqual([0x0a, 0x0b]);
  });

  test("a descriptor goes along, renumbered; the structure is needed to begin", () => {
    const { bed, a, b } = pair("av1");
    watch(bed, b, 0x07);
    a.send(packet(1, 1, bytesOf("10 0a"), { descriptor: bytesOf("c0 00 05") }));
    expect(b.got.length).toBe(0);
    // One layer, one target: structure bit, offset 0, one target, template 0 then end, indication switch, no differences, no chains, no sizes.
    a.send(packet(2, 2, bytesOf("18 0a"), { descriptor: bytesOf("c0 00 06 80 00 e0 00") }));
    a.send(packet(3, 3, bytesOf("10 0b"), { descriptor: bytesOf("c0 00 07") }));
    expect(b.got.map(({ descriptor }) => (descriptor === undefined ? -1 : read16(descriptor, 1)))).toEqual([6, 7]);
    expect(b.got.map(({ marker }) => marker)).toEqual([true, true]);
  });
});

test("RED is stripped for a receiver that does not know it", () => {
  const bed = new TestBed();
  const [a, b, c] = [bed.peer(), bed.peer(), bed.peer()];
  const red = {
    payloadType: 112,
    kind: "audio",
    codec: "red",
    clockRate: 48_000,
    nack: false,
    pli: false,
    fir: false,
    transportCc: true,
  } as const;
  const microphone = { source: 0, name: "a", kind: "audio", encodings: [{ ssrc: 11, rtxSsrc: 0 }] } as const;
  bed.command(
    ...a.join([microphone], [...payloadTypes(), red]),
    ...b.join([]),
    ...c.join([], [...payloadTypes(), red]),
  );
  // One redundant block of three bytes, 20 ms back; then the primary.
  const payload = bytesOf("ef 0f 00 03 6f 01 02 03 aa bb");
  a.send({ ssrc: 11, sequence: 1, timestamp: 960, payload, payloadType: 112, audioLevel: 30 });
  a.send({ ssrc: 11, sequence: 2, timestamp: 1920, payload: bytesOf("ef 0f"), payloadType: 112, audioLevel: 30 });
  expect(b.got.map((got) => [got.payloadType, Buffer.from(got.payload).toString("hex")])).toEqual([
    [AUDIO_TYPE, "aabb"],
  ]);
  expect(c.got.map((got) => [got.payloadType, got.payload.length])).toEqual([
    [112, 10],
    [112, 2],
  ]);
  expect(bed.loop.state.drops.of("no-codec-at-receiver")).toBe(1);
});

test("an unknown codec is forwarded as it is, from the first packet", () => {
  const { bed, a, b } = pair("other");
  watch(bed, b, 0x07);
  a.send(packet(9, 1, bytesOf("ff ff")));
  expect(b.got.length).toBe(1);
});

test("a source whose SSRCs change goes on being watched", () => {
  const { bed, a, b } = pair("other");
  watch(bed, b, 0x07);
  a.send(packet(1, 1, bytesOf("01")));
  bed.command({
    type: "sources",
    endpoint: a.index,
    sources: [{ source: 1, name: "v", kind: "video", encodings: [{ ssrc: 555, rtxSsrc: 0 }] }],
  });
  a.send({ ...packet(1, 1, bytesOf("02")), ssrc: 555 });
  expect(b.got.map(({ ssrc, payload }) => [ssrc, payload[0]])).toEqual([
    [101, 1],
    [101, 2],
  ]);
  expect((b.got[1]?.sequence ?? 0) - (b.got[0]?.sequence ?? 0)).toBe(1);
});

describe("consent checks", () => {
  const password = "a password of 22 chars";
  const request = (fields: object, key = password): Uint8Array =>
    writeStun(
      {
        class: "request",
        transaction: "0102030405060708090a0b0c",
        username: "us:them",
        controlled: "0011223344556677",
        priority: 1,
        ...fields,
      },
      key,
    );

  function checked(): { bed: TestBed; a: TestPeer; answers: Uint8Array[] } {
    const bed = new TestBed();
    const a = bed.peer();
    bed.command(...a.join([]), {
      type: "ice-credentials",
      endpoint: 0,
      localUfrag: "us",
      localPwd: password,
      remoteUfrag: "them",
    });
    bed.advance(20);
    const answers: Uint8Array[] = [];
    bed.carry = (_peer, datagram) => void answers.push(datagram);
    return { bed, a, answers };
  }

  test("are answered here", () => {
    const { bed, a, answers } = checked();
    bed.deliver(a, request({}));
    expect(answers.length).toBe(1);
    const answer = answers[0] as Uint8Array;
    const message = parseStun(answer);
    expect(message).toMatchObject({
      class: "success",
      transaction: "0102030405060708090a0b0c",
      mappedAddress: { address: a.path.address, port: a.path.port },
      fingerprint: true,
    });
    expect(message !== undefined && checkIntegrity(answer, message, password)).toBe(true);
    expect(bed.eventsOf("datagram")).toEqual([]);
  });

  test.each([
    ["another user", { username: "us:others" }],
    ["our own role", { controlled: undefined, controlling: "0011223344556677" }],
  ])("%s goes up", (_name, fields) => {
    const { bed, a, answers } = checked();
    bed.deliver(a, request(fields));
    expect(answers.length).toBe(0);
    expect(bed.eventsOf("datagram").length).toBe(1);
  });

  test("a nomination of another path goes up, of the selected one is answered", () => {
    const { bed, a, answers } = checked();
    const other = { path: { socket: 0, address: "192.0.2.77", port: 9 } };
    bed.command({ type: "accept-address", endpoint: 0, path: other.path });
    bed.deliver(other, request({ useCandidate: true }));
    expect([answers.length, bed.eventsOf("datagram").length]).toEqual([0, 1]);
    bed.deliver(a, request({ useCandidate: true }));
    expect(answers.length).toBe(1);
  });

  test("a wrong password is silence, a flood is bounded until the next tick", () => {
    const { bed, a, answers } = checked();
    bed.deliver(a, request({}, "another password here"));
    expect([answers.length, bed.loop.state.drops.of("stun-invalid")]).toEqual([0, 1]);
    for (let turn = 0; turn < 50; turn++) bed.deliver(a, request({}));
    expect(answers.length).toBeLessThan(9);
    bed.advance(600);
    bed.deliver(a, request({}));
    expect(answers.length).toBeLessThan(10);
    expect(bed.eventsOf("datagram")).toEqual([]);
  });
});

describe("hostile input", () => {
  const seed = Number(process.env["SEED"] ?? 1121);

  test(`authenticated rubbish of every codec and of RTCP: nothing throws (seed ${seed})`, () => {
    const random = seededRandom(seed);
    for (const codec of ["vp8", "vp9", "av1", "h264", "other"] as const) {
      const { bed, a, b } = pair(codec, 2);
      watch(bed, b, 0x47);
      const sequences = [0, 0];
      for (let round = 0; round < 600; round++) {
        const rubbish = Uint8Array.from({ length: Math.floor(random() * 60) }, () => Math.floor(random() * 256));
        // Mostly on, sometimes far ahead; the peer's own SRTP refuses what lies far behind.
        const encoding = Math.floor(random() * 2);
        const sequence =
          ((sequences[encoding] as number) + (random() < 0.01 ? 20_000 : Math.floor(random() * 4))) & 0xffff;
        if (random() < 0.7) {
          sequences[encoding] = sequence;
          a.send({
            ssrc: 101 + encoding,
            sequence,
            timestamp: Math.floor(random() * 2 ** 32),
            payload: rubbish,
            marker: random() < 0.5,
            ...(random() < 0.3 ? { descriptor: rubbish.slice(0, 20) } : {}),
            ...(random() < 0.2 ? { padding: 1 + Math.floor(random() * 30) } : {}),
          });
        } else {
          // A compound of one packet with a plausible type and rubbish behind it, about SSRCs that exist.
          const compound = new Uint8Array(8 + ((rubbish.length + 3) & ~3));
          compound.set(rubbish, 8);
          compound[0] = 0x80 | Math.floor(random() * 32);
          compound[1] = 200 + Math.floor(random() * 8);
          write16(compound, 2, compound.length / 4 - 1);
          write32(compound, 4, 99);
          if (compound.length >= 12) write32(compound, 8, 101);
          (random() < 0.5 ? a : b).sendRtcp(compound);
        }
        bed.advance(random() * 30);
      }
      expect(b.bad).toBe(0);
    }
  });

  test(`commands in any order, about anything: nothing throws, bounds hold (seed ${seed})`, () => {
    const random = seededRandom(seed + 1);
    const pick = (limit: number): number => Math.floor(random() * limit);
    const bed = new TestBed();
    const peers = Array.from({ length: 4 }, () => bed.peer());
    const path = (): { socket: number; address: string; port: number } =>
      [
        { socket: 0, address: "192.0.2.1", port: 20_000 + pick(6) },
        { socket: 7, address: "::1", port: 1 },
        { socket: 0, address: "nonsense", port: 2 },
      ][pick(3)] as { socket: number; address: string; port: number };
    const some = (): MediaCommand[] => {
      const endpoint = pick(6);
      const source = pick(8);
      switch (pick(16)) {
        case 0:
          return (peers[pick(4)] as TestPeer).join([
            { source: pick(8), name: "a", kind: "audio", encodings: [{ ssrc: pick(20), rtxSsrc: 0 }] },
            { source: pick(8), name: "v", kind: "video", encodings: [{ ssrc: pick(20), rtxSsrc: pick(20) }] },
          ]);
        case 1:
          return [{ type: "remove-endpoint", endpoint }];
        case 2:
          return [{ type: "accept-address", endpoint, path: path() }];
        case 3:
          return [{ type: "forget-address", endpoint, path: path() }];
        case 4:
          return [{ type: "select-path", endpoint, path: path() }];
        case 5:
          return [
            {
              type: "sources",
              endpoint,
              sources: [{ source, name: "x", kind: pick(2) === 0 ? "audio" : "video", encodings: [] }],
            },
          ];
        case 6:
          return [{ type: "force-mute", endpoint, audio: pick(2) === 0, video: pick(2) === 0 }];
        case 7:
        case 8:
          return [
            {
              type: "video-targets",
              receiver: endpoint,
              targets: [{ source, layer: pick(200) - 1, ssrc: pick(20), rtxSsrc: pick(20) }],
            },
          ];
        case 9:
          return [{ type: "audio-subscription", receiver: endpoint, all: pick(2) === 0, sources: [source] }];
        case 10:
          return [{ type: "audio-ssrc", receiver: endpoint, source, ssrc: pick(5) }];
        case 11:
          return [{ type: "table", endpoint, table: pick(3) }];
        case 12:
          return [{ type: "request-key-frame", source }];
        case 13:
          return [{ type: "send", path: path(), bytes: new Uint8Array(pick(2000)) }];
        case 14:
          return [{ type: "add-endpoint", endpoint: pick(3000) - 1000, conference: pick(3) }];
        default:
          return [{ type: "dominant-speaker", conference: pick(3), endpoint }, { type: "report" }];
      }
    };
    for (let round = 0; round < 1500; round++) {
      bed.command(...some());
      const peer = peers[pick(4)] as TestPeer;
      const ssrc = pick(20);
      peer.send({
        ssrc,
        sequence: round & 0xffff,
        timestamp: round * 960,
        payload: bytesOf("10 00"),
        ...(pick(2) === 0 ? { audioLevel: pick(128) } : { payloadType: VIDEO_TYPE }),
      });
      bed.advance(pick(15));
    }
    bed.command({ type: "remove-conference", conference: 1 });
    expect(bed.loop.state.endpoints.every((endpoint) => endpoint === undefined)).toBe(true);
    expect(bed.loop.state.sources.every((source) => source === undefined)).toBe(true);
    expect(bed.loop.state.endpointCount).toBe(0);
  });
});
