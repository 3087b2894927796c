/**
 * The sources of one conference: who sends what. Additions and removals are checked as a whole before anything changes (signaling.md 4.4).
 */
import { type EndpointSources, NO_SOURCES, type Source, type SourceGroup } from "../wire/sources.ts";

export type SourceRefusal = { readonly refused: string };
export const isRefusal = (value: EndpointSources | SourceRefusal): value is SourceRefusal => "refused" in value;

export interface SourceLimits {
  /** SSRCs per endpoint (original: 20). */
  readonly ssrcs: number;
  /** Groups per endpoint (original: 20). */
  readonly groups: number;
}

export class ConferenceSources {
  readonly #limits: SourceLimits;
  readonly #byOwner = new Map<string, EndpointSources>();
  readonly #ssrcOwner = new Map<number, string>();
  readonly #msidOwner = new Map<string, string>();

  constructor(limits: SourceLimits) {
    this.#limits = limits;
  }

  of(owner: string): EndpointSources {
    return this.#byOwner.get(owner) ?? NO_SOURCES;
  }

  owners(): IterableIterator<string> {
    return this.#byOwner.keys();
  }

  /** What the owner has afterwards, or why nothing changed. Sources are named by the focus's rules, so that the bridge can know them. */
  add(owner: string, added: EndpointSources): EndpointSources | SourceRefusal {
    const named = { sources: added.sources.map((each) => withName(owner, each)), groups: added.groups };
    const before = this.of(owner);
    const next: EndpointSources = {
      sources: [...before.sources, ...named.sources],
      groups: [...before.groups, ...named.groups.filter((each) => !before.groups.some((old) => sameGroup(old, each)))],
    };
    const fault = this.#validate(owner, named, next);
    if (fault !== undefined) return { refused: fault };
    this.#set(owner, next);
    return next;
  }

  /** Removes by SSRC; groups go with any of their members. */
  remove(owner: string, removed: EndpointSources): EndpointSources | SourceRefusal {
    const before = this.of(owner);
    const gone = new Set(removed.sources.map((each) => each.ssrc));
    for (const ssrc of gone)
      if (!before.sources.some((each) => each.ssrc === ssrc))
        return { refused: `SSRC ${ssrc} is not a source of this endpoint` };
    for (const group of removed.groups)
      if (!before.groups.some((each) => sameGroup(each, group))) return { refused: "Unknown SSRC group" };
    const groups = before.groups.filter(
      (each) => !each.ssrcs.some((ssrc) => gone.has(ssrc)) && !removed.groups.some((group) => sameGroup(each, group)),
    );
    const next = { sources: before.sources.filter((each) => !gone.has(each.ssrc)), groups };
    this.#set(owner, next);
    return next;
  }

  removeAll(owner: string): void {
    this.#set(owner, NO_SOURCES);
  }

