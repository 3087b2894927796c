/**
 * Addresses parsed once: the same few thousand come by with every stanza. Bound: 8,192 texts of at most 512 characters, then it starts afresh.
 */
import { type Jid, parseJid } from "../wire/jid.ts";

const KEPT = 8_192;
const MAX_LENGTH = 512;

export class JidMemory {
  readonly #known = new Map<string, Jid>();

  /** As `parseJid`; undefined when the text is no address. */
  readonly parse = (source: string | undefined): Jid | undefined => {
    if (source === undefined) return undefined;
    const known = this.#known.get(source);
    if (known !== undefined) return known;
    const parsed = parseJid(source);
    if (parsed === undefined || source.length > MAX_LENGTH) return parsed;
    if (this.#known.size >= KEPT) this.#known.clear();
    this.#known.set(source, parsed);
    return parsed;
  };
}
