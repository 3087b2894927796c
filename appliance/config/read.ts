/**
 * Shell: reads parley.toml and the files that secrets refer to. The only reader of the configuration file; nothing reads the environment.
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { isKey, options } from "./options.ts";
import { type Configuration, type Fault, flatten, type Layer, type ParseResult, parseLayers } from "./parse.ts";

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Parses the text of a parley.toml with the layers that lie above it. All faults are reported together. */
export const parseConfig = (text: string, overrides: readonly Layer[] = [], secretFolder = "."): ParseResult => {
  let table: Record<string, unknown>;
  try {
    table = Bun.TOML.parse(text) as Record<string, unknown>;
  } catch (error) {
    return {
      ok: false,
      faults: [{ key: "parley.toml", value: "", right: `it is not TOML: ${message(error)}`, origin: "parley.toml" }],
    };
  }
  const file: Layer = { origin: "parley.toml", values: flatten(table) };
  // The checkout's own defaults lie below the file.
  const layers = [
    ...overrides.filter((each) => each.origin === "checkout"),
    file,
    ...overrides.filter((each) => each.origin !== "checkout"),
  ];
  const faults: Fault[] = [];
  const resolved = layers.map((layer) => withSecrets(layer, secretFolder, faults));
  const result = parseLayers(resolved);
  if (faults.length === 0) return result;
  return { ok: false, faults: [...faults, ...(result.ok ? [] : result.faults)] };
};

/** Reads `path` if it exists; a file that was not asked for may be missing. */
export const readConfig = (path: string, mustExist: boolean, overrides: readonly Layer[] = []): ParseResult => {
  let text = "";
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    // A file in the way of the data folder is reported where the folder is made.
    const missing = error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR");
    if (mustExist || !missing)
      return {
        ok: false,
        faults: [{ key: path, value: "", right: `it cannot be read: ${message(error)}`, origin: "parley.toml" }],
      };
  }
  return parseConfig(text, overrides, dirname(resolve(path)));
};

/** Replaces `file:PATH` of secrets by the file's first line; relative paths start at the configuration file. */
const withSecrets = (layer: Layer, folder: string, faults: Fault[]): Layer => {
  const read = (key: string, value: string): string => {
    const path = resolve(folder, value.slice("file:".length));
    try {
      return readFileSync(path, "utf8").split("\n", 1)[0]?.trim() ?? "";
    } catch (error) {
      faults.push({
        key,
        value: shownPath(value),
        right: `the file cannot be read: ${message(error)}`,
        origin: layer.origin,
      });
      return "";
    }
  };
  const values: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(layer.values)) {
    values[key] = value;
    if (!isKey(key)) continue;
    if (options[key].kind === "secret" && typeof value === "string" && value.startsWith("file:"))
      values[key] = read(key, value);
    if (options[key].kind === "secrets" && typeof value === "object" && value !== null)
      values[key] = Object.fromEntries(
        Object.entries(value).map(([name, each]: [string, unknown]) => [
          name,
          typeof each === "string" && each.startsWith("file:") ? read(`${key}.${name}`, each) : each,
        ]),
      );
    if (options[key].kind === "records" && Array.isArray(value))
      values[key] = value.map((row: unknown) =>
        typeof row !== "object" || row === null
          ? row
          : Object.fromEntries(
              Object.entries(row).map(([name, each]: [string, unknown]) => [
                name,
                (name === "password" || name === "secret") && typeof each === "string" && each.startsWith("file:")
                  ? read(`${key}.${name}`, each)
                  : each,
              ]),
            ),
      );
  }
  return { origin: layer.origin, values };
};

const shownPath = (value: string): string => JSON.stringify(value);

export type { Configuration };
