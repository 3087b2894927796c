/**
 * What every part (xmpp, focus, bridge, gateway) is to the process that runs it.
 */
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";

/** What a part gets beside its slice of the configuration. */
export interface PartEnvironment {
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** A part that runs. */
export interface RunningPart {
  /** The ports it listens on, by name (design.md 5); a port 0 in the configuration is resolved here. */
  readonly ports: Readonly<Record<string, number>>;
  /** Undefined when well; otherwise why not, in one line. */
  health(): string | undefined;
  /** Stops orderly: no new work, goodbye to peers, sockets closed; resolves when done. Bounded by `deadlineMs`. */
  stop(deadlineMs: number): Promise<void>;
}
