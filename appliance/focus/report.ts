/**
 * What the focus tells administrators: `/stats`, `/metrics`, `/debug`. Names are the originals' (signaling.md 5.8). Pure.
 */
import type { Millis } from "../time.ts";
import type { Bridge } from "./bridges.ts";
import type { Conference } from "./conference.ts";
import type { Focus } from "./focus.ts";

const SIZE_BOUNDS = [0, 1, 2, 3, 5, 10, 20, 50, 100, 200, 300, 400, 500] as const;

interface Totals {
  readonly sizes: readonly number[];
  readonly participants: number;
  readonly largest: number;
  /** Sum of n·(n−1)… as jicofo counts it: n². */
  readonly pairs: number;
  readonly versions: number;
  readonly inShutdown: number;
}

function totals(focus: Focus): Totals {
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

/** `/stats`. */
export function statsReport(focus: Focus, now: Millis): Record<string, unknown> {
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
    threads: 1,
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

interface Metric {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  /** Label text → value; one entry with an empty label for a plain metric. */
  readonly values: readonly (readonly [string, number])[];
}

function metricsOf(focus: Focus, now: Millis): Metric[] {
  const { stats, bridges, recording } = focus;
  const sums = totals(focus);
  const metric = (type: Metric["type"], name: string, value: number, help: string): Metric => ({
    name: `jitsi_jicofo_${name}`,
    type,
    help,
    values: [["", value]],
  });
  const counter = (name: string, value: number, help: string): Metric => metric("counter", name, value, help);
  const gauge = (name: string, value: number, help: string): Metric => metric("gauge", name, value, help);
  const perBridge = (name: string, help: string, value: (bridge: Bridge) => number): Metric => ({
    name: `jitsi_jicofo_${name}`,
    type: "gauge",
    help,
    values: [...bridges.all()].map((each) => [`{jvb="${escapeLabel(each.id)}"}`, value(each)] as const),
  });
  return [
    gauge("conferences", sums.sizes.length, "Conferences that run now."),
    counter("conferences_created", stats.conferencesCreated, "Conferences since the start."),
    gauge("conferences_with_visitors", 0, "Conferences with visitors."),
    counter("conference_requests", stats.conferenceRequests, "Conference requests received."),
    counter("conference_requests_new", stats.conferencesCreated, "Conference requests that made a conference."),
    gauge("largest_conference", sums.largest, "Participants of the largest conference."),
    counter("participants", stats.participantsTotal, "Participants since the start."),
    gauge("participants_current", sums.participants, "Participants now."),
    gauge("participants_pairs", sums.pairs, "Sum of the squares of conference sizes."),
    counter("participants_ice_failed", stats.iceFailed, "Participants that reported a failed ICE."),
    counter("participants_restart_requested", stats.requestRestart, "Restarts that participants asked for."),
    counter("participants_restart_rate_limited", stats.restartsRateLimited, "Restarts refused for their rate."),
    counter("participants_ice_restarts", stats.iceRestarts, "ICE restarts in place."),
    counter("participants_invite_failed", stats.inviteFailed, "Invitations that a bridge or a participant refused."),
    counter("participants_sources_refused", stats.sourcesRefused, "Source announcements that were refused."),
    counter("participants_moved", stats.participantsMoved, "Participants moved to another bridge."),
    counter("bridges_removed", stats.bridgesRemoved, "Bridges removed from a conference."),
    gauge("bridge_selector_bridge_count", [...bridges.all()].length, "Bridges in the brewery."),
    gauge("bridge_selector_bridge_count_operational", bridges.operational(now), "Bridges that can be used."),
    gauge("bridge_selector_bridge_count_in_shutdown", sums.inShutdown, "Bridges that are shutting down."),
    gauge("bridge_selector_bridge_version_count", sums.versions, "Different versions of bridges."),
    counter("bridge_selector_lost_bridges", bridges.lost, "Bridges that left."),
    perBridge("bridge_endpoints", "Endpoints that this focus placed on a bridge.", (each) => endpointsOn(focus, each)),
    perBridge("bridge_stress", "Stress that a bridge reports.", (each) => each.stress),
    gauge("jibri_instances", recording.recorders.count, "Recorders in the brewery."),
    gauge("jibri_instances_available", recording.recorders.available(now), "Recorders that are idle and healthy."),
    gauge("sip_jibri_instances", recording.gateways.count, "SIP gateways of the recorder's kind."),
    gauge("sip_jibri_instances_available", recording.gateways.available(now), "Those that are idle and healthy."),
    gauge("jibri_recording_active", recording.active("file"), "Recordings that run."),
    gauge("jibri_live_streaming_active", recording.active("stream"), "Streams that run."),
    gauge("jibri_sip_active", recording.active("sip"), "SIP calls that run."),
    counter("jibri_recording_failures", stats.jibriFailures.recording, "Recordings that failed."),
    counter("jibri_live_streaming_failures", stats.jibriFailures.stream, "Streams that failed."),
    counter("jibri_sip_failures", stats.jibriFailures.sip, "SIP calls that failed."),
    ...[...stats.jingleSent].map(([action, value]) =>
      counter(`jingle_${action.toLowerCase()}_sent`, value, `Number of ${action} stanzas sent.`),
    ),
    ...[...stats.jingleReceived].map(([action, value]) =>
      counter(`jingle_${action.toLowerCase()}_received`, value, `Number of ${action} stanzas received.`),
    ),
    {
      name: "parley_focus_dropped",
      type: "counter",
      help: "Stanzas not acted upon, by reason.",
      values: [...stats.dropped].map(([reason, value]) => [`{reason="${escapeLabel(reason)}"}`, value] as const),
    },
  ];
}

const endpointsOn = (focus: Focus, bridge: Bridge): number =>
  [...focus.conferences.values()].reduce(
    (sum, each) => sum + (each.bridges.sessions.get(bridge)?.endpoints.size ?? 0),
    0,
  );

const escapeLabel = (value: string): string =>
  value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

/** `/metrics` in OpenMetrics 1.0 or Prometheus text 0.0.4: the same but for names of families and the end. */
export function metricsText(focus: Focus, now: Millis, openMetrics: boolean): string {
  let text = "";
  for (const { name, type, help, values } of metricsOf(focus, now)) {
    const sample = type === "counter" ? `${name}_total` : name;
    const family = openMetrics ? name : sample;
    text += `# TYPE ${family} ${type}\n# HELP ${family} ${help}\n`;
    for (const [labels, value] of values) text += `${sample}${labels} ${value}\n`;
  }
  const version = `jitsi_jicofo_version_info{version="${escapeLabel(focus.settings.version)}"} 1\n`;
  text += openMetrics
    ? `# TYPE jitsi_jicofo_version info\n# HELP jitsi_jicofo_version Application version\n${version}# EOF\n`
    : `# TYPE jitsi_jicofo_version_info gauge\n# HELP jitsi_jicofo_version_info Application version\n${version}`;
  return text;
}

/** `/metrics` as JSON: names without their prefix. */
export function metricsJson(focus: Focus, now: Millis): Record<string, unknown> {
  const result: Record<string, unknown> = { version: focus.settings.version };
  for (const { name, type, values } of metricsOf(focus, now)) {
    const key = name.replace(/^jitsi_jicofo_/, "") + (type === "counter" ? "_total" : "");
    const [first] = values;
    result[key] = values.length === 1 && first?.[0] === "" ? first[1] : Object.fromEntries(values);
  }
  return result;
}

/** `/debug`, with all conferences when `full`. */
export function debugReport(focus: Focus, now: Millis, full: boolean): Record<string, unknown> {
  const { settings } = focus;
  const bridges = [...focus.bridges.all()].map((bridge) => [
    bridge.jid,
    {
      "corrected-stress": bridge.correctedStress(now),
      drain: bridge.drain,
      endpoints: endpointsOn(focus, bridge),
      "graceful-shutdown": bridge.gracefulShutdown,
      healthy: bridge.healthy,
      operational: bridge.operational(now, settings.bridges),
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
    bridge_selector: { strategy: settings.bridges.strategy, bridge: Object.fromEntries(bridges) },
    jibri_detector: settings.jibriBrewery === undefined ? null : { count: focus.recording.recorders.count },
    sip_jibri_detector: settings.sipJibriBrewery === undefined ? null : { count: focus.recording.gateways.count },
    jigasi_detector: settings.jigasiBrewery === undefined ? null : { count: focus.dialOut.count },
    components: Object.fromEntries(focus.components),
    conference_iq_handler: {
      focus_auth_jid: settings.focusJid,
      jigasi_enabled: settings.jigasiBrewery !== undefined,
      auth_authority: settings.authentication?.kind ?? null,
    },
    draining: focus.draining,
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
