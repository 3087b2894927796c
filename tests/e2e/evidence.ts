/**
 * Shell: what is kept of a run that fails: the box's log, the browsers' consoles and signalling, and at the moment of the failure what every page
 * knows. In `build/evidence/<test file>/`; run.ts takes the folder away when the file passes.
 */
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** Set by run.ts to the test file's name. */
export const EVIDENCE_VARIABLE = "PARLEY_E2E_EVIDENCE";

/** The folder of a test file's evidence. */
export const evidenceFolder = (testFile: string): string => resolve(import.meta.dir, "../../build/evidence", testFile);

const folder = evidenceFolder(process.env[EVIDENCE_VARIABLE] ?? "alone");
const MAX_FILE_BYTES = 64 * 1024 * 1024;
const MAX_WITNESS_MS = 15_000;

/** A file of evidence that lines are added to as they come. Ends at 64 MB. */
export class EvidenceFile {
  readonly #path: string;
  #bytes = 0;

  constructor(name: string) {
    mkdirSync(folder, { recursive: true });
    this.#path = join(folder, name);
    writeFileSync(this.#path, "");
  }

  add(text: string | Buffer): void {
    if (this.#bytes > MAX_FILE_BYTES) return;
    this.#bytes += text.length;
    appendFileSync(this.#path, text);
  }

  /** A line with the time of day, as the box's log has it. */
  line(text: string): void {
    this.add(`${new Date().toISOString()} ${text}\n`);
  }
}

/** Says what it knows, as text; or keeps it in files of its own. */
type Witness = () => Promise<string | undefined>;
const witnesses = new Map<string, Witness>();
let failures = 0;

/** From now on asked whenever something is waited for in vain. Names are unique: a number is added to one that is taken. Returns the name. */
export function witness(name: string, ask: (failure: number) => Promise<string | undefined>): string {
  let unique = name;
  for (let number = 2; witnesses.has(unique); number++) unique = `${name}-${number}`;
  witnesses.set(unique, () => ask(failures));
  return unique;
}

/** Something was waited for in vain: every witness is asked, and what it says is kept. Returns where. */
export async function keepEvidence(why: string): Promise<string> {
  failures++;
  mkdirSync(folder, { recursive: true });
  const at = new Date().toISOString();
  const statements = await Promise.all(
    [...witnesses].map(async ([name, ask]) => {
      const late = Bun.sleep(MAX_WITNESS_MS).then(() => "did not answer");
      const said = await Promise.race([ask(), late]).catch((error: unknown) => `cannot say: ${String(error)}`);
      return said === undefined ? "" : `## ${name}\n${said}\n`;
    }),
  );
  writeFileSync(join(folder, `failure-${failures}.md`), `# ${at}\n${why}\n\n${statements.join("\n")}`);
  return folder;
}

/** Where a witness keeps a file of a failure. */
export const evidencePath = (name: string): string => join(folder, name);
