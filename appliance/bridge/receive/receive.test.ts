import { describe, expect, test } from "bun:test";
import { ReportBlock } from "../rtcp/reports.ts";
import { RtpPacket } from "../rtp/packet.ts";
import { NeededKeyFrame, ReceiverRequests, StreamRequests } from "./key-frame-requests.ts";
import { LayerMeter } from "./layers.ts";
import { MAX_MISSING, Missing } from "./missing.ts";
import { IncomingStream } from "./receiver.ts";
import { Arrival, Reception } from "./reception.ts";

describe("reception, RFC 3550 appendix A", () => {
  test("A.1: extends numbers over the wrap, tells late, duplicate and old", () => {
    const reception = new Reception();
    expect([65_534, 65_535, 1, 0, 0, 2].map((sequence) => reception.receive(sequence))).toEqual([
      Arrival.new,
      Arrival.new,
      Arrival.new,
      Arrival.late,
      Arrival.duplicate,
      Arrival.new,
    ]);
    expect(reception.highest % 65_536).toBe(2);
    expect(reception.expected).toBe(5);
    expect(reception.lost).toBe(0);
    expect(reception.receive(65_532)).toBe(Arrival.late); // a stream may begin out of order
    expect([reception.expected, reception.lost]).toEqual([7, 1]);
    expect(reception.receive(65_532)).toBe(Arrival.duplicate);
    expect(reception.receive(65_400)).toBe(Arrival.tooOld);
    expect(reception.receive(30_000)).toBe(Arrival.restart);
  });

  test("A.1: a jump is a new beginning, forward or back", () => {
    for (const jump of [20_000, 40_000]) {
      const reception = new Reception();
      reception.receive(10);
      expect(reception.receive(10 + jump)).toBe(Arrival.restart);
      expect(reception.lost).toBe(0);
    }
  });

  test("the gap before a packet is told, and what is inside it has not come", () => {
    const reception = new Reception();
    reception.receive(100);
    reception.receive(104);
    expect(reception.gap).toBe(3);
    expect([100, 101, 102, 103, 104].map((sequence) => reception.has(65_536 + sequence))).toEqual([
      true,
      false,
      false,
      false,
      true,
    ]);
  });

  test("numbers a window apart are not taken for each other", () => {
    const reception = new Reception();
    reception.receive(5);
    for (let sequence = 6; sequence < 3000; sequence += 2) reception.receive(sequence);
    expect(reception.receive(2999 - 2)).toBe(Arrival.late);
    expect(reception.receive(7)).toBe(Arrival.tooOld);
  });

  test("A.3: fraction and total of loss, interval by interval", () => {
    const reception = new Reception();
    const block = new ReportBlock();
    for (let sequence = 0; sequence < 100; sequence++) if (sequence % 4 !== 3) reception.receive(sequence);
    reception.report(block);
    // 99 expected (the last one missing is not known yet), 75 came.
    expect([block.cumulativeLost, block.fractionLost, block.extendedHighest]).toEqual([
      24,
      Math.floor((24 * 256) / 99),
      98,
    ]);
    for (let sequence = 99; sequence < 199; sequence++) reception.receive(sequence);
    reception.report(block);
    expect([block.cumulativeLost, block.fractionLost]).toEqual([24, 0]);
  });

  test("A.8: jitter of a late packet is a sixteenth of its lateness, and fades", () => {
    const reception = new Reception();
    const block = new ReportBlock();
    reception.receive(1);
    reception.transit(0, 1000, 8000);
    reception.transit(160, 1020, 8000);
    reception.report(block);
    expect(block.jitterTicks).toBe(0);
    reception.transit(320, 1060, 8000); // 20 ms late: 160 ticks
    reception.report(block);
    expect(block.jitterTicks).toBe(10);
    reception.transit(0xffffff00, 1_000_000, 8000);
    expect(reception.jitterTicks).toBeLessThan(100_000);
  });
});

describe("missing packets", () => {
  const due = (missing: Missing, now: number): number[] => {
    const sequences = new Uint16Array(300);
    return [...sequences.subarray(0, missing.due(now, sequences))];
  };

  test("asked at once, again every 150 ms, ten times", () => {
    const missing = new Missing();
    expect(missing.add(65_535, 2, 0)).toBe(true);
    expect(due(missing, 0)).toEqual([65_535, 0]);
    expect(due(missing, 149)).toEqual([]);
    missing.remove(65_535);
    let asked = 0;
    for (let now = 150; now < 5000; now += 10) asked += due(missing, now).length;
    expect(asked).toBe(9);
    expect(missing.count).toBe(0);
  });

  test("too large a gap is given up with all the rest; a full list forgets its oldest", () => {
    const missing = new Missing();
    missing.add(10, 5, 0);
    expect(missing.add(20, 100, 0)).toBe(false);
    expect(missing.count).toBe(0);
    for (let turn = 0; turn < 5; turn++) missing.add(1000 + turn * 99, 99, 0);
    expect(missing.count).toBe(MAX_MISSING);
    expect(due(missing, 0)[0]).toBe(1000 + 495 - MAX_MISSING);
    missing.remove(3);
    missing.remove(1000 + 494);
    expect(missing.count).toBe(MAX_MISSING - 1);
  });
});

