/**
 * `<connect>` of a conference-modify request: where the sound of a conference is to be exported to (bridge.md 7.3). Originals refuse `video`, and so do we; our own recorder asks for
 * pictures by `parley_video`.
 */
import { NS } from "../wire/namespaces.ts";
import { boolean, integer } from "../wire/numbers.ts";
import { attr, child, children, type Element } from "../wire/xml.ts";

export interface ExportRequest {
  readonly id: string;
  readonly create: boolean;
  readonly expire: boolean;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Application-level ping, ms. */
  readonly ping?: { readonly intervalMs: number; readonly timeoutMs: number };
  /** Source names; undefined: every one of the kinds asked for. */
  readonly sources: readonly string[] | undefined;
  readonly audio: boolean;
  /** Ours: cameras and screens too, no higher than this; undefined: none; −1: no limit. */
  readonly maxHeight: number | undefined;
}

export type ExportFault = { readonly fault: "bad-request" | "feature-not-implemented"; readonly text: string };

const MAX_EXPORTS = 16;
const MAX_HEADERS = 32;
const MAX_NAMES = 1_000;
const TYPES: readonly string[] = ["recorder", "transcriber", "translator"];

const bad = (text: string): ExportFault => ({ fault: "bad-request", text });
const missing = (text: string): ExportFault => ({ fault: "feature-not-implemented", text });

export const isExportFault = (value: readonly ExportRequest[] | ExportFault): value is ExportFault => "fault" in value;

/** All connects of one request; nothing of it is applied when one of them is wrong. */
export function readExportRequests(connects: readonly Element[]): readonly ExportRequest[] | ExportFault {
  if (connects.length > MAX_EXPORTS) return bad("Too many connects");
  const requests: ExportRequest[] = [];
  const ids = new Set<string>();
  for (const element of connects) {
    const id = attr(element, "id") ?? "";
    if (id === "" || id.length > 256) return bad("connect without id");
    if (ids.has(id)) return bad(`Duplicate connect id ${id}`);
    ids.add(id);
    const request = readOne(element, id);
    if ("fault" in request) return request;
    requests.push(request);
  }
  return requests;
}

function readOne(element: Element, id: string): ExportRequest | ExportFault {
  const create = boolean(attr(element, "create"));
  const expire = boolean(attr(element, "expire"));
  const url = attr(element, "url") ?? "";
  if (create) {
    const fault = check(element, url);
    if (fault !== undefined) return fault;
  }
  const headers = readHeaders(element);
  if (headers === undefined) return bad("Invalid header name");
  const ping = child(element, "ping", NS.colibri2);
  const intervalMs = integer(ping === undefined ? undefined : attr(ping, "interval"), 1_000, 3_600_000);
  const timeoutMs = integer(ping === undefined ? undefined : attr(ping, "timeout"), 100, 3_600_000);
  const exports = child(element, "exports", NS.colibri2);
  const height = integer(attr(element, "parley_max_height"), -1, 10_000) ?? -1;
  return {
    id,
    create,
    expire,
    url,
    headers,
    // Absent beside `parley_video`: pictures alone.
    audio: boolean(attr(element, "audio")) || !boolean(attr(element, "parley_video")),
    maxHeight: boolean(attr(element, "parley_video")) ? height : undefined,
    ...(intervalMs !== undefined && timeoutMs !== undefined ? { ping: { intervalMs, timeoutMs } } : {}),
    sources:
      exports === undefined
        ? undefined
        : children(exports, "export")
            .slice(0, MAX_NAMES)
            .flatMap((each) => attr(each, "name") ?? []),
  };
}

function check(element: Element, url: string): ExportFault | undefined {
  if (!/^wss?:\/\/[^\s]{1,2000}$/i.test(url) || !URL.canParse(url)) return bad("Invalid connect url");
  if (attr(element, "protocol")?.toLowerCase() !== "mediajson") return bad("Unknown connect protocol");
  const type = attr(element, "type")?.toLowerCase() ?? "";
  if (!TYPES.includes(type)) return bad("Unknown connect type");
  if (boolean(attr(element, "video"))) return missing("Exporting video");
  // What a translator sends back would become sources of their own.
  if (type === "translator" || child(element, "requests", NS.colibri2) !== undefined) return missing("Imported audio");
  return undefined;
}

function readHeaders(element: Element): Record<string, string> | undefined {
  const entries: [string, string][] = [];
  for (const each of children(element, "http-header").slice(0, MAX_HEADERS)) {
    const name = attr(each, "name") ?? "";
    if (!/^[A-Za-z0-9-]{1,128}$/.test(name)) return undefined;
    entries.push([name, (attr(each, "value") ?? "").replace(/[\r\n]/g, "").slice(0, 4_096)]);
  }
  return Object.fromEntries(entries);
}
