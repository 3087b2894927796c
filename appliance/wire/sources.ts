/**
 * Media sources: what an endpoint sends, as Jingle's XML (XEP-0339 with Jitsi's attributes), as JSON (signaling.md 4.5), and as plain values.
 *
 * Kept flat, as the wire has it: a list of SSRCs with their source names, and groups over them.
 */
import { NS } from "./namespaces.ts";
import { ssrc as parseSsrc } from "./numbers.ts";
import type { MediaType } from "./rtp-description.ts";
import { attr, child, children, type Element, xml } from "./xml.ts";

export type VideoType = "camera" | "desktop";

export interface Source {
  /** 1 … 2³² − 1. */
  readonly ssrc: number;
  readonly mediaType: MediaType;
  /** `<endpoint id>-a0`, `-v0`, …; all SSRCs of one source share it. */
  readonly name?: string;
  /** `<stream> <track>`. */
  readonly msid?: string;
  /** Absent: camera. */
  readonly videoType?: VideoType;
}

export interface SourceGroup {
  readonly mediaType: MediaType;
  readonly semantics: "SIM" | "FID" | "FEC-FR";
  readonly ssrcs: readonly number[];
}

export interface EndpointSources {
  readonly sources: readonly Source[];
  readonly groups: readonly SourceGroup[];
}

export const NO_SOURCES: EndpointSources = { sources: [], groups: [] };

/** What a malformed source is refused for. */
export interface SourceFault {
  readonly reason: "bad-ssrc" | "too-many" | "bad-group" | "bad-json";
  readonly text: string;
}

const MAX_SOURCES = 1000;

const videoTypeOf = (value: string | undefined): VideoType | undefined =>
  value === "desktop" || value === "desktop_high_fps" ? "desktop" : value === "camera" ? "camera" : undefined;

/** Reads the `<source>` and `<ssrc-group>` children of one `<description>` or `<media-source>`. */
export function readSources(parent: Element, mediaType: MediaType): EndpointSources | SourceFault {
  const sources: Source[] = [];
  for (const each of children(parent, "source", NS.jingleSsma)) {
    const ssrc = parseSsrc(attr(each, "ssrc"));
    if (ssrc === undefined) return { reason: "bad-ssrc", text: `Invalid SSRC: ${attr(each, "ssrc") ?? "none"}` };
    if (sources.length >= MAX_SOURCES) return { reason: "too-many", text: "Too many sources" };
    const name = attr(each, "name");
    const msid = children(each, "parameter").find((parameter) => attr(parameter, "name") === "msid");
    const msidValue = msid === undefined ? undefined : attr(msid, "value");
    const videoType = videoTypeOf(attr(each, "videoType"));
    sources.push({
      ssrc,
      mediaType,
      ...(name !== undefined ? { name } : {}),
      ...(msidValue !== undefined ? { msid: msidValue } : {}),
      ...(videoType !== undefined ? { videoType } : {}),
    });
  }
  const groups: SourceGroup[] = [];
  for (const each of children(parent, "ssrc-group", NS.jingleSsma)) {
    const semantics = attr(each, "semantics")?.toUpperCase();
    if (semantics !== "SIM" && semantics !== "FID" && semantics !== "FEC-FR")
      return { reason: "bad-group", text: `Unknown group semantics: ${semantics ?? "none"}` };
    const ssrcs = children(each, "source").map((source) => parseSsrc(attr(source, "ssrc")));
    if (ssrcs.length === 0 || ssrcs.length > 20 || ssrcs.includes(undefined) || groups.length >= MAX_SOURCES)
      return { reason: "bad-group", text: "Invalid group members" };
    groups.push({ mediaType, semantics, ssrcs: ssrcs.filter((ssrc) => ssrc !== undefined) });
  }
  return { sources, groups };
}

export const isFault = (value: EndpointSources | SourceFault): value is SourceFault => "reason" in value;

