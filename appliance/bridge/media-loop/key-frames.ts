/**
 * Asking senders for key frames: merged over receivers, throttled (bridge.md 4.9), to the encoding that the receiver is waiting for.
 */
import type { VideoSender } from "../forward/video-sender.ts";
import { FIR_LENGTH, PLI_LENGTH, writeFir, writePli } from "../rtcp/key-frame.ts";
import { SRTP_MAX_OVERHEAD, SRTP_SCRATCH_BYTES } from "../transport/srtp.ts";
import type { Endpoint, Source, SourceStream } from "./endpoint.ts";
import type { LoopState } from "./state.ts";

/** An encoding without a packet for so long is taken for switched off. */
const ALIVE_MS = 1000;
/** After the last packet that showed somebody waiting, packets are kept for so long. */
const KEEP_MS = 1000;

const reaches = (endpoint: Endpoint): boolean => endpoint.reachable && endpoint.send !== undefined;

export class KeyFrames {
  readonly #state: LoopState;

  constructor(state: LoopState) {
    this.#state = state;
  }

  /** The receiver's target cannot be forwarded before a key frame: asked for until one has been. */
  needed(nowMs: number, source: Source, receiver: Endpoint, sender: VideoSender): void {
    const target = sender.target >> 6;
    // What passes already is not kept: those above it, or all up to the target, may begin late.
    const { current } = sender;
    const lowest = current > target ? 0 : Math.max(current + 1, sender.exactly ? target : 0);
    for (let index = lowest; index <= target && index < source.encodings.length; index++)
      (source.encodings[index] as SourceStream).keepUntil = nowMs + KEEP_MS;
    const stream = sender.exactly
      ? this.#alive(nowMs, source.encodings[target])
      : this.#streamFor(nowMs, source, target);
    // Nothing better is sent than what passes already.
    if (stream === undefined || (stream.encoding === sender.current && !sender.lacksLayer)) return;
    const owner = stream.owner.owner;
    if (!reaches(receiver) || !reaches(owner)) return;
    // A request that somebody else's need has just sent serves this one, too.
    if (sender.need.ask(nowMs, owner.rttMs)) this.#send(nowMs, stream);
  }

  /** The receiver asks: it cannot show what it gets. */
  asked(nowMs: number, source: Source, receiver: Endpoint, sender: VideoSender): void {
    if (sender.needsKeyFrame) this.needed(nowMs, source, receiver, sender);
    const stream = source.encodings[sender.current];
    if (stream === undefined || !stream.requests.ready(nowMs)) return;
    // A receiver has three requests in ten seconds: none is spent while a key frame could not come in or go out.
    if (!reaches(receiver) || !reaches(stream.owner.owner)) return;
    if (!sender.requests.ask(nowMs, receiver.rttMs)) return;
    this.#send(nowMs, stream);
    stream.requests.awaited();
    stream.keyFrameAwaited = true;
  }

  /** A packet of a stream of which a key frame is awaited, and not that. */
  stillAwaited(nowMs: number, stream: SourceStream): void {
    const again = stream.requests.again(nowMs, stream.owner.owner.rttMs);
    if (again === "later") return;
    if (again === "now") this.#send(nowMs, stream);
    else stream.keyFrameAwaited = false;
  }

  /** More was lost than retransmission can mend: whoever watches this stream needs a new start. */
  lost(nowMs: number, stream: SourceStream): void {
    for (const taker of stream.owner.videoTakers) {
      if (taker.sender.target < 0 || taker.sender.current !== stream.encoding) continue;
      this.#send(nowMs, stream);
      return;
    }
  }

  /** The control side asks, for all encodings: somebody is about to watch. */
  ask(nowMs: number, source: Source): void {
    for (const stream of source.encodings) if (stream.lastPacketAt >= 0) this.#send(nowMs, stream);
    const first = source.encodings[0];
    if (first !== undefined && source.encodings.every((stream) => stream.lastPacketAt < 0)) this.#send(nowMs, first);
  }

  /** The target's own stream when it is alive, else the best alive below it, else the target's all the same. */
  #streamFor(nowMs: number, source: Source, encoding: number): SourceStream | undefined {
    for (let index = Math.min(encoding, source.encodings.length - 1); index >= 0; index--) {
      const stream = this.#alive(nowMs, source.encodings[index]);
      if (stream !== undefined) return stream;
    }
    return source.encodings[Math.min(encoding, source.encodings.length - 1)];
  }

  #alive(nowMs: number, stream: SourceStream | undefined): SourceStream | undefined {
    return stream !== undefined && stream.lastPacketAt >= 0 && nowMs - stream.lastPacketAt < ALIVE_MS
      ? stream
      : undefined;
  }

  #send(nowMs: number, stream: SourceStream): void {
    const state = this.#state;
    const owner = stream.owner.owner;
    const { pli, fir } = owner.payload;
    const context = owner.send;
    if (!owner.reachable || context === undefined || (!pli && !fir)) return;
    if (!stream.requests.send(nowMs)) return;
    const at = state.outbox.reserve(owner, FIR_LENGTH + SRTP_MAX_OVERHEAD + SRTP_SCRATCH_BYTES);
    const sender = owner.conference.feedbackVideo;
    const length = pli
      ? writePli(state.bytes, at, sender, stream.ssrc)
      : writeFir(state.bytes, at, sender, stream.ssrc, stream.requests.commandSequence);
    const size = context.protectRtcp(at, length);
    if (size < PLI_LENGTH) return;
    state.outbox.commit(owner, size);
    state.keyFrameRequestsSent += 1;
    owner.bytesSent += size;
  }
}
