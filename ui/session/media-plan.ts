/**
 * The media plan: which m-line of our one RTCPeerConnection carries what, and the remote description made from it (RFC 8829, unified plan).
 *
 * The focus offers one content per kind (signaling.md 4.1); a browser wants one m-line per source. The first audio and the first video line are
 * for our own microphone and camera and carry the bridge's feedback SSRCs; every further source of others has a line of its own, and so has a
 * second video of ours (the screen). Lines are never removed: one that is no longer needed turns inactive and is used again for the next
 * source of its kind, so that a long meeting with much coming and going does not pile them up.
 */
import type { IceTransport } from "../../appliance/wire/ice-transport.ts";
import type { Jingle } from "../../appliance/wire/jingle.ts";
import {
  EXTENSION_URI,
  type PayloadType,
  parameter,
  type RtpDescription,
} from "../../appliance/wire/rtp-description.ts";
import { BRIDGE_OWNER, type RemoteSource, remoteSources } from "./remote-sources.ts";

export type LineUse =
  | { readonly kind: "own"; readonly bridge: readonly RemoteSource[] }
  | { readonly kind: "receive"; readonly source: RemoteSource }
  | { readonly kind: "send" }
  | { readonly kind: "channel" }
  | { readonly kind: "free" };

export interface Line {
  readonly mid: string;
  readonly media: "audio" | "video" | "application";
  readonly use: LineUse;
}

export interface MediaPlan {
  readonly lines: readonly Line[];
  readonly audio: RtpDescription;
  readonly video: RtpDescription;
  readonly transport: IceTransport;
  /** Port of SCTP when the offer has a data content. */
  readonly sctpPort: number | undefined;
}

/** What is wrong with an offer. */
export interface OfferFault {
  readonly fault: "no-media" | "no-transport";
}

/** Extensions that only make sense with mids or rids in RTP, which are neither sent nor wanted here (signaling.md 4.2). */
const LEFT_OUT: readonly string[] = [
  EXTENSION_URI.mid,
  EXTENSION_URI.rtpStreamId,
  "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
];

/** The plan of a session-initiate; sources of others that it announces have their lines already. */
export function planOffer(offer: Jingle, codecPreference: readonly string[]): MediaPlan | OfferFault {
  const audio = offer.contents.find((each) => each.media === "audio")?.description;
  const video = offer.contents.find((each) => each.media === "video")?.description;
  const data = offer.contents.find((each) => each.media === "application" || each.name === "data");
  const transport = offer.contents.find((each) => each.transport?.ufrag !== undefined)?.transport;
  if (audio === undefined || video === undefined) return { fault: "no-media" };
  if (transport?.ufrag === undefined || transport.pwd === undefined || transport.fingerprints.length === 0)
    return { fault: "no-transport" };
  const all = remoteSources(offer.sources);
  const bridge = (kind: "audio" | "video") => all.filter((each) => each.owner === BRIDGE_OWNER && each.kind === kind);
  const lines: Line[] = [
    { mid: "0", media: "audio", use: { kind: "own", bridge: bridge("audio") } },
    { mid: "1", media: "video", use: { kind: "own", bridge: bridge("video") } },
  ];
  if (data !== undefined) lines.push({ mid: "2", media: "application", use: { kind: "channel" } });
  const plan: MediaPlan = {
    lines,
    audio: usable(audio, ["opus"]),
    video: usable(video, codecPreference),
    transport,
    sctpPort: data === undefined ? undefined : (data.transport?.sctpMap?.port ?? 5000),
  };
  return addSources(
    plan,
    all.filter((each) => each.owner !== BRIDGE_OWNER),
  );
}

export const isOfferFault = (plan: MediaPlan | OfferFault): plan is OfferFault => "fault" in plan;

/** Gives each source a line: the one it has, else a free one of its kind, else a new one. */
export function addSources(plan: MediaPlan, sources: readonly RemoteSource[]): MediaPlan {
  let lines = plan.lines;
  for (const source of sources) lines = place(lines, source.kind, { kind: "receive", source }, source.name);
  return { ...plan, lines };
}

/** Frees the lines of these source names. */
export const removeSources = (plan: MediaPlan, names: ReadonlySet<string>): MediaPlan => ({
  ...plan,
  lines: plan.lines.map((line) =>
    line.use.kind === "receive" && names.has(line.use.source.name) ? { ...line, use: { kind: "free" } } : line,
  ),
});

