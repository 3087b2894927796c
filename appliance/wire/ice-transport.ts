/**
 * The ICE-UDP transport element (XEP-0176 with XEP-0320 and Jitsi's web-socket), as Jingle and colibri2 carry it. signaling.md 4.3, bridge.md 1.3.
 */
import { NS } from "./namespaces.ts";
import { boolean, integer } from "./numbers.ts";
import { attr, child, children, type Element, text, xml } from "./xml.ts";

export interface Candidate {
  readonly foundation: string;
  /** 1: RTP and RTCP are multiplexed. */
  readonly component: number;
  readonly protocol: string;
  /** 0 … 2³¹ − 1. */
  readonly priority: number;
  readonly ip: string;
  /** 1 … 65535. */
  readonly port: number;
  readonly type: "host" | "srflx" | "prflx" | "relay";
  readonly relAddr?: string;
  readonly relPort?: number;
  readonly tcpType?: string;
  readonly generation: number;
  readonly id: string;
  readonly network: string;
}

export type DtlsSetup = "actpass" | "active" | "passive";

export interface Fingerprint {
  /** Lower case, e.g. `sha-256`. */
  readonly hash: string;
  /** Upper-case hex with colons. */
  readonly value: string;
  readonly setup?: DtlsSetup;
}

export interface IceTransport {
  readonly ufrag?: string;
  readonly pwd?: string;
  /** ICE restart generation, ≥ 1 (bridge.md 1.9). */
  readonly iceGeneration?: number;
  readonly rtcpMux: boolean;
  readonly fingerprints: readonly Fingerprint[];
  readonly candidates: readonly Candidate[];
  /** URLs of the bridge channel. */
  readonly webSockets: readonly string[];
  /** `sctpmap`, signaling.md 4.1: only in data contents. */
  readonly sctpMap?: { readonly port: number; readonly protocol: string; readonly streams: number };
}

const MAX_CANDIDATES = 64;
const MAX_FINGERPRINTS = 8;
const MAX_WEB_SOCKETS = 8;
const TYPES: readonly string[] = ["host", "srflx", "prflx", "relay"];
const SETUPS: readonly string[] = ["actpass", "active", "passive"];

/** Reads `<transport xmlns='urn:xmpp:jingle:transports:ice-udp:1'>`; malformed candidates and fingerprints are left out. */
export function readIceTransport(element: Element): IceTransport {
  const ufrag = attr(element, "ufrag");
  const pwd = attr(element, "pwd");
  const iceGeneration = integer(attr(element, "ice-generation"), 1, 0x7fffffff);
  const sctp = child(element, "sctpmap", NS.jingleSctp);
  const sctpPort = sctp === undefined ? undefined : integer(attr(sctp, "number"), 1, 65535);
  return {
    ...(ufrag !== undefined && ufrag.length <= 256 ? { ufrag } : {}),
    ...(pwd !== undefined && pwd.length <= 256 ? { pwd } : {}),
    ...(iceGeneration !== undefined ? { iceGeneration } : {}),
    rtcpMux: child(element, "rtcp-mux") !== undefined,
    fingerprints: children(element, "fingerprint").slice(0, MAX_FINGERPRINTS).flatMap(readFingerprint),
    candidates: children(element, "candidate").slice(0, MAX_CANDIDATES).flatMap(readCandidate),
    webSockets: children(element, "web-socket")
      .slice(0, MAX_WEB_SOCKETS)
      .flatMap((each) => attr(each, "url") ?? []),
    ...(sctp !== undefined && sctpPort !== undefined
      ? {
          sctpMap: {
            port: sctpPort,
            protocol: attr(sctp, "protocol") ?? "",
            streams: integer(attr(sctp, "streams"), 0, 65535) ?? 0,
          },
        }
      : {}),
  };
}

function readFingerprint(element: Element): Fingerprint[] {
  const hash = attr(element, "hash")?.toLowerCase();
  const value = text(element).trim().toUpperCase();
  const setup = attr(element, "setup");
  if (hash === undefined || !/^sha-(1|224|256|384|512)$/.test(hash) || !/^[0-9A-F]{2}(:[0-9A-F]{2})+$/.test(value))
    return [];
  return [{ hash, value, ...(setup !== undefined && SETUPS.includes(setup) ? { setup: setup as DtlsSetup } : {}) }];
}

function readCandidate(element: Element): Candidate[] {
  const port = integer(attr(element, "port"), 0, 65535);
  const priority = integer(attr(element, "priority"), 0, 0xffffffff);
  const ip = attr(element, "ip");
  const type = attr(element, "type");
  if (port === undefined || priority === undefined || ip === undefined || ip.length > 255) return [];
  if (type === undefined || !TYPES.includes(type)) return [];
  const relAddr = attr(element, "rel-addr");
  const relPort = integer(attr(element, "rel-port"), 0, 65535);
  const tcpType = attr(element, "tcptype");
  return [
    {
      foundation: attr(element, "foundation") ?? "0",
      component: integer(attr(element, "component"), 1, 256) ?? 1,
      protocol: (attr(element, "protocol") ?? "udp").toLowerCase(),
      priority,
      ip,
      port,
      type: type as Candidate["type"],
      ...(relAddr !== undefined ? { relAddr } : {}),
      ...(relPort !== undefined ? { relPort } : {}),
      ...(tcpType !== undefined ? { tcpType } : {}),
      generation: integer(attr(element, "generation"), 0, 0x7fffffff) ?? 0,
      id: attr(element, "id") ?? "",
      network: attr(element, "network") ?? "0",
    },
  ];
}

/** Writes the element; children in the order of the recorded offers. */
export const iceTransportElement = (transport: IceTransport): Element =>
  xml(
    "transport",
    {
      xmlns: NS.jingleIceUdp,
      ufrag: transport.ufrag,
      pwd: transport.pwd,
      "ice-generation": transport.iceGeneration,
    },
    transport.webSockets.map((url) => xml("web-socket", { xmlns: NS.colibri, url })),
    transport.rtcpMux && xml("rtcp-mux"),
    transport.fingerprints.map(({ hash, value, setup }) =>
      xml("fingerprint", { xmlns: NS.jingleDtls, hash, setup }, value),
    ),
    transport.candidates.map(candidateElement),
    transport.sctpMap !== undefined &&
      xml("sctpmap", {
        xmlns: NS.jingleSctp,
        number: transport.sctpMap.port,
        protocol: transport.sctpMap.protocol,
        streams: transport.sctpMap.streams,
      }),
  );

const candidateElement = (candidate: Candidate): Element =>
  xml("candidate", {
    component: candidate.component,
    foundation: candidate.foundation,
    generation: candidate.generation,
    id: candidate.id,
    network: candidate.network,
    priority: candidate.priority,
    protocol: candidate.protocol,
    type: candidate.type,
    ip: candidate.ip,
    port: candidate.port,
    "rel-addr": candidate.relAddr,
    "rel-port": candidate.relPort,
    tcptype: candidate.tcpType,
  });

/** Whether a presence-style boolean attribute is set on the element. */
export const flag = (element: Element, name: string): boolean => boolean(attr(element, name));
