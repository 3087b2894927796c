/**
 * The media loop's core: datagrams and commands in, runs of datagrams and events out; no socket, no clock. The worker calls `receive` for each datagram of a
 * batch, then `endBatch`; `apply` between batches; `tick` when `nextTick` has come.
 *
 * Order of a packet's way: address → endpoint, first byte → kind (RFC 7983), then receive-rtp.ts, receive-rtcp.ts, or consent.ts; what is none of ours goes up as
 * `datagram`, bounded.
 */
import type { EndpointLevels, LayerState, MediaCommand, MediaStatistics } from "../media-commands.ts";
import { isRtcp } from "../rtp/header.ts";
import { canonicalAddress } from "../transport/address.ts";
import { isDtls, isRtpOrRtcp, isStun } from "../transport/demux.ts";
import { addressPort, addressText } from "./addresses.ts";
import { Commands } from "./apply-command.ts";
import { ANSWERS_PER_TICK, Consent } from "./consent.ts";
import { Drop } from "./drop-reason.ts";
import type { Endpoint, Source } from "./endpoint.ts";
import { Feedback } from "./feedback.ts";
import { KeyFrames } from "./key-frames.ts";
import { MAX_DATAGRAM } from "./layout.ts";
import type { Outbox } from "./outbox.ts";
import { RtcpPath } from "./receive-rtcp.ts";
import { RtpPath } from "./receive-rtp.ts";
import { Sending } from "./send.ts";
import { Stalls } from "./stalls.ts";
import { LoopState, type MediaLoopOptions } from "./state.ts";

export type { MediaLoopOptions } from "./state.ts";

/** While media flows; NACK repeats, feedback and budgets hang on it. */
const TICK_MS = 20;
/** A tick may come so much later when nothing else wakes the thread. */
const TICK_SLACK_MS = 10;
/** Nothing came lately: levels, activity and reports have time. */
const RESTING_TICK_MS = 500;
const RESTING_AFTER_MS = 1000;
/** As often as somebody decides who is dominant (receive/speech.ts), and a little more, so that the decision is due when they come; each wakes the control side. */
const LEVELS_MS = 310;
/** What is told about once a second goes with the next levels: each message wakes the control side. */
const SECOND_MS = 900;
/** A change of layers is told at most so often. */
const NEWS_MS = 250;
/** Datagrams handed up in one tick's time. */
const DATAGRAMS_PER_TICK = 200;
/** Of them from addresses that nobody has vouched for. */
const STRANGERS_PER_TICK = 100;
/** Packets in one tick's time whose SRTP may be refused before an endpoint's packets are dropped unseen: what a forger can cost us. */
const REFUSALS_PER_TICK = 200;
/** Retransmissions that one receiver's NACKs may cost between two ticks, saved up to twice that. */
const RETRANSMISSIONS_PER_TICK = 100;

export class MediaLoop {
  readonly state: LoopState;
  readonly #rtp: RtpPath;
  readonly #rtcp: RtcpPath;
  readonly #consent: Consent;
  readonly #feedback: Feedback;
  readonly #commands: Commands;
  readonly #onlyFrom: ReadonlySet<string> | undefined;
  #nextTick = Number.POSITIVE_INFINITY;
  #levelsAt = 0;
  #secondAt = 0;
  #datagramsLeft = DATAGRAMS_PER_TICK;
  #strangersLeft = STRANGERS_PER_TICK;
  #budgetAt = Number.NEGATIVE_INFINITY;
  #lastMediaAt = Number.NEGATIVE_INFINITY;
  #sentBefore = 0;
  /** Share of time that the loop was busy, and how long its turns took: the worker measures and sets them. */
  load = 0;
  readonly turns = new Stalls();

