/**
 * Jingle between focus and client: XEP-0166, 0167, 0176, 0320, 0338, 0339 in Jitsi's profile (signaling.md 4).
 */
import { type IceTransport, iceTransportElement, readIceTransport } from "./ice-transport.ts";
import { NS } from "./namespaces.ts";
import { boolean, integer } from "./numbers.ts";
import { type MediaType, type RtpDescription, readRtpDescription, rtpDescriptionElements } from "./rtp-description.ts";
import {
  decodeJsonSources,
  type EndpointSources,
  isFault,
  readSources,
  type SourceFault,
  sourceElements,
} from "./sources.ts";
import { attr, child, children, childText, type Element, is, text, xml } from "./xml.ts";

export type JingleAction =
  | "session-initiate"
  | "session-accept"
  | "session-terminate"
  | "session-info"
  | "source-add"
  | "source-remove"
  | "transport-info"
  | "transport-accept"
  | "transport-reject"
  | "transport-replace"
  | "content-add"
  | "content-accept"
  | "content-modify"
  | "content-reject"
  | "content-remove"
  | "description-info"
  | "security-info";

export type ContentMedia = MediaType | "application";

export interface JingleContent {
  /** `audio`, `video`, `data`. */
  readonly name: string;
  readonly creator: "initiator" | "responder";
  readonly senders?: string;
  readonly media?: ContentMedia;
  /** Absent in source-add and source-remove. */
  readonly description?: RtpDescription;
  readonly maxptime?: number;
  readonly rtcpMux?: boolean;
  readonly transport?: IceTransport;
  /** `<initial-last-n xmlns='jitsi:colibri2' value>`; −1: unlimited. */
  readonly initialLastN?: number;
}

export interface BridgeSession {
  readonly id?: string;
  readonly region?: string;
  readonly restart?: boolean;
  readonly iceRestart?: boolean;
}

export interface Jingle {
  readonly action: JingleAction;
  readonly sid: string;
  readonly initiator?: string;
  readonly responder?: string;
  readonly contents: readonly JingleContent[];
  /** What the stanza announces, by owner. From a client: everything under the key `""`. */
  readonly sources: ReadonlyMap<string, EndpointSources>;
  /** Names in the BUNDLE group. */
  readonly bundle?: readonly string[];
  readonly bridgeSession?: BridgeSession;
  readonly startMuted?: { readonly audio: boolean; readonly video: boolean };
  readonly reason?: { readonly condition: string; readonly text?: string };
  /** `<ice-state>` of older clients' session-info. */
  readonly iceState?: string;
}

const ACTIONS: readonly string[] = [
  "session-initiate",
  "session-accept",
  "session-terminate",
  "session-info",
  "source-add",
  "source-remove",
  "transport-info",
  "transport-accept",
  "transport-reject",
  "transport-replace",
  "content-add",
  "content-accept",
  "content-modify",
  "content-reject",
  "content-remove",
  "description-info",
  "security-info",
];
const MAX_CONTENTS = 64;

export interface JingleFault {
  readonly fault: "no-sid" | "unknown-action" | "bad-sources";
  readonly text: string;
}

export const isJingleFault = (value: Jingle | JingleFault): value is JingleFault => "fault" in value;

/** The `<jingle>` child of an IQ. */
export const jingleChild = (iq: Element): Element | undefined => child(iq, "jingle", NS.jingle);

