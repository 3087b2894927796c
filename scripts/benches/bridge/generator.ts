/**
 * What the bench and its load generator (load.ts, a process of its own) say to each other: lines of JSON.
 *
 * The generator begins with `{"ports":[…]}`. With `how: "keys"` it then wants `{"connect":PORT}` and answers `{"connected":true}`; otherwise it connects by
 * itself first. For each `{"seconds":S}`, with `"people":N` of the first N alone, it says `{"phase":"begin"}`, `{"phase":"end"}` and a GeneratorResult. It ends with its stdin.
 */
import type { Load } from "./participants.ts";

export interface GeneratorOptions {
  readonly load: Load;
  /** Keys and addresses known to both sides beforehand, or a server's own signalling with ICE, DTLS and SRTP. */
  readonly how: "keys" | "colibri" | "janus";
  /** 1: every packet is opened, checked and timed; n: one of n, the others are counted. */
  readonly check: number;
  /** Where the server's signalling is. */
  readonly url?: string;
  /** Of the bridge channel, for colibri. */
  readonly channelUrl?: string;
  /** Local address of the participants; default 127.0.0.1. */
  readonly address?: string;
}

export interface GeneratorResult {
  readonly sent: number;
  readonly received: number;
  /** What was sent, times those who should get it. */
  readonly expected: number;
  /** Packets that do not authenticate. */
  readonly bad: number;
  readonly delayMs: { readonly p50: number; readonly p99: number; readonly p999: number };
}
