/**
 * The SRTP providers of this machine, and which is fastest for each profile: measured in a few milliseconds at start (design.md 4), because that is a
 * property of the processor (with or without AES, carry-less multiplication and SHA instructions), not of the program.
 */
import type { SrtpProfile } from "../media-commands.ts";
import {
  type PacketMemory,
  SRTP_PROFILES,
  type SrtpProvider,
  type SrtpProviderName,
  type SrtpTransform,
} from "./srtp.ts";
import { gnutlsProvider } from "./srtp-gnutls.ts";
import { SRTP_PROFILE_SIZES, sessionKeys } from "./srtp-keys.ts";
import { libcryptoProvider } from "./srtp-libcrypto.ts";
import { nodeProvider } from "./srtp-node.ts";
import {
  KERNEL_TABLE_BYTES,
  KernelContexts,
  type KernelRegion,
  kernelProvider,
  kernelRegionBytes,
} from "./srtp-scalar/srtp-scalar.ts";

export { KERNEL_TABLE_BYTES, type KernelRegion, kernelRegionBytes };

/**
 * The providers that run here. Below KERNEL_TABLE_BYTES the memory is the kernel's, as the region is. `missing` says why one does not. `systemOnly`:
 * the libraries alone, without our kernels.
 */
export function srtpProviders(
  memory: PacketMemory,
  region: KernelRegion,
  systemOnly = false,
): { readonly providers: readonly SrtpProvider[]; readonly missing: Readonly<Record<string, string>> } {
  const providers: SrtpProvider[] = [];
  const missing: Record<string, string> = {};
  const attempt = (name: SrtpProviderName, make: () => SrtpProvider): void => {
    try {
      providers.push(make());
    } catch (error) {
      missing[name] = error instanceof Error ? error.message : String(error);
    }
  };
  attempt("gnutls", () => gnutlsProvider(memory));
  attempt("libcrypto", () => libcryptoProvider(memory));
  if (systemOnly) return { providers, missing };
  const contexts = new KernelContexts(region);
  attempt("vector", () => kernelProvider("vector", memory, contexts));
  attempt("scalar", () => kernelProvider("scalar", memory, contexts));
  attempt("node", () => nodeProvider(memory));
  return { providers, missing };
}

/** The provider chosen for a profile, and what each was measured at. */
export interface SrtpChoice {
  readonly provider: SrtpProvider;
  /** To protect one packet of 1200 bytes. */
  readonly microsPerPacket: number;
  readonly measured: readonly { readonly name: SrtpProviderName; readonly microsPerPacket: number }[];
}

const MEASURED_PACKET_BYTES = 1200;
const HEADER_BYTES = 32;
/** The just-in-time compiler needs some thousand calls; a slow provider is stopped by the clock. */
const WARM_UP_MS = 15;
const ROUNDS = 10;
const PACKETS_PER_ROUND = 25;
/** Small: a kernel that is still interpreted takes a millisecond a packet on a small box. */
const PACKETS_PER_WARM_UP = 4;

/**
 * Measures every provider for every profile. `scratch`: offset of 4 KiB of the packet memory that may be overwritten; `clock`: milliseconds with a
 * fraction. `pinned`: the configuration's choice, taken unmeasured against others for the profiles that it can do. Throws where it does not run here at all, or where nobody
 * can do a profile.
 */
export function chooseProviders(
  memory: PacketMemory,
  providers: readonly SrtpProvider[],
  scratch: number,
  clock: () => number,
  pinned: SrtpProviderName | "auto" = "auto",
): Readonly<Record<SrtpProfile, SrtpChoice>> {
  const chosen = providers.find(({ name }) => name === pinned);
  if (pinned !== "auto" && chosen === undefined)
    throw new Error(`the SRTP provider ${pinned} does not run on this machine`);
  const runs = SRTP_PROFILES.flatMap((profile) => {
    const able = providers.filter(({ profiles }) => profiles.includes(profile));
    const candidates = chosen?.profiles.includes(profile) ? [chosen] : able;
    return candidates.map((provider) => new Measurement(memory, provider, profile, scratch, clock));
  });
  // All are warmed up before any is measured: the compiler works beside us, and the code they share gets its final shape.
  for (const run of runs) run.warmUp();
  for (const run of runs) run.measure();
  const choose = (profile: SrtpProfile): SrtpChoice => {
    const measured = runs.filter((run) => run.profile === profile).toSorted((a, b) => a.best - b.best);
    const [first] = measured;
    if (first === undefined) throw new Error(`no SRTP provider here can do ${profile}`);
    return {
      provider: first.provider,
      microsPerPacket: first.best,
      measured: measured.map((run) => ({ name: run.provider.name, microsPerPacket: run.best })),
    };
  };
  return {
    AEAD_AES_128_GCM: choose("AEAD_AES_128_GCM"),
    AES128_CM_HMAC_SHA1_80: choose("AES128_CM_HMAC_SHA1_80"),
  };
}

