/**
 * Shell: the load generator, a process of its own. Each participant has a socket, sends audio and VP8 video as a browser would, and takes, checks and times
 * all that it gets. Speaks lines of JSON: first its ports; then, for each line `{"port":…}` on stdin, runs against that port and answers what it saw.
 *
 *   bun load.ts '{"rooms":1,"people":10,"profile":"AEAD_AES_128_GCM"}'
 */
import { type Pointer, ptr } from "bun:ffi";
import { writeAddress } from "../../../appliance/bridge/media-loop/addresses.ts";
import { libc, MSG_DONTWAIT, openUdpSocket, POLLIN } from "../../../appliance/bridge/native/libc.ts";
import { IOVEC_BYTES, MMSGHDR_BYTES, POLLFD_BYTES } from "../../../appliance/bridge/native/libc-layout.ts";
import { read16, write16 } from "../../../appliance/bridge/rtp/bytes.ts";
import { isRtcp, parseHeader, writeHeader } from "../../../appliance/bridge/rtp/header.ts";
import { RtpPacket } from "../../../appliance/bridge/rtp/packet.ts";
import { createSrtpContext, type SrtpContext } from "../../../appliance/bridge/transport/srtp.ts";
import { libcryptoProvider } from "../../../appliance/bridge/transport/srtp-libcrypto.ts";
import {
  AUDIO_LEVEL_ID,
  AUDIO_PAYLOAD,
  AUDIO_PER_SECOND,
  AUDIO_TYPE,
  audioSsrc,
  FRAMES_PER_SECOND,
  type Load,
  masterKey,
  TRANSPORT_CC_ID,
  VIDEO_PAYLOADS,
  VIDEO_TYPE,
  videoSsrc,
} from "./participants.ts";

const SLOTS = 64;
const SLOT_BYTES = 2048;
const HEADERS = SLOTS * SLOT_BYTES;
const VECTORS = HEADERS + SLOTS * MMSGHDR_BYTES;
const POLL = VECTORS + SLOTS * IOVEC_BYTES;
const NAME = POLL + 1024 * POLLFD_BYTES;
const SEND = NAME + 64;
const SEND_HEADERS = SEND + 8 * SLOT_BYTES;
const SEND_VECTORS = SEND_HEADERS + 8 * MMSGHDR_BYTES;
const END = SEND_VECTORS + 8 * IOVEC_BYTES;
/** Where the time of sending stands in a payload: behind the VP8 descriptor and frame header. */
const STAMP = 20;
const WARM_UP_MS = 5000;
/** Histogram of delays: 10 µs a cell, up to 100 ms. */
const CELLS = 10_000;
const CELL_MS = 0.01;

const load = JSON.parse(process.argv[2] ?? "{}") as Load;
const pages = Math.ceil(END / 65_536) + 1;
const fixed = { memory: new WebAssembly.Memory({ initial: pages, maximum: pages }) };
const bytes = new Uint8Array(fixed.memory.buffer);
const words = new Uint32Array(fixed.memory.buffer);
const halves = new Uint16Array(fixed.memory.buffer);
const doubles = new Float64Array(1);
const doubleBytes = new Uint8Array(doubles.buffer);
const base = ptr(bytes) as number;
const at = (offset: number): Pointer => (base + offset) as Pointer;
const provider = libcryptoProvider({ memory: fixed.memory, bytes, base });
const memory = { memory: fixed.memory, bytes, base };

function pointer(word: number, offset: number): void {
  words[word] = (base + offset) % 4_294_967_296;
  words[word + 1] = Math.floor((base + offset) / 4_294_967_296);
}

interface Participant {
  readonly index: number;
  readonly fd: number;
  readonly port: number;
  readonly up: SrtpContext;
  readonly down: SrtpContext;
  audioSequence: number;
  videoSequence: number;
  frames: number;
  transport: number;
  nextAudioAt: number;
  nextFrameAt: number;
  keyWanted: boolean;
}

const name = new Uint8Array(32);
writeAddress(name, 0, 4, "127.0.0.1", 0);
const participants: Participant[] = Array.from({ length: load.rooms * load.people }, (_, index) => {
  const socket = openUdpSocket(name, 4 * 1024 * 1024);
  return {
    index,
    fd: socket.fd,
    port: socket.port,
    up: createSrtpContext(provider, memory, load.profile, masterKey(index, true, load.profile), "send"),
    down: createSrtpContext(provider, memory, load.profile, masterKey(index, false, load.profile), "receive"),
    audioSequence: 0,
    videoSequence: 0,
    frames: 0,
    transport: 0,
    nextAudioAt: 0,
    nextFrameAt: 0,
    keyWanted: true,
  };
});

