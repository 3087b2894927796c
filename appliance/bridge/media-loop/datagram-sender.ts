/**
 * Shell: empties an outbox by sendmmsg, each run in one UDP_SEGMENT message. What the socket does not take is dropped and counted, never waited for.
 *
 * Fallback: EIO (the way out cannot segment) turns segmenting off for that socket; EINVAL (a segment larger than the path allows) sends that run datagram
 * by datagram, and after MANY_REFUSALS of them turns it off as well.
 */
import type { Pointer } from "bun:ffi";
import { AF_INET, Errno, errno, libc, MSG_DONTWAIT, SOL_UDP, UDP_SEGMENT } from "../native/libc.ts";
import {
  IOVEC_BYTES,
  MMSGHDR_BYTES,
  SEGMENT_CONTROL_BYTES,
  SEGMENT_CONTROL_LENGTH,
  writePointer,
} from "../native/libc-layout.ts";
import type { PacketMemory } from "../transport/srtp.ts";
import { Drop, type DropCounters } from "./drop-reason.ts";
import { Layout } from "./layout.ts";
import { MAX_RUNS, type Outbox } from "./outbox.ts";

/** The system call and its error number; a test puts a kernel in between that refuses. */
export interface SendCalls {
  sendmmsg(fd: number, headers: Pointer, count: number, flags: number): number;
  errno(): number;
}

const SYSTEM: SendCalls = { sendmmsg: libc.sendmmsg, errno };

const MANY_REFUSALS = 100;

export class DatagramSender {
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #halves: Uint16Array;
  readonly #base: number;
  readonly #fds: number[];
  readonly #wanted: boolean;
  readonly #segmenting: boolean[];
  readonly #refusals: number[];
  /** Run behind each header of the call being made. */
  readonly #runOf = new Int32Array(MAX_RUNS);
  readonly #calls: SendCalls;
  drops: DropCounters | undefined;

  constructor(memory: PacketMemory, fds: readonly number[], segmenting: boolean, calls: SendCalls = SYSTEM) {
    this.#calls = calls;
    this.#bytes = memory.bytes;
    this.#words = new Uint32Array(memory.bytes.buffer);
    this.#halves = new Uint16Array(memory.bytes.buffer);
    this.#base = memory.base;
    this.#fds = [...fds];
    this.#wanted = segmenting;
    this.#segmenting = fds.map(() => segmenting);
    this.#refusals = fds.map(() => 0);
    for (let slot = 0; slot < MAX_RUNS; slot++) {
      const header = (Layout.sendHeaders + slot * MMSGHDR_BYTES) >> 2;
      const vector = Layout.sendVectors + slot * IOVEC_BYTES;
      const control = Layout.sendControls + slot * SEGMENT_CONTROL_BYTES;
      this.#pointer(header + 4, vector);
      this.#words[header + 6] = 1;
      this.#pointer(header + 8, control);
      this.#words[control >> 2] = SEGMENT_CONTROL_LENGTH;
      this.#words[(control >> 2) + 2] = SOL_UDP;
      this.#words[(control >> 2) + 3] = UDP_SEGMENT;
    }
  }

  /** A socket that was opened later, or −1 for one that is closed. */
  use(socket: number, fd: number): void {
    this.#fds[socket] = fd;
    this.#segmenting[socket] = this.#wanted;
    this.#refusals[socket] = 0;
  }

  readonly drain = (outbox: Outbox): void => {
    if (outbox.silent) return;
    let sockets = 0;
    for (let run = 0; run < outbox.runCount; run++) sockets |= 1 << (outbox.runSocket[run] as number);
    for (let socket = 0; sockets !== 0; socket++, sockets >>>= 1) if ((sockets & 1) !== 0) this.#socket(outbox, socket);
  };

