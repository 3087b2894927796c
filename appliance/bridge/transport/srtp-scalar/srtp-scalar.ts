/**
 * Shell: loads the scalar SRTP kernel (assembly/, built into kernel.wasm by build.ts) over the packet memory. For processors without AES and SHA
 * instructions: Raspberry Pi 3, 4, Zero 2 W.
 *
 * What was chosen, and why:
 * - AES by table (four of 1 KiB), not bitsliced: four blocks in 64-bit words need some 37 instructions a byte, the tables 35, fewer where one packet of
 *   speech does not fill four blocks; both estimated from this kernel's own code and counted for the tables. The price is that table look-ups are
 *   not constant in time. Whoever could measure that runs code on the same processor, i.e. on the box, where the keys lie in readable memory of the
 *   same user; from the network, single cache misses of some ns are far below the jitter of a packet's way, and a key lives as long as one stay in a
 *   meeting. Tags are compared in constant time.
 * - Counter mode's first two AES rounds are shared by all blocks of a packet; HMAC begins from states kept after the padded key; GHASH takes a byte at
 *   a time from a table of 4 KiB a key.
 * - No SIMD: the module runs wherever WebAssembly does.
 * - One packet a call: a call costs some 10 ns (facts of the data plane) and a packet some µs, so that a list of packets would win nothing, and
 *   without SIMD there is no work to share between packets.
 * - kernel.wasm is kept in the repository: 12 KiB, reproducible from the pinned compiler (a test compares), and neither the card nor a first start
 *   needs the compiler.
 */
import { readFileSync } from "node:fs";
import type { SrtpProfile } from "../../media-commands.ts";
import {
  type PacketMemory,
  SRTP_MALFORMED,
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
export const KERNEL_TABLE_BYTES = 8192;

// assembly/layout.ts
const SET_BYTES = 256 + 4096;
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

export const KERNEL_FILE = new URL("./kernel.wasm", import.meta.url);

/** Provider over one packet memory; one per memory. Throws where WebAssembly or the file is missing. */
export function scalarProvider(memory: PacketMemory, region: KernelRegion): SrtpProvider {
  const module = new WebAssembly.Module(readFileSync(KERNEL_FILE));
  const instance = new WebAssembly.Instance(module, { env: { memory: memory.memory } });
  const kernel = instance.exports as unknown as Kernel;
  kernel.init();
  /** Offsets of free contexts; the one freed last is used first. */
  const free: number[] = [];
  let unused = 0;
  const take = (): number => {
    const at = free.pop();
    if (at !== undefined) return at;
    if (unused >= region.contexts)
      throw new RangeError(`the scalar kernel has ${region.contexts} contexts, all in use`);
    return region.at + unused++ * CONTEXT_BYTES;
  };
  return {
    name: "scalar",
    createTransform: (profile: SrtpProfile, keys: SessionKeys, _direction: SrtpDirection): SrtpTransform => {
      const at = take();
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
        free.push(at);
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
  close(): void {
    this.#wipe();
  }
}
