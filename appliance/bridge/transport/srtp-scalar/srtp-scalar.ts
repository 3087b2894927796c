/**
 * Shell: loads our own SRTP kernels (assembly/, built by build.ts) over the packet memory, for processors without AES and SHA instructions (Raspberry
 * Pi 3, 4, Zero 2 W): kernel.wasm without SIMD, and kernel-vector.wasm with it, from the same sources. What is faster here is measured at start.
 *
 * Instructions to protect a packet of 1200 bytes on an emulated Cortex-A72, crypto instructions hidden, AES-128-CM with HMAC-SHA1 / GCM:
 * without SIMD 65.3 k / 63.0 k, with SIMD 42.5 k / 39.5 k; OpenSSL 3.0 with NEON 56.6 k / 61.8 k, with tables alone 78.5 k / 84.0 k.
 *
 * What was chosen, and why:
 * - Without SIMD, AES by table (four of 1 KiB): four blocks bitsliced in 64-bit words were estimated at some 37 instructions a byte, the tables take 38, and
 *   fewer where a packet of speech does not fill four blocks. The price is that look-ups are not constant in time. Whoever could measure that runs
 *   code on the same processor, i.e. on the box, where the keys lie in readable memory of the same user; from the network, single cache misses
 *   of some ns are far below the jitter of a packet's way, and a key lives as long as one stay in a meeting.
 * - With SIMD, AES bitsliced, eight blocks at once: constant in time, and 17 instructions a byte.
 * - Tags are compared in constant time in both. GHASH is by table in both (4 KiB a key, a byte at a time).
 * - Without SIMD counter mode's first two AES rounds are shared by all blocks of a packet. HMAC begins from states kept after the padded key.
 * - One packet a call: a call costs some 10 ns (facts of the data plane) and a packet some µs.
 * - The modules are kept in the repository: 13 KiB each, reproducible from the pinned compiler (a test holds that sources and modules belong together), and neither the card nor a first
 *   start needs the compiler.
 */
import { readFileSync } from "node:fs";
import type { SrtpProfile } from "../../media-commands.ts";
import {
  type PacketMemory,
  SRTP_MALFORMED,
  SRTP_PROFILES,
  type SrtpDirection,
  type SrtpProvider,
  type SrtpTransform,
} from "../srtp.ts";
import type { SessionKeySet, SessionKeys } from "../srtp-keys.ts";

/** Part of the packet memory that the kernel keeps its contexts in. */
export interface KernelRegion {
  /** Offset, a multiple of 64, at least KERNEL_TABLE_BYTES. */
  readonly at: number;
  /** Contexts that may be open at once, all endpoints and both directions. */
  readonly contexts: number;
}

/** The packet memory begins with the kernel's tables: nothing else may lie below this offset. */
export const KERNEL_TABLE_BYTES = 16_384;

// assembly/layout.ts
const SET_BYTES = 1536 + 4096;
const CONTEXT_BYTES = 2 * SET_BYTES;
/** Keys on their way in. */
const KEYS = 5120;
/** The counter of a packet's blocks has 8 bits here, and GCM begins at 2. */
const MAX_PAYLOAD_BYTES = 4032;

/** Bytes of a region for that many contexts. Pages that were never used take no memory. */
export const kernelRegionBytes = (contexts: number): number => contexts * CONTEXT_BYTES;

/** What kernel.wasm exports (assembly/index.ts). */
interface Kernel {
  init(): void;
  setCounterKeys(keys: number, cipherKey: number, authKey: number, salt: number): void;
  setGcmKeys(keys: number, cipherKey: number, salt: number): void;
  readonly sealCounterRtp: SealRtp;
  readonly sealGcmRtp: SealRtp;
  readonly openCounterRtp: OpenRtp;
  readonly openGcmRtp: OpenRtp;
  readonly sealCounterRtcp: SealRtcp;
  readonly sealGcmRtcp: SealRtcp;
  readonly openCounterRtcp: OpenRtcp;
  readonly openGcmRtcp: OpenRtcp;
}
type SealRtp = (
  keys: number,
  destination: number,
  headerBytes: number,
  source: number,
  payloadBytes: number,
  ssrc: number,
  roc: number,
  sequence: number,
) => number;
type OpenRtp = (
  keys: number,
  packet: number,
  headerBytes: number,
  length: number,
  ssrc: number,
  roc: number,
  sequence: number,
) => number;
type SealRtcp = (keys: number, packet: number, length: number, ssrc: number, index: number) => number;
type OpenRtcp = (
  keys: number,
  packet: number,
  length: number,
  ssrc: number,
  index: number,
  encrypted: number,
) => number;

export type KernelName = "scalar" | "vector";

export const KERNEL_FILES: Readonly<Record<KernelName, URL>> = {
  scalar: new URL("./kernel.wasm", import.meta.url),
  vector: new URL("./kernel-vector.wasm", import.meta.url),
};

/** Gives out the contexts of a region, to both kernels. */
export class KernelContexts {
  readonly #region: KernelRegion;
  /** Offsets given back; the last one is used first. */
  readonly #free: number[] = [];
  #unused = 0;

  constructor(region: KernelRegion) {
    this.#region = region;
  }

