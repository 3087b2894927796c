/**
 * What an option is: its kind, unit, bounds, default, and why it exists. Pure; the table is in options.ts, the reading of files in read.ts.
 * A kind turns an outside value (from TOML or a command line) into a typed one, or says what would be right.
 */

/** Values of the options before this one in the table: what a default may be derived from. */
export type Known = Readonly<Record<string, unknown>>;

export type Checked<T> = { readonly ok: true; readonly value: T } | { readonly ok: false };

export interface Option<T> {
  readonly kind:
    | "integer"
    | "number"
    | "boolean"
    | "text"
    | "choice"
    | "texts"
    | "secret"
    | "secrets"
    | "map"
    | "json"
    | "records";
  /** What would be right, for people: `a whole number from 0 to 65535`. */
  readonly expects: string;
  readonly unit: string;
  readonly fallback: (known: Known) => T;
  readonly reason: string;
  /** The administration pages may change it while the box runs. */
  readonly live: boolean;
  /** A value as TOML or JSON gives it. */
  check(value: unknown): Checked<T>;
  /** A value as a command line gives it. */
  fromText(text: string): unknown;
}

export type ValueOf<O> = O extends Option<infer T> ? T : never;

interface About<T> {
  /** The default, or how it follows from options before it. */
  readonly default: T | ((known: Known) => T);
  readonly reason: string;
  readonly unit?: string;
  readonly live?: boolean;
}

const valid = <T>(value: T): Checked<T> => ({ ok: true, value });
const invalid = { ok: false } as const;

// A function is never itself the value of an option, so one that is given as default is the rule for it.
const fallbackOf = <T>(given: T | ((known: Known) => T)): ((known: Known) => T) =>
  typeof given === "function" ? (given as (known: Known) => T) : () => given;

const about = <T>(given: About<T>): Pick<Option<T>, "unit" | "fallback" | "reason" | "live"> => ({
  unit: given.unit ?? "",
  fallback: fallbackOf(given.default),
  reason: given.reason,
  live: given.live ?? false,
});

const textToNumber = (text: string): unknown => (/^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : text);

/** A whole number within bounds. */
export const integer = (given: About<number> & { readonly min: number; readonly max: number }): Option<number> => ({
  ...about(given),
  kind: "integer",
  expects: `a whole number from ${given.min} to ${given.max}`,
  check: (value) =>
    typeof value === "number" && Number.isSafeInteger(value) && value >= given.min && value <= given.max
      ? valid(value)
      : invalid,
  fromText: textToNumber,
});

/** A number, fractions allowed, within bounds. */
export const fraction = (given: About<number> & { readonly min: number; readonly max: number }): Option<number> => ({
  ...about(given),
  kind: "number",
  expects: `a number from ${given.min} to ${given.max}`,
  check: (value) =>
    typeof value === "number" && Number.isFinite(value) && value >= given.min && value <= given.max
      ? valid(value)
      : invalid,
  fromText: textToNumber,
});

export const port = (given: About<number>): Option<number> => integer({ ...given, min: 0, max: 65_535, unit: "port" });

export const yesNo = (given: About<boolean>): Option<boolean> => ({
  ...about(given),
  kind: "boolean",
  expects: "true or false",
  check: (value) => (typeof value === "boolean" ? valid(value) : invalid),
  fromText: (text) => (text === "true" ? true : text === "false" ? false : text),
});

const MAX_TEXT = 4_096;
const MAX_LIST = 1_000;

interface TextShape {
  readonly pattern: RegExp;
  readonly expects: string;
}

/** One line of text that fits `pattern`; the empty text only where the pattern allows it. */
export const text = (given: About<string> & TextShape): Option<string> => ({
  ...about(given),
  kind: "text",
  expects: given.expects,
  check: (value) =>
    typeof value === "string" && value.length <= MAX_TEXT && given.pattern.test(value) ? valid(value) : invalid,
  fromText: (value) => value,
});

/** A text that is shown as `(set)` and may be given as `file:PATH`: then the first line of that file is the value. */
export const secret = (given: About<string>): Option<string> => ({
  ...about(given),
  kind: "secret",
  expects: "a text of at least 8 characters, or file:PATH of a file that holds it",
  check: (value) =>
    typeof value === "string" && value.length <= MAX_TEXT && (value === "" || value.length >= 8)
      ? valid(value)
      : invalid,
  fromText: (value) => value,
});

