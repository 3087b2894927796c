/**
 * Mediated invitations and their refusal, XEP-0045 §7.8.2. In a members-only room an invitation by an owner or admin makes the invited a member,
 * the way a lobby lets people in (signaling.md 6.3); the password of the room is not handed on.
 */
import { bareText, jidText, parseJid } from "../../wire/jid.ts";
import { NS } from "../../wire/namespaces.ts";
import { attr, child, children, childText, type Element, xml } from "../../wire/xml.ts";
import type { Sender } from "../host.ts";
import { affiliationRank } from "./affiliation.ts";
import type { RoomFeature } from "./feature.ts";
import { isMembersOnly } from "./lock.ts";
import { MUC_NS } from "./namespaces.ts";
import type { Occupant } from "./occupants.ts";
import type { Room } from "./room.ts";
import type { Turn } from "./turn.ts";

/** Invitations in one message (signaling.md 6.3: several), by owners and admins; by others. */
const MAX_INVITES = 500;
const MAX_INVITES_BY_PARTICIPANTS = 10;

export interface InviteObserver {
  /** Somebody was let in; told before the message to him goes out. */
  admitted?(turn: Turn, room: Room, invited: string, by: Occupant): void;
}

export const invite = (observer: InviteObserver = {}): RoomFeature => ({
  roomMessage(turn, room, sender, message) {
    const x = child(message, "x", NS.mucUser);
    if (x === undefined) return undefined;
    const invites = children(x, "invite");
    if (invites.length > 0) return inviteAll(turn, room, sender, message, invites, observer);
    const decline = child(x, "decline");
    return decline === undefined ? undefined : passDecline(turn, room, sender, decline);
  },
});

function inviteAll(
  turn: Turn,
  room: Room,
  sender: Sender,
  message: Element,
  invites: readonly Element[],
  observer: InviteObserver,
): ReturnType<NonNullable<RoomFeature["roomMessage"]>> {
  const occupant = room.occupantOf(sender);
  if (occupant === undefined)
    return { condition: "not-acceptable", text: "You are not currently connected to this room" };
  const powerful = affiliationRank(room.affiliation(occupant)) >= affiliationRank("admin");
  if (isMembersOnly(room) && !powerful) return { condition: "forbidden" };
  if (occupant.role === "visitor") return { condition: "forbidden" };
  if (invites.length > (powerful ? MAX_INVITES : MAX_INVITES_BY_PARTICIPANTS)) return { condition: "policy-violation" };
  const targets = invites.map((each) => ({ invite: each, to: parseJid(attr(each, "to")) }));
  if (targets.some((each) => each.to === undefined)) return { condition: "jid-malformed" };
  if (targets.some((each) => each.to !== undefined && room.affiliationOf(bareText(each.to)) === "outcast"))
    return { condition: "forbidden" };
  for (const { invite: element, to } of targets) {
    if (to === undefined) continue;
    const reason = childText(element, "reason") ?? "";
    const bare = bareText(to);
    if (isMembersOnly(room) && affiliationRank(room.affiliationOf(bare)) < affiliationRank("member")) {
      observer.admitted?.(turn, room, jidText(to), occupant);
      const stored = room.setAffiliation(turn, bare, "member", { reason: `Invited by ${occupant.jidText}` });
      if (!stored) return { condition: "resource-constraint" };
    }
    turn.send(
      xml(
        "message",
        { xmlns: NS.client, from: room.jidText, to: jidText(to), id: attr(message, "id") },
        xml("x", { xmlns: NS.mucUser }, xml("invite", { from: occupant.jidText }, xml("reason", {}, reason))),
        xml("x", { xmlns: MUC_NS.conference, jid: room.jidText, reason: reason === "" ? undefined : reason }),
        xml(
          "body",
          {},
          `${occupant.jidText} invited you to the room ${room.jidText}${reason === "" ? "" : ` (${reason})`}`,
        ),
      ),
    );
  }
  return "taken";
}

function passDecline(
  turn: Turn,
  room: Room,
  sender: Sender,
  decline: Element,
): "taken" | { condition: "item-not-found" } {
  const to = parseJid(attr(decline, "to"));
  // A decline reaches people inside only: the room is no relay for strangers.
  const inviter =
    to === undefined
      ? undefined
      : (room.occupants.byJid(jidText(to)) ??
        room.occupants.ofBare(bareText(to))[0] ??
        room.occupants.byNick(to.resource ?? ""));
  if (inviter === undefined) return { condition: "item-not-found" };
  turn.send(
    xml(
      "message",
      { xmlns: NS.client, from: room.jidText, to: inviter.jidText },
      xml(
        "x",
        { xmlns: NS.mucUser },
        xml("decline", { from: jidText(sender.jid) }, xml("reason", {}, childText(decline, "reason") ?? "")),
      ),
    ),
  );
  return "taken";
}
