/**
 * Shell: the XMPP server under load: 500 clients in 50 rooms on one core, 50 joins a second, over WebSocket; then presence and chat; then what a
 * join costs in rooms of several sizes. The load has the other core. Beside Debian's Prosody where it is installed.
 */
import { cpuBetween, cpuOf, end, Lines, LOAD_CORE, memoryOfProcess, pinned, spawn } from "./processes.ts";
import type { BenchContext, Figures, Section } from "./section.ts";
import type { LoadPlan, Mark } from "./signalling/plan.ts";
import {
  BENCH_DOMAIN,
  BENCH_PASSWORD,
  ourServer,
  prosodyIsHere,
  prosodyServer,
  type Subject,
} from "./signalling/subjects.ts";

const CLIENTS = 500;
const ROOMS = 50;

const planFor = (url: string): LoadPlan => ({
  url,
  domain: BENCH_DOMAIN,
  auth: `auth.${BENCH_DOMAIN}`,
  muc: `muc.${BENCH_DOMAIN}`,
  password: BENCH_PASSWORD,
  clients: CLIENTS,
  rooms: ROOMS,
  joinsPerSecond: 50,
  updatesPerSecond: 200,
  seconds: 5,
  sizes: [5, 10, 20, 50, 100],
  growthJoins: 200,
});

interface Percentiles {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
}

const percentiles = (values: readonly number[]): Percentiles => {
  const sorted = values.toSorted((one, other) => one - other);
  const at = (share: number): number =>
    Math.round((sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN) * 100) / 100;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
};

const show = ({ p50, p95, p99 }: Percentiles): string =>
  `p50 ${p50.toFixed(1)}, p95 ${p95.toFixed(1)}, p99 ${p99.toFixed(1)} ms`;
const rounded = (value: number, digits = 2): number => Number(value.toFixed(digits));

interface Steady {
  readonly latency: Percentiles;
  readonly core: number;
  readonly usPerStanza: number;
  readonly delivered: number;
  readonly expected: number;
}

interface Growth {
  readonly size: number;
  readonly stanzasPerJoin: number;
  readonly cpuMsPerJoin: number;
  readonly usPerStanza: number;
}

export interface SignallingFigures extends Figures {
  readonly join: Percentiles;
  readonly enter: Percentiles;
  readonly cpuMsPerJoin: number;
  readonly idleMb: number;
  readonly joinedMb: number;
  readonly kbPerClient: number;
  readonly presence: Steady | undefined;
  readonly chat: Steady | undefined;
  readonly growth: readonly Growth[];
}

