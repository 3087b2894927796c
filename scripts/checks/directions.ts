/**
 * Which way imports point (style 3.8): main → appliance → parts; no part knows another; wire knows nobody; ui knows only wire. Pure.
 */
import { importsOf, resolveImport, type SourceFile } from "./source.ts";

const PARTS = ["bridge", "focus", "gateway", "recorder", "token", "xmpp"];

/** Files of appliance/ that parts share. All others there compose parts and are above them. */
const SHARED = new Set([
  "clock.ts",
  "deadline-timer.ts",
  "deadlines.ts",
  "fetch-bounded.ts",
  "garbage-collection.ts",
  "jwt.ts",
  "log.ts",
  "metrics.ts",
  "part.ts",
  "scram.ts",
  "simulated-network.ts",
  "threads.ts",
  "time.ts",
  "token-rooms.ts",
  "token-verifier.ts",
  "xmpp-client-stream.ts",
  "xmpp-session.ts",
  "xmpp-stream-parser.ts",
]);

/** Folders of the bridge that know bytes only, and what of the bridge they may see beside themselves. */
const BRIDGE_LAYERS: Readonly<Record<string, readonly string[]>> = {
  rtp: ["rtp"],
  rtcp: ["rtp", "rtcp"],
  transport: ["native", "rtp", "transport"],
  receive: ["estimate", "forward", "media-loop", "receive", "rtcp", "rtp"],
  forward: ["estimate", "forward", "media-loop", "receive", "rtcp", "rtp", "transport"],
  estimate: ["estimate", "media-loop", "rtcp", "rtp"],
  allocate: ["allocate"],
  native: ["native"],
};

const within = (path: string, folder: string): boolean => path.startsWith(`${folder}/`);

const isTest = (path: string): boolean => /\.test\.tsx?$/.test(path) || within(path, "tests");

const partOf = (path: string): string | undefined => PARTS.find((part) => within(path, `appliance/${part}`));

/** Why this import may not be; undefined if it may. */
const wrong = (from: string, to: string, typeOnly: boolean): string | undefined => {
  if ((within(to, "tests") || /\.test\.tsx?$/.test(to)) && !within(from, "scripts"))
    return "nothing but tests and scripts imports tests";
  if (within(to, "image") && !within(from, "image")) return "nothing imports image";
  if (within(to, "scripts") && !within(from, "scripts")) return "nothing imports scripts";
  if (within(from, "appliance/wire")) return within(to, "appliance/wire") ? undefined : "wire imports nothing but ltx";
  if (within(from, "ui"))
    return within(to, "ui") || within(to, "appliance/wire") ? undefined : "ui imports from appliance/wire alone";
  const part = partOf(from);
  if (part !== undefined) {
    if (within(to, `appliance/${part}`)) return part === "bridge" ? wrongInBridge(from, to, typeOnly) : undefined;
    if (within(to, "appliance/wire")) return undefined;
    const other = partOf(to);
    if (other !== undefined) return `${part} imports ${other}: parts talk by public protocols`;
    if (to === "package.json") return undefined;
    if (to === "appliance/config.ts") return typeOnly ? undefined : "parts take types from config.ts, no values";
    return SHARED.has(to.replace(/^appliance\//, "")) ? undefined : "a part imports what composes it";
  }
  if (/^appliance\/[^/]+$/.test(from) && SHARED.has(from.replace(/^appliance\//, ""))) {
    if (partOf(to) !== undefined) return "what parts share imports a part";
    return undefined;
  }
  return undefined;
};

const wrongInBridge = (from: string, to: string, typeOnly: boolean): string | undefined => {
  const layer = from.split("/")[2] ?? "";
  const allowed = BRIDGE_LAYERS[layer];
  if (allowed === undefined || typeOnly) return undefined;
  const target = to.split("/")[2] ?? "";
  if (to === "appliance/bridge/media-commands.ts" || allowed.includes(target)) return undefined;
  return `${layer} imports ${target}: it knows ${allowed.join(", ")} only`;
};

export const directionFaults = (files: readonly SourceFile[]): string[] =>
  files.flatMap((file) => {
    if (isTest(file.path)) return [];
    return importsOf(file.text).flatMap(({ specifier, typeOnly }) => {
      const to = resolveImport(file.path, specifier);
      if (to === undefined)
        return within(file.path, "appliance/wire") && specifier !== "ltx"
          ? [`${file.path}: imports ${specifier}: wire imports nothing but ltx`]
          : [];
      const why = wrong(file.path, to, typeOnly);
      return why === undefined ? [] : [`${file.path}: imports ${to}: ${why}`];
    });
  });
