/**
 * Shell: tests only: the SRTP provider that `./scripts/test --provider NAME` pins for everything that does not test providers themselves; node:crypto where none is
 * pinned, because it needs nothing.
 */
import { ptr } from "bun:ffi";
import type { SrtpProfile } from "../media-commands.ts";
import {
  type PacketMemory,
  SRTP_PROFILES,
  SRTP_PROVIDER_NAMES,
  type SrtpProvider,
  type SrtpProviderName,
} from "../transport/srtp.ts";
import { srtpProviders } from "../transport/srtp-providers.ts";
import { Layout } from "./layout.ts";

/** What a box or bridge under test is to be started with. */
export function pinnedProvider(): SrtpProviderName | "auto" {
  const wanted = process.env["PARLEY_TEST_SRTP_PROVIDER"] ?? "";
  if (wanted === "") return "auto";
  const found = SRTP_PROVIDER_NAMES.find((name) => name === wanted);
  if (found === undefined) throw new Error(`no SRTP provider ${wanted}: ${SRTP_PROVIDER_NAMES.join(", ")}`);
  return found;
}

/** Packet memory with its address in this process, which libcrypto needs. */
export function addressed(memory: WebAssembly.Memory): PacketMemory {
  const bytes = new Uint8Array(memory.buffer);
  return { memory, bytes, base: ptr(bytes) as number };
}

/** For a media loop in this memory (layout.ts); `contexts`: how many it may have open. Throws where the pinned one does not run. */
export function loopProvider(memory: PacketMemory, contexts: number): SrtpProvider {
  const pinned = pinnedProvider();
  const wanted = pinned === "auto" ? "node" : pinned;
  const { providers, missing } = srtpProviders(memory, { at: Layout.kernel, contexts });
  const found = providers.find(({ name }) => name === wanted);
  if (found === undefined) throw new Error(`the SRTP provider ${wanted} does not run here: ${missing[wanted] ?? ""}`);
  // What it cannot do is done by the first that can, as in a bridge.
  const able = (profile: SrtpProfile): SrtpProvider =>
    [found, ...providers].find(({ profiles }) => profiles.includes(profile)) ?? found;
  return {
    name: found.name,
    profiles: SRTP_PROFILES,
    createTransform: (profile, keys, direction) => able(profile).createTransform(profile, keys, direction),
  };
}
