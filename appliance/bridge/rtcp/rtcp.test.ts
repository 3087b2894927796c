import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../simulated-network.ts";
import { read16, read32, write32 } from "../rtp/bytes.ts";
import { RtcpCursor, RtcpType } from "./compound.ts";
import { firCommandSequence, firEntryCount, firSsrc, writeFir, writePli } from "./key-frame.ts";
import { nackBitmask, nackEntryCount, nackMediaSsrc, nackPid, writeNack } from "./nack.ts";
import {
  beginReceiverReport,
  middleNtp,
  ReportBlock,
  readReportBlock,
  readSenderReport,
  reportBlockCount,
  SenderReport,
  writeReportBlock,
  writeSenderReport,
} from "./reports.ts";
import { ArrivalRecorder, readTransportFeedback } from "./transport-feedback.ts";

const walk = (bytes: Uint8Array, length = bytes.length): { type: number; count: number; length: number }[] => {
  const cursor = new RtcpCursor();
  cursor.begin(bytes, 0, length);
  const found: { type: number; count: number; length: number }[] = [];
  while (cursor.next()) found.push({ type: cursor.type, count: cursor.count, length: cursor.length });
  return found;
};

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));

describe("compound packets", () => {
  test.each([
    ["two packets", "80 c9 00 01 00 00 00 01 81 ce 00 02 00 00 00 01 00 00 00 02", [201, 206]],
    ["padding comes off", "a0 c9 00 02 00 00 00 01 00 00 00 04", [201]],
    ["padding beyond the packet", "a0 c9 00 01 00 00 00 09", []],
    ["length beyond the end: the first counts", "80 c9 00 01 00 00 00 01 81 ce 00 03 00 00 00 01", [201]],
    ["wrong version", "40 c9 00 01 00 00 00 01", []],
    ["header alone", "80 cb 00 00", [203]],
    ["three bytes", "80 c9 00", []],
  ])("%s", (_name, text, types) => expect(walk(hex(text)).map(({ type }) => type)).toEqual(types));
});

describe("reports", () => {
  test("a sender report is read as written", () => {
    const report = new SenderReport();
    Object.assign(report, {
      ssrc: 0xdeadbeef,
      ntpSeconds: 0xe0000001,
      ntpFraction: 0x80000000,
      rtpTimestamp: 0xffffffff,
      packets: 7,
      octets: 0xfffffff0,
    });
    const bytes = new Uint8Array(64);
    expect(writeSenderReport(bytes, 0, report)).toBe(28);
    expect(walk(bytes, 28)).toEqual([{ type: RtcpType.senderReport, count: 0, length: 28 }]);
    const again = new SenderReport();
    expect(readSenderReport(bytes, 0, 28, again)).toBe(true);
    expect(again).toEqual(report);
    expect(readSenderReport(bytes, 0, 27, again)).toBe(false);
    expect(middleNtp(report.ntpSeconds, report.ntpFraction)).toBe(0x00018000);
  });

  test("blocks: negative loss, and no more than the length holds", () => {
    const block = new ReportBlock();
    Object.assign(block, {
      ssrc: 5,
      fractionLost: 255,
      cumulativeLost: -3,
      extendedHighest: 0x10005,
      jitterTicks: 99,
      lastReport: 0x80000001,
      delaySinceLastReport: 65_536,
    });
    const bytes = new Uint8Array(64);
    writeReportBlock(bytes, beginReceiverReport(bytes, 0, 1, 77), block);
    const again = new ReportBlock();
    readReportBlock(bytes, 8, again);
    expect(again).toEqual(block);
    expect(walk(bytes, 32)).toEqual([{ type: RtcpType.receiverReport, count: 1, length: 32 }]);
    expect(reportBlockCount(RtcpType.receiverReport, 31, 32)).toBe(1);
    expect(reportBlockCount(RtcpType.senderReport, 31, 8)).toBe(0);
  });
});

describe("NACK, RFC 4585 §6.2.1", () => {
  test.each([
    [[5], [[5, 0]]],
    [[5, 6, 21], [[5, 0b1000_0000_0000_0001]]],
    [
      [5, 22],
      [
        [5, 0],
        [22, 0],
      ],
    ],
    [[65_535, 0, 15], [[65_535, 0b1000_0000_0000_0001]]],
  ])("%p is %p", (missing, entries) => {
    const bytes = new Uint8Array(64);
    const length = writeNack(bytes, 0, 64, 1, 0xabcd, Uint16Array.from(missing), missing.length);
    expect(nackMediaSsrc(bytes, 0)).toBe(0xabcd);
    expect(
      Array.from({ length: nackEntryCount(length) }, (_, index) => [
        nackPid(bytes, 0, index),
        nackBitmask(bytes, 0, index),
      ]),
    ).toEqual(entries);
    expect(walk(bytes, length)).toEqual([{ type: 205, count: 1, length }]);
  });

  test("what does not fit is left out; nothing is nothing", () => {
    const bytes = new Uint8Array(64);
    const far = Uint16Array.from([0, 100, 200, 300]);
    expect(nackEntryCount(writeNack(bytes, 0, 20, 1, 2, far, 4))).toBe(2);
    expect(writeNack(bytes, 0, 64, 1, 2, far, 0)).toBe(0);
    expect(nackEntryCount(11)).toBe(0);
  });
});

