/**
 * The bridge's numbers as metrics: the original's fields under `jitsi_jvb_`, what is dropped by reason under `parley_bridge_`.
 */
import type { Metrics } from "../metrics.ts";
import type { EpochMillis } from "../time.ts";
import type { Bridge } from "./bridge.ts";

/** Brings the registry up to date; numbers that only grow are set like the others, their meaning is in their name. */
export function publishMetrics(metrics: Metrics, bridge: Bridge, wallNow: EpochMillis): void {
  for (const [name, value] of bridge.stats(wallNow)) {
    if (typeof value === "string") continue;
    const help = `${name} of /colibri/stats`;
    metrics
      .gauge(`jitsi_jvb_${name.replace(/^total_/, "")}${name.startsWith("total_") ? "_total" : ""}`, help)
      .set(Number(value));
  }
  const { counters } = bridge.context;
  const dropped = metrics.gauge("parley_bridge_dropped_total", "Input that the control side dropped, by reason");
  for (const [reason, count] of counters.dropped) dropped.set(count, { reason });
  const requests = metrics.gauge("parley_bridge_colibri_requests_total", "colibri2 requests by outcome");
  for (const [outcome, count] of counters.colibri) requests.set(count, { outcome });
  const restarts = metrics.gauge("parley_bridge_ice_restarts_total", "ICE restarts by outcome");
  restarts.set(counters.iceRestarts, { outcome: "begun" });
  restarts.set(counters.iceRestartsRejected, { outcome: "rejected" });
  restarts.set(counters.iceRestartsFailed, { outcome: "failed" });
  const media = bridge.rates.latest;
  if (media === undefined) return;
  const packets = metrics.gauge("parley_bridge_media_dropped_total", "Packets that the media loop dropped, by reason");
  for (const [reason, count] of Object.entries(media.dropped)) packets.set(count, { reason });
  metrics.gauge("parley_bridge_media_load", "Busy fraction of the media loop's last second").set(media.load);
  metrics
    .gauge("parley_bridge_media_longest_turn_ms", "Longest turn of the media loop since the last report")
    .set(media.longestTurnMs);
  metrics
    .gauge(
      "parley_bridge_media_turn_p999_ms",
      "Length that one turn of the media loop in a thousand exceeds, since the last report",
    )
    .set(media.turnP999Ms);
  metrics
    .gauge("parley_bridge_media_messages_sent_total", "Runs of packets given to the kernel")
    .set(media.messagesSent);
  metrics.gauge("parley_bridge_media_batches_total", "Calls that brought datagrams in").set(media.batches);
  metrics
    .gauge("parley_bridge_media_held_total", "Video packets that waited for others under load")
    .set(media.packetsHeld);
  metrics.gauge("parley_bridge_media_hold_ms", "How long video may wait now").set(media.holdMs);
  metrics.gauge("parley_bridge_nacks_received_total", "NACKed packets of receivers").set(media.nacksReceived);
  metrics.gauge("parley_bridge_nacks_sent_total", "Packets asked for again").set(media.nacksSent);
  metrics.gauge("parley_bridge_retransmissions_total", "Packets sent again").set(media.retransmissions);
  metrics.gauge("parley_bridge_key_frame_requests_total", "Key frames asked for").set(media.keyFrameRequestsSent);
}