  constructor(options: MediaLoopOptions) {
    this.state = new LoopState(options);
    const sending = new Sending(this.state);
    const keyFrames = new KeyFrames(this.state);
    this.#rtp = new RtpPath(this.state, sending, keyFrames);
    this.#rtcp = new RtcpPath(this.state, sending, keyFrames);
    this.#consent = new Consent(this.state);
    this.#feedback = new Feedback(this.state);
    this.#commands = new Commands(this.state, keyFrames);
    this.#onlyFrom =
      options.onlyFrom === undefined
        ? undefined
        : new Set(options.onlyFrom.map((address) => canonicalAddress(address) ?? address));
  }

  /** Address families of the local sockets, by index. */
  sockets(families: readonly (4 | 6)[]): void {
    this.state.families = families;
  }

  /** When `tick` wants to be called, ms on the clock of `nowMs`; infinity: not at all. */
  get nextTick(): number {
    const { held, heldSince, holding } = this.state;
    return held.waits ? Math.min(this.#nextTick, heldSince + holding.ms) : this.#nextTick;
  }

  /**
   * When a thread that sleeps has to wake: a tick can wait a little for a packet to bring the thread round, because each wake-up costs as much as a few packets.
   */
  get wakeAt(): number {
    const { held, heldSince, holding } = this.state;
    const tickAt = this.#nextTick + TICK_SLACK_MS;
    return held.waits ? Math.min(tickAt, heldSince + holding.ms) : tickAt;
  }

  /** Whether packets of a meeting came lately. */
  mediaFlows(nowMs: number): boolean {
    return nowMs - this.#lastMediaAt < RESTING_AFTER_MS;
  }

  /** Busy share of the thread in a window that just ended, and its length: decides about holding. */
  busy(share: number, windowMs: number): void {
    const { holding, endpointCount, packetsSent } = this.state;
    const sent = packetsSent - this.#sentBefore;
    this.#sentBefore = packetsSent;
    holding.heard(share, sent / Math.max(1, endpointCount) / windowMs);
  }

  apply(nowMs: number, commands: readonly MediaCommand[]): void {
    // What waits was made for the addresses of now.
    if (commands.length > 0) this.#release();
    for (const command of commands) {
      if (command.type === "report") this.state.emit({ type: "statistics", statistics: this.statistics() });
      else this.#commands.apply(nowMs, command);
    }
    this.#commands.settle();
    if (this.state.endpointCount > 0) this.#nextTick = Math.min(this.#nextTick, nowMs + TICK_MS);
  }

  /** One datagram at `at` from the socket address at `address`; in its slot SRTP_SCRATCH_BYTES behind it are free. */
  receive(nowMs: number, socket: number, at: number, length: number, address: number) {
    const state = this.state;
    if (length < 1) return state.drops.count(Drop["not-media"]);
    if (nowMs - this.#budgetAt >= TICK_MS) {
      this.#budgetAt = nowMs;
      this.#datagramsLeft = DATAGRAMS_PER_TICK;
      this.#strangersLeft = STRANGERS_PER_TICK;
    }
    if (length > MAX_DATAGRAM) return state.drops.count(Drop.truncated);
    const first = state.bytes[at] as number;
    const path = state.paths.find(socket, address);
    const endpoint = path < 0 ? undefined : state.endpoints[state.paths.owner(path)];
    if (endpoint === undefined) {
      if (!isStun(first)) return state.drops.count(Drop["unknown-address"]);
      if (this.#strangersLeft <= 0) return state.drops.count(Drop["too-many-datagrams"]);
      this.#strangersLeft -= 1;
      if (this.#onlyFrom !== undefined && !this.#onlyFrom.has(addressText(state.bytes, address)))
        return state.drops.count(Drop["outside-lan"]);
      return this.#handUp(-1, socket, at, length, address);
    }
    if (isRtpOrRtcp(first)) {
      state.packetsReceived += 1;
      state.bytesReceived += length;
      this.#lastMediaAt = nowMs;
      if (length < 12) return state.drops.count(Drop["malformed-rtp"]);
      if (endpoint.refused >= REFUSALS_PER_TICK) return state.drops.count(Drop["too-many-datagrams"]);
      if (isRtcp(state.bytes, at)) this.#rtcp.receive(nowMs, endpoint, at, length);
      else this.#rtp.receive(nowMs, endpoint, at, length);
      return;
    }
    if (isStun(first)) {
      if (!this.#consent.receive(nowMs, endpoint, path, at, length))
        this.#handUp(endpoint.index, socket, at, length, address);
      return;
    }
    if (isDtls(first)) return this.#handUp(endpoint.index, socket, at, length, address);
    state.drops.count(Drop["not-media"]);
  }

  /** All datagrams of a batch are in: feedback for whom it is due, then everything out. */
  endBatch(nowMs: number): void {
    const { touched, outbox, held } = this.state;
    for (let index = 0; index < touched.length; index++) {
      const endpoint = touched[index] as Endpoint;
      endpoint.touched = false;
      this.#feedback.afterBatch(nowMs, endpoint);
    }
    touched.length = 0;
    this.#feedback.ride(nowMs);
    this.state.batches += 1;
    this.#releaseIfDue(nowMs);
    this.#flush(outbox);
    if (held.runCount > 0 && !held.waits) held.drain(); // sound took all of it along: its memory is free again
  }

  /** When `nextTick` has come. */
  tick(nowMs: number): void {
    const state = this.state;
    this.#releaseIfDue(nowMs);
    if (nowMs < this.#nextTick) return;
    const levels = nowMs - this.#levelsAt >= LEVELS_MS;
    const second = levels && nowMs - this.#secondAt >= SECOND_MS;
    for (const conference of state.conferences.values()) {
      const members = conference.members;
      for (let index = 0; index < members.length; index++) {
        const endpoint = members[index] as Endpoint;
        endpoint.nackBudget = Math.min(2 * RETRANSMISSIONS_PER_TICK, endpoint.nackBudget + RETRANSMISSIONS_PER_TICK);
        endpoint.answersLeft = ANSWERS_PER_TICK;
        endpoint.refused = 0;
        this.#feedback.tick(nowMs, endpoint);
        const sources = endpoint.sourceList;
        for (let each = 0; each < sources.length; each++) this.#layers(nowMs, sources[each] as Source, second);
        if (second && endpoint.rttChanged) {
          endpoint.rttChanged = false;
          state.emit({ type: "round-trip", endpoint: endpoint.index, rttMs: endpoint.rttMs });
        }
      }
    }
    this.#feedback.ride(nowMs);
    if (levels) this.#levels(nowMs);
    if (second) this.#second(nowMs);
    this.#flush(state.outbox);
    const resting = !this.mediaFlows(nowMs);
    this.#nextTick =
      state.endpointCount === 0 ? Number.POSITIVE_INFINITY : nowMs + (resting ? RESTING_TICK_MS : TICK_MS);
  }

  flush(): void {
    this.#flush(this.state.outbox);
  }

  #flush(outbox: Outbox): void {
    this.state.packetsSent += outbox.datagrams;
    this.state.bytesSent += outbox.bytesOut;
    outbox.datagrams = 0;
    outbox.bytesOut = 0;
    outbox.drain();
  }

  #release(): void {
    this.#flush(this.state.held);
  }

  #releaseIfDue(nowMs: number): void {
    const { held, heldSince, holding } = this.state;
    if (held.waits && nowMs - heldSince >= holding.ms) this.#release();
  }

  statistics(): MediaStatistics {
    const state = this.state;
    const turns = { longestTurnMs: this.turns.longestMs, turnP999Ms: this.turns.percentileMs(0.999) };
    this.turns.clear();
    const endpoints = state.endpoints.filter((endpoint): endpoint is Endpoint => endpoint !== undefined);
    return {
      packetsReceived: state.packetsReceived,
      bytesReceived: state.bytesReceived,
      packetsSent: state.packetsSent,
      bytesSent: state.bytesSent,
      dropped: state.drops.record(),
      keyFramesReceived: state.keyFramesReceived,
      keyFrameRequestsSent: state.keyFrameRequestsSent,
      nacksReceived: state.nacksReceived,
      nacksSent: state.nacksSent,
      retransmissions: state.retransmissions,
      unmatchedFeedback: state.unmatchedFeedback,
      spuriousRembEndpoints: state.spuriousRembEndpoints,
      messagesSent: state.outbox.messages + state.held.messages,
      batches: state.batches,
      packetsHeld: state.packetsHeld,
      holdMs: state.holding.ms,
      load: this.load,
      ...turns,
      endpoints: endpoints.map((endpoint) => ({
        endpoint: endpoint.index,
        packetsReceived: endpoint.packetsReceived,
        bytesReceived: endpoint.bytesReceived,
        packetsSent: endpoint.packetsSent,
        bytesSent: endpoint.bytesSent,
        packetsLostByReceiver: [...endpoint.outgoing.values()].reduce((sum, stream) => sum + stream.lostByReceiver, 0),
        packetsLostOnReceive: [...endpoint.streams.values()].reduce(
          (sum, stream) => sum + Math.max(0, stream.reception.lost),
          0,
        ),
        rttMs: endpoint.rttMs,
      })),
    };
  }

  #handUp(endpoint: number, socket: number, at: number, length: number, address: number) {
    const { bytes, drops, emit } = this.state;
    if (this.#datagramsLeft <= 0) return drops.count(Drop["too-many-datagrams"]);
    this.#datagramsLeft -= 1;
    emit({
      type: "datagram",
      endpoint,
      path: { socket, address: addressText(bytes, address), port: addressPort(bytes, address) },
      bytes: bytes.slice(at, at + length),
    });
  }

  #levels(nowMs: number): void {
    this.#levelsAt = nowMs;
    const levels: EndpointLevels[] = [];
    for (const conference of this.state.conferences.values())
      for (const endpoint of conference.endpoints) {
        if (endpoint.relay)
          for (const source of endpoint.sources.values()) {
            if (source.levelCount === 0 || source.levels === undefined) continue;
            const heard = [...source.levels.subarray(0, source.levelCount)];
            levels.push({ endpoint: endpoint.index, source: source.index, levels: heard });
            source.levelCount = 0;
          }
        if (endpoint.levelCount === 0) continue;
        levels.push({ endpoint: endpoint.index, levels: [...endpoint.levels.subarray(0, endpoint.levelCount)] });
        endpoint.levelCount = 0;
      }
    if (levels.length > 0) this.state.emit({ type: "levels", levels });
  }

  /**
   * Reports a video source's layers: every second, and sooner when another one came up. What came up is watched for a while first: its first frames show neither
   * its temporal layers nor its bitrate, and whoever believed them would drop the layers that come next.
   */
  #layers(nowMs: number, source: Source, second: boolean): void {
    if (source.kind !== "video") return;
    if (!second && nowMs - source.layersReportedAt < NEWS_MS) return;
    let changed = false;
    for (let index = 0; index < source.encodings.length; index++) {
      const meter = source.encodings[index]?.layers;
      if (meter?.changed !== true) continue;
      if (meter.isYoung(nowMs, NEWS_MS)) return;
      changed = true;
    }
    if (!second && !changed) return;
    source.layersReportedAt = nowMs;
    const layers: LayerState[] = [];
    for (const stream of source.encodings)
      for (const { spatial, temporal, height, frameRate, bitrateBps } of stream.layers.take(nowMs))
        layers.push({ layer: (stream.encoding << 6) | (spatial << 3) | temporal, height, frameRate, bitrateBps });
    if (layers.length === 0 && !source.layersAlive) return;
    source.layersAlive = layers.length > 0;
    this.state.emit({ type: "layers", source: source.index, layers });
  }

  #second(nowMs: number): void {
    this.#secondAt = nowMs;
    const idleMs: (readonly [number, number])[] = [];
    for (const conference of this.state.conferences.values())
      for (const endpoint of conference.endpoints)
        if (endpoint.lastReceivedAt >= 0) idleMs.push([endpoint.index, Math.max(0, nowMs - endpoint.lastReceivedAt)]);
    if (idleMs.length > 0) this.state.emit({ type: "activity", idleMs });
  }
}
