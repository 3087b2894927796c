/**
 * What we send, in Jingle's words, read from the browser's own answer: SSRCs, groups, payload types, transport (signaling.md 4.6).
 */
import type { IceTransport } from "../../appliance/wire/ice-transport.ts";
import type { Jingle, JingleContent } from "../../appliance/wire/jingle.ts";
import type { EndpointSources, SourceGroup } from "../../appliance/wire/sources.ts";
import type { SdpMedia } from "./sdp.ts";

/** What we announce besides receiving; the screen's line has a mid of its own. */
export interface Announced {
  readonly microphone: boolean;
  readonly camera: boolean;
  /** mid of the screen's line while it is shared. */
  readonly screen: string | undefined;
}

export const sourceNames = (endpoint: string) =>
  ({ microphone: `${endpoint}-a0`, camera: `${endpoint}-v0`, screen: `${endpoint}-v1` }) as const;

const MICROPHONE_MID = "0";
export const CAMERA_MID = "1";

/** The sources to announce; a line that the browser does not send on gives none. */
export function ownSources(sections: readonly SdpMedia[], endpoint: string, announced: Announced): EndpointSources {
  const names = sourceNames(endpoint);
  const parts: EndpointSources[] = [];
  const take = (mid: string, name: string, label: string, desktop: boolean) => {
    const section = sections.find((each) => each.mid === mid);
    if (section?.direction.startsWith("send") === true)
      parts.push(sourcesOf(section, name, `${endpoint}-${label}-1 ${name}-1`, desktop));
  };
  if (announced.microphone) take(MICROPHONE_MID, names.microphone, "audio-0", false);
  if (announced.camera) take(CAMERA_MID, names.camera, "video-0", false);
  if (announced.screen !== undefined) take(announced.screen, names.screen, "video-1", true);
  return { sources: parts.flatMap((each) => each.sources), groups: parts.flatMap((each) => each.groups) };
}

function sourcesOf(section: SdpMedia, name: string, msid: string, desktop: boolean): EndpointSources {
  const mediaType = section.kind === "audio" ? "audio" : "video";
  const pairs = section.groups.filter((group) => group.semantics === "FID");
  const layers = section.groups.find((group) => group.semantics === "SIM")?.ssrcs ?? ridLayers(section, pairs);
  const groups: SourceGroup[] = [
    ...(layers.length > 1 ? [{ mediaType, semantics: "SIM" as const, ssrcs: layers } as const] : []),
    ...pairs.map((pair) => ({ mediaType, semantics: "FID" as const, ssrcs: pair.ssrcs }) as const),
  ];
  return {
    sources: section.ssrcs.map((ssrc) => ({
      ssrc,
      mediaType,
      name,
      msid,
      ...(mediaType === "video" ? { videoType: desktop ? ("desktop" as const) : ("camera" as const) } : {}),
    })),
    groups,
  };
}

/** Firefox lists the SSRCs of its rids in order, each with its FID pair, but no SIM group. */
const ridLayers = (section: SdpMedia, pairs: readonly { readonly ssrcs: readonly number[] }[]): readonly number[] => {
  if (section.rids.length < 2) return [];
  const repairs = new Set(pairs.flatMap((pair) => pair.ssrcs.slice(1)));
  return section.ssrcs.filter((ssrc) => !repairs.has(ssrc)).slice(0, section.rids.length);
};

/** Our transport: no candidates, the bridge learns us from our checks (signaling.md 4.3). */
export function ownTransport(sections: readonly SdpMedia[], sctpPort: number | undefined): IceTransport {
  const first = sections.find((each) => each.ufrag !== undefined);
  return {
    ...(first?.ufrag !== undefined ? { ufrag: first.ufrag } : {}),
    ...(first?.pwd !== undefined ? { pwd: first.pwd } : {}),
    rtcpMux: true,
    fingerprints:
      first?.fingerprint === undefined ? [] : [{ ...first.fingerprint, setup: first.setup ?? ("active" as const) }],
    candidates: [],
    webSockets: [],
    ...(sctpPort !== undefined ? { sctpMap: { port: sctpPort, protocol: "webrtc-datachannel", streams: 1024 } } : {}),
  };
}

export interface AcceptAddress {
  readonly sid: string;
  /** The focus's occupant JID. */
  readonly initiator: string;
  readonly responder: string;
}

/** The session-accept for an answer. */
export function acceptOf(
  sections: readonly SdpMedia[],
  sources: EndpointSources,
  address: AcceptAddress,
  sctpPort: number | undefined,
  initialLastN: number,
): Jingle {
  const transport = ownTransport(sections, undefined);
  const content = (mid: string, media: "audio" | "video"): JingleContent[] => {
    const section = sections.find((each) => each.mid === mid);
    if (section === undefined) return [];
    return [
      {
        name: media,
        creator: "responder",
        senders: "both",
        media,
        description: {
          payloadTypes: section.payloadTypes,
          headerExtensions: section.headerExtensions,
          extmapAllowMixed: section.extmapAllowMixed,
        },
        rtcpMux: true,
        transport,
        ...(media === "video" && initialLastN >= 0 ? { initialLastN } : {}),
      },
    ];
  };
  return {
    action: "session-accept",
    ...address,
    contents: [
      ...content(MICROPHONE_MID, "audio"),
      ...content(CAMERA_MID, "video"),
      ...(sctpPort === undefined
        ? []
        : [
            {
              name: "data",
              creator: "responder",
              senders: "both",
              media: "application",
              transport: ownTransport(sections, sctpPort),
            } as const,
          ]),
    ],
    sources: new Map([["", sources]]),
    bundle: ["audio", "video", "data"],
  };
}

/** What the focus is told after an ICE restart: our new transport, for both kinds, under the bridge's generation. */
export function restartAnswerOf(
  sections: readonly SdpMedia[],
  sid: string,
  initiator: string,
  iceGeneration: number,
): Jingle {
  const transport = { ...ownTransport(sections, undefined), iceGeneration };
  return {
    action: "transport-info",
    sid,
    initiator,
    contents: (["audio", "video"] as const).map((name) => ({ name, creator: "responder", transport })),
    sources: new Map(),
  };
}

/** What of `after` is not in `before`, and the other way round: the source-add and source-remove between two states. */
export function sourceChanges(
  before: EndpointSources,
  after: EndpointSources,
): { readonly added: EndpointSources; readonly removed: EndpointSources } {
  return { added: without(after, before), removed: without(before, after) };
}

function without(all: EndpointSources, known: EndpointSources): EndpointSources {
  const ssrcs = new Set(known.sources.map((each) => each.ssrc));
  return {
    sources: all.sources.filter((each) => !ssrcs.has(each.ssrc)),
    groups: all.groups.filter((group) => group.ssrcs.some((ssrc) => !ssrcs.has(ssrc))),
  };
}