for (let slot = 0; slot < SLOTS; slot++) {
  const header = (HEADERS + slot * MMSGHDR_BYTES) >> 2;
  const vector = VECTORS + slot * IOVEC_BYTES;
  pointer(header + 4, vector);
  words[header + 6] = 1;
  pointer(vector >> 2, slot * SLOT_BYTES);
  words[(vector >> 2) + 2] = SLOT_BYTES - 96;
}
for (let slot = 0; slot < 8; slot++) {
  const header = (SEND_HEADERS + slot * MMSGHDR_BYTES) >> 2;
  const vector = SEND_VECTORS + slot * IOVEC_BYTES;
  pointer(header, NAME);
  words[header + 2] = 16;
  pointer(header + 4, vector);
  words[header + 6] = 1;
  pointer(vector >> 2, SEND + slot * SLOT_BYTES);
}
for (const [index, participant] of participants.entries()) {
  words[(POLL + index * POLLFD_BYTES) >> 2] = participant.fd;
  halves[(POLL + index * POLLFD_BYTES + 4) >> 1] = POLLIN;
}

const histogram = new Float64Array(CELLS + 1);
let measuring = false;
let received = 0;
let sent = 0;
let bad = 0;

function build(slot: number, headerBytes: number, payload: number, context: SrtpContext): void {
  const place = SEND + slot * SLOT_BYTES;
  doubles[0] = performance.now();
  bytes.set(doubleBytes, place + headerBytes + STAMP);
  const size = context.protectRtp(place, headerBytes, place + headerBytes, payload);
  words[(SEND_VECTORS + slot * IOVEC_BYTES + 8) >> 2] = size;
}

function sendAudio(who: Participant): void {
  const place = SEND;
  who.audioSequence = (who.audioSequence + 1) & 0xffff;
  writeHeader(
    bytes,
    place,
    false,
    true,
    false,
    AUDIO_TYPE,
    who.audioSequence,
    who.audioSequence * 960,
    audioSsrc(who.index),
  );
  write16(bytes, place + 12, 0xbede);
  write16(bytes, place + 14, 1);
  bytes[place + 16] = AUDIO_LEVEL_ID << 4;
  bytes[place + 17] = 0x80 | 30;
  write16(bytes, place + 18, 0);
  build(0, 20, AUDIO_PAYLOAD, who.up);
  transmit(who, 1);
}

function sendFrame(who: Participant): void {
  who.frames += 1;
  const key = who.keyWanted;
  who.keyWanted = false;
  for (const [slot, payload] of VIDEO_PAYLOADS.entries()) {
    const place = SEND + slot * SLOT_BYTES;
    who.videoSequence = (who.videoSequence + 1) & 0xffff;
    who.transport = (who.transport + 1) & 0xffff;
    writeHeader(
      bytes,
      place,
      false,
      true,
      slot === VIDEO_PAYLOADS.length - 1,
      VIDEO_TYPE,
      who.videoSequence,
      (who.frames * 3000) >>> 0,
      videoSsrc(who.index),
    );
    write16(bytes, place + 12, 0xbede);
    write16(bytes, place + 14, 1);
    bytes[place + 16] = (TRANSPORT_CC_ID << 4) | 1;
    write16(bytes, place + 17, who.transport);
    bytes[place + 19] = 0;
    // VP8: extended descriptor with picture id, TL0PICIDX and temporal layer; frame tag.
    bytes[place + 20] = 0x80 | (slot === 0 ? 0x10 : 0);
    bytes[place + 21] = 0xe0;
    write16(bytes, place + 22, 0x8000 | (who.frames & 0x7fff));
    bytes[place + 24] = who.frames;
    bytes[place + 25] = 0;
    bytes[place + 26] = key && slot === 0 ? 0 : 1;
    bytes[place + 29] = 0x9d;
    bytes[place + 30] = 1;
    bytes[place + 31] = 0x2a;
    write16(bytes, place + 32, 0x4001);
    write16(bytes, place + 34, 0x6801);
    build(slot, 20, payload, who.up);
  }
  transmit(who, VIDEO_PAYLOADS.length);
}

function transmit(who: Participant, count: number): void {
  const taken = libc.sendmmsg(who.fd, at(SEND_HEADERS), count, 0);
  if (measuring) sent += Math.max(0, taken);
}

