/**
 * Shell: reads `/proc/stat` around a run (noise.ts). A whole benchmark keeps the worst that any of its runs met.
 */
import { readFileSync } from "node:fs";
import { type MachineTimes, type Noise, noiseBetween, parseProcStat } from "./noise.ts";

let worstOthers = 0;

const times = (): MachineTimes =>
  parseProcStat(readFileSync("/proc/stat", "utf8")) ?? { busy: 0, steal: 0, total: 0, processors: 1 };

export class NoiseMeter {
  #before = times();

  begin(): void {
    this.#before = times();
  }

  /** `ownSeconds`: processor time that the run's own processes used since `begin`. */
  end(ownSeconds: number): Noise {
    const noise = noiseBetween(this.#before, times(), ownSeconds);
    worstOthers = Math.max(worstOthers, noise.others);
    return noise;
  }

  /** Of all runs of this process, processors. */
  get worstOthers(): number {
    return worstOthers;
  }
}