  take(): number {
    const at = this.#free.pop();
    if (at !== undefined) return at;
    const { at: start, contexts } = this.#region;
    if (this.#unused >= contexts) throw new RangeError(`the SRTP kernel has ${contexts} contexts, all in use`);
    return start + this.#unused++ * CONTEXT_BYTES;
  }

  give(at: number): void {
    this.#free.push(at);
  }
}

/** A kernel over one packet memory. Throws where its file is missing or the machine's WebAssembly does not take it (SIMD). */
export function kernelProvider(name: KernelName, memory: PacketMemory, contexts: KernelContexts): SrtpProvider {
  const module = new WebAssembly.Module(readFileSync(KERNEL_FILES[name]));
  const instance = new WebAssembly.Instance(module, { env: { memory: memory.memory } });
  const kernel = instance.exports as unknown as Kernel;
  kernel.init();
  return {
    name,
    profiles: SRTP_PROFILES,
    createTransform: (profile: SrtpProfile, keys: SessionKeys, _direction: SrtpDirection): SrtpTransform => {
      const at = contexts.take();
      const set = (to: number, from: SessionKeySet): void => {
        memory.bytes.set(from.key, KEYS);
        memory.bytes.set(from.authKey, KEYS + 16);
        memory.bytes.set(from.salt, KEYS + 36);
        if (profile === "AEAD_AES_128_GCM") kernel.setGcmKeys(to, KEYS, KEYS + 36);
        else kernel.setCounterKeys(to, KEYS, KEYS + 16, KEYS + 36);
        memory.bytes.fill(0, KEYS, KEYS + 64);
      };
      set(at, keys.rtp);
      set(at + SET_BYTES, keys.rtcp);
      const wipe = (): void => {
        memory.bytes.fill(0, at, at + CONTEXT_BYTES);
        contexts.give(at);
      };
      return profile === "AEAD_AES_128_GCM"
        ? new GcmTransform(kernel, at, wipe)
        : new CounterTransform(kernel, at, wipe);
    },
  };
}

/** AES-128-CM with HMAC-SHA1-80. */
class CounterTransform implements SrtpTransform {
  readonly tagBytes = 10;
  readonly rtcpBytesAfterIndex = 10;
  readonly #kernel: Kernel;
  readonly #at: number;
  readonly #wipe: () => void;

  constructor(kernel: Kernel, at: number, wipe: () => void) {
    this.#kernel = kernel;
    this.#at = at;
    this.#wipe = wipe;
  }

  sealRtp(
    destination: number,
    headerBytes: number,
    source: number,
    payloadBytes: number,
    ssrc: number,
    roc: number,
    sequence: number,
  ): number {
    if (payloadBytes > MAX_PAYLOAD_BYTES) return SRTP_MALFORMED;
    return this.#kernel.sealCounterRtp(this.#at, destination, headerBytes, source, payloadBytes, ssrc, roc, sequence);
  }
  openRtp(packet: number, headerBytes: number, length: number, ssrc: number, roc: number, sequence: number): number {
    if (length > MAX_PAYLOAD_BYTES) return SRTP_MALFORMED;
    return this.#kernel.openCounterRtp(this.#at, packet, headerBytes, length, ssrc, roc, sequence);
  }
  sealRtcp(packet: number, length: number, ssrc: number, index: number): number {
    if (length > MAX_PAYLOAD_BYTES) return SRTP_MALFORMED;
    return this.#kernel.sealCounterRtcp(this.#at + SET_BYTES, packet, length, ssrc, index);
  }
  openRtcp(packet: number, length: number, ssrc: number, index: number, encrypted: boolean): number {
    if (length > MAX_PAYLOAD_BYTES) return SRTP_MALFORMED;
    return this.#kernel.openCounterRtcp(this.#at + SET_BYTES, packet, length, ssrc, index, encrypted ? 1 : 0);
  }
  ahead(): number {
    return 0;
  }

  close(): void {
    this.#wipe();
  }
}

/** AEAD-AES-128-GCM. */
class GcmTransform implements SrtpTransform {
  readonly tagBytes = 16;
  readonly rtcpBytesAfterIndex = 0;
  readonly #kernel: Kernel;
  readonly #at: number;
  readonly #wipe: () => void;

  constructor(kernel: Kernel, at: number, wipe: () => void) {
    this.#kernel = kernel;
    this.#at = at;
    this.#wipe = wipe;
  }

  sealRtp(
    destination: number,
    headerBytes: number,
    source: number,
    payloadBytes: number,
    ssrc: number,
    roc: number,
    sequence: number,
  ): number {
    if (payloadBytes > MAX_PAYLOAD_BYTES) return SRTP_MALFORMED;
    return this.#kernel.sealGcmRtp(this.#at, destination, headerBytes, source, payloadBytes, ssrc, roc, sequence);
  }
  openRtp(packet: number, headerBytes: number, length: number, ssrc: number, roc: number, sequence: number): number {
    if (length > MAX_PAYLOAD_BYTES) return SRTP_MALFORMED;
    return this.#kernel.openGcmRtp(this.#at, packet, headerBytes, length, ssrc, roc, sequence);
  }
  sealRtcp(packet: number, length: number, ssrc: number, index: number): number {
    if (length > MAX_PAYLOAD_BYTES) return SRTP_MALFORMED;
    return this.#kernel.sealGcmRtcp(this.#at + SET_BYTES, packet, length, ssrc, index);
  }
  openRtcp(packet: number, length: number, ssrc: number, index: number, encrypted: boolean): number {
    if (length > MAX_PAYLOAD_BYTES) return SRTP_MALFORMED;
    return this.#kernel.openGcmRtcp(this.#at + SET_BYTES, packet, length, ssrc, index, encrypted ? 1 : 0);
  }
  ahead(): number {
    return 0;
  }

  close(): void {
    this.#wipe();
  }
}
