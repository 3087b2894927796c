/**
 * Shell: builds floor.c for this machine and starts it for a load.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sessionKeys } from "../../appliance/bridge/transport/srtp-keys.ts";
import { type Load, masterKey } from "./bridge/participants.ts";
import { type Child, pinned, SUBJECT_CORE, spawn } from "./processes.ts";

/** What the floor needs; for a section's `needs`. */
export const FLOOR_NEEDS = { gcc: "gcc", "/usr/include/openssl/evp.h": "libssl-dev" } as const;

export interface Floor {
  readonly program: string;
  remove(): void;
}

/** Builds it in a folder of its own; throws with what the compiler said. */
export function buildFloor(): Floor {
  const folder = mkdtempSync(join(tmpdir(), "parley-bench-"));
  const program = join(folder, "floor");
  const source = join(import.meta.dirname, "../floor.c");
  const built = Bun.spawnSync(["gcc", "-O2", "-march=native", "-w", "-o", program, source, "-lcrypto", "-ldl"], {
    stderr: "pipe",
  });
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  if (built.exitCode !== 0) {
    remove();
    throw new Error(`gcc could not build scripts/floor.c:\n${built.stderr.toString()}`);
  }
  return { program, remove };
}

/** How the floor sends, and by which library it encrypts: the fastest that it finds (design.md 4), or libcrypto, as in the figures measured before this bench existed. */
export interface FloorWay {
  readonly segmenting: boolean;
  readonly library: "fastest" | "libcrypto";
}

export const FLOOR_SEGMENTING: FloorWay = { segmenting: true, library: "fastest" };
export const FLOOR_PLAIN: FloorWay = { segmenting: false, library: "fastest" };
export const FLOOR_LIBCRYPTO: FloorWay = { segmenting: true, library: "libcrypto" };

const hexOf = (bytes: Uint8Array): string => (bytes.length === 0 ? "-" : Buffer.from(bytes).toString("hex"));

export function startFloor(program: string, load: Load, way: FloorWay, ports: readonly number[]): Child {
  const gcm = load.profile === "AEAD_AES_128_GCM";
  const child = spawn(
    pinned(SUBJECT_CORE, [
      program,
      gcm ? "gcm" : "cm",
      way.segmenting ? "gso" : "plain",
      way.library,
      String(load.rooms),
      String(load.people),
      String(load.lastN ?? load.people),
      String(load.lastN === undefined ? load.people : load.speakers),
    ]),
  );
  for (const [index, port] of ports.entries()) {
    const fields = [true, false].flatMap((up) => {
      const { rtp } = sessionKeys(load.profile, masterKey(index, up, load.profile));
      return [hexOf(rtp.key), hexOf(rtp.authKey), hexOf(rtp.salt)];
    });
    child.stdin.write(`${port} ${fields.join(" ")}\n`);
  }
  child.stdin.end();
  return child;
}
