/**
 * What the supervisor and its child processes say to each other over the channel between parent and child. Pure; JSON.
 */

import type { PartsPlan } from "./appliance.ts";
import type { TlsIdentity } from "./config.ts";
import type { LogLevel } from "./log.ts";

export type ToChild =
  | { readonly type: "start"; readonly plan: PartsPlan; readonly level: LogLevel }
  | { readonly type: "bridges"; readonly bridges: Readonly<Record<string, string>> }
  | { readonly type: "identity"; readonly tls: TlsIdentity; readonly hosts: readonly string[] }
  | { readonly type: "stop"; readonly deadlineMs: number };

export type FromChild =
  | { readonly type: "started"; readonly ports: Readonly<Record<string, number>> }
  /** It cannot start, in one line; it ends after this. */
  | { readonly type: "refused"; readonly why: string }
  | { readonly type: "health" /** Undefined: well. */; readonly fault?: string };

const isTyped = (message: unknown): message is { readonly type: unknown } =>
  typeof message === "object" && message !== null && "type" in message;

// Both ends are the same program; the check keeps a stray message of a library that uses the channel from being taken for one of ours.
export const isToChild = (message: unknown): message is ToChild =>
  isTyped(message) &&
  (message.type === "start" || message.type === "bridges" || message.type === "identity" || message.type === "stop");

export const isFromChild = (message: unknown): message is FromChild =>
  isTyped(message) && (message.type === "started" || message.type === "refused" || message.type === "health");
