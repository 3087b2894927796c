/**
 * What `POST /colibri/muc-client/add` and `/remove` are told (bridge.md 1.13; the member names are those of the original's configuration, 1.11). Pure.
 */
import { parseJid } from "../wire/jid.ts";
import { isRecord } from "../wire/json.ts";

export interface MucClientLogin {
  readonly host: string;
  readonly port: number;
  /** XMPP domain. */
  readonly domain: string;
  readonly user: string;
  readonly password: string;
  /** `open`: without TLS, to this machine itself alone; `unverified`: any certificate will do. */
  readonly security: "verified" | "unverified" | "open";
}

export interface MucClientRequest {
  /** What it is removed by. */
  readonly id: string;
  readonly login: MucClientLogin;
  /** Bare addresses of the breweries, each once. */
  readonly rooms: readonly string[];
  readonly nick: string;
}

const MAX_TEXT = 1_024;
/** Breweries of one client. */
const MAX_ROOMS = 16;
const DEFAULT_PORT = 5222;
const LOOPBACK: readonly string[] = ["localhost", "127.0.0.1", "::1"];

/** The client to remove; undefined: the body names none. */
export function readMucClientId(body: unknown): string | undefined {
  const id = isRecord(body) ? body["id"] : undefined;
  return typeof id === "string" && id.length <= MAX_TEXT ? id : undefined;
}

/**
 * Undefined: incomplete or unusable. Names are read in any case, as the original reads them; values are texts there, and numbers and booleans are taken for
 * theirs. Unknown members are passed over, and so is `iq_handler_mode`: requests are answered in order here, whatever it says.
 */
export function readMucClient(body: unknown): MucClientRequest | undefined {
  const id = readMucClientId(body);
  if (id === undefined || !isRecord(body)) return undefined;
  const members = new Map<string, string>();
  for (const [name, value] of Object.entries(body))
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean")
      members.set(name.toLowerCase(), String(value));
  const [host, user, password, nick] = ["hostname", "username", "password", "muc_nickname"].map((name) =>
    text(members.get(name)),
  );
  const rooms = readRooms(members.get("muc_jids"));
  const port = readPort(members.get("port"));
  if (host === undefined || user === undefined || password === undefined || nick === undefined) return undefined;
  if (rooms === undefined || port === undefined) return undefined;
  const security = readSecurity(members, host);
  if (security === undefined) return undefined;
  const domain = text(members.get("domain")) ?? host;
  return { id, login: { host, port, domain, user, password, security }, rooms, nick };
}

const text = (value: string | undefined): string | undefined =>
  value === undefined || value === "" || value.length > MAX_TEXT ? undefined : value;

function readPort(value: string | undefined): number | undefined {
  if (value === undefined || value === "") return DEFAULT_PORT;
  const port = /^\d{1,5}$/.test(value) ? Number(value) : 0;
  return port >= 1 && port <= 65_535 ? port : undefined;
}

function readRooms(list: string | undefined): readonly string[] | undefined {
  const rooms = new Set((list ?? "").split(",").map((each) => each.trim().toLowerCase()));
  if (rooms.size > MAX_ROOMS) return undefined;
  for (const room of rooms) {
    const jid = parseJid(text(room));
    if (jid?.local === undefined || jid.resource !== undefined) return undefined;
  }
  return [...rooms];
}

/** Undefined: no mode of the original's, or one that would show the login to a network. */
function readSecurity(members: ReadonlyMap<string, string>, host: string): MucClientLogin["security"] | undefined {
  const mode = members.get("security_mode") ?? "required";
  if (mode === "disabled") return LOOPBACK.includes(host) ? "open" : undefined;
  // `ifpossible` leaves it to whoever is in between whether there is TLS: it is asked for all the same.
  if (mode !== "required" && mode !== "ifpossible") return undefined;
  return members.get("disable_certificate_verification")?.toLowerCase() === "true" ? "unverified" : "verified";
}
