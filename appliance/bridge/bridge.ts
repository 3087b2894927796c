/**
 * The control side of one bridge as a core: stanzas, channel messages, events of the media loop, HTTP requests and time go in; `take()` answers what is to
 * be done. It keeps its conferences when the XMPP server is lost: media goes on, and the focus finds everything as it was (design.md 2).
 */
import { type Deadline, soonest } from "../deadlines.ts";
import { type EpochMillis, later, type Millis } from "../time.ts";
import type { ConferenceModify } from "../wire/colibri2.ts";
import type { Element } from "../wire/xml.ts";
import { plainAddress } from "./addresses.ts";
import { Capacity } from "./capacity.ts";
import type { ChannelPath } from "./channel-path.ts";
import { type ColibriOutcome, handleConferenceModify } from "./colibri2.ts";
import type { Conference } from "./conference.ts";
import type { ConferenceTraffic } from "./conference-packets.ts";
import {
  type BridgeAction,
  BridgeContext,
  type BridgeSettings,
  type ChannelId,
  type MucClientNumber,
  type RandomBytes,
  type TransportFactory,
} from "./context.ts";
import { DebugStats } from "./debug-stats.ts";
import type { Endpoint } from "./endpoint.ts";
import type { MediaExport } from "./export.ts";
import { answerIq } from "./iq.ts";
import type { Link } from "./link.ts";
import type { MediaEvent, MediaSocket, MediaStatistics, Path, SourceIndex } from "./media-commands.ts";
import type { MucClientRequest } from "./muc-client-json.ts";
import { CONFIGURED_CLIENT, MucClients } from "./muc-clients.ts";
import { Quality } from "./quality.ts";
import type { Relay } from "./relay.ts";
import { Shutdown } from "./shutdown.ts";
import { collectStats, Rates, type Stats, type StatValue } from "./stats.ts";
import { isStun } from "./transport/demux.ts";
import type { StunDemux } from "./transport/stun-demux.ts";

export interface BridgeOptions {
  readonly settings: BridgeSettings;
  readonly transports: TransportFactory;
  readonly demux: StunDemux<Link>;
  readonly random: RandomBytes;
  /** Addresses that alone may reach the media port; undefined: any (design.md 5). */
  readonly onlyFrom: ReadonlySet<string> | undefined;
  /** How many threads the process has now; absent: not known. */
  readonly threads?: () => number;
  /** A link has something to say outside of any input: call `woken` then, not from within. */
  readonly wake: (link: Link) => void;
}

const MONITOR_MS = 500;
/** What nobody misses so long goes along with the levels that the media loop tells every 310 ms while people meet, instead of waking the processor for itself. */
const PATIENCE_MS = 350;
/** A path's consent is asked for every few seconds and lost after thirty (RFC 7675). */
const isPatient = ({ why }: Deadline): boolean => why === "consent";
const SWEEP_MS = 60_000;
const REPORT_MS = 5_000;
/** Reports that the media loop may owe before it counts as hung. */
const MAX_UNANSWERED = 3;
/** Of a forwarded packet on a PC, where nothing was measured. */
const GUESSED_MICROS = 6;

type ChannelHolder = { readonly conference: Conference; readonly peer: Endpoint | Relay };

export class Bridge {
  readonly context: BridgeContext;
  readonly rates = new Rates();
  readonly debugStats = new DebugStats();
  readonly shutdown = new Shutdown();
  readonly #capacity: Capacity;
  readonly #quality = new Quality();
  readonly #mucClients: MucClients;
  readonly #onlyFrom: ReadonlySet<string> | undefined;
  readonly #threads: () => number;
  readonly #conferences = new Map<string, Conference>();
  readonly #channels = new Map<ChannelId, ChannelHolder>();
  #drain = false;
  #fault: string | undefined = "the media loop is not ready";
  /** Reports asked for since the last one came. */
  #unanswered = 0;
  #monitorAt: Millis | undefined;
  #sweepAt: Millis | undefined;
  #reportAt: Millis | undefined;

