/**
 * Shell: `./scripts/check`: types, format and lint, and the rules of the project that no tool knows: which way imports point, that none goes round in a circle, what a core may reach for,
 * contrast of the design tokens, tests beside what they hold. Prints every fault; fails if there is one.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { circleFaults } from "./checks/circles.ts";
import { contrastFaults } from "./checks/contrast.ts";
import { coreFaults } from "./checks/cores.ts";
import { directionFaults } from "./checks/directions.ts";
import { portableFaults } from "./checks/portable.ts";
import type { SourceFile } from "./checks/source.ts";
import { testPresence } from "./checks/tests-present.ts";

const root = resolve(import.meta.dir, "..");
const FOLDERS = ["appliance", "ui", "scripts", "tests", "image", "types"];

const filesIn = (folder: string): string[] => {
  try {
    return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? filesIn(path) : entry.isFile() ? [path] : [];
    });
  } catch {
    return []; // a folder that is not there yet
  }
};

const read = (path: string): SourceFile => ({
  path: relative(root, path).split(sep).join("/"),
  text: readFileSync(path, "utf8"),
});

const all = FOLDERS.flatMap((folder) => filesIn(join(root, folder)));
const sources = all
  .filter((path) => /\.tsx?$/.test(path) && !path.endsWith(".d.ts") && !path.includes("/assembly/"))
  .map(read);
const texts = [
  ...all.filter((path) => /\.(tsx?|md|json|toml|html|css|c|sh)$/.test(path) || !/\.\w+$/.test(path)),
  ...["package.json", "README.md", "ARCHITECTURE.md", "CHANGELOG.md", "biome.json", "tsconfig.json"].map((name) =>
    join(root, name),
  ),
]
  .filter((path) => !path.includes("/fixtures/"))
  .flatMap((path) => {
    try {
      return [read(path)];
    } catch {
      return []; // one of the named files is not written yet
    }
  });

// A file that imports bun:test is a test's, whatever its name.
const isTest = ({ path, text }: SourceFile): boolean =>
  /\.test\.tsx?$|\.e2e\.tsx?$/.test(path) || path.startsWith("tests/") || text.includes('"bun:test"');
const program = sources.filter(
  (file) => !isTest(file) && (file.path.startsWith("appliance/") || file.path.startsWith("ui/")),
);

const run = async (name: string, ...command: readonly string[]): Promise<readonly [string, string[]]> => {
  const child = Bun.spawn([process.execPath, "x", ...command], {
    cwd: root,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, said, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  // Warnings do not fail biome, and its closing words are no faults.
  const lines = `${out}${said}`
    .split("\n")
    .filter((line) => line.trim() !== "" && !/^(Checked|Found|check ━|\u00d7 Some errors|::warning)/.test(line.trim()));
  return [name, code === 0 ? [] : lines.map((line) => line.replaceAll(`${root}/`, "").replace(/^::error /, ""))];
};

const tokens = read(join(root, "ui/look/tokens.css"));
const presence = testPresence(sources);
const results: (readonly [string, readonly string[]])[] = [
  ...(await Promise.all([
    run("types", "tsc"),
    run("format and lint", "biome", "check", "--max-diagnostics=200", "--reporter=github", "."),
  ])),
  ["imports", directionFaults(sources)],
  ["circles", circleFaults(sources)],
  ["cores", coreFaults(program)],
  ["contrast", contrastFaults(tokens.text)],
  ["portable", portableFaults(texts)],
  [
    "tests",
    presence.unreached
      .filter((path) => !/^(ui\/messages|scripts\/benches)\//.test(path))
      .map((path) => `${path}: no test reaches it`),
  ],
];

let faults = 0;
for (const [name, lines] of results) {
  process.stdout.write(
    `${lines.length === 0 ? "ok   " : "FAULT"} ${name}${lines.length === 0 ? "" : ` (${lines.length})`}\n`,
  );
  for (const line of lines) process.stdout.write(`      ${line}\n`);
  faults += lines.length;
}
process.stdout.write(`${presence.tested} of ${presence.cores} cores have their test beside them\n`);
process.exit(faults === 0 ? 0 : 1);
