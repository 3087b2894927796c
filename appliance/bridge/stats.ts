/**
 * The bridge's statistics under the original's names (bridge.md 1.14): the content of the brewery presence and of /colibri/stats, in the recorded order.
 */
import type { EpochMillis, Millis } from "../time.ts";
import { LOAD_THRESHOLD } from "./capacity.ts";
import type { Conference } from "./conference.ts";
import type { BridgeContext, BridgeSettings } from "./context.ts";
import type { EndpointIndex, EndpointStatistics, MediaStatistics } from "./media-commands.ts";

export type StatValue = number | boolean | string;
export type Stats = ReadonlyMap<string, StatValue>;

/** Fraction of packets lost toward a receiver from which it counts as a bad one. */
const HIGH_LOSS = 0.1;
const STRESS_WINDOW_MS = 10_000;

/** What is measured between two reports of the media loop, per second. */
export class Rates {
  #former: { readonly at: Millis; readonly statistics: MediaStatistics } | undefined;
  bitsPerSecondIn = 0;
  bitsPerSecondOut = 0;
  packetsPerSecondIn = 0;
  packetsPerSecondOut = 0;
  /** Links to other bridges included. */
  allPacketsPerSecondOut = 0;
  /** Fractions 0 … 1. */
  incomingLoss = 0;
  outgoingLoss = 0;
  endpointsWithHighLoss = 0;
  /** Packets of one message to the kernel, and datagrams of one batch that came in. */
  runLength = 0;
  batchSize = 0;
  #stress: { readonly at: Millis; load: number }[] = [];
  latest: MediaStatistics | undefined;
  /** Of links to other bridges: per second, and since the start. */
  readonly relayRates = emptyTraffic();
  readonly relayTotals = emptyTraffic();
  /** Sum over all video streams of how long they were received, ms. */
  videoMs = 0;

  /** `relays`: the loop's numbers of relay links; `videoStreams`: how many encodings are being received. */
  update(now: Millis, statistics: MediaStatistics, relays: ReadonlySet<EndpointIndex>, videoStreams: number): void {
    const former = this.#former;
    this.latest = statistics;
    this.#former = { at: now, statistics };
    this.#stress = [
      ...this.#stress.filter((each) => now - each.at < STRESS_WINDOW_MS),
      { at: now, load: statistics.load },
    ];
    if (former === undefined) return;
    const seconds = Math.max(0.001, (now - former.at) / 1000);
    const before = former.statistics;
    this.videoMs += videoStreams * seconds * 1000;
    const relayed = relayTraffic(before.endpoints, statistics.endpoints, relays);
    for (const name of TRAFFIC) {
      this.relayTotals[name] += relayed[name];
      this.relayRates[name] = relayed[name] / seconds;
    }
    this.allPacketsPerSecondOut = Math.max(0, statistics.packetsSent - before.packetsSent) / seconds;
    const clients = (name: keyof Traffic): number => (statistics[name] - before[name] - relayed[name]) / seconds;
    this.bitsPerSecondIn = Math.max(0, clients("bytesReceived") * 8);
    this.bitsPerSecondOut = Math.max(0, clients("bytesSent") * 8);
    this.packetsPerSecondIn = Math.max(0, clients("packetsReceived"));
    this.packetsPerSecondOut = Math.max(0, clients("packetsSent"));
    this.runLength = ratio(statistics.packetsSent - before.packetsSent, statistics.messagesSent - before.messagesSent);
    this.batchSize = ratio(statistics.packetsReceived - before.packetsReceived, statistics.batches - before.batches);
    this.#loss(before.endpoints, statistics.endpoints);
  }

  /** Measured load over its threshold, averaged over ten seconds. */
  get stress(): number {
    if (this.#stress.length === 0) return 0;
    return this.#stress.reduce((sum, each) => sum + each.load, 0) / this.#stress.length / LOAD_THRESHOLD;
  }

  #loss(before: readonly EndpointStatistics[], after: readonly EndpointStatistics[]): void {
    const former = new Map(before.map((each) => [each.endpoint, each]));
    let lostIn = 0;
    let receivedIn = 0;
    let lostOut = 0;
    let sentOut = 0;
    this.endpointsWithHighLoss = 0;
    for (const each of after) {
      const old = former.get(each.endpoint);
      const lost = difference(each.packetsLostByReceiver, old?.packetsLostByReceiver);
      const sent = difference(each.packetsSent, old?.packetsSent);
      lostIn += difference(each.packetsLostOnReceive, old?.packetsLostOnReceive);
      receivedIn += difference(each.packetsReceived, old?.packetsReceived);
      lostOut += lost;
      sentOut += sent;
      if (sent > 0 && lost / sent > HIGH_LOSS) this.endpointsWithHighLoss++;
    }
    this.incomingLoss = fraction(lostIn, receivedIn + lostIn);
    this.outgoingLoss = fraction(lostOut, sentOut);
  }
}

