import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { useRealTime } from "../../../../tests/real-time.ts";
import { buildKernel } from "./build.ts";
import { KERNEL_FILES, KernelContexts, type KernelName } from "./srtp-scalar.ts";

useRealTime(); // the compiler looks at the clock

for (const name of Object.keys(KERNEL_FILES) as KernelName[]) {
  test(`the ${name} kernel is what build.ts makes of assembly/`, async () => {
    const built = await buildKernel(name);
    expect(Buffer.compare(built, readFileSync(KERNEL_FILES[name]))).toBe(0);
  }, 60_000);

  test(`the ${name} kernel imports the memory and nothing else`, () => {
    const module = new WebAssembly.Module(readFileSync(KERNEL_FILES[name]));
    expect(WebAssembly.Module.imports(module)).toEqual([{ module: "env", name: "memory", kind: "memory" }]);
  });
}

test("contexts are bounded, and used again", () => {
  const contexts = new KernelContexts({ at: 65_536, contexts: 2 });
  const [first, second] = [contexts.take(), contexts.take()];
  expect(second).toBeGreaterThan(first);
  expect(() => contexts.take()).toThrow(RangeError);
  contexts.give(first);
  expect(contexts.take()).toBe(first);
});
