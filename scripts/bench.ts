/**
 * Shell: `./scripts/bench`: runs the sections, prints their figures, writes them as JSON, keeps the history. `--help` names the options.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { join, resolve } from "node:path";
import { chart } from "./benches/chart.ts";
import {
  changeLines,
  changes,
  type HistoryRecord,
  historyLine,
  type Machine,
  parseHistory,
  recordToCompare,
} from "./benches/history.ts";
import { isNoisy } from "./benches/noise.ts";
import { NoiseMeter } from "./benches/noise-meter.ts";
import { duration, helpText, parseOptions } from "./benches/options.ts";
import type { Headline, Section, SectionFigures } from "./benches/section.ts";
import { sections } from "./benches/sections.ts";

const root = resolve(import.meta.dirname, "..");
const HISTORY = join(root, "bench/history.jsonl");
const CHART = join(root, "bench/chart.svg");

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const fail = (line: string): never => {
  process.stderr.write(`parley bench: ${line}\n`);
  process.exit(2);
};

/** One line that is written over; nothing where nobody watches. */
const watched = process.stderr.isTTY === true;
const progress = (text: string): void => {
  if (watched) process.stderr.write(`\r\x1b[K${text}`);
};

const git = (...words: readonly string[]): string => {
  const run = Bun.spawnSync(["git", "-C", root, ...words], { stderr: "ignore" });
  return run.exitCode === 0 ? run.stdout.toString().trim() : "";
};

/** Why a section cannot run here; undefined where it can. */
const missing = ({ needs }: Section): string | undefined => {
  const packages = Object.entries(needs)
    .filter(([program]) => Bun.which(program) === null && !existsSync(program))
    .map(([, debian]) => debian);
  return packages.length === 0 ? undefined : `cannot run: apt install ${[...new Set(packages)].join(" ")}`;
};

const parsed = parseOptions(process.argv.slice(2), Object.keys(sections));
if (parsed.type === "fault") fail(parsed.message);
const loaded = await Promise.all(Object.values(sections).map((load) => load()));
if (parsed.type !== "run") {
  const defaults = parseOptions([], []);
  process.stdout.write(
    helpText(
      loaded.map((section) => ({
        name: section.name,
        title: section.title,
        seconds: defaults.type === "run" ? section.seconds(defaults.options) : 0,
        unasked: section.unasked ?? true,
      })),
    ),
  );
  process.exit(0);
}
const { options } = parsed;
const wanted = loaded.filter(({ name, unasked = true }) =>
  options.only.length === 0 ? unasked : options.only.includes(name),
);

const [processor] = cpus();
const machine: Machine = {
  processor: processor?.model ?? "unknown processor",
  cores: cpus().length,
  kernel: release(),
  bun: Bun.version,
};
say(`${machine.cores} × ${machine.processor}, Linux ${machine.kernel}, Bun ${machine.bun}`);
say(
  `${wanted.map(({ name }) => name).join(", ")}: about ${duration(wanted.reduce((sum, section) => sum + section.seconds(options), 0))}`,
);

const figures: Record<string, SectionFigures> = {};
const headlines: Record<string, Headline> = {};
const meter = new NoiseMeter();
let failed = false;
for (const section of wanted) {
  say(`\n${section.title}`);
  const why = missing(section);
  if (why !== undefined) {
    say(`  ${why}`);
    failed = true;
    continue;
  }
  try {
    const measured = await section.measure({
      options,
      say: (line) => {
        progress("");
        say(line);
      },
      progress: (text) => progress(`  … ${text}`),
    });
    figures[section.name] = measured;
    for (const [name, headline] of Object.entries(measured.headlines ?? {}))
      headlines[`${section.name}.${name}`] = headline;
  } catch (error) {
    say(`  failed: ${error instanceof Error ? error.message : String(error)}`);
    failed = true;
  }
  progress("");
}

const history = existsSync(HISTORY) ? parseHistory(readFileSync(HISTORY, "utf8")) : [];
if (options.compare !== undefined) {
  const before = recordToCompare(history, machine, options.compare);
  if (before === undefined)
    say(`\nnothing to compare with: bench/history.jsonl has no such run of this kind of machine`);
  else {
    say(`\nbeside ${before.commit.slice(0, 9)}${before.dirty ? " with changes" : ""} of ${before.date}`);
    for (const [what, others] of [
      ["that run", before.othersCores],
      ["this run", meter.worstOthers],
    ] as const)
      if (isNoisy({ others, steal: 0 }))
        say(`  others used up to ${others.toFixed(2)} of a core during ${what}: compare with care`);
    for (const line of changeLines(changes(before.figures, headlines))) say(line);
  }
}
if (options.record) {
  const record: HistoryRecord = {
    commit: git("rev-parse", "HEAD"),
    // The history itself does not count: it changes with each record.
    dirty: git("status", "--porcelain", "--", ".", ":!bench") !== "",
    date: new Date().toISOString(),
    machine,
    othersCores: meter.worstOthers,
    figures: headlines,
  };
  mkdirSync(join(root, "bench"), { recursive: true });
  appendFileSync(HISTORY, historyLine(record));
  writeFileSync(CHART, chart([...history, record]));
  say(`\nrecorded in bench/history.jsonl, drawn in bench/chart.svg`);
}
if (options.json !== undefined)
  writeFileSync(
    options.json,
    `${JSON.stringify({ bun: Bun.version, cores: machine.cores, machine, ...figures }, null, 2)}\n`,
  );
process.exit(failed ? 1 : 0);
