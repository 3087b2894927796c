/**
 * Identity in presence from the token, signaling.md 3.3 and 6.9; a client's own `identity` element is taken out, so that it cannot be forged.
 */
import { NS } from "../../wire/namespaces.ts";
import { type Element, xml } from "../../wire/xml.ts";
import type { Sender } from "../host.ts";
import type { RoomFeature } from "../muc/feature.ts";
import type { PresencePayload } from "../muc/occupants.ts";
import type { Room } from "../muc/room.ts";
import { tokenContext } from "./token-claims.ts";

const text = (value: unknown): string | undefined =>
  typeof value === "string"
    ? value
    : typeof value === "number" || typeof value === "boolean"
      ? String(value)
      : undefined;

/** Names that an XML element may have; other keys of the claim are left out. */
const ELEMENT_NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/;
const MAX_KEYS = 32;

function identityElement(sender: Sender): Element | undefined {
  const context = tokenContext(sender.connection);
  if (context?.user === undefined && context?.group === undefined) return undefined;
  const user: Element[] = [];
  for (const [key, value] of Object.entries(context.user ?? {}).slice(0, MAX_KEYS)) {
    const shown = text(value);
    if (shown !== undefined && ELEMENT_NAME.test(key)) user.push(xml(key, {}, shown));
  }
  return xml("identity", {}, xml("user", {}, user), context.group !== undefined && xml("group", {}, context.group));
}

const isIdentity = (each: Element | string): boolean =>
  typeof each !== "string" && each.getName() === "identity" && (each.getNS() ?? NS.client) === NS.client;

export const presenceIdentity: RoomFeature = {
  presence(_room: Room, sender: Sender, payload: PresencePayload): PresencePayload {
    if (sender.admin) return payload;
    const identity = identityElement(sender);
    const children = payload.children.filter((each) => !isIdentity(each));
    return { ...payload, children: identity === undefined ? children : [...children, identity] };
  },
};
