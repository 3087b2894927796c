/**
 * One conference on this bridge: who is here, who takes whose source, who speaks. Endpoints and relays hold what concerns one of them only.
 */
import { type Deadline, soonest } from "../deadlines.ts";
import { later, type Millis } from "../time.ts";
import { type BridgeMessage, encodeChannelMessage } from "../wire/channel-messages.ts";
import type { ColibriEndpoint, ColibriMediaSource } from "../wire/colibri2.ts";
import { handleClientMessage } from "./client-messages.ts";
import type { ConferenceSource } from "./conference-sources.ts";
import type { ConferenceView } from "./conference-view.ts";
import type { BridgeContext } from "./context.ts";
import { Endpoint, type EndpointHome } from "./endpoint.ts";
import type { MediaExport } from "./export.ts";
import type { EndpointIndex, EndpointLevels, LayerState, SourceIndex } from "./media-commands.ts";
import { mapAudioSource, reallocate, videoSourcesMap } from "./reallocate.ts";
import { Speech } from "./receive/speech.ts";
import type { Relay } from "./relay.ts";

const EMPTY_EXPIRY_MS = 20_000;
const INACTIVE_AFTER_MS = 8_000;
const FIRST_TRANSFER_MS = 15_000;
const INACTIVE_EXPIRY_MS = 60_000;
const NEVER_CONNECTED_EXPIRY_MS = 120_000;
const NO_CHANNEL_AFTER_MS = 30_000;
const CONNECTION_STATS_MS = 10_000;
const REALLOCATE_MS = 5_000;
const MAX_TABLES = 1_000;

export class Conference implements EndpointHome, ConferenceView {
  /** Local hex id, part of the channel's URL; not the meeting id. */
  readonly id: string;
  readonly number: number;
  readonly endpoints = new Map<string, Endpoint>();
  readonly relays = new Map<string, Relay>();
  readonly exports = new Map<string, MediaExport>();
  readonly speech = new Speech();
  readonly feedbackSsrcs: { readonly audio: number; readonly video: number };
  expired = false;

  readonly #tables = new Map<string, number>();
  readonly #changed = new Set<Endpoint>();
  #allChanged = false;
  #emptySince: Millis | undefined;
  #connectionStatsAt: Millis;
  #reallocateAt: Millis;

  constructor(
    readonly context: BridgeContext,
    readonly meetingId: string,
    readonly name: string | undefined,
    readonly rtcstatsEnabled: boolean,
    readonly createdAt: Millis,
  ) {
    this.id = context.hex(8);
    this.number = context.newConference();
    this.feedbackSsrcs = { audio: context.ssrc(), video: context.ssrc() };
    this.#emptySince = createdAt;
    this.#connectionStatsAt = later(createdAt, CONNECTION_STATS_MS);
    this.#reallocateAt = later(createdAt, REALLOCATE_MS);
    context.counters.conferencesCreated++;
    context.media({
      type: "conference",
      conference: this.number,
      loudest: context.settings.loudestSpeakers,
      feedbackSsrcs: this.feedbackSsrcs,
    });
  }

  /** The bridge's own sources: senders of its RTCP and padding (bridge.md 1.5). */
  get feedbackSources(): readonly ColibriMediaSource[] {
    const source = (type: "audio" | "video", ssrc: number): ColibriMediaSource => {
      const id = type === "audio" ? "jvb-a0" : "jvb-v0";
      return { type, id, synthetic: false, sources: { sources: [{ ssrc, mediaType: type, name: id }], groups: [] } };
    };
    return [source("audio", this.feedbackSsrcs.audio), source("video", this.feedbackSsrcs.video)];
  }

  get isEmpty(): boolean {
    return this.endpoints.size === 0 && this.relays.size === 0;
  }

  /** Everything that is sent into the conference, by any endpoint here or beyond a relay. */
  *sources(): IterableIterator<ConferenceSource> {
    for (const endpoint of this.endpoints.values()) yield* endpoint.sources.all;
    for (const relay of this.relays.values()) for (const far of relay.endpoints.values()) yield* far.all;
  }

  sourceByIndex(index: SourceIndex): ConferenceSource | undefined {
    for (const source of this.sources()) if (source.index === index) return source;
    return undefined;
  }

  addEndpoint(now: Millis, request: ColibriEndpoint, index: EndpointIndex): Endpoint {
    const endpoint = new Endpoint(this.context, this, request, index, now);
    this.endpoints.set(endpoint.id, endpoint);
    if (endpoint.visitor) this.context.counters.visitors++;
    else this.speech.add(endpoint.id);
    this.context.counters.participants++;
    this.#emptySince = undefined;
    this.changed(endpoint); // nobody else is concerned before it has sources
    return endpoint;
  }

