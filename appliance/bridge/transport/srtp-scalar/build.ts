/**
 * Shell: builds kernel.wasm and kernel-vector.wasm from assembly/ with the pinned AssemblyScript compiler: `bun appliance/bridge/transport/srtp-scalar/build.ts`. The test
 * beside the loader compares what is in the repository with what this makes.
 */
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

if (import.meta.main) {
  for (const [name, file] of Object.entries(KERNEL_FILES)) {
    const binary = await buildKernel(name as KernelName);
    await Bun.write(file, binary);
    console.log(`${fileURLToPath(file)}: ${binary.length} bytes`);
  }
}
