/**
 * Shell: the traffic of all participants: each sends audio and VP8 video as a browser would, and takes, checks and times all that it gets. System calls by
 * bun:ffi over one fixed buffer, as in the media loop: the generator has one core and must not be the limit.
 *
 * A leg is a socket of a participant with its SRTP contexts; one that publishes has a `Publisher`. A participant has one leg, or one for each direction.
 */
import { type Pointer, ptr } from "bun:ffi";
import type { SrtpMaster, SrtpProfile } from "../../../appliance/bridge/media-commands.ts";
import { addressPort, addressText, writeAddress } from "../../../appliance/bridge/media-loop/addresses.ts";
import { libc, MSG_DONTWAIT, openUdpSocket, POLLIN } from "../../../appliance/bridge/native/libc.ts";
import { IOVEC_BYTES, MMSGHDR_BYTES, POLLFD_BYTES } from "../../../appliance/bridge/native/libc-layout.ts";
import { read16, write16 } from "../../../appliance/bridge/rtp/bytes.ts";
import { isRtcp, parseHeader, writeHeader } from "../../../appliance/bridge/rtp/header.ts";
import { RtpPacket } from "../../../appliance/bridge/rtp/packet.ts";
import { createSrtpContext, type SrtpContext } from "../../../appliance/bridge/transport/srtp.ts";
import { libcryptoProvider } from "../../../appliance/bridge/transport/srtp-libcrypto.ts";
import { percentileCell } from "../statistics.ts";
import type { GeneratorResult } from "./generator.ts";
import {
  AUDIO_LEVEL_ID,
  AUDIO_PAYLOAD,
  AUDIO_PER_SECOND,
  AUDIO_TYPE,
  FRAMES_PER_SECOND,
  TRANSPORT_CC_ID,
  VIDEO_PAYLOADS,
  VIDEO_TYPE,
} from "./participants.ts";

const SLOTS = 64;
const SLOT_BYTES = 2048;
const SEND_SLOTS = 8;
const MAX_LEGS = 1024;
const NAME_BYTES = 32;
const HEADERS = SLOTS * SLOT_BYTES;
const VECTORS = HEADERS + SLOTS * MMSGHDR_BYTES;
const FROM = VECTORS + SLOTS * IOVEC_BYTES;
const POLL = FROM + SLOTS * NAME_BYTES;
const NAMES = POLL + MAX_LEGS * POLLFD_BYTES;
const SEND = NAMES + MAX_LEGS * NAME_BYTES;
const SEND_HEADERS = SEND + SEND_SLOTS * SLOT_BYTES;
const SEND_VECTORS = SEND_HEADERS + SEND_SLOTS * MMSGHDR_BYTES;
/** struct timespec. */
const WAIT = SEND_VECTORS + SEND_SLOTS * IOVEC_BYTES;
const END = WAIT + 16;
/** Where the time of sending stands in a payload: behind the VP8 descriptor and frame header. */
const STAMP = 20;
/** Histogram of delays: 10 µs a cell, up to 100 ms. */
const CELLS = 10_000;
const CELL_MS = 0.01;
const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;
/** What is still under way at the end is waited for. */
const TAIL_MS = 200;
/**
 * Where one packet of many is opened there are many: senders and sockets get their turn this often and not at every packet, for looking at hundreds of sockets some
 * ten thousand times a second was all that the generator's core did. (Network cards gather for as long before they interrupt.)
 */
const BULK_TURN_MS = 0.25;
/** How often what is not media (ICE, DTLS) gets its turn. */
const CONTROL_MS = 10;

const pages = Math.ceil(END / 65_536) + 1;
const fixed = { memory: new WebAssembly.Memory({ initial: pages, maximum: pages }) };
const bytes = new Uint8Array(fixed.memory.buffer);
const words = new Uint32Array(fixed.memory.buffer);
const halves = new Uint16Array(fixed.memory.buffer);
const doubles = new Float64Array(1);
const doubleBytes = new Uint8Array(doubles.buffer);
const base = ptr(bytes) as number;
const memory = { memory: fixed.memory, bytes, base };
const provider = libcryptoProvider(memory);
const at = (offset: number): Pointer => (base + offset) as Pointer;

function pointer(word: number, offset: number): void {
  words[word] = (base + offset) % 4_294_967_296;
  words[word + 1] = Math.floor((base + offset) / 4_294_967_296);
}

