/**
 * What the others send, by source name: the flat lists of wire/sources joined to one value per source (signaling.md 4.4).
 */
import type { EndpointSources, SourceGroup, VideoType } from "../../appliance/wire/sources.ts";

export interface RemoteSource {
  /** `<endpoint id>-a0`, `-v0`, `-v1`. */
  readonly name: string;
  /** Endpoint id. */
  readonly owner: string;
  readonly kind: "audio" | "video";
  readonly videoType: VideoType;
  /** Primary first, its RTX after it. */
  readonly ssrcs: readonly number[];
  readonly groups: readonly SourceGroup[];
}

/** The owner name under which the bridge announces its own feedback SSRCs. */
export const BRIDGE_OWNER = "jvb";

/** Sources of everybody, in the order announced; a source without a name is known by its owner, kind and first SSRC. */
export function remoteSources(announced: ReadonlyMap<string, EndpointSources>): readonly RemoteSource[] {
  const found = new Map<string, { owner: string; source: Omit<RemoteSource, "groups" | "ssrcs">; ssrcs: number[] }>();
  for (const [owner, own] of announced)
    for (const each of own.sources) {
      const name = each.name ?? `${owner}-${each.mediaType === "audio" ? "a" : "v"}-${groupLead(own, each.ssrc)}`;
      const entry = found.get(name) ?? {
        owner,
        source: { name, owner, kind: each.mediaType, videoType: each.videoType ?? ("camera" as const) },
        ssrcs: [],
      };
      entry.ssrcs.push(each.ssrc);
      found.set(name, entry);
    }
  return [...found.values()].map(({ owner, source, ssrcs }) => ({
    ...source,
    ssrcs,
    groups: (announced.get(owner)?.groups ?? []).filter(
      (group) => group.mediaType === source.kind && group.ssrcs.every((ssrc) => ssrcs.includes(ssrc)),
    ),
  }));
}

const groupLead = (own: EndpointSources, ssrc: number): number =>
  own.groups.find((group) => group.ssrcs.includes(ssrc))?.ssrcs[0] ?? ssrc;
