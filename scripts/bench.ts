/**
 * Shell: `./scripts/bench`: runs the sections, prints their figures, writes them as JSON.
 *   --only NAME   one section (may be given several times)
 *   --json FILE   all figures in one object, a key per section
 */
import { existsSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { resolve } from "node:path";
import type { Figures, Section } from "./benches/section.ts";

/** Loaded when they run: each brings its own weight. */
const sections: Readonly<Record<string, () => Promise<Section>>> = {
  bridge: async () => (await import("./benches/bridge.ts")).bridgeSection,
  box: async () => (await import("./benches/box.ts")).boxSection,
  kernel: async () => (await import("./benches/kernel.ts")).kernelSection,
  join: async () => (await import("./benches/join.ts")).joinSection,
};

const fail = (line: string): never => {
  process.stderr.write(`parley bench: ${line}\n`);
  process.exit(2);
};

const parse = (argv: readonly string[]): { only: string[]; json: string | undefined } => {
  const only: string[] = [];
  let json: string | undefined;
  for (let at = 0; at < argv.length; at++) {
    const [name = "", inline] = (argv[at] ?? "").split("=", 2);
    if (name === "--help" || name === "-h") {
      process.stdout.write(
        `./scripts/bench [--only NAME]… [--json FILE]\n\nSections: ${Object.keys(sections).join(", ")}\n`,
      );
      process.exit(0);
    }
    if (name !== "--only" && name !== "--json") fail(`${name}: not understood; --help says more`);
    const value = inline ?? argv[++at] ?? fail(`${name} needs a value`);
    if (name === "--json") json = resolve(value);
    else only.push(value);
  }
  for (const name of only)
    if (!Object.hasOwn(sections, name)) fail(`there is no section ${name}: ${Object.keys(sections).join(", ")}`);
  return { only, json };
};

const { only, json } = parse(process.argv.slice(2));
const figures: Record<string, Figures> = {};
let failed = false;
const processor = cpus();
process.stdout.write(`${processor.length} × ${processor[0]?.model ?? "unknown processor"}, Bun ${Bun.version}\n`);
for (const [name, load] of Object.entries(sections)) {
  if (only.length > 0 && !only.includes(name)) continue;
  const section = await load();
  process.stdout.write(`\n${section.title}\n`);
  const missing = Object.entries(section.needs).filter(
    ([program]) => Bun.which(program) === null && !existsSync(program),
  );
  if (missing.length > 0) {
    process.stdout.write(`  cannot run: install Debian's ${missing.map(([, debian]) => debian).join(", ")}\n`);
    failed = true;
    continue;
  }
  try {
    figures[section.name] = await section.measure((line) => process.stdout.write(`${line}\n`));
  } catch (error) {
    process.stdout.write(`  failed: ${error instanceof Error ? error.message : String(error)}\n`);
    failed = true;
  }
}
if (json !== undefined)
  writeFileSync(json, `${JSON.stringify({ bun: Bun.version, cores: processor.length, ...figures }, null, 2)}\n`);
process.exit(failed ? 1 : 0);
