/**
 * Test support: a server with people who have accounts (password `secret`) on the main domain, and what is stored of them.
 */

import { NS } from "../appliance/wire/namespaces.ts";
import { attr, child, type Element } from "../appliance/wire/xml.ts";
import { Accounts } from "../appliance/xmpp/accounts.ts";
import type { ServerOptions } from "../appliance/xmpp/server.ts";
import type { StoreChange } from "../appliance/xmpp/server-io.ts";
import { DialogueServer, type Participant, TEST_ACCOUNTS, TEST_DOMAINS } from "./xmpp-dialogue.ts";

export class People {
  readonly box: DialogueServer;

  constructor(names: readonly string[], server: Partial<ServerOptions> = {}) {
    const people = names.map((user) => ({ user, domain: TEST_DOMAINS.domain, password: "secret", admin: false }));
    const accounts = new Accounts([...TEST_ACCOUNTS, ...people], (size) => Buffer.alloc(size, 3), 8);
    this.box = new DialogueServer({ server: { accounts, ...server } });
  }

  /** Logged in over TCP and TLS; `roster`: has asked for its list; `presence`: is available. */
  login(user: string, options: { resource?: string; roster?: boolean; presence?: boolean } = {}): Participant {
    const client = this.box.tcp();
    client.startTls(TEST_DOMAINS.domain);
    client.loginPlain(user, "secret", TEST_DOMAINS.domain);
    client.bind(options.resource ?? "one");
    if (options.roster !== false) roster(client);
    if (options.presence !== false) {
      client.send("<presence/>");
      client.expect("presence", (each) => attr(each, "from") === client.jid);
    }
    return client;
  }

  stored(): StoreChange[] {
    return this.box.actions.flatMap((each) => (each.type === "store" ? [each.change] : []));
  }
}

export const bareOf = (client: Participant): string => client.jid.split("/")[0] ?? "";

export const roster = (client: Participant, ver?: string): Element =>
  client.ask("get", undefined, `<query xmlns="${NS.roster}"${ver === undefined ? "" : ` ver="${ver}"`}/>`);

/** Items of an answer or a push as `jid subscription[ ask][ approved]`. */
export const items = (iq: Element): string[] =>
  (child(iq, "query")?.getChildElements() ?? []).map((item) =>
    [
      attr(item, "jid"),
      attr(item, "subscription"),
      attr(item, "ask") === undefined ? undefined : "asked",
      attr(item, "approved") === undefined ? undefined : "approved",
    ]
      .filter((each) => each !== undefined)
      .join(" "),
  );

/** The next push. */
export const pushed = (client: Participant): string[] =>
  items(client.expect("iq", (each) => attr(each, "type") === "set"));

/** `ana` and `ben` see each other; everything that was said about it is taken out. */
export function befriend(ana: Participant, ben: Participant): void {
  ana.send(`<presence type="subscribe" to="${bareOf(ben)}"/>`);
  ben.send(`<presence type="subscribed" to="${bareOf(ana)}"/>`);
  ben.send(`<presence type="subscribe" to="${bareOf(ana)}"/>`);
  ana.send(`<presence type="subscribed" to="${bareOf(ben)}"/>`);
  ana.all();
  ben.all();
}
