/**
 * Where an outgoing stream's RTP timestamps go on when what feeds it changes.
 */
import { difference32 } from "../rtp/sequence.ts";
import type { OutgoingStream } from "./sender.ts";

/** By wall clock: as many whole frames as the time since the last packet holds, at least one. Ticks; not reduced to 32 bits. */
export function continuedTimestamp(
  stream: OutgoingStream,
  nowMs: number,
  clockRate: number,
  frameTicks: number,
): number {
  const elapsedMs = Math.max(0, nowMs - stream.lastSentAt);
  const frames = Math.max(1, Math.floor((elapsedMs * clockRate) / 1000 / frameTicks));
  return stream.lastTimestamp + frames * frameTicks;
}

/** What a sender's report says about one SSRC: this RTP timestamp was at this time of its wall clock. */
export interface ClockReference {
  /** NTP time in ms; −1: no report yet. */
  readonly ntpMs: number;
  readonly rtpTimestamp: number;
}

/**
 * What turns timestamps of `to` into those of `from` (both clocks of one sender at one rate), by their reports; undefined while a report is missing. Keeps
 * lip sync exact over a switch of encodings.
 */
export function offsetBetween(from: ClockReference, to: ClockReference, clockRate: number): number | undefined {
  if (from.ntpMs < 0 || to.ntpMs < 0) return undefined;
  return from.rtpTimestamp + Math.round(((to.ntpMs - from.ntpMs) * clockRate) / 1000) - to.rtpTimestamp;
}

/** Whether `timestamp` comes after the newest sent, by no more than `maxMs` beyond the time that really passed. */
export const follows = (
  timestamp: number,
  stream: OutgoingStream,
  nowMs: number,
  clockRate: number,
  maxMs: number,
): boolean => {
  const ahead = difference32(timestamp >>> 0, stream.lastTimestamp);
  return ahead > 0 && ahead <= ((Math.max(0, nowMs - stream.lastSentAt) + maxMs) * clockRate) / 1000;
};