  removeEndpoint(now: Millis, id: string): void {
    const endpoint = this.endpoints.get(id);
    if (endpoint === undefined) return;
    this.endpoints.delete(id);
    this.#changed.delete(endpoint);
    this.speech.remove(id);
    for (const source of endpoint.sources.all) this.#sourceGone(source.name);
    endpoint.close(now);
    for (const relay of this.relays.values()) relay.receiverGone(now, id);
    this.#membersChanged(now);
  }

  addRelay(relay: Relay): void {
    this.relays.set(relay.id, relay);
    this.#emptySince = undefined;
    this.context.counters.relays++;
    this.changed();
  }

  removeRelay(now: Millis, id: string): void {
    const relay = this.relays.get(id);
    if (relay === undefined) return;
    this.relays.delete(id);
    for (const [farId, far] of relay.endpoints) {
      this.speech.remove(farId);
      for (const source of far.all) this.#sourceGone(source.name);
    }
    relay.close(now);
    this.#membersChanged(now);
  }

  /** Ends everything; the loop's tables are given back as it lets go of them. */
  expire(now: Millis): void {
    if (this.expired) return;
    this.expired = true;
    for (const id of [...this.endpoints.keys()]) this.removeEndpoint(now, id);
    for (const id of [...this.relays.keys()]) this.removeRelay(now, id);
    for (const each of this.exports.values()) each.close();
    this.exports.clear();
    this.context.media({ type: "remove-conference", conference: this.number });
    this.context.counters.conferencesCompleted++;
    this.context.counters.conferenceSeconds += Math.round((now - this.createdAt) / 1000);
  }

  /** Tells the loop what an endpoint sends now. */
  setSources(now: Millis, endpoint: Endpoint, sources: readonly ColibriMediaSource[]): void {
    const before = new Set([...endpoint.sources.all].map((source) => source.name));
    if (!endpoint.sources.replace(sources)) return;
    for (const name of before) if (endpoint.sources.get(name) === undefined) this.#sourceGone(name);
    this.context.media({ type: "sources", endpoint: endpoint.index, sources: endpoint.sources.mediaSources() });
    this.sourcesChanged(now);
  }