/** `<source>` and `<ssrc-group>` elements of one media type; `owner` adds Jitsi's ssrc-info (toward receivers). */
export function sourceElements(sources: EndpointSources, mediaType: MediaType, owner?: string): Element[] {
  return [
    ...sources.sources
      .filter((each) => each.mediaType === mediaType)
      .map((each) =>
        xml(
          "source",
          {
            xmlns: NS.jingleSsma,
            ssrc: each.ssrc,
            name: each.name,
            videoType: mediaType === "video" ? each.videoType : undefined,
          },
          each.msid !== undefined && xml("parameter", { name: "msid", value: each.msid }),
          owner !== undefined && xml("ssrc-info", { xmlns: NS.jitmeet, owner }),
        ),
      ),
    ...sources.groups
      .filter((each) => each.mediaType === mediaType)
      .map((each) =>
        xml(
          "ssrc-group",
          { xmlns: NS.jingleSsma, semantics: each.semantics },
          each.ssrcs.map((ssrc) => xml("source", { ssrc })),
        ),
      ),
  ];
}

/** The owner that a `<source>` toward receivers names; a full occupant JID counts by its resource (signaling.md 4.4). */
export function ownerOf(source: Element): string | undefined {
  const info = child(source, "ssrc-info", NS.jitmeet);
  const owner = info === undefined ? undefined : attr(info, "owner");
  return owner?.slice(owner.lastIndexOf("/") + 1);
}

type JsonSource = { s: number; n?: string; m?: string; v?: "d" };
type JsonGroup = (string | number)[];

/** The JSON form of 4.5: per owner [video sources, video groups, audio sources, audio groups]; the fourth is left out when empty. */
export function encodeJsonSources(byOwner: ReadonlyMap<string, EndpointSources>): string {
  const sources: [string, (JsonSource[] | JsonGroup[])[]][] = [];
  for (const [owner, own] of byOwner) {
    const list = (mediaType: MediaType): JsonSource[] =>
      own.sources
        .filter((each) => each.mediaType === mediaType)
        .map((each) => ({
          s: each.ssrc,
          ...(each.name !== undefined ? { n: each.name } : {}),
          ...(each.msid !== undefined ? { m: each.msid } : {}),
          ...(each.videoType === "desktop" ? { v: "d" as const } : {}),
        }));
    const groups = (mediaType: MediaType): JsonGroup[] =>
      own.groups
        .filter((each) => each.mediaType === mediaType && each.semantics !== "FEC-FR")
        .map((each) => [each.semantics === "SIM" ? "s" : "f", ...each.ssrcs]);
    const audioGroups = groups("audio");
    sources.push([
      owner,
      [list("video"), groups("video"), list("audio"), ...(audioGroups.length > 0 ? [audioGroups] : [])],
    ]);
  }
  return JSON.stringify({ sources: Object.fromEntries(sources) });
}

/** Reads the JSON form; never throws. */
export function decodeJsonSources(text: string): ReadonlyMap<string, EndpointSources> | SourceFault {
  const fault: SourceFault = { reason: "bad-json", text: "Invalid JSON sources" };
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return fault; // not JSON: the caller answers bad-request
  }
  const map = record(record(parsed)?.["sources"]);
  if (map === undefined) return fault;
  const result = new Map<string, EndpointSources>();
  for (const [owner, value] of Object.entries(map)) {
    if (!Array.isArray(value)) return fault;
    const sources: Source[] = [];
    const groups: SourceGroup[] = [];
    for (const [offset, mediaType] of [[0, "video"] as const, [2, "audio"] as const]) {
      for (const each of list(value[offset])) {
        const source = record(each);
        const ssrc = source?.["s"];
        if (source === undefined || !isSsrc(ssrc) || sources.length >= MAX_SOURCES) return fault;
        const name = source["n"];
        const msid = source["m"];
        sources.push({
          ssrc,
          mediaType,
          ...(typeof name === "string" ? { name } : {}),
          ...(typeof msid === "string" ? { msid } : {}),
          ...(mediaType === "video" && source["v"] === "d" ? { videoType: "desktop" as const } : {}),
        });
      }
      for (const each of list(value[offset + 1])) {
        if (!Array.isArray(each) || groups.length >= MAX_SOURCES) return fault;
        const [kind, ...ssrcs] = each as unknown[];
        if ((kind !== "f" && kind !== "s") || ssrcs.length === 0 || !ssrcs.every(isSsrc)) return fault;
        groups.push({ mediaType, semantics: kind === "s" ? "SIM" : "FID", ssrcs });
      }
    }
    result.set(owner, { sources, groups });
  }
  return result;
}

const record = (value: unknown): Record<string, unknown> | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const isSsrc = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 0xffffffff;
