/**
 * Contact lists by IQ, RFC 6121 §2: get with versions (§2.6), set, remove. Accounts of people have one; guests and service accounts get an empty
 * list that nobody can change, but for the focus account, whose contact is the address that clients ask for it (signaling.md 7.1).
 */
import type { Millis } from "../../time.ts";
import { bareText, type Jid } from "../../wire/jid.ts";
import { NS } from "../../wire/namespaces.ts";
import { errorReply, iqResult } from "../../wire/stanza.ts";
import { attr, type Element, is, xml } from "../../wire/xml.ts";
import { type Contact, readRosterSet, rosterItem } from "../roster/contact.ts";
import type { Rosters } from "../roster/rosters.ts";
import type { IqFeature } from "./iq-feature.ts";

export interface RosterOptions {
  readonly rosters: Rosters;
  readonly hasRoster: (account: Jid) => boolean;
  /** Bare JID of a service account → addresses that see its presence. */
  readonly fixed: ReadonlyMap<string, readonly string[]>;
  /** That client wants to be told of changes. */
  readonly interested: (client: Jid) => void;
  readonly push: (now: Millis, account: string, item: Element) => void;
  /** The contact was taken out of the list. */
  readonly removed: (now: Millis, account: Jid, contact: Contact) => void;
}

/** Offered after login: versions, and approval in advance (§3.4) to who has a list. */
export const rosterStreamFeatures = (keepsRoster: boolean): Element[] => [
  xml("ver", { xmlns: "urn:xmpp:features:rosterver" }),
  ...(keepsRoster ? [xml("sub", { xmlns: "urn:xmpp:features:pre-approval" })] : []),
];

export const roster = (options: RosterOptions): IqFeature => ({
  features: [],
  handle: (now, iq, payload, sender, target) => {
    if (target.kind !== "account" || !is(payload, "query", NS.roster)) return undefined;
    const account = bareText(target.jid);
    const set = attr(iq, "type") === "set";
    if (!options.hasRoster(target.jid)) {
      if (set) return errorReply(iq, { condition: "not-allowed" });
      const items = (options.fixed.get(account) ?? []).map((jid) =>
        xml("item", { jid, subscription: "from", ask: "subscribe" }),
      );
      return iqResult(iq, xml("query", { xmlns: NS.roster, ver: "1" }, items));
    }
    const { rosters } = options;
    if (!set) {
      options.interested(sender.jid);
      const ver = rosters.version(account);
      if (attr(payload, "ver") === ver) return iqResult(iq);
      const listed = [...rosters.contacts(account)].filter((each) => each.listed);
      return iqResult(iq, xml("query", { xmlns: NS.roster, ver }, listed.map(rosterItem)));
    }
    const change = readRosterSet(payload);
    if ("condition" in change) return errorReply(iq, change);
    const before = rosters.find(account, change.jid);
    if (change.remove) {
      if (!before.listed) return errorReply(iq, { condition: "item-not-found" });
      rosters.remove(account, change.jid);
      options.push(now, account, xml("item", { jid: change.jid, subscription: "remove" }));
      options.removed(now, target.jid, before);
      return iqResult(iq);
    }
    const after: Contact = { ...before, name: change.name, groups: change.groups, listed: true };
    if (!rosters.set(account, after))
      return errorReply(iq, { condition: "policy-violation", text: "The contact list is full" });
    options.push(now, account, rosterItem(after));
    return iqResult(iq);
  },
});
