/**
 * From a path to a file of the built pages, with cache headers and conditional answers (RFC 9110 13). The files are known beforehand by name:
 * what is not in the table does not exist, so there is no way out of the folder.
 */

export interface StaticFile {
  /** Where it lies on disk. */
  readonly location: string;
  /** Bytes. */
  readonly size: number;
  /** Hex of its SHA-256, shortened. */
  readonly digest: string;
  /** Ready-made smaller forms of the same file. */
  readonly encodings: Readonly<Partial<Record<"br" | "gzip", { readonly location: string; readonly size: number }>>>;
}

/** Path below the folder, with forward slashes and without a first one, to the file. */
export type StaticTable = ReadonlyMap<string, StaticFile>;

export interface FileAnswer {
  readonly status: 200 | 206 | 304 | 416;
  readonly headers: Readonly<Record<string, string>>;
  /** What to send; `end` exclusive. Undefined: no body. */
  readonly body?: { readonly location: string; readonly start: number; readonly end: number };
}

const TYPES: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  crt: "application/x-x509-ca-cert",
  gif: "image/gif",
  html: "text/html; charset=utf-8",
  ico: "image/x-icon",
  jpg: "image/jpeg",
  js: "text/javascript; charset=utf-8",
  json: "application/json; charset=utf-8",
  map: "application/json; charset=utf-8",
  mjs: "text/javascript; charset=utf-8",
  mp3: "audio/mpeg",
  ogg: "audio/ogg",
  opus: "audio/ogg",
  png: "image/png",
  svg: "image/svg+xml",
  txt: "text/plain; charset=utf-8",
  wasm: "application/wasm",
  // Firefox plays it under this name only (gateway-recorder-appliance.md 1.6).
  wav: "audio/wav",
  webmanifest: "application/manifest+json",
  webm: "video/webm",
  webp: "image/webp",
  woff2: "font/woff2",
};

const extension = (path: string): string => (/\.([a-z0-9]+)$/i.exec(path)?.[1] ?? "").toLowerCase();

/** Names that look like files of a page, not like rooms: a missing one is an error, not a meeting. */
export const looksLikeFile = (segment: string): boolean => Object.hasOwn(TYPES, extension(segment));

/** The bundler puts a hash of the content into the name: such a file never changes. */
const isHashed = (path: string): boolean => /[-.][0-9a-z]{8,}\.[a-z0-9]+$/.test(path);

const accepts = (header: string | null, coding: string): boolean =>
  (header ?? "").split(",").some((each) => {
    const [name = "", ...parameters] = each.trim().toLowerCase().split(";");
    return name.trim() === coding && !parameters.some((parameter) => /^\s*q=0(\.0*)?\s*$/.test(parameter));
  });

const matches = (header: string, tag: string): boolean =>
  header.split(",").some((each) => {
    const one = each.trim().replace(/^W\//, "");
    return one === "*" || one === tag;
  });

/** One range of bytes (RFC 9110 14.2); several at once are answered whole. Undefined: none asked for. */
const parseRange = (
  header: string | null,
  size: number,
): { start: number; end: number } | "unsatisfiable" | undefined => {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? "");
  if (match === null) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return undefined;
  if (first === "")
    return Number(last) === 0 ? "unsatisfiable" : { start: Math.max(0, size - Number(last)), end: size };
  const start = Number(first);
  if (start >= size || (last !== "" && Number(last) < start)) return "unsatisfiable";
  return { start, end: last === "" ? size : Math.min(size, Number(last) + 1) };
};

/** The answer for a file of the table. `versioned`: the query carries a version (`v=`), as stock Jitsi pages have it. */
export const answerFile = (path: string, file: StaticFile, headers: Headers, versioned: boolean): FileAnswer => {
  const encodable = Object.keys(file.encodings).length > 0;
  const accepted = headers.get("accept-encoding");
  const range = parseRange(headers.get("range"), file.size);
  const coding =
    range !== undefined
      ? undefined
      : (["br", "gzip"] as const).find((each) => file.encodings[each] !== undefined && accepts(accepted, each));
  const chosen = (coding === undefined ? undefined : file.encodings[coding]) ?? file;
  // Each coding is a representation of its own and needs its own tag (RFC 9110 8.8.3.3).
  const tag = `"${file.digest}${coding === undefined ? "" : `-${coding}`}"`;
  const common: Record<string, string> = {
    "Content-Type": TYPES[extension(path)] ?? "application/octet-stream",
    "Cache-Control": isHashed(path) || versioned ? "public, max-age=31536000, immutable" : "no-cache",
    ETag: tag,
    "Accept-Ranges": "bytes",
    ...(encodable ? { Vary: "Accept-Encoding" } : {}),
  };
  const known = headers.get("if-none-match");
  if (known !== null && matches(known, tag)) return { status: 304, headers: common };
  if (range === "unsatisfiable") return { status: 416, headers: { "Content-Range": `bytes */${file.size}` } };
  if (range !== undefined && (headers.get("if-range") ?? tag) === tag)
    return {
      status: 206,
      headers: {
        ...common,
        "Content-Range": `bytes ${range.start}-${range.end - 1}/${file.size}`,
        "Content-Length": String(range.end - range.start),
      },
      body: { location: file.location, ...range },
    };
  return {
    status: 200,
    headers: {
      ...common,
      ...(coding === undefined ? {} : { "Content-Encoding": coding }),
      "Content-Length": String(chosen.size),
    },
    body: { location: chosen.location, start: 0, end: chosen.size },
  };
};
