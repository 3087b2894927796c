/**
 * From layers of outside values to one frozen set of settings, or all that is wrong with them at once.
 * Precedence, later wins: default, parley.toml, settings table (only keys marked live), command line (design.md 5).
 */
import { isKey, type Key, keys, options, type Settings } from "./options.ts";

export type Origin = "default" | "checkout" | "parley.toml" | "settings" | "command line";

export interface Layer {
  readonly origin: Exclude<Origin, "default">;
  /** Key → value, still unchecked. */
  readonly values: Readonly<Record<string, unknown>>;
}

export interface Fault {
  readonly key: string;
  /** The value as given, for people; never a secret's. */
  readonly value: string;
  /** What would be right. */
  readonly right: string;
  readonly origin: Origin;
}

export interface Configuration {
  readonly settings: Settings;
  readonly origins: Readonly<Record<Key, Origin>>;
}

export type ParseResult =
  | { readonly ok: true; readonly configuration: Configuration }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** A fault as one line. */
export const faultLine = (fault: Fault): string =>
  `${fault.key}${fault.value === "" ? "" : ` = ${fault.value}`} (${fault.origin}): ${fault.right}`;

const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 100 ? `${text.slice(0, 99)}…` : text;
};

/** Nested tables become paths; a table that is itself an option's value stays whole. */
export const flatten = (table: Readonly<Record<string, unknown>>, prefix = ""): Record<string, unknown> => {
  const flat: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(table)) {
    const path = prefix + name;
    if (
      !isKey(path) &&
      typeof value === "object" &&
      value !== null &&
      !Array.isArray(value) &&
      !(value instanceof Date)
    )
      Object.assign(flat, flatten(value as Record<string, unknown>, `${path}.`));
    else flat[path] = value;
  }
  return flat;
};

/** The known key that `name` most looks like. */
const nearest = (name: string): Key | undefined => {
  const last = name.split(".").at(-1) ?? name;
  const same = keys.find((key) => key.endsWith(`.${last}`) || key.replaceAll("_", "") === name.replaceAll(/[-_]/g, ""));
  return same ?? keys.find((key) => distanceAtMostTwo(key, name));
};

/** Levenshtein distance, cut off at two. */
const distanceAtMostTwo = (one: string, other: string): boolean => {
  if (Math.abs(one.length - other.length) > 2) return false;
  let previous = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const row = [i];
    for (let j = 1; j <= other.length; j++) {
      const replaced = (previous[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
      row.push(Math.min(replaced, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    previous = row;
  }
  return (previous[other.length] ?? 3) <= 2;
};

/** Checks all layers and merges them. */
export const parseLayers = (layers: readonly Layer[]): ParseResult => {
  const faults: Fault[] = [];
  const given = new Map<Key, { value: unknown; origin: Origin }>();
  for (const layer of layers) {
    for (const [name, value] of Object.entries(layer.values)) {
      if (!isKey(name)) {
        const near = nearest(name);
        faults.push({
          key: name,
          value: "",
          right: `there is no such option${near === undefined ? "; `parley config` lists them all" : `; did you mean ${near}?`}`,
          origin: layer.origin,
        });
        continue;
      }
      if (layer.origin === "settings" && !options[name].live) {
        faults.push({ key: name, value: "", right: "it may be set in parley.toml only", origin: layer.origin });
        continue;
      }
      const checked = options[name].check(value);
      if (checked.ok) given.set(name, { value: checked.value, origin: layer.origin });
      else
        faults.push({
          key: name,
          value: ["secret", "secrets", "records"].includes(options[name].kind) ? "" : shown(value),
          right: `it must be ${options[name].expects}`,
          origin: layer.origin,
        });
    }
  }
  const settings: Record<string, unknown> = {};
  const origins: Record<string, Origin> = {};
  for (const key of keys) {
    const own = given.get(key);
    settings[key] = own === undefined ? options[key].fallback(settings) : own.value;
    origins[key] = own?.origin ?? "default";
  }
  // Every key of the table was filled in above with a value its own option accepted or made.
  const complete = settings as Settings;
  if (faults.length === 0) faults.push(...contradictions(complete, origins as Record<Key, Origin>));
  if (faults.length > 0) return { ok: false, faults };
  return {
    ok: true,
    configuration: { settings: Object.freeze(complete), origins: Object.freeze(origins as Record<Key, Origin>) },
  };
};

/** What single options cannot say about themselves. */
const contradictions = (settings: Settings, origins: Readonly<Record<Key, Origin>>): Fault[] => {
  const faults: Fault[] = [];
  const fault = (key: Key, right: string): void => {
    faults.push({ key, value: shown(settings[key]), right, origin: origins[key] });
  };
  const ports: readonly Key[] = [
    "xmpp.port",
    "xmpp.http_port",
    "focus.http_port",
    "bridge.http_port",
    "bridge.colibri_port",
    "gateway.https_port",
    "gateway.http_port",
  ];
  const taken = new Map<unknown, Key>();
  for (const key of ports) {
    const value = settings[key];
    if (value === 0) continue;
    const other = taken.get(value);
    if (other !== undefined) fault(key, `it must differ from ${other}`);
    taken.set(value, key);
  }
  const hosts: readonly Key[] = [
    "domains.domain",
    "domains.auth",
    "domains.muc",
    "domains.internal_muc",
    "domains.focus",
    "domains.hidden",
  ];
  const named = new Map<unknown, Key>();
  for (const key of hosts) {
    const other = named.get(settings[key]);
    if (other !== undefined) fault(key, `it must differ from ${other}`);
    named.set(settings[key], key);
  }
  if ((settings["gateway.certificate"] === "") !== (settings["gateway.key"] === ""))
    fault("gateway.certificate", "gateway.certificate and gateway.key go together");
  if (settings["focus.component_port"] !== 0 && settings["focus.component_secret"] === "")
    fault("focus.component_port", "focus.component_secret is needed with it");
  const tokens = settings["xmpp.tokens.app_id"] !== "";
  const keyed =
    settings["xmpp.tokens.secret"] !== "" ||
    settings["xmpp.tokens.key_server"] !== "" ||
    settings["xmpp.tokens.key_cache"] !== "";
  if (tokens && !keyed) fault("xmpp.tokens.app_id", "xmpp.tokens.secret, key_server or key_cache is needed with it");
  if (!tokens && keyed) fault("xmpp.tokens.app_id", "it is needed with xmpp.tokens.secret, key_server or key_cache");
  if (settings["focus.authentication.kind"] === "jwt" && !tokens)
    fault("focus.authentication.kind", "jwt needs xmpp.tokens");
  if (settings["focus.codecs.video"].length === 0) fault("focus.codecs.video", "it must name at least one codec");
  const most = settings["bridge.max_count"];
  if (most !== 0 && most < settings["bridge.count"]) fault("bridge.max_count", "it must not be less than bridge.count");
  if (settings["xmpp.limits.client_stanza_bytes"] > settings["xmpp.limits.service_stanza_bytes"])
    fault("xmpp.limits.client_stanza_bytes", "it must not be more than xmpp.limits.service_stanza_bytes");
  return faults;
};
