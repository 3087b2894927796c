/**
 * The command line of `./scripts/bench`. Pure: words in, options or a fault out.
 */
import { SRTP_PROVIDER_NAMES } from "../../appliance/bridge/transport/srtp.ts";

/** Rooms of people who all send; everybody receives everybody, or the last N cameras and the loudest voices. */
export interface LoadShape {
  readonly rooms: number;
  readonly people: number;
  /** Cameras that each receives; absent: all. */
  readonly lastN?: number;
}

export type ProfileName = "AEAD_AES_128_GCM" | "AES128_CM_HMAC_SHA1_80";
export type ProviderName = (typeof PROVIDERS)[number];

export interface BenchOptions {
  /** Sections by name; empty: all that run unasked. */
  readonly only: readonly string[];
  readonly json: string | undefined;
  readonly loads: readonly LoadShape[];
  /** Rounds of which the median counts, 1 … 99. */
  readonly runs: number;
  /** Length of each measured round, 0.5 … 600 s. */
  readonly seconds: number;
  readonly profile: ProfileName;
  readonly provider: ProviderName;
  /** Other servers to measure beside ours. */
  readonly peers: readonly string[];
  /** "last", or the first letters of a commit in the history. */
  readonly compare: string | undefined;
  readonly record: boolean;
}

export type ParsedOptions =
  | { readonly type: "run"; readonly options: BenchOptions }
  | { readonly type: "help" }
  | { readonly type: "fault"; readonly message: string };

export const PROVIDERS = ["auto", ...SRTP_PROVIDER_NAMES] as const;
export const PEERS = ["janus"] as const;
const PROFILES: Readonly<Record<string, ProfileName>> = {
  gcm: "AEAD_AES_128_GCM",
  AEAD_AES_128_GCM: "AEAD_AES_128_GCM",
  cm: "AES128_CM_HMAC_SHA1_80",
  AES128_CM_HMAC_SHA1_80: "AES128_CM_HMAC_SHA1_80",
};

export const DEFAULTS: BenchOptions = {
  only: [],
  json: undefined,
  loads: [
    { rooms: 1, people: 10 },
    { rooms: 1, people: 3 },
    { rooms: 3, people: 10 },
    { rooms: 1, people: 30 },
    { rooms: 1, people: 100, lastN: 5 },
  ],
  runs: 5,
  seconds: 3,
  profile: "AEAD_AES_128_GCM",
  provider: "auto",
  peers: [],
  compare: undefined,
  record: false,
};

const MAX_PEOPLE = 500;

export const loadName = ({ rooms, people, lastN }: LoadShape): string =>
  `${rooms}x${people}${lastN === undefined ? "" : `:${lastN}`}`;

/** `ROOMSxPEOPLE` or `ROOMSxPEOPLE:LASTN`. */
export function parseLoad(text: string): LoadShape | undefined {
  const match = /^(\d{1,3})x(\d{1,3})(?::(\d{1,2}))?$/.exec(text);
  if (match === null) return undefined;
  const [rooms, people] = [Number(match[1]), Number(match[2])];
  if (rooms < 1 || people < 2 || rooms * people > MAX_PEOPLE) return undefined;
  if (match[3] === undefined) return { rooms, people };
  const lastN = Number(match[3]);
  return lastN < 1 || lastN >= people ? undefined : { rooms, people, lastN };
}

interface Option {
  readonly value?: string;
  readonly help: string;
  /** Answers what changes, or why the value cannot be. */
  read(value: string, sections: readonly string[], before: BenchOptions): Partial<BenchOptions> | string;
}

const number = (value: string, low: number, high: number): number | undefined => {
  const read = Number(value);
  return value.trim() !== "" && Number.isFinite(read) && read >= low && read <= high ? read : undefined;
};

