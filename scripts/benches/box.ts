/**
 * Shell: memory of the whole box, idle and with ten people sending video, and how long it takes to start. The people are test peers at the bridge
 * (tests/media-peer.ts): ICE, DTLS, SRTP and channel as a browser has them, pictures of the right size without an encoder's work.
 */
import { readdirSync, readFileSync } from "node:fs";
import { BridgeFocus } from "../../tests/bridge-focus.ts";
import { Box } from "../../tests/e2e/box.ts";
import type { MediaPeer } from "../../tests/media-peer.ts";
import { aloneBytes, megabytes, type ProcessMemory, parsePss, parseSmaps, totalPss } from "./memory.ts";
import { cpuBetween, cpuOf } from "./processes.ts";
import type { Section } from "./section.ts";

const PEOPLE = 10;
const IDLE_SETTLE_MS = 10_000;
const IDLE_MEASURED_MS = 15_000;
const CALL_MS = 20_000;
/** Budgets of design.md 7. */
const MOST_IDLE_SHARE = 0.01;
const MOST_IDLE_MB = 120;
const MOST_IN_CALL_MB = 200;

const childrenOf = (pid: number): number[] => {
  const found: number[] = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const parent = Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${name}/status`, "utf8"))?.[1] ?? "0");
      if (parent === pid) found.push(Number(name), ...childrenOf(Number(name)));
    } catch {
      // it ended while we looked: no child of anybody
    }
  }
  return found;
};

const processesOf = (ready: Box["ready"]): number[] => [ready.pids.supervisor, ...childrenOf(ready.pids.supervisor)];

/** Share of one core that these processes use together when nobody asks anything of them. */
async function idleShare(pids: readonly number[]): Promise<number> {
  const before = pids.map(cpuOf);
  await Bun.sleep(IDLE_MEASURED_MS);
  const spent = pids.map((pid, index) => cpuBetween(before[index] ?? new Map(), cpuOf(pid)).seconds);
  return spent.reduce((sum, seconds) => sum + seconds, 0) / (IDLE_MEASURED_MS / 1000);
}

/** All processes of a box, the supervisor included. */
export const memoryOf = (ready: Box["ready"]): ProcessMemory[] => {
  const names = new Map<number, string>([
    [ready.pids.control, "control (xmpp, focus, gateway)"],
    ...ready.pids.bridge.map((pid, index): [number, string] => [pid, `bridge ${index + 1}`]),
  ]);
  names.set(ready.pids.supervisor, "supervisor");
  const all = processesOf(ready);
  return all.flatMap((pid) => {
    try {
      const pssBytes = parsePss(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"));
      return pssBytes === undefined ? [] : [{ name: names.get(pid) ?? `process ${pid}`, pid, pssBytes }];
    } catch {
      return [];
    }
  });
};

export const printMemory = (title: string, processes: readonly ProcessMemory[], say: (line: string) => void): void => {
  for (const { name, pssBytes } of processes)
    say(`  ${title.padEnd(8)} ${name.padEnd(32)} ${megabytes(pssBytes).padStart(8)} MB`);
  say(
    `  ${title.padEnd(8)} ${"together".padEnd(32)} ${megabytes(totalPss(processes)).padStart(8)} MB (${megabytes(alone(processes))} MB if no other Bun ran here)`,
  );
};

const alone = (processes: readonly ProcessMemory[]): number =>
  aloneBytes(processes.map(({ pid }) => parseSmaps(readFileSync(`/proc/${pid}/smaps`, "utf8"))));

const asFigures = (processes: readonly ProcessMemory[]) => ({
  totalPssBytes: totalPss(processes),
  aloneBytes: alone(processes),
  processes: processes.map(({ name, pssBytes }) => ({ name, pssBytes })),
});

export const boxSection: Section = {
  name: "box",
  title: "memory of the whole box (PSS) and its start",
  needs: {},
  seconds: () => 60,
  async measure({ say, progress }) {
    const from = performance.now();
    // Peers and bridge meet on the loopback, so that no interface of the machine matters.
    const box = await Box.start({ toml: '[bridge]\nmedia_addresses = ["127.0.0.1"]\n' });
    const startMs = performance.now() - from;
    say(`  start to healthy                          ${Math.round(startMs).toString().padStart(8)} ms`);
    try {
      progress("idle");
      await Bun.sleep(IDLE_SETTLE_MS);
      const share = await idleShare(processesOf(box.ready));
      const idle = memoryOf(box.ready);
      // Read now: a process of the call is the same one with more in it.
      const idleMb = alone(idle) / 1_048_576;
      printMemory("idle", idle, say);
      say(
        `  idle     of a core                        ${(share * 100).toFixed(2).padStart(8)} %   (at most ${MOST_IDLE_SHARE * 100})`,
      );
      const [bridgeHttp = 0] = box.ready.ports.bridgeHttp;
      const [colibri = 0] = box.ready.ports.colibri;
      const focus = new BridgeFocus({ bridgeHttp, colibri }, "bench");
      const peers: MediaPeer[] = [];
      for (let index = 0; index < PEOPLE; index++)
        peers.push(
          await focus.join({ id: (0xbe0000 + index).toString(16).padStart(8, "0"), ssrc: 100_000 + index * 100 }),
        );
      for (const peer of peers) {
        peer.say({ colibriClass: "ReceiverVideoConstraints", lastN: -1, defaultConstraints: { maxHeight: 180 } });
        peer.startMedia({ audioLevel: 60 });
      }
      await Bun.sleep(CALL_MS);
      const seen = peers.map(
        (peer) =>
          peers.filter((other) => other !== peer && (peer.reception(other.encodings[0]?.ssrc ?? 0)?.frames ?? 0) > 0)
            .length,
      );
      const inCall = memoryOf(box.ready);
      printMemory("in call", inCall, say);
      say(`  in call: ${PEOPLE} people, each sees ${Math.min(...seen)} others or more`);
      await focus.stop();
      const inCallMb = alone(inCall) / 1_048_576;
      say(
        `  budgets: idle ${idleMb.toFixed(0)} of ${MOST_IDLE_MB} MB, in call ${inCallMb.toFixed(0)} of ${MOST_IN_CALL_MB} MB, as if no other Bun ran here`,
      );
      return {
        startMs: Math.round(startMs),
        idleCoreShare: share,
        headlines: {
          start: { value: startMs, unit: "ms", better: "lower" },
          idleCpu: { value: share * 100, unit: "% of a core", better: "lower" },
          idleMemory: { value: idleMb, unit: "MB", better: "lower" },
          inCallMemory: { value: inCallMb, unit: "MB", better: "lower" },
        },
        idle: asFigures(idle),
        inCall: { people: PEOPLE, fewestSeen: Math.min(...seen), ...asFigures(inCall) },
      };
    } finally {
      await box.stop();
    }
  },
};
