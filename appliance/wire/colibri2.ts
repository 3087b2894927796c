/**
 * colibri2 between focus and bridge: conference-modify and conference-modified (bridge.md 1.1–1.7, 1.16).
 *
 * Relays and `connects` (bridge.md 7) are carried as elements of their own type in `relays`; media export is kept as raw elements.
 */
import { type IceTransport, iceTransportElement, readIceTransport } from "./ice-transport.ts";
import { NS } from "./namespaces.ts";
import { boolean, integer } from "./numbers.ts";
import { type MediaType, type RtpDescription, readRtpDescription, rtpDescriptionElements } from "./rtp-description.ts";
import { type EndpointSources, isFault, NO_SOURCES, readSources, sourceElements } from "./sources.ts";
import { attr, child, children, type Element, xml } from "./xml.ts";

export interface ColibriMedia {
  readonly type: MediaType;
  readonly description: RtpDescription;
}

export interface ColibriTransport {
  /** The bridge takes the controlling ICE role. */
  readonly iceControlling: boolean;
  readonly useUniquePort: boolean;
  /** Asks for new ICE credentials on an existing endpoint (1.9). */
  readonly iceRestart: boolean;
  readonly ice?: IceTransport;
  readonly sctp?: { readonly port?: number; readonly role?: string };
}

export interface ColibriMediaSource {
  readonly type: MediaType;
  /** Source name. */
  readonly id: string;
  readonly synthetic: boolean;
  readonly sources: EndpointSources;
}

/** What endpoints and relays share. */
export interface ColibriEntity {
  readonly id: string;
  readonly create: boolean;
  readonly expire: boolean;
  readonly media: readonly ColibriMedia[];
  readonly transport?: ColibriTransport;
  /** Present: replaces the whole set (1.5). */
  readonly sources?: readonly ColibriMediaSource[];
}

export interface ColibriEndpoint extends ColibriEntity {
  readonly statsId?: string;
  readonly mucRole?: string;
  readonly forceMute?: { readonly audio: boolean; readonly video: boolean };
  /** −1: no limit. */
  readonly initialLastN?: number;
  readonly capabilities: readonly string[];
  /** `urn:parley:table` (design.md 3): table group of product.md W31. */
  readonly table?: string;
}

export interface ColibriRelay extends ColibriEntity {
  readonly meshId?: string;
  readonly initiator: boolean;
  /** Endpoints on the far side of the relay, bridge.md 7.1. */
  readonly endpoints: readonly ColibriEndpoint[];
}

export interface ConferenceModify {
  /** Required, not blank. */
  readonly meetingId: string;
  readonly name?: string;
  readonly create: boolean;
  readonly expire: boolean;
  readonly rtcstatsEnabled: boolean;
  readonly endpoints: readonly ColibriEndpoint[];
  readonly relays: readonly ColibriRelay[];
  /** `<connect>` elements of `<connects>` (7.3), unread. */
  readonly connects: readonly Element[];
}

export interface ConferenceModified {
  readonly endpoints: readonly ColibriEndpoint[];
  readonly relays: readonly ColibriRelay[];
  /** The bridge's own feedback sources (1.5). */
  readonly sources?: readonly ColibriMediaSource[];
}

export interface ColibriFault {
  readonly fault: "bad-request";
  readonly text: string;
}

export const isColibriFault = (value: object): value is ColibriFault => "fault" in value;

/** Namespace of our own extension on endpoints; a peer that does not know it ignores it (design.md 8). */
const TABLE_NS = "urn:parley:table";
const MAX_ENTITIES = 1000;

/** Reads `<conference-modify>`. */
export function readConferenceModify(element: Element): ConferenceModify | ColibriFault {
  const meetingId = attr(element, "meeting-id");
  if (meetingId === undefined || meetingId.trim() === "" || meetingId.length > 256)
    return { fault: "bad-request", text: "Missing meeting-id" };
  const name = attr(element, "name");
  const parts = readEntities(element);
  if (isColibriFault(parts)) return parts;
  const connects = child(element, "connects", NS.colibri2);
  return {
    meetingId,
    ...(name !== undefined ? { name } : {}),
    create: boolean(attr(element, "create")),
    expire: boolean(attr(element, "expire")),
    rtcstatsEnabled: attr(element, "rtcstats-enabled") === undefined || boolean(attr(element, "rtcstats-enabled")),
    ...parts,
    connects: connects === undefined ? [] : children(connects, "connect"),
  };
}

