/**
 * The command line: subcommand, named options, and which configuration keys they stand for. Pure.
 */
import { isKey, options } from "./config/options.ts";

export interface Flag {
  readonly name: string;
  /** What the value is called in the help text; undefined: it takes none. */
  readonly value?: string;
  readonly help: string;
  /** Configuration key that it sets. */
  readonly key?: string;
}

export interface Subcommand {
  readonly name: string;
  readonly summary: string;
  readonly usage: string;
  readonly flags: readonly Flag[];
  /** Words after the options. */
  readonly words?: readonly { readonly name: string; readonly help: string; readonly optional?: boolean }[];
}

export interface Arguments {
  readonly command: string;
  readonly help: boolean;
  readonly words: readonly string[];
  /** Flags that are no configuration: `data`, `config`, `ready-file`, … */
  readonly flags: ReadonlyMap<string, string>;
  /** Configuration keys set on the command line, still unchecked. */
  readonly overrides: Readonly<Record<string, unknown>>;
}

export type ParsedArguments =
  | { readonly ok: true; readonly arguments: Arguments }
  | { readonly ok: false; readonly faults: readonly string[] };

/** Parses what follows the program's name. */
export const parseArguments = (argv: readonly string[], subcommands: readonly Subcommand[]): ParsedArguments => {
  const [first = "help", ...rest] = argv;
  const asked = first === "--help" || first === "-h" ? "help" : first === "--version" ? "version" : first;
  const subcommand = subcommands.find((each) => each.name === asked);
  if (subcommand === undefined)
    return { ok: false, faults: [`there is no command ${JSON.stringify(first)}; \`parley --help\` lists them`] };
  const faults: string[] = [];
  const flags = new Map<string, string>();
  const overrides: Record<string, unknown> = {};
  const words: string[] = [];
  let help = false;
  for (let at = 0; at < rest.length; at++) {
    const argument = rest[at] ?? "";
    if (argument === "--help" || argument === "-h") {
      help = true;
      continue;
    }
    if (!argument.startsWith("--")) {
      words.push(argument);
      continue;
    }
    const equals = argument.indexOf("=");
    const name = argument.slice(2, equals < 0 ? undefined : equals);
    const flag = subcommand.flags.find((each) => each.name === name);
    if (flag === undefined) {
      faults.push(
        `${argument}: ${subcommand.name} has no such option; \`parley ${subcommand.name} --help\` lists them`,
      );
      continue;
    }
    if (flag.value === undefined) {
      if (equals >= 0) faults.push(`--${name} takes no value`);
      else if (flag.key === undefined) flags.set(name, "");
      else overrides[flag.key] = true;
      continue;
    }
    const value = equals >= 0 ? argument.slice(equals + 1) : rest[++at];
    if (value === undefined) {
      faults.push(`--${name} needs a value: ${flag.value}`);
      continue;
    }
    if (name === "set") set(value, overrides, faults);
    else if (flag.key === undefined) flags.set(name, value);
    else overrides[flag.key] = isKey(flag.key) ? options[flag.key].fromText(value) : value;
  }
  const expected = subcommand.words ?? [];
  if (words.length > expected.length) faults.push(`${words.slice(expected.length).join(" ")}: not understood`);
  const needed = expected.filter((each) => each.optional !== true);
  if (!help && words.length < needed.length) faults.push(`${needed[words.length]?.name ?? ""} is missing`);
  if (faults.length > 0) return { ok: false, faults };
  return { ok: true, arguments: { command: subcommand.name, help, words, flags, overrides } };
};

const set = (text: string, overrides: Record<string, unknown>, faults: string[]): void => {
  const at = text.indexOf("=");
  const key = text.slice(0, Math.max(0, at));
  if (at < 0) faults.push(`--set ${text}: it must be KEY=VALUE`);
  // An unknown key goes on as it is: the parser of the configuration names it with its nearest known one.
  else overrides[key] = isKey(key) ? options[key].fromText(text.slice(at + 1)) : text.slice(at + 1);
};

const column = (rows: readonly (readonly [string, string])[]): string => {
  const width = Math.min(30, Math.max(...rows.map(([left]) => left.length)));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join("\n");
};

export const helpOf = (subcommand: Subcommand): string => {
  const parts = [`${subcommand.summary}\n\nUsage: parley ${subcommand.usage}`];
  if (subcommand.words !== undefined && subcommand.words.length > 0)
    parts.push(column(subcommand.words.map((word) => [word.name, word.help])));
  const rows = subcommand.flags.map((flag): [string, string] => [
    `--${flag.name}${flag.value === undefined ? "" : ` ${flag.value}`}`,
    flag.help,
  ]);
  parts.push(`Options:\n${column([...rows, ["--help", "this text"]])}`);
  return `${parts.join("\n\n")}\n`;
};

export const overview = (subcommands: readonly Subcommand[]): string =>
  `Parley: a whole meeting system on one small box.\n\nUsage: parley COMMAND [OPTIONS]\n\n${column(
    subcommands.map((each) => [each.name, each.summary]),
  )}\n\n\`parley COMMAND --help\` says more about one of them.\n`;
