/**
 * Tests only: what a simulated participant sends and receives in one session: generated audio and VP8, NACKs for what is missing, key-frame requests
 * while there is nothing to begin with. A session has its own: new SSRCs, new counters, as a browser's new connection has.
 */
import type { SrtpMaster, SrtpProfile } from "../../appliance/bridge/media-commands.ts";
import { FeedbackFormat, RtcpCursor, RtcpType } from "../../appliance/bridge/rtcp/compound.ts";
import { writePli } from "../../appliance/bridge/rtcp/key-frame.ts";
import { nackBitmask, nackEntryCount, nackMediaSsrc, nackPid, writeNack } from "../../appliance/bridge/rtcp/nack.ts";
import { parseHeader, parsePadding } from "../../appliance/bridge/rtp/header.ts";
import { RtpPacket } from "../../appliance/bridge/rtp/packet.ts";
import { createSrtpContext, type PacketMemory, type SrtpContext } from "../../appliance/bridge/transport/srtp.ts";
import { nodeProvider } from "../../appliance/bridge/transport/srtp-node.ts";
import type { Millis } from "../../appliance/time.ts";
import type { EndpointSources } from "../../appliance/wire/sources.ts";
import {
  AudioGenerator,
  cameraEncodings,
  type PacketSink,
  peerSources,
  Reception,
  RTX,
  VideoGenerator,
  VP8,
} from "../media-peer-media.ts";

const NACK_MS = 60;
const MAX_NACKS = 10;
const PLI_MS = 300;

export class SimulatedMedia {
  readonly received = new Map<number, Reception>();
  speaking = true;
  readonly #audio: AudioGenerator;
  readonly #video: readonly VideoGenerator[];
  readonly #memory: PacketMemory;
  readonly #transmit: (bytes: Uint8Array) => void;
  /** Sources of others as they were signalled, by owner. */
  readonly #signalled: ReadonlyMap<string, EndpointSources>;
  readonly #packet = new RtpPacket();
  readonly #cursor = new RtcpCursor();
  readonly #sink: PacketSink;
  #send: SrtpContext | undefined;
  #receive: SrtpContext | undefined;
  #frames = 0;
  #transportSequence = 0;
  /** When it last asked for a key frame, by SSRC. */
  readonly #asked = new Map<number, number>();
  readonly #missing = new Map<
    string,
    { readonly ssrc: number; readonly sequence: number; tries: number; at: number }
  >();

