/**
 * The bridge channel's messages: JSON objects with `colibriClass`, over WebSocket or data channel (bridge.md 2.4).
 * `decodeChannelMessage` never throws; unknown classes and wrong types give undefined. Writers send exactly the known members, because the
 * original drops a message with an unknown one (bridge.md 0.10).
 */

export interface VideoConstraints {
  /** Pixels; −1: no limit, 0: do not send. */
  readonly maxHeight: number;
  /** Frames per second; −1: no limit. */
  readonly maxFrameRate?: number;
}

export interface MappedVideoSource {
  readonly source: string;
  readonly owner: string;
  readonly ssrc: number;
  /** −1: none. */
  readonly rtx: number;
  readonly videoType: "CAMERA" | "DESKTOP" | "DESKTOP_HIGH_FPS" | "NONE";
  readonly mid?: string;
}

export interface MappedAudioSource {
  readonly source: string;
  readonly owner: string;
  readonly ssrc: number;
  readonly mid?: string;
}

export type VideoTypeName = "camera" | "desktop" | "desktop_high_fps" | "none";

export interface ReceiverVideoConstraints {
  readonly colibriClass: "ReceiverVideoConstraints";
  readonly lastN?: number;
  readonly selectedSources?: readonly string[];
  readonly onStageSources?: readonly string[];
  readonly defaultConstraints?: VideoConstraints;
  readonly constraints?: Readonly<Record<string, VideoConstraints>>;
  readonly assumedBandwidthBps?: number;
}

/** Client (or relay) → bridge. */
export type ClientMessage =
  | { readonly colibriClass: "ClientHello" }
  | ReceiverVideoConstraints
  | { readonly colibriClass: "LastNChangedEvent"; readonly lastN: number }
  | {
      readonly colibriClass: "ReceiverAudioSubscription";
      readonly all: boolean;
      readonly include: readonly string[];
      readonly exclude: readonly string[];
    }
  | {
      readonly colibriClass: "SourceVideoTypeMessage";
      readonly sourceName: string;
      readonly videoType: VideoTypeName;
      readonly endpointId?: string;
    }
  | { readonly colibriClass: "VideoTypeMessage"; readonly videoType: VideoTypeName }
  | {
      readonly colibriClass: "EndpointMessage";
      /** Empty: everybody but the sender. */
      readonly to: string;
      readonly from?: string;
      readonly msgPayload: unknown;
      /** The whole object as it came, members that we do not know included. */
      readonly raw: Readonly<Record<string, unknown>>;
    }
  | { readonly colibriClass: "EndpointStats"; readonly raw: Readonly<Record<string, unknown>> }
  | {
      readonly colibriClass: "AddReceiver";
      readonly bridgeId: string;
      readonly sourceName: string;
      readonly videoConstraints: VideoConstraints;
    }
  | { readonly colibriClass: "RemoveReceiver"; readonly bridgeId: string; readonly endpointId: string };

/** Bridge → client. */
export type BridgeMessage =
  | { readonly colibriClass: "ServerHello"; readonly version?: string }
  | { readonly colibriClass: "ForwardedSources"; readonly forwardedSources: readonly string[] }
  | { readonly colibriClass: "SenderSourceConstraints"; readonly sourceName: string; readonly maxHeight: number }
  | { readonly colibriClass: "VideoSourcesMap"; readonly mappedSources: readonly MappedVideoSource[] }
  | { readonly colibriClass: "AudioSourcesMap"; readonly mappedSources: readonly MappedAudioSource[] }
  | {
      readonly colibriClass: "DominantSpeakerEndpointChangeEvent";
      readonly dominantSpeakerEndpoint: string;
      readonly previousSpeakers: readonly string[];
      readonly silence: boolean;
    }
  | {
      readonly colibriClass: "EndpointConnectivityStatusChangeEvent";
      readonly endpoint: string;
      /** A string on the wire: clients compare with "true". */
      readonly active: "true" | "false";
    }
  | { readonly colibriClass: "ConnectionStats" /** Bits per second. */; readonly estimatedDownlinkBandwidth: number }
  | {
      readonly colibriClass: "SyntheticSourceSendingChangeEvent";
      readonly sourceName: string;
      readonly sending: boolean;
      readonly timestamp: number;
    };

