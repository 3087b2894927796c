/**
 * What passes between start.ts and worker.ts: the commands and events of media-commands.ts, and the worker's own beginning and end.
 */
import type { BridgeConfig } from "../../config.ts";
import type { MediaCommand, MediaEvent } from "../media-commands.ts";
import type { HoldingOptions } from "./holding.ts";

export interface WorkerOptions {
  /** Local addresses to bind, text form. */
  readonly addresses: readonly string[];
  /** 0: any that is free on all of them. */
  readonly port: number;
  readonly srtpProvider: BridgeConfig["srtpProvider"];
  /** Addresses whose datagrams are taken; undefined: all (design.md 5: without `lan` only this machine's own). */
  readonly onlyFrom: readonly string[] | undefined;
  /** Core of this thread, counted from the last that the process may use; undefined: any. */
  readonly pin: number | undefined;
  /** Use UDP_SEGMENT where the kernel has it. */
  readonly segmenting: boolean;
  /** Use UDP_GRO where the kernel has it. */
  readonly coalescing: boolean;
  readonly holding: HoldingOptions;
  /** Counter that wakes the worker; the same process, so the number is enough. */
  readonly wakeFd: number;
}

export type ToWorker =
  | { readonly type: "start"; readonly options: WorkerOptions }
  | { readonly type: "commands"; readonly commands: readonly MediaCommand[] };

export type FromWorker =
  | { readonly type: "events"; readonly events: readonly MediaEvent[] }
  | { readonly type: "stopped" };
