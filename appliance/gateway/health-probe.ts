/**
 * Shell: asks the parts whether they are well: all at once, bounded in time, once a second at most however many ask.
 */
import type { PartsVerdict, Probe, ProbeAnswer } from "./parts-health.ts";
import { verdictOf } from "./parts-health.ts";

const TIMEOUT_MS = 2_000;
const KEEP_MS = 1_000;
const MAX_BYTES = 4_096;

export class HealthProbe {
  readonly #probes: () => readonly Probe[];
  readonly #now: () => number;
  #running: Promise<PartsVerdict> | undefined;
  #last: { readonly at: number; readonly verdict: PartsVerdict } | undefined;

  constructor(probes: () => readonly Probe[], now: () => number) {
    this.#probes = probes;
    this.#now = now;
  }

  check(): Promise<PartsVerdict> {
    if (this.#last !== undefined && this.#now() - this.#last.at < KEEP_MS) return Promise.resolve(this.#last.verdict);
    this.#running ??= this.#ask().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #ask(): Promise<PartsVerdict> {
    const answers = this.#probes().map(async (probe) => [probe, await ask(probe)] as const);
    const verdict = verdictOf(await Promise.all(answers));
    this.#last = { at: this.#now(), verdict };
    return verdict;
  }
}

async function ask({ url, host }: Probe): Promise<ProbeAnswer | undefined> {
  try {
    const response = await fetch(url, {
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(host === undefined ? {} : { headers: { Host: host } }),
    });
    const reader = response.body?.getReader();
    const { value } = (await reader?.read()) ?? {};
    await reader?.cancel(); // the first words are enough
    return { status: response.status, body: new TextDecoder().decode(value?.subarray(0, MAX_BYTES)) };
  } catch {
    return undefined; // the verdict says that it does not answer
  }
}