/**
 * µs of the system's libraries for a packet of 1200 bytes below which the processor has instructions for ciphers: 0.6 to 1.5 were measured with them, 5 and more without,
 * 8 and more for the kernels. Then nothing else can win, and compiling the kernels would only cost an idle box ten megabytes and a fifth of a second.
 */
export const CERTAIN_MICROS = 3;

/** Measures the system's libraries first and the others only where those do not win beyond doubt. Throws where nothing runs; see `chooseProviders`. */
export function chooseAmongAll(
  memory: PacketMemory,
  region: KernelRegion,
  scratch: number,
  clock: () => number,
  pinned: SrtpProviderName | "auto" = "auto",
): Readonly<Record<SrtpProfile, SrtpChoice>> {
  if (pinned === "auto" || pinned === "gnutls" || pinned === "libcrypto") {
    const { providers } = srtpProviders(memory, region, true);
    // Without libcrypto nothing here can do every profile.
    if (providers.some(({ name }) => name === "libcrypto")) {
      const choices = chooseProviders(memory, providers, scratch, clock, pinned);
      const certain = SRTP_PROFILES.every((profile) => choices[profile].microsPerPacket < CERTAIN_MICROS);
      if (certain || pinned === "libcrypto") return choices;
    }
  }
  const { providers, missing } = srtpProviders(memory, region);
  if (providers.length === 0) throw new Error(`no SRTP provider runs here: ${JSON.stringify(missing)}`);
  return chooseProviders(memory, providers, scratch, clock, pinned);
}

/** Profiles in the order that is cheapest here: what the DTLS side should prefer. */
export const profileOrder = (choices: Readonly<Record<SrtpProfile, SrtpChoice>>): readonly SrtpProfile[] =>
  SRTP_PROFILES.toSorted((a, b) => choices[a].microsPerPacket - choices[b].microsPerPacket);

/** By the transform itself: the compiled code of `SrtpContext` shall know the one that is used later, and no other. */
class Measurement {
  readonly provider: SrtpProvider;
  readonly profile: SrtpProfile;
  /** µs to protect one packet: the best of the rounds, since whatever else runs only ever adds. */
  best = Number.POSITIVE_INFINITY;
  readonly #memory: PacketMemory;
  readonly #scratch: number;
  readonly #clock: () => number;
  readonly #transform: SrtpTransform;
  #sequence = 0;

  constructor(
    memory: PacketMemory,
    provider: SrtpProvider,
    profile: SrtpProfile,
    scratch: number,
    clock: () => number,
  ) {
    this.provider = provider;
    this.profile = profile;
    this.#memory = memory;
    this.#scratch = scratch;
    this.#clock = clock;
    const sizes = SRTP_PROFILE_SIZES[profile];
    const master = { key: new Uint8Array(sizes.key).fill(1), salt: new Uint8Array(sizes.salt).fill(2) };
    this.#transform = provider.createTransform(profile, sessionKeys(profile, master), "send");
  }

  warmUp(): void {
    const begin = this.#clock();
    while (this.#clock() - begin < WARM_UP_MS) this.#round(PACKETS_PER_WARM_UP);
  }

  measure(): void {
    for (let i = 0; i < ROUNDS; i++) this.best = Math.min(this.best, this.#round(PACKETS_PER_ROUND));
    this.#transform.close();
  }

  #round(packets: number): number {
    const { bytes } = this.#memory;
    const at = this.#scratch;
    bytes.fill(0, at, at + HEADER_BYTES);
    bytes[at] = 0x80;
    const begin = this.#clock();
    for (let i = 0; i < packets; i++) {
      const index = this.#sequence++;
      const sequence = index & 0xffff;
      bytes[at + 2] = sequence >> 8;
      bytes[at + 3] = sequence;
      const payload = MEASURED_PACKET_BYTES - HEADER_BYTES;
      this.#transform.sealRtp(at, HEADER_BYTES, at + 2048, payload, 0, index >>> 16, sequence);
    }
    return ((this.#clock() - begin) * 1000) / packets;
  }
}
