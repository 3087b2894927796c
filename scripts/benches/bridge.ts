/**
 * Shell: CPU per forwarded packet of the media loop beside the floor (floor.c), delay and memory, under the load of bridge/load.ts over loopback. Subject and
 * generator run on a core each, where the machine has two.
 *
 * By the environment: BENCH_LOADS (rooms × people, as `1x3,1x10,3x10`; default 1x10), BENCH_SECONDS of each run (4), BENCH_RUNS of which the median counts (3),
 * BENCH_PROFILE (AEAD_AES_128_GCM, or AES128_CM_HMAC_SHA1_80).
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import type { SrtpProfile } from "../../appliance/bridge/media-commands.ts";
import { sessionKeys } from "../../appliance/bridge/transport/srtp-keys.ts";
import { type Load, masterKey, packetsOutPerSecond } from "./bridge/participants.ts";
import type { Section } from "./section.ts";

const HERE = import.meta.dirname;
const SUBJECT_CPU = "0";
const LOAD_CPU = "1";
/** Share of packets that may go missing. */
const MOST_LOST = 0.01;

interface Measured {
  readonly cpuMicrosPerPacket: number;
  readonly received: number;
  readonly expected: number;
  readonly lost: number;
  readonly bad: number;
  readonly delayMs: { readonly p50: number; readonly p99: number; readonly p999: number };
  readonly memoryMb: number;
  readonly threads: Readonly<Record<string, number>>;
}

type Child = Subprocess<"pipe", "pipe", "inherit">;

/** Lines of a child's output, one at a time. */
class Lines {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #rest = "";

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
  }

  async next(): Promise<Record<string, unknown>> {
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0) {
        const line = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 1);
        return JSON.parse(line) as Record<string, unknown>;
      }
      const { value, done } = await this.#reader.read();
      if (done) throw new Error("a measured process ended early");
      this.#rest += this.#decoder.decode(value, { stream: true });
    }
  }
}

const pinned = (cpu: string, command: readonly string[]): string[] =>
  Bun.which("taskset") !== null && availableParallelism() > 1 ? ["taskset", "-c", cpu, ...command] : [...command];

const spawn = (command: readonly string[]): Child =>
  Bun.spawn([...command], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });

/** Nanoseconds on a processor, by thread name. */
function cpuOf(pid: number): Map<string, number> {
  const threads = new Map<string, number>();
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    try {
      const [ns] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ");
      const name = readFileSync(`/proc/${pid}/task/${task}/comm`, "utf8").trim();
      threads.set(`${name}#${task}`, Number(ns));
    } catch {
      // The thread ended while we looked.
    }
  }
  return threads;
}

function memoryOf(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  return Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) / 1024;
}