  constructor(options: BridgeOptions) {
    this.context = new BridgeContext(options.settings, options.transports, options.demux, options.random, options.wake);
    this.#onlyFrom = options.onlyFrom;
    this.#threads = options.threads ?? (() => 0);
    this.#capacity = new Capacity({
      microsPerPacket: options.settings.microsPerPacket ?? GUESSED_MICROS,
      maxCameras: options.settings.maxCameras ?? 0,
    });
    const { serverId, brewery } = options.settings;
    this.#mucClients = new MucClients(this.context, brewery, () => `${serverId}-${this.context.hex(4)}`);
  }

  get conferences(): IterableIterator<Conference> {
    return this.#conferences.values();
  }

  meeting(meetingId: string): Conference | undefined {
    return this.#conferences.get(meetingId);
  }

  hasMeeting(meetingId: string): boolean {
    return this.#conferences.has(meetingId);
  }

  /** By the local hex id. */
  conferenceById(id: string): Conference | undefined {
    for (const conference of this.#conferences.values()) if (conference.id === id) return conference;
    return undefined;
  }

  /** Occupant name in the first brewery: what a focus knows this bridge by. */
  get nick(): string {
    return this.#mucClients.nick;
  }

  get drain(): boolean {
    return this.#drain;
  }

  /** In one brewery at least. */
  get joined(): boolean {
    return this.#mucClients.joined;
  }

  get mucClientIds(): readonly string[] {
    return this.#mucClients.ids;
  }

  /** What is to be done, in order, since the last call. */
  take(): readonly BridgeAction[] {
    return this.context.take();
  }

  /** Undefined when media can be served. */
  health(): string | undefined {
    return this.#fault ?? (this.#unanswered > MAX_UNANSWERED ? "the media loop does not answer" : undefined);
  }

  // --- media loop

  mediaReady(now: Millis, sockets: readonly MediaSocket[]): void {
    this.context.sockets = sockets;
    this.#fault = sockets.length === 0 ? "no socket for media could be opened" : undefined;
    this.#reportAt = now;
  }

  mediaFault(message: string): void {
    this.#fault = message;
    this.#mucClients.leave();
  }

  mediaEvents(now: Millis, events: readonly MediaEvent[]): void {
    for (const event of events) this.#mediaEvent(now, event);
    this.#settle(now);
  }

  #mediaEvent(now: Millis, event: MediaEvent): void {
    switch (event.type) {
      case "ready":
        this.mediaReady(now, event.sockets);
        return;
      case "datagram":
        this.#datagram(now, event.endpoint, event.path, event.bytes);
        return;
      case "levels":
        for (const { endpoint, source, levels } of event.levels) {
          if (source !== undefined) {
            this.#heardBeyondRelay(now, source, levels);
            continue;
          }
          const found = this.#endpointByIndex(endpoint);
          if (found !== undefined && !found.endpoint.visitor) found.conference.heard(now, found.endpoint.id, levels);
        }
        return;
      case "layers":
        for (const conference of this.#conferences.values()) {
          const source = conference.sourceByIndex(event.source);
          if (source !== undefined) {
            conference.layersChanged(source, event.layers);
            return;
          }
        }
        return;
      case "activity":
        for (const [index, idleMs] of event.idleMs) {
          const found = this.#endpointByIndex(index);
          if (found !== undefined) found.endpoint.lastActivity = (now - idleMs) as Millis;
        }
        return;
      case "round-trip": {
        const found = this.#endpointByIndex(event.endpoint);
        if (found === undefined) return;
        if (found.endpoint.rttMs === undefined) this.debugStats.firstRoundTrip(event.rttMs);
        found.endpoint.rttMs = event.rttMs;
        return;
      }
      case "audio-heard":
        for (const conference of this.#conferences.values()) {
          const source = conference.sourceByIndex(event.source);
          if (source !== undefined) {
            conference.audioHeard(now, source);
            return;
          }
        }
        return;
      case "estimate": {
        const found = this.#endpointByIndex(event.endpoint);
        found?.conference.estimate(found.endpoint, event.bandwidthBps);
        return;
      }
      case "port-opened":
        this.context.portOpened(event);
        return;
      case "endpoint-removed":
        this.context.links.delete(event.endpoint);
        this.context.endpointIndices.give(event.endpoint);
        return;
      case "source-removed":
        this.context.sourceIndices.give(event.source);
        return;
      case "statistics":
        this.#statistics(now, event.statistics);
        return;
      case "fault":
        this.mediaFault(event.message);
        return;
    }
  }

  #statistics(now: Millis, statistics: MediaStatistics): void {
    this.#unanswered = 0;
    const relays = new Set<number>();
    let videoStreams = 0;
    for (const conference of this.#conferences.values()) {
      for (const relay of conference.relays.values()) relays.add(relay.index);
      for (const source of conference.sources())
        videoStreams += new Set(source.layers.filter((each) => each.bitrateBps > 0).map((each) => each.layer >> 6))
          .size;
    }
    this.rates.update(now, statistics, relays, videoStreams);
    this.debugStats.conferencePackets.update(statistics.endpoints, [...this.#conferences.values()].map(trafficOf));
    const cameras = this.#cameras();
    this.#capacity.observe(statistics.load, this.rates.allPacketsPerSecondOut, cameras);
    this.#limitQuality(now, this.#capacity.stress(this.rates.stress, cameras));
  }

  #limitQuality(now: Millis, stress: number): void {
    const before = this.#quality.step;
    if (!this.#quality.update(now, stress)) return;
    const { limits, step } = this.#quality;
    this.context.quality = limits;
    this.context.log(
      "info",
      step > before ? "loaded: pictures are limited" : "less loaded: pictures are limited less",
      {
        step,
        stress: Math.round(stress * 100) / 100,
        tileHeight: Number.isFinite(limits.tileHeight) ? limits.tileHeight : -1,
        stageHeight: Number.isFinite(limits.stageHeight) ? limits.stageHeight : -1,
        lastN: limits.lastN,
      },
    );
    for (const conference of this.#conferences.values()) conference.changed();
  }

  /** Cameras and screens that are forwarded now, each counted once per receiver. */
  #cameras(): number {
    let count = 0;
    for (const conference of this.#conferences.values())
      for (const endpoint of conference.endpoints.values()) count += endpoint.targets.size;
    return count;
  }

  woken(now: Millis, link: Link): void {
    link.woken(now);
    this.#settle(now);
  }

  #datagram(now: Millis, index: number, path: Path, bytes: Uint8Array): void {
    const counters = this.context.counters;
    if (this.#onlyFrom !== undefined && !this.#onlyFrom.has(plainAddress(path.address))) {
      counters.drop("datagram-from-outside");
      return;
    }
    const link = index < 0 ? undefined : this.context.links.get(index);
    const [first = 255, second = 255] = bytes;
    const request = isStun(first) && first === 0 && second === 1;
    // A Binding request says itself whom it is for: a client that restarts keeps its port, and the address then belongs to somebody else.
    if (link === undefined || request) {
      const found = this.context.demux.find(now, path, bytes);
      if (found.key !== undefined) {
        found.key.handleDatagram(now, path, bytes);
        return;
      }
      if (link === undefined) {
        counters.drop(`stun-${found.refused}`);
        return;
      }
    }
    link?.handleDatagram(now, path, bytes);
  }

  #heardBeyondRelay(now: Millis, index: SourceIndex, levels: readonly number[]): void {
    for (const conference of this.#conferences.values()) {
      const source = conference.sourceByIndex(index);
      if (source === undefined) continue;
      conference.heard(now, source.owner, levels);
      return;
    }
  }

  #endpointByIndex(index: number): { readonly conference: Conference; readonly endpoint: Endpoint } | undefined {
    for (const conference of this.#conferences.values())
      for (const endpoint of conference.endpoints.values())
        if (endpoint.index === index) return { conference, endpoint };
    return undefined;
  }

  // --- XMPP

  xmppOnline(now: Millis, resumed: boolean, client: MucClientNumber = CONFIGURED_CLIENT): void {
    this.#mucClients.online(now, client, resumed);
  }

  xmppOffline(client: MucClientNumber = CONFIGURED_CLIENT): void {
    this.#mucClients.offline(client);
  }

  stanza(now: Millis, wallNow: EpochMillis, stanza: Element, client: MucClientNumber = CONFIGURED_CLIENT): void {
    const stats = (): Stats => this.stats(wallNow);
    this.#mucClients.stanza(now, client, stanza, stats, (fromOccupant) => this.#answer(now, stanza, fromOccupant));
    this.#settle(now);
  }

  #answer(now: Millis, stanza: Element, fromOccupant: boolean): Element | undefined {
    return answerIq(stanza, {
      fromOccupant,
      fault: this.health(),
      version: this.context.settings.version,
      os: this.context.settings.os,
      counters: this.context.counters,
      modify: (request) => this.#modify(now, request),
    });
  }

  // --- colibri2

  /** A request over HTTP. */
  modify(now: Millis, request: ConferenceModify): ColibriOutcome {
    const outcome = this.#modify(now, request);
    this.#settle(now);
    return outcome;
  }

  #modify(now: Millis, request: ConferenceModify): ColibriOutcome {
    this.#monitorAt ??= later(now, MONITOR_MS);
    this.#sweepAt ??= later(now, SWEEP_MS);
    return handleConferenceModify(
      now,
      this.context,
      { byMeeting: this.#conferences, closing: this.shutdown.refusesConferences },
      request,
    );
  }

  // --- bridge channel

  /** Status to refuse an upgrade with (bridge.md 2.1), or undefined. */
  channelRefusal(path: ChannelPath): 403 | 404 | undefined {
    if (path.serverId !== this.context.settings.serverId) return 404;
    const holder = this.#channelPeer(path);
    return holder !== undefined && path.query === `pwd=${holder.peer.channelSecret}` ? undefined : 403;
  }

  #channelPeer(path: ChannelPath): ChannelHolder | undefined {
    for (const conference of this.#conferences.values()) {
      if (conference.id !== path.conference) continue;
      const peers = path.kind === "endpoint" ? conference.endpoints : conference.relays;
      const peer = peers.get(path.peer);
      return peer === undefined ? undefined : { conference, peer };
    }
    return undefined;
  }

  /** A WebSocket that `channelRefusal` let in. */
  channelOpened(now: Millis, channel: ChannelId, path: ChannelPath): void {
    const holder = this.channelRefusal(path) === undefined ? this.#channelPeer(path) : undefined;
    if (holder === undefined) {
      this.context.act({ type: "channel-close", channel, code: 1001, reason: "endpoint closed" });
      return;
    }
    this.#attach(now, channel, holder);
  }

  /** A WebSocket that a `channel-dial` asked for is open. */
  channelDialled(now: Millis, channel: ChannelId): void {
    const own = this.#export((each) => each.channel === channel);
    if (own !== undefined) {
      own.opened(now);
      return;
    }
    for (const conference of this.#conferences.values())
      for (const relay of conference.relays.values())
        if (relay.isDialled(channel)) {
          this.#attach(now, channel, { conference, peer: relay });
          return;
        }
    this.context.act({ type: "channel-close", channel, code: 1001, reason: "relay_closed" });
  }

  #attach(now: Millis, channel: ChannelId, holder: ChannelHolder): void {
    this.#channels.set(channel, holder);
    holder.peer.channel.webSocketOpened(channel);
    if ("visitor" in holder.peer) holder.conference.channelOpened(now, holder.peer, "websocket");
    else holder.peer.channelOpened(now);
    this.#settle(now);
  }

  #export(matches: (each: MediaExport) => boolean): MediaExport | undefined {
    for (const conference of this.#conferences.values())
      for (const each of conference.exports.values()) if (matches(each)) return each;
    return undefined;
  }

  /** The socket of a `tap-open` is there. */
  tapOpened(tap: number, address: string, port: number): void {
    const own = this.#export((each) => each.index === tap);
    if (own === undefined) this.context.act({ type: "tap-close", tap });
    else own.tapOpened(address, port);
  }

  tapDatagram(tap: number, bytes: Uint8Array): void {
    this.#export((each) => each.index === tap)?.datagram(bytes);
  }

  channelText(now: Millis, channel: ChannelId, text: string): void {
    const own = this.#export((each) => each.channel === channel);
    if (own !== undefined) {
      own.text(now, text);
      return;
    }
    const holder = this.#channels.get(channel);
    if (holder === undefined || !holder.peer.channel.isWebSocket(channel)) {
      this.context.counters.drop("channel-message-late");
      return;
    }
    if ("visitor" in holder.peer) holder.conference.channelText(now, holder.peer, text, "websocket");
    else holder.peer.channelText(now, text, "websocket");
    this.#settle(now);
  }

  /** `orderly`: with a closing handshake. */
  channelClosed(channel: ChannelId, orderly = true): void {
    if (this.#channels.has(channel)) {
      if (orderly) this.context.counters.webSocketsClosed++;
      else this.context.counters.webSocketsLost++;
    }
    this.#export((each) => each.channel === channel)?.closed();
    this.#channels.get(channel)?.peer.channel.webSocketClosed(channel);
    this.#channels.delete(channel);
  }

  // --- administration

  setDrain(now: Millis, wallNow: EpochMillis, drain: boolean): void {
    if (this.#drain === drain) return;
    this.#drain = drain;
    this.#mucClients.presence(now, this.stats(wallNow));
  }

  /** One more XMPP server to serve. False: there are too many. */
  addMucClient(request: MucClientRequest): boolean {
    return this.#mucClients.add(request);
  }

  /** False: there is none of that id. */
  removeMucClient(id: string): boolean {
    return this.#mucClients.remove(id);
  }

  beginShutdown(now: Millis, wallNow: EpochMillis, graceful: boolean): void {
    this.shutdown.begin(now, graceful);
    this.#advanceShutdown(now, wallNow);
    this.#mucClients.presence(now, this.stats(wallNow));
  }

  /** Leaves the breweries, ends conferences and channels. */
  stop(now: Millis): void {
    this.#mucClients.leave();
    for (const conference of this.#conferences.values()) conference.expire(now);
    this.#conferences.clear();
    this.context.media({ type: "stop" });
  }

  stats(wallNow: EpochMillis): Map<string, StatValue> {
    const cameras = this.#cameras();
    const capacity = this.#capacity;
    return collectStats({
      context: this.context,
      load: {
        stress: capacity.stress(this.rates.stress, cameras),
        participantStress: capacity.participantStress,
        cameras,
        maxCameras: capacity.cameras,
        certain: capacity.certain,
        microsPerPacket: capacity.microsPerPacket,
        qualityStep: this.#quality.step,
      },
      conferences: this.#conferences.values(),
      rates: this.rates,
      wallNow,
      drain: this.#drain,
      gracefulShutdown: this.shutdown.state === "GRACEFUL_SHUTDOWN",
      shuttingDown: this.shutdown.state === "SHUTTING_DOWN" || this.shutdown.state === "OVER",
      healthy: this.health() === undefined,
      xmpp: this.#mucClients.census(),
      threads: this.#threads(),
    });
  }

  // --- time

  /** When `handleTimeout` has to be called at the latest. Some of what it does is due up to PATIENCE_MS earlier, and done whenever it is called. */
  nextDeadline(): Deadline | undefined {
    let urgent = soonest(this.#mucClients.nextDeadline(), this.shutdown.nextDeadline());
    let patient = this.#nextPatient();
    for (const link of this.context.links.values()) {
      const next = link.nextDeadline();
      if (next === undefined) continue;
      if (isPatient(next)) patient = soonest(patient, next);
      else urgent = soonest(urgent, next);
    }
    return soonest(urgent, patient && { at: later(patient.at, PATIENCE_MS), why: patient.why });
  }

  /** The earliest of those that can wait, the links' left aside. */
  #nextPatient(): Deadline | undefined {
    let next = soonest(
      this.#monitorAt === undefined ? undefined : { at: this.#monitorAt, why: "connectivity monitor" },
      this.#sweepAt === undefined ? undefined : { at: this.#sweepAt, why: "expiry" },
      this.#reportAt === undefined ? undefined : { at: this.#reportAt, why: "media report" },
    );
    for (const conference of this.#conferences.values()) next = soonest(next, conference.nextDeadline());
    return next;
  }

  handleTimeout(now: Millis, wallNow: EpochMillis): void {
    for (const link of [...this.context.links.values()]) {
      const deadline = link.nextDeadline();
      if (deadline !== undefined && deadline.at <= now) link.handleTimeout(now);
    }
    for (const conference of this.#conferences.values()) conference.handleTimeout(now);
    if (this.#monitorAt !== undefined && now >= this.#monitorAt) {
      this.#monitorAt = later(now, MONITOR_MS);
      for (const conference of this.#conferences.values()) conference.checkActivity(now);
    }
    if (this.#sweepAt !== undefined && now >= this.#sweepAt) {
      this.#sweepAt = later(now, SWEEP_MS);
      for (const conference of this.#conferences.values()) conference.sweep(now);
    }
    if (this.#reportAt !== undefined && now >= this.#reportAt) {
      this.#reportAt = later(now, REPORT_MS);
      this.context.media({ type: "report" });
      this.#unanswered++;
    }
    this.#mucClients.handleTimeout(now, () => this.stats(wallNow));
    this.#advanceShutdown(now, wallNow);
    this.#settle(now);
  }

  #advanceShutdown(now: Millis, wallNow: EpochMillis): void {
    let participants = 0;
    for (const conference of this.#conferences.values()) participants += conference.endpoints.size;
    while (this.shutdown.advance(now, participants)) this.#mucClients.presence(now, this.stats(wallNow));
    if (this.shutdown.state === "OVER") this.context.act({ type: "shutdown" });
  }

  /** What one input changed is carried out before the next one. */
  #settle(now: Millis): void {
    for (const [meetingId, conference] of this.#conferences) {
      conference.settle(now);
      if (conference.expired) this.#conferences.delete(meetingId);
    }
    if (this.#conferences.size > 0) return;
    // Nothing to watch: an idle bridge wakes up for its presence only.
    this.#monitorAt = undefined;
    this.#sweepAt = undefined;
  }
}

function trafficOf({ endpoints, relays }: Conference): ConferenceTraffic {
  const near = [...endpoints.values()];
  const far = [...relays.values()];
  return {
    size: near.length + far.reduce((sum, each) => sum + each.endpoints.size, 0),
    links: [...near, ...far].map((each) => each.index),
  };
}
