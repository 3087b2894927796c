/**
 * Shell: accounts made over the wire, contact lists and private XML, kept in `parley.sqlite` of the data folder (design.md 5). The tables are xmpp's own; nobody
 * else reads them. Read whole at the start, written a change at a time.
 */
import { Database } from "bun:sqlite";
import { closeSync, openSync } from "node:fs";
import type { RegisteredAccount } from "./accounts.ts";
import type { StoredPrivate } from "./features/private-storage.ts";
import type { Contact } from "./roster/contact.ts";
import type { Roster } from "./roster/rosters.ts";
import type { ScramCredentials } from "./scram.ts";
import type { StoreChange } from "./server-io.ts";

export interface Stored {
  readonly accounts: readonly RegisteredAccount[];
  /** By bare JID. */
  readonly rosters: ReadonlyMap<string, Roster>;
  readonly privateStorage: StoredPrivate;
}

export interface AccountStore {
  readonly stored: Stored;
  apply(change: StoreChange): void;
  close(): void;
}

const SCHEMA = `
CREATE TABLE IF NOT EXISTS xmpp_accounts (user TEXT NOT NULL, domain TEXT NOT NULL, scram TEXT NOT NULL, PRIMARY KEY (user, domain)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS xmpp_rosters (account TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS xmpp_contacts (account TEXT NOT NULL, jid TEXT NOT NULL, contact TEXT NOT NULL, PRIMARY KEY (account, jid)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS xmpp_private (account TEXT NOT NULL, key TEXT NOT NULL, xml TEXT NOT NULL, PRIMARY KEY (account, key)) WITHOUT ROWID;
`;

/** Throws when the file cannot be opened or written: the part does not start then. */
export function openAccountStore(path: string): AccountStore {
  closeSync(openSync(path, "a", 0o600)); // keys of passwords: nobody else's business
  const db = new Database(path, { create: true, strict: true });
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 2000;");
  db.exec(SCHEMA);
  const account = db.query("INSERT OR REPLACE INTO xmpp_accounts VALUES (?1, ?2, ?3)");
  const accountGone = db.query("DELETE FROM xmpp_accounts WHERE user = ?1 AND domain = ?2");
  const version = db.query("INSERT OR REPLACE INTO xmpp_rosters VALUES (?1, ?2)");
  const contact = db.query("INSERT OR REPLACE INTO xmpp_contacts VALUES (?1, ?2, ?3)");
  const contactGone = db.query("DELETE FROM xmpp_contacts WHERE account = ?1 AND jid = ?2");
  const rosterGone = db.query("DELETE FROM xmpp_rosters WHERE account = ?1");
  const contactsGone = db.query("DELETE FROM xmpp_contacts WHERE account = ?1");
  const kept = db.query("INSERT OR REPLACE INTO xmpp_private VALUES (?1, ?2, ?3)");
  const keptGone = db.query("DELETE FROM xmpp_private WHERE account = ?1");
  const apply = db.transaction((change: StoreChange): void => {
    switch (change.type) {
      case "account":
        account.run(change.account.user, change.account.domain, writeScram(change.account.scram));
        break;
      case "account-gone":
        accountGone.run(change.user, change.domain);
        break;
      case "contact":
        contact.run(change.account, change.contact.jid, JSON.stringify(change.contact));
        version.run(change.account, change.version);
        break;
      case "contact-gone":
        contactGone.run(change.account, change.jid);
        version.run(change.account, change.version);
        break;
      case "roster-gone":
        contactsGone.run(change.account);
        rosterGone.run(change.account);
        break;
      case "private":
        kept.run(change.account, change.key, change.xml);
        break;
      case "private-gone":
        keptGone.run(change.account);
        break;
    }
  });
  return { stored: read(db), apply: (change) => apply(change), close: () => db.close() };
}

function read(db: Database): Stored {
  const accounts = db
    .query<{ user: string; domain: string; scram: string }, []>("SELECT user, domain, scram FROM xmpp_accounts")
    .all()
    .map(({ user, domain, scram }) => ({ user, domain, scram: readScram(scram) }));
  const rosters = new Map<string, Roster>();
  const contacts = db.query<{ contact: string }, [string]>("SELECT contact FROM xmpp_contacts WHERE account = ?1");
  for (const { account, version } of db
    .query<{ account: string; version: number }, []>("SELECT account, version FROM xmpp_rosters")
    .all())
    rosters.set(account, {
      version,
      contacts: contacts.all(account).map((row) => readContact(row.contact)),
    });
  const privateStorage = new Map<string, Map<string, string>>();
  for (const { account, key, xml } of db
    .query<{ account: string; key: string; xml: string }, []>("SELECT account, key, xml FROM xmpp_private")
    .all())
    privateStorage.set(account, (privateStorage.get(account) ?? new Map<string, string>()).set(key, xml));
  return { accounts, rosters, privateStorage };
}

/** JSON leaves out what is undefined; what we wrote is what we read. */
const readContact = (text: string): Contact => {
  const kept = JSON.parse(text) as Omit<Contact, "name" | "request"> & Partial<Pick<Contact, "name" | "request">>;
  return { ...kept, name: kept.name, request: kept.request };
};

interface ScramText {
  readonly salt: string;
  readonly iterations: number;
  readonly sha1: readonly [string, string];
  readonly sha256: readonly [string, string];
}

const writeScram = ({ salt, iterations, sha1, sha256 }: ScramCredentials): string => {
  const pair = (keys: ScramCredentials["sha1"]): [string, string] => [
    Buffer.from(keys.storedKey).toString("base64"),
    Buffer.from(keys.serverKey).toString("base64"),
  ];
  const kept: ScramText = {
    salt: Buffer.from(salt).toString("base64"),
    iterations,
    sha1: pair(sha1),
    sha256: pair(sha256),
  };
  return JSON.stringify(kept);
};

const readScram = (text: string): ScramCredentials => {
  const { salt, iterations, sha1, sha256 } = JSON.parse(text) as ScramText;
  const pair = ([storedKey, serverKey]: readonly [string, string]): ScramCredentials["sha1"] => ({
    storedKey: Buffer.from(storedKey, "base64"),
    serverKey: Buffer.from(serverKey, "base64"),
  });
  return { salt: Buffer.from(salt, "base64"), iterations, sha1: pair(sha1), sha256: pair(sha256) };
};
