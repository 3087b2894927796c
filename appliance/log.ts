/**
 * Shell: structured log lines (pino, JSON). Lines of one reason are rate-limited, so that a flood on the network is no flood on the card.
 * No personal data above debug: names, texts and addresses of people stay out of info, warn and error.
 */
import pino from "pino";
import { monotonicNow } from "./clock.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

/** Fields of a line; `reason` is what rate-limiting counts by (default: the message). */
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  child(fields: LogFields): Logger;
}

const WINDOW_MS = 10_000;
const LINES_PER_WINDOW = 20;
const REASONS_KEPT = 1_000;

/** A logger writing JSON lines to file descriptor 2 (or `destination`, a file path). */
export function createLogger(part: string, level: LogLevel = "info", destination: string | number = 2): Logger {
  const root = pino(
    { level, base: { part, pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: destination, sync: true }),
  );
  const seen = new Map<string, { since: number; lines: number }>();
  const allowed = (target: pino.Logger, reason: string): boolean => {
    const now = monotonicNow();
    const entry = seen.get(reason);
    if (entry === undefined || now - entry.since > WINDOW_MS) {
      if (entry !== undefined && entry.lines > LINES_PER_WINDOW)
        target.warn({ reason, suppressed: entry.lines - LINES_PER_WINDOW }, "log lines suppressed");
      if (seen.size >= REASONS_KEPT) seen.clear();
      seen.set(reason, { since: now, lines: 1 });
      return true;
    }
    entry.lines++;
    return entry.lines <= LINES_PER_WINDOW;
  };
  const wrap = (target: pino.Logger): Logger => {
    const write =
      (method: LogLevel) =>
      (message: string, fields: LogFields = {}): void => {
        const reason = typeof fields["reason"] === "string" ? fields["reason"] : message;
        if (target.isLevelEnabled(method) && allowed(target, reason)) target[method](fields, message);
      };
    return {
      debug: write("debug"),
      info: write("info"),
      warn: write("warn"),
      error: write("error"),
      child: (fields) => wrap(target.child(fields)),
    };
  };
  return wrap(root);
}

/** A logger that keeps nothing: for tests that do not look at log lines. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLogger,
};
