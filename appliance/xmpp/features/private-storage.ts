/**
 * XEP-0049 (1.2): an account's clients keep XML with the server, by name and namespace of the element: bookmarks of rooms (XEP-0048) above all.
 *
 * Bounds: 32 elements of an account, 32 KiB together.
 */
import { bareText, type Jid } from "../../wire/jid.ts";
import { NS } from "../../wire/namespaces.ts";
import { errorReply, iqResult } from "../../wire/stanza.ts";
import { attr, clone, type Element, is, parse, xml } from "../../wire/xml.ts";
import type { IqFeature } from "./iq-feature.ts";

export type PrivateChange =
  | { readonly type: "private"; readonly account: string; readonly key: string; readonly xml: string }
  | { readonly type: "private-gone"; readonly account: string };

/** Key → element as text, by bare JID. */
export type StoredPrivate = ReadonlyMap<string, ReadonlyMap<string, string>>;

const MAX_ELEMENTS = 32;
const MAX_SIZE = 32_768;

export class PrivateStorage {
  readonly #kept = new Map<string, Map<string, string>>();
  readonly #mayKeep: (account: Jid) => boolean;
  readonly #changed: (change: PrivateChange) => void;

  constructor(stored: StoredPrivate, mayKeep: (account: Jid) => boolean, changed: (change: PrivateChange) => void) {
    for (const [account, elements] of stored) this.#kept.set(account, new Map(elements));
    this.#mayKeep = mayKeep;
    this.#changed = changed;
  }

  forget(account: string): void {
    if (this.#kept.delete(account)) this.#changed({ type: "private-gone", account });
  }

  readonly feature: IqFeature = {
    features: [NS.private],
    handle: (_now, iq, payload, _sender, target) => {
      if (target.kind !== "account" || !is(payload, "query", NS.private) || !this.#mayKeep(target.jid))
        return undefined;
      const account = bareText(target.jid);
      const elements = payload.getChildElements();
      const [element] = elements;
      if (element === undefined || elements.length !== 1) return errorReply(iq, { condition: "bad-request" });
      const namespace = element.getNS();
      if (namespace === undefined || namespace === NS.private) return errorReply(iq, { condition: "not-acceptable" });
      const key = `${element.getName()} ${namespace}`;
      if (attr(iq, "type") === "get") {
        const text = this.#kept.get(account)?.get(key);
        const stored = (text === undefined ? undefined : parse(text)) ?? xml(element.getName(), { xmlns: namespace });
        return iqResult(iq, xml("query", { xmlns: NS.private }, stored));
      }
      return this.#keep(account, key, element, namespace)
        ? iqResult(iq)
        : errorReply(iq, { condition: "policy-violation", text: "That is more than is kept for an account" });
    },
  };

  #keep(account: string, key: string, element: Element, namespace: string): boolean {
    const kept = this.#kept.get(account) ?? new Map<string, string>();
    const alone = clone(element);
    // Its namespace may have been declared above it.
    if (!element.name.includes(":")) alone.attrs["xmlns"] = namespace;
    const text = alone.toString();
    let size = text.length - (kept.get(key)?.length ?? 0);
    for (const each of kept.values()) size += each.length;
    if (parse(text) === undefined || size > MAX_SIZE || (!kept.has(key) && kept.size >= MAX_ELEMENTS)) return false;
    kept.set(key, text);
    this.#kept.set(account, kept);
    this.#changed({ type: "private", account, key, xml: text });
    return true;
  }
}
