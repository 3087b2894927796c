/**
 * Sender and receiver reports, RFC 3550 §6.4.1 and §6.4.2, by offset.
 *
 * SR: header, SSRC, NTP seconds, NTP fraction, RTP timestamp, packets, octets, then report blocks of 24 bytes. RR: header, SSRC, blocks.
 */
import { read8, read24, read32, write24, write32 } from "../rtp/bytes.ts";
import { RtcpType, writeRtcpHeader } from "./compound.ts";

export const SENDER_REPORT_LENGTH = 28;
export const REPORT_BLOCK_LENGTH = 24;
export const MAX_REPORT_BLOCKS = 31;

/** What one sender report says; used over and over. */
export class SenderReport {
  ssrc = 0;
  ntpSeconds = 0;
  ntpFraction = 0;
  rtpTimestamp = 0;
  packets = 0;
  octets = 0;
}

/** False: too short. */
export function readSenderReport(bytes: Uint8Array, offset: number, length: number, report: SenderReport): boolean {
  if (length < SENDER_REPORT_LENGTH) return false;
  report.ssrc = read32(bytes, offset + 4);
  report.ntpSeconds = read32(bytes, offset + 8);
  report.ntpFraction = read32(bytes, offset + 12);
  report.rtpTimestamp = read32(bytes, offset + 16);
  report.packets = read32(bytes, offset + 20);
  report.octets = read32(bytes, offset + 24);
  return true;
}

/** A report without blocks; returns its length. */
export function writeSenderReport(bytes: Uint8Array, offset: number, report: SenderReport): number {
  const at = writeRtcpHeader(bytes, offset, 0, RtcpType.senderReport, SENDER_REPORT_LENGTH, report.ssrc);
  write32(bytes, at, report.ntpSeconds);
  write32(bytes, at + 4, report.ntpFraction);
  write32(bytes, at + 8, report.rtpTimestamp);
  write32(bytes, at + 12, report.packets);
  write32(bytes, at + 16, report.octets);
  return SENDER_REPORT_LENGTH;
}

/** One report block; used over and over. */
export class ReportBlock {
  ssrc = 0;
  /** In 256ths. */
  fractionLost = 0;
  /** Signed 24 bits. */
  cumulativeLost = 0;
  extendedHighest = 0;
  /** RTP clock ticks. */
  jitterTicks = 0;
  /** Middle 32 bits of the NTP time of the last sender report; 0: none. */
  lastReport = 0;
  /** 1/65536 s. */
  delaySinceLastReport = 0;
}

export function readReportBlock(bytes: Uint8Array, offset: number, block: ReportBlock): void {
  block.ssrc = read32(bytes, offset);
  block.fractionLost = read8(bytes, offset + 4);
  block.cumulativeLost = (read24(bytes, offset + 5) << 8) >> 8;
  block.extendedHighest = read32(bytes, offset + 8);
  block.jitterTicks = read32(bytes, offset + 12);
  block.lastReport = read32(bytes, offset + 16);
  block.delaySinceLastReport = read32(bytes, offset + 20);
}

export function writeReportBlock(bytes: Uint8Array, offset: number, block: ReportBlock): void {
  write32(bytes, offset, block.ssrc);
  bytes[offset + 4] = block.fractionLost;
  write24(bytes, offset + 5, block.cumulativeLost);
  write32(bytes, offset + 8, block.extendedHighest);
  write32(bytes, offset + 12, block.jitterTicks);
  write32(bytes, offset + 16, block.lastReport);
  write32(bytes, offset + 20, block.delaySinceLastReport);
}

/** How many blocks a report of this type really holds: no more than its length allows. */
export const reportBlockCount = (type: number, count: number, length: number): number => {
  const before = type === RtcpType.senderReport ? SENDER_REPORT_LENGTH : 8;
  return Math.max(0, Math.min(count, Math.floor((length - before) / REPORT_BLOCK_LENGTH)));
};

/** Offset of the first block within the report. */
export const reportBlocksOffset = (type: number): number => (type === RtcpType.senderReport ? SENDER_REPORT_LENGTH : 8);

/** Header of a receiver report with `count` blocks to follow; returns where they start. */
export const beginReceiverReport = (bytes: Uint8Array, offset: number, count: number, ssrc: number): number =>
  writeRtcpHeader(bytes, offset, count, RtcpType.receiverReport, 8 + count * REPORT_BLOCK_LENGTH, ssrc);

/** Middle 32 bits of an NTP time: the form that LSR has, 1/65536 s. */
export const middleNtp = (seconds: number, fraction: number): number =>
  (((seconds & 0xffff) << 16) | (fraction >>> 16)) >>> 0;
