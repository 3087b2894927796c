/**
 * What the page is told: the stock Jitsi global `config` (from /config.js), the page's own address, and the link's `#config.*` overrides
 * (product.md W78). Everything is read defensively: a missing or wrong-typed member falls back to its default.
 */
export interface PageAddress {
  /** `https:` */
  readonly protocol: string;
  /** Host and port. */
  readonly host: string;
  readonly pathname: string;
  /** With the leading `?`, or empty. */
  readonly search: string;
  /** With the leading `#`, or empty. */
  readonly hash: string;
}

export interface ClientSettings {
  /** The domain to log in to. */
  readonly loginDomain: string;
  /** `hosts.domain`: pinged, asked for disco. */
  readonly domain: string;
  readonly muc: string;
  readonly focus: string;
  /** Bare JID of the focus, when the configuration pins it. */
  readonly focusUser: string | undefined;
  /** Absolute URL, or undefined when only long-polling is offered. */
  readonly websocket: string | undefined;
  readonly bosh: string | undefined;
  /** Room's local part, normalised, or undefined on the start page. */
  readonly room: string | undefined;
  /** What people typed, for the heading. */
  readonly roomTitle: string;
  readonly token: string | undefined;
  readonly preferSctp: boolean;
  readonly ignoredChannelDomain: string | undefined;
  /** −1: no limit. */
  readonly channelLastN: number;
  readonly startAudioMuted: number | undefined;
  readonly startVideoMuted: number | undefined;
  readonly startWithAudioMuted: boolean;
  readonly startWithVideoMuted: boolean;
  readonly requireDisplayName: boolean;
  readonly displayName: string | undefined;
  readonly subject: string | undefined;
  readonly simulcast: boolean;
  /** Height that the camera is asked for, px. */
  readonly cameraHeight: number;
  /** Name of the box or installation, shown beside the mark. */
  readonly appName: string | undefined;
  readonly hiddenDomain: string | undefined;
  /** `conferenceRequestUrl`: ask the focus over HTTP instead of XMPP (signaling.md 2.2). */
  readonly conferenceRequestUrl: string | undefined;
  readonly iceRestart: boolean;
  /** `tokenAuthUrl`, filled in: where people get the token that this box asks for. */
  readonly loginUrl: string | undefined;
}

type Bag = Readonly<Record<string, unknown>>;
const bag = (value: unknown): Bag => (typeof value === "object" && value !== null ? (value as Bag) : {});
const text = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);
const number = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isFinite(value) ? value : undefined;
const flag = (value: unknown, otherwise: boolean): boolean => (typeof value === "boolean" ? value : otherwise);

/** Overrides that a link may carry in its fragment, as in Jitsi: everything else there is ignored. */
const OVERRIDABLE = [
  "startWithAudioMuted",
  "startWithVideoMuted",
  "startAudioMuted",
  "startVideoMuted",
  "requireDisplayName",
  "subject",
  "disableSimulcast",
  "channelLastN",
] as const;

export function readSettings(config: unknown, page: PageAddress): ClientSettings {
  const overrides = readFragment(page.hash);
  const own = bag(config);
  const options: Bag = { ...own, ...overrides.config };
  const hosts = bag(own["hosts"]);
  const channel = bag(own["bridgeChannel"]);
  const query = new URLSearchParams(page.search);
  const domain = text(hosts["domain"]) ?? page.host.replace(/:\d+$/, "");
  const token = text(query.get("jwt")) ?? overrides.token;
  const anonymous = text(hosts["anonymousdomain"]);
  const login = anonymous !== undefined && token === undefined && query.get("login") !== "true" ? anonymous : domain;
  const named = query.get("room") ?? lastSegment(page.pathname);
  const room = named === undefined ? undefined : normaliseRoom(named);
  const loginUrl = text(own["tokenAuthUrl"]);
  return {
    loginDomain: login,
    domain,
    muc: text(hosts["muc"]) ?? `conference.${domain}`,
    focus: text(hosts["focus"]) ?? `focus.${domain}`,
    focusUser: text(own["focusUserJid"]),
    websocket: resolve(text(own["websocket"]), page, true),
    bosh: resolve(text(own["bosh"]), page, false),
    room,
    roomTitle: named === undefined ? "" : titleOf(named),
    token,
    preferSctp: flag(channel["preferSctp"], true),
    ignoredChannelDomain: text(channel["ignoreDomain"]),
    channelLastN: Math.trunc(number(options["channelLastN"]) ?? -1),
    startAudioMuted: number(options["startAudioMuted"]),
    startVideoMuted: number(options["startVideoMuted"]),
    startWithAudioMuted: flag(options["startWithAudioMuted"], false),
    startWithVideoMuted: flag(options["startWithVideoMuted"], false),
    requireDisplayName: flag(options["requireDisplayName"], false),
    displayName: overrides.displayName ?? (token === undefined ? undefined : nameInToken(token)),
    subject: text(options["subject"]),
    simulcast: !flag(options["disableSimulcast"], false),
    cameraHeight: clamp(number(own["resolution"]) ?? 720, 180, 2160),
    appName: text(own["parley_name"]) ?? text(bag(own["interfaceConfig"])["APP_NAME"]),
    hiddenDomain: text(own["hiddenDomain"]),
    conferenceRequestUrl: text(own["conferenceRequestUrl"]),
    iceRestart: flag(own["enableIceRestart"], false),
    loginUrl:
      loginUrl === undefined || named === undefined ? undefined : filledLoginUrl(loginUrl, named, room ?? "", page),
  };
}

