/**
 * Shell: builds kernel.wasm and kernel-vector.wasm from assembly/ with the pinned AssemblyScript compiler: `bun appliance/bridge/transport/srtp-scalar/build.ts`. It also
 * writes down what they were made of, and a test compares: sources changed without a build do not pass.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { KERNEL_FILES, KERNEL_TABLE_BYTES, type KernelName } from "./srtp-scalar.ts";

/** The module's bytes; throws with the compiler's words. */
export async function buildKernel(name: KernelName): Promise<Uint8Array> {
  // Loaded here: only who builds needs the compiler.
  const { default: asc } = await import("assemblyscript/asc");
  let binary: Uint8Array | undefined;
  const root = fileURLToPath(new URL("./assembly", import.meta.url));
  const { error, stderr } = await asc.main(
    [
      "index.ts",
      "--baseDir",
      root,
      "--runtime",
      "stub",
      // The loop's packet memory; the kernel's own data stand below memoryBase and are filled by init().
      "--importMemory",
      "--noExportMemory",
      "--memoryBase",
      String(KERNEL_TABLE_BYTES),
      "--optimizeLevel",
      "3",
      "--shrinkLevel",
      "0",
      "--noAssert",
      ...(name === "vector" ? ["--enable", "simd"] : []),
      "--outFile",
      "kernel.wasm",
    ],
    {
      writeFile: (name, contents) => {
        if (name.endsWith(".wasm") && contents instanceof Uint8Array) binary = contents;
      },
    },
  );
  if (error !== null || binary === undefined) throw new Error(`the kernel does not compile: ${stderr.toString()}`);
  return binary;
}

/** What a build was made of: SHA-256 of the sources, the compiler's version, SHA-256 of the modules. */
export interface BuiltFrom {
  readonly sources: string;
  readonly compiler: string;
  readonly kernels: Readonly<Record<string, string>>;
}

export const BUILT_FROM_FILE = new URL("./built-from.json", import.meta.url);

/** What the sources, the compiler and the modules are now. */
export function builtFromNow(): BuiltFrom {
  const digest = (...parts: readonly (string | Uint8Array)[]): string => {
    const hash = createHash("sha256");
    for (const part of parts) hash.update(part);
    return hash.digest("hex");
  };
  const folder = new URL("./assembly/", import.meta.url);
  const names = readdirSync(folder)
    .filter((name) => name.endsWith(".ts"))
    .toSorted();
  const manifest = createRequire(import.meta.url)("assemblyscript/package.json") as { readonly version: string };
  return {
    sources: digest(...names.flatMap((name) => [name, readFileSync(new URL(name, folder))])),
    compiler: manifest.version,
    kernels: Object.fromEntries(Object.entries(KERNEL_FILES).map(([name, file]) => [name, digest(readFileSync(file))])),
  };
}

if (import.meta.main) {
  for (const [name, file] of Object.entries(KERNEL_FILES)) {
    const binary = await buildKernel(name as KernelName);
    await Bun.write(file, binary);
    console.log(`${fileURLToPath(file)}: ${binary.length} bytes`);
  }
  await Bun.write(BUILT_FROM_FILE, `${JSON.stringify(builtFromNow(), null, 2)}\n`);
}
