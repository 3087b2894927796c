/**
 * The link to another bridge that holds a part of the same conference (bridge.md 7.1): one transport and one message channel; the sources of everybody
 * over there come in by it, those of our own endpoints go out. What came by a relay is never sent into another one: bridges form a full mesh.
 */
import type { Millis } from "../time.ts";
import { decodeClientMessage, encodeChannelMessage } from "../wire/channel-messages.ts";
import type { ColibriEndpoint, ColibriRelay } from "../wire/colibri2.ts";
import type { IceTransport } from "../wire/ice-transport.ts";
import { assumedLayers } from "./allocate/allocate.ts";
import { largerHeight } from "./allocate/constraints.ts";
import { Channel } from "./channel.ts";
import { sees } from "./client-messages.ts";
import { type ConferenceSource, SenderSources } from "./conference-sources.ts";
import type { ConferenceView, RelayPeer } from "./conference-view.ts";
import type { BridgeContext, ChannelId, SctpRole } from "./context.ts";
import { Link, type LinkOwner, type OwnPort } from "./link.ts";
import type { EndpointIndex, MediaSource, VideoTarget } from "./media-commands.ts";
import { PayloadTypes } from "./payload-types.ts";
import type { TransportFailure } from "./transport/transport.ts";

const MAX_FAR_ENDPOINTS = 500;
const MAX_WANTED = 2_000;
const STATS_FILTER_THRESHOLD = 20;
/** Spatial and temporal part of a layer index: whatever there is. */
const ALL_LAYERS = 0x3f;

export class Relay implements LinkOwner, RelayPeer {
  readonly id: string;
  readonly index: EndpointIndex;
  readonly link: Link;
  readonly channel: Channel;
  readonly channelSecret: string;
  readonly payloadTypes = new PayloadTypes();
  /** Our side of the channel over SCTP; undefined: it goes over a WebSocket. */
  readonly sctp: SctpRole | undefined;
  /** Endpoints beyond the relay, by id. */
  readonly endpoints = new Map<string, SenderSources>();
  readonly #context: BridgeContext;
  readonly #conference: ConferenceView;
  readonly #createdAt: Millis;
  readonly #initiator: boolean;
  /** What receivers over there want of our sources: maxHeight, −1 = no limit. */
  readonly #wanted = new Map<string, number>();
  /** What we have said that ours want of theirs. */
  readonly #told = new Map<string, number>();
  /** By source and encoding. */
  #targets = new Map<string, VideoTarget>();
  #dialled: ChannelId | undefined;
  #everOpen = false;
  #counted = false;
  #closed = false;

  constructor(
    context: BridgeContext,
    conference: ConferenceView,
    request: ColibriRelay,
    index: EndpointIndex,
    now: Millis,
    port: OwnPort | undefined,
  ) {
    this.#context = context;
    this.#conference = conference;
    this.#createdAt = now;
    this.id = request.id;
    this.index = index;
    this.channel = new Channel(context);
    this.channelSecret = context.channelSecret();
    const sctp = request.transport?.sctp;
    this.sctp = sctp === undefined ? undefined : sctp.role === "client" ? "client" : "server";
    this.#initiator = request.initiator || (request.transport?.iceControlling ?? false);
    this.link = new Link(context, this, {
      index,
      conference: conference.number,
      controlling: request.transport?.iceControlling ?? false,
      sctp: this.sctp,
      ssrcRewriting: false,
      relay: true,
      privateAddresses: true,
      port,
    });
  }

  description(): IceTransport {
    const { channelHost, relayUrl = `wss://${channelHost}`, serverId } = this.#context.settings;
    const url = `${relayUrl}/colibri-relay-ws/${serverId}/${this.#conference.id}/${encodeURIComponent(this.id)}?pwd=${this.channelSecret}`;
    return this.link.description([url]);
  }