/** Reads `<conference-modified>`. */
export function readConferenceModified(element: Element): ConferenceModified | ColibriFault {
  const parts = readEntities(element);
  if (isColibriFault(parts)) return parts;
  const sources = child(element, "sources", NS.colibri2);
  if (sources === undefined) return parts;
  const read = readMediaSources(sources);
  return isColibriFault(read) ? read : { ...parts, sources: read };
}

function readEntities(
  element: Element,
): { endpoints: readonly ColibriEndpoint[]; relays: readonly ColibriRelay[] } | ColibriFault {
  const endpoints: ColibriEndpoint[] = [];
  for (const each of children(element, "endpoint", NS.colibri2).slice(0, MAX_ENTITIES)) {
    const endpoint = readEndpoint(each);
    if (isColibriFault(endpoint)) return endpoint;
    endpoints.push(endpoint);
  }
  const relays: ColibriRelay[] = [];
  for (const each of children(element, "relay", NS.colibri2).slice(0, MAX_ENTITIES)) {
    const relay = readRelay(each);
    if (isColibriFault(relay)) return relay;
    relays.push(relay);
  }
  return { endpoints, relays };
}

function readEntity(element: Element): ColibriEntity | ColibriFault {
  const id = attr(element, "id");
  if (id === undefined || id === "" || id.length > 256) return { fault: "bad-request", text: "Missing id" };
  const transport = child(element, "transport", NS.colibri2);
  const sources = child(element, "sources", NS.colibri2);
  const mediaSources = sources === undefined ? undefined : readMediaSources(sources);
  if (mediaSources !== undefined && isColibriFault(mediaSources)) return mediaSources;
  const media: ColibriMedia[] = [];
  for (const each of children(element, "media", NS.colibri2)) {
    const type = attr(each, "type");
    if (type !== "audio" && type !== "video") return { fault: "bad-request", text: "Invalid media type" };
    media.push({ type, description: readRtpDescription(each) });
  }
  return {
    id,
    create: boolean(attr(element, "create")),
    expire: boolean(attr(element, "expire")),
    media,
    ...(transport !== undefined ? { transport: readTransport(transport) } : {}),
    ...(mediaSources !== undefined ? { sources: mediaSources } : {}),
  };
}

function readEndpoint(element: Element): ColibriEndpoint | ColibriFault {
  const entity = readEntity(element);
  if (isColibriFault(entity)) return entity;
  const statsId = attr(element, "stats-id");
  const mucRole = attr(element, "muc-role");
  const forceMute = child(element, "force-mute", NS.colibri2);
  const lastN = child(element, "initial-last-n", NS.colibri2);
  const initialLastN = lastN === undefined ? undefined : integer(attr(lastN, "value"), -1, 1_000_000);
  const table = child(element, "table", TABLE_NS);
  const tableName = table === undefined ? undefined : attr(table, "name");
  return {
    ...entity,
    ...(statsId !== undefined ? { statsId } : {}),
    ...(mucRole !== undefined ? { mucRole } : {}),
    ...(forceMute !== undefined
      ? { forceMute: { audio: boolean(attr(forceMute, "audio")), video: boolean(attr(forceMute, "video")) } }
      : {}),
    ...(initialLastN !== undefined ? { initialLastN } : {}),
    capabilities: children(element, "capability", NS.colibri2).flatMap((each) => attr(each, "name") ?? []),
    ...(tableName !== undefined ? { table: tableName } : {}),
  };
}

