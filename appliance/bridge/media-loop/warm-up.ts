/**
 * Runs the whole packet path on made-up packets: at the first endpoint of a process, so that its meeting does not pay the interpreter and the compiler with its
 * own packets, and in the canaries of allocation.test.ts. Not on an idle box: what the compiler keeps is ten megabytes of its memory (design.md 7).
 *
 * Six people who send audio and video, lose a packet now and then and have it repeated, report, ask again for what they say they lost, and get all of it from the
 * loop: every stage of a plain meeting.
 */
import type { MediaCommand, MediaEvent, PayloadTypeEntry, SrtpMaster, SrtpProfile } from "../media-commands.ts";
import { writeNack } from "../rtcp/nack.ts";
import {
  beginReceiverReport,
  ReportBlock,
  SenderReport,
  writeReportBlock,
  writeSenderReport,
} from "../rtcp/reports.ts";
import { write16, write24 } from "../rtp/bytes.ts";
import { writeHeader } from "../rtp/header.ts";
import { createSrtpContext, type PacketMemory, type SrtpContext, type SrtpProvider } from "../transport/srtp.ts";
import { SRTP_PROFILE_SIZES } from "../transport/srtp-keys.ts";
import { writeAddress } from "./addresses.ts";
import { SLOT_BYTES, WARM_UP_LOG_BYTES, WarmUpLayout } from "./layout.ts";
import { MediaLoop } from "./media-loop.ts";
import { ADDRESS_BYTES, type Outbox } from "./outbox.ts";

/** Time between two rounds, as the loop sees it. */
export const ROUND_MS = 20;
const PEOPLE = 6;
const FRAME_PACKETS = 4;
const AUDIO = 111;
const VIDEO = 100;
const RTX = 96;
/** Every so many video packets of a person one stays away and comes as a repetition a frame later. */
const LOSS_EVERY = 89;
const REPORT_ROUNDS = 25;
/** Every so many frames one is a key frame: RFC 6386 §9.1, 640 × 360. */
const KEY_EVERY = 40;
const KEY_FRAME_START = [0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x01];
/** Where the loop begins numbering, with the `random` that it is given below. */
const FIRST_SEQUENCE = 16_384;
const VIDEO_BYTES = 1100;
const AUDIO_BYTES = 80;
const AUDIO_LEVEL_ID = 1;
const TRANSPORT_CC_ID = 5;

const EXTENSIONS = { audioLevel: AUDIO_LEVEL_ID, transportCc: TRANSPORT_CC_ID };

const type = (payloadType: number, kind: "audio" | "video", codec: "opus" | "vp8"): PayloadTypeEntry => ({
  payloadType,
  kind,
  codec,
  clockRate: kind === "audio" ? 48_000 : 90_000,
  nack: kind === "video",
  pli: kind === "video",
  fir: false,
  transportCc: true,
});
const rtx: PayloadTypeEntry = { ...type(RTX, "video", "vp8"), codec: "rtx", apt: VIDEO, nack: false, pli: false };

const master = (profile: SrtpProfile, fill: number): SrtpMaster => ({
  key: new Uint8Array(SRTP_PROFILE_SIZES[profile].key).fill(fill),
  salt: new Uint8Array(SRTP_PROFILE_SIZES[profile].salt).fill(fill),
});

/** Half of the numbers above 2³¹, as in life: the compiler goes by the kinds of numbers that it has seen. */
const high = (person: number, by: number): number => (person % 2 === 1 ? by : 0);
const audioSsrc = (person: number): number => 10 + person * 4 + high(person, 0x9000_0000);
const videoSsrc = (person: number): number => audioSsrc(person) + 1;
const rtxSsrc = (person: number): number => audioSsrc(person) + 2;