/** Longest message accepted, in UTF-16 code units. */
export const MAX_CHANNEL_MESSAGE = 256 * 1024;
const MAX_SOURCES = 1000;

const record = (value: unknown): Record<string, unknown> | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
const string = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
const whole = (value: unknown, min: number): number | undefined =>
  typeof value === "number" && Number.isInteger(value) && value >= min && value <= 0xffffffff ? value : undefined;
const strings = (value: unknown): readonly string[] | undefined =>
  Array.isArray(value) && value.length <= MAX_SOURCES && value.every((each) => typeof each === "string")
    ? (value as string[])
    : undefined;

function object(text: string): Record<string, unknown> | undefined {
  if (text.length > MAX_CHANNEL_MESSAGE) return undefined;
  try {
    return record(JSON.parse(text));
  } catch {
    return undefined; // not JSON: dropped and counted by the caller
  }
}

function constraintsOf(value: unknown): VideoConstraints | undefined {
  const source = record(value);
  const maxHeight = whole(source?.["maxHeight"], -1);
  if (source === undefined || maxHeight === undefined) return undefined;
  const rate = source["maxFrameRate"];
  if (rate !== undefined && (typeof rate !== "number" || !Number.isFinite(rate))) return undefined;
  return rate === undefined ? { maxHeight } : { maxHeight, maxFrameRate: rate };
}

function videoTypeOf(value: unknown): VideoTypeName | undefined {
  const name = string(value)?.toLowerCase();
  return name === "camera" || name === "desktop" || name === "desktop_high_fps" || name === "none" ? name : undefined;
}

/** Reads what a client sends. */
export function decodeClientMessage(text: string): ClientMessage | undefined {
  const message = object(text);
  if (message === undefined) return undefined;
  switch (message["colibriClass"]) {
    case "ClientHello":
      return { colibriClass: "ClientHello" };
    case "ReceiverVideoConstraints":
      return readReceiverConstraints(message);
    case "LastNChangedEvent": {
      const lastN = whole(message["lastN"], -1);
      return lastN === undefined ? undefined : { colibriClass: "LastNChangedEvent", lastN };
    }
    case "ReceiverAudioSubscription":
      return readAudioSubscription(message);
    case "SourceVideoTypeMessage": {
      const sourceName = string(message["sourceName"]);
      const videoType = videoTypeOf(message["videoType"]);
      const endpointId = string(message["endpointId"]);
      if (sourceName === undefined || videoType === undefined) return undefined;
      return {
        colibriClass: "SourceVideoTypeMessage",
        sourceName,
        videoType,
        ...(endpointId !== undefined ? { endpointId } : {}),
      };
    }
    case "VideoTypeMessage": {
      const videoType = videoTypeOf(message["videoType"]);
      return videoType === undefined ? undefined : { colibriClass: "VideoTypeMessage", videoType };
    }
    case "EndpointMessage": {
      const to = string(message["to"]) ?? "";
      const from = string(message["from"]);
      if (message["msgPayload"] === undefined) return undefined;
      return {
        colibriClass: "EndpointMessage",
        to,
        ...(from !== undefined ? { from } : {}),
        msgPayload: message["msgPayload"],
        raw: message,
      };
    }
    case "EndpointStats":
      return { colibriClass: "EndpointStats", raw: message };
    case "AddReceiver": {
      const bridgeId = string(message["bridgeId"]);
      const sourceName = string(message["sourceName"]);
      const videoConstraints = constraintsOf(message["videoConstraints"]);
      if (bridgeId === undefined || sourceName === undefined || videoConstraints === undefined) return undefined;
      return { colibriClass: "AddReceiver", bridgeId, sourceName, videoConstraints };
    }
    case "RemoveReceiver": {
      const bridgeId = string(message["bridgeId"]);
      const endpointId = string(message["endpointId"]);
      if (bridgeId === undefined || endpointId === undefined) return undefined;
      return { colibriClass: "RemoveReceiver", bridgeId, endpointId };
    }
    default:
      return undefined;
  }
}