describe("key-frame requests", () => {
  test("per receiver: 200 ms or the round trip apart, three in ten seconds", () => {
    const requests = new ReceiverRequests();
    expect([0, 100, 200, 400, 700, 9999, 10_000, 10_199, 10_200].map((now) => requests.ask(now, 0))).toEqual([
      true,
      false,
      true,
      true,
      false,
      false,
      true,
      false,
      true,
    ]);
    const quick = new ReceiverRequests();
    expect([0, 25, 30].map((now) => quick.ask(now, 20))).toEqual([true, false, true]);
    quick.reset();
    expect(quick.ask(31, 20)).toBe(true);
  });

  test("what is needed is asked for at once, then further and further apart, until it has come", () => {
    const need = new NeededKeyFrame();
    const asked: number[] = [];
    for (let now = 0; now <= 5_000; now += 10) if (need.ask(now, 50)) asked.push(now);
    expect(asked).toEqual([0, 250, 750, 1_750, 2_750, 3_750, 4_750]);
    need.met();
    expect(need.ask(5_010, 50)).toBe(true);
    expect(need.ask(5_020, 50)).toBe(false);
    // Felt again after a while: another need.
    expect(need.ask(9_000, 50)).toBe(true);
    expect([9_240, 9_250].map((now) => need.ask(now, 50))).toEqual([false, true]);
  });

  test("per stream: one in 200 ms, FIR counts them", () => {
    const requests = new StreamRequests();
    expect([0, 199, 200].map((now) => requests.send(now))).toEqual([true, false, true]);
    expect(requests.commandSequence).toBe(2);
  });

  test("what a receiver asked for is asked for again while no key frame comes, further and further apart, four times", () => {
    const requests = new StreamRequests();
    const asked: number[] = [];
    requests.send(1_000);
    requests.awaited();
    let last = "";
    for (let now = 1_000; now < 20_000; now += 10) {
      last = requests.again(now, 50);
      if (last === "now" && requests.send(now)) asked.push(now);
    }
    expect(asked).toEqual([1_550, 2_600, 4_650, 8_700]);
    expect(last).toBe("never");
    requests.send(30_000);
    requests.awaited();
    expect([30_540, 30_550].map((now) => requests.again(now, 50))).toEqual(["later", "now"]);
  });
});

test("layers: rates are cumulative, heights are kept, a new one is news once", () => {
  const meter = new LayerMeter();
  const packet = new RtpPacket();
  const second = (begin: number): void => {
    for (let frame = 0; frame < 30; frame++) {
      packet.frameStart = true;
      packet.temporalLayer = frame % 2;
      packet.height = frame === 0 ? 180 : 0;
      meter.count(packet, 1000, begin + frame * 33);
    }
  };
  second(0);
  expect(meter.changed).toBe(true);
  expect(meter.take(1000)).toEqual([
    { spatial: 0, temporal: 0, height: 180, frameRate: 15, bitrateBps: 120_000 },
    { spatial: 0, temporal: 1, height: 180, frameRate: 30, bitrateBps: 240_000 },
  ]);
  second(1000);
  expect(meter.changed).toBe(false);
  expect(meter.take(2000).length).toBe(2);
  expect(meter.isYoung(2100, 250)).toBe(true);
  expect(meter.take(3000)).toEqual([]);
  // Nothing for a while: the window opens with what comes, and silence before it does not thin the rates.
  expect(meter.isYoung(3000, 250)).toBe(false);
  second(5000);
  expect([meter.isYoung(5240, 250), meter.isYoung(5250, 250)]).toEqual([true, false]);
  expect(meter.take(6000).map(({ bitrateBps }) => bitrateBps)).toEqual([120_000, 240_000]);
});

test("a report block carries the newest sender report and its age", () => {
  const stream = new IncomingStream("owner", "video", 0xffffffff, 0, undefined);
  const block = new ReportBlock();
  stream.reception.receive(1);
  stream.report(block, 1000);
  expect([block.ssrc, block.lastReport, block.delaySinceLastReport]).toEqual([0xffffffff, 0, 0]);
  stream.senderReport(
    { ssrc: 1, ntpSeconds: 0x00010002, ntpFraction: 0x00030000, rtpTimestamp: 90, packets: 0, octets: 0 },
    1000,
  );
  stream.report(block, 1500);
  expect([block.lastReport, block.delaySinceLastReport]).toEqual([0x00020003, 32_768]);
  expect(stream.ntpMs).toBeCloseTo(0x00010002 * 1000 + 0.0457, 2);
});
