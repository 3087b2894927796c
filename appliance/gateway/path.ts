/**
 * A request's path made comparable (gateway-recorder-appliance.md 1.3): slashes merged, percent-decoded once, with what has no business there refused.
 * Declines: dot segments, NUL and control characters, backslashes, broken percent signs and broken UTF-8.
 */

const MAX_PATH = 2_048;

/** Segments without empty ones, and whether the path ends in a slash. Undefined: not a path to be answered. */
export interface RequestPath {
  readonly segments: readonly string[];
  readonly directory: boolean;
}

// Control characters are what this looks for.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are refused here
const REFUSED = /[\u0000-\u001f\u007f\\]/;

/** `raw`: as on the wire, without the query. */
export const parsePath = (raw: string): RequestPath | undefined => {
  if (!raw.startsWith("/") || raw.length > MAX_PATH) return undefined;
  let decoded: string;
  try {
    decoded = decodeURIComponent(raw);
  } catch {
    return undefined;
  }
  if (REFUSED.test(decoded)) return undefined;
  const segments = decoded.split("/").filter((segment) => segment !== "");
  if (segments.some((segment) => segment === "." || segment === "..")) return undefined;
  return { segments, directory: decoded.endsWith("/") };
};

/** Path and query of a request's URL as they came: `new URL` would resolve dot segments, which are to be refused instead. */
export const splitTarget = (url: string): { readonly path: string; readonly query: string } => {
  const afterScheme = url.indexOf("://");
  const start = afterScheme < 0 ? 0 : url.indexOf("/", afterScheme + 3);
  const target = start < 0 ? "/" : url.slice(start);
  const [beforeFragment = "/"] = target.split("#", 1);
  const at = beforeFragment.indexOf("?");
  return at < 0
    ? { path: beforeFragment, query: "" }
    : { path: beforeFragment.slice(0, at), query: beforeFragment.slice(at + 1) };
};

/** A room or tenant: one segment without `& : ' "` (1.4). Names with a dot in front are hidden files everywhere else, so they are no rooms either. */
export const isRoomSegment = (segment: string): boolean => segment.length <= 256 && !/^\.|[/?&:'"<>]/.test(segment);