  #set(owner: string, next: EndpointSources): void {
    for (const each of this.of(owner).sources) {
      this.#ssrcOwner.delete(each.ssrc);
      if (each.msid !== undefined) this.#msidOwner.delete(each.msid);
    }
    if (next.sources.length === 0) {
      this.#byOwner.delete(owner);
      return;
    }
    this.#byOwner.set(owner, next);
    for (const each of next.sources) {
      this.#ssrcOwner.set(each.ssrc, owner);
      if (each.msid !== undefined) this.#msidOwner.set(each.msid, owner);
    }
  }

  #validate(owner: string, added: EndpointSources, next: EndpointSources): string | undefined {
    if (next.sources.length > this.#limits.ssrcs) return `Limit of ${this.#limits.ssrcs} SSRCs exceeded`;
    if (next.groups.length > this.#limits.groups) return `Limit of ${this.#limits.groups} SSRC groups exceeded`;
    const own = new Map<number, Source>();
    for (const each of next.sources) {
      if (own.has(each.ssrc)) return `SSRC ${each.ssrc} is announced twice`;
      own.set(each.ssrc, each);
    }
    for (const each of added.sources) {
      if (this.#ssrcOwner.has(each.ssrc)) return `SSRC ${each.ssrc} is in use`;
      if (each.msid !== undefined && (this.#msidOwner.get(each.msid) ?? owner) !== owner)
        return `MSID ${each.msid} is in use by another endpoint`;
      // The name is what receivers and the bridge ask for: nobody may announce one that belongs to somebody else.
      if (each.name !== undefined && !each.name.startsWith(`${owner}-`)) return `Source name ${each.name} is not yours`;
    }
    return validateGroups(own, next.groups) ?? validateMsids(next, own);
  }
}

function validateGroups(own: ReadonlyMap<number, Source>, groups: readonly SourceGroup[]): string | undefined {
  for (const group of groups) {
    if (group.semantics === "FID" && group.ssrcs.length !== 2) return "A FID group needs exactly two SSRCs";
    let msid: string | undefined;
    for (const ssrc of group.ssrcs) {
      const member = own.get(ssrc);
      if (member === undefined || member.mediaType !== group.mediaType)
        return `SSRC ${ssrc} of a group is not announced`;
      if (member.msid === undefined) return `Grouped SSRC ${ssrc} has no MSID`;
      if (msid !== undefined && msid !== member.msid) return "MSIDs differ within a group";
      msid = member.msid;
    }
  }
  return undefined;
}

/** A SIM group with its RTX counts as one source; every source of a kind has an MSID of its own. */
function validateMsids(next: EndpointSources, own: ReadonlyMap<number, Source>): string | undefined {
  const parent = new Map<number, number>();
  const root = (ssrc: number): number => {
    let at = ssrc;
    for (let up = parent.get(at); up !== undefined; up = parent.get(at)) at = up;
    return at;
  };
  for (const group of next.groups) {
    const first = group.ssrcs[0];
    if (first === undefined) continue;
    for (const ssrc of group.ssrcs.slice(1)) if (root(ssrc) !== root(first)) parent.set(root(ssrc), root(first));
  }
  const rootOfMsid = new Map<string, number>();
  for (const each of own.values()) {
    if (each.msid === undefined) continue;
    const key = `${each.mediaType} ${each.msid}`;
    const known = rootOfMsid.get(key);
    if (known !== undefined && known !== root(each.ssrc)) return `MSID ${each.msid} is used by two sources`;
    rootOfMsid.set(key, root(each.ssrc));
  }
  return undefined;
}

/** COMPAT: clients before source names (2022) announce none; the bridge needs one: first audio, first video. */
const withName = (owner: string, source: Source): Source =>
  source.name !== undefined ? source : { ...source, name: `${owner}-${source.mediaType === "audio" ? "a0" : "v0"}` };

const sameGroup = (a: SourceGroup, b: SourceGroup): boolean =>
  a.semantics === b.semantics && a.ssrcs.length === b.ssrcs.length && a.ssrcs.every((ssrc, i) => ssrc === b.ssrcs[i]);

/** What receivers are told: of each SIM group only the first SSRC and its RTX; the bridge puts all layers on it (signaling.md 4.4). */
export function stripSimulcast(sources: EndpointSources): EndpointSources {
  const gone = new Set<number>();
  for (const group of sources.groups)
    if (group.semantics === "SIM") for (const ssrc of group.ssrcs.slice(1)) gone.add(ssrc);
  if (gone.size === 0 && !sources.groups.some((each) => each.semantics === "SIM")) return sources;
  for (const group of sources.groups) {
    const [primary, repair] = group.ssrcs;
    if (group.semantics === "FID" && primary !== undefined && repair !== undefined && gone.has(primary))
      gone.add(repair);
  }
  return {
    sources: sources.sources.filter((each) => !gone.has(each.ssrc)),
    groups: sources.groups.filter((each) => each.semantics !== "SIM" && !each.ssrcs.some((ssrc) => gone.has(ssrc))),
  };
}

/** What is in `a` and not in `b`, by SSRC and by group. */
export function difference(a: EndpointSources, b: EndpointSources): EndpointSources {
  const known = new Set(b.sources.map((each) => each.ssrc));
  return {
    sources: a.sources.filter((each) => !known.has(each.ssrc)),
    groups: a.groups.filter((each) => !b.groups.some((other) => sameGroup(each, other))),
  };
}

export const isEmpty = (sources: EndpointSources): boolean =>
  sources.sources.length === 0 && sources.groups.length === 0;
