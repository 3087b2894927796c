/**
 * Cores are held by tests: each file with behaviour has its test beside it, or is reached by a test of its folder. Pure.
 */
import { codeOnly, importsOf, isShell, resolveImport, type SourceFile } from "./source.ts";

/** Tests, and what only tests use. */
const isTest = ({ path, text }: SourceFile): boolean =>
  /\.(test|e2e)\.tsx?$/.test(path) || path.startsWith("tests/") || text.includes('"bun:test"');

/** Files with nothing to run: types, constants, style. */
const hasBehaviour = (text: string): boolean =>
  /=>|\bfunction\b|\bclass\b/.test(codeOnly(text).replaceAll(/^(export )?(type|interface) [\s\S]*?^\}/gm, ""));

export interface Presence {
  readonly cores: number;
  readonly tested: number;
  /** Cores that no test reaches, not even through other files. */
  readonly unreached: readonly string[];
}

export const testPresence = (files: readonly SourceFile[]): Presence => {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const reached = new Set<string>();
  const visit = (path: string): void => {
    if (reached.has(path)) return;
    reached.add(path);
    for (const { specifier, typeOnly } of importsOf(byPath.get(path)?.text ?? "")) {
      const to = resolveImport(path, specifier);
      if (to !== undefined && !typeOnly) visit(to);
    }
  };
  for (const file of files) if (isTest(file)) visit(file.path);
  const cores = files.filter(
    (file) => !isTest(file) && file.path.endsWith(".ts") && !isShell(file.text) && hasBehaviour(file.text),
  );
  return {
    cores: cores.length,
    tested: cores.filter(({ path }) => byPath.has(path.replace(/\.ts$/, ".test.ts"))).length,
    unreached: cores.map(({ path }) => path).filter((path) => !reached.has(path)),
  };
};
