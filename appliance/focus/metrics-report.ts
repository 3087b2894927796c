/**
 * `/metrics` of the focus: OpenMetrics, Prometheus text, JSON. Names are the original's (signaling.md 5.8) with `jitsi_jicofo_` before them; what it does not count begins with `parley_focus_`. Pure.
 */
import type { Millis } from "../time.ts";
import type { Bridge } from "./bridges.ts";
import type { Focus } from "./focus.ts";
import { totals } from "./report.ts";

/** One value, or label text → value. */
type Values = number | readonly (readonly [string, number])[];
type Metric = readonly [type: "counter" | "gauge", name: string, values: Values, help: string];

/** Names without a prefix are the original's. */
function metricsOf(focus: Focus, now: Millis, threads: number): readonly Metric[] {
  const { stats, bridges, recording } = focus;
  const sums = totals(focus);
  const all = [...bridges.all()];
  const perBridge = (value: (bridge: Bridge) => number): Values =>
    all.map((each) => [label("jvb", each.id), value(each)] as const);
  return [
    ["gauge", "conferences", sums.sizes.length, "Conferences that run now."],
    ["counter", "conferences_created", stats.conferencesCreated, "Conferences since the start."],
    ["gauge", "conferences_with_visitors", 0, "Conferences with visitors."],
    ["gauge", "conferences_seconds", stats.conferenceSeconds, "Seconds that completed conferences lasted."],
    ["gauge", "endpoint_seconds", stats.endpointSeconds, "Seconds that participants who left were there."],
    ["counter", "conference_requests", stats.conferenceRequests, "Conference requests received."],
    ["counter", "conference_requests_new", stats.conferencesCreated, "Conference requests that made a conference."],
    ["gauge", "largest_conference", sums.largest, "Participants of the largest conference."],
    ["counter", "participants", stats.participantsTotal, "Participants since the start."],
    ["gauge", "participants_current", sums.participants, "Participants now."],
    ["gauge", "visitors_current", 0, "Visitors now: this focus has none."],
    [
      "counter",
      "participants_no_start_muted_rmd",
      stats.participantsWithoutMutedMetadata,
      "Participants that do not know start-muted by room metadata.",
    ],
    ["gauge", "participants_pairs", sums.pairs, "Sum of the squares of conference sizes."],
    ["counter", "participants_ice_failed", stats.iceFailed, "Participants that reported a failed ICE."],
    ["counter", "participants_restart_requested", stats.requestRestart, "Restarts that participants asked for."],
    ["counter", "parley_focus_restarts_rate_limited", stats.restartsRateLimited, "Restarts refused for their rate."],
    ["counter", "parley_focus_ice_restarts", stats.iceRestarts, "ICE restarts in place."],
    [
      "counter",
      "parley_focus_invite_failed",
      stats.inviteFailed,
      "Invitations that a bridge or a participant refused.",
    ],
    ["counter", "parley_focus_sources_refused", stats.sourcesRefused, "Source announcements that were refused."],
    ["counter", "participants_moved", stats.participantsMoved, "Participants moved to another bridge."],
    ["counter", "bridges_removed", stats.bridgesRemoved, "Bridges removed from a conference."],
    ["gauge", "bridge_selector_bridge_count", all.length, "Bridges in the brewery."],
    ["gauge", "bridge_selector_bridge_count_operational", bridges.operational(now), "Bridges that can be used."],
    ["gauge", "bridge_selector_bridge_count_in_shutdown", sums.inShutdown, "Bridges that are shutting down."],
    ["gauge", "bridge_selector_bridge_version_count", sums.versions, "Different versions of bridges."],
    ["counter", "bridge_selector_lost_bridges", bridges.lost, "Bridges that left."],
    ["gauge", "bridge_endpoints", perBridge((each) => each.endpoints), "Endpoints that this focus placed on a bridge."],
    [
      "gauge",
      "bridge_failing_ice",
      perBridge((each) => Number(each.failingIce(now))),
      "Whether a bridge's endpoints do not reach it.",
    ],
    [
      "counter",
      "bridge_restart_requests",
      perBridge((each) => each.restartRequests),
      "Restarts that endpoints of a bridge asked for.",
    ],
    ["gauge", "parley_focus_bridge_stress", perBridge((each) => each.stress), "Stress that a bridge reports."],
    [
      "gauge",
      "parley_focus_bridge_full",
      perBridge((each) => (each.admission.takesConferences ? (each.admission.takesCameras(now, 1) ? 0 : 1) : 2)),
      "Whether a bridge takes no further cameras (1), or no new conferences either (2).",
    ],
    [
      "counter",
      "parley_focus_refused",
      [
        [label("what", "camera-on"), stats.camerasRefused],
        [label("what", "camera-joining"), stats.camerasHeld],
        [label("what", "conference"), stats.conferencesRefused],
      ],
      "What bridges were too full for: cameras switched on, cameras that came with people, new conferences.",
    ],
    ["gauge", "jibri_instances", recording.recorders.count, "Recorders in the brewery."],
    ["gauge", "jibri_instances_available", recording.recorders.available(now), "Recorders that are idle and healthy."],
    ["gauge", "sip_jibri_instances", recording.gateways.count, "SIP gateways of the recorder's kind."],
    ["gauge", "sip_jibri_instances_available", recording.gateways.available(now), "Those that are idle and healthy."],
    ["gauge", "jibri_recording_active", recording.active("file"), "Recordings that run."],
    ["gauge", "jibri_live_streaming_active", recording.active("stream"), "Streams that run."],
    ["gauge", "jibri_sip_active", recording.active("sip"), "SIP calls that run."],
    ["counter", "jibri_recording_failures", stats.jibriFailures.recording, "Recordings that failed."],
    ["counter", "jibri_live_streaming_failures", stats.jibriFailures.stream, "Streams that failed."],
    ["counter", "jibri_no_instance_failures", stats.jibriUnavailable, "Requests for a recorder when none was free."],
    ["counter", "jibri_sip_failures", stats.jibriFailures.sip, "SIP calls that failed."],
    ["gauge", "threads", threads, "Threads of the process."],
    ...jingle(stats.jingleSent, "sent"),
    ...jingle(stats.jingleReceived, "received"),
    [
      "counter",
      "parley_focus_dropped",
      [...stats.dropped].map(([reason, value]) => [label("reason", reason), value] as const),
      "Stanzas not acted upon, by reason.",
    ],
  ];
}