const TRAFFIC = ["packetsReceived", "bytesReceived", "packetsSent", "bytesSent"] as const;
type Traffic = Record<(typeof TRAFFIC)[number], number>;
const emptyTraffic = (): Traffic => ({ packetsReceived: 0, bytesReceived: 0, packetsSent: 0, bytesSent: 0 });

function relayTraffic(
  before: readonly EndpointStatistics[],
  after: readonly EndpointStatistics[],
  relays: ReadonlySet<EndpointIndex>,
): Traffic {
  const former = new Map(before.map((each) => [each.endpoint, each]));
  const traffic = emptyTraffic();
  for (const each of after)
    if (relays.has(each.endpoint))
      for (const name of TRAFFIC) traffic[name] += difference(each[name], former.get(each.endpoint)?.[name]);
  return traffic;
}

/** Slots are given to new endpoints: a counter that went back belongs to another one. */
const difference = (value: number, before = 0): number => (value >= before ? value - before : value);
const ratio = (part: number, whole: number): number => (whole > 0 ? part / whole : 0);
const fraction = (part: number, whole: number): number => (whole > 0 ? Math.min(1, part / whole) : 0);

/** How loaded the bridge is, and what it does about it. */
export interface BridgeLoad {
  /** 1: full. */
  readonly stress: number;
  readonly participantStress: number;
  /** Cameras forwarded now, and at most; `certain`: measured under load, or pinned. */
  readonly cameras: number;
  readonly maxCameras: number;
  readonly certain: boolean;
  readonly microsPerPacket: number;
  /** Step of quality.ts. */
  readonly qualityStep: number;
}

/** XMPP servers that the bridge serves, and the breweries that it is in there. */
export interface MucClientCensus {
  readonly clients: number;
  readonly connected: number;
  readonly rooms: number;
  readonly joined: number;
}

export interface StatsInput {
  readonly context: BridgeContext;
  readonly load: BridgeLoad;
  readonly conferences: Iterable<Conference>;
  readonly rates: Rates;
  readonly wallNow: EpochMillis;
  readonly drain: boolean;
  readonly gracefulShutdown: boolean;
  readonly shuttingDown: boolean;
  readonly healthy: boolean;
  readonly xmpp: MucClientCensus;
  /** Of the process. */
  readonly threads: number;
}

