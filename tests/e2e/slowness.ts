/**
 * Shell: how busy the machine is for somebody else's sake: a limit in seconds means something on a free machine only. Four times a second a short
 * computation is timed by the wall and by its own use of the CPU; their ratio is how much longer everything takes.
 */

const EVERY_MS = 250;
const COMPUTE_MS = 4;
/** A computation that has not had its time after so long is cut short. */
const PATIENCE_MS = 1_000;

export class Slowness {
  #wallMs = 0;
  #cpuMs = 0;
  readonly #timer = setInterval(() => this.#sample(), EVERY_MS);

  #sample(): void {
    const cpu = process.cpuUsage();
    const from = performance.now();
    let usedMs = 0;
    while (usedMs < COMPUTE_MS && performance.now() - from < PATIENCE_MS) {
      const { user, system } = process.cpuUsage(cpu);
      usedMs = (user + system) / 1000;
    }
    this.#wallMs += performance.now() - from;
    this.#cpuMs += usedMs;
  }

  /** Ends the measurement: 1 on a free machine, 3 where everything takes three times as long. */
  stop(): number {
    clearInterval(this.#timer);
    this.#sample();
    return Math.max(1, this.#wallMs / Math.max(1, this.#cpuMs));
  }
}
