/**
 * Asking for voice in a moderated room, XEP-0045 §7.13 and §8.6: the form goes to the moderators, their approval makes a participant.
 */
import { NS } from "../../wire/namespaces.ts";
import { attr, type Element, xml } from "../../wire/xml.ts";
import { formBoolean, formElement, formIn, formText, readForm } from "./data-form.ts";
import type { RoomFeature } from "./feature.ts";
import { MUC_NS } from "./namespaces.ts";
import type { Occupant } from "./occupants.ts";
import type { Room } from "./room.ts";

const requestForm = (from: Occupant): Element =>
  formElement(
    {
      type: "form",
      formType: MUC_NS.request,
      title: "Voice request",
      instructions: "Approve to let this person speak.",
    },
    [
      { type: "text-single", name: "muc#role", label: "Requested role", values: ["participant"] },
      { type: "text-single", name: "muc#jid", label: "User", values: [from.jidText] },
      { type: "text-single", name: "muc#roomnick", label: "Nickname", values: [from.nick] },
      { type: "boolean", name: "muc#request_allow", label: "Grant voice?", values: ["0"] },
    ],
  );

const toModerators = (room: Room) => (viewer: Occupant) => viewer.role === "moderator" && room.showsAddress(viewer);

export const voice: RoomFeature = {
  roomMessage(turn, room, sender, message) {
    const form = formIn(message);
    const values = form === undefined ? undefined : readForm(form);
    if (form === undefined || values === undefined || formText(values, "FORM_TYPE") !== MUC_NS.request)
      return undefined;
    if (attr(form, "type") !== "submit") return { condition: "bad-request" };
    const from = room.occupantOf(sender);
    if (from === undefined) return { condition: "not-acceptable" };
    const approval = formBoolean(values, "muc#request_allow");
    if (approval === undefined) {
      if (!room.moderated || from.role !== "visitor") return { condition: "forbidden" };
      room.broadcast(
        turn,
        xml("message", { xmlns: NS.client, from: room.jidText }, requestForm(from)),
        toModerators(room),
      );
      return "taken";
    }
    if (from.role !== "moderator") return { condition: "forbidden" };
    const target = room.occupants.byNick(formText(values, "muc#roomnick") ?? "");
    if (target === undefined) return { condition: "item-not-found" };
    if (approval === true && target.role === "visitor") room.setRole(turn, target, "participant", { actor: from });
    return "taken";
  },
};
