/**
 * colibri2 as JSON (bridge.md 1.15): requests read into the same values as the XML gives, answers written in the recorded shape. Defaults are left out.
 */
import type {
  ColibriEndpoint,
  ColibriEntity,
  ColibriMedia,
  ColibriMediaSource,
  ColibriRelay,
  ColibriTransport,
  ConferenceModified,
  ConferenceModify,
} from "../wire/colibri2.ts";
import type { Candidate, Fingerprint, IceTransport } from "../wire/ice-transport.ts";
import { NS } from "../wire/namespaces.ts";
import type { HeaderExtension, PayloadType } from "../wire/rtp-description.ts";
import type { Source, SourceGroup } from "../wire/sources.ts";
import { type Element, xml } from "../wire/xml.ts";

type Json = Readonly<Record<string, unknown>>;

const MAX_ENTRIES = 1_000;

class Malformed extends Error {}

const object = (value: unknown): Json => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Malformed();
  return value as Json;
};
const list = (value: unknown): readonly unknown[] => {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > MAX_ENTRIES) throw new Malformed();
  return value;
};
const text = (value: unknown): string => {
  if (typeof value !== "string" || value.length > MAX_ENTRIES) throw new Malformed();
  return value;
};
const optional = <T>(value: unknown, read: (value: unknown) => T): T | undefined =>
  value === undefined ? undefined : read(value);
const flag = (value: unknown): boolean => value === true || value === "true";
/** Numbers come as numbers or as text. */
const whole =
  (min: number, max: number) =>
  (value: unknown): number => {
    const number = typeof value === "string" && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
    if (typeof number !== "number" || !Number.isInteger(number) || number < min || number > max) throw new Malformed();
    return number;
  };
const port = whole(0, 65_535);
const ssrc = whole(1, 0xffffffff);
const mediaType = (value: unknown): "audio" | "video" => {
  if (value !== "audio" && value !== "video") throw new Malformed();
  return value;
};
/** Leaves out what is undefined. */
const compact = <T extends Record<string, unknown>>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };

