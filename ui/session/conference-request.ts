/**
 * Asking the focus for a conference (signaling.md 2), over XMPP or HTTP, and what else is asked of the domain on connecting: components
 * (1.9) and TURN servers (1.11).
 */
import { NS } from "../../appliance/wire/namespaces.ts";
import type { StanzaError } from "../../appliance/wire/stanza.ts";
import { attr, child, children, type Element, xml } from "../../appliance/wire/xml.ts";
import type { ClientSettings } from "./settings.ts";

export interface ConferenceAnswer {
  readonly ready: boolean;
  /** Bare JID of the focus account. */
  readonly focusUser: string | undefined;
  readonly sessionId: string | undefined;
  readonly identity: string | undefined;
  readonly visitorNode: string | undefined;
  readonly properties: ReadonlyMap<string, string>;
}

export interface ConferenceRequest {
  readonly room: string;
  /** Of this browser, lasting. */
  readonly machine: string;
  readonly sessionId: string | undefined;
}

/** No `visitors-version`: this client cannot go to a visitors' node, and a focus that has some must not send it there (signaling.md 5.9). */
const propertiesOf = (settings: ClientSettings): readonly (readonly [string, string])[] => [
  ...(settings.startAudioMuted !== undefined ? ([["startAudioMuted", String(settings.startAudioMuted)]] as const) : []),
  ...(settings.startVideoMuted !== undefined ? ([["startVideoMuted", String(settings.startVideoMuted)]] as const) : []),
  ["rtcstatsEnabled", "false"],
];

export const conferenceElement = (request: ConferenceRequest, settings: ClientSettings): Element =>
  xml(
    "conference",
    {
      xmlns: NS.focus,
      room: request.room,
      "machine-uid": request.machine,
      token: settings.token,
      "session-id": request.sessionId,
    },
    propertiesOf(settings).map(([name, value]) => xml("property", { name, value })),
  );

export function readConference(stanza: Element): ConferenceAnswer | undefined {
  const element = child(stanza, "conference", NS.focus);
  if (element === undefined) return undefined;
  return {
    ready: attr(element, "ready") === "true",
    focusUser: attr(element, "focusjid"),
    sessionId: attr(element, "session-id"),
    identity: attr(element, "identity"),
    visitorNode: attr(element, "vnode"),
    properties: new Map(
      children(element, "property").map((each) => [attr(each, "name") ?? "", attr(each, "value") ?? ""] as const),
    ),
  };
}

/** Body of the HTTP form. */
export const conferenceJson = (request: ConferenceRequest, settings: ClientSettings): string =>
  JSON.stringify({
    room: request.room,
    machineUid: request.machine,
    ...(request.sessionId !== undefined ? { sessionId: request.sessionId } : {}),
    properties: Object.fromEntries(propertiesOf(settings)),
  });

export function readConferenceJson(source: string): ConferenceAnswer | undefined {
  try {
    const value: unknown = JSON.parse(source);
    if (typeof value !== "object" || value === null) return undefined;
    const { ready, focusJid, sessionId, identity, vnode, properties } = value as Record<string, unknown>;
    const string = (each: unknown): string | undefined => (typeof each === "string" ? each : undefined);
    return {
      ready: ready === true,
      focusUser: string(focusJid),
      sessionId: string(sessionId),
      identity: string(identity),
      visitorNode: string(vnode),
      properties: new Map(
        Object.entries(typeof properties === "object" && properties !== null ? properties : {}).map(
          ([key, each]) => [key, String(each)] as const,
        ),
      ),
    };
  } catch {
    return undefined; // not JSON: treated like a refusal by the caller
  }
}

export type RequestRefusal =
  | { readonly kind: "login-required" }
  | { readonly kind: "session-invalid" }
  | { readonly kind: "reservation"; readonly text: string }
  /** No bridge can carry another conference; later perhaps. */
  | { readonly kind: "full" }
  | { readonly kind: "unavailable"; readonly text: string };

/** As our focus says it, in both dresses of the request. */
const FULL = /\ball bridges are full$/;
export const saysFull = (text: string): boolean => FULL.test(text);

/** What an error of the focus means, signaling.md 2.3. */
export function readRequestError(error: StanzaError): RequestRefusal {
  const extra = error.extra?.map((each) => each.getName()) ?? [];
  if (error.condition === "not-authorized") return { kind: "login-required" };
  if (extra.includes("session-invalid") || error.condition === "not-acceptable") return { kind: "session-invalid" };
  if (extra.includes("reservation-error")) return { kind: "reservation", text: error.text ?? "" };
  if (error.condition === "resource-constraint" && saysFull(error.text ?? "")) return { kind: "full" };
  return { kind: "unavailable", text: error.text ?? error.condition };
}

/** JIDs of the domain's components, by what they are for; absent: the feature is not there. */
export interface Components {
  readonly avModeration?: string;
  readonly breakoutRooms?: string;
  readonly endConference?: string;
  readonly lobby?: string;
  readonly polls?: string;
  readonly roomMetadata?: string;
  readonly speakerStats?: string;
}

const COMPONENT_TYPES = {
  av_moderation: "avModeration",
  breakout_rooms: "breakoutRooms",
  end_conference: "endConference",
  lobbyrooms: "lobby",
  polls: "polls",
  room_metadata: "roomMetadata",
  speakerstats: "speakerStats",
} as const satisfies Record<string, keyof Components>;

/** Reads disco#info of the domain: identity `type` → the component's JID in `name` (signaling.md 1.9). */
export function readComponents(stanza: Element): Components {
  const query = child(stanza, "query", NS.discoInfo);
  const found: { -readonly [K in keyof Components]: Components[K] } = {};
  for (const identity of query === undefined ? [] : children(query, "identity")) {
    const type = attr(identity, "type");
    const name = attr(identity, "name");
    for (const [key, member] of Object.entries(COMPONENT_TYPES))
      if (key === type && name !== undefined) found[member] = name;
  }
  return found;
}

/**
 * ICE servers from extdisco. For the bridge only TURN over TCP is of use (signaling.md 1.11): without it a browser reaches the bridge directly.
 */
export function readIceServers(stanza: Element): readonly RTCIceServer[] {
  const services = child(stanza, "services", NS.extdisco2) ?? child(stanza, "services", NS.extdisco1);
  return (services === undefined ? [] : children(services, "service")).flatMap((each) => {
    const type = attr(each, "type");
    const host = attr(each, "host");
    const transport = attr(each, "transport") ?? "udp";
    if (host === undefined || (type !== "turn" && type !== "turns") || transport !== "tcp") return [];
    const port = attr(each, "port");
    const username = attr(each, "username");
    const credential = attr(each, "password");
    return [
      {
        urls: `${type}:${host.includes(":") ? `[${host}]` : host}${port !== undefined ? `:${port}` : ""}?transport=tcp`,
        ...(username !== undefined ? { username } : {}),
        ...(credential !== undefined ? { credential } : {}),
      },
    ];
  });
}
