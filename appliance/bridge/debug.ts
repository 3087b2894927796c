/**
 * State dumps for administrators (bridge.md 1.13, `/debug`): plain values made from what the bridge holds.
 */
import type { EpochMillis } from "../time.ts";
import type { Bridge } from "./bridge.ts";
import type { Conference } from "./conference.ts";
import type { Endpoint } from "./endpoint.ts";

type Json = Readonly<Record<string, unknown>>;

export function debugState(bridge: Bridge, wallNow: EpochMillis, full: boolean): Json {
  const fault = bridge.health();
  const conferences = [...bridge.conferences].map((conference) => [conference.id, debugConference(conference, full)]);
  return {
    shutdown_state: bridge.shutdown.state,
    drain: bridge.drain,
    time: wallNow,
    load_management: {
      state: bridge.rates.stress > 1 ? "OVERLOADED" : "NOT_OVERLOADED",
      stress: String(bridge.rates.stress),
      reducer_enabled: "false",
    },
    conferences: Object.fromEntries(conferences),
    health: {
      success: fault === undefined,
      hardFailure: fault !== undefined,
      responseCode: null,
      message: fault ?? null,
    },
    ...(full ? { parley_dropped: Object.fromEntries(bridge.context.counters.dropped) } : {}),
  };
}

/** What rtcstats may know: conferences that did not refuse it, by meeting id. */
export const snapshot = (bridge: Bridge): Json =>
  Object.fromEntries(
    [...bridge.conferences]
      .filter((each) => each.rtcstatsEnabled)
      .map((each) => [each.meetingId, debugConference(each, true)]),
  );

export const speakerState = (conference: Conference): Json => ({
  dominantEndpoint: conference.speech.dominant?.id ?? "null",
  dominantSpeakerIdentification: null,
  endpointsBySpeechActivity: conference.speech.currentOrder,
  endpointsInLastNOrder: conference.speech.order,
});

export function debugConference(conference: Conference, full: boolean): Json {
  const endpoints = [...conference.endpoints.values()];
  const relays = [...conference.relays.values()];
  return {
    id: conference.id,
    rtcstatsEnabled: conference.rtcstatsEnabled,
    name: conference.name ?? null,
    meeting_id: conference.meetingId,
    ...(full ? { expired: conference.expired, speech_activity: speakerState(conference) } : {}),
    endpoints: Object.fromEntries(
      endpoints.map((endpoint) => [endpoint.id, full ? debugEndpoint(endpoint) : (endpoint.statsId ?? null)]),
    ),
    relays: Object.fromEntries(
      relays.map((relay) => [
        relay.id,
        full ? { endpoints: [...relay.endpoints.keys()], state: relay.link.state } : relay.id,
      ]),
    ),
  };
}

export function debugEndpoint(endpoint: Endpoint): Json {
  const { settings, allocation } = endpoint;
  return {
    expired: endpoint.expired,
    stats_id: endpoint.statsId ?? null,
    visitor: endpoint.visitor,
    active: endpoint.active,
    transport: endpoint.link.state,
    channel: endpoint.channel.kind,
    ssrc_rewriting: endpoint.ssrcRewriting,
    force_mute: endpoint.forceMute,
    rtt_ms: endpoint.rttMs ?? null,
    sources: [...endpoint.sources.all].map((source) => ({
      name: source.name,
      kind: source.kind,
      video_type: source.videoType,
      ssrcs: source.encodings.map((each) => each.ssrc),
      layers: source.layers,
    })),
    sender_constraints: Object.fromEntries(endpoint.toldHeights),
    bitrate_controller: {
      bweBps: endpoint.estimateBps ?? null,
      forwarded: endpoint.forwarded,
      allocation:
        allocation === undefined
          ? null
          : {
              idealBps: allocation.idealBps,
              targetBps: allocation.targetBps,
              oversending: allocation.oversending,
              suspended_sources: allocation.suspended,
              allocations: Object.fromEntries(
                allocation.sources.map(({ name, target, ideal }) => [name, { target, ideal }]),
              ),
            },
      allocationSettings: {
        on_stage_sources: settings.onStageSources,
        selected_sources: settings.selectedSources,
        video_constraints: Object.fromEntries(settings.constraints),
        last_n: settings.lastN,
        default_constraints: settings.defaultConstraints,
        assumed_bandwidth_bps: settings.assumedBandwidthBps,
      },
      effectiveConstraints: Object.fromEntries(endpoint.effective),
    },
  };
}