/** Reads `<jingle>`. */
export function readJingle(element: Element): Jingle | JingleFault {
  const action = attr(element, "action");
  const sid = attr(element, "sid");
  const initiator = attr(element, "initiator");
  const responder = attr(element, "responder");
  if (sid === undefined || sid === "" || sid.length > 256) return { fault: "no-sid", text: "No session id" };
  if (action === undefined || !ACTIONS.includes(action))
    return { fault: "unknown-action", text: `Unknown action: ${action?.slice(0, 64) ?? "none"}` };
  const elements = children(element, "content").slice(0, MAX_CONTENTS);
  const sources = readAllSources(element, elements);
  if ("reason" in sources) return { fault: "bad-sources", text: sources.text };
  const group = children(element, "group", NS.jingleGrouping).find((each) => attr(each, "semantics") === "BUNDLE");
  const session = child(element, "bridge-session", NS.focus);
  const startMuted = child(element, "startmuted", NS.startMuted);
  const reason = child(element, "reason");
  const iceState = childText(element, "ice-state", NS.focus);
  return {
    action: action as JingleAction,
    sid,
    ...(initiator !== undefined ? { initiator } : {}),
    ...(responder !== undefined ? { responder } : {}),
    contents: elements.map(readContent),
    sources,
    ...(group !== undefined ? { bundle: children(group, "content").map((each) => attr(each, "name") ?? "") } : {}),
    ...(session !== undefined ? { bridgeSession: readBridgeSession(session) } : {}),
    ...(startMuted !== undefined
      ? { startMuted: { audio: boolean(attr(startMuted, "audio")), video: boolean(attr(startMuted, "video")) } }
      : {}),
    ...(reason !== undefined ? { reason: readReason(reason) } : {}),
    ...(iceState !== undefined ? { iceState } : {}),
  };
}

/** Sources in XML (contents' descriptions, owner by ssrc-info) and in JSON, merged by owner. */
function readAllSources(
  element: Element,
  contents: readonly Element[],
): ReadonlyMap<string, EndpointSources> | SourceFault {
  const json = children(element, "json-message", NS.jitmeet);
  const byOwner = new Map<
    string,
    { sources: EndpointSources["sources"][number][]; groups: EndpointSources["groups"][number][] }
  >();
  const of = (owner: string) => {
    const entry = byOwner.get(owner) ?? { sources: [], groups: [] };
    byOwner.set(owner, entry);
    return entry;
  };
  for (const content of contents) {
    const description = child(content, "description");
    const media = description === undefined ? undefined : (attr(description, "media") ?? attr(content, "name"));
    if (description === undefined || (media !== "audio" && media !== "video")) continue;
    const own = readSources(description, media);
    if (isFault(own)) return own;
    const owners = new Map<number, string>();
    const elements = children(description, "source", NS.jingleSsma);
    own.sources.forEach((source, index) => {
      const sourceElement = elements[index];
      const info = sourceElement === undefined ? undefined : child(sourceElement, "ssrc-info", NS.jitmeet);
      const owner = info === undefined ? undefined : attr(info, "owner");
      const id = owner === undefined ? "" : owner.slice(owner.lastIndexOf("/") + 1);
      owners.set(source.ssrc, id);
      of(id).sources.push(source);
    });
    for (const each of own.groups) of(owners.get(each.ssrcs[0] ?? 0) ?? "").groups.push(each);
  }
  for (const message of json) {
    const decoded = decodeJsonSources(text(message));
    if ("reason" in decoded) return decoded;
    for (const [owner, own] of decoded) {
      const entry = of(owner);
      entry.sources.push(...own.sources);
      entry.groups.push(...own.groups);
    }
  }
  return byOwner;
}

function readContent(element: Element): JingleContent {
  const description = child(element, "description");
  const transport = child(element, "transport", NS.jingleIceUdp);
  const media = description === undefined ? undefined : attr(description, "media");
  const senders = attr(element, "senders");
  const lastN = child(element, "initial-last-n", NS.colibri2);
  const initialLastN = lastN === undefined ? undefined : integer(attr(lastN, "value"), -1, 1_000_000);
  const maxptime = description === undefined ? undefined : integer(attr(description, "maxptime"), 1, 10_000);
  return {
    name: attr(element, "name") ?? "",
    creator: attr(element, "creator") === "responder" ? "responder" : "initiator",
    ...(senders !== undefined ? { senders } : {}),
    ...(media === "audio" || media === "video" || media === "application" ? { media } : {}),
    ...(description !== undefined ? { description: readRtpDescription(description) } : {}),
    ...(description !== undefined ? { rtcpMux: child(description, "rtcp-mux") !== undefined } : {}),
    ...(maxptime !== undefined ? { maxptime } : {}),
    ...(transport !== undefined ? { transport: readIceTransport(transport) } : {}),
    ...(initialLastN !== undefined ? { initialLastN } : {}),
  };
}