function readReceiverConstraints(message: Record<string, unknown>): ReceiverVideoConstraints | undefined {
  const has = (name: string): boolean => message[name] !== undefined;
  const lastN = whole(message["lastN"], -1);
  const selectedSources = strings(message["selectedSources"]);
  const onStageSources = strings(message["onStageSources"]);
  const defaultConstraints = constraintsOf(message["defaultConstraints"]);
  const assumedBandwidthBps = message["assumedBandwidthBps"];
  if (has("lastN") && lastN === undefined) return undefined;
  if (has("selectedSources") && selectedSources === undefined) return undefined;
  if (has("onStageSources") && onStageSources === undefined) return undefined;
  if (has("defaultConstraints") && defaultConstraints === undefined) return undefined;
  if (has("assumedBandwidthBps") && typeof assumedBandwidthBps !== "number") return undefined;
  let constraints: Readonly<Record<string, VideoConstraints>> | undefined;
  if (has("constraints")) {
    const map = record(message["constraints"]);
    if (map === undefined || Object.keys(map).length > MAX_SOURCES) return undefined;
    const entries: [string, VideoConstraints][] = [];
    for (const [name, value] of Object.entries(map)) {
      const own = constraintsOf(value);
      if (own === undefined) return undefined;
      entries.push([name, own]);
    }
    constraints = Object.fromEntries(entries); // not by assignment: a source may call itself __proto__
  }
  return {
    colibriClass: "ReceiverVideoConstraints",
    ...(lastN !== undefined ? { lastN } : {}),
    ...(selectedSources !== undefined ? { selectedSources } : {}),
    ...(onStageSources !== undefined ? { onStageSources } : {}),
    ...(defaultConstraints !== undefined ? { defaultConstraints } : {}),
    ...(constraints !== undefined ? { constraints } : {}),
    ...(typeof assumedBandwidthBps === "number" ? { assumedBandwidthBps } : {}),
  };
}

function readAudioSubscription(message: Record<string, unknown>): ClientMessage | undefined {
  const mode = string(message["mode"])?.toLowerCase(); // COMPAT: older clients send mode and list
  if (mode !== undefined) {
    const list = strings(message["list"] ?? []);
    if (list === undefined) return undefined;
    if (mode === "all") return { colibriClass: "ReceiverAudioSubscription", all: true, include: [], exclude: [] };
    if (mode === "none") return { colibriClass: "ReceiverAudioSubscription", all: false, include: [], exclude: [] };
    if (mode === "include")
      return { colibriClass: "ReceiverAudioSubscription", all: false, include: list, exclude: [] };
    if (mode === "exclude") return { colibriClass: "ReceiverAudioSubscription", all: true, include: [], exclude: list };
    return undefined;
  }
  const include = strings(message["include"] ?? []);
  const exclude = strings(message["exclude"] ?? []);
  if (include === undefined || exclude === undefined) return undefined;
  return { colibriClass: "ReceiverAudioSubscription", all: message["all"] === true, include, exclude };
}

