/**
 * Shell: starts the media loop's Worker and talks to it.
 */
import type { BridgeConfig } from "../../config.ts";
import type { MediaCommand, MediaEvent } from "../media-commands.ts";
import { libc, openEventFd, wakeEventFd } from "../native/libc.ts";
import { MAX_ENDPOINTS, MAX_SOURCES } from "./bounds.ts";
import { type HoldingOptions, NO_HOLDING } from "./holding.ts";
import type { FromWorker, ToWorker } from "./worker-messages.ts";

/** A worker that does not end by itself is ended. */
const STOP_MS = 2000;

export interface MediaLoopStartOptions {
  /** Local addresses to bind, text form; one socket each. */
  readonly addresses: readonly string[];
  /** 0: any that is free on all of them. */
  readonly port: number;
  readonly srtpProvider: BridgeConfig["srtpProvider"];
  /** Addresses whose datagrams are taken; absent: all (design.md 5: without `lan` only this machine's own). */
  readonly onlyFrom?: readonly string[];
  /** Core of the loop's thread, counted from the last that the process may use (0: the last); absent: any. */
  readonly pin?: number;
  /** Use UDP_SEGMENT; absent: true. The bench turns it off to compare. */
  readonly segmenting?: boolean;
  /** Use UDP_GRO; absent: true. */
  readonly coalescing?: boolean;
  /** How long video may wait under load; absent: it never does. */
  readonly holding?: HoldingOptions;
}

export interface MediaLoopHandle {
  /** Commands are applied in order, between two packet batches. */
  send(commands: readonly MediaCommand[]): void;
  /** Closes the sockets and ends the thread. */
  stop(): Promise<void>;
  readonly ready: Promise<Extract<MediaEvent, { type: "ready" }>>;
  readonly maxEndpoints: number;
  readonly maxSources: number;
}

/** `onEvents` hears everything, `ready` included; a `fault` is the last. */
export function startMediaLoop(
  options: MediaLoopStartOptions,
  onEvents: (events: readonly MediaEvent[]) => void,
): MediaLoopHandle {
  const wakeFd = openEventFd();
  const worker = new Worker(new URL("./worker.ts", import.meta.url).href);
  const ready = Promise.withResolvers<Extract<MediaEvent, { type: "ready" }>>();
  ready.promise.catch(() => {}); // whoever does not await it hears of the fault as an event
  const stopped = Promise.withResolvers<void>();
  let ended = false;

  const end = (): void => {
    if (ended) return;
    ended = true;
    worker.terminate();
    libc.close(wakeFd);
    stopped.resolve();
  };
  const fault = (message: string): void => {
    if (ended) return;
    ready.reject(new Error(message));
    end();
    onEvents([{ type: "fault", message }]);
  };

  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
    if (data.type === "stopped") return end();
    for (const event of data.events) {
      if (event.type === "ready") ready.resolve(event);
      else if (event.type === "fault") ready.reject(new Error(event.message));
    }
    onEvents(data.events);
  };
  worker.onerror = (event) => fault(`the media loop failed: ${event.message}`);
  worker.addEventListener("close", () => fault("the media loop ended"));

  const post = (message: ToWorker): void => {
    if (ended) return;
    worker.postMessage(message);
    wakeEventFd(wakeFd);
  };
  post({
    type: "start",
    options: {
      addresses: options.addresses,
      port: options.port,
      srtpProvider: options.srtpProvider,
      onlyFrom: options.onlyFrom,
      pin: options.pin,
      segmenting: options.segmenting ?? true,
      coalescing: options.coalescing ?? true,
      holding: options.holding ?? NO_HOLDING,
      wakeFd,
    },
  });

  return {
    ready: ready.promise,
    maxEndpoints: MAX_ENDPOINTS,
    maxSources: MAX_SOURCES,
    send: (commands) => {
      if (commands.length > 0) post({ type: "commands", commands });
    },
    stop: async () => {
      post({ type: "commands", commands: [{ type: "stop" }] });
      const limit = setTimeout(end, STOP_MS);
      await stopped.promise;
      clearTimeout(limit);
    },
  };
}