function readRelay(element: Element): ColibriRelay | ColibriFault {
  const entity = readEntity(element);
  if (isColibriFault(entity)) return entity;
  const meshId = attr(element, "mesh-id");
  const list = child(element, "endpoints", NS.colibri2);
  const endpoints: ColibriEndpoint[] = [];
  for (const each of list === undefined ? [] : children(list, "endpoint").slice(0, MAX_ENTITIES)) {
    const endpoint = readEndpoint(each);
    if (isColibriFault(endpoint)) return endpoint;
    endpoints.push(endpoint);
  }
  return {
    ...entity,
    ...(meshId !== undefined ? { meshId } : {}),
    initiator: boolean(attr(element, "initiator")),
    endpoints,
  };
}

function readTransport(element: Element): ColibriTransport {
  const ice = child(element, "transport", NS.jingleIceUdp);
  const sctp = child(element, "sctp", NS.colibri2);
  const port = sctp === undefined ? undefined : integer(attr(sctp, "port"), 0, 65535);
  const role = sctp === undefined ? undefined : attr(sctp, "role");
  return {
    iceControlling: boolean(attr(element, "ice-controlling")),
    useUniquePort: boolean(attr(element, "use-unique-port")),
    iceRestart: boolean(attr(element, "ice-restart")),
    ...(ice !== undefined ? { ice: readIceTransport(ice) } : {}),
    ...(sctp !== undefined
      ? { sctp: { ...(port !== undefined ? { port } : {}), ...(role !== undefined ? { role } : {}) } }
      : {}),
  };
}

function readMediaSources(element: Element): readonly ColibriMediaSource[] | ColibriFault {
  const result: ColibriMediaSource[] = [];
  for (const each of children(element, "media-source", NS.colibri2).slice(0, MAX_ENTITIES)) {
    const type = attr(each, "type");
    const id = attr(each, "id");
    if ((type !== "audio" && type !== "video") || id === undefined)
      return { fault: "bad-request", text: "Invalid media-source" };
    const sources = readSources(each, type);
    if (isFault(sources)) return { fault: "bad-request", text: sources.text };
    result.push({ type, id, synthetic: boolean(attr(each, "synthetic")), sources });
  }
  return result;
}

/** Writes `<conference-modify>`; values at their default are left out. */
export const conferenceModifyElement = (modify: ConferenceModify): Element =>
  xml(
    "conference-modify",
    {
      xmlns: NS.colibri2,
      "meeting-id": modify.meetingId,
      name: modify.name,
      create: modify.create || undefined,
      expire: modify.expire || undefined,
      "rtcstats-enabled": modify.rtcstatsEnabled ? undefined : false,
    },
    modify.endpoints.map(endpointElement),
    modify.relays.map(relayElement),
    modify.connects.length > 0 && xml("connects", {}, modify.connects),
  );

/** Writes `<conference-modified>`. */
export const conferenceModifiedElement = (modified: ConferenceModified): Element =>
  xml(
    "conference-modified",
    { xmlns: NS.colibri2 },
    modified.endpoints.map(endpointElement),
    modified.relays.map(relayElement),
    modified.sources !== undefined && mediaSourcesElement(modified.sources),
  );

const entityAttributes = (entity: ColibriEntity) => ({
  id: entity.id,
  create: entity.create || undefined,
  expire: entity.expire || undefined,
});

const entityElements = (entity: ColibriEntity): (Element | undefined)[] => [
  ...entity.media.map(({ type, description }) => xml("media", { type }, rtpDescriptionElements(description, true))),
  entity.transport === undefined ? undefined : transportElement(entity.transport),
  entity.sources === undefined ? undefined : mediaSourcesElement(entity.sources),
];

const endpointElement = (endpoint: ColibriEndpoint): Element =>
  xml(
    "endpoint",
    { ...entityAttributes(endpoint), "stats-id": endpoint.statsId, "muc-role": endpoint.mucRole },
    endpoint.forceMute !== undefined &&
      xml("force-mute", {
        audio: endpoint.forceMute.audio || undefined,
        video: endpoint.forceMute.video || undefined,
      }),
    entityElements(endpoint),
    endpoint.initialLastN !== undefined && xml("initial-last-n", { value: endpoint.initialLastN }),
    endpoint.capabilities.map((name) => xml("capability", { name })),
    endpoint.table !== undefined && xml("table", { xmlns: TABLE_NS, name: endpoint.table }),
  );

