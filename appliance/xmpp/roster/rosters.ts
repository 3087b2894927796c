/**
 * The contact lists of all accounts that have one, with their versions (RFC 6121 §2.6). Every change is told to the store. Guests have none.
 *
 * Bounds: contacts of an account, listed or merely asking; when it is full nothing new gets in, and the asker hears nothing.
 */
import { type Contact, stranger } from "./contact.ts";

export interface Roster {
  /** Goes up by one with each change that clients see. */
  readonly version: number;
  readonly contacts: readonly Contact[];
}

/** What a store must keep of rosters; plain data. */
export type RosterChange =
  | { readonly type: "contact"; readonly account: string; readonly version: number; readonly contact: Contact }
  | { readonly type: "contact-gone"; readonly account: string; readonly version: number; readonly jid: string }
  | { readonly type: "roster-gone"; readonly account: string };

export const MAX_CONTACTS = 200;

interface Kept {
  version: number;
  readonly contacts: Map<string, Contact>;
}

export class Rosters {
  readonly #rosters = new Map<string, Kept>();
  readonly #changed: (change: RosterChange) => void;
  readonly #maxContacts: number;

  constructor(
    stored: ReadonlyMap<string, Roster>,
    changed: (change: RosterChange) => void,
    maxContacts: number = MAX_CONTACTS,
  ) {
    this.#changed = changed;
    this.#maxContacts = maxContacts;
    for (const [account, { version, contacts }] of stored)
      this.#rosters.set(account, { version, contacts: new Map(contacts.map((each) => [each.jid, each])) });
  }

  version(account: string): string {
    return String(this.#rosters.get(account)?.version ?? 0);
  }

  contacts(account: string): Iterable<Contact> {
    return this.#rosters.get(account)?.contacts.values() ?? [];
  }

  /** Somebody unknown comes as a stranger: nothing seen, nothing asked. */
  find(account: string, jid: string): Contact {
    return this.#rosters.get(account)?.contacts.get(jid) ?? stranger(jid);
  }

  /** Keeps a contact as it is now. False: the list is full, nothing was kept. */
  set(account: string, contact: Contact): boolean {
    const kept = this.#rosters.get(account) ?? { version: 0, contacts: new Map<string, Contact>() };
    const before = kept.contacts.get(contact.jid);
    if (before === undefined && kept.contacts.size >= this.#maxContacts) return false;
    if (before !== undefined && JSON.stringify(before) === JSON.stringify(contact)) return true;
    this.#rosters.set(account, kept);
    if (!contact.listed && contact.request === undefined) {
      this.remove(account, contact.jid);
      return true;
    }
    kept.contacts.set(contact.jid, contact);
    this.#changed({ type: "contact", account, version: ++kept.version, contact });
    return true;
  }

  remove(account: string, jid: string): void {
    const kept = this.#rosters.get(account);
    if (kept?.contacts.delete(jid) === true)
      this.#changed({ type: "contact-gone", account, version: ++kept.version, jid });
  }

  /** The account itself is gone. */
  forget(account: string): void {
    if (this.#rosters.delete(account)) this.#changed({ type: "roster-gone", account });
  }
}
