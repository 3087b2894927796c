/**
 * Shell: builds the pages into build/web where their sources changed since the last time, with smaller forms (br, gzip) beside each file.
 * A build goes to a folder of its own first, so that a box that runs never reads half of one.
 */
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const root = resolve(import.meta.dir, "..");
const target = join(root, "build", "web");

/** Shorter files gain nothing (gateway-recorder-appliance.md 1.6). */
const WORTH_BYTES = 860;
const COMPRESSIBLE = /\.(css|html|js|mjs|json|svg|txt|wasm|webmanifest)$/;

const files = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? files(path) : entry.isFile() ? [path] : [];
  });

const stampOf = (): string => {
  const hash = createHash("sha256");
  const sources = [join(root, "ui"), join(root, "appliance", "wire")].flatMap(files);
  for (const path of [...sources, join(root, "bun.lock"), import.meta.path]
    .filter((each) => !each.endsWith(".test.ts"))
    .sort())
    hash.update(path.slice(root.length)).update("\0").update(readFileSync(path)).update("\0");
  return hash.digest("hex");
};

const compress = (folder: string): void => {
  for (const path of files(folder)) {
    const content = readFileSync(path);
    if (content.length < WORTH_BYTES || !COMPRESSIBLE.test(path)) continue;
    const br = brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } });
    if (br.length < content.length) writeFileSync(`${path}.br`, br);
    const gzip = gzipSync(content, { level: 9 });
    if (gzip.length < content.length) writeFileSync(`${path}.gz`, gzip);
  }
};

const stamp = stampOf();
const stampFile = join(target, ".stamp");
if (!existsSync(stampFile) || readFileSync(stampFile, "utf8") !== stamp) {
  const { buildUi } = await import("../ui/build.ts");
  const fresh = join(root, "build", `.web-${randomBytes(4).toString("hex")}`);
  mkdirSync(fresh, { recursive: true });
  try {
    await buildUi(fresh);
    compress(fresh);
    writeFileSync(join(fresh, ".stamp"), stamp);
    rmSync(target, { recursive: true, force: true });
    renameSync(fresh, target);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}
