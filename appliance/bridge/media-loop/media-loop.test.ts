import { describe, expect, test } from "bun:test";
import { RtcpType } from "../rtcp/compound.ts";
import { SenderReport, writeSenderReport } from "../rtcp/reports.ts";
import { read16, read32, write16, write32 } from "../rtp/bytes.ts";
import { AUDIO_TYPE, RTX_TYPE, TestBed, type TestPeer, VIDEO_TYPE, vp8Payload } from "./test-bed.ts";

const microphone = (source: number, ssrc: number) =>
  ({ source, name: `s${source}`, kind: "audio", encodings: [{ ssrc, rtxSsrc: 0 }] }) as const;
const camera = (source: number, ...ssrcs: number[]) =>
  ({
    source,
    name: `v${source}`,
    kind: "video",
    encodings: ssrcs.map((ssrc) => ({ ssrc, rtxSsrc: ssrc + 1000 })),
  }) as const;

/** Three peers; the first has a microphone (source 0) and a camera of three encodings (source 1). */
function meeting(loudest = 0): { bed: TestBed; a: TestPeer; b: TestPeer; c: TestPeer } {
  const bed = new TestBed(loudest);
  const [a, b, c] = [bed.peer(), bed.peer(), bed.peer()];
  bed.command(...a.join([microphone(0, 11), camera(1, 101, 102, 103)]));
  bed.command(...b.join([microphone(2, 12)]));
  bed.command(...c.join([microphone(3, 13)]));
  return { bed, a, b, c };
}

const watch = (bed: TestBed, receiver: TestPeer, layer: number) =>
  bed.command({
    type: "video-targets",
    receiver: receiver.index,
    targets: [{ source: 1, layer, ssrc: 101, rtxSsrc: 1101 }],
  });

const audio = (sequence: number, audioLevel = 30, ssrc = 11) => ({
  ssrc,
  sequence,
  timestamp: sequence * 960,
  payload: Uint8Array.of(1, 2, 3, sequence & 255),
  audioLevel,
});

/** Sends one VP8 frame of one packet on an encoding. */
const frame = (
  peer: TestPeer,
  encoding: number,
  number: number,
  options: { key?: boolean; temporal?: number; sync?: boolean; sequence?: number } = {},
) =>
  peer.send({
    ssrc: 101 + encoding,
    sequence: options.sequence ?? number,
    timestamp: 50_000 * (encoding + 1) + number * 3000,
    marker: true,
    transportSequence: number,
    payload: vp8Payload({ pictureId: number, zeroIndex: number & 255, ...options }),
  });

/** A first packet near silence from each: the level that their speech is measured from. */
const hush = (bed: TestBed, ...peers: TestPeer[]): void => {
  for (const peer of peers) peer.send({ ...audio(65_535, 126, 11 + peer.index), timestamp: 0 });
  for (const peer of peers) peer.got.length = 0;
  bed.nowMs += 1000;
};

const pictureId = (payload: Uint8Array): number => read16(payload, 2) & 0x7fff;

