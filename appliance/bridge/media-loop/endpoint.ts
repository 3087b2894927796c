/**
 * What the loop knows of conferences, endpoints and sources. Made and changed by commands only (apply-command.ts); the packet path reads it and counts.
 */
import type { AudioSender } from "../forward/audio-sender.ts";
import { usualVideoId } from "../forward/packet-writer.ts";
import type { OutgoingStream } from "../forward/sender.ts";
import type { VideoSender } from "../forward/video-sender.ts";
import type { EndpointIndex, SourceIndex } from "../media-commands.ts";
import { IncomingStream } from "../receive/receiver.ts";
import { ArrivalRecorder } from "../rtcp/transport-feedback.ts";
import type { SrtpContext } from "../transport/srtp.ts";
import { MAX_SOURCES } from "./bounds.ts";
import { Loudness } from "./loudness.ts";
import { Destination } from "./outbox.ts";
import { PayloadTable } from "./payload-table.ts";

/** Audio levels kept per endpoint between two `levels` events. */
export const LEVELS = 32;

export type SourceStream = IncomingStream<Source>;

/** A receiver of a source. */
export class Taker<Sender> {
  readonly receiver: Endpoint;
  readonly sender: Sender;
  /** The receiver's payload type for `from`; remembered, because a stream keeps its type. */
  from = -1;
  to = -1;

  constructor(receiver: Endpoint, sender: Sender) {
    this.receiver = receiver;
    this.sender = sender;
  }
}

export class Source {
  readonly index: SourceIndex;
  readonly owner: Endpoint;
  readonly kind: "audio" | "video";
  name: string;
  readonly encodings: SourceStream[] = [];
  audioTakers: Taker<AudioSender>[] = [];
  videoTakers: Taker<VideoSender>[] = [];
  /** A receiver in rewriting mode lacks a slot for this microphone. */
  wantsSlot = false;
  askedSlotAt = Number.NEGATIVE_INFINITY;
  /** Silence packets forwarded in a row. */
  silent = 0;
  /** Of a microphone behind a relay: its levels since they were last told. */
  levels: Uint8Array | undefined;
  levelCount = 0;
  layersReportedAt = Number.NEGATIVE_INFINITY;
  layersAlive = false;

  constructor(index: SourceIndex, owner: Endpoint, kind: "audio" | "video", name: string) {
    this.index = index;
    this.owner = owner;
    this.kind = kind;
    this.name = name;
  }
}

/** What feeds one outgoing video SSRC. */
export interface VideoFeed {
  readonly source: Source;
  readonly sender: VideoSender;
  readonly key: number;
}

/** Key of a receiver's sender: of a source, or of one of its encodings where simulcast travels whole. */
export const feedKey = (source: SourceIndex, encoding: number | undefined): number =>
  encoding === undefined ? source : source + (encoding + 1) * MAX_SOURCES;

/** It is itself the destination of what goes to it at once: one object fewer for every packet to touch. */
export class Endpoint extends Destination {
  // First what every packet to it touches: fields lie in memory in the order in which they stand here, those of Destination before them.
  send: SrtpContext | undefined;
  /** Path in the table; −1: not selected yet. */
  path = -1;
  /** Next transport-wide number to write; the counter starts at 1. */
  transportSequence = 1;
  packetsSent = 0;
  bytesSent = 0;
  /** Bytes that `send` appends to RTP. */
  tagBytes = 10;
  /** `usualVideoId` of `payload`, beside what every packet touches. */
  usualVideoId = 0;
  #payload = new PayloadTable([], {}, false);
  /** The same address, for what waits. */
  readonly later = new Destination();

  // Then what every packet from it touches.
  receive: SrtpContext | undefined;
  /** Packets in this tick's time whose SRTP was refused. */
  refused = 0;
  /** The stream looked up last: packets come in runs. */
  #lastSsrc = 0;
  #lastStream: SourceStream | undefined;
  lastReceivedAt = -1;
  packetsReceived = 0;
  bytesReceived = 0;
  readonly arrivals = new ArrivalRecorder();
  frameEnded = false;
  /** In the loop's list of endpoints to look after when the batch ends. */
  touched = false;
  muteAudio = false;
  muteVideo = false;

