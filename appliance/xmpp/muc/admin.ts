/**
 * Roles and affiliations by IQ: muc#admin, XEP-0045 §8 and §9. A set may carry several items (signaling.md 3.9): all are checked first, then
 * all applied.
 */
import { bareText, parseJid } from "../../wire/jid.ts";
import { NS } from "../../wire/namespaces.ts";
import { iqResult, type StanzaError } from "../../wire/stanza.ts";
import { attr, children, childText, type Element, xml } from "../../wire/xml.ts";
import type { Sender } from "../host.ts";
import { type Affiliation, affiliationRank, type Role, readAffiliation, readRole, roleRank } from "./affiliation.ts";
import { isMembersOnly } from "./lock.ts";
import type { Occupant } from "./occupants.ts";
import type { Room } from "./room.ts";
import type { MucServiceView } from "./service-view.ts";
import type { Turn } from "./turn.ts";

type Change =
  | { readonly type: "role"; readonly occupant: Occupant; readonly role: Role; readonly reason: string | undefined }
  | {
      readonly type: "affiliation";
      readonly bare: string;
      readonly affiliation: Affiliation;
      readonly reason: string | undefined;
    };

/** Items in one request. */
const MAX_ITEMS = 1_000;

export function handleAdmin(
  service: MucServiceView,
  turn: Turn,
  room: Room,
  sender: Sender,
  stanza: Element,
  query: Element,
  type: "get" | "set",
) {
  const items = children(query, "item");
  const fault = (error: StanzaError): void => service.refuse(turn, stanza, { error });
  if (items.length === 0 || items.length > MAX_ITEMS) return fault({ condition: "bad-request" });
  if (type === "get") {
    const answer = items[0] === undefined ? { condition: "bad-request" as const } : list(room, sender, items[0]);
    if ("condition" in answer) return fault(answer);
    return turn.send(iqResult(stanza, xml("query", { xmlns: NS.mucAdmin }, answer.items)));
  }
  const changes: Change[] = [];
  for (const item of items) {
    const change = read(room, item);
    if ("condition" in change) return fault(change);
    const objection = permitted(service, room, sender, change);
    if (objection !== undefined) return fault(objection);
    changes.push(change);
  }
  if (ownerless(room, changes)) return fault({ condition: "conflict" });
  const actor = room.occupantOf(sender);
  for (const change of changes) {
    const done = apply(service, turn, room, change, actor);
    if (!done) return fault({ condition: "resource-constraint" });
  }
  turn.send(iqResult(stanza));
}

function list(room: Room, sender: Sender, item: Element): StanzaError | { readonly items: readonly Element[] } {
  const own = room.affiliationOf(bareText(sender.jid), sender.admin);
  const occupant = room.occupantOf(sender);
  const wantedRole = attr(item, "role");
  const wantedAffiliation = attr(item, "affiliation");
  if (wantedAffiliation !== undefined) {
    const affiliation = readAffiliation(wantedAffiliation);
    if (affiliation === undefined || affiliation === "none") return { condition: "bad-request" };
    const enough =
      affiliationRank(own) >= affiliationRank("admin") ||
      (affiliation !== "outcast" && occupant !== undefined && room.publicAddresses);
    if (!enough) return { condition: "forbidden" };
    const found = new Map<string, string | undefined>();
    if (affiliation === "owner")
      for (const each of room.occupants.all()) if (each.admin) found.set(each.bareText, undefined);
    for (const [bare, entry] of room.occupants.affiliations())
      if (entry.affiliation === affiliation) found.set(bare, entry.reason);
    return {
      items: [...found].map(([jid, reason]) =>
        xml("item", { affiliation, jid }, reason !== undefined && xml("reason", {}, reason)),
      ),
    };
  }
  const role = readRole(wantedRole);
  if (role === undefined) return { condition: "bad-request" };
  if (occupant?.role !== "moderator" && !sender.admin) return { condition: "forbidden" };
  return {
    items: [...room.occupants.all()]
      .filter((each) => each.role === role)
      .map((each) => xml("item", { role, nick: each.nick, jid: each.jidText, affiliation: room.affiliation(each) })),
  };
}

