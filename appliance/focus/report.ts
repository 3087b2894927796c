/**
 * What the focus tells administrators: `/stats` and `/debug`. Names are the originals' (signaling.md 5.8). Pure.
 */
import type { Millis } from "../time.ts";
import type { Conference } from "./conference.ts";
import type { Focus } from "./focus.ts";
import type { Strategy } from "./selection.ts";

const SIZE_BOUNDS = [0, 1, 2, 3, 5, 10, 20, 50, 100, 200, 300, 400, 500] as const;

/** Under how many values a percentile says nothing. */
const PERCENTILES = [
  ["p99_upper_bound", 0.99, 100],
  ["p999_upper_bound", 0.999, 1_000],
] as const;

const STRATEGY_NAMES: Readonly<Record<Strategy, string>> = {
  single: "SingleBridgeSelectionStrategy",
  region: "RegionBasedBridgeSelectionStrategy",
  "intra-region": "IntraRegionBridgeSelectionStrategy",
  split: "SplitBridgeSelectionStrategy",
};

export interface Totals {
  readonly sizes: readonly number[];
  readonly participants: number;
  readonly largest: number;
  /** Sum of n·(n−1)… as jicofo counts it: n². */
  readonly pairs: number;
  readonly versions: number;
  readonly inShutdown: number;
}

export function totals(focus: Focus): Totals {
  const sizes = [...focus.conferences.values()].map((each) => each.participants.size);
  const bridges = [...focus.bridges.all()];
  return {
    sizes,
    participants: sizes.reduce((sum, size) => sum + size, 0),
    largest: Math.max(0, ...sizes),
    pairs: sizes.reduce((sum, size) => sum + size * size, 0),
    versions: new Set(bridges.map((each) => each.version)).size,
    inShutdown: bridges.filter((each) => each.gracefulShutdown || each.shuttingDown).length,
  };
}

function conferenceSizes(sizes: readonly number[]): Record<string, unknown> {
  const buckets: Record<string, number> = {};
  SIZE_BOUNDS.forEach((from, index) => {
    const to = SIZE_BOUNDS[index + 1];
    buckets[`${from}_to_${to ?? "max"}`] = sizes.filter(
      (size) => size >= from && (to === undefined || size < to),
    ).length;
  });
  for (const [name, share, least] of PERCENTILES) buckets[name] = upperBound(sizes, share, least);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  return {
    average: sizes.length === 0 ? 0 : total / sizes.length,
    max: Math.max(0, ...sizes),
    min: Math.min(...(sizes.length === 0 ? [0] : sizes)),
    total_value: total,
    total_count: sizes.length,
    discarded: 0,
    buckets,
  };
}

/** The end of the bucket below which that share of the values lies; -1: there are too few of them. */
function upperBound(sizes: readonly number[], share: number, least: number): number {
  if (sizes.length < least) return -1;
  const bound = SIZE_BOUNDS.find((each) => sizes.filter((size) => size < each).length >= share * sizes.length);
  return bound ?? Math.max(...sizes);
}

/** `/stats`. `threads`: of the process. */
export function statsReport(focus: Focus, now: Millis, threads: number): Record<string, unknown> {
  const { stats, bridges, recording } = focus;
  const sums = totals(focus);
  const fault = focus.health();
  return {
    total_participants: stats.participantsTotal,
    total_conferences_created: stats.conferencesCreated,
    conferences: sums.sizes.length,
    conferences_with_visitors: 0,
    bridge_failures: { participants_moved: stats.participantsMoved, bridges_removed: stats.bridgesRemoved },
    participant_notifications: { ice_failed: stats.iceFailed, request_restart: stats.requestRestart },
    largest_conference: sums.largest,
    participants: sums.participants,
    visitors: 0,
    conference_sizes: conferenceSizes(sums.sizes),
    endpoint_pairs: sums.pairs,
    jibri: {
      total_sip_call_failures: stats.jibriFailures.sip,
      total_live_streaming_failures: stats.jibriFailures.stream,
      total_recording_failures: stats.jibriFailures.recording,
      live_streaming_active: recording.active("stream"),
      recording_active: recording.active("file"),
      sip_call_active: recording.active("sip"),
    },
    queues: {},
    bridge_selector: {
      bridge_count: [...bridges.all()].length,
      operational_bridge_count: bridges.operational(now),
      in_shutdown_bridge_count: sums.inShutdown,
      lost_bridges: bridges.lost,
      bridge_version_count: sums.versions,
    },
    jibri_detector: { count: recording.recorders.count, available: recording.recorders.available(now) },
    sip_jibri_detector: { count: recording.gateways.count, available: recording.gateways.available(now) },
    jigasi: { count: focus.dialOut.count },
    threads,
    jingle: { sent: Object.fromEntries(stats.jingleSent), received: Object.fromEntries(stats.jingleReceived) },
    version: focus.settings.version,
    healthy: fault === undefined,
    health: {
      success: fault === undefined,
      hardFailure: false,
      responseCode: fault === undefined ? 200 : 503,
      sticky: false,
      message: fault ?? "",
    },
  };
}