describe("audio", () => {
  test("goes to everybody but the speaker, renumbered without a gap, level kept", () => {
    const { bed, a, b, c } = meeting();
    for (let sequence = 65_530; sequence < 65_545; sequence++) a.send(audio(sequence & 0xffff));
    expect(bed.loop.state.drops.record()).toEqual({});
    expect(a.got).toEqual([]);
    for (const peer of [b, c]) {
      expect(peer.got.map(({ payload }) => payload[3])).toEqual(
        Array.from({ length: 15 }, (_, i) => (65_530 + i) & 255),
      );
      const first = peer.got[0]?.sequence ?? -1;
      expect(peer.got.map(({ sequence }) => (sequence - first) & 0xffff)).toEqual(
        Array.from({ length: 15 }, (_, i) => i),
      );
      expect(
        peer.got.every(
          ({ ssrc, payloadType, audioLevel }) => ssrc === 11 && payloadType === AUDIO_TYPE && audioLevel === 30,
        ),
      ).toBe(true);
      expect(peer.got.every(({ transportSequence }) => transportSequence === -1)).toBe(true);
      expect(peer.bad).toBe(0);
    }
  });

  test("silence beyond three packets is dropped and leaves no gap", () => {
    const { bed, a, b } = meeting();
    for (let sequence = 100; sequence < 120; sequence++) a.send(audio(sequence, sequence < 110 ? 127 : 20));
    expect(b.got.map(({ payload }) => payload[3])).toEqual([
      100, 101, 102, 110, 111, 112, 113, 114, 115, 116, 117, 118, 119,
    ]);
    const first = b.got[0]?.sequence ?? 0;
    expect(b.got.map(({ sequence }) => sequence - first)).toEqual(Array.from({ length: 13 }, (_, i) => i));
    expect(bed.loop.state.drops.of("silence")).toBe(7);
  });

  test("only the loudest pass, and the dominant speaker always", () => {
    const { bed, a, b, c } = meeting(1);
    hush(bed, a, b, c);
    for (let turn = 0; turn < 30; turn++) {
      a.send(audio(turn, 60, 11));
      b.send(audio(turn, 10, 12));
      bed.nowMs += 20;
    }
    const heard = (ssrc: number) => c.got.filter((packet) => packet.ssrc === ssrc).length;
    expect(heard(12)).toBe(30);
    expect(heard(11)).toBeLessThan(4);
    bed.command({ type: "dominant-speaker", conference: 1, endpoint: a.index });
    const before = heard(11);
    for (let turn = 30; turn < 40; turn++) a.send(audio(turn, 60, 11));
    expect(heard(11)).toBe(before + 10);
  });

  test("nobody hears their own table; others hear its loudest microphone", () => {
    const { bed, a, b, c } = meeting();
    bed.command({ type: "table", endpoint: a.index, table: 7 }, { type: "table", endpoint: b.index, table: 7 });
    hush(bed, a, b, c);
    for (let turn = 0; turn < 30; turn++) {
      a.send(audio(turn, 60, 11));
      b.send(audio(turn, 10, 12));
      c.send(audio(turn, 30, 13));
      bed.nowMs += 20;
    }
    expect(new Set(a.got.map(({ ssrc }) => ssrc))).toEqual(new Set([13]));
    expect(new Set(b.got.map(({ ssrc }) => ssrc))).toEqual(new Set([13]));
    expect(c.got.filter(({ ssrc }) => ssrc === 12).length).toBe(30);
    expect(c.got.filter(({ ssrc }) => ssrc === 11).length).toBeLessThan(4);
  });

  test("a force-muted microphone is silent whether or not it names its level", () => {
    const { bed, a, b } = meeting();
    bed.command({ type: "force-mute", endpoint: a.index, audio: true, video: false });
    a.send(audio(1));
    a.send({ ssrc: 11, sequence: 2, timestamp: 960, payload: Uint8Array.of(1), payloadType: AUDIO_TYPE });
    expect(b.got).toEqual([]);
    expect(bed.loop.state.drops.of("force-muted")).toBe(2);
    bed.command({ type: "force-mute", endpoint: a.index, audio: false, video: false });
    a.send(audio(3));
    expect(b.got.length).toBe(1);
  });

  test("subscriptions decide who is heard", () => {
    const { bed, a, b, c } = meeting();
    bed.command({ type: "audio-subscription", receiver: b.index, all: false, sources: [3] });
    bed.command({ type: "audio-subscription", receiver: c.index, all: true, sources: [0] });
    a.send(audio(1, 30, 11));
    c.send(audio(1, 30, 13));
    b.send(audio(1, 30, 12));
    expect(b.got.map(({ ssrc }) => ssrc)).toEqual([13]);
    expect(c.got.map(({ ssrc }) => ssrc)).toEqual([12]);
  });

  test("a receiver in rewriting mode hears a microphone once it has a slot, and a slot goes on when its source changes", () => {
    const bed = new TestBed();
    const [a, b, c] = [bed.peer(), bed.peer(), bed.peer()];
    bed.command(...a.join([microphone(0, 11)]), ...b.join([microphone(1, 12)]), ...c.join([], undefined, true));
    a.send(audio(5));
    expect(c.got).toEqual([]);
    expect(bed.eventsOf("audio-heard")).toEqual([{ type: "audio-heard", source: 0 }]);
    a.send(audio(6));
    expect(bed.eventsOf("audio-heard").length).toBe(1);
    bed.command({ type: "audio-ssrc", receiver: c.index, source: 0, ssrc: 0x9000 });
    a.send(audio(7));
    a.send(audio(8));
    bed.nowMs += 100;
    bed.command({ type: "audio-ssrc", receiver: c.index, source: 1, ssrc: 0x9000 });
    b.send(audio(40_000, 30, 12));
    a.send(audio(9));
    expect(c.got.map(({ ssrc }) => ssrc)).toEqual([0x9000, 0x9000, 0x9000]);
    const [first, second, third] = c.got;
    expect((second?.sequence ?? 0) - (first?.sequence ?? 0)).toBe(1);
    expect((third?.sequence ?? 0) - (second?.sequence ?? 0)).toBe(1);
    // 100 ms later: five frames of 960 ticks.
    expect(((third?.timestamp ?? 0) - (second?.timestamp ?? 0)) >>> 0).toBe(4800);
  });

  test("every level goes up, oldest first", () => {
    const { bed, a } = meeting();
    for (const level of [10, 20, 127]) a.send(audio(level, level));
    bed.advance(200);
    expect(bed.eventsOf("levels")).toEqual([{ type: "levels", levels: [{ endpoint: 0, levels: [117, 107, 0] }] }]);
  });
});

