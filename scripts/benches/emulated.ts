/**
 * Shell: instructions a packet of the SRTP providers on emulated Raspberry Pi processors whose crypto instructions are hidden from the libraries (`HIDING`): what a
 * Pi 3, 4 and Zero 2 W lack, and a Pi 5 has. Counting says nothing of caches and pipelines: it compares implementations, it does not predict milliseconds.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { ARM64_NEEDS, arm64Root } from "./arm64-root.ts";
import { betweenMarks } from "./instruction-marks.ts";
import type { Headline, Section } from "./section.ts";

interface Machine {
  readonly cpu: string;
  readonly name: string;
  /** What libcrypto is told to have; undefined: it looks by itself. */
  readonly armcap: string | undefined;
  readonly hidden: string;
  /** The whole loop as well: it takes a minute, and its instructions are the same on all. */
  readonly loop?: boolean;
}

const MACHINES: readonly Machine[] = [
  { cpu: "cortex-a53", name: "Zero 2 W, Pi 3", armcap: "1", hidden: "NEON alone" },
  { cpu: "cortex-a72", name: "Pi 4", armcap: "1", hidden: "NEON alone", loop: true },
  { cpu: "cortex-a72", name: "Pi 4", armcap: "0", hidden: "tables alone" },
  { cpu: "cortex-a76", name: "Pi 5, hidden", armcap: "1", hidden: "NEON alone" },
  { cpu: "cortex-a76", name: "Pi 5", armcap: undefined, hidden: "all that it has" },
];

/** For GnuTLS, and for Nettle below it, which looks for itself. */
const HIDING = { GNUTLS_CPUID_OVERRIDE: "1", NETTLE_FAT_OVERRIDE: "none" } as const;

interface Row {
  readonly provider: string;
  readonly profile: string;
  readonly packets: number;
}

/** Rows of the same name are parts of one measurement, and share its packets. */
const perPacket = (rows: readonly Row[], spans: readonly number[]) => {
  const sums = new Map<string, { readonly provider: string; readonly profile: string; instructions: number }>();
  for (const [index, { provider, profile, packets }] of rows.entries()) {
    const key = `${provider} ${profile}`;
    const sum = sums.get(key) ?? { provider, profile, instructions: 0 };
    sum.instructions += (spans[index] ?? Number.NaN) / packets;
    sums.set(key, sum);
  }
  return [...sums.values()];
};

export const emulatedSection: Section = {
  name: "emulated",
  title: "Instructions to protect a packet of 1200 bytes on emulated Raspberry Pi processors",
  needs: ARM64_NEEDS,
  unasked: false,
  seconds: () => MACHINES.length * 12 + 100,
  async measure({ say, progress }) {
    const root = resolve(import.meta.dirname, "../..");
    const { root: libraries, bun } = arm64Root(join(root, "build/arm64"), progress);
    const folder = mkdtempSync(join(tmpdir(), "parley-bench-"));
    try {
      const plugin = join(folder, "count.so");
      const source = join(root, "scripts/count-instructions.c");
      const built = Bun.spawnSync(["gcc", "-O2", "-shared", "-fPIC", "-o", plugin, source], { stderr: "pipe" });
      if (built.exitCode !== 0) throw new Error(`gcc could not build the plugin:\n${built.stderr.toString()}`);
      const machines = [];
      for (const { cpu, name, armcap, hidden, loop = false } of MACHINES) {
        progress(`${cpu}, ${hidden}`);
        const child = Bun.spawn(
          [
            "qemu-aarch64",
            "-cpu",
            cpu,
            "-plugin",
            plugin,
            "-L",
            libraries,
            bun,
            join(import.meta.dirname, "emulated-child.ts"),
            ...(loop ? ["loop"] : []),
          ],
          {
            // One compiler thread: what it does would otherwise be counted at any time.
            env: {
              ...process.env,
              BUN_JSC_useConcurrentJIT: "0",
              ...(armcap === undefined ? {} : { OPENSSL_armcap: armcap, ...HIDING }),
            },
            stdout: "pipe",
            stderr: "pipe",
          },
        );
        const [out, marks] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
        if ((await child.exited) !== 0) throw new Error(`emulation of ${cpu} failed:\n${marks.slice(-500)}`);
        const spans = betweenMarks(marks);
        const rows = perPacket(JSON.parse(out) as Row[], spans);
        for (const profile of new Set(rows.map((row) => row.profile)))
          say(
            `  ${cpu} (${name}), libcrypto with ${hidden.padEnd(15)} ${profile.padEnd(22)} ${rows
              .filter((row) => row.profile === profile)
              .map(
                (row) =>
                  `${row.provider === "loop" ? "whole loop, a packet out of 1x10" : row.provider} ${(row.instructions / 1000).toFixed(1)} k`,
              )
              .join("   ")}`,
          );
        machines.push({ cpu, name, hidden, rows });
      }
      const headlines: Record<string, Headline> = {};
      const pi4 = machines.find(({ cpu, hidden }) => cpu === "cortex-a72" && hidden === "NEON alone");
      for (const { provider, profile, instructions } of pi4?.rows ?? [])
        if (provider !== "libcrypto")
          headlines[`a72.${provider}.${profile === "AEAD_AES_128_GCM" ? "gcm" : "cm"}`] = {
            value: instructions,
            unit: "instructions",
            better: "lower",
          };
      return { machines, headlines };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
