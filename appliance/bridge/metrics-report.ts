/**
 * The bridge's `/metrics` (bridge.md 1.13): OpenMetrics 1.0, Prometheus text 0.0.4, JSON. What the original counts too has its name and the prefix `jitsi_jvb_`; what is dropped
 * and why, and what the media loop does, `parley_bridge_`. Pure.
 */
import type { EpochMillis } from "../time.ts";
import type { Bridge } from "./bridge.ts";
import { census } from "./stats.ts";

interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  /** Suffix and labels → value. */
  readonly samples: readonly (readonly [string, number])[];
}

export type MetricsFormat = "openmetrics" | "prometheus";

/** Sizes that the original's histograms tell apart. */
const SIZES = Array.from({ length: 21 }, (_, size) => size);

/** Fields of /colibri/stats whose metric has another name; `=` in front of nothing: the field's own without `total_`. */
const COUNTERS: Readonly<Record<string, string>> = {
  total_conferences_created: "conferences_created",
  total_conferences_completed: "conferences_completed",
  total_conference_seconds: "conference_seconds",
  total_participants: "endpoints",
  total_visitors: "visitors",
  total_relays: "relays",
  num_eps_no_msg_transport_after_delay: "endpoints_no_message_transport_after_delay",
  num_relays_no_msg_transport_after_delay: "relays_no_message_transport_after_delay",
  total_keyframes_received: "keyframes_received",
  total_layering_changes_received: "layering_changes_received",
  total_video_stream_milliseconds_received: "video_milliseconds_received",
  total_data_channel_messages_received: "data_channel_messages_received",
  total_data_channel_messages_sent: "data_channel_messages_sent",
  total_colibri_web_socket_messages_received: "colibri_web_socket_messages_received",
  total_colibri_web_socket_messages_sent: "colibri_web_socket_messages_sent",
  total_bytes_received: "bytes_received",
  total_bytes_sent: "bytes_sent",
  total_packets_received: "packets_received",
  total_packets_sent: "packets_sent",
  total_bytes_received_octo: "relay_bytes_received",
  total_bytes_sent_octo: "relay_bytes_sent",
  total_packets_received_octo: "relay_packets_received",
  total_packets_sent_octo: "relay_packets_sent",
  total_dominant_speaker_changes: "dominant_speaker_changes",
  preemptive_kfr_sent: "preemptive_keyframe_requests_sent",
  preemptive_kfr_suppressed: "preemptive_keyframe_requests_suppressed",
  total_ice_failed: "ice_failed",
  total_ice_succeeded: "ice_succeeded",
  total_ice_succeeded_relayed: "ice_succeeded_relayed",
  endpoints_ice_failed: "endpoints_ice_failed",
  dtls_failed_endpoints: "endpoints_dtls_failed",
  relays_ice_failed: "relays_ice_failed",
  dtls_failed_relays: "relays_dtls_failed",
  endpoints_disconnected: "endpoints_disconnected",
  endpoints_reconnected: "endpoints_reconnected",
};

const GAUGES: Readonly<Record<string, string>> = {
  incoming_loss: "incoming_loss_fraction",
  outgoing_loss: "outgoing_loss_fraction",
  overall_loss: "loss_fraction",
  endpoints_with_high_outgoing_loss: "endpoints_with_high_outgoing_loss",
  tcc_unmatched_feedback: "tcc_unmatched_feedback",
  local_active_endpoints: "active_endpoints",
  packet_rate_download: "incoming_packet_rate",
  packet_rate_upload: "outgoing_packet_rate",
  rtt_aggregate: "average_rtt",
  num_eps_oversending: "endpoints_oversending",
  octo_conferences: "conferences_with_relay",
  inactive_conferences: "conferences_inactive",
  p2p_conferences: "conferences_p2p",
  endpoints: "current_endpoints",
  receive_only_endpoints: "endpoints_receive_only",
  inactive_endpoints: "endpoints_inactive",
  octo_endpoints: "endpoints_relayed",
  endpoints_sending_audio: "endpoints_sending_audio",
  endpoints_sending_video: "endpoints_sending_video",
  largest_conference: "largest_conference",
  octo_receive_bitrate: "relay_incoming_bitrate",
  octo_receive_packet_rate: "relay_incoming_packet_rate",
  octo_send_bitrate: "relay_outgoing_bitrate",
  octo_send_packet_rate: "relay_outgoing_packet_rate",
  endpoints_with_suspended_sources: "endpoints_with_suspended_sources",
  stress_level: "stress",
  conferences: "conferences",
  visitors: "current_visitors",
  local_endpoints: "local_endpoints",
  threads: "thread_count",
  graceful_shutdown: "graceful_shutdown",
  shutting_down: "shutting_down",
  drain: "drain_mode",
  muc_clients_configured: "muc_clients_configured",
  muc_clients_connected: "muc_clients_connected",
  mucs_configured: "mucs_configured",
  mucs_joined: "mucs_joined",
  endpoints_with_spurious_remb: "endpoints_with_spurious_remb",
  healthy: "healthy",
};