  #socket(outbox: Outbox, socket: number): void {
    let slots = 0;
    for (let run = 0; run < outbox.runCount; run++) {
      if (outbox.runSocket[run] !== socket) continue;
      const segments = outbox.runSegments[run] as number;
      if (segments > 1 && !this.#segmenting[socket]) {
        this.#send(socket, outbox, slots);
        slots = 0;
        this.#singly(outbox, socket, run);
        continue;
      }
      this.#runOf[slots] = run;
      this.#fill(
        slots,
        outbox.runName[run] as number,
        outbox.runOffset[run] as number,
        outbox.runLength[run] as number,
        segments > 1 ? (outbox.runSegment[run] as number) : 0,
      );
      slots += 1;
    }
    this.#send(socket, outbox, slots);
  }

  /** Sends `slots` prepared messages; those that fail are dropped, or tried singly. */
  #send(socket: number, outbox: Outbox, slots: number): void {
    const fd = this.#fds[socket] as number;
    let done = 0;
    while (done < slots) {
      const sent = this.#calls.sendmmsg(
        fd,
        this.#at(Layout.sendHeaders + done * MMSGHDR_BYTES),
        slots - done,
        MSG_DONTWAIT,
      );
      if (sent > 0) {
        done += sent;
        continue;
      }
      const why = this.#calls.errno();
      if (why === Errno.EINTR) continue;
      if (why === Errno.EAGAIN) {
        for (; done < slots; done++) this.#dropped(outbox, this.#runOf[done] as number, Drop["socket-full"]);
        return;
      }
      const run = this.#runOf[done] as number;
      done += 1;
      if ((why === Errno.EIO || why === Errno.EINVAL) && (outbox.runSegments[run] as number) > 1) {
        this.#refusals[socket] = (this.#refusals[socket] as number) + 1;
        if (why === Errno.EIO || (this.#refusals[socket] as number) >= MANY_REFUSALS) this.#segmenting[socket] = false;
        // The prepared headers behind are still wanted: this run's datagrams go one by one through the last slot.
        this.#oneByOne(outbox, fd, run);
      } else this.#dropped(outbox, run, Drop["socket-error"]);
    }
  }

  /** All datagrams of a run in as few calls as their headers allow; no segmenting. */
  #singly(outbox: Outbox, socket: number, run: number): void {
    const length = outbox.runLength[run] as number;
    const segment = outbox.runSegment[run] as number;
    const offset = outbox.runOffset[run] as number;
    let slots = 0;
    for (let at = 0; at < length; at += segment) {
      this.#runOf[slots] = run;
      this.#fill(slots, outbox.runName[run] as number, offset + at, Math.min(segment, length - at), 0);
      slots += 1;
    }
    const fd = this.#fds[socket] as number;
    let done = 0;
    while (done < slots) {
      const sent = this.#calls.sendmmsg(
        fd,
        this.#at(Layout.sendHeaders + done * MMSGHDR_BYTES),
        slots - done,
        MSG_DONTWAIT,
      );
      if (sent > 0) done += sent;
      else {
        const why = this.#calls.errno();
        if (why === Errno.EINTR) continue;
        this.drops?.count(Drop[why === Errno.EAGAIN ? "socket-full" : "socket-error"]);
        done += 1;
      }
    }
  }

  #oneByOne(outbox: Outbox, fd: number, run: number): void {
    const length = outbox.runLength[run] as number;
    const segment = outbox.runSegment[run] as number;
    const slot = MAX_RUNS - 1;
    for (let at = 0; at < length; at += segment) {
      const size = Math.min(segment, length - at);
      this.#fill(slot, outbox.runName[run] as number, (outbox.runOffset[run] as number) + at, size, 0);
      if (this.#calls.sendmmsg(fd, this.#at(Layout.sendHeaders + slot * MMSGHDR_BYTES), 1, MSG_DONTWAIT) !== 1)
        this.drops?.count(Drop["socket-error"]);
    }
  }

  #fill(slot: number, name: number, offset: number, length: number, segment: number): void {
    const words = this.#words;
    const header = (Layout.sendHeaders + slot * MMSGHDR_BYTES) >> 2;
    this.#pointer(header, name);
    words[header + 2] = this.#bytes[name] === AF_INET ? 16 : 28;
    words[header + 10] = segment > 0 ? SEGMENT_CONTROL_BYTES : 0;
    const vector = (Layout.sendVectors + slot * IOVEC_BYTES) >> 2;
    this.#pointer(vector, offset);
    words[vector + 2] = length;
    if (segment > 0) this.#halves[(Layout.sendControls + slot * SEGMENT_CONTROL_BYTES + 16) >> 1] = segment;
  }

  #dropped(outbox: Outbox, run: number, reason: number): void {
    this.drops?.count(reason, outbox.runSegments[run] as number);
  }

  #pointer(word: number, offset: number): void {
    writePointer(this.#words, word, this.#base + offset);
  }

  #at(offset: number): Pointer {
    return (this.#base + offset) as Pointer;
  }
}
