/**
 * One line of a contact list, RFC 6121 §2.1: who, under what name and groups, and who of the two sees the other's presence. Reading of a roster
 * set (§2.3) with its bounds.
 */
import { bareText, jidText, parseJid } from "../../wire/jid.ts";
import type { StanzaError } from "../../wire/stanza.ts";
import { attr, children, type Element, xml } from "../../wire/xml.ts";

export interface Contact {
  /** Normalised address; mostly bare. */
  readonly jid: string;
  readonly name: string | undefined;
  readonly groups: readonly string[];
  /** The account sees the contact's presence. */
  readonly to: boolean;
  /** The contact sees the account's presence. */
  readonly from: boolean;
  /** The account has asked and has no answer. */
  readonly ask: boolean;
  /** The account has said yes in advance (§3.4). */
  readonly approved: boolean;
  /** The contact has asked and has no answer: its stanza as text, told again at each login (§3.1.3). */
  readonly request: string | undefined;
  /** In the list. False: only a request is known (state "None + Pending In" without an item, §3.1.3). */
  readonly listed: boolean;
}

/** Bounds of one item: characters of a name or a group, groups of a contact. */
const MAX_TEXT = 256;
const MAX_GROUPS = 16;

export const stranger = (jid: string): Contact => ({
  jid,
  name: undefined,
  groups: [],
  to: false,
  from: false,
  ask: false,
  approved: false,
  request: undefined,
  listed: false,
});

export const subscriptionOf = ({ to, from }: Contact): "none" | "to" | "from" | "both" =>
  to ? (from ? "both" : "to") : from ? "from" : "none";

export const rosterItem = (contact: Contact): Element =>
  xml(
    "item",
    {
      jid: contact.jid,
      name: contact.name,
      subscription: subscriptionOf(contact),
      ask: contact.ask ? "subscribe" : undefined,
      approved: contact.approved ? "true" : undefined,
    },
    contact.groups.map((group) => xml("group", {}, group)),
  );

export interface RosterSet {
  readonly jid: string;
  readonly remove: boolean;
  readonly name: string | undefined;
  readonly groups: readonly string[];
}

/** The one item of a roster set, or the error that §2.3.3 and 2.5.3 name. `subscription` other than `remove` is ignored, as is `ask`. */
export function readRosterSet(query: Element): RosterSet | StanzaError {
  const items = children(query, "item");
  const [item] = items;
  if (item === undefined || items.length !== 1) return { condition: "bad-request", text: "One item, please" };
  const address = parseJid(attr(item, "jid"));
  if (address === undefined) return { condition: "bad-request", text: "The item needs an address" };
  const jid = address.resource === undefined ? bareText(address) : jidText(address);
  if (attr(item, "subscription") === "remove") return { jid, remove: true, name: undefined, groups: [] };
  const name = attr(item, "name");
  const groups = children(item, "group").map((each) => each.getText());
  if (new Set(groups).size !== groups.length) return { condition: "bad-request", text: "A group is named twice" };
  if (groups.includes("")) return { condition: "not-acceptable", text: "A group has no name" };
  if (groups.length > MAX_GROUPS || [name ?? "", ...groups].some((each) => each.length > MAX_TEXT))
    return { condition: "not-acceptable", text: "A name or group is too long, or there are too many groups" };
  return { jid, remove: false, name: name === "" ? undefined : name, groups };
}
