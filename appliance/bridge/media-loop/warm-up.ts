/**
 * Tests only: runs the whole packet path on made-up packets, for the canaries of allocation.test.ts. (At start it would spare a first meeting the compiler, but
 * what the compiler keeps costs an idle box ten megabytes, more than its budget leaves: design.md 7.)
 */
import type { MediaCommand, PayloadTypeEntry, SrtpMaster, SrtpProfile } from "../media-commands.ts";
import { write16, write24 } from "../rtp/bytes.ts";
import { writeHeader } from "../rtp/header.ts";
import { createSrtpContext, type PacketMemory, type SrtpContext, type SrtpProvider } from "../transport/srtp.ts";
import { SRTP_PROFILE_SIZES } from "../transport/srtp-keys.ts";
import { writeAddress } from "./addresses.ts";
import { Layout, RECEIVE_SLOTS, SLOT_BYTES } from "./layout.ts";
import { MediaLoop } from "./media-loop.ts";
import { ADDRESS_BYTES } from "./outbox.ts";

/** Of packet history: little, its pages stay in use for good. */
const LOG_BYTES = 256 * 1024;
/** Time between two rounds, as the loop sees it. */
export const ROUND_MS = 20;
const PEOPLE = 6;
const FRAME_PACKETS = 4;
const AUDIO = 111;
const VIDEO = 100;
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

const master = (profile: SrtpProfile, fill: number): SrtpMaster => ({
  key: new Uint8Array(SRTP_PROFILE_SIZES[profile].key).fill(fill),
  salt: new Uint8Array(SRTP_PROFILE_SIZES[profile].salt).fill(fill),
});

const audioSsrc = (person: number): number => 10 + person * 2;
const videoSsrc = (person: number): number => 11 + person * 2;

function commands(person: number, profile: SrtpProfile): MediaCommand[] {
  const others = Array.from({ length: PEOPLE }, (_, index) => index).filter((index) => index !== person);
  return [
    { type: "add-endpoint", endpoint: person, conference: 0 },
    {
      type: "payload-types",
      endpoint: person,
      payloadTypes: [type(AUDIO, "audio", "opus"), type(VIDEO, "video", "vp8")],
      extensions: EXTENSIONS,
      allowMixed: true,
    },
    {
      type: "sources",
      endpoint: person,
      sources: [
        { source: person * 2, name: "a", kind: "audio", encodings: [{ ssrc: audioSsrc(person), rtxSsrc: 0 }] },
        { source: person * 2 + 1, name: "v", kind: "video", encodings: [{ ssrc: videoSsrc(person), rtxSsrc: 0 }] },
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
        .map((other) => ({ source: other * 2 + 1, layer: 7, ssrc: videoSsrc(other), rtxSsrc: 0 })),
    },
  ];
}

/** One person's sending side. */
class Speaker {
  readonly #bytes: Uint8Array;
  readonly #context: SrtpContext;
  readonly #person: number;
  #audio = 0;
  #video = 0;
  #frames = 0;

  constructor(memory: PacketMemory, provider: SrtpProvider, profile: SrtpProfile, person: number) {
    this.#bytes = memory.bytes;
    this.#person = person;
    this.#context = createSrtpContext(provider, memory, profile, master(profile, person + 1), "send");
  }

  audio(at: number): number {
    this.#audio += 1;
    const bytes = this.#bytes;
    writeHeader(bytes, at, false, true, false, AUDIO, this.#audio & 0xffff, this.#audio * 960, audioSsrc(this.#person));
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
    const bytes = this.#bytes;
    const last = index === FRAME_PACKETS - 1;
    writeHeader(
      bytes,
      at,
      false,
      true,
      last,
      VIDEO,
      this.#video & 0xffff,
      (this.#frames * 3000) >>> 0,
      videoSsrc(this.#person),
    );
    write16(bytes, at + 12, 0xbede);
    write16(bytes, at + 14, 1);
    bytes[at + 16] = (TRANSPORT_CC_ID << 4) | 1;
    write24(bytes, at + 17, (this.#video & 0xffff) << 8);
    bytes[at + 20] = 0x80 | (index === 0 ? 0x10 : 0);
    bytes[at + 21] = 0xe0;
    write16(bytes, at + 22, 0x8000 | (this.#frames & 0x7fff));
    bytes[at + 24] = this.#frames;
    bytes[at + 25] = 0;
    bytes[at + 26] = this.#frames % 64 === 1 ? 0 : 1;
    return this.#context.protectRtp(at, 20, at + 20, VIDEO_BYTES + (index > 1 ? 1 : 0));
  }

  close(): void {
    this.#context.close();
  }
}

/** A made-up meeting, kept so that it can be gone on with. Nothing of it may be alive once a real endpoint is: it uses the loop's own memory. */
export class WarmUp {
  readonly #loop: MediaLoop;
  readonly #speakers: readonly Speaker[];
  readonly #bytes: Uint8Array;
  #now: number;

  constructor(memory: PacketMemory, provider: SrtpProvider, profile: SrtpProfile, nowMs: number) {
    this.#loop = new MediaLoop({
      memory,
      drain: () => {},
      emit: () => {},
      random: () => 0.5,
      provider: () => provider,
      logBytes: LOG_BYTES,
    });
    this.#loop.sockets([4]);
    this.#now = nowMs;
    this.#loop.apply(nowMs, [
      { type: "conference", conference: 0, loudest: 3, feedbackSsrcs: { audio: 1, video: 2 } },
      ...Array.from({ length: PEOPLE }, (_, person) => commands(person, profile)).flat(),
    ]);
    this.#speakers = Array.from({ length: PEOPLE }, (_, person) => new Speaker(memory, provider, profile, person));
    this.#bytes = memory.bytes;
  }

  /** Packets that went out so far. */
  get sent(): number {
    return this.#loop.state.packetsSent;
  }

  /** Forwards until the budget is spent. `clock`: ms with a fraction; `roundMs`: time that the loop sees pass in each round. */
  run(budgetMs: number, clock: () => number, roundMs: number): void {
    const loop = this.#loop;
    const begin = clock();
    // Written again each time: between two slices the real loop receives into the same places.
    for (let person = 0; person < PEOPLE; person++)
      writeAddress(this.#bytes, Layout.receiveAddresses + person * ADDRESS_BYTES, 4, "127.0.0.1", 1000 + person);
    // Time as the loop sees it runs as in a meeting, whatever the clock says.
    while (clock() - begin < budgetMs) {
      this.#now += roundMs;
      for (let person = 0; person < PEOPLE; person++) {
        const speaker = this.#speakers[person] as Speaker;
        const from = Layout.receiveAddresses + person * ADDRESS_BYTES;
        for (let packet = 0; packet <= FRAME_PACKETS; packet++) {
          const at = Layout.slots + ((person * 8 + packet) % RECEIVE_SLOTS) * SLOT_BYTES;
          const length = packet === FRAME_PACKETS ? speaker.audio(at) : speaker.video(at, packet);
          loop.receive(this.#now, 0, at, length, from);
        }
        loop.endBatch(this.#now);
      }
      if (this.#now >= loop.nextTick) loop.tick(this.#now);
    }
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
