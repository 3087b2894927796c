/**
 * What the process that runs the gateway may ask of it beside what every part answers.
 */
import type { TlsIdentity } from "../config.ts";
import type { RunningPart } from "../part.ts";

export interface RunningGateway extends RunningPart {
  /** Server id → `http://host:port` of bridges of this machine; replaces the last such table, not the configured one. */
  setBridges(bridges: Readonly<Record<string, string>>): void;
  /** A new certificate and the names it stands for; connections that are open stay. */
  setIdentity(tls: TlsIdentity, hosts: readonly string[]): Promise<void>;
}