export interface Publisher {
  readonly audioSsrc: number;
  readonly videoSsrc: number;
  readonly video: boolean;
  /** RFC 6464, −dBov. */
  readonly level: number;
  /** Others that should get each packet. */
  readonly receivers: { readonly audio: number; readonly video: number };
}

interface Sending extends Publisher {
  audioSequence: number;
  videoSequence: number;
  frames: number;
  transport: number;
  nextAudioAt: number;
  nextFrameAt: number;
  keyWanted: boolean;
}

export interface Leg {
  readonly index: number;
  readonly fd: number;
  readonly port: number;
  up: SrtpContext | undefined;
  down: SrtpContext | undefined;
  publisher: Sending | undefined;
  /** STUN and DTLS, copied out. */
  onControl: ((datagram: Uint8Array, address: string, port: number) => void) | undefined;
  onTimer: (() => void) | undefined;
}

const legs: Leg[] = [];
/** Packets of which one is opened. */
let check = 1;

for (let slot = 0; slot < SLOTS; slot++) {
  const header = (HEADERS + slot * MMSGHDR_BYTES) >> 2;
  const vector = VECTORS + slot * IOVEC_BYTES;
  pointer(header, FROM + slot * NAME_BYTES);
  pointer(header + 4, vector);
  words[header + 6] = 1;
  pointer(vector >> 2, slot * SLOT_BYTES);
  words[(vector >> 2) + 2] = SLOT_BYTES - 96;
}
for (let slot = 0; slot < SEND_SLOTS; slot++) {
  const header = (SEND_HEADERS + slot * MMSGHDR_BYTES) >> 2;
  const vector = SEND_VECTORS + slot * IOVEC_BYTES;
  words[header + 2] = 16;
  pointer(header + 4, vector);
  words[header + 6] = 1;
  pointer(vector >> 2, SEND + slot * SLOT_BYTES);
}

export const checkOneOf = (count: number): void => {
  check = Math.max(1, Math.floor(count));
};

export function openLeg(address: string): Leg {
  if (legs.length >= MAX_LEGS) throw new Error(`more than ${MAX_LEGS} connections`);
  const name = new Uint8Array(NAME_BYTES);
  writeAddress(name, 0, 4, address, 0);
  const { fd, port } = openUdpSocket(name, SOCKET_BUFFER_BYTES);
  const index = legs.length;
  words[(POLL + index * POLLFD_BYTES) >> 2] = fd;
  halves[(POLL + index * POLLFD_BYTES + 4) >> 1] = POLLIN;
  const leg: Leg = {
    ...{ index, fd, port },
    ...{ up: undefined, down: undefined, publisher: undefined, onControl: undefined, onTimer: undefined },
  };
  legs.push(leg);
  return leg;
}

/** Where the leg sends to. */
export function setRemote(leg: Leg, address: string, port: number): void {
  writeAddress(bytes, NAMES + leg.index * NAME_BYTES, 4, address, port);
}

export function setKeys(leg: Leg, profile: SrtpProfile, up: SrtpMaster, down: SrtpMaster): void {
  leg.up = createSrtpContext(provider, memory, profile, up, "send");
  leg.down = createSrtpContext(provider, memory, profile, down, "receive");
}

export function publish(leg: Leg, publisher: Publisher): void {
  leg.publisher = {
    ...publisher,
    ...{ audioSequence: 0, videoSequence: 0, frames: 0, transport: 0, nextAudioAt: 0, nextFrameAt: 0, keyWanted: true },
  };
}

/** One datagram that is no media. */
export function sendControl(leg: Leg, datagram: Uint8Array, address: string, port: number): void {
  const name = new Uint8Array(NAME_BYTES);
  writeAddress(name, 0, 4, address, port);
  // The last leg's place behind all others is never used for media.
  bytes.set(name, NAMES + (MAX_LEGS - 1) * NAME_BYTES);
  bytes.set(datagram, SEND);
  words[(SEND_VECTORS + 8) >> 2] = datagram.length;
  pointer(SEND_HEADERS >> 2, NAMES + (MAX_LEGS - 1) * NAME_BYTES);
  libc.sendmmsg(leg.fd, at(SEND_HEADERS), 1, 0);
}

const histogram = new Float64Array(CELLS + 1);
let measuring = false;
let received = 0;
let sent = 0;
let expected = 0;
let bad = 0;

