/**
 * Shell: which cores a thread may run on (sched_setaffinity(2)) and how long it has run (clock_gettime(2)); of the calling thread alone.
 */
import { libc } from "./libc.ts";
import { Pinned } from "./pinned.ts";

/** 1024 processors: what the C library's cpu_set_t holds. */
const MASK_BYTES = 128;

/** Cores that the calling thread may use, in order. */
export function allowedCores(): number[] {
  const mask = new Pinned(MASK_BYTES);
  if (libc.sched_getaffinity(0, MASK_BYTES, mask.at) < 0) return [];
  return Array.from({ length: MASK_BYTES * 8 }, (_, core) => core).filter(
    (core) => ((mask.bytes[core >> 3] as number) & (1 << (core & 7))) !== 0,
  );
}

/**
 * Ties the calling thread to one core, counted from the last that it may use (0: the last), so that the first ones stay for everything else. Answers which;
 * undefined where there is none to spare or the system refuses: the thread runs on as before.
 */
export function pinThread(fromLast: number): number | undefined {
  const cores = allowedCores();
  const core = cores[cores.length - 1 - fromLast];
  if (core === undefined || cores.length < 2) return undefined;
  const mask = new Pinned(MASK_BYTES);
  mask.bytes[core >> 3] = 1 << (core & 7);
  return libc.sched_setaffinity(0, MASK_BYTES, mask.at) === 0 ? core : undefined;
}

const CLOCK_THREAD_CPUTIME_ID = 3;
/** struct timespec: seconds, nanoseconds, 64 bits each. */
const timespec = new Pinned(16);

/** ms that the calling thread has run on a processor since its start; −1 where the system does not say. */
export function threadCpuMs(): number {
  if (libc.clock_gettime(CLOCK_THREAD_CPUTIME_ID, timespec.at) !== 0) return -1;
  return (timespec.words[0] as number) * 1_000 + (timespec.words[2] as number) / 1e6;
}
