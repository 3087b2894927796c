/**
 * The effective configuration as TOML with a comment per option: what `parley config` prints. Secrets are never shown.
 */

import { type Key, keys, options } from "./options.ts";
import type { Configuration } from "./parse.ts";

const WIDTH = 110;

const literal = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value === "object" && value !== null)
    return `{ ${Object.entries(value)
      .map(([key, each]) => `${JSON.stringify(key)} = ${literal(each)}`)
      .join(", ")} }`;
  return JSON.stringify(value);
};

/** Within records, fields that are secret are hidden by name: a password in `parley config` would end up in bug reports. */
const hidden = (key: Key, value: unknown): unknown => {
  if (options[key].kind === "secrets" && typeof value === "object" && value !== null)
    return Object.fromEntries(Object.keys(value).map((name) => [name, "(set)"]));
  if (options[key].kind === "secret") return value === "" ? "" : "(set)";
  if (options[key].kind !== "records" || !Array.isArray(value)) return value;
  return value.map((row: Readonly<Record<string, unknown>>) =>
    Object.fromEntries(
      Object.entries(row).map(([name, each]) => [
        name,
        (name === "password" || name === "secret") && each !== "" ? "(set)" : each,
      ]),
    ),
  );
};

const wrapped = (text: string): string[] => {
  const lines: string[] = [];
  let line = "#";
  for (const word of text.split(" ")) {
    if (line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = "#";
    }
    line += ` ${word}`;
  }
  lines.push(line);
  return lines;
};

export const printConfiguration = (configuration: Configuration): string => {
  const lines: string[] = [];
  const sectionOf = (key: Key): string => key.slice(0, key.lastIndexOf("."));
  // TOML names each table once, so a table's keys stand together.
  const sections = [...new Set(keys.map(sectionOf))];
  const sorted = sections.flatMap((section) => keys.filter((key) => sectionOf(key) === section));
  let section = "";
  for (const key of sorted) {
    const option = options[key];
    if (sectionOf(key) !== section) {
      section = sectionOf(key);
      lines.push("", `[${section}]`);
    }
    const value = configuration.settings[key];
    const origin = configuration.origins[key];
    const standard = option.fallback(configuration.settings);
    lines.push(...wrapped(option.reason));
    const bounds = [
      option.unit === "port"
        ? "port, 0: any free one"
        : option.kind === "records"
          ? option.expects
          : `${option.expects}${option.unit === "" ? "" : `, in ${option.unit}`}`,
      origin === "default" || option.kind === "secret" || option.kind === "secrets" || option.kind === "records"
        ? ""
        : `default ${literal(standard)}`,
      option.live ? "live" : "",
      `from: ${origin}`,
    ].filter((each) => each !== "");
    lines.push(...wrapped(`(${bounds.join("; ")})`));
    lines.push(`${key.slice(section.length + 1)} = ${literal(hidden(key, value))}`);
  }
  return `${lines.slice(1).join("\n")}\n`;
};
