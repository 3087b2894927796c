/**
 * Shell: the servers that are told their participants and keys: the floor in C, and our media loop in a process of its own.
 */
import { join } from "node:path";
import type { MediaStatistics } from "../../../appliance/bridge/media-commands.ts";
import { type FloorWay, startFloor } from "../floor-program.ts";
import type { BenchOptions } from "../options.ts";
import { end, Lines, pinned, SUBJECT_CORE, spawn } from "../processes.ts";
import type { UnderTestOptions } from "./bridge-under-test.ts";
import { type OwnReport, Pair } from "./pair.ts";
import type { Load } from "./participants.ts";

/** Packets that the generator looks into: all, or, where it would be its own limit, one of so many. It has a core, and is not what is measured. */
export const CHECK_ALL = 1;
export const CHECK_ONE_OF = 32;

const floorName = ({ segmenting, library }: FloorWay): string =>
  ["floor", ...(library === "libcrypto" ? [library] : segmenting ? ["UDP_SEGMENT"] : [])].join(", ");

export const floorPair = (program: string, load: Load, way: FloorWay, check = CHECK_ALL): Promise<Pair> =>
  Pair.keyed(floorName(way), { load, how: "keys", check }, async (ports) => {
    const child = startFloor(program, load, way, ports);
    const { port } = (await new Lines(child.stdout, "the floor").next()) as { port: number };
    return { port, pid: child.pid, stop: () => end(child) };
  });

export interface LoopOptions {
  readonly provider: BenchOptions["provider"];
  readonly name?: string;
  readonly check?: number;
  readonly core?: number;
  /** Handed to the media loop's start as they are. */
  readonly start?: UnderTestOptions["start"];
}

/** Our media loop alone, its participants told to it by commands. */
export const loopPair = (load: Load, options: LoopOptions): Promise<Pair> =>
  Pair.keyed(options.name ?? "bridge", { load, how: "keys", check: options.check ?? CHECK_ALL }, async (ports) => {
    const underTest: UnderTestOptions = { load, ports, provider: options.provider, start: options.start ?? {} };
    const child = spawn(
      pinned(options.core ?? SUBJECT_CORE, [
        process.execPath,
        join(import.meta.dirname, "bridge-under-test.ts"),
        JSON.stringify(underTest),
      ]),
    );
    const lines = new Lines(child.stdout, "the media loop");
    const { port } = (await lines.next()) as { port: number };
    let last: LoopCounters | undefined;
    const report = async (): Promise<OwnReport> => {
      child.stdin.write("report\n");
      child.stdin.flush();
      const { statistics } = (await lines.next()) as unknown as { statistics: MediaStatistics & LoopCounters };
      const before = last;
      last = statistics;
      const since = (key: "packetsSent" | "messagesSent" | "packetsHeld"): number =>
        (statistics[key] ?? 0) - (before?.[key] ?? 0);
      return {
        longestTurnMs: statistics.longestTurnMs,
        ...(statistics.turnP999Ms === undefined ? {} : { turnP999Ms: statistics.turnP999Ms }),
        ...(since("messagesSent") > 0 ? { runLength: since("packetsSent") / since("messagesSent") } : {}),
        ...(since("packetsHeld") > 0 ? { heldShare: since("packetsHeld") / Math.max(1, since("packetsSent")) } : {}),
      };
    };
    return { port, pid: child.pid, report, stop: () => end(child) };
  });

/** Counters that a loop may have. */
interface LoopCounters {
  readonly packetsSent: number;
  readonly messagesSent?: number;
  readonly packetsHeld?: number;
  readonly turnP999Ms?: number;
}