const jingle = (counts: Iterable<readonly [string, number]>, way: "sent" | "received"): Metric[] =>
  [...counts].map(([action, value]) => [
    "counter",
    `jingle_${action.toLowerCase()}_${way}`,
    value,
    `Number of ${action} stanzas ${way}.`,
  ]);

const label = (name: string, value: string): string => `{${name}="${escapeLabel(value)}"}`;

const escapeLabel = (value: string): string =>
  value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

/** `/metrics` in OpenMetrics 1.0 or Prometheus text 0.0.4: the same but for names of families and the end. */
export function metricsText(focus: Focus, now: Millis, threads: number, openMetrics: boolean): string {
  let text = "";
  for (const [type, own, values, help] of metricsOf(focus, now, threads)) {
    const name = own.startsWith("parley_") ? own : `jitsi_jicofo_${own}`;
    const sample = type === "counter" ? `${name}_total` : name;
    const family = openMetrics ? name : sample;
    text += `# TYPE ${family} ${type}\n# HELP ${family} ${help}\n`;
    for (const [labels, value] of typeof values === "number" ? [["", values] as const] : values)
      text += `${sample}${labels} ${value}\n`;
  }
  const version = `jitsi_jicofo_version_info{version="${escapeLabel(focus.settings.version)}"} 1\n`;
  text += openMetrics
    ? `# TYPE jitsi_jicofo_version info\n# HELP jitsi_jicofo_version Application version\n${version}# EOF\n`
    : `# TYPE jitsi_jicofo_version_info gauge\n# HELP jitsi_jicofo_version_info Application version\n${version}`;
  return text;
}

/** `/metrics` as JSON: names without their prefix. */
export function metricsJson(focus: Focus, now: Millis, threads: number): Record<string, unknown> {
  const result: Record<string, unknown> = { version: focus.settings.version };
  for (const [type, name, values] of metricsOf(focus, now, threads))
    result[type === "counter" ? `${name}_total` : name] =
      typeof values === "number" ? values : Object.fromEntries(values);
  return result;
}
