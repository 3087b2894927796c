import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { useRealTime } from "../../../../tests/real-time.ts";
import { buildKernel } from "./build.ts";
import { KERNEL_FILE } from "./srtp-scalar.ts";

useRealTime(); // the compiler looks at the clock

test("kernel.wasm is what build.ts makes of assembly/", async () => {
  const built = await buildKernel();
  expect(Buffer.compare(built, readFileSync(KERNEL_FILE))).toBe(0);
}, 30_000);

test("the kernel imports the memory and nothing else", () => {
  const module = new WebAssembly.Module(readFileSync(KERNEL_FILE));
  expect(WebAssembly.Module.imports(module)).toEqual([{ module: "env", name: "memory", kind: "memory" }]);
});
