/**
 * No circles of imports: none at all among values, since what such files hold depends on who is loaded first; and by types no more than two files that know each other. Pure.
 */
import { importsOf, resolveImport, type SourceFile } from "./source.ts";

type Graph = ReadonlyMap<string, readonly string[]>;

export function circleFaults(files: readonly SourceFile[]): string[] {
  const known = new Set(files.map(({ path }) => path));
  const values = new Map<string, readonly string[]>();
  const all = new Map<string, readonly string[]>();
  for (const { path, text } of files) {
    const imports = importsOf(text).flatMap(({ specifier, typeOnly }) => {
      const to = resolveImport(path, specifier);
      return to !== undefined && known.has(to) && to !== path ? [{ to, typeOnly }] : [];
    });
    all.set(path, [...new Set(imports.map((each) => each.to))]);
    values.set(path, [...new Set(imports.flatMap((each) => (each.typeOnly ? [] : [each.to])))]);
  }
  const told = (circle: readonly string[], what: string): string => `${[...circle].sort().join(" ")}: ${what}`;
  const ofValues = circlesOf(values);
  const within = (circle: readonly string[]): boolean =>
    ofValues.some((each) => each.length === circle.length && each.every((path) => circle.includes(path)));
  return [
    ...ofValues.map((circle) => told(circle, "a circle of imports")),
    ...circlesOf(all)
      .filter((circle) => circle.length > 2 && !within(circle))
      .map((circle) => told(circle, "a circle of types among more than two files")),
  ];
}

/** Strongly connected components of two and more (Tarjan). */
function circlesOf(graph: Graph): string[][] {
  const circles: string[][] = [];
  const order = new Map<string, number>();
  const stack: string[] = [];
  const open = new Set<string>();
  const visit = (node: string): number => {
    const own = order.size;
    let low = own;
    order.set(node, own);
    stack.push(node);
    open.add(node);
    for (const next of graph.get(node) ?? []) {
      if (!order.has(next)) low = Math.min(low, visit(next));
      else if (open.has(next)) low = Math.min(low, order.get(next) ?? low);
    }
    if (low === own) {
      const circle = stack.splice(stack.lastIndexOf(node));
      for (const each of circle) open.delete(each);
      if (circle.length > 1) circles.push(circle);
    }
    return low;
  };
  for (const node of graph.keys()) if (!order.has(node)) visit(node);
  return circles;
}
