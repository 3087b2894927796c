/**
 * Shell: reads the folder of built pages into the table that static-files.ts answers from. Once, at start: pages change with the program.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import type { StaticFile, StaticTable } from "./static-files.ts";

const MAX_FILES = 20_000;

export const readStaticFolder = (folder: string): StaticTable => {
  const found = new Map<string, { location: string; size: number }>();
  const walk = (directory: string): void => {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (entry.name.startsWith(".") && entry.name !== ".well-known") continue;
      const location = join(directory, entry.name);
      if (entry.isDirectory()) walk(location);
      // Links are not followed: they could lead out of the folder.
      else if (entry.isFile() && found.size < MAX_FILES)
        found.set(relative(folder, location).split(sep).join("/"), { location, size: statSync(location).size });
    }
  };
  walk(folder);
  const table = new Map<string, StaticFile>();
  for (const [path, { location, size }] of found) {
    const original = path.replace(/\.(br|gz)$/, "");
    if (original !== path && found.has(original)) continue;
    const br = found.get(`${path}.br`);
    const gzip = found.get(`${path}.gz`);
    table.set(path, {
      location,
      size,
      digest: createHash("sha256").update(readFileSync(location)).digest("hex").slice(0, 20),
      encodings: { ...(br === undefined ? {} : { br }), ...(gzip === undefined ? {} : { gzip }) },
    });
  }
  return table;
};