export function collectStats(input: StatsInput): Map<string, StatValue> {
  const { context, rates, load } = input;
  const { counters, settings } = context;
  const now = census(input.conferences);
  const media = rates.latest;
  const rtts = now.rtts;
  const averageLoss = (rates.incomingLoss + rates.outgoingLoss) / 2;
  const stats: [string, StatValue][] = [
    ["incoming_loss", rates.incomingLoss],
    ["outgoing_loss", rates.outgoingLoss],
    ["overall_loss", averageLoss],
    ["endpoints_with_high_outgoing_loss", rates.endpointsWithHighLoss],
    ["tcc_unmatched_feedback", media?.unmatchedFeedback ?? 0],
    ["local_active_endpoints", now.activeEndpoints],
    ["bit_rate_download", Math.round(rates.bitsPerSecondIn / 1000)],
    ["bit_rate_upload", Math.round(rates.bitsPerSecondOut / 1000)],
    ["packet_rate_download", Math.round(rates.packetsPerSecondIn)],
    ["packet_rate_upload", Math.round(rates.packetsPerSecondOut)],
    ["rtt_aggregate", rtts.length === 0 ? 0 : rtts.reduce((sum, each) => sum + each, 0) / rtts.length],
    ["num_eps_oversending", now.oversending],
    ["octo_conferences", now.relayedConferences],
    ["inactive_conferences", now.inactiveConferences],
    ["p2p_conferences", now.p2pConferences],
    ["endpoints", now.endpoints + now.farEndpoints],
    ["participants", now.endpoints + now.farEndpoints],
    ["receive_only_endpoints", now.receiveOnly],
    ["inactive_endpoints", now.inactiveEndpoints],
    ["octo_endpoints", now.farEndpoints],
    ["endpoints_sending_audio", now.sendingAudio],
    ["endpoints_sending_video", now.sendingVideo],
    ["largest_conference", now.largest],
    ["octo_receive_bitrate", Math.round(rates.relayRates.bytesReceived * 8)],
    ["octo_receive_packet_rate", Math.round(rates.relayRates.packetsReceived)],
    ["octo_send_bitrate", Math.round(rates.relayRates.bytesSent * 8)],
    ["octo_send_packet_rate", Math.round(rates.relayRates.packetsSent)],
    ["endpoints_with_suspended_sources", now.suspended],
    ["total_conferences_created", counters.conferencesCreated],
    ["total_conferences_completed", counters.conferencesCompleted],
    ["total_conference_seconds", counters.conferenceSeconds],
    ["total_participants", counters.participants],
    ["total_visitors", counters.visitors],
    ["num_eps_no_msg_transport_after_delay", counters.endpointsWithoutChannel],
    ["total_relays", counters.relays],
    ["num_relays_no_msg_transport_after_delay", counters.relaysWithoutChannel],
    ["total_keyframes_received", media?.keyFramesReceived ?? 0],
    ["total_layering_changes_received", counters.layeringChanges],
    ["total_video_stream_milliseconds_received", Math.round(rates.videoMs)],
    ["stress_level", load.stress],
    ["conferences", now.conferences],
    ["visitors", now.visitors],
    ["local_endpoints", now.endpoints],
    ["total_data_channel_messages_received", counters.dataChannelReceived],
    ["total_data_channel_messages_sent", counters.dataChannelSent],
    ["total_colibri_web_socket_messages_received", counters.webSocketReceived],
    ["total_colibri_web_socket_messages_sent", counters.webSocketSent],
    ["total_bytes_received", media?.bytesReceived ?? 0],
    ["endpoints_ice_failed", counters.endpointsIceFailed],
    ["dtls_failed_endpoints", counters.endpointsDtlsFailed],
    ["relays_ice_failed", counters.relaysIceFailed],
    ["dtls_failed_relays", counters.relaysDtlsFailed],
    ["total_bytes_sent", media?.bytesSent ?? 0],
    ["total_packets_received", media?.packetsReceived ?? 0],
    ["total_packets_sent", media?.packetsSent ?? 0],
    ["total_bytes_received_octo", rates.relayTotals.bytesReceived],
    ["total_bytes_sent_octo", rates.relayTotals.bytesSent],
    ["total_packets_received_octo", rates.relayTotals.packetsReceived],
    ["total_packets_sent_octo", rates.relayTotals.packetsSent],
    ["total_dominant_speaker_changes", counters.dominantSpeakerChanges],
    ["preemptive_kfr_sent", counters.preemptiveKeyFrames],
    ["preemptive_kfr_suppressed", counters.preemptiveKeyFramesSuppressed],
    ["total_ice_failed", counters.iceFailed],
    ["total_ice_succeeded", counters.iceSucceeded],
    ["total_ice_succeeded_relayed", counters.iceSucceededRelayed],
    ["average_participant_stress", load.participantStress],
    ["threads", input.threads],
    ["graceful_shutdown", input.gracefulShutdown],
    ["shutting_down", input.shuttingDown],
    ["drain", input.drain],
    ["current_timestamp", timestamp(input.wallNow)],
    ["muc_clients_configured", input.xmpp.clients],
    ["muc_clients_connected", input.xmpp.connected],
    ["mucs_configured", input.xmpp.rooms],
    ["mucs_joined", input.xmpp.joined],
    ["endpoints_with_spurious_remb", media?.spuriousRembEndpoints ?? 0],
    ["healthy", input.healthy],
    ["endpoints_disconnected", counters.endpointsDisconnected],
    ["endpoints_reconnected", counters.endpointsReconnected],
    ["version", settings.version],
    ...textOf("release", settings.release),
    ...textOf("region", settings.region),
    ["relay_id", settings.serverId],
    // Ours (design.md 8): a peer that does not know them passes them over.
    ["parley_cameras", load.cameras],
    ["parley_max_cameras", load.maxCameras],
    ...(load.certain
      ? [["parley_camera_room", Math.max(0, load.maxCameras - load.cameras)] as [string, StatValue]]
      : []),
    ["parley_micros_per_packet", round(load.microsPerPacket)],
    ["parley_quality_step", load.qualityStep],
    ...providersOf(settings.srtp),
  ];
  return new Map(stats);
}

