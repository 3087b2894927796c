/**
 * Messages in rooms, XEP-0045 §7.4, §7.5, §7.8: reflected with id and all children kept (signaling.md 3.10), private ones handed on.
 */
import { NS } from "../../wire/namespaces.ts";
import { attr, Element, type Element as XmlElement, xml } from "../../wire/xml.ts";
import type { Sender } from "../host.ts";
import { MUC_NS } from "./namespaces.ts";
import type { Occupant } from "./occupants.ts";
import { addressed } from "./presence.ts";
import type { Room } from "./room.ts";
import type { MucServiceView } from "./service-view.ts";
import type { Turn } from "./turn.ts";

const OUTSIDE = { condition: "not-acceptable", text: "You are not currently connected to this room" } as const;

/** Children that only the room may write into a message, or that would pretend to be history or another name. */
function forged(room: Room, element: XmlElement): boolean {
  const name = element.getName();
  const ns = element.getNS();
  if (name === "x" && ns === NS.mucUser) return true;
  if (name === "occupant-id" && ns === MUC_NS.occupantId) return true;
  if (name === "stanza-id" && ns === MUC_NS.stanzaId) return attr(element, "by") === room.jidText;
  if (name === "delay" && ns === NS.delay) return true;
  // Clients show names from presence; a nick in a message would be another's (signaling.md 3.10).
  if (name === "nick" && ns === NS.nick) return true;
  return name === "display-name" && ns === MUC_NS.displayName;
}

function reflected(room: Room, from: Occupant, stanza: XmlElement, added: readonly XmlElement[]): XmlElement {
  const copy = new Element("message", {
    xmlns: NS.client,
    from: room.occupantJid(from),
    type: attr(stanza, "type") ?? "normal",
  });
  const id = attr(stanza, "id");
  const lang = attr(stanza, "xml:lang");
  if (id !== undefined) copy.attrs["id"] = id;
  if (lang !== undefined) copy.attrs["xml:lang"] = lang;
  copy.children = stanza.children.filter((each) => typeof each === "string" || !forged(room, each));
  copy.children.push(...added, xml("occupant-id", { xmlns: MUC_NS.occupantId, id: from.occupantId }));
  for (const each of copy.children) if (typeof each !== "string") each.parent = copy;
  return copy;
}

export function groupchat(
  service: MucServiceView,
  turn: Turn,
  room: Room,
  occupant: Occupant | undefined,
  stanza: XmlElement,
) {
  if (occupant === undefined) return service.refuse(turn, stanza, { error: OUTSIDE, by: "room" });
  for (const feature of service.features) {
    const verdict = feature.groupchat?.(turn, room, occupant, stanza);
    if (verdict === "taken") return;
    if (verdict !== undefined) return service.refuse(turn, stanza, { error: verdict });
  }
  const message = reflected(room, occupant, stanza, []);
  // A message needs an id for reactions and retractions to point at; one that came without gets the room's.
  if (message.attrs["id"] === undefined) message.attrs["id"] = service.options.newId();
  room.broadcast(turn, message, (viewer) => viewer === occupant || room.hears(viewer, occupant));
  for (const feature of service.features) feature.reflected?.(turn, room, occupant, message);
}

export function privateMessage(
  service: MucServiceView,
  turn: Turn,
  room: Room,
  from: Occupant | undefined,
  nick: string,
  stanza: XmlElement,
) {
  const type = attr(stanza, "type");
  if (from === undefined) return service.refuse(turn, stanza, { error: OUTSIDE, by: "room" });
  if (type === "groupchat") return service.refuse(turn, stanza, { error: { condition: "bad-request" }, by: "room" });
  const to = room.occupants.byNick(nick);
  if (to === undefined || !room.hears(to, from))
    return service.refuse(turn, stanza, {
      error: { condition: "item-not-found", text: "Recipient not in room" },
      by: "room",
    });
  if (type !== "error")
    for (const feature of service.features) {
      const error = feature.privateMessage?.(room, from, to, stanza);
      if (error !== undefined) return service.refuse(turn, stanza, { error, by: "room" });
    }
  turn.send(addressed(reflected(room, from, stanza, [xml("x", { xmlns: NS.mucUser })]), to.jidText));
}

/** Neither groupchat nor private: invitations, declined ones, requests for voice. */
export function roomMessage(service: MucServiceView, turn: Turn, room: Room, sender: Sender, stanza: XmlElement) {
  for (const feature of service.features) {
    const verdict = feature.roomMessage?.(turn, room, sender, stanza);
    if (verdict === "taken") return;
    if (verdict !== undefined) return service.refuse(turn, stanza, { error: verdict });
  }
  service.refuse(turn, stanza, { error: { condition: "bad-request" } });
}