function readBridgeSession(element: Element): BridgeSession {
  const id = attr(element, "id");
  const region = attr(element, "region");
  return {
    ...(id !== undefined ? { id } : {}),
    ...(region !== undefined ? { region } : {}),
    restart: boolean(attr(element, "restart")),
    iceRestart: boolean(attr(element, "ice-restart")),
  };
}

function readReason(element: Element): { condition: string; text?: string } {
  let condition = "undefined-condition";
  let message: string | undefined;
  for (const each of children(element)) {
    if (is(each, "text")) message = text(each);
    else condition = each.getName();
  }
  return message === undefined ? { condition } : { condition, text: message };
}

/**
 * Writes `<jingle>`. Sources go into `json` (a ready JSON text, signaling.md 4.5) or, without it, into the contents as XML with their owner.
 */
export function jingleElement(jingle: Jingle, json?: string): Element {
  const named = new Set(jingle.contents.map((each) => each.name));
  const extra: JingleContent[] = [];
  if (json === undefined)
    for (const media of ["audio", "video"] as const)
      if (
        !named.has(media) &&
        [...jingle.sources.values()].some((own) => own.sources.some((s) => s.mediaType === media))
      )
        extra.push({ name: media, creator: "initiator", media });
  return xml(
    "jingle",
    {
      xmlns: NS.jingle,
      action: jingle.action,
      sid: jingle.sid,
      initiator: jingle.initiator,
      responder: jingle.responder,
    },
    jingle.reason !== undefined &&
      xml(
        "reason",
        {},
        xml(jingle.reason.condition),
        jingle.reason.text !== undefined && xml("text", {}, jingle.reason.text),
      ),
    [...jingle.contents, ...extra].map((content) =>
      contentElement(content, json === undefined ? jingle.sources : undefined),
    ),
    jingle.bundle !== undefined &&
      xml(
        "group",
        { xmlns: NS.jingleGrouping, semantics: "BUNDLE" },
        jingle.bundle.map((name) => xml("content", { name })),
      ),
    jingle.bridgeSession !== undefined &&
      xml("bridge-session", {
        xmlns: NS.focus,
        id: jingle.bridgeSession.id,
        region: jingle.bridgeSession.region,
        restart: jingle.bridgeSession.restart === true ? true : undefined,
        "ice-restart": jingle.bridgeSession.iceRestart === true ? true : undefined,
      }),
    jingle.startMuted !== undefined && xml("startmuted", { xmlns: NS.startMuted, ...jingle.startMuted }),
    jingle.iceState !== undefined && xml("ice-state", { xmlns: NS.focus }, jingle.iceState),
    json !== undefined && xml("json-message", { xmlns: NS.jitmeet }, json),
  );
}

function contentElement(content: JingleContent, sources: Jingle["sources"] | undefined): Element {
  const { media } = content;
  const own =
    sources === undefined || (media !== "audio" && media !== "video")
      ? []
      : [...sources].flatMap(([owner, each]) => sourceElements(each, media, owner === "" ? undefined : owner));
  return xml(
    "content",
    { creator: content.creator, name: content.name, senders: content.senders },
    content.initialLastN !== undefined && xml("initial-last-n", { xmlns: NS.colibri2, value: content.initialLastN }),
    media !== undefined &&
      xml(
        "description",
        { xmlns: NS.jingleRtp, media, maxptime: content.maxptime },
        content.description !== undefined && rtpDescriptionElements(content.description),
        own,
        content.rtcpMux === true && xml("rtcp-mux"),
      ),
    content.transport !== undefined && iceTransportElement(content.transport),
  );
}
