/**
 * The sources of one sender (an endpoint, or an endpoint behind a relay) as the bridge keeps them, made from colibri2's media sources (bridge.md 1.5).
 */

import type { VideoTypeName } from "../wire/channel-messages.ts";
import type { ColibriMediaSource } from "../wire/colibri2.ts";
import type { BridgeContext } from "./context.ts";
import type { EncodingSsrcs, LayerState, MediaKind, MediaSource, SourceIndex } from "./media-commands.ts";

export interface ConferenceSource {
  readonly index: SourceIndex;
  readonly name: string;
  /** Endpoint id. */
  readonly owner: string;
  readonly kind: MediaKind;
  /** Low to high. */
  readonly encodings: readonly EncodingSsrcs[];
  videoType: VideoTypeName;
  /** As the loop last told; empty: not seen yet. */
  layers: readonly LayerState[];
}

/** Simulcast encodings, RTX partners: what the groups say of a source. The first two SSRCs of a group count (bridge.md 1.5). */
export function encodingsOf(source: ColibriMediaSource): EncodingSsrcs[] {
  const { sources, groups } = source.sources;
  const rtx = new Map<number, number>();
  const repair = new Set<number>();
  let simulcast: readonly number[] | undefined;
  for (const group of groups) {
    const [first, second] = group.ssrcs;
    if (group.semantics === "SIM") simulcast ??= group.ssrcs;
    else if (first !== undefined && second !== undefined) {
      if (group.semantics === "FID") rtx.set(first, second);
      repair.add(second);
    }
  }
  const single = sources.find((each) => !repair.has(each.ssrc))?.ssrc;
  const primaries = simulcast ?? (single === undefined ? [] : [single]);
  return [...new Set(primaries)].slice(0, MAX_ENCODINGS).map((ssrc) => ({ ssrc, rtxSsrc: rtx.get(ssrc) ?? 0 }));
}

/** The index has two bits of the layer number for the encoding (bridge.md 4.5), of which clients use three values. */
const MAX_ENCODINGS = 4;
/** One sender's sources: two cameras, screens and microphones is all that clients make. */
const MAX_SOURCES_PER_SENDER = 32;
const MAX_VIDEO_TYPES = 64;

/** All sources of one sender. */
export class SenderSources {
  readonly #byName = new Map<string, ConferenceSource>();
  /** What SourceVideoTypeMessage said, which may come before the source itself. */
  readonly #videoTypes = new Map<string, VideoTypeName>();

  constructor(
    readonly context: BridgeContext,
    readonly owner: string,
  ) {}

  get all(): IterableIterator<ConferenceSource> {
    return this.#byName.values();
  }

  get(name: string): ConferenceSource | undefined {
    return this.#byName.get(name);
  }

  has(kind: MediaKind): boolean {
    for (const source of this.#byName.values()) if (source.kind === kind) return true;
    return false;
  }

  /** Replaces the whole set. A source whose SSRCs changed is a new one. Answers whether anything changed. */
  replace(sources: readonly ColibriMediaSource[]): boolean {
    const wanted = new Map<string, ColibriMediaSource>();
    for (const source of sources)
      if (!source.synthetic && wanted.size < MAX_SOURCES_PER_SENDER) wanted.set(source.id, source);
    let changed = false;
    for (const [name, present] of this.#byName) {
      const next = wanted.get(name);
      if (next !== undefined && next.type === present.kind && sameEncodings(encodingsOf(next), present.encodings))
        continue;
      this.#byName.delete(name);
      changed = true;
    }
    for (const [name, source] of wanted) {
      const signalled = source.sources.sources.find((each) => each.videoType !== undefined)?.videoType ?? "camera";
      if (this.#byName.has(name)) continue;
      const encodings = encodingsOf(source);
      if (encodings.length === 0) continue;
      const index = this.context.sourceIndices.take();
      if (index === undefined) {
        this.context.counters.drop("source-table-full");
        continue;
      }
      this.#byName.set(name, {
        index,
        name,
        owner: this.owner,
        kind: source.type,
        encodings,
        videoType: this.#videoTypes.get(name) ?? signalled,
        layers: [],
      });
      changed = true;
    }
    return changed;
  }

  /** Answers whether that changed anything that is known already. */
  setVideoType(name: string, videoType: VideoTypeName): boolean {
    if (this.#videoTypes.size >= MAX_VIDEO_TYPES && !this.#videoTypes.has(name)) {
      this.context.counters.drop("video-type-table-full");
      return false;
    }
    this.#videoTypes.set(name, videoType);
    const source = this.#byName.get(name);
    if (source === undefined || source.kind !== "video" || source.videoType === videoType) return false;
    source.videoType = videoType;
    return true;
  }

  /** For the loop's `sources` command. */
  mediaSources(): MediaSource[] {
    return [...this.#byName.values()].map(({ index, name, kind, encodings }) => ({
      source: index,
      name,
      kind,
      encodings,
    }));
  }
}

const sameEncodings = (a: readonly EncodingSsrcs[], b: readonly EncodingSsrcs[]): boolean =>
  a.length === b.length && a.every((each, i) => each.ssrc === b[i]?.ssrc && each.rtxSsrc === b[i]?.rtxSsrc);