test("PLI and FIR", () => {
  const bytes = new Uint8Array(32);
  expect(writePli(bytes, 0, 1, 2)).toBe(12);
  expect(walk(bytes, 12)).toEqual([{ type: 206, count: 1, length: 12 }]);
  const length = writeFir(bytes, 0, 1, 0xffffffff, 200);
  expect(walk(bytes, length)).toEqual([{ type: 206, count: 4, length: 20 }]);
  expect([firEntryCount(length), firSsrc(bytes, 0, 0), firCommandSequence(bytes, 0, 0)]).toEqual([1, 0xffffffff, 200]);
  expect(firEntryCount(19)).toBe(0);
});

describe("transport-wide feedback", () => {
  const decode = (bytes: Uint8Array, length: number): [number, number][] => {
    const heard: [number, number][] = [];
    expect(
      readTransportFeedback(bytes, 0, length, { packetStatus: (sequence, at) => void heard.push([sequence, at]) }),
    ).toBe(true);
    return heard;
  };

  test("tells arrivals to 250 µs, losses, a wrap and a packet out of order", () => {
    const recorder = new ArrivalRecorder();
    recorder.record(65_534, 1000);
    recorder.record(65_535, 1000.5);
    recorder.record(1, 1010);
    recorder.record(0, 1011);
    recorder.record(5, 1300);
    const bytes = new Uint8Array(128);
    const length = recorder.write(bytes, 0, 1, 2);
    const heard = decode(bytes, length);
    const base = heard[0]?.[1] ?? 0;
    expect(heard.map(([sequence, at]) => [sequence, at < 0 ? -1 : at - base])).toEqual([
      [65_534, 0],
      [65_535, 0.5],
      [0, 11],
      [1, 10],
      [2, -1],
      [3, -1],
      [4, -1],
      [5, 300],
    ]);
    expect(recorder.pending).toBe(0);
    expect(recorder.write(bytes, 0, 1, 2)).toBe(0);
  });

  test("counts its feedbacks and begins with what arrived", () => {
    const recorder = new ArrivalRecorder();
    const bytes = new Uint8Array(64);
    recorder.record(10, 5000);
    recorder.write(bytes, 0, 1, 2);
    recorder.record(13, 5020);
    const length = recorder.write(bytes, 0, 1, 2);
    expect(bytes[19]).toBe(1);
    expect(read16(bytes, 12)).toBe(13);
    expect(decode(bytes, length).length).toBe(1);
  });

  test("late news moves the beginning back", () => {
    const recorder = new ArrivalRecorder();
    const bytes = new Uint8Array(64);
    recorder.record(10, 5000);
    recorder.record(12, 5001);
    recorder.write(bytes, 0, 1, 2);
    recorder.record(11, 5050);
    recorder.record(13, 5051);
    expect(decode(bytes, recorder.write(bytes, 0, 1, 2)).map(([sequence, at]) => [sequence, at >= 0])).toEqual([
      [11, true],
      [12, false],
      [13, true],
    ]);
  });

  test("random arrivals come back as they were, whatever they are (seed 3)", () => {
    const random = seededRandom(3);
    for (let round = 0; round < 300; round++) {
      const recorder = new ArrivalRecorder();
      const bytes = new Uint8Array(1200);
      let sequence = Math.floor(random() * 65_536);
      let now = random() * 1e7;
      const truth = new Map<number, number>();
      const said = new Map<number, number>();
      for (let packet = 0; packet < 400; packet++) {
        sequence = (sequence + 1) & 0xffff;
        now += random() < 0.02 ? random() * 9000 : random() * 20;
        if (random() < 0.1) continue;
        recorder.record(sequence, now);
        truth.set(sequence, Math.floor(now * 4) / 4);
      }
      let first = Number.NaN;
      for (let turn = 0; turn < 50 && recorder.pending > 0; turn++) {
        const length = recorder.write(bytes, 0, 1, 2);
        if (length === 0) break;
        expect(length).toBeLessThanOrEqual(1040);
        readTransportFeedback(bytes, 0, length, {
          packetStatus: (number, at) => {
            if (at < 0) return;
            if (Number.isNaN(first)) first = at - (truth.get(number) ?? 0);
            said.set(number, at - first);
          },
        });
      }
      expect([...said.keys()].toSorted()).toEqual([...truth.keys()].toSorted());
      for (const [number, at] of truth)
        expect(Math.abs((said.get(number) ?? 0) - at) % (2 ** 24 * 64)).toBeLessThan(0.01);
    }
  });

  test("random bytes never throw and never cost more than they are long (seed 9)", () => {
    const random = seededRandom(9);
    for (let round = 0; round < 5000; round++) {
      const bytes = Uint8Array.from({ length: Math.floor(random() * 100) }, () => Math.floor(random() * 256));
      let heard = 0;
      readTransportFeedback(bytes, 0, bytes.length, { packetStatus: () => void heard++ });
      expect(heard).toBeLessThanOrEqual(65_535);
      walk(bytes);
      if (bytes.length >= 12) {
        const cursor = new RtcpCursor();
        write32(bytes, 0, (read32(bytes, 0) & 0x3fffffff) | 0x80000000);
        cursor.begin(bytes, 0, bytes.length);
        while (cursor.next()) expect(cursor.offset + cursor.length).toBeLessThanOrEqual(bytes.length);
      }
    }
  });
});
