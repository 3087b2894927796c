/**
 * Restricted chat, signaling.md 6.8: where the metadata says `permissions.groupChatRestricted`, groupchat with a body needs the feature
 * `send-groupchat`. A `lobby-notify` in a JSON message is the server's alone (signaling.md 6.3).
 */

import { NS } from "../../wire/namespaces.ts";
import type { StanzaError } from "../../wire/stanza.ts";
import { child, type Element, text } from "../../wire/xml.ts";
import type { RoomFeature } from "../muc/feature.ts";
import type { Occupant } from "../muc/occupants.ts";
import type { Room } from "../muc/room.ts";
import type { Turn } from "../muc/turn.ts";
import { readJson } from "./component.ts";
import { type RoomMetadata, restriction } from "./room-metadata.ts";
import { deniedFeature, holdsFeature } from "./token-claims.ts";

const NOT_ALLOWED: StanzaError = { condition: "not-allowed" };

export const messageFilter = (metadata: RoomMetadata): RoomFeature => ({
  groupchat(_turn: Turn, room: Room, occupant: Occupant, message: Element): StanzaError | undefined {
    if (occupant.admin) return undefined;
    if (child(message, "body") !== undefined) {
      const restricted = restriction(metadata, room, "groupChatRestricted");
      if (deniedFeature(occupant, "send-groupchat") || (restricted && !holdsFeature(occupant, "send-groupchat")))
        return { ...NOT_ALLOWED, text: "Sending messages is not allowed" };
    }
    const json = child(message, "json-message", NS.jitmeet);
    return json !== undefined && readJson(text(json))?.["type"] === "lobby-notify" ? NOT_ALLOWED : undefined;
  },
  privateMessage(_room: Room, from: Occupant, to: Occupant, message: Element): StanzaError | undefined {
    if (from.admin || to.role === "moderator" || child(message, "body") === undefined) return undefined;
    return deniedFeature(from, "send-private-message") ? NOT_ALLOWED : undefined;
  },
});