function read(room: Room, item: Element): Change | StanzaError {
  const role = attr(item, "role");
  const affiliation = attr(item, "affiliation");
  const nick = attr(item, "nick");
  const address = attr(item, "jid");
  const reason = childText(item, "reason");
  if ((role === undefined) === (affiliation === undefined)) return { condition: "bad-request" };
  const byNick = nick === undefined ? undefined : room.occupants.byNick(nick);
  if (nick !== undefined && address === undefined && byNick === undefined)
    return { condition: "item-not-found", type: "modify" };
  if (affiliation !== undefined) {
    const wanted = readAffiliation(affiliation);
    const parsed = address === undefined ? undefined : parseJid(address);
    if (address !== undefined && parsed === undefined) return { condition: "jid-malformed" };
    const bare = parsed !== undefined ? bareText(parsed) : byNick?.bareText;
    if (wanted === undefined || bare === undefined) return { condition: "bad-request" };
    return { type: "affiliation", bare, affiliation: wanted, reason };
  }
  const wanted = readRole(role);
  const parsed = address === undefined ? undefined : parseJid(address);
  const occupant = byNick ?? (parsed === undefined ? undefined : room.occupants.ofBare(bareText(parsed))[0]);
  if (wanted === undefined) return { condition: "bad-request" };
  if (occupant === undefined) return { condition: "item-not-found", type: "modify" };
  return { type: "role", occupant, role: wanted, reason };
}

/** XEP-0045 §5.1.1 and §5.2.1, tables of privileges. */
function permitted(service: MucServiceView, room: Room, sender: Sender, change: Change): StanzaError | undefined {
  const own = room.affiliationOf(bareText(sender.jid), sender.admin);
  const actor = room.occupantOf(sender);
  const rank = affiliationRank(own);
  const targets = change.type === "role" ? [change.occupant] : room.occupants.ofBare(change.bare);
  const isProtected = targets.some(
    (each) =>
      (each.admin && !sender.admin) ||
      service.features.some((feature) => feature.protects?.(room, each, sender) === true),
  );
  const refused: StanzaError = { condition: "not-allowed" };
  if (change.type === "role") {
    const { occupant, role } = change;
    const standing = affiliationRank(room.affiliation(occupant));
    if (actor?.role !== "moderator" && !sender.admin) return refused;
    if (isProtected || standing > rank) return refused;
    // Only admins and owners give or take the moderator role (§9.6, §9.7).
    if (role === "moderator" && rank < affiliationRank("admin")) return refused;
    if (occupant.role === "moderator" && rank < affiliationRank("admin")) return refused;
    if (role !== "none" && roleRank(role) < roleRank("moderator") && standing >= affiliationRank("admin"))
      return refused;
    return undefined;
  }
  if (rank < affiliationRank("admin")) return { condition: "forbidden" };
  const current = affiliationRank(room.affiliationOf(change.bare));
  if (change.affiliation === "outcast" && change.bare === bareText(sender.jid)) return { condition: "conflict" };
  const same = room.affiliationOf(change.bare) === change.affiliation;
  if (isProtected && !same) return refused;
  if (own === "owner" || sender.admin) return undefined;
  return current >= affiliationRank("admin") || affiliationRank(change.affiliation) >= affiliationRank("admin")
    ? refused
    : undefined;
}

/** A room with stored owners only must keep one (§10.7: the last owner cannot resign). */
function ownerless(room: Room, changes: readonly Change[]): boolean {
  const owners = new Set<string>();
  for (const each of room.occupants.all()) if (each.admin) return false;
  for (const [bare, entry] of room.occupants.affiliations()) if (entry.affiliation === "owner") owners.add(bare);
  if (owners.size === 0) return false;
  for (const change of changes) {
    if (change.type !== "affiliation") continue;
    if (change.affiliation === "owner") owners.add(change.bare);
    else owners.delete(change.bare);
  }
  return owners.size === 0;
}

function apply(service: MucServiceView, turn: Turn, room: Room, change: Change, actor: Occupant | undefined): boolean {
  const home = service.options.affiliationHome?.(room) ?? room;
  if (change.type === "affiliation") {
    const { bare, affiliation, reason } = change;
    return home.setAffiliation(turn, bare, affiliation, { actor, reason }, isMembersOnly(home));
  }
  const { occupant, role, reason } = change;
  if (role === "none" && service.options.kickResetsAffiliation && !occupant.admin) {
    home.occupants.store(occupant.bareText, { affiliation: "none" });
    for (const viewer of room.occupants.all())
      if (viewer !== occupant && room.showsAddress(viewer)) room.announceTo(turn, viewer, occupant.bareText, "none");
  }
  room.setRole(turn, occupant, role, { actor, reason });
  return true;
}