  /** Seven SSRCs are used, from `firstSsrc` on. */
  constructor(
    firstSsrc: number,
    signalled: ReadonlyMap<string, EndpointSources>,
    transmit: (bytes: Uint8Array) => void,
  ) {
    this.#signalled = signalled;
    this.#transmit = transmit;
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
    this.#memory = { memory, bytes: new Uint8Array(memory.buffer), base: 0 };
    this.#audio = new AudioGenerator(firstSsrc);
    this.#video = cameraEncodings(firstSsrc + 1).map((encoding) => new VideoGenerator(encoding));
    this.#sink = {
      packet: (bytes, header, payload) => this.#sendRtp(bytes, header, payload),
      transportSequence: () => {
        this.#transportSequence = (this.#transportSequence + 1) & 0xffff;
        return this.#transportSequence;
      },
    };
  }

  /** What the session's answer announces. */
  sources(owner: string): EndpointSources {
    const own = peerSources(
      owner,
      this.#audio.ssrc,
      this.#video.map(({ encoding }) => encoding),
    );
    return {
      sources: own.flatMap((each) =>
        each.sources.sources.map((source) => ({ ...source, msid: `${each.id}-stream ${each.id}-track` })),
      ),
      groups: own.flatMap((each) => each.sources.groups),
    };
  }

  keys(profile: SrtpProfile, send: SrtpMaster, receive: SrtpMaster): void {
    const provider = nodeProvider(this.#memory);
    this.#send = createSrtpContext(provider, this.#memory, profile, send, "send");
    this.#receive = createSrtpContext(provider, this.#memory, profile, receive, "receive");
  }

  close(): void {
    this.#send?.close();
    this.#receive?.close();
    this.#send = undefined;
    this.#receive = undefined;
  }

  /** Every 20 ms. */
  tick(now: Millis): void {
    this.#audio.send(this.speaking ? 60 : 0, this.#sink);
    this.#frames += 0.3; // 15 frames a second, one encoding: what is held here does not hang on the picture's size
    if (this.#frames >= 1) {
      this.#frames -= 1;
      this.#video[0]?.frameDue(this.#sink);
    }
    this.#askAgain(now);
  }

  receive(now: Millis, kind: "rtp" | "rtcp", bytes: Uint8Array): void {
    if (this.#receive === undefined) return;
    this.#memory.bytes.set(bytes);
    if (kind === "rtp") this.#rtp(now, bytes.length);
    else this.#rtcp(bytes.length);
  }

  #rtp(now: Millis, length: number): void {
    const { bytes } = this.#memory;
    const packet = this.#packet;
    if (!parseHeader(bytes, 0, length, packet)) return;
    const plain = this.#receive?.unprotectRtp(0, packet.headerLength, length) ?? -1;
    if (plain < 0 || !parsePadding(bytes, plain, packet) || packet.payloadLength === 0) return;
    let { ssrc } = packet;
    if (packet.payloadType === RTX) {
      ssrc = this.#ownerOfRtx(ssrc) ?? ssrc;
      packet.sequence = ((bytes[packet.payloadOffset] ?? 0) << 8) | (bytes[packet.payloadOffset + 1] ?? 0);
      packet.payloadOffset += 2;
      packet.payloadLength -= 2;
      const stream = this.#reception(ssrc);
      packet.payloadType = VP8; // the first packet of a stream may itself come as a repeat
      stream.recovered++;
    }
    const missing: number[] = [];
    this.#reception(ssrc).take(bytes, packet, now, missing);
    this.#missing.delete(`${ssrc} ${packet.sequence}`);
    const video = [...this.#signalled.values()].some(({ groups }) => groups.some(({ ssrcs }) => ssrcs[0] === ssrc));
    if (video)
      for (const sequence of missing) this.#missing.set(`${ssrc} ${sequence}`, { ssrc, sequence, tries: 0, at: 0 });
  }

  /** From the FID groups that were signalled. */
  #ownerOfRtx(rtx: number): number | undefined {
    for (const { groups } of this.#signalled.values())
      for (const { semantics, ssrcs } of groups) if (semantics === "FID" && ssrcs[1] === rtx) return ssrcs[0];
    return undefined;
  }

  #reception(ssrc: number): Reception {
    const known = this.received.get(ssrc);
    if (known !== undefined) return known;
    const fresh = new Reception();
    this.received.set(ssrc, fresh);
    return fresh;
  }

  #rtcp(length: number): void {
    const plain = this.#receive?.unprotectRtcp(0, length) ?? -1;
    if (plain < 0) return;
    const bytes = this.#memory.bytes.slice(0, plain);
    const cursor = this.#cursor;
    cursor.begin(bytes, 0, plain);
    while (cursor.next()) {
      const media = nackMediaSsrc(bytes, cursor.offset);
      const generator = this.#video.find(({ encoding }) => encoding.ssrc === media);
      if (generator === undefined) continue;
      if (cursor.type === RtcpType.payloadFeedback && cursor.count === FeedbackFormat.pictureLoss)
        generator.requestKeyFrame();
      if (cursor.type !== RtcpType.transportFeedback || cursor.count !== FeedbackFormat.nack) continue;
      for (let entry = 0; entry < nackEntryCount(cursor.length); entry++) {
        const pid = nackPid(bytes, cursor.offset, entry);
        const mask = nackBitmask(bytes, cursor.offset, entry);
        generator.resend(pid, this.#sink);
        for (let bit = 0; bit < 16; bit++)
          if ((mask & (1 << bit)) !== 0) generator.resend((pid + bit + 1) & 0xffff, this.#sink);
      }
    }
  }

  #askAgain(now: Millis): void {
    // A decoder that has nothing to begin with says so, as browsers do.
    for (const [ssrc, { frames, keyFrames }] of this.received) {
      if (frames === 0 || keyFrames > 0 || now - (this.#asked.get(ssrc) ?? 0) < PLI_MS) continue;
      this.#asked.set(ssrc, now);
      const bytes = new Uint8Array(16);
      this.#sendRtcp(bytes.subarray(0, writePli(bytes, 0, this.#audio.ssrc, ssrc)));
    }
    const due = new Map<number, number[]>();
    for (const [key, entry] of this.#missing) {
      if (entry.tries >= MAX_NACKS) this.#missing.delete(key);
      else if (now - entry.at >= NACK_MS) {
        entry.tries++;
        entry.at = now;
        due.set(entry.ssrc, [...(due.get(entry.ssrc) ?? []), entry.sequence]);
      }
    }
    for (const [ssrc, sequences] of due) {
      const bytes = new Uint8Array(1_400);
      const numbers = Uint16Array.from(sequences);
      const length = writeNack(bytes, 0, 1_200, this.#audio.ssrc, ssrc, numbers, numbers.length);
      this.#sendRtcp(bytes.subarray(0, length));
    }
  }

  #sendRtp(bytes: Uint8Array, headerBytes: number, payloadBytes: number): void {
    this.#memory.bytes.set(bytes.subarray(0, headerBytes + payloadBytes));
    this.#sealed(this.#send?.protectRtp(0, headerBytes, headerBytes, payloadBytes) ?? -1);
  }

  #sendRtcp(bytes: Uint8Array): void {
    this.#memory.bytes.set(bytes);
    this.#sealed(this.#send?.protectRtcp(0, bytes.length) ?? -1);
  }

  #sealed(length: number): void {
    if (length > 0) this.#transmit(this.#memory.bytes.slice(0, length));
  }
}
