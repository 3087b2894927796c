/**
 * Shell: runs the steps of `./scripts/test` one after the other, all of them even if one fails, counts tests, and ends with a line `N passed, N failed`.
 */
import { join, resolve } from "node:path";
import { type Counts, countTests } from "./checks/count-tests.ts";

const root = resolve(import.meta.dir, "..");

interface Step {
  readonly name: string;
  readonly command: readonly string[];
}

const [only = "all", ...patterns] = process.argv.slice(2);

const steps: readonly Step[] = [
  { name: "check", command: [join(root, "scripts/check.ts")] },
  { name: "unit", command: ["test", "--timeout", "30000", ...(only === "unit" ? patterns : [])] },
  { name: "e2e", command: [join(root, "tests/e2e/run.ts"), ...(only === "e2e" ? patterns : [])] },
];

/** Runs a step; what it says goes on as it comes. */
const run = async ({ name, command }: Step): Promise<Counts> => {
  const from = performance.now();
  process.stdout.write(`\n== ${name}\n`);
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
  const code = await child.exited;
  const counts = countTests(name, text, code);
  process.stdout.write(
    `== ${name}: ${counts.passed} passed, ${counts.failed} failed, ${Math.round((performance.now() - from) / 1_000)} s\n`,
  );
  return counts;
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
