/**
 * Shell: huge pages (madvise(2), MADV_HUGEPAGE) for memory of our own. A processor that has slept looks the address of every page up anew, in a virtual machine
 * twice over.
 */
import { readFileSync } from "node:fs";
import { libc } from "./libc.ts";

const MADV_HUGEPAGE = 14;
/** A kernel with pages of 16 KiB has huge ones of 32 MiB, one with 64 KiB such of 512 MiB: more memory than we may take. */
const LARGEST = 2 * 1024 * 1024;

/** Size of the kernel's huge pages, bytes; 0: it has none, or does not say. */
export function hugePageBytes(): number {
  try {
    const size = Number(readFileSync("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "utf8"));
    return Number.isSafeInteger(size) && size > 0 ? size : 0;
  } catch {
    return 0;
  }
}

/**
 * Asks for huge pages between two addresses, widened downward to where a huge page begins: the caller owns that as well. False: the kernel has none of a size
 * that suits, or refuses; nothing else changes then.
 */
export function adviseHugePages(from: number, end: number, size = hugePageBytes()): boolean {
  if (size === 0 || size > LARGEST) return false;
  const first = Math.floor(from / size) * size;
  const last = Math.floor(end / size) * size;
  return last > first && libc.madvise(first, last - first, MADV_HUGEPAGE) === 0;
}