/**
 * Room name as Jitsi's pages make it from a link: decoded, lower case, characters that an XMPP local part refuses removed (RFC 7622 §3.3.1).
 * Undefined when nothing is left.
 */
export function normaliseRoom(named: string): string | undefined {
  const decoded = decode(named)
    .normalize("NFC")
    .toLowerCase()
    .replaceAll(/["&'/:<>@\s\p{Cc}]/gu, "");
  return decoded === "" || decoded.length > 200 ? undefined : decoded;
}

/** The heading: `weekly-planning` → `Weekly planning`; a code of six digits in two groups. */
export function titleOf(named: string): string {
  const decoded = decode(named).trim();
  if (/^\d{6}$/.test(decoded)) return `${decoded.slice(0, 3)} ${decoded.slice(3)}`;
  const spaced = decoded
    .replaceAll(/[-_+]+/g, " ")
    .replaceAll(/\s+/g, " ")
    .trim();
  return spaced === "" ? decoded : spaced.charAt(0).toLocaleUpperCase() + spaced.slice(1);
}

function lastSegment(pathname: string): string | undefined {
  const segments = pathname.split("/").filter((each) => each !== "" && each !== "index.html");
  return segments.at(-1);
}

function decode(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value; // a stray % in the link: taken as it is
  }
}

function resolve(address: string | undefined, page: PageAddress, socket: boolean): string | undefined {
  if (address === undefined) return undefined;
  const secure = page.protocol === "https:";
  const scheme = socket ? (secure ? "wss:" : "ws:") : page.protocol;
  if (address.startsWith("//")) return `${scheme}${address}`;
  if (/^[a-z]+:\/\//i.test(address)) return address;
  return `${scheme}//${page.host}${address.startsWith("/") ? "" : "/"}${address}`;
}

/**
 * Place-holders as Jitsi's pages fill them in: the room, and a state from which the login's other end finds the way back. An address that is
 * not http(s) is none: it would run as a script.
 */
function filledLoginUrl(template: string, named: string, room: string, page: PageAddress): string | undefined {
  const segments = page.pathname.split("/").filter((each) => each !== "");
  const tenant = segments.length > 1 ? segments[0] : undefined;
  const state = JSON.stringify({ room: decode(named), roomSafe: room, ...(tenant === undefined ? {} : { tenant }) });
  const filled = template
    .replaceAll("{room}", encodeURIComponent(decode(named)))
    .replaceAll("{state}", encodeURIComponent(state));
  return /^https?:\/\//i.test(filled) ? filled : undefined;
}

/** The name that a token carries, for the form; whether the token holds is the server's to say. */
function nameInToken(token: string): string | undefined {
  try {
    const body = (token.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/");
    const claims: unknown = JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(body), (c) => c.charCodeAt(0))));
    return text(bag(bag(bag(claims)["context"])["user"])["name"])?.slice(0, 80);
  } catch {
    return undefined; // not a token at all: the server says so when one joins
  }
}

interface Fragment {
  readonly config: Record<string, unknown>;
  readonly token: string | undefined;
  readonly displayName: string | undefined;
}

function readFragment(hash: string): Fragment {
  const config: Record<string, unknown> = {};
  let displayName: string | undefined;
  let token: string | undefined;
  for (const pair of hash.replace(/^#/, "").split("&").slice(0, 100)) {
    const equals = pair.indexOf("=");
    if (equals === -1) continue;
    const key = decode(pair.slice(0, equals));
    const value = parseValue(decode(pair.slice(equals + 1)));
    if (key === "jwt") token = text(decode(pair.slice(equals + 1)).replaceAll('"', ""));
    if (key === "userInfo.displayName") displayName = text(value)?.slice(0, 80);
    for (const name of OVERRIDABLE) if (key === `config.${name}`) config[name] = value;
  }
  return { config, displayName, token };
}

function parseValue(source: string): unknown {
  try {
    return JSON.parse(source) as unknown;
  } catch {
    return source; // Jitsi's links also carry bare words
  }
}

const clamp = (value: number, low: number, high: number): number => Math.min(high, Math.max(low, value));
