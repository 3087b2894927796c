/**
 * Shell: the data folder (design.md 5): `parley.toml`, `secrets/` (0600), `tls/`, `recordings/`, `web/`. First start makes what is missing; all that a backup needs is in it.
 */
import { randomBytes } from "node:crypto";
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";

const FIRST_CONFIG = `# Options of this box. \`parley config\` prints them all, each with what it is for, its bounds and where its value comes from.
# This file is yours: the program never writes to it again. Secrets may be given as "file:PATH".
`;

/** A fault in the world that has one clear line for people and ends the program. */
export class StartFault extends Error {
  override readonly name = "StartFault";
}

const because = (error: unknown): string => {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "EACCES" || code === "EPERM") return "no permission to write there";
  if (code === "EROFS") return "the file system is read-only";
  if (code === "ENOSPC") return "the disk is full";
  if (code === "ENOTDIR" || code === "EEXIST") return "there is a file in the way";
  return error instanceof Error ? error.message : String(error);
};

/** Writes a file whole or not at all. `mode` 0600 for what nobody else may read. */
export const writeFileSafely = (path: string, content: string, mode = 0o600): void => {
  const beside = join(dirname(path), `.${randomBytes(6).toString("hex")}.new`);
  const file = openSync(beside, "wx", mode);
  try {
    writeSync(file, content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(beside, path);
};

export interface Secrets {
  readonly focusPassword: string;
  readonly bridgePassword: string;
}

export class DataFolder {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  get path(): string {
    return this.#path;
  }

  file(...names: string[]): string {
    return join(this.#path, ...names);
  }

  /** Makes the folders and the first parley.toml. Throws StartFault. */
  prepare(): void {
    try {
      for (const name of ["", "secrets", "tls", "recordings", "web"])
        mkdirSync(this.file(name), { recursive: true, mode: name === "web" || name === "" ? 0o755 : 0o700 });
      accessSync(this.#path, constants.W_OK | constants.X_OK);
      if (!existsSync(this.file("parley.toml"))) writeFileSafely(this.file("parley.toml"), FIRST_CONFIG, 0o600);
    } catch (error) {
      throw new StartFault(`data folder ${this.#path}: ${because(error)} (--data DIR names another)`);
    }
  }

  /** The secret of that name; made at the first call, 192 random bits. */
  secret(name: string): string {
    const path = this.file("secrets", name);
    try {
      if (existsSync(path)) {
        const value = readFileSync(path, "utf8").trim();
        if (value.length < 8)
          throw new StartFault(`${path}: too short for a secret; remove the file and a new one is made`);
        return value;
      }
      const value = randomBytes(24).toString("base64url");
      writeFileSafely(path, `${value}\n`);
      return value;
    } catch (error) {
      if (error instanceof StartFault) throw error;
      throw new StartFault(`${path}: ${because(error)}`);
    }
  }
}
