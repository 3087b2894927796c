/**
 * Shell: runs the end-to-end tests in a network namespace of their own, because Firefox meets no bridge on the loopback (it gathers no
 * loopback candidates and wants a default route) and because nothing of a test shall reach the network of this machine.
 *
 * bun tests/e2e/run.ts [file or name pattern …]     all of tests/e2e/*.e2e.ts without arguments
 * bun tests/e2e/run.ts five                          five people for ten minutes (five.soak.ts): not part of every run
 *
 * Logs of a file that fails are kept in build/evidence (evidence.ts).
 * As root the namespace is a plain one; otherwise a user namespace makes us root inside it.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { EVIDENCE_VARIABLE, evidenceFolder } from "./evidence.ts";

const here = dirname(Bun.fileURLToPath(import.meta.url));
const root = resolve(here, "../..");
const INSIDE = "PARLEY_E2E_NAMESPACE";
const SETTLE_MS = 15_000;
const SETTLE_EVERY_MS = 50;

function enterNamespace(): number {
  const flags = process.getuid?.() === 0 ? ["--net", "--mount"] : ["--user", "--map-root-user", "--net", "--mount"];
  const result = spawnSync(
    "unshare",
    [...flags, process.execPath, Bun.fileURLToPath(import.meta.url), ...process.argv.slice(2)],
    {
      stdio: "inherit",
      env: { ...process.env, [INSIDE]: "1" },
    },
  );
  if (result.error !== undefined) {
    console.error(
      `end-to-end tests: cannot make a network namespace (${result.error.message}); install util-linux and iproute2`,
    );
    return 1;
  }
  return result.status ?? 1;
}

/** lo up, and a veth pair whose both ends are ours: 10.77.0.1 is the box, 10.77.0.2 the way out that leads nowhere. */
function makeNetwork(): boolean {
  const commands = [
    "link set lo up",
    "link add v0 type veth peer name v1",
    "addr add 10.77.0.1/24 dev v0",
    "addr add 10.77.0.2/24 dev v1",
    "link set v0 up",
    "link set v1 up",
    "route add default via 10.77.0.2 dev v0",
  ];
  for (const command of commands) {
    const result = spawnSync("ip", command.split(" "), { stdio: ["ignore", "inherit", "inherit"] });
    if (result.status !== 0) {
      console.error(`end-to-end tests: "ip ${command}" failed; install iproute2, or allow user namespaces`);
      return false;
    }
  }
  return settle();
}

/** Its IPv6 addresses are tried out first (RFC 4862 section 5.4). A browser that sees one become good ends its page loads with ERR_NETWORK_CHANGED. */
function settle(): boolean {
  const end = performance.now() + SETTLE_MS;
  while (performance.now() < end) {
    const { status, stdout } = spawnSync("ip", ["-6", "address", "show", "tentative"], { encoding: "utf8" });
    if (status !== 0 || stdout.trim() === "") return true; // a kernel without IPv6 has none to wait for
    Bun.sleepSync(SETTLE_EVERY_MS);
  }
  console.error(`end-to-end tests: the namespace's IPv6 addresses are not ready after ${SETTLE_MS} ms`);
  return false;
}

function runTests(): number {
  const wanted = process.argv.slice(2);
  const files = readdirSync(here)
    .filter((name) => name.endsWith(".e2e.ts") || (wanted.length > 0 && name.endsWith(".soak.ts")))
    .filter((name) => wanted.length === 0 || wanted.some((pattern) => name.includes(pattern)))
    .sort();
  if (files.length === 0) {
    console.error(`end-to-end tests: no file matches ${wanted.join(", ")}`);
    return 1;
  }
  let status = 0;
  // One process per file: a browser that one file leaves behind dies with it, and its output stays together.
  for (const file of files) {
    const evidence = evidenceFolder(file);
    rmSync(evidence, { recursive: true, force: true });
    const result = spawnSync(process.execPath, ["test", "--timeout", "1200000", `./${join("tests/e2e", file)}`], {
      cwd: root,
      stdio: "inherit",
      env: { ...process.env, [EVIDENCE_VARIABLE]: file },
    });
    if (result.status === 0) rmSync(evidence, { recursive: true, force: true });
    else {
      status = 1;
      console.error(`end-to-end tests: ${file} failed; logs and what the pages knew are in ${evidence}`);
    }
  }
  return status;
}

if (process.env[INSIDE] === undefined) process.exit(enterNamespace());
process.exit(makeNetwork() ? runTests() : 1);
