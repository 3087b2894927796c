/**
 * Shell: what emulation of an arm64 machine needs, in `build/arm64`: Debian's C library, libcrypto and GnuTLS and npm's Bun for that architecture, got once by their
 * ordinary clients. The machine's own package lists are left alone.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What GnuTLS is linked with. */
const GNUTLS_LIBRARIES = "libp11-kit0 libidn2-0 libunistring2 libtasn1-6 libnettle8 libhogweed6 libgmp10 libffi8".split(
  " ",
);
const PACKAGES = ["libc6", "libgcc-s1", "libstdc++6", "libssl3", "libgnutls30", ...GNUTLS_LIBRARIES];
/** The last that came into the list: a folder without it is from before. */
const NEWEST = "usr/lib/aarch64-linux-gnu/libgnutls.so.30";

/** For a section's `needs`. */
export const ARM64_NEEDS = {
  "qemu-aarch64": "qemu-user",
  gcc: "gcc",
  "apt-get": "apt",
  "dpkg-deb": "dpkg",
  npm: "npm",
} as const;

export interface Arm64Root {
  /** For `qemu-aarch64 -L`. */
  readonly root: string;
  readonly bun: string;
}

const run = (folder: string, command: readonly string[]): void => {
  const done = Bun.spawnSync([...command], { cwd: folder, stdout: "pipe", stderr: "pipe" });
  if (done.exitCode !== 0) throw new Error(`${command[0]}: ${done.stderr.toString().trim().slice(-500)}`);
};

export function arm64Root(folder: string, progress: (text: string) => void): Arm64Root {
  const ready = { root: join(folder, "root"), bun: join(folder, "package/bin/bun") };
  if (existsSync(join(ready.root, NEWEST)) && existsSync(ready.bun)) return ready;
  const work = `${folder}.new`;
  rmSync(work, { recursive: true, force: true });
  for (const each of ["root", "state/lists/partial", "cache/archives/partial"])
    mkdirSync(join(work, each), { recursive: true });
  writeFileSync(join(work, "status"), "");
  const apt = [
    ...["APT::Architecture=arm64", "APT::Architectures=arm64", `Dir::State=${work}/state`],
    ...[`Dir::State::status=${work}/status`, `Dir::Cache=${work}/cache`, "APT::Sandbox::User=root"],
    "Acquire::Languages=none",
  ].flatMap((option) => ["-o", option]);
  progress("getting Debian's libraries for arm64");
  run(work, ["apt-get", ...apt, "update"]);
  run(work, ["apt-get", ...apt, "download", ...PACKAGES]);
  for (const file of readdirSync(work)) if (file.endsWith(".deb")) run(work, ["dpkg-deb", "-x", file, "root"]);
  progress("getting Bun for arm64");
  run(work, ["npm", "pack", "--silent", `@oven/bun-linux-aarch64@${Bun.version}`]);
  for (const file of readdirSync(work)) if (file.endsWith(".tgz")) run(work, ["tar", "xzf", file]);
  for (const each of readdirSync(work))
    if (each !== "root" && each !== "package") rmSync(join(work, each), { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
  renameSync(work, folder);
  return ready;
}
