/**
 * Memory of processes as the kernel accounts it: PSS, where pages that processes share are split among them. Pure; `/proc/PID/smaps_rollup` comes in as text.
 */

/** Bytes; undefined where the text has no such line. */
export const parsePss = (smapsRollup: string): number | undefined => {
  const match = /^Pss:\s+(\d+) kB$/m.exec(smapsRollup);
  return match === null ? undefined : Number(match[1]) * 1_024;
};

export interface Mapping {
  /** File and offset; pages of the same one may be shared. Empty: memory of the process's own. */
  readonly file: string;
  readonly privateBytes: number;
  readonly sharedBytes: number;
}

/** `/proc/PID/smaps`. */
export const parseSmaps = (text: string): Mapping[] => {
  const mappings: { file: string; privateBytes: number; sharedBytes: number }[] = [];
  for (const line of text.split("\n")) {
    const head = /^[0-9a-f]+-[0-9a-f]+ \S+ ([0-9a-f]+) \S+ \d+\s*(.*)$/.exec(line);
    if (head !== null) {
      const [, offset = "", path = ""] = head;
      mappings.push({ file: path.startsWith("/") ? `${path} ${offset}` : "", privateBytes: 0, sharedBytes: 0 });
      continue;
    }
    const field = /^(Private|Shared)_(Clean|Dirty):\s+(\d+) kB$/.exec(line);
    const last = mappings.at(-1);
    if (field === null || last === undefined) continue;
    if (field[1] === "Private") last.privateBytes += Number(field[3]) * 1_024;
    else last.sharedBytes += Number(field[3]) * 1_024;
  }
  return mappings;
};

/**
 * What these processes would take with no other program beside them that shares their pages (PSS gives such a program its part, and the benchmark is one):
 * all private pages, and of each file's shared pages as many as the process that has most.
 */
export const aloneBytes = (processes: readonly (readonly Mapping[])[]): number => {
  let own = 0;
  const shared = new Map<string, number>();
  for (const mappings of processes) {
    const files = new Map<string, number>();
    for (const { file, privateBytes, sharedBytes } of mappings) {
      own += privateBytes;
      files.set(file, (files.get(file) ?? 0) + sharedBytes);
    }
    for (const [file, bytes] of files) shared.set(file, Math.max(shared.get(file) ?? 0, bytes));
  }
  return own + [...shared.values()].reduce((sum, bytes) => sum + bytes, 0);
};

export interface ProcessMemory {
  readonly name: string;
  readonly pid: number;
  readonly pssBytes: number;
}

export const totalPss = (processes: readonly ProcessMemory[]): number =>
  processes.reduce((sum, each) => sum + each.pssBytes, 0);

export const megabytes = (bytes: number): string => (bytes / 1_048_576).toFixed(1);
