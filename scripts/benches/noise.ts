/**
 * How busy the machine was with other things during a run: what makes a figure worth less. From `/proc/stat` before and after, and the processor time that the
 * run itself is known to have used. Pure.
 */

/** Ticks since the machine started, of all processors together. */
export interface MachineTimes {
  readonly busy: number;
  /** Taken by the host of a virtual machine. */
  readonly steal: number;
  readonly total: number;
  readonly processors: number;
}

/** proc_stat(5); undefined where the text is something else. */
export function parseProcStat(text: string): MachineTimes | undefined {
  const match = /^cpu +([\d ]+)$/m.exec(text);
  if (match?.[1] === undefined) return undefined;
  const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softIrq = 0, steal = 0] = match[1]
    .trim()
    .split(" ")
    .map(Number);
  const busy = user + nice + system + irq + softIrq;
  return { busy, steal, total: busy + idle + wait + steal, processors: (text.match(/^cpu\d+ /gm) ?? []).length };
}

/** In processors: 0.1 is a tenth of one. */
export interface Noise {
  /** Work of others on this machine. */
  readonly others: number;
  readonly steal: number;
}

const TICKS_PER_SECOND = 100;
/** More than this and the figure is marked. */
const MOST_OTHERS = 0.15;
const MOST_STEAL = 0.03;

/** `ownSeconds`: processor time of the run's own processes in between. */
export function noiseBetween(before: MachineTimes, after: MachineTimes, ownSeconds: number): Noise {
  const wall = (after.total - before.total) / Math.max(1, after.processors);
  if (wall <= 0) return { others: 0, steal: 0 };
  return {
    others: Math.max(0, (after.busy - before.busy - ownSeconds * TICKS_PER_SECOND) / wall),
    steal: Math.max(0, (after.steal - before.steal) / wall),
  };
}

export const isNoisy = ({ others, steal }: Noise): boolean => others > MOST_OTHERS || steal > MOST_STEAL;

export const worst = (noises: readonly Noise[]): Noise => ({
  others: Math.max(0, ...noises.map(({ others }) => others)),
  steal: Math.max(0, ...noises.map(({ steal }) => steal)),
});

/** A mark behind a line: empty where the machine was ours. */
export const noiseMark = (noise: Noise): string =>
  isNoisy(noise)
    ? `   NOISY: others used ${noise.others.toFixed(2)} of a core${noise.steal > MOST_STEAL ? `, the host took ${noise.steal.toFixed(2)}` : ""}`
    : "";