  /** Number of a table group (design.md 3); the empty name is no table: 0. */
  tableNumber(name: string): number {
    if (name === "") return 0;
    const known = this.#tables.get(name);
    if (known !== undefined) return known;
    if (this.#tables.size >= MAX_TABLES) return 0;
    this.#tables.set(name, this.#tables.size + 1);
    return this.#tables.size;
  }

  /** Audio subscriptions name sources; allocations and slots depend on them. */
  sourcesChanged(_now: Millis): void {
    for (const endpoint of this.endpoints.values()) if (!isDefault(endpoint)) this.subscribeAudio(endpoint);
    for (const each of this.exports.values()) each.subscribe();
    this.changed();
  }

  subscribeAudio(endpoint: Endpoint): void {
    const { all, include, exclude } = endpoint.audioSubscription;
    const names = new Set(all ? exclude : include);
    const sources: SourceIndex[] = [];
    for (const source of this.sources())
      if (source.kind === "audio" && names.has(source.name)) sources.push(source.index);
    this.context.media({ type: "audio-subscription", receiver: endpoint.index, all, sources });
  }

  /** Allocate afresh, for one receiver or for all, before the present input is done with. */
  changed(endpoint?: Endpoint): void {
    if (endpoint === undefined) this.#allChanged = true;
    else this.#changed.add(endpoint);
  }

  /** Carries out what `changed` asked for. */
  settle(now: Millis): void {
    if (!this.#allChanged && this.#changed.size === 0) return;
    const receivers = this.#allChanged ? [...this.endpoints.values()] : [...this.#changed];
    this.#allChanged = false;
    this.#changed.clear();
    if (!this.expired) reallocate(now, this, receivers);
  }

  connected(): void {}

  ended(_now: Millis, endpoint: Endpoint): void {
    endpoint.failure ??= "dtls-alert"; // the next sweep takes it
  }

  channelOpened(now: Millis, endpoint: Endpoint, over: "websocket" | "data-channel"): void {
    endpoint.channelEverOpen = true;
    if (over === "websocket") endpoint.send(now, { colibriClass: "ServerHello" });
    for (const [sourceName, maxHeight] of endpoint.toldHeights)
      endpoint.send(now, { colibriClass: "SenderSourceConstraints", sourceName, maxHeight });
    endpoint.send(now, { colibriClass: "ForwardedSources", forwardedSources: endpoint.forwarded });
    this.#sendMaps(now, endpoint);
    for (const other of this.endpoints.values())
      if (!other.active && !other.visitor)
        endpoint.send(now, {
          colibriClass: "EndpointConnectivityStatusChangeEvent",
          endpoint: other.id,
          active: "false",
        });
    const message = this.#dominantSpeakerMessage();
    if (message !== undefined) endpoint.send(now, message);
  }

  channelText(now: Millis, endpoint: Endpoint, text: string, over: "websocket" | "data-channel"): void {
    handleClientMessage(now, this, endpoint, text, over);
  }

  /** To every endpoint here but one. */
  broadcast(now: Millis, message: BridgeMessage | string, except?: Endpoint): void {
    const text = typeof message === "string" ? message : encodeChannelMessage(message);
    for (const endpoint of this.endpoints.values()) if (endpoint !== except) endpoint.sendText(now, text);
  }

  heard(now: Millis, id: string, levels: EndpointLevels["levels"]): void {
    this.speech.heard(now, id, levels);
  }

  layersChanged(source: ConferenceSource, layers: readonly LayerState[]): void {
    const same =
      layers.length === source.layers.length &&
      layers.every((layer, i) => {
        const before = source.layers[i];
        return (
          before !== undefined &&
          before.layer === layer.layer &&
          before.height === layer.height &&
          before.bitrateBps > 0 === layer.bitrateBps > 0
        );
      });
    source.layers = layers;
    if (same) return;
    this.context.counters.layeringChanges++;
    if (this.relays.size > 0) this.changed();
    for (const endpoint of this.endpoints.values()) if (endpoint.effective.has(source.name)) this.changed(endpoint);
  }

  /** A microphone needs slots at the receivers in rewriting mode that do not know it (bridge.md 4.6). */
  audioHeard(now: Millis, source: ConferenceSource): void {
    for (const receiver of this.endpoints.values())
      if (receiver.id !== source.owner && receiver.audioSlots !== undefined)
        mapAudioSource(now, this, receiver, source);
  }

  estimate(endpoint: Endpoint, bandwidthBps: number): void {
    endpoint.estimateBps = bandwidthBps;
    const before = endpoint.allocatedBps;
    // Small movements are not worth a new allocation (bridge.md 5.2).
    if (!Number.isFinite(before) || Math.abs(bandwidthBps - before) > 0.15 * before) this.changed(endpoint);
  }

  nextDeadline(): Deadline | undefined {
    let exports: Deadline | undefined;
    for (const each of this.exports.values()) exports = soonest(exports, each.nextDeadline());
    return soonest(
      exports,
      this.speech.nextDeadline(),
      this.#emptySince === undefined
        ? undefined
        : { at: later(this.#emptySince, EMPTY_EXPIRY_MS), why: "conference empty" },
      this.endpoints.size === 0 ? undefined : { at: this.#connectionStatsAt, why: "connection statistics" },
      this.endpoints.size === 0 ? undefined : { at: this.#reallocateAt, why: "reallocate" },
    );
  }

  handleTimeout(now: Millis): void {
    for (const each of this.exports.values()) each.handleTimeout(now);
    const { dominantChanged, orderChanged } = this.speech.handleTimeout(now);
    if (dominantChanged) this.#dominantSpeakerChanged(now);
    if (orderChanged) this.changed();
    if (now >= this.#connectionStatsAt) {
      this.#connectionStatsAt = later(now, CONNECTION_STATS_MS);
      for (const endpoint of this.endpoints.values())
        if (endpoint.estimateBps !== undefined)
          endpoint.send(now, {
            colibriClass: "ConnectionStats",
            estimatedDownlinkBandwidth: Math.round(endpoint.estimateBps),
          });
    }
    if (now >= this.#reallocateAt) {
      this.#reallocateAt = later(now, REALLOCATE_MS);
      for (const endpoint of this.endpoints.values()) if (endpoint.estimateBps !== undefined) this.changed(endpoint);
    }
    if (this.#emptySince !== undefined && now - this.#emptySince >= EMPTY_EXPIRY_MS && this.isEmpty) this.expire(now);
  }

  /** The connectivity monitor (bridge.md 2.6). */
  checkActivity(now: Millis): void {
    for (const endpoint of this.endpoints.values()) {
      if (
        !endpoint.channelEverOpen &&
        !endpoint.countedWithoutChannel &&
        now - endpoint.createdAt > NO_CHANNEL_AFTER_MS
      ) {
        endpoint.countedWithoutChannel = true;
        this.context.counters.endpointsWithoutChannel++;
      }
      if (endpoint.visitor) continue;
      const active =
        endpoint.lastActivity === undefined
          ? now - endpoint.createdAt <= FIRST_TRANSFER_MS
          : now - endpoint.lastActivity <= INACTIVE_AFTER_MS;
      if (active === endpoint.active) continue;
      endpoint.active = active;
      if (active) this.context.counters.endpointsReconnected++;
      else this.context.counters.endpointsDisconnected++;
      this.broadcast(
        now,
        {
          colibriClass: "EndpointConnectivityStatusChangeEvent",
          endpoint: endpoint.id,
          active: active ? "true" : "false",
        },
        endpoint,
      );
    }
    for (const relay of this.relays.values()) relay.checkChannel(now, NO_CHANNEL_AFTER_MS);
  }

  /** Takes out what is of no use any more (bridge.md 1.12). */
  sweep(now: Millis): void {
    for (const endpoint of [...this.endpoints.values()]) {
      const idle =
        endpoint.lastActivity === undefined
          ? now - endpoint.createdAt > NEVER_CONNECTED_EXPIRY_MS
          : now - endpoint.lastActivity > INACTIVE_EXPIRY_MS;
      if (!idle && endpoint.failure === undefined) continue;
      this.context.log("info", "endpoint expires", { endpoint: endpoint.id, reason: endpoint.failure ?? "inactive" });
      this.removeEndpoint(now, endpoint.id);
    }
  }

  #membersChanged(now: Millis): void {
    if (this.isEmpty) this.#emptySince = now;
    this.sourcesChanged(now);
  }

  /** What is gone leaves slots and lists silently: clients learn it from the signalling. */
  #sourceGone(name: string): void {
    for (const endpoint of this.endpoints.values()) {
      endpoint.forwarded = endpoint.forwarded.filter((each) => each !== name);
      endpoint.videoSlots?.release(name);
      endpoint.audioSlots?.release(name);
      endpoint.toldHeights.delete(name);
    }
  }

  #dominantSpeakerMessage(): BridgeMessage | undefined {
    const dominant = this.speech.dominant;
    return dominant === undefined
      ? undefined
      : {
          colibriClass: "DominantSpeakerEndpointChangeEvent",
          dominantSpeakerEndpoint: dominant.id,
          previousSpeakers: dominant.previous,
          silence: false,
        };
  }

  #dominantSpeakerChanged(now: Millis): void {
    const dominant = this.speech.dominant;
    const message = this.#dominantSpeakerMessage();
    if (dominant === undefined || message === undefined) return;
    this.context.counters.dominantSpeakerChanges++;
    this.broadcast(now, message);
    let speaker: { readonly index: EndpointIndex } | undefined = this.endpoints.get(dominant.id);
    for (const relay of this.relays.values()) if (relay.endpoints.has(dominant.id)) speaker ??= relay;
    this.context.media({
      type: "dominant-speaker",
      conference: this.number,
      endpoint: speaker?.index ?? -1,
    });
    this.#askKeyFrameAhead(dominant.id);
  }

  /** Clients will put the new speaker on the stage: a fresh picture shall be there when they do (bridge.md 4.9). */
  #askKeyFrameAhead(speaker: string): void {
    if (this.endpoints.size <= 2) return;
    for (const source of this.sources()) {
      if (source.owner !== speaker || source.kind !== "video" || source.videoType !== "camera") continue;
      const staged = [...this.endpoints.values()].some((each) => each.settings.onStageSources.includes(source.name));
      if (!staged) {
        this.context.counters.preemptiveKeyFramesSuppressed++;
        continue;
      }
      this.context.counters.preemptiveKeyFrames++;
      this.context.media({ type: "request-key-frame", source: source.index });
    }
  }

  #sendMaps(now: Millis, endpoint: Endpoint): void {
    const video = videoSourcesMap(this, endpoint);
    if (video !== undefined) endpoint.send(now, video);
    const slots = [...(endpoint.audioSlots?.entries() ?? [])];
    if (slots.length === 0) return;
    const owners = new Map([...this.sources()].map((source) => [source.name, source.owner]));
    endpoint.send(now, {
      colibriClass: "AudioSourcesMap",
      mappedSources: slots.flatMap(([source, slot]) => {
        const owner = owners.get(source);
        return owner === undefined ? [] : [{ source, owner, ssrc: slot.ssrc, ...endpoint.midOf("audio", slot.place) }];
      }),
    });
  }
}

const isDefault = (endpoint: Endpoint): boolean =>
  endpoint.audioSubscription.all && endpoint.audioSubscription.exclude.length === 0;
