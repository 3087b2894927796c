/**
 * Shell: SRTP providers beside each other, µs to protect one packet of 1200 bytes: our kernels with and without SIMD, node:crypto, libcrypto and GnuTLS as this processor
 * lets them, and libcrypto as it is on processors with less, its instructions hidden by OpenSSL's own switch (OPENSSL_ia32cap, OPENSSL_armcap).
 * `ratioToTables` is what counts for the scalar kernel: its cost over that of libcrypto with tables alone; below 1 the kernel is ahead.
 */
import { isNoisy, noiseMark } from "./noise.ts";
import { NoiseMeter } from "./noise-meter.ts";
import type { Headline, Section } from "./section.ts";

interface Measured {
  readonly name: string;
  readonly microsPerPacket: number;
}
type ByProfile = Readonly<Record<"AEAD_AES_128_GCM" | "AES128_CM_HMAC_SHA1_80", readonly Measured[]>>;

/** What hides instructions from libcrypto, by architecture. */
const HIDDEN: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, string>>>>>> = {
  x64: {
    // AES-NI, PCLMULQDQ, SHA
    vectors: { OPENSSL_ia32cap: "~0x200000200000000:~0x20000000" },
    // and SSSE3
    tables: { OPENSSL_ia32cap: "~0x200020200000000:~0x20000000" },
  },
  arm64: {
    // NEON alone: what a Raspberry Pi 3 or 4 has
    vectors: { OPENSSL_armcap: "1" },
    tables: { OPENSSL_armcap: "0" },
  },
};

const RUNS = 3;

/** Of all measuring processes so far. */
let cpuSeconds = 0;

/** The child's best of a few runs, in a process of its own: libcrypto reads the switch once. */
async function measure(environment: Readonly<Record<string, string>>): Promise<ByProfile> {
  const child = Bun.spawn([process.execPath, `${import.meta.dirname}/kernel-child.ts`, String(RUNS)], {
    env: { ...process.env, ...environment },
    stdout: "pipe",
    stderr: "inherit",
  });
  const text = await new Response(child.stdout).text();
  if ((await child.exited) !== 0) throw new Error("the measuring process failed");
  cpuSeconds += Number(child.resourceUsage()?.cpuTime.total ?? 0) / 1e6;
  return JSON.parse(text) as ByProfile;
}

const PROFILES = ["AES128_CM_HMAC_SHA1_80", "AEAD_AES_128_GCM"] as const;

export const kernelSection: Section = {
  name: "kernel",
  title: "SRTP providers, one packet of 1200 bytes",
  needs: {},
  seconds: () => 15,
  async measure({ say }) {
    const meter = new NoiseMeter();
    const open = await measure({});
    const hidden = HIDDEN[process.arch] ?? {};
    const vectors = hidden["vectors"] === undefined ? undefined : await measure(hidden["vectors"]);
    const tables = hidden["tables"] === undefined ? undefined : await measure(hidden["tables"]);
    const noise = meter.end(cpuSeconds);
    const figures: Record<string, unknown> = {};
    for (const profile of PROFILES) {
      const cost = (set: ByProfile | undefined, name: string): number | undefined =>
        set?.[profile].find((each) => each.name === name)?.microsPerPacket;
      const scalar = cost(open, "scalar");
      const row = {
        scalarMicros: scalar,
        vectorMicros: cost(open, "vector"),
        scalarMegabytesPerSecond: scalar === undefined ? undefined : 1200 / scalar,
        libcryptoMicros: cost(open, "libcrypto"),
        gnutlsMicros: cost(open, "gnutls"),
        nodeMicros: cost(open, "node"),
        libcryptoVectorsMicros: cost(vectors, "libcrypto"),
        libcryptoTablesMicros: cost(tables, "libcrypto"),
        ratioToTables: ratio(scalar, cost(tables, "libcrypto")),
        ratioToVectors: ratio(scalar, cost(vectors, "libcrypto")),
      };
      figures[profile] = row;
      const show = (value: number | undefined): string => (value === undefined ? "-" : value.toFixed(2));
      say(
        `  ${profile}: scalar ${show(row.scalarMicros)} µs, vector ${show(row.vectorMicros)}, node ${show(row.nodeMicros)}, GnuTLS ${show(row.gnutlsMicros)}, libcrypto ${show(row.libcryptoMicros)}, ` +
          `without crypto instructions ${show(row.libcryptoVectorsMicros)}, tables alone ${show(row.libcryptoTablesMicros)}; ` +
          `scalar / tables ${show(row.ratioToTables)}; scalar ${show(row.scalarMegabytesPerSecond)} MB/s`,
      );
    }
    if (isNoisy(noise)) say(noiseMark(noise));
    const headlines: Record<string, Headline> = {};
    for (const [profile, row] of Object.entries(figures)) {
      const { scalarMicros, vectorMicros } = row as { readonly scalarMicros?: number; readonly vectorMicros?: number };
      const short = profile === "AEAD_AES_128_GCM" ? "gcm" : "cm";
      if (scalarMicros !== undefined)
        headlines[`scalar.${short}`] = { value: 1200 / scalarMicros, unit: "MB/s", better: "higher" };
      if (vectorMicros !== undefined)
        headlines[`vector.${short}`] = { value: 1200 / vectorMicros, unit: "MB/s", better: "higher" };
    }
    return { ...figures, noise, headlines };
  },
};

const ratio = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? undefined : a / b;
