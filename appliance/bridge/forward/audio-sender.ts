/**
 * One microphone toward one receiver: the payload untouched, numbers closed up over what is not forwarded.
 */
import type { RtpPacket } from "../rtp/packet.ts";
import type { Rewrite } from "./rewrite.ts";
import type { OutgoingStream } from "./sender.ts";
import { SequenceMap } from "./sequence-map.ts";
import { continuedTimestamp } from "./timestamps.ts";

export class AudioSender {
  readonly stream: OutgoingStream;
  readonly #map = new SequenceMap(16);
  #begun = false;
  #timestampOffset = 0;

  constructor(stream: OutgoingStream) {
    this.stream = stream;
  }

  /** What is added to the source's timestamps; for sender reports. */
  get timestampOffset(): number {
    return this.#timestampOffset;
  }

  get begun(): boolean {
    return this.#begun;
  }

  /** The outgoing stream now carries another source: the next packet begins anew. */
  restart(): void {
    this.#begun = false;
  }

  /** Reads what the next packet will need (media-loop/ahead.ts); the number means nothing. */
  ahead(): number {
    return (this.#timestampOffset + this.#map.ahead() + this.stream.ahead()) | 0;
  }

  /** False: the packet is not forwarded (its number lies where nothing can be placed). */
  accept(nowMs: number, packet: RtpPacket, clockRate: number, rewrite: Rewrite): boolean {
    if (!this.#begun) {
      this.#begun = true;
      this.#map.begin(packet.extendedSequence, this.stream.nextSequence);
      if (this.stream.started)
        this.#timestampOffset =
          (continuedTimestamp(this.stream, nowMs, clockRate, clockRate / 50) - packet.timestamp) | 0;
    }
    const sequence = this.#map.map(packet.extendedSequence);
    if (sequence < 0) return false;
    rewrite.sequence = sequence;
    rewrite.timestamp = (packet.timestamp + this.#timestampOffset) >>> 0;
    rewrite.marker = packet.marker;
    return true;
  }

  /** Not for this receiver, or for nobody: the number is closed up. */
  skip(packet: RtpPacket): void {
    if (this.#begun) this.#map.drop(packet.extendedSequence, false);
  }
}