  /** The other bridge's side. Its WebSocket URL is given to the initiator only, who opens the channel. */
  setRemote(now: Millis, remote: IceTransport): void {
    this.link.setRemote(now, remote);
    const url = remote.webSockets[0];
    if (url === undefined || !this.#initiator || this.#dialled !== undefined || this.sctp !== undefined) return;
    if (!/^wss?:\/\//.test(url)) {
      this.#context.counters.drop("relay-url");
      return;
    }
    this.#dialled = this.#context.newChannel();
    this.#context.act({ type: "channel-dial", channel: this.#dialled, url, headers: {} });
  }

  isDialled(channel: ChannelId): boolean {
    return this.#dialled === channel;
  }

  /** Creates, updates and expires endpoints beyond the relay. */
  updateEndpoints(now: Millis, requests: readonly ColibriEndpoint[]): void {
    let changed = false;
    for (const request of requests) {
      const present = this.endpoints.get(request.id);
      if (request.expire) {
        if (present === undefined) continue;
        this.endpoints.delete(request.id);
        this.#conference.speech.remove(request.id);
        changed = true;
        continue;
      }
      if (present === undefined && this.endpoints.size >= MAX_FAR_ENDPOINTS) {
        this.#context.counters.drop("relay-endpoint-table-full");
        continue;
      }
      const far = present ?? new SenderSources(this.#context, request.id);
      if (present === undefined) {
        this.endpoints.set(request.id, far);
        this.#conference.speech.add(request.id);
      }
      if (request.sources !== undefined && far.replace(request.sources)) changed = true;
    }
    if (!changed) return;
    const sources: MediaSource[] = [];
    for (const far of this.endpoints.values()) sources.push(...far.mediaSources());
    this.#context.media({ type: "sources", endpoint: this.index, sources });
    this.#conference.sourcesChanged(now);
  }

  /** Which of our own sources go over, and how high: after every change here or of the wishes over there. */
  forward(): void {
    const audio: number[] = [];
    const next = new Map<string, VideoTarget>();
    for (const endpoint of this.#conference.endpoints.values())
      for (const source of endpoint.sources.all) {
        if (source.kind === "audio") audio.push(source.index);
        else this.#target(source, next);
      }
    this.#context.media({ type: "audio-subscription", receiver: this.index, all: false, sources: audio });
    const targets: VideoTarget[] = [];
    for (const [key, former] of this.#targets) if (!next.has(key)) targets.push({ ...former, layer: -1 });
    for (const [key, target] of next) if (!this.#targets.has(key)) targets.push(target);
    this.#targets = next;
    if (targets.length > 0) this.#context.media({ type: "video-targets", receiver: this.index, targets });
  }

  /** Every encoding that is not above what is wanted, as it is and under its own SSRC: the other bridge chooses among them. */
  #target(source: ConferenceSource, next: Map<string, VideoTarget>): void {
    const wanted = this.wantedHeight(source.name);
    if (wanted === 0 || source.videoType === "none") return;
    const layers =
      source.layers.length > 0
        ? source.layers.map(({ layer, height }) => ({ index: layer, height }))
        : assumedLayers(source.encodings.length);
    for (const [encoding, { ssrc, rtxSsrc }] of source.encodings.entries()) {
      const heights = layers.filter((layer) => layer.index >> 6 === encoding).map((layer) => layer.height);
      if (encoding > 0 && wanted > 0 && heights.every((height) => height > wanted)) continue;
      const layer = (encoding << 6) | ALL_LAYERS;
      next.set(`${source.index} ${encoding}`, { source: source.index, layer, ssrc, rtxSsrc, encoding });
    }
  }

  wantedHeight(source: string): number {
    return this.#wanted.get(source) ?? 0;
  }

  /** Our receivers' largest wish for one of their sources. */
  receiversWant(now: Millis, source: ConferenceSource, height: number): void {
    if (this.endpoints.get(source.owner)?.get(source.name) === undefined) return;
    if ((this.#told.get(source.name) ?? 0) === height) return;
    this.#told.set(source.name, height);
    this.#sayWish(now, source.name, height);
  }

  #sayWish(now: Millis, sourceName: string, maxHeight: number): void {
    const bridgeId = this.#context.settings.serverId;
    this.sendText(
      now,
      encodeChannelMessage({
        colibriClass: "AddReceiver",
        bridgeId,
        sourceName,
        videoConstraints: { maxHeight, maxFrameRate: -1 },
      }),
    );
  }

  /** An endpoint of ours left: nothing of it will be wanted any more. */
  receiverGone(_now: Millis, id: string): void {
    for (const name of [...this.#wanted.keys()]) if (name.startsWith(`${id}-`)) this.#wanted.delete(name);
  }

  sendText(now: Millis, text: string): void {
    if (this.channel.open) this.channel.send(now, this.link, text);
  }

  channelOpened(now: Millis): void {
    this.#everOpen = true;
    for (const [name, height] of this.#told) this.#sayWish(now, name, height);
    for (const endpoint of this.#conference.endpoints.values())
      for (const source of endpoint.sources.all)
        if (source.kind === "video")
          this.sendText(
            now,
            encodeChannelMessage({
              colibriClass: "SourceVideoTypeMessage",
              videoType: source.videoType,
              sourceName: source.name,
              endpointId: endpoint.id,
            }),
          );
  }

  channelText(now: Millis, text: string, over: "websocket" | "data-channel"): void {
    const conference = this.#conference;
    const counters = this.#context.counters;
    // One relay carries what many endpoints say: no budget per second here, the other bridge keeps one per endpoint.
    if (over === "websocket") counters.webSocketReceived++;
    else counters.dataChannelReceived++;
    const message = decodeClientMessage(text);
    switch (message?.colibriClass) {
      case "AddReceiver":
        if (this.#wanted.size >= MAX_WANTED && !this.#wanted.has(message.sourceName)) {
          counters.drop("relay-wish-table-full");
          return;
        }
        this.#wanted.set(message.sourceName, message.videoConstraints.maxHeight);
        conference.changed();
        return;
      case "RemoveReceiver":
        this.receiverGone(now, message.endpointId);
        conference.changed();
        return;
      case "SourceVideoTypeMessage": {
        const far = this.endpoints.get(message.endpointId ?? "");
        if (far?.setVideoType(message.sourceName, message.videoType) === true) conference.changed();
        return;
      }
      case "EndpointMessage": {
        // Only what comes from somebody over there goes on, and only to our own endpoints.
        if (!this.endpoints.has(message.from ?? "")) {
          counters.drop("relay-message-from-nobody");
          return;
        }
        const relayed = JSON.stringify(message.raw);
        if (message.to === "") {
          conference.broadcast(now, relayed);
          return;
        }
        conference.endpoints.get(message.to)?.sendText(now, relayed);
        return;
      }
      case "EndpointStats": {
        const from = message.raw["from"];
        if (typeof from !== "string" || !this.endpoints.has(from)) {
          counters.drop("relay-message-from-nobody");
          return;
        }
        const relayed = JSON.stringify(message.raw);
        const filtered = conference.endpoints.size > STATS_FILTER_THRESHOLD;
        for (const receiver of conference.endpoints.values())
          if (!filtered || sees(conference, receiver, from)) receiver.sendText(now, relayed);
        return;
      }
      default:
        // The accepting bridge greets the other as it greets a client: nothing follows from it.
        if (!text.includes('"ServerHello"')) counters.drop("channel-message-unreadable");
    }
  }

  checkChannel(now: Millis, afterMs: number): void {
    if (this.#everOpen || this.#counted || now - this.#createdAt <= afterMs) return;
    this.#counted = true;
    this.#context.counters.relaysWithoutChannel++;
  }

  close(now: Millis): void {
    if (this.#closed) return;
    this.#closed = true;
    this.channel.close(1001, "relay_closed");
    this.link.close(now);
  }

  linkConnected(): void {
    this.#conference.changed();
  }

  linkFailed(_now: Millis, reason: TransportFailure): void {
    const ice = reason === "ice-timeout" || reason === "consent-expired";
    if (ice) this.#context.counters.relaysIceFailed++;
    else this.#context.counters.relaysDtlsFailed++;
    this.#context.log("warn", "relay's transport failed", { relay: this.id, reason });
  }

  linkClosed(): void {}

  dataChannelOpen(now: Millis): void {
    this.channel.dataChannelOpened();
    this.channelOpened(now);
  }

  dataChannelText(now: Millis, text: string): void {
    this.channelText(now, text, "data-channel");
  }

  dataChannelClosed(): void {
    this.channel.dataChannelClosed();
  }
}

/** The larger of what the relays want of one source. */
export const relaysWant = (relays: Iterable<RelayPeer>, source: string): number => {
  let height = 0;
  for (const relay of relays) height = largerHeight(height, relay.wantedHeight(source));
  return height;
};
