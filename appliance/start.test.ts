/**
 * The whole program as people start it: `./scripts/start` on free ports. One box for most tests: starting it is what costs.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { useRealTime } from "../tests/real-time.ts";
import type { ReadyContent } from "./ready-file.ts";

useRealTime();

const root = resolve(import.meta.dir, "..");
const START_MS = 30_000;
const NAMES = ["https", "http", "xmpp", "xmpp-http", "focus-http", "bridge-http", "colibri", "media"];
const FREE_PORTS = NAMES.flatMap((name) => [`--${name}-port`, "0"]);

const until = async (what: string, timeoutMs: number, condition: () => boolean | Promise<boolean>): Promise<void> => {
  const from = performance.now();
  while (!(await condition())) {
    if (performance.now() - from > timeoutMs) throw new Error(`waited in vain for ${what}`);
    await Bun.sleep(10);
  }
};

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    // A process that its parent has not buried yet is no longer alive.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
};

const program = (args: readonly string[], command = [process.execPath, join(root, "appliance/main.ts")]) =>
  Bun.spawn([...command, ...args], { stdin: "ignore", stdout: "pipe", stderr: "pipe", cwd: tmpdir() });

const outcome = async (args: readonly string[]): Promise<{ code: number; out: string; said: string }> => {
  const child = program(args);
  const [code, out, said] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code, out, said };
};

interface Box {
  readonly process: ReturnType<typeof program>;
  readonly data: string;
  readonly readyFile: string;
  ready: ReadyContent;
  readonly output: Promise<string>;
}

const pid = (box: Box, name: string): number => {
  const value = box.ready.pids[name];
  return typeof value === "number" ? value : (value?.[0] ?? 0);
};

const pidsOf = (box: Box): number[] => [...new Set(Object.values(box.ready.pids).flat())];

const readReady = (box: Pick<Box, "readyFile">): ReadyContent =>
  JSON.parse(readFileSync(box.readyFile, "utf8")) as ReadyContent;

const startBox = async (command?: string[], pages: readonly string[] = ["--pages", webFolder]): Promise<Box> => {
  const data = mkdtempSync(join(tmpdir(), "parley-start-"));
  const readyFile = join(data, "ready.json");
  const child = program(
    [
      ...(command === undefined ? ["start"] : []),
      "--data",
      join(data, "box"),
      "--ready-file",
      readyFile,
      ...pages,
      ...FREE_PORTS,
    ],
    command,
  );
  const output = Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]).then((texts) =>
    texts.join("\n"),
  );
  await until("the box", START_MS, () => {
    if (child.exitCode !== null) throw new Error("the box ended while starting");
    return existsSync(readyFile);
  });
  return { process: child, data, readyFile, ready: readReady({ readyFile }), output };
};

const stopBox = async (box: Box, signal: "SIGINT" | "SIGKILL" = "SIGINT"): Promise<number> => {
  const from = performance.now();
  box.process.kill(signal);
  await box.process.exited;
  return performance.now() - from;
};

let scratch: string;
let webFolder: string;

beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "parley-test-"));
  webFolder = join(scratch, "web");
  mkdirSync(webFolder);
  writeFileSync(join(webFolder, "index.html"), "<!doctype html><title>meeting</title>");
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe("a box", () => {
  let box: Box;
  beforeAll(async () => {
    box = await startBox([join(root, "scripts/start")], []);
  }, 120_000);
  afterAll(() => {
    box.process.kill("SIGKILL");
    rmSync(box.data, { recursive: true, force: true });
  });

  test("writes what scripts need, readable by its owner alone", () => {
    const { ready } = box;
    expect(statSync(box.readyFile).mode & 0o777).toBe(0o600);
    expect(ready).toMatchObject({
      domain: "meet.jitsi",
      muc: "muc.meet.jitsi",
      focus: "focus.meet.jitsi",
      brewery: "jvbbrewery@internal-muc.meet.jitsi",
    });
    expect(ready.base).toBe(`https://127.0.0.1:${ready.ports["https"]}`);
    for (const name of ["https", "http", "xmpp", "xmppHttp", "focusHttp"]) expect(ready.ports[name]).toBeGreaterThan(0);
    for (const name of ["bridgeHttp", "colibri", "media"]) expect(ready.ports[name]).toEqual([expect.any(Number)]);
    expect(ready.services.focus).toEqual({ domain: "auth.meet.jitsi", user: "focus", password: expect.any(String) });
    expect(ready.services.bridge).toEqual({ domain: "auth.meet.jitsi", user: "jvb", password: expect.any(String) });
    for (const each of pidsOf(box)) expect(alive(each)).toBe(true);
  });

  test("keeps its secrets to itself", () => {
    for (const name of ["secrets/focus", "secrets/jvb", "tls/root.key", "tls/web.key", "parley.toml"])
      expect([name, statSync(join(box.data, "box", name)).mode & 0o077]).toEqual([name, 0]);
  });

  test("serves the pages under its own root", async () => {
    const ca = readFileSync(join(box.data, "box/tls/root.crt"), "utf8");
    // The pages' certificate names addresses, which BoringSSL refuses under constraints on addresses; browsers and OpenSSL take it.
    const verified = Bun.spawnSync([
      "openssl",
      "verify",
      "-CAfile",
      join(box.data, "box/tls/root.crt"),
      join(box.data, "box/tls/web.crt"),
    ]);
    expect(verified.stdout.toString()).toContain("OK");
    expect(ca).toContain("BEGIN CERTIFICATE");
    const answer = await fetch(`${box.ready.base}/some-room`, { tls: { rejectUnauthorized: false } } as RequestInit);
    expect(await answer.text()).toContain("<!doctype html>");
  });

  test("answers a conference request through the gateway", async () => {
    const answer = await fetch(`${box.ready.base}/conference-request/v1`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ room: "standup@muc.meet.jitsi", properties: {} }),
      tls: { rejectUnauthorized: false },
    } as RequestInit);
    expect(await answer.json()).toMatchObject({ ready: true, focusJid: "focus@auth.meet.jitsi" });
  });

  test("the bridge's compiled code is not thrown away every minute", () => {
    const environment = readFileSync(`/proc/${pid(box, "bridge")}/environ`, "latin1").split("\0");
    expect(environment).toContain("BUN_GC_TIMER_DISABLE=1");
  });

  test(
    "a bridge that is killed comes back on its ports",
    async () => {
      const before = box.ready;
      process.kill(pid(box, "bridge"), "SIGKILL");
      await until("the new bridge", START_MS, () => {
        box.ready = readReady(box);
        const [now] = [box.ready.pids["bridge"]].flat();
        return now !== undefined && now !== [before.pids["bridge"]].flat()[0] && alive(now);
      });
      expect(box.ready.ports).toEqual(before.ports);
      expect(box.ready.pids["control"]).toBe(before.pids["control"] ?? 0);
    },
    START_MS,
  );

  test(
    "a control process that is killed comes back on its ports, and the bridge lives on",
    async () => {
      const before = box.ready;
      process.kill(pid(box, "control"), "SIGKILL");
      await until("the new control process", START_MS, () => {
        box.ready = readReady(box);
        return box.ready.pids["control"] !== before.pids["control"] && alive(pid(box, "control"));
      });
      expect(box.ready.ports).toEqual(before.ports);
      expect(box.ready.pids["bridge"]).toEqual(before.pids["bridge"] ?? 0);
      await until(
        "the pages",
        START_MS,
        async () =>
          (
            await fetch(`${box.ready.base}/about/health`, { tls: { rejectUnauthorized: false } } as RequestInit).catch(
              () => undefined,
            )
          )?.status === 200,
      );
    },
    START_MS,
  );

  test("Ctrl-C ends all of it at once, and the ready file is gone", async () => {
    const pids = pidsOf(box);
    expect(await stopBox(box)).toBeLessThan(4_000);
    expect(box.process.exitCode).toBe(0);
    expect(pids.filter(alive)).toEqual([]);
    expect(existsSync(box.readyFile)).toBe(false);
    const said = await box.output;
    expect(said).toContain("first-meeting");
    expect(said).toContain("█");
  }, 10_000);
});

test(
  "when the supervisor is killed, its children end by themselves",
  async () => {
    const box = await startBox();
    const pids = pidsOf(box);
    await stopBox(box, "SIGKILL");
    await until("the children to end", 5_000, () => pids.filter(alive).length === 0);
    rmSync(box.data, { recursive: true, force: true });
  },
  START_MS,
);

describe("what is wrong is said in one line", () => {
  const start = (...args: readonly string[]) =>
    outcome(["start", "--pages", webFolder, "--data", join(scratch, "data"), ...args]);

  test("a port that is taken", async () => {
    const taken = createServer();
    await new Promise<void>((done) => taken.listen(0, "127.0.0.1", done));
    const address = taken.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    for (const name of ["https", "xmpp", "focus-http", "bridge-http", "colibri"]) {
      const { code, said } = await start(...FREE_PORTS, `--${name}-port`, String(port));
      expect([
        name,
        code,
        said
          .trim()
          .split("\n")
          .filter((line) => !line.startsWith("{"))
          .map((line) => line.slice(0, line.indexOf(" by another program"))),
      ]).toEqual([name, 1, [`parley: port ${port} is taken`]]);
    }
    taken.close();
  }, 60_000);

  test("a data folder without permission", async () => {
    if (process.getuid?.() === 0) {
      // Root may write anywhere; a file in the way is refused to everybody.
      writeFileSync(join(scratch, "file"), "");
      const { code, said } = await outcome(["start", "--pages", webFolder, "--data", join(scratch, "file", "data")]);
      expect([code, said]).toEqual([
        1,
        `parley: data folder ${join(scratch, "file", "data")}: there is a file in the way (--data DIR names another)\n`,
      ]);
      return;
    }
    mkdirSync(join(scratch, "shut"));
    chmodSync(join(scratch, "shut"), 0o500);
    const { code, said } = await outcome(["start", "--pages", webFolder, "--data", join(scratch, "shut", "data")]);
    expect([code, said]).toEqual([
      1,
      `parley: data folder ${join(scratch, "shut", "data")}: no permission to write there (--data DIR names another)\n`,
    ]);
  });

  test("a configuration with several faults", async () => {
    const { code, said } = await start("--https-port", "99999", "--set", "no.such=1", "--log-level", "loud");
    expect(code).toBe(2);
    expect(said.trim().split("\n").length).toBe(3);
  });

  test("a configuration file that is not there", async () => {
    const { code, said } = await start("--config", join(scratch, "none.toml"));
    expect([code, said.startsWith(`parley: ${join(scratch, "none.toml")}`)]).toEqual([2, true]);
  });

  test("pages that are not built", async () => {
    const { code, said } = await outcome([
      "start",
      "--pages",
      join(scratch, "nothing"),
      "--data",
      join(scratch, "data"),
    ]);
    expect([code, said.includes("./scripts/start builds them")]).toEqual([1, true]);
  });

  test("a ready file that cannot be written", async () => {
    const { code, said } = await start("--ready-file", join(scratch, "no", "such", "folder", "ready.json"));
    expect([code, said.trim().split("\n").length, said.includes("--ready-file")]).toEqual([1, 1, true]);
  });

  test("a bridge alone without a password", async () => {
    const { code, said } = await outcome([
      "bridge",
      "--data",
      join(scratch, "alone"),
      "--set",
      "server.host=192.0.2.1",
      "--set",
      "server.tls=insecure",
    ]);
    expect([code, said.startsWith("parley: bridge.password is needed")]).toEqual([1, true]);
  });
});

describe("other commands", () => {
  test("--help of each", async () => {
    const { out } = await outcome(["--help"]);
    const names = [...out.matchAll(/^ {2}([a-z]+) {2,}/gm)].map((match) => match[1] ?? "");
    expect(names).toEqual([
      "start",
      "xmpp",
      "focus",
      "bridge",
      "gateway",
      "config",
      "doctor",
      "backup",
      "restore",
      "bench",
      "version",
      "help",
    ]);
    const texts = await Promise.all(names.map((name) => outcome([name, "--help"])));
    for (const text of texts) expect([text.code, text.out.includes("Usage: parley")]).toEqual([0, true]);
  }, 30_000);

  test("config prints what holds, and where it comes from", async () => {
    const file = join(scratch, "some.toml");
    writeFileSync(file, '[domains]\ndomain = "example.org"\n');
    const { code, out } = await outcome(["config", "--config", file, "--set", "xmpp.port=6222"]);
    expect(code).toBe(0);
    expect(Bun.TOML.parse(out)).toMatchObject({ domains: { muc: "muc.example.org" }, xmpp: { port: 6222 } });
    expect(out).toContain("from: command line");
  });

  test("a backup restores what it holds, and nothing is overwritten unasked", async () => {
    const data = join(scratch, "keep");
    mkdirSync(join(data, "secrets"), { recursive: true });
    writeFileSync(join(data, "parley.toml"), "# mine\n");
    writeFileSync(join(data, "secrets/focus"), "twelve-letters\n", { mode: 0o600 });
    const file = join(scratch, "out.tar.gz");
    expect((await outcome(["backup", file, "--data", data])).code).toBe(0);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect((await outcome(["backup", file, "--data", data])).code).toBe(1);
    expect((await outcome(["restore", file, "--data", data])).code).toBe(1);
    const other = join(scratch, "other");
    expect((await outcome(["restore", file, "--data", other])).code).toBe(0);
    expect(readFileSync(join(other, "secrets/focus"), "utf8")).toBe("twelve-letters\n");
    expect(statSync(join(other, "secrets/focus")).mode & 0o777).toBe(0o600);
    writeFileSync(join(scratch, "bad.tar.gz"), "no archive");
    expect((await outcome(["restore", join(scratch, "bad.tar.gz"), "--data", join(scratch, "third")])).code).toBe(1);
    expect(existsSync(join(scratch, "third"))).toBe(false);
  });

  test("doctor names faults with their mends", async () => {
    const { out } = await outcome(["doctor", "--data", join(scratch, "doctor")]);
    expect(out).toContain("OpenSSL 3 can be loaded");
    expect(out).toMatch(/AEAD_AES_128_GCM by (gnutls|libcrypto|vector|scalar|node): \d+\.\d\d µs a packet/);
    expect(out).toMatch(/carries about \d+ in rooms of 3, \d+ in rooms of 5, \d+ in rooms of 10 people with cameras/);
    const taken = createServer();
    await new Promise<void>((done) => taken.listen(0, "127.0.0.1", done));
    const address = taken.address();
    const port = typeof address === "object" ? (address?.port ?? 0) : 0;
    const pinned = [
      "--set",
      "bridge.max_cameras=90",
      "--set",
      "bridge.max_count=1",
      "--set",
      "bridge.srtp_provider=node",
    ];
    const small = await outcome(["doctor", "--data", join(scratch, "doctor"), ...pinned]);
    expect(small.out).toContain("45 in rooms of 3, 22 in rooms of 5, 10 in rooms of 10");
    expect(small.out).toContain("AES128_CM_HMAC_SHA1_80 by node:");
    const bad = await outcome(["doctor", "--data", join(scratch, "doctor"), "--set", `xmpp.port=${port}`]);
    expect([
      bad.code,
      bad.out.includes(`FAULT  xmpp.port = ${port} cannot be opened`),
      bad.out.includes("mend: stop it, or set xmpp.port"),
    ]).toEqual([1, true, true]);
    taken.close();
  });
});
