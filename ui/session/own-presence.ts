/**
 * Our own presence in a room, and what we say of ourselves by disco and caps (signaling.md 1.12, 3.1).
 */
import { NS } from "../../appliance/wire/namespaces.ts";
import { type Element, xml } from "../../appliance/wire/xml.ts";
import type { SourceInfo } from "./room.ts";

/** Features of this client, signaling.md 1.12. SSRC rewriting is not among them: sources come by Jingle. */
export const FEATURES: readonly string[] = [
  "http://jabber.org/protocol/caps",
  "http://jabber.org/protocol/disco#info",
  "http://jitsi.org/json-encoded-sources",
  "http://jitsi.org/receive-multiple-video-streams",
  "http://jitsi.org/remb",
  "http://jitsi.org/source-name",
  "http://jitsi.org/start-muted-room-metadata",
  "http://jitsi.org/tcc",
  "urn:ietf:rfc:4588",
  "urn:xmpp:jingle:1",
  "urn:xmpp:jingle:apps:dtls:0",
  "urn:xmpp:jingle:apps:rtp:1",
  "urn:xmpp:jingle:apps:rtp:audio",
  "urn:xmpp:jingle:apps:rtp:video",
  "urn:xmpp:jingle:transports:dtls-sctp:1",
  "urn:xmpp:jingle:transports:ice-udp:1",
];

/**
 * Features for a stream's transport. A browser that opens no WebSocket (an iPhone under an untrusted root) opens none to the bridge either: a focus that
 * knows our extension then offers it a data channel (design.md 3), others ignore it.
 */
export const featuresOver = (transport: string): readonly string[] =>
  transport === "bosh" ? [...FEATURES, "urn:parley:no-websocket"] : FEATURES;

export const CAPS_NODE = "https://jitsi.org/jitsi-meet";

/** The text whose SHA-1 is the caps `ver` (XEP-0115 §5.1): no identities, features sorted. */
export const capsText = (features: readonly string[] = FEATURES): string =>
  features
    .toSorted()
    .map((each) => `${each}<`)
    .join("");

/** The answer to disco#info on us. */
export const discoQuery = (node: string | undefined, features: readonly string[] = FEATURES): Element =>
  xml(
    "query",
    { xmlns: NS.discoInfo, node },
    features.map((each) => xml("feature", { var: each })),
  );

export interface OwnPresence {
  readonly name: string;
  readonly sources: ReadonlyMap<string, SourceInfo>;
  /** Milliseconds since the epoch. */
  readonly handAt: number | undefined;
  readonly companion: boolean;
  readonly codecs: readonly string[];
  /** base64 SHA-1. */
  readonly capsVer: string;
  readonly statsId: string;
}

/** Children of every presence of ours in a meeting room. */
export function presenceChildren(own: OwnPresence): Element[] {
  const sources: Record<string, { muted: boolean; videoType?: "desktop" }> = {};
  for (const [name, info] of own.sources)
    sources[name] = { muted: info.muted, ...(info.videoType === "desktop" ? { videoType: "desktop" as const } : {}) };
  return [
    xml("stats-id", {}, own.statsId),
    capsElement(own.capsVer),
    ...(own.companion ? [xml("silent", { xmlns: "http://jitsi.org/protocol/silent" }, "true")] : []),
    xml("SourceInfo", {}, JSON.stringify(sources)),
    xml("jitsi_participant_codecList", {}, own.codecs.join(",")),
    ...(own.handAt !== undefined ? [xml("jitsi_participant_raisedHand", {}, String(own.handAt))] : []),
    xml("nick", { xmlns: NS.nick }, own.name),
  ];
}

const capsElement = (ver: string): Element => xml("c", { xmlns: NS.caps, hash: "sha-1", node: CAPS_NODE, ver });

export const joinPresence = (address: string, children: readonly Element[], password: string | undefined): Element =>
  xml(
    "presence",
    { xmlns: NS.client, to: address },
    xml("x", { xmlns: NS.muc }, password !== undefined && xml("password", {}, password)),
    children,
  );

export const updatePresence = (address: string, children: readonly Element[]): Element =>
  xml("presence", { xmlns: NS.client, to: address }, children);

/** `status` is `switch_room` when moving to or from a breakout room (signaling.md 3.8). */
export const leavePresence = (address: string, status?: string): Element =>
  xml(
    "presence",
    { xmlns: NS.client, to: address, type: "unavailable" },
    status !== undefined && xml("status", {}, status),
  );

/** Knocking: only name and caps, signaling.md 6.3. */
export const lobbyPresence = (address: string, name: string, capsVer: string): Element =>
  joinPresence(address, [capsElement(capsVer), xml("nick", { xmlns: NS.nick }, name)], undefined);

/** Endpoint id from the JID: its first eight hex digits, or random ones where it has none (signaling.md 1.5). */
export const endpointId = (jid: string, random: () => number): string => {
  const head = jid.slice(0, 8);
  if (/^[0-9a-f]{8}$/.test(head)) return head;
  return Array.from({ length: 8 }, () => Math.floor(random() * 16).toString(16)).join("");
};