async function measure(subject: Subject, { say, progress }: BenchContext): Promise<SignallingFigures> {
  const load = spawn(
    pinned(LOAD_CORE, [
      process.execPath,
      `${import.meta.dirname}/signalling/generator.ts`,
      JSON.stringify(planFor(subject.url)),
    ]),
  );
  const lines = new Lines(load.stdout, "the load");
  let join: Percentiles = percentiles([]);
  let enter: Percentiles = join;
  let cpuMsPerJoin = Number.NaN;
  let idleMb = 0;
  let joinedMb = 0;
  const steady: { presence: Steady | undefined; chat: Steady | undefined } = { presence: undefined, chat: undefined };
  const growth: Growth[] = [];
  say(`  ${subject.name}`);
  try {
    let before = cpuOf(subject.pid);
    let from = performance.now();
    for (let ended = false; !ended; ) {
      const mark = JSON.parse(await lines.text()) as Mark;
      const { seconds } = cpuBetween(before, cpuOf(subject.pid));
      const elapsed = (performance.now() - from) / 1000;
      switch (mark.phase) {
        case "ready":
          idleMb = memoryOfProcess(subject.pid).pssMb;
          progress(`${subject.name}: ${CLIENTS} joins`);
          break;
        case "joined":
          joinedMb = memoryOfProcess(subject.pid).pssMb;
          join = percentiles(mark.latencies);
          enter = percentiles(mark.entered);
          cpuMsPerJoin = rounded((seconds * 1000) / mark.latencies.length);
          say(`    connect, log in, enter ${show(join)}; enter alone ${show(enter)}`);
          say(
            `    processor ${cpuMsPerJoin} ms a join (${Math.round((100 * seconds) / elapsed)} % of the core; ${Math.floor(1000 / cpuMsPerJoin)} joins a second would fill it)`,
          );
          say(
            `    PSS ${idleMb.toFixed(1)} MB before, ${joinedMb.toFixed(1)} MB with ${CLIENTS}: ${(((joinedMb - idleMb) * 1024) / CLIENTS).toFixed(1)} kB a client`,
          );
          break;
        case "presence":
        case "chat": {
          const one: Steady = {
            latency: percentiles(mark.latencies),
            core: rounded(seconds / elapsed),
            usPerStanza: rounded((seconds * 1e6) / mark.stanzas, 1),
            delivered: mark.latencies.length,
            expected: mark.expected,
          };
          steady[mark.phase] = one;
          say(
            `    ${mark.phase.padEnd(8)} ${Math.round(mark.sent / elapsed)} a second to ${CLIENTS / ROOMS} each: ${show(one.latency)}; ${Math.round(100 * one.core)} % of the core, ${one.usPerStanza} µs a stanza; ${one.delivered} of ${one.expected} delivered`,
          );
          break;
        }
        case "growing":
          break;
        case "grown": {
          const one: Growth = {
            size: mark.size,
            stanzasPerJoin: rounded(mark.stanzas / mark.joins, 1),
            cpuMsPerJoin: rounded((seconds * 1000) / mark.joins, 3),
            usPerStanza: rounded((seconds * 1e6) / mark.stanzas, 1),
          };
          growth.push(one);
          say(
            `    room of ${String(mark.size).padStart(3)}: ${one.stanzasPerJoin.toFixed(1).padStart(6)} stanzas and ${one.cpuMsPerJoin.toFixed(3).padStart(7)} ms a join, ${one.usPerStanza} µs a stanza`,
          );
          break;
        }
        case "end":
          ended = true;
      }
      before = cpuOf(subject.pid);
      from = performance.now();
      load.stdin.write("go\n");
      await load.stdin.flush();
    }
  } finally {
    await end(load);
  }
  const kbPerClient = rounded(((joinedMb - idleMb) * 1024) / CLIENTS, 1);
  return {
    join,
    enter,
    cpuMsPerJoin,
    idleMb: rounded(idleMb),
    joinedMb: rounded(joinedMb),
    kbPerClient,
    ...steady,
    growth,
  };
}

export const signallingSection: Section = {
  name: "signalling",
  title: `XMPP server: ${CLIENTS} clients in ${ROOMS} rooms on one core, 50 joins a second, WebSocket`,
  needs: {},
  seconds: () => (prosodyIsHere() ? 120 : 80),
  async measure(context) {
    const subjects: (() => Promise<Subject>)[] = [() => ourServer("meetings"), () => ourServer("plain")];
    if (prosodyIsHere()) subjects.push(prosodyServer);
    else context.say("  Debian's Prosody is not installed: no yardstick");
    const figures: Record<string, SignallingFigures> = {};
    for (const start of subjects) {
      const subject = await start();
      try {
        figures[subject.name] = await measure(subject, context);
      } finally {
        await subject.stop();
      }
    }
    const meetings = figures["parley, meetings"];
    if (meetings === undefined) return figures;
    return {
      ...figures,
      headlines: {
        "join p95": { value: meetings.join.p95, unit: "ms", better: "lower" },
        "processor per join": { value: meetings.cpuMsPerJoin, unit: "ms", better: "lower" },
        "memory per client": { value: meetings.kbPerClient, unit: "kB", better: "lower" },
        "processor per presence": { value: meetings.presence?.usPerStanza ?? Number.NaN, unit: "µs", better: "lower" },
      },
    };
  },
};