/** What tells how the media loop fares: ours alone, and for /colibri/stats only; presence stays as short as the original's. */
export const mediaStats = ({ runLength, batchSize, latest }: Rates): Record<string, number> => ({
  parley_media_run_length: runLength,
  parley_media_batch_size: batchSize,
  parley_media_hold_ms: latest?.holdMs ?? 0,
  parley_media_longest_turn_ms: latest?.longestTurnMs ?? 0,
  parley_media_turn_p999_ms: latest?.turnP999Ms ?? 0,
});

export interface Census {
  conferences: number;
  inactiveConferences: number;
  p2pConferences: number;
  relayedConferences: number;
  largest: number;
  endpoints: number;
  farEndpoints: number;
  visitors: number;
  activeEndpoints: number;
  inactiveEndpoints: number;
  receiveOnly: number;
  sendingAudio: number;
  sendingVideo: number;
  oversending: number;
  suspended: number;
  rtts: number[];
  /** Of each conference: everybody in it, and who of ours sends audio and video. */
  sizes: number[];
  audioSenders: number[];
  videoSenders: number[];
}

export function census(conferences: Iterable<Conference>): Census {
  const total: Census = {
    conferences: 0,
    inactiveConferences: 0,
    p2pConferences: 0,
    relayedConferences: 0,
    largest: 0,
    endpoints: 0,
    farEndpoints: 0,
    visitors: 0,
    activeEndpoints: 0,
    inactiveEndpoints: 0,
    receiveOnly: 0,
    sendingAudio: 0,
    sendingVideo: 0,
    oversending: 0,
    suspended: 0,
    rtts: [],
    sizes: [],
    audioSenders: [],
    videoSenders: [],
  };
  for (const conference of conferences) {
    let far = 0;
    for (const relay of conference.relays.values()) far += relay.endpoints.size;
    let sending = 0;
    const before = { audio: total.sendingAudio, video: total.sendingVideo };
    for (const endpoint of conference.endpoints.values()) {
      const audio = endpoint.link.connected && endpoint.active && endpoint.sources.has("audio");
      const video = endpoint.link.connected && endpoint.active && endpoint.sources.has("video");
      if (audio) total.sendingAudio++;
      if (video) total.sendingVideo++;
      if (audio || video) sending++;
      else if (endpoint.link.connected) total.receiveOnly++;
      if (endpoint.visitor) total.visitors++;
      if (endpoint.allocation?.oversending === true) total.oversending++;
      if ((endpoint.allocation?.suspended.length ?? 0) > 0) total.suspended++;
      if (endpoint.rttMs !== undefined) total.rtts.push(endpoint.rttMs);
    }
    const size = conference.endpoints.size;
    total.sizes.push(size + far);
    total.audioSenders.push(total.sendingAudio - before.audio);
    total.videoSenders.push(total.sendingVideo - before.video);
    total.conferences++;
    total.endpoints += size;
    total.farEndpoints += far;
    total.largest = Math.max(total.largest, size + far);
    if (conference.relays.size > 0) total.relayedConferences++;
    if (sending > 0) total.activeEndpoints += size;
    else {
      total.inactiveEndpoints += size;
      total.inactiveConferences++;
      if (size === 2) total.p2pConferences++;
    }
  }
  return total;
}

/** UTC, `yyyy-MM-dd HH:mm:ss.SSS`. */
const timestamp = (wallNow: EpochMillis): string => new Date(wallNow).toISOString().replace("T", " ").replace("Z", "");

/** What is told only where it is configured. */
const textOf = (name: string, value: string | undefined): [string, StatValue][] =>
  value === undefined ? [] : [[name, value]];

const round = (micros: number): number => Math.round(micros * 100) / 100;

/** Who encrypts, by profile, and the µs of a packet of 1200 bytes measured at start. */
const providersOf = (srtp: BridgeSettings["srtp"]): [string, StatValue][] =>
  srtp === undefined
    ? []
    : (["AEAD_AES_128_GCM", "AES128_CM_HMAC_SHA1_80"] as const).flatMap((profile): [string, StatValue][] => [
        [`parley_srtp_${profile.toLowerCase()}`, srtp[profile].name],
        [`parley_srtp_${profile.toLowerCase()}_micros`, round(srtp[profile].microsPerPacket)],
      ]);
