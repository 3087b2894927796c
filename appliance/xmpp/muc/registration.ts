/**
 * Registering a nick with a room, XEP-0045 §7.10, and asking for one's own, §7.12: in rooms for any XMPP client. Whoever registers becomes a member;
 * where only members enter, one has to be one already. Nobody else enters under a registered nick.
 *
 * Bound: 1,000 nicks a room; then no more are taken.
 */
import { bareText } from "../../wire/jid.ts";
import { NS } from "../../wire/namespaces.ts";
import { errorReply, iqResult, type StanzaError } from "../../wire/stanza.ts";
import { attr, child, type Element, xml } from "../../wire/xml.ts";
import type { Sender } from "../host.ts";
import { affiliationRank } from "./affiliation.ts";
import { formElement, formText, readForm } from "./data-form.ts";
import type { RoomFeature } from "./feature.ts";
import { isMembersOnly } from "./lock.ts";
import { refuse } from "./refusal.ts";
import type { Room } from "./room.ts";
import { RoomSlot } from "./slot.ts";
import type { Turn } from "./turn.ts";

const FORM = "http://jabber.org/protocol/muc#register";
const FIELD = "muc#register_roomnick";
const MAX_NICKS = 1_000;
const MAX_NICK = 256;

/** Bare address → nick. */
const slot = new RoomSlot<Map<string, string>>(() => new Map());

const holderOf = (room: Room, nick: string): string | undefined => {
  for (const [bare, each] of slot.of(room)) if (each === nick) return bare;
  return undefined;
};

export const registration: RoomFeature = {
  roomInfo: () => ({ features: [NS.register] }),

  checkJoin(_turn, { room, sender, nick }) {
    const holder = holderOf(room, nick);
    return holder === undefined || holder === bareText(sender.jid)
      ? undefined
      : refuse({ condition: "conflict", text: "That nick is registered" });
  },

  ownNick: (room, sender) => slot.of(room).get(bareText(sender.jid)),

  request(turn, room, sender, iq, query) {
    if (query.getName() !== "query" || query.getNS() !== NS.register) return undefined;
    const bare = bareText(sender.jid);
    if (attr(iq, "type") === "get") {
      const mine = slot.of(room).get(bare);
      return iqResult(iq, xml("query", { xmlns: NS.register }, mine !== undefined && xml("registered"), form(mine)));
    }
    const error = child(query, "remove") === undefined ? register(turn, room, sender, query) : forget(room, bare);
    return error === undefined ? iqResult(iq) : errorReply(iq, error);
  },
};

const form = (nick: string | undefined): Element =>
  formElement({ type: "form", formType: FORM, title: "Registration with this room" }, [
    { type: "text-single", name: FIELD, label: "Nick", ...(nick === undefined ? {} : { values: [nick] }) },
  ]);

function forget(room: Room, bare: string): StanzaError | undefined {
  return slot.of(room).delete(bare) ? undefined : { condition: "item-not-found" };
}

function register(turn: Turn, room: Room, sender: Sender, query: Element): StanzaError | undefined {
  const bare = bareText(sender.jid);
  const submitted = child(query, "x", NS.dataForms);
  const values = submitted === undefined ? undefined : readForm(submitted);
  if (values === undefined || formText(values, "FORM_TYPE") !== FORM) return { condition: "bad-request" };
  const nick = formText(values, FIELD);
  if (nick === undefined || nick.trim() === "" || nick.length > MAX_NICK) return { condition: "not-acceptable" };
  const affiliation = room.affiliationOf(bare, sender.admin);
  if (affiliation === "outcast") return { condition: "forbidden" };
  const member = affiliationRank(affiliation) >= affiliationRank("member");
  if (!member && isMembersOnly(room)) return { condition: "registration-required" };
  const nicks = slot.of(room);
  const holder = holderOf(room, nick);
  const inside = room.occupants.byNick(nick);
  if ((holder !== undefined && holder !== bare) || (inside !== undefined && inside.bareText !== bare))
    return { condition: "conflict" };
  if (!nicks.has(bare) && nicks.size >= MAX_NICKS) return { condition: "resource-constraint" };
  nicks.set(bare, nick);
  if (!member) room.setAffiliation(turn, bare, "member");
  return undefined;
}
