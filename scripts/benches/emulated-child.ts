/**
 * Shell: runs under emulation (emulated.ts): each SRTP provider protects packets of 1200 bytes between two marks that the emulator's plugin prints. The order of
 * marks is that of the rows printed as JSON on stdout. With the argument `loop` the whole core of the media loop follows.
 */
import { dlopen, FFIType, ptr } from "bun:ffi";
import { createSrtpContext, SRTP_PROFILES } from "../../appliance/bridge/transport/srtp.ts";
import { SRTP_PROFILE_SIZES } from "../../appliance/bridge/transport/srtp-keys.ts";
import {
  KERNEL_TABLE_BYTES,
  kernelRegionBytes,
  srtpProviders,
} from "../../appliance/bridge/transport/srtp-providers.ts";
import { loopAtWork } from "./loop-stage.ts";

/** A row for each batch of the loop; all of them together are its packets. */
const LOOP_ROW = "loop";

const { symbols } = dlopen("libc.so.6", { getpriority: { args: [FFIType.i32, FFIType.i32], returns: FFIType.i32 } });
const mark = (number: number): void => void symbols.getpriority(0, 0x7e5700 + number);

const PACKETS = 200;
const WARM_UP = 1_500;
const HEADER_BYTES = 32;
const PACKET_BYTES = 1_200;
const CONTEXTS = 16;
const at = Math.ceil(KERNEL_TABLE_BYTES / 65_536) * 65_536;
const region = at + 65_536;
const pages = (region + Math.ceil(kernelRegionBytes(CONTEXTS) / 65_536) * 65_536) / 65_536;
const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
const bytes = new Uint8Array(memory.buffer);
const packets = { memory, bytes, base: ptr(bytes) as number };
const { providers } = srtpProviders(packets, { at: region, contexts: CONTEXTS });

let sequence = 0;
const rows: { readonly provider: string; readonly profile: string; readonly packets: number }[] = [];
for (const profile of SRTP_PROFILES)
  for (const provider of providers) {
    // node:crypto has a library of its own, from which the instructions cannot be hidden here.
    if (provider.name === "node" || !provider.profiles.includes(profile)) continue;
    const sizes = SRTP_PROFILE_SIZES[profile];
    const master = { key: new Uint8Array(sizes.key).fill(1), salt: new Uint8Array(sizes.salt).fill(2) };
    const context = createSrtpContext(provider, packets, profile, master, "send");
    const some = (count: number): void => {
      for (let i = 0; i < count; i++) {
        sequence = (sequence + 1) & 0xffff;
        bytes[at] = 0x80;
        bytes[at + 2] = sequence >> 8;
        bytes[at + 3] = sequence;
        if (context.protectRtp(at, HEADER_BYTES, at + 4096, PACKET_BYTES - HEADER_BYTES) < 0)
          throw new Error("not sealed");
      }
    };
    some(WARM_UP);
    mark(0);
    some(PACKETS);
    mark(1);
    context.close();
    rows.push({ provider: provider.name, profile, packets: PACKETS });
  }
// The whole core, with what a processor without crypto instructions would use: many marks, since what is not to be counted lies between.
const LOOP_WARM_UP_PASSES = 12;
const bench = process.argv[2] === "loop" ? loopAtWork("AEAD_AES_128_GCM", "vector") : undefined;
if (bench !== undefined) {
  for (let pass = 0; pass < LOOP_WARM_UP_PASSES; pass++) bench.pass((batch) => batch());
  let batches = 0;
  const out = bench.pass((batch) => {
    mark(0);
    batch();
    mark(1);
    batches += 1;
  });
  for (let i = 0; i < batches; i++) rows.push({ provider: LOOP_ROW, profile: "AEAD_AES_128_GCM", packets: out });
}
process.stdout.write(JSON.stringify(rows));