/** `/debug`, with all conferences when `full`. */
export function debugReport(focus: Focus, now: Millis, full: boolean): Record<string, unknown> {
  const { settings } = focus;
  const bridges = [...focus.bridges.all()].map((bridge) => [
    bridge.jid,
    {
      "corrected-stress": bridge.correctedStress(now),
      drain: bridge.drain,
      endpoints: bridge.endpoints,
      "endpoint-restart-requests": bridge.restartRequests,
      "failing-ice": bridge.failingIce(now),
      "graceful-shutdown": bridge.gracefulShutdown,
      healthy: bridge.healthy,
      operational: bridge.operational(now, settings.bridges),
      parley_takes_cameras: bridge.admission.takesCameras(now, 1),
      parley_takes_conferences: bridge.admission.takesConferences,
      overloaded: bridge.correctedStress(now) >= settings.bridges.overload,
      region: bridge.region ?? null,
      "relay-id": bridge.relayId ?? null,
      release: bridge.release ?? null,
      "shutting-down": bridge.shuttingDown,
      stress: bridge.stress,
      version: bridge.version ?? null,
    },
  ]);
  return {
    focus_manager: Object.fromEntries(
      [...focus.conferences].map(([room, each]) => [
        room,
        full ? describeConference(each, now) : each.participants.size,
      ]),
    ),
    bridge_selector: { strategy: STRATEGY_NAMES[settings.bridges.strategy], bridge: Object.fromEntries(bridges) },
    jibri_detector: settings.jibriBrewery === undefined ? null : { count: focus.recording.recorders.count },
    sip_jibri_detector: settings.sipJibriBrewery === undefined ? null : { count: focus.recording.gateways.count },
    jigasi_detector: settings.jigasiBrewery === undefined ? null : { count: focus.dialOut.count },
    components: Object.fromEntries(focus.components),
    av_moderation: { address: focus.components.get("av_moderation") ?? null },
    conference_iq_handler: {
      breakout_address: focus.components.get("breakout_rooms") ?? null,
      focus_auth_jid: settings.focusJid,
      jigasi_enabled: settings.jigasiBrewery !== undefined,
      auth_authority: settings.authentication?.kind ?? null,
    },
    draining: focus.draining,
    parley_turns_away: focus.turnsAway(now),
    requests: focus.pendingRequests,
  };
}

/** One conference, without names of people. */
export function describeConference(conference: Conference, now: Millis): Record<string, unknown> {
  const { options, avModeration } = conference;
  return {
    name: conference.jid,
    meeting_id: conference.bridges.meetingId,
    age_seconds: Math.round((now - conference.started) / 1000),
    config: {
      rtcstatsEnabled: options.rtcstats,
      startAudioMuted: options.startAudioMuted ?? null,
      startVideoMuted: options.startVideoMuted ?? null,
    },
    av_moderation: { audio: avModeration.enabled("audio"), video: avModeration.enabled("video") },
    colibri_session_manager: [...conference.bridges.sessions].map(([bridge, session]) => ({
      bridge: bridge.jid,
      id: session.id,
      endpoints: [...session.endpoints],
    })),
    participants: Object.fromEntries(
      [...conference.participants.values()].map((each) => [
        each.id,
        {
          role: each.member.role,
          affiliation: each.member.affiliation,
          region: each.member.region ?? null,
          state: each.state,
          jingle: each.session === undefined ? null : { sid: each.session.sid, accepted: each.session.accepted },
          bridge: each.bridge?.bridge.id ?? null,
          force_muted: each.forceMuted,
          features: [...(each.features ?? [])],
          sources: conference.sources.of(each.id),
          signaled_sources: [...each.signaled.keys()],
        },
      ]),
    ),
  };
}
