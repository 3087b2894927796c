/**
 * IQs from occupant to occupant (signaling.md 3.11): Jingle, mute, disco, dial. The room puts occupant addresses in `from` and the real address
 * in `to`. Ids stay as they are: an answer names in its `to` the occupant it is for, so two senders with the same id cannot be confused.
 */
import { NS } from "../../wire/namespaces.ts";
import { iqResult } from "../../wire/stanza.ts";
import { attr, child, Element, type Element as XmlElement } from "../../wire/xml.ts";
import type { Sender } from "../host.ts";
import type { Room } from "./room.ts";
import type { MucServiceView } from "./service-view.ts";
import type { Turn } from "./turn.ts";

export function occupantIq(
  service: MucServiceView,
  turn: Turn,
  room: Room,
  sender: Sender,
  nick: string,
  stanza: XmlElement,
) {
  const type = attr(stanza, "type");
  const answer = type === "result" || type === "error";
  const from = room.occupantOf(sender);
  if (from === undefined) {
    if (answer) return turn.drop("muc-answer-from-outside");
    const ns = stanza.getChildElements()[0]?.getNS();
    // XEP-0045 §6.6: what an occupant can do is for occupants to ask.
    if (ns === NS.discoInfo || ns === NS.discoItems)
      return service.refuse(turn, stanza, { error: { condition: "bad-request" }, by: "room" });
    return service.refuse(turn, stanza, {
      error: { condition: "not-acceptable", text: "You are not currently connected to this room" },
      by: "room",
    });
  }
  const to = room.occupants.byNick(nick);
  if (to === undefined || (to !== from && !room.hears(to, from))) {
    if (answer) return turn.drop("muc-answer-to-nobody");
    return service.refuse(turn, stanza, {
      error: { condition: "item-not-found", text: "Recipient not in room" },
      by: "room",
    });
  }
  // XEP-0410: a ping to oneself is answered by the room, at once.
  if (to === from && type === "get" && child(stanza, "ping", NS.ping) !== undefined) return turn.send(iqResult(stanza));
  const copy = new Element("iq", { ...stanza.attrs, from: room.occupantJid(from), to: to.jidText });
  copy.attrs["xmlns"] = NS.client;
  copy.children = stanza.children;
  for (const each of copy.children) if (typeof each !== "string") each.parent = copy;
  turn.send(copy);
}
