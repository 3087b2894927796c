/**
 * Presence as rooms send it: the occupant's own children unchanged, one muc#user element, and what the server adds (signaling.md 3.2).
 */
import { NS } from "../../wire/namespaces.ts";
import { attr, Element, type Element as XmlElement, xml } from "../../wire/xml.ts";
import type { Affiliation, Role } from "./affiliation.ts";
import { MUC_NS } from "./namespaces.ts";
import type { PresencePayload } from "./occupants.ts";

/** Children that only the room may write; a client's own are taken out, so that nobody can pretend. */
const SERVER_ONLY: readonly (readonly [name: string, ns: string])[] = [
  ["x", NS.muc],
  ["x", NS.mucUser],
  ["occupant-id", MUC_NS.occupantId],
  ["permissions", NS.jitmeet],
];

const serverOnly = (element: XmlElement): boolean => {
  const name = element.getName();
  for (const [reserved, ns] of SERVER_ONLY) if (name === reserved && element.getNS() === ns) return true;
  return false;
};

/** What of a received presence goes to others. */
export function payloadOf(presence: XmlElement): PresencePayload {
  return {
    id: attr(presence, "id"),
    lang: attr(presence, "xml:lang"),
    children: presence.children.filter((each) => typeof each === "string" || !serverOnly(each)),
  };
}

/** The same stanza to another address. Children are shared, not copied: fan-out costs one small element a receiver. */
export function addressed(stanza: XmlElement, to: string): XmlElement {
  const copy = new Element(stanza.name, { ...stanza.attrs, to });
  copy.children = stanza.children;
  return copy;
}

export interface ItemFacts {
  readonly affiliation: Affiliation;
  readonly role: Role;
  /** Real full address, when the receiver may know it. */
  readonly jid?: string | undefined;
  /** New nick, in the unavailable presence of a nick change. */
  readonly nick?: string | undefined;
  readonly actor?: { readonly nick?: string | undefined; readonly jid?: string | undefined } | undefined;
  readonly reason?: string | undefined;
}

export const itemElement = (item: ItemFacts): XmlElement =>
  xml(
    "item",
    { affiliation: item.affiliation, role: item.role, jid: item.jid, nick: item.nick },
    item.actor !== undefined && xml("actor", { nick: item.actor.nick, jid: item.actor.jid }),
    item.reason !== undefined && item.reason !== "" && xml("reason", {}, item.reason),
  );

export const statusElement = (code: number): XmlElement => xml("status", { code });

/** The muc#user element; `before` and `after` are status codes in front of and behind the item. */
export const mucUser = (
  before: readonly (number | XmlElement)[],
  item: ItemFacts,
  after: readonly number[],
): XmlElement =>
  xml(
    "x",
    { xmlns: NS.mucUser },
    before.map((each) => (typeof each === "number" ? statusElement(each) : each)),
    itemElement(item),
    after.map(statusElement),
  );

export interface PresenceParts {
  readonly from: string;
  readonly type?: "unavailable";
  readonly payload: PresencePayload;
  readonly occupantId: string;
  /** Further children of the server: identity and the like; the same for every receiver. */
  readonly extras?: readonly XmlElement[];
}

/** One presence without receiver; `x` comes before any other `x` of the sender's, else last (signaling.md 3.2). */
export function presenceStanza(parts: PresenceParts, x: XmlElement, trailing: readonly XmlElement[] = []): XmlElement {
  const stanza = new Element("presence", {
    xmlns: NS.client,
    from: parts.from,
    ...(parts.type === undefined ? {} : { type: parts.type }),
    ...(parts.payload.id === undefined ? {} : { id: parts.payload.id }),
    ...(parts.payload.lang === undefined ? {} : { "xml:lang": parts.payload.lang }),
  });
  const occupantId = xml("occupant-id", { xmlns: MUC_NS.occupantId, id: parts.occupantId });
  const own = [...parts.payload.children, ...(parts.extras ?? []), occupantId];
  const otherX = own.findIndex((each) => typeof each !== "string" && each.getName() === "x");
  stanza.children = otherX === -1 ? [...own, x] : [...own.slice(0, otherX), x, ...own.slice(otherX)];
  stanza.children.push(...trailing);
  // Sharing children among stanzas: the parent link serves only to resolve the inherited namespace, the same in all of them.
  for (const each of stanza.children) if (typeof each !== "string") each.parent = stanza;
  return stanza;
}