  readonly index: EndpointIndex;
  readonly conference: Conference;
  /** Hears microphones only through slots (bridge.md 4.6). */
  readonly ssrcRewriting: boolean;
  /** Another bridge. */
  readonly relay: boolean;
  /** Incoming SSRC (as signed 32 bits) → stream. */
  readonly streams = new Map<number, SourceStream>();
  readonly sources = new Map<SourceIndex, Source>();
  /** The same as arrays, for what runs often: an iterator is an allocation. */
  streamList: readonly SourceStream[] = [];
  sourceList: readonly Source[] = [];
  /** Outgoing SSRC (signed) → its stream; never taken out while the keys live. */
  readonly outgoing = new Map<number, OutgoingStream>();
  /** Outgoing SSRC (signed) → what feeds it now. */
  readonly videoBySsrc = new Map<number, VideoFeed>();
  readonly audioSenders = new Map<SourceIndex, AudioSender>();
  /** By `feedKey`. */
  readonly videoSenders = new Map<number, VideoSender>();
  /** Slots of microphones in rewriting mode. */
  readonly audioSsrcs = new Map<SourceIndex, number>();
  subscription: { readonly all: boolean; readonly sources: ReadonlySet<SourceIndex> } = {
    all: true,
    sources: new Set(),
  };
  table = 0;
  ice: { readonly username: string; readonly password: string; readonly controlling: boolean } | undefined;
  /** Consent checks that may still be answered before the next tick. */
  answersLeft = 0;

  feedbackAt = Number.NEGATIVE_INFINITY;
  /** Since when a transport-wide feedback waits to be sent, −1: none does. */
  feedbackDueAt = -1;
  reportAt = 0;
  /** A NACK may be due. */
  nackPending = false;

  /** Smoothed round-trip time; 0: not known. */
  rttMs = 0;
  rttChanged = false;
  readonly levels = new Uint8Array(LEVELS);
  levelCount = 0;
  /** Loudness for the loudest-N choice. */
  loudness = new Loudness();

  /** It sent REMB although transport-wide feedback was agreed. */
  spuriousRemb = false;
  /** Retransmissions that NACKs may still cost in this tick. */
  nackBudget = 0;

  constructor(index: EndpointIndex, conference: Conference, ssrcRewriting: boolean, relay = false) {
    super();
    this.relay = relay;
    this.index = index;
    this.conference = conference;
    this.ssrcRewriting = ssrcRewriting;
  }

  /** Reads what a packet to this endpoint needs (ahead.ts); the number means nothing. */
  ahead(srtpPlace: number): number {
    const send = this.send;
    return (
      (this.transportSequence + this.at + this.usualVideoId + (send === undefined ? 0 : send.ahead(srtpPlace))) | 0
    );
  }

  stream(ssrc: number): SourceStream | undefined {
    const key = ssrc | 0;
    if (key === this.#lastSsrc && this.#lastStream !== undefined) return this.#lastStream;
    const stream = this.streams.get(key);
    if (stream !== undefined) {
      this.#lastSsrc = key;
      this.#lastStream = stream;
    }
    return stream;
  }

  /** After any change of `streams` or `sources`. */
  settleSources(): void {
    this.#lastStream = undefined;
    this.streamList = [...this.streams.values()];
    this.sourceList = [...this.sources.values()];
  }

  get payload(): PayloadTable {
    return this.#payload;
  }

  set payload(table: PayloadTable) {
    this.#payload = table;
    this.usualVideoId = usualVideoId(table.extensions);
  }

  /** Media can go to it. */
  get reachable(): boolean {
    return this.path >= 0 && this.send !== undefined;
  }
}

export class Conference {
  readonly id: number;
  loudest: number;
  feedbackAudio: number;
  feedbackVideo: number;
  readonly endpoints = new Set<Endpoint>();
  /** The same as an array, for what runs often. */
  members: readonly Endpoint[] = [];
  dominant = -1;
  /** Who takes whose microphone has to be worked out again. */
  stale = false;

  constructor(id: number, loudest: number, feedbackAudio: number, feedbackVideo: number) {
    this.id = id;
    this.loudest = loudest;
    this.feedbackAudio = feedbackAudio;
    this.feedbackVideo = feedbackVideo;
  }
}

export const newSourceStream = (
  source: Source,
  ssrc: number,
  encoding: number,
  repairs: SourceStream | undefined,
): SourceStream => new IncomingStream<Source>(source, source.kind, ssrc, encoding, repairs);
