/**
 * Shell: runs the steps of `./scripts/test` one after the other, all of them even if one fails, counts tests, and ends with a line `N passed, N failed`.
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { SRTP_PROVIDER_NAMES as PROVIDERS, type SrtpProviderName } from "../appliance/bridge/transport/srtp.ts";
import { type Counts, countTests } from "./checks/count-tests.ts";
import { watchedCommand } from "./checks/watched-command.ts";

const root = resolve(import.meta.dir, "..");

interface Command {
  /** Of Bun. */
  readonly args: readonly string[];
  /** SRTP provider that everything under test uses; absent: the one that each test has by itself. */
  readonly provider?: SrtpProviderName | undefined;
}

interface Step {
  readonly name: string;
  /** One run each. */
  readonly commands: readonly Command[];
}

const USAGE = `Usage: ./scripts/test [--provider NAME] [STEP [PATTERN …]]

  STEP      check, unit or e2e; without one: all of them
  PATTERN   unit: parts of paths; e2e: names of files in tests/e2e
  --provider NAME
            pins the SRTP provider of whatever is tested (${PROVIDERS.join(", ")}): bridges, boxes, the media loop's core, simulations.
            Tests of providers themselves run all of them anyway.
`;

const given = process.argv.slice(2);
if (given.includes("--help") || given.includes("-h")) {
  process.stdout.write(USAGE);
  process.exit(0);
}
const fail = (why: string): never => {
  process.stderr.write(`parley: ${why}\n\n${USAGE}`);
  process.exit(2);
};
const at = given.indexOf("--provider");
const [, pinnedName] = at === -1 ? [] : given.splice(at, 2);
const pinned = PROVIDERS.find((name) => name === pinnedName);
if (at !== -1 && pinned === undefined) fail(`no SRTP provider ${pinnedName ?? ""}: ${PROVIDERS.join(", ")}`);
const [only = "all", ...patterns] = given;

/**
 * Unit tests that measure what a process holds or allocates run in one of their own: other tests' leftovers would count. Their header says "Alone:".
 * All others share as many processes as there are cores, a fresh global object for each file.
 */
const alone = [...new Bun.Glob("{appliance,ui,scripts,tests}/**/*.test.{ts,tsx}").scanSync(root)]
  .filter((path) => /^\s*(\/\/|\/\*\*)[^;]*?Alone:/.test(readFileSync(join(root, path), "utf8").slice(0, 1_000)))
  .filter((path) => only !== "unit" || patterns.length === 0 || patterns.some((pattern) => path.includes(pattern)))
  .sort();
const UNIT = ["test", "--timeout", "30000"];
const PARALLEL = `--parallel=${availableParallelism()}`;
const plain = (args: readonly string[]): Command => ({ args, provider: pinned });

/** What sends and receives SRTP without being about it runs once more with each provider, unless one is pinned: the loop's core, the worker, the simulation. */
const WITH_EACH = ["appliance/bridge/media-loop/", "tests/simulation/conference"];
const withEach: readonly Command[] =
  pinned !== undefined || patterns.length > 0
    ? []
    : PROVIDERS.map((provider) => ({
        args: [...UNIT, PARALLEL, ...alone.map((path) => `--path-ignore-patterns=${path}`), ...WITH_EACH],
        provider,
      }));

const steps: readonly Step[] = [
  { name: "check", commands: [plain([join(root, "scripts/check.ts")])] },
  {
    name: "unit",
    commands: [
      plain([
        ...[...UNIT, PARALLEL],
        ...alone.map((path) => `--path-ignore-patterns=${path}`),
        ...(only === "unit" ? patterns : []),
      ]),
      ...alone.map((path) => plain([...UNIT, `./${path}`])),
      ...withEach,
    ],
  },
  { name: "e2e", commands: [plain([join(root, "tests/e2e/run.ts"), ...(only === "e2e" ? patterns : [])])] },
];

/** Longer than any test is silent (tests/e2e/five.soak.ts: ten minutes). */
const SILENCE_MS = 15 * 60_000;
const GRACE_MS = 20_000;

/** Runs a command; what it says goes on as it comes. One that hangs has failed, even if no test says so. */
const runOne = async (name: string, { args, provider }: Command): Promise<Counts> => {
  if (provider !== undefined) process.stdout.write(`-- SRTP by ${provider}\n`);
  const { text, code, hungAfter } = await watchedCommand([process.execPath, ...args], {
    cwd: root,
    // Read by appliance/bridge/media-loop/test-provider.ts.
    env: { ...process.env, PARLEY_TEST_SRTP_PROVIDER: provider ?? "" },
    onText: (text, stream) => process[stream].write(text),
    silenceMs: SILENCE_MS,
    graceMs: GRACE_MS,
  });
  const counts = countTests(name, text, code);
  if (hungAfter === undefined) return counts;
  process.stdout.write(
    `\nparley: ${name}: not a word for ${SILENCE_MS / 60_000} minutes, ended; the last was: ${hungAfter}\n`,
  );
  return { passed: counts.passed, failed: Math.max(counts.failed, 1) };
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
if (wanted.length === 0) fail(`there is no step ${only}: check, unit, e2e`);
let passed = 0;
let failed = 0;
for (const step of wanted) {
  const counts = await run(step);
  passed += counts.passed;
  failed += counts.failed;
}
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exit(failed === 0 && passed > 0 ? 0 : 1);
