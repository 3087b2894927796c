/**
 * Payload types, feedback and header extensions (XEP-0167, XEP-0293, XEP-0294, XEP-0339's extmap-allow-mixed), as Jingle and colibri2 carry them.
 * signaling.md 4.2, bridge.md 1.4.
 */
import { NS } from "./namespaces.ts";
import { integer } from "./numbers.ts";
import { attr, child, children, type Element, xml } from "./xml.ts";

export type MediaType = "audio" | "video";

export interface RtcpFeedback {
  readonly type: string;
  readonly subtype?: string;
}

export interface PayloadType {
  /** 0 … 127. */
  readonly id: number;
  readonly name: string;
  /** Hz. */
  readonly clockrate: number;
  readonly channels?: number;
  /** In order; an empty name is legal (RED's `111/111`). */
  readonly parameters: readonly { readonly name: string; readonly value: string }[];
  readonly feedback: readonly RtcpFeedback[];
}

export interface HeaderExtension {
  /** 1 … 255 (RFC 8285 two-byte form). */
  readonly id: number;
  readonly uri: string;
}

export interface RtpDescription {
  readonly payloadTypes: readonly PayloadType[];
  readonly headerExtensions: readonly HeaderExtension[];
  readonly extmapAllowMixed: boolean;
}

const MAX_PAYLOAD_TYPES = 128;
const MAX_EXTENSIONS = 64;

/** Reads the payload types and extensions below a `<description>` or `<media>`; malformed ones are left out. */
export const readRtpDescription = (element: Element): RtpDescription => ({
  payloadTypes: children(element, "payload-type").slice(0, MAX_PAYLOAD_TYPES).flatMap(readPayloadType),
  headerExtensions: children(element, "rtp-hdrext")
    .slice(0, MAX_EXTENSIONS)
    .flatMap((each) => {
      const id = integer(attr(each, "id"), 1, 255);
      const uri = attr(each, "uri");
      return id === undefined || uri === undefined ? [] : [{ id, uri }];
    }),
  extmapAllowMixed: child(element, "extmap-allow-mixed") !== undefined,
});

function readPayloadType(element: Element): PayloadType[] {
  const id = integer(attr(element, "id"), 0, 127);
  const name = attr(element, "name");
  if (id === undefined || name === undefined || name.length > 64) return [];
  const channels = integer(attr(element, "channels"), 1, 255);
  return [
    {
      id,
      name,
      clockrate: integer(attr(element, "clockrate"), 1, 1_000_000) ?? 90_000,
      ...(channels !== undefined ? { channels } : {}),
      parameters: children(element, "parameter")
        .slice(0, 64)
        .map((each) => ({ name: attr(each, "name") ?? "", value: attr(each, "value") ?? "" })),
      feedback: children(element, "rtcp-fb")
        .slice(0, 32)
        .flatMap((each) => {
          const type = attr(each, "type");
          const subtype = attr(each, "subtype");
          return type === undefined ? [] : [{ type, ...(subtype !== undefined ? { subtype } : {}) }];
        }),
    },
  ];
}

/** The child elements: payload types, then extensions, then extmap-allow-mixed. In colibri2 the payload type names its namespace itself. */
export const rtpDescriptionElements = (description: RtpDescription, inColibri2 = false): Element[] => [
  ...description.payloadTypes.map((each) =>
    xml(
      "payload-type",
      {
        xmlns: inColibri2 ? NS.jingleRtp : undefined,
        id: each.id,
        name: each.name,
        clockrate: each.clockrate,
        channels: each.channels,
      },
      each.parameters.map(({ name, value }) => xml("parameter", { name, value })),
      each.feedback.map(({ type, subtype }) => xml("rtcp-fb", { xmlns: NS.jingleRtpFb, type, subtype })),
    ),
  ),
  ...description.headerExtensions.map(({ id, uri }) => xml("rtp-hdrext", { xmlns: NS.jingleHdrExt, id, uri })),
  ...(description.extmapAllowMixed ? [xml("extmap-allow-mixed", { xmlns: NS.jingleHdrExt })] : []),
];

/** Value of a parameter by exact name. */
export const parameter = (payloadType: PayloadType, name: string): string | undefined =>
  payloadType.parameters.find((each) => each.name === name)?.value;

export const EXTENSION_URI = {
  audioLevel: "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
  absSendTime: "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
  transportCc: "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
  mid: "urn:ietf:params:rtp-hdrext:sdes:mid",
  dependencyDescriptor: "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension",
  videoLayersAllocation: "http://www.webrtc.org/experiments/rtp-hdrext/video-layers-allocation00",
  timeOffset: "urn:ietf:params:rtp-hdrext:toffset",
  rtpStreamId: "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
  videoContentType: "http://www.webrtc.org/experiments/rtp-hdrext/video-content-type",
  videoOrientation: "urn:3gpp:video-orientation",
} as const;