function commands(person: number, profile: SrtpProfile): MediaCommand[] {
  const others = Array.from({ length: PEOPLE }, (_, index) => index).filter((index) => index !== person);
  return [
    { type: "add-endpoint", endpoint: person, conference: 0 },
    {
      type: "payload-types",
      endpoint: person,
      payloadTypes: [type(AUDIO, "audio", "opus"), type(VIDEO, "video", "vp8"), rtx],
      extensions: EXTENSIONS,
      allowMixed: true,
    },
    {
      type: "sources",
      endpoint: person,
      sources: [
        { source: person * 2, name: "a", kind: "audio", encodings: [{ ssrc: audioSsrc(person), rtxSsrc: 0 }] },
        {
          source: person * 2 + 1,
          name: "v",
          kind: "video",
          encodings: [{ ssrc: videoSsrc(person), rtxSsrc: rtxSsrc(person) }],
        },
      ],
    },
    { type: "select-path", endpoint: person, path: { socket: 0, address: "127.0.0.1", port: 1000 + person } },
    {
      type: "srtp-keys",
      endpoint: person,
      profile,
      receive: master(profile, person + 1),
      send: master(profile, person + 51),
    },
    {
      type: "video-targets",
      receiver: person,
      targets: others
        .filter((other) => other < person)
        // Half of them take repetitions on a stream of their own, the others as they were.
        .map((other) => ({
          source: other * 2 + 1,
          layer: 7,
          ssrc: videoSsrc(other),
          rtxSsrc: other % 2 === 0 ? rtxSsrc(other) : 0,
        })),
    },
  ];
}

/** One person's sending side. What is written stands at `at`; each answers its protected length, 0 for a packet that stays away. */
class Speaker {
  readonly #bytes: Uint8Array;
  readonly #context: SrtpContext;
  readonly #person: number;
  readonly #report = new SenderReport();
  readonly #block = new ReportBlock();
  readonly #sequences = new Uint16Array(2);
  #audio = 0;
  #video = 0;
  #frames = 0;
  #transport = 0;
  #repetitions = 0;

  constructor(memory: PacketMemory, provider: SrtpProvider, profile: SrtpProfile, person: number) {
    this.#bytes = memory.bytes;
    this.#person = person;
    this.#context = createSrtpContext(provider, memory, profile, master(profile, person + 1), "send");
  }