export const choice = <const T extends string>(
  given: About<NoInfer<T>> & { readonly of: readonly T[] },
): Option<T> => ({
  ...about(given),
  kind: "choice",
  expects: `one of ${given.of.join(", ")}`,
  check: (value) => {
    const found = given.of.find((each) => each === value);
    return found === undefined ? invalid : valid(found);
  },
  fromText: (value) => value,
});

/** A list of texts; on a command line separated by commas. */
export const texts = (given: About<readonly string[]> & TextShape): Option<readonly string[]> => ({
  ...about(given),
  kind: "texts",
  expects: `a list of ${given.expects}`,
  check: (value) => {
    if (!Array.isArray(value) || value.length > MAX_LIST) return invalid;
    const list: string[] = [];
    for (const each of value) {
      if (typeof each !== "string" || each.length > MAX_TEXT || !given.pattern.test(each)) return invalid;
      list.push(each);
    }
    return valid(Object.freeze(list));
  },
  fromText: (value) => (value === "" ? [] : value.split(",").map((each) => each.trim())),
});

/** A table of names to texts; on a command line `name=text,name=text`. */
export const map = (
  given: About<Readonly<Record<string, string>>> & TextShape & { readonly key: RegExp },
): Option<Readonly<Record<string, string>>> => ({
  ...about(given),
  kind: "map",
  expects: given.expects,
  check: (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return invalid;
    const table: Record<string, string> = {};
    for (const [key, each] of Object.entries(value)) {
      if (!given.key.test(key) || typeof each !== "string" || !given.pattern.test(each)) return invalid;
      table[key] = each;
    }
    return Object.keys(table).length > MAX_LIST ? invalid : valid(Object.freeze(table));
  },
  fromText: (value) =>
    value === ""
      ? {}
      : Object.fromEntries(
          value.split(",").map((each) => {
            const at = each.indexOf("=");
            return at < 0 ? [each.trim(), ""] : [each.slice(0, at).trim(), each.slice(at + 1).trim()];
          }),
        ),
});

/** A table of names to secrets, each of which may be `file:PATH`; shown as `(set)`. */
export const secrets = (given: Parameters<typeof map>[0]): Option<Readonly<Record<string, string>>> => ({
  ...map(given),
  kind: "secrets",
});

/** A table of anything: it is passed on as it is. On a command line as JSON. */
export const json = (given: About<Readonly<Record<string, unknown>>>): Option<Readonly<Record<string, unknown>>> => ({
  ...about(given),
  kind: "json",
  expects: "a table",
  check: (value) =>
    typeof value === "object" && value !== null && !Array.isArray(value) && JSON.stringify(value).length <= 65_536
      ? valid(Object.freeze({ ...value }))
      : invalid,
  fromText: parsedJson,
});

const parsedJson = (value: string): unknown => {
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
};

export type Fields = Readonly<Record<string, Option<unknown>>>;
export type RecordOf<F extends Fields> = { readonly [K in keyof F]: ValueOf<F[K]> };

/** A list of tables with fields of their own (`[[xmpp.accounts]]`); a field left out takes its default. */
export const records = <const F extends Fields>(
  given: Omit<About<never>, "default"> & {
    readonly fields: F;
    /** Fields that may not be left out. */
    readonly required: readonly (keyof F & string)[];
  },
): Option<readonly RecordOf<F>[]> => ({
  ...about<readonly RecordOf<F>[]>({ ...given, default: [] }),
  kind: "records",
  expects: `tables with ${Object.entries(given.fields)
    .map(([name, field]) => `${name} (${field.expects}${given.required.includes(name) ? "" : ", may be left out"})`)
    .join("; ")}`,
  check: (value) => {
    if (!Array.isArray(value) || value.length > MAX_LIST) return invalid;
    const list: RecordOf<F>[] = [];
    for (const each of value) {
      if (typeof each !== "object" || each === null || Array.isArray(each)) return invalid;
      const entries = new Map<string, unknown>(Object.entries(each));
      const row: Record<string, unknown> = {};
      for (const [name, field] of Object.entries(given.fields)) {
        if (!entries.has(name)) {
          if (given.required.includes(name)) return invalid;
          row[name] = field.fallback(row);
          continue;
        }
        const checked = field.check(entries.get(name));
        if (!checked.ok) return invalid;
        row[name] = checked.value;
        entries.delete(name);
      }
      if (entries.size > 0) return invalid;
      // Every field of F was filled in above from its own option, so the row is one.
      list.push(Object.freeze(row) as RecordOf<F>);
    }
    return valid(Object.freeze(list));
  },
  fromText: parsedJson,
});
