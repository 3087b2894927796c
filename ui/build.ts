/**
 * Shell: builds the pages with Bun's bundler into a folder that the gateway serves: `index.html` and, below `assets/`, files named by their
 * content.
 *
 * The entry is not an HTML file: the page loads /config.js, which is made when it is asked for and so is no file for the bundler to find.
 * Workers and worklets, once there are any, are built in a pass before the pages and handed over by `define` (product.md 7.5).
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { restoreLogical, shieldLogical } from "./build-css.ts";

const HERE = import.meta.dir;

export interface BuildOptions {
  /** Entry of the client; tests give a page of their own. */
  readonly entry?: string;
  readonly minify?: boolean;
}

export async function buildUi(outDir: string, options: BuildOptions = {}): Promise<void> {
  const assets = join(outDir, "assets");
  await rm(assets, { recursive: true, force: true });
  await mkdir(assets, { recursive: true });
  const minify = options.minify ?? true;
  const script = await bundle(options.entry ?? join(HERE, "client/main.tsx"), assets, minify);
  const style = await bundleStyle(join(HERE, "client/client.css"), assets, minify);
  const template = await Bun.file(join(HERE, "client/index.html")).text();
  await Bun.write(
    join(outDir, "index.html"),
    template.replace("{{style}}", `/assets/${style}`).replace("{{script}}", `/assets/${script}`),
  );
  await Bun.write(join(outDir, "mark.svg"), Bun.file(join(HERE, "look/mark.svg")));
}

/** One entry; the name of its file comes back. */
async function bundle(entry: string, outdir: string, minify: boolean): Promise<string> {
  const result = await Bun.build({
    entrypoints: [entry],
    outdir,
    target: "browser",
    format: "esm",
    naming: { entry: "[name]-[hash].[ext]", chunk: "[name]-[hash].[ext]", asset: "[name]-[hash].[ext]" },
    minify,
    sourcemap: entry.endsWith(".css") ? "none" : "linked",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const output = result.outputs.find((each) => each.kind === "entry-point" || each.path.endsWith(".css"));
  if (!result.success || output === undefined) throw new AggregateError(result.logs, `cannot build ${entry}`);
  return basename(output.path);
}

/** A style sheet: its imports in place, logical properties kept as they are (build-css.ts says why). */
async function bundleStyle(entry: string, outdir: string, minify: boolean): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "parley-css-"));
  try {
    const joined = join(folder, basename(entry));
    await Bun.write(joined, shieldLogical(await withImports(entry)));
    const name = await bundle(joined, outdir, minify);
    const file = join(outdir, name);
    await Bun.write(file, restoreLogical(await Bun.file(file).text()));
    return name;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function withImports(path: string): Promise<string> {
  const source = await Bun.file(path).text();
  const parts: string[] = [];
  let at = 0;
  for (const match of source.matchAll(/^@import "([^"]+)";$/gm)) {
    parts.push(source.slice(at, match.index), await withImports(join(dirname(path), match[1] ?? "")));
    at = match.index + match[0].length;
  }
  return [...parts, source.slice(at)].join("\n");
}

if (import.meta.main) {
  const [outDir] = process.argv.slice(2);
  if (outDir === undefined) {
    console.error("usage: bun ui/build.ts <folder>");
    process.exit(2);
  }
  await buildUi(outDir);
}
