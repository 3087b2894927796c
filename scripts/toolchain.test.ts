/**
 * What scripts/toolchain.sh does on machines with and without Bun and npm, in a copy of the checkout with a PATH of its own. Nothing is downloaded:
 * npm and Bun are stand-ins that say what they were asked for.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dir, "..");
const pinned = /"packageManager": "bun@([\d.]+)"/.exec(readFileSync(join(root, "package.json"), "utf8"))?.[1] ?? "";
let scratch: string;

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "parley-toolchain-"));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Machine {
  readonly checkout: string;
  readonly path: string;
}

const machine = (name: string, programs: Readonly<Record<string, string>>): Machine => {
  const checkout = join(scratch, name, "checkout");
  const path = join(scratch, name, "bin");
  mkdirSync(checkout, { recursive: true });
  mkdirSync(path);
  for (const file of ["package.json", "bun.lock", "scripts"])
    cpSync(join(root, file), join(checkout, file), { recursive: true });
  for (const tool of ["sh", "sed", "cat", "cksum", "dirname", "head", "mkdir", "cp", "chmod"])
    symlinkSync(Bun.which(tool) ?? tool, join(path, tool));
  for (const [program, text] of Object.entries(programs)) {
    writeFileSync(join(path, program), `#!/bin/sh\n${text}\n`);
    chmodSync(join(path, program), 0o755);
  }
  return { checkout, path };
};

const start = ({ checkout, path }: Machine, ...args: readonly string[]) => {
  const result = Bun.spawnSync([join(checkout, "scripts/start"), ...args], { env: { PATH: path }, stdin: "ignore" });
  return { code: result.exitCode, out: result.stdout.toString(), said: result.stderr.toString().trim().split("\n") };
};

/** A Bun of that version: makes node_modules when it is to install, says what it was to run otherwise. */
const bun = (version: string): string =>
  `case $1 in --version) echo ${version};; install) mkdir -p node_modules;; *) echo "bun ${version}: $*";; esac`;

test("without Bun and npm it says in one line what to install", () => {
  const { code, said } = start(machine("bare", {}));
  expect([code, said]).toEqual([
    1,
    [
      `parley: Bun ${pinned} is needed and neither npm nor Bun is here to get it: install npm (on Debian: apt install npm)`,
    ],
  ]);
});

test("the pinned Bun is taken as it is, packages are got once", () => {
  const one = machine("pinned", { bun: bun(pinned) });
  const first = start(one, "--help");
  expect([first.code, first.said]).toEqual([0, ["parley: getting packages"]]);
  expect(first.out).toBe(`bun ${pinned}: ${join(one.checkout, "appliance/main.ts")} start --help\n`);
  expect(start(one, "--help").said).toEqual([""]);
  writeFileSync(join(one.checkout, "bun.lock"), "changed");
  expect(start(one, "--help").said).toEqual(["parley: getting packages"]);
});

test("another Bun is asked for the pinned one, which goes into the checkout", () => {
  const one = machine("other", {
    bun: `case $1 in --version) echo 1.4.0;; add) mkdir -p node_modules/bun/bin; cat > node_modules/bun/bin/bun.exe <<'X'\n#!/bin/sh\n${bun(pinned)}\nX\nchmod +x node_modules/bun/bin/bun.exe; echo "$*" > asked;; esac`,
  });
  const { code, said, out } = start(one, "--help");
  expect([code, said]).toEqual([0, [`parley: getting Bun ${pinned} with Bun 1.4.0`, "parley: getting packages"]]);
  expect(out).toContain(`bun ${pinned}:`);
  expect(readFileSync(join(one.checkout, ".bun/asked"), "utf8")).toContain(`bun@${pinned}`);
});

test("npm that fails is quoted, and the line says what to look at", () => {
  const one = machine("offline", { npm: "echo 'npm error network'; exit 1" });
  const { code, said } = start(one);
  expect([code, said]).toEqual([
    1,
    [
      `parley: getting Bun ${pinned} with npm`,
      "npm error network",
      `parley: Bun ${pinned} could not be got; is there a network?`,
    ],
  ]);
  expect(existsSync(join(one.checkout, "node_modules"))).toBe(false);
});

test("packages that cannot be got end it", () => {
  const one = machine("no-packages", {
    bun: `case $1 in --version) echo ${pinned};; install) echo "lockfile had changes"; exit 1;; esac`,
  });
  const { code, said } = start(one);
  expect([code, said]).toEqual([
    1,
    ["parley: getting packages", "lockfile had changes", "parley: the packages could not be got; is there a network?"],
  ]);
});