async function measure(load: Load, seconds: number, start: (ports: readonly number[]) => Child): Promise<Measured> {
  const generator = spawn(pinned(LOAD_CPU, [process.execPath, join(HERE, "bridge/load.ts"), JSON.stringify(load)]));
  const fromGenerator = new Lines(generator.stdout);
  let subject: Child | undefined;
  try {
    const { ports } = (await fromGenerator.next()) as { ports: number[] };
    subject = start(ports);
    const fromSubject = new Lines(subject.stdout);
    const { port } = (await fromSubject.next()) as { port: number };
    generator.stdin.write(`${JSON.stringify({ port, seconds })}\n`);
    generator.stdin.flush();
    await fromGenerator.next(); // begin
    const before = cpuOf(subject.pid);
    await fromGenerator.next(); // end
    const after = cpuOf(subject.pid);
    const memoryMb = memoryOf(subject.pid);
    const result = (await fromGenerator.next()) as unknown as {
      sent: number;
      received: number;
      bad: number;
      delayMs: Measured["delayMs"];
    };
    const threads: Record<string, number> = {};
    let total = 0;
    for (const [name, ns] of after) {
      const spent = (ns - (before.get(name) ?? 0)) / 1000;
      total += spent;
      const plain = name.replace(/#\d+$/, "");
      threads[plain] = (threads[plain] ?? 0) + spent / Math.max(1, result.received);
    }
    const expected = result.sent * (load.people - 1);
    return {
      cpuMicrosPerPacket: total / Math.max(1, result.received),
      received: result.received,
      expected,
      lost: Math.max(0, 1 - result.received / Math.max(1, expected)),
      bad: result.bad,
      delayMs: result.delayMs,
      memoryMb,
      threads,
    };
  } finally {
    subject?.kill();
    generator.kill();
    await Promise.all([subject?.exited, generator.exited]);
  }
}

/** Builds floor.c; says what is missing where it cannot. */
function buildFloor(folder: string): string {
  if (Bun.which("gcc") === null) throw new Error("the floor needs gcc (on Debian: apt install gcc libssl-dev)");
  const program = join(folder, "floor");
  const built = Bun.spawnSync(
    ["gcc", "-O2", "-march=native", "-w", "-o", program, join(HERE, "../floor.c"), "-lcrypto"],
    { stderr: "pipe" },
  );
  if (built.exitCode !== 0) {
    const said = built.stderr.toString();
    if (said.includes("openssl/"))
      throw new Error("the floor needs OpenSSL's headers (on Debian: apt install libssl-dev)");
    throw new Error(`gcc could not build scripts/floor.c:\n${said}`);
  }
  return program;
}

const hexOf = (bytes: Uint8Array): string => (bytes.length === 0 ? "-" : Buffer.from(bytes).toString("hex"));

const startFloor =
  (program: string, load: Load, segmenting: boolean) =>
  (ports: readonly number[]): Child => {
    const gcm = load.profile === "AEAD_AES_128_GCM";
    const child = spawn(
      pinned(SUBJECT_CPU, [
        program,
        gcm ? "gcm" : "cm",
        segmenting ? "gso" : "plain",
        String(load.rooms),
        String(load.people),
      ]),
    );
    for (const [index, port] of ports.entries()) {
      const fields = [true, false].flatMap((up) => {
        const { rtp } = sessionKeys(load.profile, masterKey(index, up, load.profile));
        return [hexOf(rtp.key), hexOf(rtp.authKey), hexOf(rtp.salt)];
      });
      child.stdin.write(`${port} ${fields.join(" ")}\n`);
    }
    child.stdin.end();
    return child;
  };

const startBridge =
  (load: Load) =>
  (ports: readonly number[]): Child =>
    spawn(
      pinned(SUBJECT_CPU, [
        process.execPath,
        join(HERE, "bridge/bridge-under-test.ts"),
        JSON.stringify(load),
        JSON.stringify(ports),
      ]),
    );

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;

const medianRun = (runs: readonly Measured[]): Measured =>
  runs.toSorted((a, b) => a.cpuMicrosPerPacket - b.cpuMicrosPerPacket)[runs.length >> 1] as Measured;

async function one(say: (line: string) => void, program: string, load: Load, seconds: number, runs: number) {
  const name = `${load.rooms}x${load.people}`;
  const subjects = {
    "floor, UDP_SEGMENT": startFloor(program, load, true),
    floor: startFloor(program, load, false),
    bridge: startBridge(load),
  };
  const measured: Record<keyof typeof subjects, Measured[]> = { "floor, UDP_SEGMENT": [], floor: [], bridge: [] };
  // In turn, so that a change of the machine's mood meets all of them.
  for (let run = 0; run < runs; run++)
    for (const [subject, start] of Object.entries(subjects) as [
      keyof typeof subjects,
      (ports: readonly number[]) => Child,
    ][])
      measured[subject].push(await measure(load, seconds, start));
  say(`bridge ${name}, ${packetsOutPerSecond(load)} packets/s out, ${load.profile}`);
  for (const [subject, results] of Object.entries(measured)) {
    const { cpuMicrosPerPacket, lost, delayMs, memoryMb, bad } = medianRun(results);
    say(
      `  ${subject.padEnd(20)} ${cpuMicrosPerPacket.toFixed(2).padStart(7)} µs/packet   delay p50 ${delayMs.p50.toFixed(2)} p99 ${delayMs.p99.toFixed(2)} p99.9 ${delayMs.p999.toFixed(2)} ms   lost ${(lost * 100).toFixed(2)} %   ${memoryMb.toFixed(0)} MB${bad > 0 ? `   BAD ${bad}` : ""}`,
    );
  }
  const floor = Math.min(
    median(measured["floor, UDP_SEGMENT"].map((each) => each.cpuMicrosPerPacket)),
    median(measured.floor.map((each) => each.cpuMicrosPerPacket)),
  );
  const bridge = medianRun(measured.bridge);
  const ratioToFloor = bridge.cpuMicrosPerPacket / floor;
  // CPU per packet means the same only at the same load: where packets were lost on the way, the machine was too busy with other things.
  const comparable = Object.values(measured).every((results) => medianRun(results).lost < MOST_LOST);
  say(
    `  ratio to the floor   ${ratioToFloor.toFixed(2)}${comparable ? "" : "   NOT COMPARABLE: the load did not get through"}`,
  );
  return {
    load: name,
    profile: load.profile,
    packetsOutPerSecond: packetsOutPerSecond(load),
    cpuMicrosPerPacket: bridge.cpuMicrosPerPacket,
    floorMicrosPerPacket: floor,
    ratioToFloor,
    comparable,
    delayMs: bridge.delayMs,
    lost: bridge.lost,
    memoryMb: bridge.memoryMb,
    threads: bridge.threads,
    runs: measured,
  };
}

export const bridgeSection: Section = {
  name: "bridge",
  title: "Bridge: CPU per forwarded packet",
  needs: { gcc: "gcc", "/usr/include/openssl/evp.h": "libssl-dev" },
  async measure(say) {
    const { BENCH_SECONDS, BENCH_RUNS, BENCH_PROFILE, BENCH_LOADS } = process.env;
    const seconds = Number(BENCH_SECONDS ?? 4);
    const runs = Number(BENCH_RUNS ?? 3);
    const profile = (BENCH_PROFILE ?? "AEAD_AES_128_GCM") as SrtpProfile;
    if (profile !== "AEAD_AES_128_GCM" && profile !== "AES128_CM_HMAC_SHA1_80")
      throw new Error(`there is no profile ${profile}`);
    const loads = (BENCH_LOADS ?? "1x10").split(",").map((text): Load => {
      const match = /^(\d+)x(\d+)$/.exec(text);
      if (match === null) throw new Error(`a load is rooms x people, as 1x10; not ${text}`);
      return { rooms: Number(match[1]), people: Number(match[2]), profile };
    });
    const folder = mkdtempSync(join(tmpdir(), "parley-bench-"));
    try {
      const program = buildFloor(folder);
      const results = [];
      for (const load of loads) results.push(await one(say, program, load, seconds, runs));
      const [first] = results;
      return {
        cpuMicrosPerPacket: first?.cpuMicrosPerPacket,
        floorMicrosPerPacket: first?.floorMicrosPerPacket,
        ratioToFloor: first?.ratioToFloor,
        comparable: first?.comparable,
        loads: results,
      };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