/** Reads what a bridge sends (our client, relays, test peers). */
export function decodeBridgeMessage(text: string): BridgeMessage | ClientMessage | undefined {
  const message = object(text);
  if (message === undefined) return undefined;
  switch (message["colibriClass"]) {
    case "ServerHello": {
      const version = string(message["version"]);
      return { colibriClass: "ServerHello", ...(version !== undefined ? { version } : {}) };
    }
    case "ForwardedSources": {
      const forwardedSources = strings(message["forwardedSources"]);
      return forwardedSources === undefined ? undefined : { colibriClass: "ForwardedSources", forwardedSources };
    }
    case "SenderSourceConstraints": {
      const sourceName = string(message["sourceName"]);
      const maxHeight = whole(message["maxHeight"], -1);
      if (sourceName === undefined || maxHeight === undefined) return undefined;
      return { colibriClass: "SenderSourceConstraints", sourceName, maxHeight };
    }
    case "VideoSourcesMap": {
      const mappedSources = mapped(message["mappedSources"], (each, base) => {
        const rtx = whole(Number(each["rtx"]), -1) ?? -1; // a number, or the text "-1" (signaling.md 4.8)
        const type = string(each["videoType"])?.toUpperCase();
        const videoType = type === "DESKTOP" || type === "DESKTOP_HIGH_FPS" || type === "NONE" ? type : "CAMERA";
        return { ...base, rtx, videoType } as const;
      });
      return mappedSources === undefined ? undefined : { colibriClass: "VideoSourcesMap", mappedSources };
    }
    case "AudioSourcesMap": {
      const mappedSources = mapped(message["mappedSources"], (_, base) => base);
      return mappedSources === undefined ? undefined : { colibriClass: "AudioSourcesMap", mappedSources };
    }
    case "DominantSpeakerEndpointChangeEvent": {
      const dominantSpeakerEndpoint = string(message["dominantSpeakerEndpoint"]);
      if (dominantSpeakerEndpoint === undefined) return undefined;
      return {
        colibriClass: "DominantSpeakerEndpointChangeEvent",
        dominantSpeakerEndpoint,
        previousSpeakers: strings(message["previousSpeakers"]) ?? [],
        silence: message["silence"] === true,
      };
    }
    case "EndpointConnectivityStatusChangeEvent": {
      const endpoint = string(message["endpoint"]);
      if (endpoint === undefined) return undefined;
      return {
        colibriClass: "EndpointConnectivityStatusChangeEvent",
        endpoint,
        active: message["active"] === "true" || message["active"] === true ? "true" : "false",
      };
    }
    case "ConnectionStats": {
      const estimate = message["estimatedDownlinkBandwidth"];
      if (typeof estimate !== "number") return undefined;
      return { colibriClass: "ConnectionStats", estimatedDownlinkBandwidth: estimate };
    }
    case "SyntheticSourceSendingChangeEvent": {
      const sourceName = string(message["sourceName"]);
      const timestamp = message["timestamp"];
      if (sourceName === undefined || typeof timestamp !== "number") return undefined;
      const sending = message["sending"] === true;
      return { colibriClass: "SyntheticSourceSendingChangeEvent", sourceName, sending, timestamp };
    }
    default:
      return decodeClientMessage(text); // EndpointMessage, EndpointStats come from other clients through the bridge
  }
}

function mapped<T>(
  value: unknown,
  make: (each: Record<string, unknown>, base: MappedAudioSource) => T,
): readonly T[] | undefined {
  if (!Array.isArray(value) || value.length > MAX_SOURCES) return undefined;
  const result: T[] = [];
  for (const each of value) {
    const entry = record(each);
    const source = string(entry?.["source"]);
    const owner = string(entry?.["owner"]);
    const ssrc = whole(entry?.["ssrc"], 1);
    const mid = string(entry?.["mid"]);
    if (entry === undefined || source === undefined || owner === undefined || ssrc === undefined) return undefined;
    result.push(make(entry, { source, owner, ssrc, ...(mid !== undefined ? { mid } : {}) }));
  }
  return result;
}

/** Writes a message; `raw` of relayed ones is not written. */
export function encodeChannelMessage(message: BridgeMessage | ClientMessage): string {
  if ("raw" in message) return JSON.stringify(message.raw);
  return JSON.stringify(message);
}