/** A line for a second video of ours. */
export function addSendLine(plan: MediaPlan): { readonly plan: MediaPlan; readonly mid: string } {
  const lines = place(plan.lines, "video", { kind: "send" }, undefined);
  const mid = lines.find((line) => line.use.kind === "send")?.mid ?? "";
  return { plan: { ...plan, lines }, mid };
}

export const removeSendLine = (plan: MediaPlan, mid: string): MediaPlan => ({
  ...plan,
  lines: plan.lines.map((line) =>
    line.mid === mid && line.use.kind === "send" ? { ...line, use: { kind: "free" } } : line,
  ),
});

/**
 * The bridge's transport after an ICE restart: other credentials and candidates, everything else as it was (DTLS goes on). Undefined when the
 * new one has no credentials.
 */
export const withRestartedIce = (known: IceTransport, news: IceTransport): IceTransport | undefined =>
  news.ufrag === undefined || news.pwd === undefined
    ? undefined
    : { ...known, ufrag: news.ufrag, pwd: news.pwd, candidates: news.candidates };

/** The line that receives this source. */
export const lineOf = (plan: MediaPlan, sourceName: string): Line | undefined =>
  plan.lines.find((line) => line.use.kind === "receive" && line.use.source.name === sourceName);

export const receivedSources = (plan: MediaPlan): readonly RemoteSource[] =>
  plan.lines.flatMap((line) => (line.use.kind === "receive" ? [line.use.source] : []));

function place(
  lines: readonly Line[],
  media: "audio" | "video",
  use: LineUse,
  sourceName: string | undefined,
): readonly Line[] {
  const at =
    sourceName === undefined
      ? -1
      : lines.findIndex((line) => line.use.kind === "receive" && line.use.source.name === sourceName);
  const index = at !== -1 ? at : lines.findIndex((line) => line.media === media && line.use.kind === "free");
  if (index === -1) return [...lines, { mid: String(lines.length), media, use }];
  return lines.map((line, i) => (i === index ? { ...line, use } : line));
}

/** Without the extensions that we leave out, the preferred codec (with its RTX) first: browsers send the first one of the description. */
function usable(description: RtpDescription, preference: readonly string[]): RtpDescription {
  const rank = (payloadType: PayloadType): number => {
    const apt = parameter(payloadType, "apt");
    const media = apt === undefined ? payloadType : description.payloadTypes.find((each) => each.id === Number(apt));
    const at = preference.findIndex((name) => name.toLowerCase() === media?.name.toLowerCase());
    return (at === -1 ? preference.length : at) * 2 + (apt === undefined ? 0 : 1);
  };
  return {
    ...description,
    payloadTypes: description.payloadTypes.toSorted((a, b) => rank(a) - rank(b)),
    headerExtensions: description.headerExtensions.filter((each) => !LEFT_OUT.includes(each.uri)),
  };
}

export interface DescriptionOptions {
  /** Session version, rising with each description. */
  readonly version: number;
  /** Ask for three layers on the camera's line by rids, as Firefox wants it; others get their SSRCs by `withSimulcast`. */
  readonly rids: boolean;
}

/** The offer as the browser gets it. */
export function remoteSdp(plan: MediaPlan, options: DescriptionOptions): string {
  const session = [
    "v=0",
    `o=- 1 ${options.version} IN IP4 0.0.0.0`,
    "s=-",
    "t=0 0",
    `a=group:BUNDLE ${plan.lines.map((line) => line.mid).join(" ")}`,
    "a=msid-semantic: WMS *",
  ];
  return `${[...session, ...plan.lines.flatMap((line, index) => mediaLines(plan, line, index === 0, options))].join("\r\n")}\r\n`;
}

