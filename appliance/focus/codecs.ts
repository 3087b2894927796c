/**
 * What is offered: payload types, feedback and header extensions by the features of the client and the configuration. signaling.md 4.2.
 */

import type { MediaType } from "../wire/rtp-description.ts";
import {
  EXTENSION_URI,
  type HeaderExtension,
  type PayloadType,
  type RtcpFeedback,
  type RtpDescription,
} from "../wire/rtp-description.ts";

export type VideoCodec = "AV1" | "VP8" | "H264" | "VP9";

export interface CodecSettings {
  /** In the order of the offer. The client chooses what it sends itself; leaving a codec out forbids it. */
  readonly video: readonly VideoCodec[];
  /** RFC 2198 redundancy for Opus, for clients that ask for it. */
  readonly audioRed: boolean;
  /** `sdes:mid`. A bridge that forwards a client's own mid mis-routes media (signaling.md 4.2), hence off. */
  readonly mid: boolean;
  readonly transportCc: boolean;
  readonly absSendTime: boolean;
  readonly dependencyDescriptor: boolean;
  readonly videoLayersAllocation: boolean;
}

export const DEFAULT_CODECS: CodecSettings = {
  video: ["AV1", "VP8", "H264", "VP9"],
  audioRed: false,
  mid: false,
  transportCc: true,
  absSendTime: true,
  dependencyDescriptor: true,
  videoLayersAllocation: false,
};

/** disco#info features of a client (signaling.md 1.12, 3.4). */
export const FEATURE = {
  audio: "urn:xmpp:jingle:apps:rtp:audio",
  video: "urn:xmpp:jingle:apps:rtp:video",
  sctp: "urn:xmpp:jingle:transports:dtls-sctp:1",
  /** Ours: this client cannot open a WebSocket to the bridge (design.md 3); announced in presence or disco. */
  noWebSocket: "urn:parley:no-websocket",
  rtx: "urn:ietf:rfc:4588",
  transportCc: "http://jitsi.org/tcc",
  remb: "http://jitsi.org/remb",
  red: "http://jitsi.org/opus-red",
  jsonSources: "http://jitsi.org/json-encoded-sources",
  ssrcRewriting: "http://jitsi.org/ssrc-rewriting-1",
  midDemux: "http://jitsi.org/rtp-mid-demux",
  startMutedMetadata: "http://jitsi.org/start-muted-room-metadata",
  audioMute: "http://jitsi.org/protocol/audio-mute",
  jibri: "http://jitsi.org/protocol/jibri",
  jigasi: "http://jitsi.org/protocol/jigasi",
} as const;

/** What a client is taken for that answers no disco#info: everything of the last ten years, nothing optional (signaling.md 8, row 32). */
export const DEFAULT_FEATURES: ReadonlySet<string> = new Set([
  FEATURE.audio,
  FEATURE.video,
  FEATURE.rtx,
  FEATURE.transportCc,
]);

const VIDEO_IDS: Readonly<Record<VideoCodec, { readonly id: number; readonly rtx: number }>> = {
  AV1: { id: 41, rtx: 42 },
  VP8: { id: 100, rtx: 96 },
  H264: { id: 107, rtx: 99 },
  VP9: { id: 101, rtx: 97 },
};
/** RTX lines follow all codecs, in this order (signaling.md 4.2). */
const RTX_ORDER: readonly VideoCodec[] = ["AV1", "VP8", "VP9", "H264"];

const fir: RtcpFeedback = { type: "ccm", subtype: "fir" };
const nack: RtcpFeedback = { type: "nack" };
const pli: RtcpFeedback = { type: "nack", subtype: "pli" };

export function offeredDescription(
  media: MediaType,
  features: ReadonlySet<string>,
  settings: CodecSettings,
): RtpDescription {
  const transportCc = settings.transportCc && features.has(FEATURE.transportCc);
  return media === "audio"
    ? audioDescription(features, settings, transportCc)
    : videoDescription(features, settings, transportCc);
}

function audioDescription(
  features: ReadonlySet<string>,
  settings: CodecSettings,
  transportCc: boolean,
): RtpDescription {
  const feedback: RtcpFeedback[] = transportCc ? [{ type: "transport-cc" }] : [];
  const red = settings.audioRed && features.has(FEATURE.red);
  const payloadTypes: PayloadType[] = [];
  if (red)
    payloadTypes.push({
      id: 112,
      name: "red",
      clockrate: 48_000,
      channels: 2,
      parameters: [{ name: "", value: "111/111" }],
      feedback: [],
    });
  payloadTypes.push(
    {
      id: 111,
      name: "opus",
      clockrate: 48_000,
      channels: 2,
      parameters: [{ name: "minptime", value: "10" }, ...(red ? [] : [{ name: "useinbandfec", value: "1" }])],
      feedback,
    },
    { id: 126, name: "telephone-event", clockrate: 8_000, parameters: [], feedback: [] },
  );
  const headerExtensions: HeaderExtension[] = [{ id: 1, uri: EXTENSION_URI.audioLevel }];
  if (settings.mid) headerExtensions.push({ id: 10, uri: EXTENSION_URI.mid });
  if (transportCc) headerExtensions.push({ id: 5, uri: EXTENSION_URI.transportCc });
  return { payloadTypes, headerExtensions, extmapAllowMixed: true };
}

function videoDescription(
  features: ReadonlySet<string>,
  settings: CodecSettings,
  transportCc: boolean,
): RtpDescription {
  const feedback: RtcpFeedback[] = [fir, nack, pli];
  if (transportCc) feedback.push({ type: "transport-cc" });
  else if (features.has(FEATURE.remb)) feedback.push({ type: "goog-remb" });
  const payloadTypes: PayloadType[] = settings.video.map((name) => ({
    id: VIDEO_IDS[name].id,
    name,
    clockrate: 90_000,
    parameters:
      name === "H264"
        ? // One parameter whose value holds all of fmtp: what original focuses send and clients paste into the SDP.
          [{ name: "profile-level-id", value: "42e01f;level-asymmetry-allowed=1;packetization-mode=1;" }]
        : [],
    feedback,
  }));
  if (features.has(FEATURE.rtx))
    for (const name of RTX_ORDER)
      if (settings.video.includes(name))
        payloadTypes.push({
          id: VIDEO_IDS[name].rtx,
          name: "rtx",
          clockrate: 90_000,
          parameters: [{ name: "apt", value: String(VIDEO_IDS[name].id) }],
          feedback: name === "H264" ? [] : [fir, nack, pli],
        });
  const headerExtensions: HeaderExtension[] = [];
  if (settings.dependencyDescriptor && settings.video.includes("AV1"))
    headerExtensions.push({ id: 11, uri: EXTENSION_URI.dependencyDescriptor });
  if (settings.mid) headerExtensions.push({ id: 10, uri: EXTENSION_URI.mid });
  if (settings.absSendTime) headerExtensions.push({ id: 3, uri: EXTENSION_URI.absSendTime });
  if (transportCc) headerExtensions.push({ id: 5, uri: EXTENSION_URI.transportCc });
  if (settings.videoLayersAllocation) headerExtensions.push({ id: 12, uri: EXTENSION_URI.videoLayersAllocation });
  return { payloadTypes, headerExtensions, extmapAllowMixed: true };
}