const relayElement = (relay: ColibriRelay): Element =>
  xml(
    "relay",
    { ...entityAttributes(relay), "mesh-id": relay.meshId, initiator: relay.initiator || undefined },
    entityElements(relay),
    relay.endpoints.length > 0 && xml("endpoints", {}, relay.endpoints.map(endpointElement)),
  );

const transportElement = (transport: ColibriTransport): Element =>
  xml(
    "transport",
    {
      "ice-controlling": transport.iceControlling || undefined,
      "use-unique-port": transport.useUniquePort || undefined,
      "ice-restart": transport.iceRestart || undefined,
    },
    transport.ice !== undefined && iceTransportElement(transport.ice),
    transport.sctp !== undefined && xml("sctp", { port: transport.sctp.port, role: transport.sctp.role }),
  );

const mediaSourcesElement = (sources: readonly ColibriMediaSource[]): Element =>
  xml(
    "sources",
    {},
    sources.map((each) =>
      xml(
        "media-source",
        { type: each.type, id: each.id, synthetic: each.synthetic || undefined },
        sourceElements(each.sources, each.type),
      ),
    ),
  );

/** An endpoint with everything at its default. */
export const endpoint = (id: string, rest: Partial<Omit<ColibriEndpoint, "id">> = {}): ColibriEndpoint => ({
  id,
  create: false,
  expire: false,
  media: [],
  capabilities: [],
  ...rest,
});

/** A request with everything at its default. */
export const conferenceModify = (
  meetingId: string,
  rest: Partial<Omit<ConferenceModify, "meetingId">> = {},
): ConferenceModify => ({
  meetingId,
  create: false,
  expire: false,
  rtcstatsEnabled: true,
  endpoints: [],
  relays: [],
  connects: [],
  ...rest,
});

/** Groups flat sources by source name, as colibri2 wants them; sources without a name are left out. */
export function mediaSources(sources: EndpointSources): ColibriMediaSource[] {
  const byName = new Map<string, ColibriMediaSource>();
  const nameOf = new Map<string, string>();
  for (const source of sources.sources) {
    if (source.name === undefined) continue;
    nameOf.set(`${source.mediaType} ${source.ssrc}`, source.name);
    const entry = byName.get(source.name) ?? {
      type: source.mediaType,
      id: source.name,
      synthetic: false,
      sources: NO_SOURCES,
    };
    byName.set(source.name, {
      ...entry,
      sources: { ...entry.sources, sources: [...entry.sources.sources, source] },
    });
  }
  for (const group of sources.groups) {
    const name = nameOf.get(`${group.mediaType} ${group.ssrcs[0] ?? 0}`);
    const entry = name === undefined ? undefined : byName.get(name);
    if (name !== undefined && entry !== undefined)
      byName.set(name, { ...entry, sources: { ...entry.sources, groups: [...entry.sources.groups, group] } });
  }
  return [...byName.values()];
}

export const COLIBRI_REASONS = [
  "conference_not_found",
  "conference_already_exists",
  "unknown_endpoint",
  "feature_not_implemented",
  "graceful_shutdown",
  "unspecified",
] as const;
export type ColibriReason = (typeof COLIBRI_REASONS)[number];

/** The marker child of a colibri2 error (1.7). */
export const colibriErrorElement = (reason: ColibriReason): Element => xml("error", { xmlns: NS.colibri2, reason });

/** The marker's reason in an error stanza, if it is the bridge's own. */
export function readColibriReason(errorStanza: Element): ColibriReason | undefined {
  const error = child(errorStanza, "error");
  const marker = error === undefined ? undefined : child(error, "error", NS.colibri2);
  const reason = marker === undefined ? undefined : attr(marker, "reason");
  return marker === undefined ? undefined : (COLIBRI_REASONS.find((each) => each === reason) ?? "unspecified");
}
