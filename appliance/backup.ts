/**
 * Shell: `parley backup` and `parley restore`: the data folder as one .tar.gz. It holds secrets and keys, so the file is made readable by its owner alone.
 */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { StartFault } from "./data-folder.ts";

const tar = async (...args: readonly string[]): Promise<string> => {
  try {
    const child = Bun.spawn(["tar", ...args], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    const [out, said, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    if (code !== 0) throw new StartFault(`tar: ${said.trim().split("\n")[0] ?? `exit code ${code}`}`);
    return out;
  } catch (error) {
    if (error instanceof StartFault) throw error;
    throw new StartFault("the program tar is needed and was not found");
  }
};

/** What a data folder is known by. */
const MARK = "parley.toml";

export const backup = async (
  data: string,
  file: string,
  force: boolean,
  say: (line: string) => void,
): Promise<number> => {
  if (!existsSync(join(data, MARK)))
    throw new StartFault(`${data} is no data folder: there is no ${MARK} in it (--data DIR names another)`);
  if (existsSync(file) && !force) throw new StartFault(`${file} is there already (--force writes over it)`);
  const beside = `${file}.new`;
  const before = process.umask(0o077);
  try {
    // What `web` holds is made anew from the program.
    await tar("-czf", beside, "-C", data, "--exclude=./web", ".");
    chmodSync(beside, 0o600);
    renameSync(beside, file);
  } finally {
    process.umask(before);
    rmSync(beside, { force: true });
  }
  say(`${file} holds everything of ${data}, secrets included: keep it as you keep a key`);
  return 0;
};

export const restore = async (
  data: string,
  file: string,
  force: boolean,
  say: (line: string) => void,
): Promise<number> => {
  if (!existsSync(file)) throw new StartFault(`${file} does not exist`);
  if (existsSync(data) && readdirSync(data).length > 0 && !force)
    throw new StartFault(`${data} is not empty: stop the box and move it away, or use --force to replace it`);
  const names = (await tar("-tzf", file)).split("\n").filter((name) => name !== "");
  const stray = names.find((name) => name.startsWith("/") || name.split("/").includes(".."));
  if (stray !== undefined) throw new StartFault(`${file} is no backup of Parley: it names ${JSON.stringify(stray)}`);
  if (!names.some((name) => name === `./${MARK}`))
    throw new StartFault(`${file} is no backup of Parley: there is no ${MARK} in it`);
  mkdirSync(dirname(data), { recursive: true });
  const fresh = mkdtempSync(join(dirname(data), ".restore-"));
  try {
    await tar("-xzf", file, "-C", fresh, "--no-same-owner");
    const old = `${data}.before-restore`;
    if (existsSync(data)) {
      rmSync(old, { recursive: true, force: true });
      renameSync(data, old);
      say(`what was there is now ${old}`);
    }
    renameSync(fresh, data);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  say(`${data} is restored`);
  return 0;
};