describe("VP8 simulcast", () => {
  test("nothing passes without a target; the target's key frame starts it, under the primary's SSRC", () => {
    const { bed, a, b } = meeting();
    frame(a, 0, 1, { key: true });
    expect(b.got).toEqual([]);
    watch(bed, b, 0);
    expect(a.gotRtcp.filter(({ type }) => type === RtcpType.payloadFeedback).length).toBe(1);
    frame(a, 0, 2);
    expect(b.got).toEqual([]);
    frame(a, 0, 3, { key: true });
    frame(a, 1, 3, { key: true });
    frame(a, 0, 4);
    expect(b.got.map(({ ssrc }) => ssrc)).toEqual([101, 101]);
    expect(b.got.map(({ transportSequence }) => transportSequence)).toEqual([1, 2]);
    expect(b.bad).toBe(0);
  });

  test("switching encodings goes on in number, time, picture id and TL0PICIDX", () => {
    const { bed, a, b } = meeting();
    watch(bed, b, 0x07);
    frame(a, 0, 10, { key: true });
    frame(a, 0, 11);
    bed.nowMs += 66;
    watch(bed, b, 0x87);
    frame(a, 0, 12);
    frame(a, 2, 500, { key: true });
    frame(a, 0, 13);
    bed.nowMs += 33;
    frame(a, 2, 501);
    const first = b.got[0];
    expect(b.got.length).toBe(5);
    expect(b.got.map(({ sequence }) => sequence - (first?.sequence ?? 0))).toEqual([0, 1, 2, 3, 4]);
    expect(b.got.map(({ payload }) => pictureId(payload) - 10)).toEqual([0, 1, 2, 3, 4]);
    expect(b.got.map(({ payload }) => (payload[4] as number) - 10)).toEqual([0, 1, 2, 3, 4]);
    // Frames at 33 ms; the switch is at least one frame later.
    expect(b.got.map(({ timestamp }) => timestamp - (first?.timestamp ?? 0))).toEqual([0, 3000, 6000, 9000, 12_000]);
  });

  test("timestamps of two encodings are aligned by their sender reports", () => {
    const { bed, a, b } = meeting();
    const report = (ssrc: number, ntpMs: number, rtpTimestamp: number): void => {
      const bytes = new Uint8Array(28);
      const sr = new SenderReport();
      Object.assign(sr, {
        ssrc,
        ntpSeconds: Math.floor(ntpMs / 1000),
        ntpFraction: Math.floor((ntpMs % 1000) * 4_294_967.296),
        rtpTimestamp,
      });
      writeSenderReport(bytes, 0, sr);
      a.sendRtcp(bytes);
    };
    watch(bed, b, 0x07);
    frame(a, 0, 1, { key: true }); // timestamp 53 000
    report(101, 5000, 53_000);
    report(103, 5000, 153_450); // the same instant on the third encoding's clock
    bed.nowMs += 100;
    watch(bed, b, 0x87);
    // 100 ms after that instant: 153 450 + 9000.
    a.send({
      ssrc: 103,
      sequence: 9,
      timestamp: 162_450,
      marker: true,
      payload: vp8Payload({ pictureId: 7, zeroIndex: 3, key: true }),
    });
    expect(b.got.map(({ timestamp }) => timestamp)).toEqual([53_000, 62_000]);
    // The report about the first encoding went on under the receiver's numbers.
    const reports = b.gotRtcp.filter(({ type }) => type === RtcpType.senderReport);
    expect(reports.map(({ bytes }) => [read32(bytes, 4), read32(bytes, 16)])).toEqual([[101, 53_000]]);
  });

  test("temporal layers above the target are closed up", () => {
    const { bed, a, b } = meeting();
    watch(bed, b, 0x00);
    const temporals = [0, 2, 1, 2, 0, 2, 1, 2, 0];
    temporals.forEach((temporal, index) => {
      frame(a, 0, 30 + index, { key: index === 0, temporal });
    });
    const first = b.got[0];
    expect(b.got.map(({ sequence }) => sequence - (first?.sequence ?? 0))).toEqual([0, 1, 2]);
    expect(b.got.map(({ payload }) => pictureId(payload))).toEqual([30, 31, 32]);
    expect(b.got.map(({ timestamp }) => timestamp - (first?.timestamp ?? 0))).toEqual([0, 12_000, 24_000]);
    // Up again: the next frame with the sync bit opens its layer.
    watch(bed, b, 0x02);
    frame(a, 0, 39, { temporal: 2 });
    expect(b.got.length).toBe(3);
    frame(a, 0, 40, { temporal: 1, sync: true });
    frame(a, 0, 41, { temporal: 2, sync: true });
    frame(a, 0, 42, { temporal: 0 });
    expect(b.got.length).toBe(6);
    expect(b.got.map(({ sequence }) => sequence - (first?.sequence ?? 0))).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test("a camera that comes up, or comes back, is first told of with all its temporal layers and a bitrate of more than a frame", () => {
    const { bed, a, b } = meeting();
    watch(bed, b, 0x02);
    const temporals = [0, 2, 1, 2];
    let number = 0;
    const camera = (frames: number): void => {
      for (let each = 0; each < frames; each++, number++) {
        frame(a, 0, number, { key: number === 0, temporal: temporals[number % 4] as number });
        bed.advance(33);
      }
    };
    const told = () => bed.eventsOf("layers").map(({ layers }) => layers.map(({ layer }) => layer));
    for (const pauseMs of [0, 13_000, 13_470, 13_940]) {
      bed.advance(pauseMs);
      bed.events.length = 0;
      camera(30);
      expect(told().length).toBeWithin(1, 4);
      for (const layers of told()) expect(layers).toEqual([0, 1, 2]);
      for (const { layers } of bed.eventsOf("layers")) expect(layers[2]?.frameRate).toBeWithin(25, 35);
    }
  });

  test("a receiver's key-frame requests reach the sender, merged and throttled", () => {
    const { bed, a, b, c } = meeting();
    watch(bed, b, 0x07);
    watch(bed, c, 0x07);
    frame(a, 0, 1, { key: true });
    const asked = (): number => a.gotRtcp.filter(({ type }) => type === RtcpType.payloadFeedback).length;
    const before = asked();
    const pli = new Uint8Array(12);
    pli.set([0x81, 206, 0, 2]);
    write32(pli, 4, 99);
    write32(pli, 8, 101);
    bed.nowMs += 300;
    b.sendRtcp(pli);
    c.sendRtcp(pli);
    expect(asked()).toBe(before + 1);
    for (let turn = 0; turn < 100; turn++) {
      bed.nowMs += 50;
      b.sendRtcp(pli);
    }
    // Three in ten seconds for one receiver; the first of them was counted when its target was set.
    expect(asked() - before).toBeLessThanOrEqual(4);
  });

  test("a receiver's request that gets lost is repeated by the bridge until a key frame comes, however seldom the receiver may ask", () => {
    const { bed, a, b } = meeting();
    watch(bed, b, 0x07);
    frame(a, 0, 1, { key: true });
    const asked = (): number => a.gotRtcp.filter(({ type }) => type === RtcpType.payloadFeedback).length;
    const pli = new Uint8Array(12);
    pli.set([0x81, 206, 0, 2]);
    write32(pli, 4, 99);
    write32(pli, 8, 101);
    bed.nowMs += 300;
    const before = asked();
    b.sendRtcp(pli);
    let number = 1;
    const run = (ms: number): void => {
      for (let passed = 0; passed < ms; passed += 50) {
        bed.nowMs += 50;
        frame(a, 0, ++number, {});
      }
    };
    run(450);
    expect(asked()).toBe(before + 1);
    run(100);
    expect(asked()).toBe(before + 2);
    run(1_100);
    expect(asked()).toBe(before + 3);
    frame(a, 0, ++number, { key: true });
    run(20_000);
    expect(asked()).toBe(before + 3);
    // A sender that makes none is not asked for ever.
    b.sendRtcp(pli);
    run(60_000);
    expect(asked()).toBe(before + 3 + 1 + 4);
  });
});

describe("loss", () => {
  const nack = (ssrc: number, pid: number, mask = 0): Uint8Array => {
    const bytes = new Uint8Array(16);
    bytes.set([0x81, 205, 0, 3]);
    write32(bytes, 4, 99);
    write32(bytes, 8, ssrc);
    write16(bytes, 12, pid);
    write16(bytes, 14, mask);
    return bytes;
  };

  test("a receiver's NACK is answered by RTX with the original number in front", () => {
    const { bed, a, b } = meeting();
    watch(bed, b, 0x07);
    for (let number = 1; number <= 5; number++) frame(a, 0, number, { key: number === 1 });
    const lost = b.got[2];
    bed.advance(20);
    b.sendRtcp(nack(101, lost?.sequence ?? 0, 1));
    const again = b.got.slice(5);
    expect(again.map(({ ssrc, payloadType, sequence }) => [ssrc, payloadType, sequence])).toEqual([
      [1101, RTX_TYPE, 1],
      [1101, RTX_TYPE, 2],
    ]);
    expect(read16(again[0]?.payload ?? new Uint8Array(2), 0)).toBe(lost?.sequence ?? -1);
    expect(again[0]?.payload.subarray(2)).toEqual(lost?.payload ?? new Uint8Array());
    expect(again[0]?.timestamp).toBe(lost?.timestamp ?? -1);
    expect(b.bad).toBe(0);
  });

  test("a gap is asked for at once, again after 150 ms, ten times at most; RTX fills it under the original number", () => {
    const { bed, a, b } = meeting();
    watch(bed, b, 0x07);
    frame(a, 0, 1, { key: true });
    frame(a, 0, 2);
    frame(a, 0, 5);
    const nacks = () => a.gotRtcp.filter(({ type, count }) => type === RtcpType.transportFeedback && count === 1);
    expect(nacks().map(({ bytes }) => [read32(bytes, 8), read16(bytes, 12), read16(bytes, 14)])).toEqual([[101, 3, 1]]);
    a.send({
      ssrc: 1101,
      sequence: 77,
      timestamp: 50_000 + 4 * 3000,
      payloadType: RTX_TYPE,
      marker: true,
      payload: Uint8Array.of(0, 4, ...vp8Payload({ pictureId: 4, zeroIndex: 4 })),
    });
    const first = b.got[0];
    expect(b.got.map(({ sequence }) => sequence - (first?.sequence ?? 0))).toEqual([0, 1, 4, 3]);
    expect(b.got.map(({ payload }) => pictureId(payload))).toEqual([1, 2, 5, 4]);
    bed.advance(3000);
    expect(nacks().length).toBe(10);
    expect(
      nacks()
        .slice(1)
        .every(({ bytes }) => read16(bytes, 12) === 3 && read16(bytes, 14) === 0),
    ).toBe(true);
  });

  test("a slot's mid is on every packet of it, and on nobody else's (bridge.md 1.2)", () => {
    const bed = new TestBed();
    const [a, b, c] = [bed.peer(), bed.peer(), bed.peer()];
    bed.command(...a.join([microphone(0, 11), camera(1, 101)]), ...b.join([]), ...c.join([], undefined, true));
    bed.command({ type: "audio-ssrc", receiver: c.index, source: 0, ssrc: 0x9000, mid: "a0" });
    const target = { source: 1, layer: 0x07 } as const;
    bed.command({
      type: "video-targets",
      receiver: c.index,
      targets: [{ ...target, ssrc: 0x9100, rtxSsrc: 0x9101, mid: "v12" }],
    });
    bed.command({ type: "video-targets", receiver: b.index, targets: [{ ...target, ssrc: 101, rtxSsrc: 1101 }] });
    a.send(audio(1));
    for (let number = 1; number <= 3; number++) frame(a, 0, number, { key: number === 1 });
    const lost = c.got.at(-1);
    bed.advance(20);
    c.sendRtcp(nack(0x9100, lost?.sequence ?? 0));
    expect(c.got.map(({ ssrc, mid }) => [ssrc, mid])).toEqual([
      [0x9000, "a0"],
      ...Array.from({ length: 3 }, () => [0x9100, "v12"]),
      [0x9101, "v12"],
    ]);
    expect(c.got.map(({ audioLevel }) => audioLevel)).toEqual([30, -1, -1, -1, -1]);
    expect(c.got.slice(1).every(({ transportSequence }) => transportSequence > 0)).toBe(true);
    expect(new Set(b.got.map(({ mid }) => mid))).toEqual(new Set([undefined]));
    expect([b.bad, c.bad]).toEqual([0, 0]);
  });

  test("feedback about what was never sent is counted, and who sends REMB besides", () => {
    const { bed, a, b } = meeting();
    watch(bed, b, 0x07);
    for (let number = 1; number <= 3; number++) frame(a, 0, number, { key: number === 1 });
    const feedback = (base: number, count: number): Uint8Array => {
      const packet = new Uint8Array(24);
      packet.set([0x8f, 205, 0, 5]);
      write16(packet, 12, base);
      write16(packet, 14, count);
      return packet;
    };
    const remb = new Uint8Array(24);
    remb.set([0x8f, 206, 0, 5]);
    remb.set(new TextEncoder().encode("REMB"), 12);
    const counted = (): number[] => {
      const { unmatchedFeedback, spuriousRembEndpoints } = bed.loop.statistics();
      return [unmatchedFeedback, spuriousRembEndpoints];
    };
    b.sendRtcp(feedback(1, 3));
    expect(counted()).toEqual([0, 0]);
    b.sendRtcp(feedback(1, 4));
    b.sendRtcp(feedback(900, 1));
    b.sendRtcp(remb);
    b.sendRtcp(remb);
    expect(counted()).toEqual([2, 1]);
    b.sendRtcp(feedback(1, 3).subarray(0, 16));
    expect(counted()).toEqual([2, 1]);
  });

  test("NACK floods cost a bounded number of retransmissions", () => {
    const { bed, a, b } = meeting();
    watch(bed, b, 0x07);
    for (let number = 1; number <= 300; number++) frame(a, 0, number, { key: number === 1 });
    const first = b.got[0]?.sequence ?? 0;
    bed.advance(200);
    const before = b.got.length;
    for (let turn = 0; turn < 50; turn++) b.sendRtcp(nack(101, first + turn * 3, 0xffff));
    expect(b.got.length - before).toBeLessThanOrEqual(200);
    expect(bed.loop.state.drops.of("nack-limit")).toBeGreaterThan(0);
  });
});

describe("feedback to senders", () => {
  test("receiver reports every 500 ms, transport-wide feedback within 100 ms", () => {
    const { bed, a } = meeting();
    for (let number = 1; number <= 50; number++) {
      frame(a, 0, number, { key: number === 1 });
      bed.advance(20);
    }
    const reports = a.gotRtcp.filter(({ type }) => type === RtcpType.receiverReport);
    expect(reports.length).toBe(2);
    expect(
      reports.every(({ bytes }) => read32(bytes, 4) === 0xb0b0 && read32(bytes, 8) === 101 && read32(bytes, 12) === 0),
    ).toBe(true);
    bed.advance(100);
    const feedback = a.gotRtcp.filter(({ type, count }) => type === RtcpType.transportFeedback && count === 15);
    expect(feedback.length).toBeGreaterThan(9);
    let covered = 0;
    for (const { bytes } of feedback) covered += read16(bytes, 14);
    expect(covered).toBe(50);
  });
});

describe("feedback rides along with video to whom it is for", () => {
  /** Two cameras; `far` frames of the second one come `laterMs` after the first one's. */
  const rides = (laterMs: number): { rode: number; alone: number; waitedMs: number } => {
    const bed = new TestBed();
    const [a, b] = [bed.peer(), bed.peer()];
    const camera = (source: number, ssrc: number) => ({
      source,
      name: `v${source}`,
      kind: "video" as const,
      encodings: [{ ssrc, rtxSsrc: 0 }],
    });
    bed.command(...a.join([camera(0, 101)]), ...b.join([camera(1, 201)]));
    bed.command(
      { type: "video-targets", receiver: 0, targets: [{ source: 1, layer: 7, ssrc: 201, rtxSsrc: 0 }] },
      { type: "video-targets", receiver: 1, targets: [{ source: 0, layer: 7, ssrc: 101, rtxSsrc: 0 }] },
    );
    const result = { rode: 0, alone: 0, waitedMs: 0 };
    let sentAt = 0;
    const send = (peer: TestPeer, ssrc: number, number: number): void => {
      const got = a.gotRtcp.length;
      peer.send({
        ...{ ssrc, sequence: number, timestamp: number * 3000, marker: true, transportSequence: number },
        payload: vp8Payload({ pictureId: number, zeroIndex: number, key: number === 1, size: 900 }),
      });
      // What a is told is about a's packets only.
      const told = a.gotRtcp
        .slice(got)
        .filter(({ type, count }) => type === RtcpType.transportFeedback && count === 15);
      if (told.length === 0) return;
      result.waitedMs = Math.max(result.waitedMs, bed.nowMs - sentAt);
      if (bed.runs.some((sizes) => sizes.length === 2 && (sizes[0] ?? 0) > 900 && (sizes[1] ?? 900) < 200))
        result.rode++;
      else result.alone++;
    };
    for (let number = 1; number <= 40; number++) {
      send(a, 101, number);
      sentAt = bed.nowMs;
      bed.advance(laterMs);
      if (laterMs > 0) send(b, 201, number);
      bed.advance(33 - laterMs);
    }
    // Told within a tick or at the next packet.
    const told = a.gotRtcp.filter(({ type, count }) => type === RtcpType.transportFeedback && count === 15);
    expect(told.length).toBeGreaterThan(15);
    let covered = 0;
    for (const { bytes } of told) covered += read16(bytes, 14);
    expect(covered).toBeGreaterThanOrEqual(38);
    return result;
  };

  test("with the next frame that goes there, within 10 ms", () => {
    const { rode, alone, waitedMs } = rides(4);
    expect({ alone, waitedMs }).toEqual({ alone: 0, waitedMs: 4 });
    expect(rode).toBeGreaterThan(15);
  });

  test("by itself where nothing goes there", () => expect(rides(0).rode).toBe(0));
});

describe("what is not ours", () => {
  test("garbage, strangers and the unsigned are counted and nothing else", () => {
    const { bed, a } = meeting();
    bed.deliver({ path: { address: "198.51.100.9", port: 4 } }, new Uint8Array(100).fill(0x80));
    bed.deliver(a, Uint8Array.of(70, 1, 2));
    bed.deliver(a, new Uint8Array(11).fill(0x80));
    bed.deliver(a, new Uint8Array(200).fill(0x80));
    const forged = a.rtp(audio(1));
    forged[20] = (forged[20] as number) ^ 1;
    bed.deliver(a, forged);
    a.send({ ...audio(2), payloadType: 77 });
    a.send({ ...audio(3), payloadType: VIDEO_TYPE });
    a.send({ ...audio(4), ssrc: 5 });
    const twice = a.rtp(audio(5));
    bed.deliver(a, twice);
    bed.deliver(a, twice);
    expect(bed.loop.state.drops.record()).toEqual({
      "unknown-address": 1,
      "not-media": 1,
      "malformed-rtp": 1,
      authentication: 1,
      "unknown-ssrc": 2,
      "unknown-payload-type": 1,
      "payload-type-mismatch": 1,
      replayed: 1,
    });
  });

  test("STUN and DTLS go up, bounded", () => {
    const { bed, a } = meeting();
    bed.deliver(a, Uint8Array.of(22, 254, 253, 0, 0));
    expect(bed.eventsOf("datagram")).toEqual([
      { type: "datagram", endpoint: 0, path: a.path, bytes: Uint8Array.of(22, 254, 253, 0, 0) },
    ]);
    for (let turn = 0; turn < 1000; turn++)
      bed.deliver({ path: { address: "198.51.100.9", port: 4 } }, Uint8Array.of(0, 1, 0, 0));
    expect(bed.eventsOf("datagram").length).toBe(101);
  });
});

describe("coming and going", () => {
  test("removing an endpoint frees its sources, addresses and slots", () => {
    const { bed, a, b } = meeting();
    watch(bed, b, 0x07);
    frame(a, 0, 1, { key: true });
    bed.command({ type: "remove-endpoint", endpoint: a.index });
    expect(bed.eventsOf("source-removed").map(({ source }) => source)).toEqual([0, 1]);
    expect(bed.eventsOf("endpoint-removed").map(({ endpoint }) => endpoint)).toEqual([0]);
    bed.deliver(a, new Uint8Array(50).fill(0x80));
    expect(bed.loop.state.drops.of("unknown-address")).toBe(1);
    bed.command(...a.join([microphone(0, 11)]));
    expect(bed.loop.state.endpoints[0]).toBeDefined();
  });

  test("a source that comes back under its SSRC goes on in the numbers of the old one", () => {
    const { bed, a, b } = meeting();
    a.send(audio(10));
    bed.command({ type: "sources", endpoint: a.index, sources: [] });
    bed.command({ type: "sources", endpoint: a.index, sources: [microphone(0, 11)] });
    a.send(audio(500));
    expect((b.got[1]?.sequence ?? 0) - (b.got[0]?.sequence ?? 0)).toBe(1);
    expect(b.bad).toBe(0);
  });
});