function mediaLines(plan: MediaPlan, line: Line, first: boolean, options: DescriptionOptions): string[] {
  const transport = transportLines(plan.transport, first);
  if (line.media === "application")
    return [
      "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
      "c=IN IP4 0.0.0.0",
      ...transport,
      `a=mid:${line.mid}`,
      `a=sctp-port:${plan.sctpPort ?? 5000}`,
      "a=max-message-size:262144",
    ];
  const description = line.media === "audio" ? plan.audio : plan.video;
  return [
    `m=${line.media} 9 UDP/TLS/RTP/SAVPF ${description.payloadTypes.map((each) => each.id).join(" ")}`,
    "c=IN IP4 0.0.0.0",
    "a=rtcp:9 IN IP4 0.0.0.0",
    ...transport,
    `a=mid:${line.mid}`,
    `a=${DIRECTIONS[line.use.kind]}`,
    "a=rtcp-mux",
    ...(description.extmapAllowMixed ? ["a=extmap-allow-mixed"] : []),
    ...description.headerExtensions.map(({ id, uri }) => `a=extmap:${id} ${uri}`),
    ...description.payloadTypes.flatMap(payloadLines),
    ...(line.use.kind === "receive" ? sourceLines(line.use.source) : []),
    ...(line.use.kind === "own" ? line.use.bridge.slice(0, 1).flatMap(sourceLines) : []),
    ...(options.rids && line.media === "video" && line.use.kind === "own"
      ? ["a=rid:1 recv", "a=rid:2 recv", "a=rid:3 recv", "a=simulcast:recv 1;2;3"]
      : []),
  ];
}

const DIRECTIONS = {
  own: "sendrecv",
  receive: "sendonly",
  send: "recvonly",
  channel: "sendrecv",
  free: "inactive",
} as const satisfies Record<LineUse["kind"], string>;

function transportLines(transport: IceTransport, withCandidates: boolean): string[] {
  return [
    `a=ice-ufrag:${transport.ufrag ?? ""}`,
    `a=ice-pwd:${transport.pwd ?? ""}`,
    ...transport.fingerprints.slice(0, 1).map(({ hash, value }) => `a=fingerprint:${hash} ${value}`),
    "a=setup:actpass",
    ...(withCandidates ? transport.candidates.map(candidateLine) : []),
  ];
}

export function candidateLine(candidate: IceTransport["candidates"][number]): string {
  const related =
    candidate.type === "host" || candidate.relAddr === undefined || candidate.relPort === undefined
      ? ""
      : ` raddr ${candidate.relAddr} rport ${candidate.relPort}`;
  const tcp = candidate.tcpType === undefined ? "" : ` tcptype ${candidate.tcpType}`;
  return (
    `a=candidate:${candidate.foundation} ${candidate.component} ${candidate.protocol} ${candidate.priority} ` +
    `${candidate.ip} ${candidate.port} typ ${candidate.type}${related}${tcp} generation ${candidate.generation}`
  );
}

function payloadLines(payloadType: PayloadType): string[] {
  const { id, name, clockrate, channels } = payloadType;
  const parameters = payloadType.parameters
    .map((each) => (each.name === "" ? each.value : `${each.name}=${each.value}`))
    .join(";")
    .replace(/;+$/, ""); // jicofo writes H.264's parameters as one value that ends in ";" (signaling.md 4.2)
  return [
    `a=rtpmap:${id} ${name}/${clockrate}${channels !== undefined && channels > 1 ? `/${channels}` : ""}`,
    ...(parameters === "" ? [] : [`a=fmtp:${id} ${parameters}`]),
    ...payloadType.feedback.map(
      ({ type, subtype }) => `a=rtcp-fb:${id} ${type}${subtype === undefined ? "" : ` ${subtype}`}`,
    ),
  ];
}

/**
 * Microphone and camera of one person share a stream id, so that the browser keeps lips and voice together; a screen has its own.
 */
function sourceLines(source: RemoteSource): string[] {
  const stream = source.videoType === "desktop" ? `${source.owner}-screen` : source.owner;
  return [
    `a=msid:${safe(stream)} ${safe(source.name)}`,
    ...source.groups
      .filter((group) => group.semantics === "FID")
      .map((group) => `a=ssrc-group:FID ${group.ssrcs.join(" ")}`),
    ...source.ssrcs.map((ssrc) => `a=ssrc:${ssrc} cname:${safe(source.owner)}`),
  ];
}

/** Names come from the network: only token characters reach the description (RFC 8866 §9). */
const safe = (name: string): string => name.replaceAll(/[^A-Za-z0-9_.~-]/g, "_").slice(0, 64) || "x";