/** Undefined: not the shape of a request. `meetingId` comes from the URL when the body does not name it. */
export function readConferenceModifyJson(body: unknown, meetingId?: string): ConferenceModify | undefined {
  try {
    return readModify(object(body), meetingId);
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

function readModify(body: Json, fromUrl: string | undefined): ConferenceModify {
  const meetingId = fromUrl ?? text(body["meeting-id"]);
  if (meetingId.trim() === "") throw new Malformed();
  const name = optional(body["name"], text);
  return {
    meetingId,
    ...(name !== undefined ? { name } : {}),
    create: flag(body["create"]),
    expire: flag(body["expire"]),
    rtcstatsEnabled: body["rtcstats-enabled"] === undefined || flag(body["rtcstats-enabled"]),
    endpoints: list(body["endpoints"]).map((each) => readEndpoint(object(each))),
    relays: list(body["relays"]).map((each) => readRelay(object(each))),
    connects: list(body["connects"]).map((each) => connectElement(object(each))),
  };
}

/** Exports are read from XML (export-request.ts); JSON has the same names (bridge.md 1.15). */
function connectElement(source: Json): Element {
  const attributes = ["id", "url", "protocol", "type"].map((name) => [name, optional(source[name], text)] as const);
  const flags = ["create", "expire", "audio", "video", "parley_video"].map(
    (name) => [name, flag(source[name]) || undefined] as const,
  );
  const maxHeight = optional(source["parley_max_height"], whole(-1, 10_000));
  const ping = optional(source["ping"], object);
  const names = (key: string): readonly string[] | undefined =>
    optional(source[key], (each) => list(each).map((one) => text(typeof one === "string" ? one : object(one)["name"])));
  const exports = names("exports");
  const requests = names("requests");
  return xml(
    "connect",
    { xmlns: NS.colibri2, ...Object.fromEntries([...attributes, ...flags]), parley_max_height: maxHeight },
    Object.entries(optional(source["headers"], object) ?? {}).map(([name, value]) =>
      xml("http-header", { name, value: String(value) }),
    ),
    ping !== undefined && xml("ping", { interval: String(ping["interval"]), timeout: String(ping["timeout"]) }),
    exports !== undefined &&
      xml(
        "exports",
        {},
        exports.map((name) => xml("export", { name })),
      ),
    requests !== undefined &&
      xml(
        "requests",
        {},
        requests.map((name) => xml("request", { name })),
      ),
  );
}

function readEntity(source: Json): ColibriEntity {
  const transport = optional(source["transport"], (each) => readTransport(object(each)));
  const sources = optional(source["sources"], (each) => list(each).map((one) => readMediaSource(object(one))));
  return {
    id: text(source["id"]),
    create: flag(source["create"]),
    expire: flag(source["expire"]),
    media: list(source["medias"]).map((each) => readMedia(object(each))),
    ...(transport !== undefined ? { transport } : {}),
    ...(sources !== undefined ? { sources } : {}),
  };
}

function readEndpoint(source: Json): ColibriEndpoint {
  const statsId = optional(source["stats-id"], text);
  const mucRole = optional(source["muc-role"], text);
  const mute = optional(source["force-mute"], object);
  const initialLastN = optional(source["initial-last-n"], (each) => whole(-1, 1_000_000)(object(each)["value"]));
  return {
    ...readEntity(source),
    ...(statsId !== undefined ? { statsId } : {}),
    ...(mucRole !== undefined ? { mucRole } : {}),
    ...(mute !== undefined ? { forceMute: { audio: flag(mute["audio"]), video: flag(mute["video"]) } } : {}),
    ...(initialLastN !== undefined ? { initialLastN } : {}),
    capabilities: list(source["capabilities"]).map(text),
  };
}

function readRelay(source: Json): ColibriRelay {
  const meshId = optional(source["mesh-id"], text);
  return {
    ...readEntity(source),
    ...(meshId !== undefined ? { meshId } : {}),
    initiator: flag(source["initiator"]),
    endpoints: list(source["endpoints"]).map((each) => readEndpoint(object(each))),
  };
}

function readTransport(source: Json): ColibriTransport {
  const ice = optional(source["transport"], (each) => readIce(object(each)));
  const sctp = optional(source["sctp"], object);
  const sctpPort = sctp === undefined ? undefined : optional(sctp["port"], port);
  const role = sctp === undefined ? undefined : optional(sctp["role"], text);
  return {
    iceControlling: flag(source["ice-controlling"]),
    useUniquePort: flag(source["use-unique-port"]),
    iceRestart: flag(source["ice-restart"]),
    ...(ice !== undefined ? { ice } : {}),
    ...(sctp !== undefined
      ? { sctp: { ...(sctpPort !== undefined ? { port: sctpPort } : {}), ...(role !== undefined ? { role } : {}) } }
      : {}),
  };
}

function readIce(source: Json): IceTransport {
  const ufrag = optional(source["ufrag"], text);
  const pwd = optional(source["pwd"], text);
  const iceGeneration = optional(source["ice-generation"], whole(1, 0x7fffffff));
  return {
    ...(ufrag !== undefined ? { ufrag } : {}),
    ...(pwd !== undefined ? { pwd } : {}),
    ...(iceGeneration !== undefined ? { iceGeneration } : {}),
    rtcpMux: flag(source["rtcp-mux"]),
    fingerprints: list(source["fingerprints"]).map((each) => readFingerprint(object(each))),
    candidates: list(source["candidates"]).map((each) => readCandidate(object(each))),
    webSockets: list(source["web-sockets"]).map(text),
  };
}

function readFingerprint(source: Json): Fingerprint {
  const setup = source["setup"];
  return {
    hash: text(source["hash"]).toLowerCase(),
    value: text(source["fingerprint"]).toUpperCase(),
    ...(setup === "actpass" || setup === "active" || setup === "passive" ? { setup } : {}),
  };
}

function readCandidate(source: Json): Candidate {
  const type = source["type"];
  if (type !== "host" && type !== "srflx" && type !== "prflx" && type !== "relay") throw new Malformed();
  return {
    foundation: optional(source["foundation"], text) ?? "0",
    component: optional(source["component"], whole(1, 256)) ?? 1,
    protocol: (optional(source["protocol"], text) ?? "udp").toLowerCase(),
    priority: whole(0, 0xffffffff)(source["priority"]),
    ip: text(source["ip"]),
    port: port(source["port"]),
    type,
    generation: optional(source["generation"], whole(0, 0x7fffffff)) ?? 0,
    id: optional(source["id"], text) ?? "",
    network: optional(source["network"], text) ?? "0",
  };
}

function readMedia(source: Json): ColibriMedia {
  return {
    type: mediaType(source["type"]),
    description: {
      payloadTypes: list(source["payload-types"]).map((each) => readPayloadType(object(each))),
      headerExtensions: list(source["rtp-hdrexts"]).map((each): HeaderExtension => {
        const extension = object(each);
        return { id: whole(1, 255)(extension["id"]), uri: text(extension["uri"]) };
      }),
      extmapAllowMixed: flag(source["extmap-allow-mixed"]),
    },
  };
}

function readPayloadType(source: Json): PayloadType {
  const channels = optional(source["channels"], whole(1, 255));
  const parameters = optional(source["parameters"], object) ?? {};
  return {
    id: whole(0, 127)(source["id"]),
    name: text(source["name"]),
    clockrate: optional(source["clockrate"], whole(1, 1_000_000)) ?? 90_000,
    ...(channels !== undefined ? { channels } : {}),
    parameters: Object.entries(parameters).map(([name, value]) => ({ name, value: String(value) })),
    feedback: list(source["rtcp-fbs"]).map((each) => {
      const { type, subtype } = object(each);
      return { type: text(type), ...(subtype !== undefined ? { subtype: text(subtype) } : {}) };
    }),
  };
}

function readMediaSource(source: Json): ColibriMediaSource {
  const type = mediaType(source["type"]);
  const id = text(source["id"]);
  const sources = list(source["sources"]).map((each): Source => {
    const entry = object(each);
    const name = optional(entry["name"], text);
    const videoType = entry["videoType"];
    return {
      ssrc: ssrc(entry["ssrc"]),
      mediaType: type,
      ...(name !== undefined ? { name } : {}),
      ...(videoType === "camera" || videoType === "desktop" ? { videoType } : {}),
    };
  });
  const groups = list(source["ssrc-groups"]).map((each): SourceGroup => {
    const { semantics, sources: members } = object(each);
    if (semantics !== "SIM" && semantics !== "FID" && semantics !== "FEC-FR") throw new Malformed();
    const ssrcs = list(members).map((one) => ssrc(typeof one === "object" && one !== null ? object(one)["ssrc"] : one));
    return { mediaType: type, semantics, ssrcs };
  });
  return { type, id, synthetic: flag(source["synthetic"]), sources: { sources, groups } };
}

/** The answer's body. */
export const conferenceModifiedJson = (modified: ConferenceModified): Json =>
  compact({
    endpoints: modified.endpoints.length === 0 ? undefined : modified.endpoints.map(writeEntity),
    relays: modified.relays.length === 0 ? undefined : modified.relays.map(writeEntity),
    sources: modified.sources?.map(writeMediaSource),
  });

const writeEntity = (entity: ColibriEntity): Json =>
  compact({
    id: entity.id,
    expire: entity.expire || undefined,
    transport: entity.transport === undefined ? undefined : writeTransport(entity.transport),
  });

const writeTransport = (transport: ColibriTransport): Json =>
  compact({
    transport: transport.ice === undefined ? undefined : writeIce(transport.ice),
    sctp: transport.sctp === undefined ? undefined : compact({ port: transport.sctp.port, role: transport.sctp.role }),
  });

const writeIce = (ice: IceTransport): Json =>
  compact({
    xmlns: NS.jingleIceUdp,
    pwd: ice.pwd,
    ufrag: ice.ufrag,
    "ice-generation": ice.iceGeneration === undefined ? undefined : String(ice.iceGeneration),
    fingerprints: ice.fingerprints.map(({ hash, value, setup }) => compact({ fingerprint: value, setup, hash })),
    candidates: ice.candidates.map((each) => ({
      component: String(each.component),
      foundation: each.foundation,
      generation: String(each.generation),
      id: each.id,
      network: each.network,
      priority: String(each.priority),
      protocol: each.protocol,
      type: each.type,
      ip: each.ip,
      port: String(each.port),
    })),
    "web-sockets": ice.webSockets,
    "rtcp-mux": ice.rtcpMux || undefined,
  });

const writeMediaSource = (source: ColibriMediaSource): Json => ({
  type: source.type,
  id: source.id,
  sources: source.sources.sources.map(({ ssrc: number, name }) => compact({ ssrc: number, name })),
});
