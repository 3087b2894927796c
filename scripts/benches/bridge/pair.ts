/**
 * Shell: a measured server and the generator that loads it. Both live through all rounds of a load: what is measured is a server that has been at work for a
 * while, and rounds of several subjects can take turns, so that a change of the machine's mood meets all of them.
 */
import { join } from "node:path";
import type { Noise } from "../noise.ts";
import { NoiseMeter } from "../noise-meter.ts";
import { type Child, cpuBetween, cpuOf, end, Lines, LOAD_CORE, memoryOfProcess, pinned, spawn } from "../processes.ts";
import { type Spread, spread } from "../statistics.ts";
import type { GeneratorOptions, GeneratorResult } from "./generator.ts";

/** What a subject can say of itself after a round, beyond what the generator sees. */
export interface OwnReport {
  /** Longest turn of the media loop, ms. */
  readonly longestTurnMs?: number;
  /** Length that one turn in a thousand exceeds, ms. */
  readonly turnP999Ms?: number;
  /** Share of packets that waited for others, 0 … 1. */
  readonly heldShare?: number;
  /** Datagrams for each message given to the kernel. */
  readonly runLength?: number;
}

export interface Subject {
  readonly pid: number;
  /** Reads and resets its own counters. */
  report?(): Promise<OwnReport>;
  stop(): Promise<void>;
}

export interface Round {
  readonly cpuMicrosPerPacket: number;
  /** Share of one core that the subject used. */
  readonly cores: number;
  readonly packetsPerSecond: number;
  readonly received: number;
  readonly expected: number;
  /** Share of packets that went missing, 0 … 1. */
  readonly lost: number;
  readonly bad: number;
  readonly delayMs: GeneratorResult["delayMs"];
  readonly pssMb: number;
  readonly rssMb: number;
  /** µs a packet, by thread name. */
  readonly threads: Readonly<Record<string, number>>;
  /** Share of one core that the generator used: near 1 and it was the limit. */
  readonly generatorCores: number;
  readonly noise: Noise;
  readonly own: OwnReport;
}

export class Generator {
  readonly child: Child;
  readonly #lines: Lines;

  /** `network`: a process in whose network namespace it runs. */
  constructor(options: GeneratorOptions, network?: number) {
    const command = [process.execPath, join(import.meta.dirname, "load.ts"), JSON.stringify(options)];
    const inside = network === undefined ? [] : ["nsenter", "-t", String(network), "--net"];
    this.child = spawn([...inside, ...pinned(LOAD_CORE, command)]);
    this.#lines = new Lines(this.child.stdout, "the load generator");
  }

  next(): Promise<Record<string, unknown>> {
    return this.#lines.next();
  }

  command(command: Readonly<Record<string, unknown>>): void {
    this.child.stdin.write(`${JSON.stringify(command)}\n`);
    this.child.stdin.flush();
  }
}

export class Pair {
  readonly name: string;
  readonly rounds: Round[] = [];
  readonly #generator: Generator;
  readonly #subject: Subject;
  readonly #meter = new NoiseMeter();
  #warm = false;

  constructor(name: string, generator: Generator, subject: Subject) {
    this.name = name;
    this.#generator = generator;
    this.#subject = subject;
  }

  /** A server whose participants and keys are told to it: the floor, and our media loop alone. */
  static async keyed(
    name: string,
    options: GeneratorOptions,
    start: (ports: readonly number[]) => Promise<Subject & { readonly port: number }>,
  ): Promise<Pair> {
    const generator = new Generator(options);
    try {
      const { ports } = (await generator.next()) as { ports: number[] };
      const subject = await start(ports);
      generator.command({ connect: subject.port });
      await generator.next();
      return new Pair(name, generator, subject);
    } catch (error) {
      await end(generator.child);
      throw error;
    }
  }

  /** Loads until compilers and caches are where they stay: only once. The round is none of the measured ones; undefined: it was warm. */
  async warmUp(seconds: number, people?: number): Promise<Round | undefined> {
    if (this.#warm) return undefined;
    this.#warm = true;
    return await this.#run(seconds, people);
  }

  /** `people`: that many of the load's participants send, whole rooms of them; absent: all. */
  async measure(seconds: number, people?: number): Promise<Round> {
    await this.#subject.report?.();
    const round = await this.#run(seconds, people);
    this.rounds.push(round);
    return round;
  }

  async #run(seconds: number, people?: number): Promise<Round> {
    const { pid } = this.#subject;
    this.#generator.command({ seconds, ...(people === undefined ? {} : { people }) });
    await this.#generator.next(); // begin
    this.#meter.begin();
    const [before, generatorBefore] = [cpuOf(pid), cpuOf(this.#generator.child.pid)];
    await this.#generator.next(); // end
    const [after, generatorAfter] = [cpuOf(pid), cpuOf(this.#generator.child.pid)];
    const cpu = cpuBetween(before, after);
    const generatorCpu = cpuBetween(generatorBefore, generatorAfter);
    const noise = this.#meter.end(cpu.seconds + generatorCpu.seconds);
    const memory = memoryOfProcess(pid);
    const result = (await this.#generator.next()) as unknown as GeneratorResult;
    const own = (await this.#subject.report?.()) ?? {};
    const packets = Math.max(1, result.received);
    return {
      cpuMicrosPerPacket: (cpu.seconds * 1e6) / packets,
      cores: cpu.seconds / seconds,
      packetsPerSecond: result.received / seconds,
      received: result.received,
      expected: result.expected,
      lost: Math.max(0, 1 - result.received / Math.max(1, result.expected)),
      bad: result.bad,
      delayMs: result.delayMs,
      ...memory,
      threads: Object.fromEntries(
        Object.entries(cpu.threads).map(([name, threadSeconds]) => [name, (threadSeconds * 1e6) / packets]),
      ),
      generatorCores: generatorCpu.seconds / seconds,
      noise,
      own,
    };
  }

  async stop(): Promise<void> {
    await Promise.all([end(this.#generator.child), this.#subject.stop()]);
  }

  spreadOf(figure: (round: Round) => number): Spread {
    return spread(this.rounds.map(figure));
  }
}