/** In the order of --help. */
const OPTIONS: Readonly<Record<string, Option>> = {
  only: {
    value: "NAMES",
    help: "only these sections, comma-separated; may be given several times",
    read: (value, sections, { only }) => {
      const names = value.split(",");
      const unknown = names.find((name) => !sections.includes(name));
      return unknown === undefined
        ? { only: [...only, ...names] }
        : `there is no section ${unknown}: ${sections.join(", ")}`;
    },
  },
  loads: {
    value: "LOADS",
    help: `rooms x people, comma-separated; 1x100:5 is one room of 100 in which each receives 5 cameras (default ${DEFAULTS.loads.map(loadName).join(",")})`,
    read: (value) => {
      const loads: LoadShape[] = [];
      for (const text of value.split(",")) {
        const load = parseLoad(text);
        if (load === undefined)
          return `a load is ROOMSxPEOPLE or ROOMSxPEOPLE:LASTN, ${MAX_PEOPLE} people at most; not ${text}`;
        loads.push(load);
      }
      return { loads };
    },
  },
  runs: {
    value: "N",
    help: `rounds of each; the median counts (default ${DEFAULTS.runs})`,
    read: (value) => {
      const runs = number(value, 1, 99);
      return runs === undefined || !Number.isInteger(runs) ? "1 to 99" : { runs };
    },
  },
  seconds: {
    value: "S",
    help: `length of each measured round (default ${DEFAULTS.seconds})`,
    read: (value) => {
      const seconds = number(value, 0.5, 600);
      return seconds === undefined ? "0.5 to 600" : { seconds };
    },
  },
  profile: {
    value: "NAME",
    help: "gcm (AEAD_AES_128_GCM, default) or cm (AES128_CM_HMAC_SHA1_80)",
    read: (value) => (PROFILES[value] === undefined ? "gcm or cm" : { profile: PROFILES[value] }),
  },
  provider: {
    value: "NAME",
    help: `who does the bridge's SRTP: ${PROVIDERS.join(", ")} (default auto: what the bridge chooses on this machine)`,
    read: (value) => {
      const provider = PROVIDERS.find((name) => name === value);
      return provider === undefined ? PROVIDERS.join(", ") : { provider };
    },
  },
  peers: {
    value: "NAMES",
    help: `measure other servers at the same load, comma-separated: ${PEERS.join(", ")}`,
    read: (value) => {
      const names = value.split(",");
      const unknown = names.find((name) => !PEERS.some((peer) => peer === name));
      return unknown === undefined ? { peers: names } : `known are ${PEERS.join(", ")}; not ${unknown}`;
    },
  },
  json: { value: "FILE", help: "write all figures, a key for each section", read: (json) => ({ json }) },
  record: {
    help: "append this run to bench/history.jsonl and draw bench/chart.svg anew",
    read: () => ({ record: true }),
  },
  compare: {
    value: "COMMIT",
    help: "beside an earlier run of the history on this kind of machine: a commit's first letters, or last",
    read: (compare) =>
      /^(last|[0-9a-f]{4,40})$/.test(compare) ? { compare } : "last, or 4 letters or more of a commit",
  },
};

export function parseOptions(argv: readonly string[], sections: readonly string[]): ParsedOptions {
  let options = DEFAULTS;
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? "";
    if (word === "--help" || word === "-h") return { type: "help" };
    const equals = word.indexOf("=");
    const name = equals < 0 ? word : word.slice(0, equals);
    const option = name.startsWith("--") && Object.hasOwn(OPTIONS, name.slice(2)) ? OPTIONS[name.slice(2)] : undefined;
    if (option === undefined) return { type: "fault", message: `${name}: not understood; --help says more` };
    if (option.value === undefined && equals >= 0) return { type: "fault", message: `${name} takes no value` };
    const value = option.value === undefined ? "" : equals >= 0 ? word.slice(equals + 1) : argv[++at];
    if (value === undefined) return { type: "fault", message: `${name} needs a value` };
    const read = option.read(value, sections, options);
    if (typeof read === "string") return { type: "fault", message: `${name} ${value}: ${read}` };
    options = { ...options, ...read };
  }
  return { type: "run", options };
}

export interface SectionLine {
  readonly name: string;
  readonly title: string;
  readonly seconds: number;
  readonly unasked: boolean;
}

export const duration = (seconds: number): string =>
  seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;

export function helpText(sections: readonly SectionLine[]): string {
  const options = Object.entries(OPTIONS).map(([name, { value, help }]): [string, string] => [
    `--${name}${value === undefined ? "" : ` ${value}`}`,
    help,
  ]);
  const width = Math.max(...options.map(([name]) => name.length), ...sections.map(({ name }) => name.length));
  const total = sections.filter(({ unasked }) => unasked).reduce((sum, { seconds }) => sum + seconds, 0);
  return [
    "Usage: ./scripts/bench [OPTIONS]",
    "",
    "Measures this machine: what a forwarded packet costs beside the floor in C, memory, start, joining. docs/performance.md explains the figures.",
    "",
    "Options:",
    ...options.map(([name, help]) => `  ${name.padEnd(width)}  ${help}`),
    "",
    `Sections (together about ${duration(total)} with the defaults; those in brackets only by --only):`,
    ...sections.map(
      ({ name, title, seconds, unasked }) =>
        `  ${(unasked ? name : `[${name}]`).padEnd(width)}  ${title} (${duration(seconds)})`,
    ),
    "",
  ].join("\n");
}