const packet = new RtpPacket();

function take(who: Participant, now: number): void {
  for (;;) {
    const count = libc.recvmmsg(who.fd, at(HEADERS), SLOTS, MSG_DONTWAIT, null);
    if (count <= 0) return;
    for (let slot = 0; slot < count; slot++) {
      const place = slot * SLOT_BYTES;
      const length = words[(HEADERS + slot * MMSGHDR_BYTES + 56) >> 2] as number;
      if (length < 12) continue;
      if (isRtcp(bytes, place)) {
        const plain = who.down.unprotectRtcp(place, length);
        for (let each = 0; each + 8 <= plain; each += (read16(bytes, place + each + 2) + 1) * 4)
          if (bytes[place + each + 1] === 206) who.keyWanted = true;
        continue;
      }
      if (!parseHeader(bytes, place, length, packet)) {
        bad += 1;
        continue;
      }
      const plain = who.down.unprotectRtp(place, packet.headerLength, length);
      if (plain < 0) {
        bad += 1;
        continue;
      }
      if (!measuring) continue;
      received += 1;
      doubleBytes.set(bytes.subarray(packet.payloadOffset + STAMP, packet.payloadOffset + STAMP + 8));
      const cell = Math.floor((now - (doubles[0] as number)) / CELL_MS);
      histogram[Math.max(0, Math.min(CELLS, cell))] = (histogram[Math.max(0, Math.min(CELLS, cell))] as number) + 1;
    }
    if (count < SLOTS) return;
  }
}

const percentile = (share: number): number => {
  let total = 0;
  for (const count of histogram) total += count;
  let sum = 0;
  for (let cell = 0; cell <= CELLS; cell++) {
    sum += histogram[cell] as number;
    if (sum >= total * share) return cell * CELL_MS;
  }
  return 0;
};

/** Runs for the warm-up and `seconds`; says on stdout when the measured time begins and ends. */
function run(port: number, seconds: number): void {
  writeAddress(bytes, NAME, 4, "127.0.0.1", port);
  const audioEvery = 1000 / AUDIO_PER_SECOND;
  const frameEvery = 1000 / FRAMES_PER_SECOND;
  const begin = performance.now();
  for (const [index, who] of participants.entries()) {
    // Spread evenly, by an odd step, so that the load has no beat.
    who.nextAudioAt = begin + ((index * 0.618) % 1) * audioEvery;
    who.nextFrameAt = begin + ((index * 0.382 + 0.1) % 1) * frameEvery;
    who.keyWanted = true;
  }
  const measureAt = begin + WARM_UP_MS;
  const end = measureAt + seconds * 1000;
  for (;;) {
    let now = performance.now();
    if (!measuring && now >= measureAt && now < end) {
      measuring = true;
      process.stdout.write('{"phase":"begin"}\n');
    }
    if (now >= end) break;
    let soonest = end;
    for (const who of participants) {
      while (now >= who.nextAudioAt) {
        sendAudio(who);
        who.nextAudioAt += audioEvery;
      }
      while (now >= who.nextFrameAt) {
        sendFrame(who);
        who.nextFrameAt += frameEvery;
      }
      soonest = Math.min(soonest, who.nextAudioAt, who.nextFrameAt);
    }
    now = performance.now();
    // Whole milliseconds: where less is left, look again at once.
    if (libc.poll(at(POLL), participants.length, Math.max(0, Math.floor(soonest - now))) > 0) {
      now = performance.now();
      for (const [index, who] of participants.entries())
        if (halves[(POLL + index * POLLFD_BYTES + 6) >> 1] !== 0) take(who, now);
    }
  }
  process.stdout.write('{"phase":"end"}\n');
  // What is still under way counts: sent and received are compared.
  const rest = performance.now() + 200;
  while (performance.now() < rest) {
    libc.poll(at(POLL), participants.length, 20);
    const now = performance.now();
    for (const who of participants) take(who, now);
  }
  measuring = false;
  process.stdout.write(
    `${JSON.stringify({
      phase: "result",
      sent,
      received,
      bad,
      delayMs: { p50: percentile(0.5), p99: percentile(0.99), p999: percentile(0.999) },
    })}\n`,
  );
}

process.stdout.write(`${JSON.stringify({ phase: "ports", ports: participants.map(({ port }) => port) })}\n`);
for await (const line of console) {
  const { port, seconds } = JSON.parse(line) as { port: number; seconds: number };
  run(port, seconds);
  break;
}
process.exit(0);
