/**
 * An occupant of a meeting room, as its presence tells. signaling.md 3.1, 3.3.
 */
import { parseJid } from "../wire/jid.ts";
import { NS } from "../wire/namespaces.ts";
import { attr, child, children, childText, type Element } from "../wire/xml.ts";
import { FEATURE } from "./codecs.ts";

export interface Member {
  /** Resource of the occupant JID: the endpoint id. */
  readonly nick: string;
  readonly occupantJid: string;
  /** Full JID; the room is non-anonymous. */
  readonly realJid: string | undefined;
  readonly affiliation: string;
  readonly role: string;
  readonly statsId: string | undefined;
  readonly region: string | undefined;
  readonly caps: { readonly node: string; readonly ver: string } | undefined;
  /** Features that the presence itself names: `jibri`, `jigasi` and the like announce themselves so. */
  readonly features: ReadonlySet<string>;
  /** Whether SourceInfo says that it sends unmuted media of that kind (sender limits, signaling.md 5.1). */
  readonly sendsAudio: boolean;
  readonly sendsVideo: boolean;
  /** Table group (design.md 3), at most 64 characters. */
  readonly table: string | undefined;
  /** `startmuted` of a moderator's presence, signaling.md 5.3 (c). */
  readonly startMuted: { readonly audio: boolean; readonly video: boolean } | undefined;
}

export const isModerator = (member: Member): boolean => member.role === "moderator";
export const isOwner = (member: Member): boolean => member.affiliation === "owner" || member.affiliation === "admin";
export const isJibri = (member: Member): boolean => member.features.has(FEATURE.jibri);
export const isJigasi = (member: Member): boolean => member.features.has(FEATURE.jigasi);

/** What only services may claim to be: it exempts from mutes and elections. */
const PRIVILEGED: readonly string[] = [FEATURE.jibri, FEATURE.jigasi];

/** Reads a MUC presence; undefined without a nick or the `muc#user` item. `trusted`: domains of services. */
export function readMember(stanza: Element, trusted: readonly string[]): Member | undefined {
  const from = attr(stanza, "from");
  const slash = from?.indexOf("/") ?? -1;
  if (from === undefined || slash === -1) return undefined;
  const user = child(stanza, "x", NS.mucUser);
  const item = user === undefined ? undefined : child(user, "item");
  if (item === undefined) return undefined;
  const caps = child(stanza, "c", NS.caps);
  const node = caps === undefined ? undefined : attr(caps, "node");
  const ver = caps === undefined ? undefined : attr(caps, "ver");
  const startMuted = child(stanza, "startmuted");
  const sends = readSourceInfo(childText(stanza, "SourceInfo"));
  return {
    nick: from.slice(slash + 1),
    occupantJid: from,
    realJid: attr(item, "jid"),
    affiliation: attr(item, "affiliation") ?? "none",
    role: attr(item, "role") ?? "none",
    statsId: childText(stanza, "stats-id")?.slice(0, 256),
    region: readRegion(stanza),
    caps: node === undefined || ver === undefined || ver.length > 256 || node.length > 1024 ? undefined : { node, ver },
    features: readFeatures(stanza, trusted.includes(domainOf(attr(item, "jid")))),
    sendsAudio: sends.audio,
    sendsVideo: sends.video,
    table: readTable(stanza),
    startMuted:
      startMuted === undefined
        ? undefined
        : { audio: attr(startMuted, "audio") === "true", video: attr(startMuted, "video") === "true" },
  };
}

function readRegion(stanza: Element): string | undefined {
  const legacy = child(stanza, "region", "http://jitsi.org/jitsi-meet");
  return childText(stanza, "jitsi_participant_region") ?? (legacy === undefined ? undefined : attr(legacy, "id"));
}

/** `{"<name>":{"muted":false}}`; anything malformed counts as sending nothing. */
function readSourceInfo(text: string | undefined): { audio: boolean; video: boolean } {
  const sends = { audio: false, video: false };
  if (text === undefined || text.length > 65_536) return sends;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return sends; // a client's own nonsense concerns only its own counting
  }
  if (typeof parsed !== "object" || parsed === null) return sends;
  for (const [name, value] of Object.entries(parsed)) {
    if (typeof value === "object" && value !== null && "muted" in value && value.muted !== false) continue;
    if (/-a\d+$/.test(name)) sends.audio = true;
    else if (/-v\d+$/.test(name)) sends.video = true;
  }
  return sends;
}

function readFeatures(stanza: Element, trusted: boolean): ReadonlySet<string> {
  const features = child(stanza, "features");
  const names = features === undefined ? [] : children(features, "feature").flatMap((each) => attr(each, "var") ?? []);
  return new Set(trusted ? names : names.filter((name) => !PRIVILEGED.includes(name)));
}

const domainOf = (jid: string | undefined): string => parseJid(jid)?.domain ?? "";

function readTable(stanza: Element): string | undefined {
  const table = child(stanza, "table", "urn:parley:table");
  return table === undefined ? undefined : attr(table, "name")?.slice(0, 64);
}
