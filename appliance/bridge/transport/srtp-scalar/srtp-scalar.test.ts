import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { BUILT_FROM_FILE, type BuiltFrom, builtFromNow } from "./build.ts";
import { KERNEL_FILES, KernelContexts, type KernelName } from "./srtp-scalar.ts";

test("the modules are what the sources were built into (else: bun appliance/bridge/transport/srtp-scalar/build.ts)", () => {
  expect(builtFromNow()).toEqual(JSON.parse(readFileSync(BUILT_FROM_FILE, "utf8")) as BuiltFrom);
});

for (const name of Object.keys(KERNEL_FILES) as KernelName[]) {
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