function families(bridge: Bridge, wallNow: EpochMillis): Family[] {
  const stats = bridge.stats(wallNow);
  const { counters } = bridge.context;
  const one = (type: Family["type"], name: string, value: number, help: string): Family => ({
    name,
    type,
    help,
    samples: [["", value]],
  });
  const jvb = (type: Family["type"], name: string, value: number, help: string): Family =>
    one(type, `jitsi_jvb_${name}`, value, help);
  const result: Family[] = [];
  for (const [field, value] of stats) {
    const counter = COUNTERS[field];
    const name = counter ?? GAUGES[field];
    if (name !== undefined && typeof value !== "string")
      result.push(jvb(counter === undefined ? "gauge" : "counter", name, Number(value), `${field} of /colibri/stats`));
  }
  const { rates } = bridge;
  const now = census(bridge.conferences);
  result.push(
    jvb("gauge", "incoming_bitrate", Math.round(rates.bitsPerSecondIn), "Bits per second from clients"),
    jvb("gauge", "outgoing_bitrate", Math.round(rates.bitsPerSecondOut), "Bits per second to clients"),
    jvb(
      "counter",
      "ice_restarts_not_established",
      counters.iceRestartsRejected,
      "ICE restarts before a transport was connected",
    ),
    jvb(
      "counter",
      "ice_restarts_succeeded",
      counters.iceRestartsSucceeded,
      "ICE restarts that went over to the new credentials",
    ),
    jvb("counter", "ice_restarts_superseded", counters.iceRestartsSuperseded, "ICE restarts that the next one ended"),
    jvb("counter", "ice_restarts_failed", counters.iceRestartsFailed, "ICE restarts that found no pair"),
    jvb("counter", "colibri_web_socket_close_normal", counters.webSocketsClosed, "Bridge channels closed by handshake"),
    jvb("counter", "colibri_web_socket_close_abnormal", counters.webSocketsLost, "Bridge channels lost"),
    histogram("conferences_by_size", now.sizes, "Conferences by their endpoints, beyond relays too"),
    histogram("conferences_by_audio_sender", now.audioSenders, "Conferences by local endpoints that send audio"),
    histogram("conferences_by_video_sender", now.videoSenders, "Conferences by local endpoints that send video"),
    labelled("parley_bridge_dropped", "Input that the control side dropped, by reason", "reason", counters.dropped),
    labelled("parley_bridge_colibri_requests", "colibri2 requests by outcome", "outcome", counters.colibri),
  );
  const media = rates.latest;
  if (media === undefined) return result;
  const counted = new Map(Object.entries(media.dropped));
  result.push(
    labelled("parley_bridge_media_dropped", "Packets that the media loop dropped, by reason", "reason", counted),
    one("gauge", "parley_bridge_media_load", media.load, "Busy fraction of the media loop's last second"),
    one("gauge", "parley_bridge_media_longest_turn_ms", media.longestTurnMs, "Longest turn since the last report"),
    one("gauge", "parley_bridge_media_turn_p999_ms", media.turnP999Ms, "Length that one turn in a thousand exceeds"),
    one("counter", "parley_bridge_media_messages", media.messagesSent, "Runs of packets given to the kernel"),
    one("counter", "parley_bridge_media_batches", media.batches, "Calls that brought datagrams in"),
    one("counter", "parley_bridge_media_held", media.packetsHeld, "Video packets that waited for others under load"),
    one("gauge", "parley_bridge_media_hold_ms", media.holdMs, "How long video may wait now"),
    one("counter", "parley_bridge_nacks_received", media.nacksReceived, "NACKed packets of receivers"),
    one("counter", "parley_bridge_nacks_sent", media.nacksSent, "Packets asked for again"),
    one("counter", "parley_bridge_retransmissions", media.retransmissions, "Packets sent again"),
    one("counter", "parley_bridge_key_frame_requests", media.keyFrameRequestsSent, "Key frames asked for"),
  );
  return result;
}

function histogram(name: string, values: readonly number[], help: string): Family {
  const upTo = (bound: number): number => values.filter((value) => value <= bound).length;
  return {
    name: `jitsi_jvb_${name}`,
    type: "histogram",
    help,
    samples: [
      ...SIZES.map((bound) => [`_bucket{le="${bound}.0"}`, upTo(bound)] as const),
      ['_bucket{le="+Inf"}', values.length],
      ["_count", values.length],
      ["_sum", values.reduce((sum, value) => sum + value, 0)],
    ],
  };
}

const labelled = (name: string, help: string, label: string, values: ReadonlyMap<string, number>): Family => ({
  name,
  type: "counter",
  help,
  samples: [...values].map(([value, count]) => [`{${label}="${escapeLabel(value)}"}`, count] as const),
});

const escapeLabel = (value: string): string =>
  value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

/** A counter's samples end in `_total`; in OpenMetrics its family does not. */
export function metricsText(bridge: Bridge, wallNow: EpochMillis, format: MetricsFormat): string {
  let text = "";
  for (const { name, type, help, samples } of families(bridge, wallNow)) {
    const total = type === "counter" ? "_total" : "";
    const family = format === "openmetrics" ? name : `${name}${total}`;
    text += `# TYPE ${family} ${type}\n# HELP ${family} ${help}\n`;
    for (const [suffix, value] of samples) text += `${name}${total}${suffix} ${value}\n`;
  }
  return format === "openmetrics" ? `${text}# EOF\n` : text;
}

/** The original's numbers alone, without their prefix; histograms are left out there, too. */
export function metricsJson(bridge: Bridge, wallNow: EpochMillis): Record<string, number | boolean> {
  const booleans = new Set(["healthy", "graceful_shutdown", "shutting_down", "drain_mode"]);
  const result: Record<string, number | boolean> = {};
  for (const { name, type, samples } of families(bridge, wallNow)) {
    const own = name.replace(/^jitsi_jvb_/, "");
    if (own === name || type === "histogram") continue;
    const value = samples[0]?.[1] ?? 0;
    result[type === "counter" ? `${own}_total` : own] = booleans.has(own) ? value === 1 : value;
  }
  return result;
}
