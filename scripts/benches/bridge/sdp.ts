/**
 * Session descriptions (RFC 8866) as far as a generator needs them with servers that speak nothing else: what it publishes, and its answer to what it is
 * offered. Pure.
 */
import type { RemoteTransport } from "../../../appliance/bridge/transport/transport.ts";
import type { Candidate, DtlsSetup, Fingerprint } from "../../../appliance/wire/ice-transport.ts";
import { EXTENSION_URI } from "../../../appliance/wire/rtp-description.ts";
import { AUDIO_LEVEL_ID, AUDIO_TYPE, TRANSPORT_CC_ID, VIDEO_TYPE } from "./participants.ts";

export interface LocalTransport {
  readonly ufrag: string;
  readonly pwd: string;
  readonly fingerprint: string;
  readonly address: string;
  readonly port: number;
}

const HOST_PRIORITY = 2_130_706_431;

const transportLines = (local: LocalTransport, setup: DtlsSetup): string[] => [
  `c=IN IP4 ${local.address}`,
  "a=rtcp-mux",
  `a=ice-ufrag:${local.ufrag}`,
  `a=ice-pwd:${local.pwd}`,
  `a=fingerprint:sha-256 ${local.fingerprint}`,
  `a=setup:${setup}`,
  `a=candidate:1 1 udp ${HOST_PRIORITY} ${local.address} ${local.port} typ host`,
  "a=end-of-candidates",
];

const session = (mids: readonly string[]): string[] => [
  "v=0",
  "o=- 1 1 IN IP4 127.0.0.1",
  "s=-",
  "t=0 0",
  `a=group:BUNDLE ${mids.join(" ")}`,
  "a=msid-semantic: WMS *",
];

export interface Published {
  readonly audioSsrc: number;
  readonly videoSsrc: number;
  /** Absent: no video. */
  readonly video: boolean;
}

/** An offer to send Opus and VP8, with the extensions that the traffic carries. */
export function publishOffer(local: LocalTransport, sent: Published): string {
  const common = (mid: string, ssrc: number): string[] => [
    ...transportLines(local, "actpass"),
    `a=mid:${mid}`,
    "a=sendonly",
    `a=msid:bench bench-${mid}`,
    `a=ssrc:${ssrc} cname:bench`,
    `a=ssrc:${ssrc} msid:bench bench-${mid}`,
  ];
  return `${[
    ...session(sent.video ? ["0", "1"] : ["0"]),
    `m=audio 9 UDP/TLS/RTP/SAVPF ${AUDIO_TYPE}`,
    ...common("0", sent.audioSsrc),
    `a=rtpmap:${AUDIO_TYPE} opus/48000/2`,
    `a=fmtp:${AUDIO_TYPE} minptime=10;useinbandfec=1`,
    `a=extmap:${AUDIO_LEVEL_ID} ${EXTENSION_URI.audioLevel}`,
    ...(sent.video
      ? [
          `m=video 9 UDP/TLS/RTP/SAVPF ${VIDEO_TYPE}`,
          ...common("1", sent.videoSsrc),
          `a=rtpmap:${VIDEO_TYPE} VP8/90000`,
          ...["ccm fir", "nack", "nack pli", "transport-cc"].map((feedback) => `a=rtcp-fb:${VIDEO_TYPE} ${feedback}`),
          `a=extmap:${TRANSPORT_CC_ID} ${EXTENSION_URI.transportCc}`,
        ]
      : []),
  ].join("\r\n")}\r\n`;
}

const sections = (sdp: string): string[][] => {
  const parts: string[][] = [[]];
  for (const line of sdp.split(/\r?\n/)) {
    if (line.startsWith("m=")) parts.push([]);
    if (line !== "") parts.at(-1)?.push(line);
  }
  return parts;
};

const value = (lines: readonly string[], name: string): string | undefined =>
  lines.find((line) => line.startsWith(`a=${name}:`))?.slice(name.length + 3);

/** Takes all that an offer sends, with the offered payload types and extensions. */
export function receiveAnswer(offer: string, local: LocalTransport): string {
  const [, ...medias] = sections(offer);
  const answered = medias.map((lines) => {
    const mid = value(lines, "mid") ?? "0";
    const keep = lines.filter((line) => /^a=(rtpmap|fmtp|rtcp-fb|extmap):/.test(line));
    const direction = lines.includes("a=inactive") ? "inactive" : "recvonly";
    return {
      mid,
      lines: [
        (lines[0] ?? "").replace(/^m=(\w+) \d+/, "m=$1 9"),
        ...transportLines(local, "active"),
        `a=mid:${mid}`,
        `a=${direction}`,
        ...keep,
      ],
    };
  });
  return `${[...session(answered.map(({ mid }) => mid)), ...answered.flatMap(({ lines }) => lines)].join("\r\n")}\r\n`;
}

/** `candidate:…` with or without `a=`; undefined for what is not UDP over IPv4 or is malformed. */
export function parseCandidate(text: string): Candidate | undefined {
  const match =
    /^(?:a=)?candidate:(\S+) (\d+) udp (\d+) (\d{1,3}(?:\.\d{1,3}){3}) (\d+) typ (host|srflx|prflx|relay)\b/i.exec(
      text,
    );
  if (match === null) return undefined;
  const [, foundation = "", component, priority, ip = "", port, type] = match;
  return {
    foundation,
    component: Number(component),
    protocol: "udp",
    priority: Number(priority),
    ip,
    port: Number(port),
    type: type as Candidate["type"],
    generation: 0,
    id: `${ip}-${port}`,
    network: "0",
  };
}

/** ICE and DTLS of the other side; session-wide lines hold where a media section has none. */
export function remoteTransport(sdp: string): RemoteTransport {
  const [head = [], first = []] = sections(sdp);
  const of = (name: string): string | undefined => value(first, name) ?? value(head, name);
  const [hash = "", print = ""] = (of("fingerprint") ?? "").split(" ");
  const setup = of("setup");
  const fingerprint: Fingerprint = {
    hash: hash.toLowerCase(),
    value: print.toUpperCase(),
    ...(setup === "active" || setup === "passive" || setup === "actpass" ? { setup } : {}),
  };
  return {
    ufrag: of("ice-ufrag"),
    pwd: of("ice-pwd"),
    fingerprints: [fingerprint],
    candidates: [...head, ...first].flatMap((line) =>
      line.startsWith("a=candidate:") ? (parseCandidate(line) ?? []) : [],
    ),
  };
}
