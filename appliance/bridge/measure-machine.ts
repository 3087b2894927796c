/**
 * Shell: what a bridge would measure at its start, for `parley doctor`: who encrypts fastest here, what a datagram costs, and what follows from that.
 */
import { ptr } from "bun:ffi";
import { Capacity } from "./capacity.ts";
import type { SrtpProfile } from "./media-commands.ts";
import { KERNEL_CONTEXTS, Layout, MEMORY_PAGES } from "./media-loop/layout.ts";
import { measureDatagrams } from "./media-loop/measure-datagrams.ts";
import { SRTP_PROFILES, type SrtpProviderName } from "./transport/srtp.ts";
import { chooseAmongAll } from "./transport/srtp-providers.ts";

export interface MachineMeasurement {
  /** In the order of what is preferred. */
  readonly profiles: readonly {
    readonly profile: SrtpProfile;
    readonly provider: SrtpProviderName;
    /** For a packet of 1200 bytes. */
    readonly microsPerPacket: number;
    /** Of all that were measured, the chosen one included. */
    readonly measured: readonly { readonly name: SrtpProviderName; readonly microsPerPacket: number }[];
  }[];
  readonly datagramMicros: number;
  /** Cameras that one bridge forwards at once, each counted once per receiver. */
  readonly cameras: number;
}

/** Takes some 50 ms where libcrypto wins beyond doubt, a second elsewhere. Throws where the pinned provider does not run. */
export function measureMachine(pinned: SrtpProviderName | "auto", maxCameras: number): MachineMeasurement {
  const clock = (): number => performance.now();
  const buffer = new WebAssembly.Memory({ initial: MEMORY_PAGES, maximum: MEMORY_PAGES });
  const bytes = new Uint8Array(buffer.buffer);
  const memory = { memory: buffer, bytes, base: ptr(bytes) as number };
  const region = { at: Layout.kernel, contexts: KERNEL_CONTEXTS };
  const choices = chooseAmongAll(memory, region, Layout.scratch, clock, pinned);
  const datagramMicros = measureDatagrams(memory, clock);
  const profiles = SRTP_PROFILES.map((profile) => {
    const { provider, microsPerPacket, measured } = choices[profile];
    return { profile, provider: provider.name, microsPerPacket, measured };
  }).toSorted((one, other) => one.microsPerPacket - other.microsPerPacket);
  const microsPerPacket = (profiles[0]?.microsPerPacket ?? 0) + datagramMicros;
  return { profiles, datagramMicros, cameras: new Capacity({ microsPerPacket, maxCameras }).cameras };
}
