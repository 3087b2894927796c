/**
 * What a client says over its channel, and what follows from it (bridge.md 2.4).
 */
import type { Millis } from "../time.ts";
import { type ClientMessage, decodeClientMessage, type ReceiverVideoConstraints } from "../wire/channel-messages.ts";
import { type ReceiverVideoConstraintsUpdate, updateSettings } from "./allocate/constraints.ts";
import type { ConferenceView } from "./conference-view.ts";
import type { Endpoint } from "./endpoint.ts";

/** From so many endpoints on, EndpointStats go only to those who see the sender. */
const STATS_FILTER_THRESHOLD = 20;
const MAX_SUBSCRIPTION = 1_000;

export function handleClientMessage(
  now: Millis,
  conference: ConferenceView,
  endpoint: Endpoint,
  text: string,
  over: "websocket" | "data-channel",
): void {
  const counters = conference.context.counters;
  if (!endpoint.channel.received(now, over, text.length)) return;
  const message = decodeClientMessage(text);
  if (message === undefined) {
    counters.drop("channel-message-unreadable");
    return;
  }
  switch (message.colibriClass) {
    case "ClientHello":
      endpoint.send(now, { colibriClass: "ServerHello" });
      return;
    case "ReceiverVideoConstraints":
      endpoint.settings = updateSettings(endpoint.settings, readUpdate(message));
      conference.changed(endpoint);
      return;
    case "LastNChangedEvent":
      endpoint.settings = { ...endpoint.settings, lastN: message.lastN };
      conference.changed(endpoint);
      return;
    case "ReceiverAudioSubscription":
      endpoint.audioSubscription = {
        all: message.all,
        include: message.include.slice(0, MAX_SUBSCRIPTION),
        exclude: message.exclude.slice(0, MAX_SUBSCRIPTION),
      };
      conference.subscribeAudio(endpoint);
      return;
    case "SourceVideoTypeMessage":
      setVideoType(now, conference, endpoint, message.sourceName, message.videoType);
      return;
    case "VideoTypeMessage":
      setVideoType(now, conference, endpoint, `${endpoint.id}-v0`, message.videoType);
      return;
    case "EndpointMessage":
      relayMessage(now, conference, endpoint, message);
      return;
    case "EndpointStats":
      relayStats(now, conference, endpoint, message.raw);
      return;
    case "AddReceiver":
    case "RemoveReceiver":
      counters.drop("channel-message-not-for-clients");
      return;
  }
}

function readUpdate(message: ReceiverVideoConstraints): ReceiverVideoConstraintsUpdate {
  const { defaultConstraints, constraints } = message;
  return {
    lastN: message.lastN,
    selectedSources: message.selectedSources,
    onStageSources: message.onStageSources,
    assumedBandwidthBps: message.assumedBandwidthBps,
    defaultConstraints: defaultConstraints === undefined ? undefined : { maxFrameRate: -1, ...defaultConstraints },
    constraints:
      constraints === undefined
        ? undefined
        : new Map(Object.entries(constraints).map(([name, each]) => [name, { maxFrameRate: -1, ...each }])),
  };
}

function setVideoType(
  now: Millis,
  conference: ConferenceView,
  endpoint: Endpoint,
  sourceName: string,
  videoType: "camera" | "desktop" | "desktop_high_fps" | "none",
): void {
  if (endpoint.visitor) {
    conference.context.counters.drop("visitor-sends");
    return;
  }
  if (endpoint.sources.setVideoType(sourceName, videoType)) conference.changed();
  const text = JSON.stringify({
    colibriClass: "SourceVideoTypeMessage",
    videoType,
    sourceName,
    endpointId: endpoint.id,
  });
  for (const relay of conference.relays.values()) relay.sendText(now, text);
}

/** `from` is always ours to write: nobody speaks in another's name. */
function relayMessage(
  now: Millis,
  conference: ConferenceView,
  endpoint: Endpoint,
  message: Extract<ClientMessage, { colibriClass: "EndpointMessage" }>,
): void {
  if (endpoint.visitor) {
    conference.context.counters.drop("visitor-sends");
    return;
  }
  const text = JSON.stringify({ ...message.raw, from: endpoint.id });
  if (message.to === "") {
    conference.broadcast(now, text, endpoint);
    for (const relay of conference.relays.values()) relay.sendText(now, text);
    return;
  }
  const receiver = conference.endpoints.get(message.to);
  if (receiver !== undefined) {
    receiver.sendText(now, text);
    return;
  }
  for (const relay of conference.relays.values()) {
    if (!relay.endpoints.has(message.to)) continue;
    relay.sendText(now, text);
    return;
  }
  conference.context.counters.drop("endpoint-message-to-nobody");
}

function relayStats(
  now: Millis,
  conference: ConferenceView,
  endpoint: Endpoint,
  raw: Readonly<Record<string, unknown>>,
): void {
  if (endpoint.visitor) {
    conference.context.counters.drop("visitor-sends");
    return;
  }
  const text = JSON.stringify({ ...raw, from: endpoint.id });
  const filtered = conference.endpoints.size > STATS_FILTER_THRESHOLD;
  for (const receiver of conference.endpoints.values())
    if (receiver !== endpoint && (!filtered || sees(conference, receiver, endpoint.id))) receiver.sendText(now, text);
  for (const relay of conference.relays.values()) relay.sendText(now, text);
}

/** Whether the receiver looks at the sender: a recent speaker, on stage, selected, or not switched off. */
export function sees(conference: ConferenceView, receiver: Endpoint, sender: string): boolean {
  const dominant = conference.speech.dominant;
  if (dominant !== undefined && (dominant.id === sender || dominant.previous.includes(sender))) return true;
  for (const source of conference.sources()) {
    if (source.owner !== sender) continue;
    const { onStageSources, selectedSources } = receiver.settings;
    if (onStageSources.includes(source.name) || selectedSources.includes(source.name)) return true;
    if (receiver.effective.has(source.name)) return true;
  }
  return false;
}