  audio(at: number): number {
    this.#audio += 1;
    const bytes = this.#bytes;
    writeHeader(
      bytes,
      at,
      false,
      true,
      false,
      AUDIO,
      this.#audio & 0xffff,
      (this.#audio * 960 + high(this.#person, 0xa000_0000)) >>> 0,
      audioSsrc(this.#person),
    );
    write16(bytes, at + 12, 0xbede);
    write16(bytes, at + 14, 1);
    bytes[at + 16] = AUDIO_LEVEL_ID << 4;
    bytes[at + 17] = 20 + (this.#audio & 31);
    write16(bytes, at + 18, 0);
    return this.#context.protectRtp(at, 20, at + 20, AUDIO_BYTES);
  }

  /** Packet `index` of a frame. */
  video(at: number, index: number): number {
    if (index === 0) this.#frames += 1;
    this.#video += 1;
    if (this.#lost(this.#video)) return 0;
    const marker = index === FRAME_PACKETS - 1;
    const bytes = this.#bytes;
    this.#header(at, marker, VIDEO, this.#video & 0xffff, videoSsrc(this.#person));
    this.#descriptor(at + 20, index === 0);
    const key = this.#frames % KEY_EVERY === 1;
    // The frame tag: its first bit says that it is no key frame. In one, start code and size follow.
    bytes[at + 26] = key ? 0 : 1;
    if (key && index === 0) bytes.set(KEY_FRAME_START, at + 29);
    return this.#context.protectRtp(at, 20, at + 20, VIDEO_BYTES + (index > 1 ? 1 : 0));
  }

  /** The packet of a frame ago, if it stayed away. */
  repetition(at: number): number {
    const lost = this.#video - FRAME_PACKETS;
    if (lost < 2 || !this.#lost(lost)) return 0;
    this.#repetitions += 1;
    this.#header(at, false, RTX, this.#repetitions & 0xffff, rtxSsrc(this.#person));
    write16(this.#bytes, at + 20, lost);
    this.#descriptor(at + 22, false);
    this.#bytes[at + 28] = 1;
    return this.#context.protectRtp(at, 20, at + 20, VIDEO_BYTES + 2);
  }

  /** A sender report with a block about another's video, and a NACK for two packets of it. */
  report(at: number, about: number, sentByThem: number): number {
    const bytes = this.#bytes;
    const report = this.#report;
    report.ssrc = videoSsrc(this.#person);
    report.ntpSeconds = (report.ntpSeconds + 1) >>> 0;
    report.rtpTimestamp = (this.#frames * 3000) >>> 0;
    report.packets = this.#video;
    let length = writeSenderReport(bytes, at, report);
    const block = this.#block;
    block.ssrc = videoSsrc(about);
    block.extendedHighest = FIRST_SEQUENCE + sentByThem;
    beginReceiverReport(bytes, at + length, 1, videoSsrc(this.#person));
    writeReportBlock(bytes, at + length + 8, block);
    length += 32;
    this.#sequences[0] = FIRST_SEQUENCE + sentByThem - 7;
    this.#sequences[1] = FIRST_SEQUENCE + sentByThem - 5;
    length += writeNack(bytes, at + length, 64, videoSsrc(this.#person), videoSsrc(about), this.#sequences, 2);
    return this.#context.protectRtcp(at, length);
  }

  get videoSent(): number {
    return this.#video;
  }

  close(): void {
    this.#context.close();
  }

  #lost(video: number): boolean {
    return video > FRAME_PACKETS && video % LOSS_EVERY === this.#person;
  }

  #header(at: number, marker: boolean, payloadType: number, sequence: number, ssrc: number): void {
    const bytes = this.#bytes;
    this.#transport += 1;
    writeHeader(
      bytes,
      at,
      false,
      true,
      marker,
      payloadType,
      sequence,
      (this.#frames * 3000 + high(this.#person, 0xc000_0000)) >>> 0,
      ssrc,
    );
    write16(bytes, at + 12, 0xbede);
    write16(bytes, at + 14, 1);
    bytes[at + 16] = (TRANSPORT_CC_ID << 4) | 1;
    write24(bytes, at + 17, (this.#transport & 0xffff) << 8);
  }

  /** VP8's payload descriptor with picture id, TL0PICIDX and temporal layer 0: six bytes. */
  #descriptor(at: number, start: boolean): void {
    const bytes = this.#bytes;
    bytes[at] = 0x80 | (start ? 0x10 : 0);
    bytes[at + 1] = 0xe0;
    write16(bytes, at + 2, 0x8000 | (this.#frames & 0x7fff));
    bytes[at + 4] = this.#frames;
    bytes[at + 5] = 0;
  }
}

const HIGH_COUNT = 2 ** 33;

/** A made-up meeting, kept so that it can be gone on with. It has memory of its own: the real loop may be at work beside it. */
export class WarmUp {
  readonly #loop: MediaLoop;
  readonly #speakers: readonly Speaker[];
  readonly #bytes: Uint8Array;
  #now: number;
  #rounds = 0;

  /** `drain` and `emit`: the real loop's own, so that the compiler sees one; the outboxes are silent, and the real loop's shell leaves out what is told here. */
  constructor(
    memory: PacketMemory,
    provider: SrtpProvider,
    profile: SrtpProfile,
    nowMs: number,
    drain: (outbox: Outbox) => void = () => {},
    emit: (event: MediaEvent) => void = () => {},
  ) {
    this.#loop = new MediaLoop({
      memory,
      drain,
      silent: true,
      emit,
      random: () => FIRST_SEQUENCE / 32_768,
      provider: () => provider,
      places: WarmUpLayout,
      logBytes: WARM_UP_LOG_BYTES,
    });
    this.#loop.sockets([4]);
    this.#now = nowMs;
    this.#loop.apply(nowMs, [
      { type: "conference", conference: 0, loudest: 3, feedbackSsrcs: { audio: 1, video: 2 } },
      ...Array.from({ length: PEOPLE }, (_, person) => commands(person, profile)).flat(),
    ]);
    this.#countFromHigh();
    this.#speakers = Array.from({ length: PEOPLE }, (_, person) => new Speaker(memory, provider, profile, person));
    this.#bytes = memory.bytes;
    for (let person = 0; person < PEOPLE; person++)
      writeAddress(this.#bytes, WarmUpLayout.addresses + person * ADDRESS_BYTES, 4, "127.0.0.1", 1000 + person);
  }

  /** Counters of bytes pass 2³¹ within a minute of a busy box, and what has only seen integers is then compiled anew: here they are both kinds of numbers. */
  #countFromHigh(): void {
    const { state } = this.#loop;
    state.bytesSent = HIGH_COUNT;
    state.bytesReceived = HIGH_COUNT;
    for (const endpoint of state.endpoints) {
      if (endpoint === undefined || endpoint.index % 2 === 0) continue;
      endpoint.bytesSent = HIGH_COUNT;
      endpoint.bytesReceived = HIGH_COUNT;
    }
  }

  /** Packets that went out so far. */
  get sent(): number {
    return this.#loop.state.packetsSent;
  }

  /** The loop's own counters. */
  get state(): MediaLoop["state"] {
    return this.#loop.state;
  }

  /** Forwards until the budget is spent. `clock`: ms with a fraction; `roundMs`: time that the loop sees pass in each round. */
  run(budgetMs: number, clock: () => number, roundMs: number): void {
    const begin = clock();
    while (clock() - begin < budgetMs) this.round(roundMs);
  }

  /** A frame and a sound of everybody. Time as the loop sees it runs as in a meeting, whatever the clock says. */
  round(roundMs: number): void {
    const loop = this.#loop;
    this.#now += roundMs;
    this.#rounds += 1;
    for (let person = 0; person < PEOPLE; person++) {
      const speaker = this.#speakers[person] as Speaker;
      const from = WarmUpLayout.addresses + person * ADDRESS_BYTES;
      for (let packet = 0; packet <= FRAME_PACKETS; packet++) {
        const at = WarmUpLayout.slots + packet * SLOT_BYTES;
        const length = packet === FRAME_PACKETS ? speaker.audio(at) : speaker.video(at, packet);
        if (length > 0) loop.receive(this.#now, 0, at, length, from);
        const again = packet === FRAME_PACKETS ? 0 : speaker.repetition(at);
        if (again > 0) loop.receive(this.#now, 0, at, again, from);
      }
      if ((this.#rounds + person) % REPORT_ROUNDS === 0 && this.#rounds > REPORT_ROUNDS) {
        const other = (person + PEOPLE - 1) % PEOPLE;
        const at = WarmUpLayout.slots;
        const length = speaker.report(at, other, (this.#speakers[other] as Speaker).videoSent);
        loop.receive(this.#now, 0, at, length, from);
      }
      loop.endBatch(this.#now);
    }
    if (this.#now >= loop.nextTick) loop.tick(this.#now);
  }

  close(): void {
    this.#loop.apply(this.#now, [{ type: "remove-conference", conference: 0 }]);
    for (const speaker of this.#speakers) speaker.close();
  }
}

/** One whole warm-up; answers how many packets went out. */
export function warmUp(
  memory: PacketMemory,
  provider: SrtpProvider,
  profile: SrtpProfile,
  budgetMs: number,
  clock: () => number,
  roundMs = ROUND_MS,
): number {
  const warming = new WarmUp(memory, provider, profile, clock());
  warming.run(budgetMs, clock, roundMs);
  warming.close();
  return warming.sent;
}
