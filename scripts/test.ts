/**
 * Shell: runs the steps of `./scripts/test` one after the other, all of them even if one fails, counts tests, and ends with a line `N passed, N failed`.
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { type Counts, countTests } from "./checks/count-tests.ts";

const root = resolve(import.meta.dir, "..");

interface Step {
  readonly name: string;
  /** Arguments of Bun, one run each. */
  readonly commands: readonly (readonly string[])[];
}

const [only = "all", ...patterns] = process.argv.slice(2);

/**
 * Unit tests that measure what a process holds or allocates run in one of their own: other tests' leftovers would count. Their header says "Alone:".
 * All others share as many processes as there are cores, a fresh global object for each file.
 */
const alone = [...new Bun.Glob("{appliance,ui,scripts,tests}/**/*.test.{ts,tsx}").scanSync(root)]
  .filter((path) => /^\s*(\/\/|\/\*\*)[^;]*?Alone:/.test(readFileSync(join(root, path), "utf8").slice(0, 1_000)))
  .filter((path) => only !== "unit" || patterns.length === 0 || patterns.some((pattern) => path.includes(pattern)))
  .sort();
const UNIT = ["test", "--timeout", "30000"];

const steps: readonly Step[] = [
  { name: "check", commands: [[join(root, "scripts/check.ts")]] },
  {
    name: "unit",
    commands: [
      [
        ...[...UNIT, `--parallel=${availableParallelism()}`],
        ...alone.map((path) => `--path-ignore-patterns=${path}`),
        ...(only === "unit" ? patterns : []),
      ],
      ...alone.map((path) => [...UNIT, `./${path}`]),
    ],
  },
  { name: "e2e", commands: [[join(root, "tests/e2e/run.ts"), ...(only === "e2e" ? patterns : [])]] },
];

/** Runs a command; what it says goes on as it comes. */
const runOne = async (name: string, command: readonly string[]): Promise<Counts> => {
  const child = Bun.spawn([process.execPath, ...command], {
    cwd: root,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  let text = "";
  const pass = async (stream: ReadableStream<Uint8Array>, out: NodeJS.WriteStream): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      const chunk = decoder.decode(bytes, { stream: true });
      text += chunk;
      out.write(chunk);
    }
  };
  await Promise.all([pass(child.stdout, process.stdout), pass(child.stderr, process.stderr)]);
  return countTests(name, text, await child.exited);
};

const run = async ({ name, commands }: Step): Promise<Counts> => {
  const from = performance.now();
  process.stdout.write(`\n== ${name}\n`);
  let sum: Counts = { passed: 0, failed: 0 };
  for (const command of commands) {
    const counts = await runOne(name, command);
    sum = { passed: sum.passed + counts.passed, failed: sum.failed + counts.failed };
  }
  // A pattern may fit none of a step's runs, as long as it fits one at all.
  if (sum.passed === 0 && sum.failed === 0) sum = { passed: 0, failed: 1 };
  process.stdout.write(
    `== ${name}: ${sum.passed} passed, ${sum.failed} failed, ${Math.round((performance.now() - from) / 1_000)} s\n`,
  );
  return sum;
};

const wanted = steps.filter(({ name }) => only === "all" || name === only);
if (wanted.length === 0) {
  process.stderr.write(`parley: there is no step ${only}: check, unit, e2e\n`);
  process.exit(2);
}
let passed = 0;
let failed = 0;
for (const step of wanted) {
  const counts = await run(step);
  passed += counts.passed;
  failed += counts.failed;
}
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
