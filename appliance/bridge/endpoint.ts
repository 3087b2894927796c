/**
 * One participant: its transport, its channel, what it sends and what it asked for. What concerns others is the conference's (conference.ts).
 */
import type { Millis } from "../time.ts";
import type { BridgeMessage } from "../wire/channel-messages.ts";
import { encodeChannelMessage } from "../wire/channel-messages.ts";
import type { ColibriEndpoint } from "../wire/colibri2.ts";
import type { IceTransport } from "../wire/ice-transport.ts";
import type { Allocation } from "./allocate/allocate.ts";
import { type AllocationSettings, initialSettings, type VideoConstraints } from "./allocate/constraints.ts";
import { Channel } from "./channel.ts";
import { SenderSources } from "./conference-sources.ts";
import type { BridgeContext } from "./context.ts";
import { Link, type LinkOwner } from "./link.ts";
import type { EndpointIndex, VideoTarget } from "./media-commands.ts";
import { PayloadTypes } from "./payload-types.ts";
import { SsrcSlots } from "./slots.ts";
import type { TransportFailure } from "./transport/transport.ts";

/** Slots of each kind in rewriting mode (bridge.md 4.6). */
export const SSRC_LIMIT = 50;

/** What the endpoint's conference does for it. */
export interface EndpointHome {
  readonly id: string;
  readonly number: number;
  connected(now: Millis, endpoint: Endpoint): void;
  channelOpened(now: Millis, endpoint: Endpoint, over: "websocket" | "data-channel"): void;
  channelText(now: Millis, endpoint: Endpoint, text: string, over: "websocket" | "data-channel"): void;
  ended(now: Millis, endpoint: Endpoint): void;
}

export interface AudioSubscription {
  readonly all: boolean;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export class Endpoint implements LinkOwner {
  readonly id: string;
  readonly index: EndpointIndex;
  readonly createdAt: Millis;
  readonly visitor: boolean;
  readonly ssrcRewriting: boolean;
  /** Packets of a slot carry the slot's mid (bridge.md 1.2). */
  readonly midDemux: boolean;
  /** Secret of the channel's URL, fixed for the endpoint's life. */
  readonly channelSecret: string;
  readonly link: Link;
  readonly channel: Channel;
  readonly sources: SenderSources;
  readonly payloadTypes = new PayloadTypes();
  readonly sctp: boolean;
  statsId: string | undefined;
  forceMute = { audio: false, video: false };

  settings: AllocationSettings = initialSettings(-1);
  /** By source name; what the receiver effectively asks for, last-N applied; what is not named it does not get. */
  effective: ReadonlyMap<string, VideoConstraints> = new Map();
  allocation: Allocation | undefined;
  /** What the loop has been told, by source index. */
  targets = new Map<number, VideoTarget>();
  /** Names as last sent in ForwardedSources. */
  forwarded: readonly string[] = [];
  audioSubscription: AudioSubscription = { all: true, include: [], exclude: [] };
  /** Bits per second toward this receiver; undefined: not estimated. */
  estimateBps: number | undefined;
  /** Estimate that the allocation was made with. */
  allocatedBps = Number.POSITIVE_INFINITY;
  rttMs: number | undefined;
  /** maxHeight that the sender of each own source was told; a source that is missing here has no known value yet. */
  readonly toldHeights = new Map<string, number>();
  readonly videoSlots: SsrcSlots | undefined;
  readonly audioSlots: SsrcSlots | undefined;

  /** Last time anything came from it; undefined: never. */
  lastActivity: Millis | undefined;
  /** As told to the others. */
  active = true;
  channelEverOpen = false;
  countedWithoutChannel = false;
  failure: TransportFailure | undefined;
  expired = false;

  readonly #home: EndpointHome;
  readonly #context: BridgeContext;

  constructor(context: BridgeContext, home: EndpointHome, request: ColibriEndpoint, index: EndpointIndex, now: Millis) {
    this.#context = context;
    this.#home = home;
    this.id = request.id;
    this.index = index;
    this.createdAt = now;
    this.statsId = request.statsId;
    this.visitor = request.mucRole?.toLowerCase() === "visitor";
    this.ssrcRewriting = request.capabilities.includes("ssrc-rewriting");
    this.midDemux = this.ssrcRewriting && request.capabilities.includes("rtp-mid-demux");
    this.channelSecret = context.channelSecret();
    this.sctp = request.transport?.sctp !== undefined;
    this.sources = new SenderSources(context, request.id);
    this.channel = new Channel(context);
    if (this.ssrcRewriting) {
      this.videoSlots = new SsrcSlots(SSRC_LIMIT, () => context.ssrc());
      this.audioSlots = new SsrcSlots(SSRC_LIMIT, () => context.ssrc());
    }
    this.link = new Link(context, this, {
      index,
      conference: home.number,
      controlling: request.transport?.iceControlling ?? false,
      sctp: this.sctp ? "server" : undefined,
      ssrcRewriting: this.ssrcRewriting,
      relay: false,
      privateAddresses: request.capabilities.includes("private-address-connectivity"),
    });
  }

  /** The mid of its n-th slot of that kind, where packets carry one. */
  midOf(kind: "audio" | "video", place: number): { mid?: string } {
    return this.midDemux ? { mid: `${kind === "audio" ? "a" : "v"}${place}` } : {};
  }

  description(): IceTransport {
    const { channelHost, serverId } = this.#context.settings;
    const url = `wss://${channelHost}/colibri-ws/${serverId}/${this.#home.id}/${encodeURIComponent(this.id)}?pwd=${this.channelSecret}`;
    return this.link.description([url]);
  }

  send(now: Millis, message: BridgeMessage): void {
    this.sendText(now, encodeChannelMessage(message));
  }

  sendText(now: Millis, text: string): void {
    if (this.channel.open) this.channel.send(now, this.link, text);
  }

  /** Gives everything back; the loop's numbers follow when it has let go of them. */
  close(now: Millis): void {
    if (this.expired) return;
    this.expired = true;
    this.channel.close(1001, "endpoint closed");
    this.link.close(now);
  }

  linkConnected(now: Millis): void {
    this.#home.connected(now, this);
  }

  linkFailed(_now: Millis, reason: TransportFailure): void {
    if (this.failure !== undefined || this.expired) return;
    this.failure = reason;
    const ice = reason === "ice-timeout" || reason === "consent-expired";
    if (ice) {
      this.#context.counters.endpointsIceFailed++;
      this.#context.counters.iceFailed++;
    } else this.#context.counters.endpointsDtlsFailed++;
    this.#context.log("info", "endpoint's transport failed", { endpoint: this.id, reason });
  }

  linkClosed(now: Millis): void {
    if (!this.expired && this.failure === undefined) this.#home.ended(now, this);
  }

  dataChannelOpen(now: Millis): void {
    this.channel.dataChannelOpened();
    this.#home.channelOpened(now, this, "data-channel");
  }

  dataChannelText(now: Millis, text: string): void {
    this.#home.channelText(now, this, text, "data-channel");
  }

  dataChannelClosed(): void {
    this.channel.dataChannelClosed();
  }
}
