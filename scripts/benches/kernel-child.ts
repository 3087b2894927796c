/**
 * Shell: measures every SRTP provider in this process and prints the best of some runs as JSON (kernel.ts). One argument: the number of runs.
 */
import { ptr } from "bun:ffi";
import type { SrtpProfile } from "../../appliance/bridge/media-commands.ts";
import { SRTP_PROFILES } from "../../appliance/bridge/transport/srtp.ts";
import {
  chooseProviders,
  KERNEL_TABLE_BYTES,
  kernelRegionBytes,
  srtpProviders,
} from "../../appliance/bridge/transport/srtp-providers.ts";

const CONTEXTS = 8;
const REGION = 65_536;
const pages = Math.ceil((REGION + kernelRegionBytes(CONTEXTS)) / 65_536);
const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
const bytes = new Uint8Array(memory.buffer);
const packets = { memory, bytes, base: ptr(bytes) as number };
const { providers } = srtpProviders(packets, { at: REGION, contexts: CONTEXTS });

const best = new Map<string, number>();
for (let run = 0; run < Number(process.argv[2] ?? 1); run++) {
  const choices = chooseProviders(packets, providers, KERNEL_TABLE_BYTES, () => performance.now());
  for (const profile of SRTP_PROFILES)
    for (const { name, microsPerPacket } of choices[profile].measured) {
      const key = `${profile} ${name}`;
      best.set(key, Math.min(best.get(key) ?? Number.POSITIVE_INFINITY, microsPerPacket));
    }
}

const result = Object.fromEntries(
  SRTP_PROFILES.map((profile: SrtpProfile) => [
    profile,
    providers
      .filter(({ profiles }) => profiles.includes(profile))
      .map(({ name }) => ({ name, microsPerPacket: best.get(`${profile} ${name}`) })),
  ]),
);
process.stdout.write(JSON.stringify(result));