function build(slot: number, headerBytes: number, payload: number, context: SrtpContext): void {
  const place = SEND + slot * SLOT_BYTES;
  doubles[0] = performance.now();
  bytes.set(doubleBytes, place + headerBytes + STAMP);
  const size = context.protectRtp(place, headerBytes, place + headerBytes, payload);
  words[(SEND_VECTORS + slot * IOVEC_BYTES + 8) >> 2] = size;
}

function sendAudio(leg: Leg, who: Sending, up: SrtpContext): void {
  const place = SEND;
  who.audioSequence = (who.audioSequence + 1) & 0xffff;
  writeHeader(
    ...([bytes, place, false, true, false, AUDIO_TYPE, who.audioSequence] as const),
    (who.audioSequence * 960) >>> 0,
    who.audioSsrc,
  );
  write16(bytes, place + 12, 0xbede);
  write16(bytes, place + 14, 1);
  bytes[place + 16] = AUDIO_LEVEL_ID << 4;
  bytes[place + 17] = 0x80 | who.level;
  write16(bytes, place + 18, 0);
  build(0, 20, AUDIO_PAYLOAD, up);
  transmit(leg, 1, who.receivers.audio);
}

function sendFrame(leg: Leg, who: Sending, up: SrtpContext): void {
  who.frames += 1;
  const key = who.keyWanted;
  who.keyWanted = false;
  for (let slot = 0; slot < VIDEO_PAYLOADS.length; slot++) {
    const place = SEND + slot * SLOT_BYTES;
    who.videoSequence = (who.videoSequence + 1) & 0xffff;
    who.transport = (who.transport + 1) & 0xffff;
    const last = slot === VIDEO_PAYLOADS.length - 1;
    writeHeader(
      ...([bytes, place, false, true, last, VIDEO_TYPE, who.videoSequence] as const),
      (who.frames * 3000) >>> 0,
      who.videoSsrc,
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
    build(slot, 20, VIDEO_PAYLOADS[slot] as number, up);
  }
  transmit(leg, VIDEO_PAYLOADS.length, who.receivers.video);
}

function transmit(leg: Leg, count: number, receivers: number): void {
  for (let slot = 0; slot < count; slot++)
    pointer((SEND_HEADERS + slot * MMSGHDR_BYTES) >> 2, NAMES + leg.index * NAME_BYTES);
  const taken = Math.max(0, libc.sendmmsg(leg.fd, at(SEND_HEADERS), count, 0));
  if (!measuring) return;
  sent += taken;
  expected += taken * receivers;
}

const packet = new RtpPacket();
/** Which packets are opened must not beat with the traffic's own rhythm. */
let dice = 1;

function take(leg: Leg, now: number): void {
  for (;;) {
    for (let slot = 0; slot < SLOTS; slot++) words[((HEADERS + slot * MMSGHDR_BYTES) >> 2) + 2] = NAME_BYTES;
    const count = libc.recvmmsg(leg.fd, at(HEADERS), SLOTS, MSG_DONTWAIT, null);
    if (count <= 0) return;
    for (let slot = 0; slot < count; slot++) {
      const place = slot * SLOT_BYTES;
      const length = words[(HEADERS + slot * MMSGHDR_BYTES + 56) >> 2] as number;
      if (length < 12) continue;
      if ((bytes[place] as number) < 128) control(leg, place, length, FROM + slot * NAME_BYTES);
      else if (leg.down !== undefined) media(leg, leg.down, place, length, now);
    }
    if (count < SLOTS) return;
  }
}

function control(leg: Leg, place: number, length: number, from: number): void {
  leg.onControl?.(bytes.slice(place, place + length), addressText(bytes, from), addressPort(bytes, from));
}

function media(leg: Leg, down: SrtpContext, place: number, length: number, now: number): void {
  if (isRtcp(bytes, place)) {
    const plain = down.unprotectRtcp(place, length);
    if (leg.publisher !== undefined)
      for (let each = 0; each + 8 <= plain; each += (read16(bytes, place + each + 2) + 1) * 4)
        if (bytes[place + each + 1] === 206) leg.publisher.keyWanted = true;
    return;
  }
  if (check > 1) {
    dice = (Math.imul(dice, 1_664_525) + 1_013_904_223) >>> 0;
    if (dice % check !== 0) {
      if (measuring) received += 1;
      return;
    }
  }
  if (!parseHeader(bytes, place, length, packet)) {
    bad += 1;
    return;
  }
  const plain = down.unprotectRtp(place, packet.headerLength, length);
  if (plain < 0) {
    bad += 1;
    return;
  }
  if (!measuring) return;
  received += 1;
  doubleBytes.set(bytes.subarray(packet.payloadOffset + STAMP, packet.payloadOffset + STAMP + 8));
  const cell = Math.max(0, Math.min(CELLS, Math.floor((now - (doubles[0] as number)) / CELL_MS)));
  histogram[cell] = (histogram[cell] as number) + 1;
}

/** Takes what has come on all legs, and gives ICE and DTLS their turn; for the time between rounds. */
export function pump(): void {
  const now = performance.now();
  for (const leg of legs) {
    take(leg, now);
    leg.onTimer?.();
  }
}

/** Less than a second. */
function sleep(ms: number): void {
  words[WAIT >> 2] = 0;
  words[(WAIT >> 2) + 1] = 0;
  words[(WAIT >> 2) + 2] = Math.floor(ms * 1e6);
  words[(WAIT >> 2) + 3] = 0;
  if (ms > 0) libc.ppoll(at(POLL), 0, at(WAIT), null);
}

const AUDIO_EVERY = 1000 / AUDIO_PER_SECOND;
const FRAME_EVERY = 1000 / FRAMES_PER_SECOND;

/** Takes the thread for `seconds`; `phase` hears when the measured time begins and ends. `people`: that many of the participants send. */
export function run(seconds: number, people: number, phase: (name: "begin" | "end") => void): GeneratorResult {
  const publishing = legs
    .flatMap((leg) => (leg.publisher === undefined ? [] : [{ leg, who: leg.publisher }]))
    .slice(0, people);
  const begin = performance.now();
  for (const [index, { who }] of publishing.entries()) {
    // Spread evenly, by an odd step, so that the load has no beat.
    who.nextAudioAt = begin + ((index * 0.618) % 1) * AUDIO_EVERY;
    who.nextFrameAt = begin + ((index * 0.382 + 0.1) % 1) * FRAME_EVERY;
    who.keyWanted = true;
  }
  histogram.fill(0);
  sent = 0;
  received = 0;
  expected = 0;
  bad = 0;
  measuring = true;
  phase("begin");
  const end = begin + seconds * 1000;
  let nextControlAt = begin;
  let nextTurnAt = begin;
  const bulk = check > 1;
  // Who does not send gets nothing either.
  const watched = bulk ? Math.min(legs.length, people) : legs.length;
  for (;;) {
    let now = performance.now();
    if (now >= end) break;
    let soonest = end;
    for (const { leg, who } of publishing) {
      if (leg.up === undefined) continue;
      while (now >= who.nextAudioAt) {
        sendAudio(leg, who, leg.up);
        who.nextAudioAt += AUDIO_EVERY;
      }
      while (who.video && now >= who.nextFrameAt) {
        sendFrame(leg, who, leg.up);
        who.nextFrameAt += FRAME_EVERY;
      }
      soonest = Math.min(soonest, who.nextAudioAt, who.video ? who.nextFrameAt : end);
    }
    if (now >= nextControlAt) {
      for (const leg of legs) leg.onTimer?.();
      nextControlAt = now + CONTROL_MS;
    }
    now = performance.now();
    // Whole milliseconds: where less is left, look again at once.
    if (libc.poll(at(POLL), watched, bulk ? 0 : Math.max(0, Math.floor(soonest - now))) > 0) {
      now = performance.now();
      for (let index = 0; index < watched; index++)
        if (halves[(POLL + index * POLLFD_BYTES + 6) >> 1] !== 0) take(legs[index] as Leg, now);
    }
    if (!bulk) continue;
    now = performance.now();
    nextTurnAt = Math.max(now, nextTurnAt + BULK_TURN_MS);
    sleep(nextTurnAt - now);
  }
  phase("end");
  const rest = performance.now() + TAIL_MS;
  while (performance.now() < rest) {
    libc.poll(at(POLL), legs.length, 20);
    pump();
  }
  measuring = false;
  const delay = (share: number): number => percentileCell(histogram, share) * CELL_MS;
  return { sent, received, expected, bad, delayMs: { p50: delay(0.5), p99: delay(0.99), p999: delay(0.999) } };
}
