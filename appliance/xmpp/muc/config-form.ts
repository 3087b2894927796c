/**
 * Room configuration by IQ: muc#owner, XEP-0045 §10. Fields come from the features; a field that is absent from a submitted form stays as it
 * is (signaling.md 3.6).
 */
import { bareText, parseJid } from "../../wire/jid.ts";
import { NS } from "../../wire/namespaces.ts";
import { iqResult } from "../../wire/stanza.ts";
import { attr, child, childText, type Element, xml } from "../../wire/xml.ts";
import type { Sender } from "../host.ts";
import { type FormField, formElement, formIn, formText, readForm } from "./data-form.ts";
import type { FormSection } from "./feature.ts";
import { statusElement } from "./presence.ts";
import type { Room } from "./room.ts";
import type { MucServiceView } from "./service-view.ts";
import type { Turn } from "./turn.ts";

const SECTIONS: readonly (readonly [FormSection, string])[] = [
  ["information", "Room information"],
  ["access", "Access to the room"],
  ["permissions", "Permissions in the room"],
  ["other", "Other options"],
];

export function handleOwner(
  service: MucServiceView,
  turn: Turn,
  room: Room,
  sender: Sender,
  stanza: Element,
  query: Element,
  type: "get" | "set",
) {
  if (room.affiliationOf(bareText(sender.jid), sender.admin) !== "owner")
    return service.refuse(turn, stanza, {
      error: { condition: "forbidden", text: "Only owners can configure rooms" },
    });
  // A get with an (empty) submitted form inside is still a get: clients send that for a room they made (signaling.md 3.6).
  if (type === "get") return turn.send(iqResult(stanza, xml("query", { xmlns: NS.mucOwner }, ownerForm(room))));
  const destroy = child(query, "destroy");
  if (destroy !== undefined) return destroyRoom(turn, room, stanza, destroy);
  submit(service, turn, room, sender, stanza, query);
}

/** The owner form as it is now. */
export function ownerForm(room: Room): Element {
  const fields: FormField[] = [];
  for (const [section, title] of SECTIONS) {
    fields.push({ type: "fixed", values: [title] });
    for (const feature of room.features) {
      const part = feature.configFields?.(room);
      if (part?.section === section) fields.push(...part.fields);
    }
  }
  return formElement(
    {
      type: "form",
      formType: NS.mucRoomConfig,
      title: `Configuration for ${room.jidText}`,
      instructions: "Complete and submit this form to configure the room.",
    },
    fields,
  );
}

function destroyRoom(turn: Turn, room: Room, stanza: Element, destroy: Element) {
  const alternate = parseJid(attr(destroy, "jid"));
  const reason = childText(destroy, "reason");
  const password = childText(destroy, "password");
  room.destroy(turn, {
    ...(alternate === undefined ? {} : { alternate: bareText(alternate) }),
    ...(reason === undefined ? {} : { reason }),
    ...(password === undefined ? {} : { password }),
  });
  turn.send(iqResult(stanza));
}

function submit(service: MucServiceView, turn: Turn, room: Room, sender: Sender, stanza: Element, query: Element) {
  const form = formIn(query);
  if (form === undefined) return service.refuse(turn, stanza, { error: { condition: "bad-request" } });
  if (attr(form, "type") === "cancel") return turn.send(iqResult(stanza));
  const values = attr(form, "type") === "submit" ? readForm(form) : undefined;
  if (values === undefined) return service.refuse(turn, stanza, { error: { condition: "bad-request" } });
  const formType = formText(values, "FORM_TYPE");
  if (formType !== undefined && formType !== NS.mucRoomConfig)
    return service.refuse(turn, stanza, {
      error: { condition: "bad-request", text: "Form is not of type room configuration" },
    });
  for (const feature of service.features) {
    const error = feature.checkConfig?.(room, values, sender);
    if (error !== undefined) return service.refuse(turn, stanza, { error });
  }
  const actor = room.occupantOf(sender);
  const codes = new Set<number>();
  for (const feature of service.features) {
    const outcome = feature.applyConfig?.(turn, room, values, actor);
    if (outcome?.changed === true) for (const code of outcome.codes ?? [104]) codes.add(code);
  }
  turn.send(iqResult(stanza));
  if (codes.size > 0)
    room.groupchat(turn, room.jidText, xml("x", { xmlns: NS.mucUser }, [...codes].map(statusElement)));
}
