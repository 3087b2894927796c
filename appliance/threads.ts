/**
 * Shell: how many threads this process has, as the system counts them; statistics of focus and bridge tell it.
 */
import { readdirSync } from "node:fs";

/** 0 where the system does not say (no /proc). */
export function threadCount(): number {
  try {
    return readdirSync("/proc/self/task").length;
  } catch {
    return 0; // another system than Linux: the number is for people to look at, nothing depends on it
  }
}
