/**
 * Shell: the room before the room (signaling.md 6.3). For a guest: knocking and waiting. For a moderator: seeing who knocks, letting in or not.
 */

import { NS } from "../../appliance/wire/namespaces.ts";
import { attr, child, type Element, xml } from "../../appliance/wire/xml.ts";
import { admitMessage } from "./components.ts";
import type { XmppConnection } from "./connection.ts";
import { leavePresence, lobbyPresence } from "./own-presence.ts";
import { Room, type RoomEvent } from "./room.ts";
import { kickElement } from "./room-settings.ts";
import type { SessionEvent } from "./session-events.ts";

export interface LobbyLink {
  readonly connection: XmppConnection;
  readonly emit: (event: SessionEvent) => void;
  /** Let in: join the meeting now. */
  readonly admitted: () => void;
  readonly capsVer: () => string;
}

export class Lobby {
  readonly #link: LobbyLink;
  #room: Room | undefined;
  #purpose: "waiting" | "hosting" = "waiting";
  #waitingForHost = false;
  #mainRoom = "";
  #address: string | undefined;

  constructor(link: LobbyLink) {
    this.#link = link;
  }

  knock(lobby: string, name: string, waitingForHost: boolean): void {
    this.#waitingForHost = waitingForHost;
    this.#enter(lobby, name, "waiting");
  }

  #enter(lobby: string, name: string, purpose: "waiting" | "hosting"): void {
    this.leave();
    this.#purpose = purpose;
    this.#address = lobby;
    const nick = Array.from(crypto.getRandomValues(new Uint8Array(4)), (byte) =>
      byte.toString(16).padStart(2, "0"),
    ).join("");
    this.#room = new Room({ room: lobby, nick, focusUser: undefined, hiddenDomain: undefined });
    this.#link.connection.send(lobbyPresence(`${lobby}/${nick}`, name, this.#link.capsVer()));
  }

  /** We are in the meeting: a guest leaves the lobby. */
  joined(mainRoom: string): void {
    this.#mainRoom = mainRoom;
    if (this.#purpose === "waiting") this.leave();
  }

  /** The room's information came: a moderator watches the lobby while there is one. */
  known(lobby: string | undefined, moderator: boolean, name: string): void {
    if (lobby === undefined) {
      if (this.#purpose === "hosting") this.leave();
      this.#address = undefined;
      return;
    }
    this.#address = lobby;
    this.moderating(moderator, name);
  }

  moderating(moderator: boolean, name: string): void {
    if (moderator && this.#address !== undefined && this.#room === undefined)
      this.#enter(this.#address, name, "hosting");
    if (!moderator && this.#purpose === "hosting") this.leave();
  }

  /** Whether the stanza was of the lobby. */
  handle(stanza: Element): boolean {
    const room = this.#room;
    if (room === undefined) return false;
    const from = attr(stanza, "from") ?? "";
    if (from !== room.address && !from.startsWith(`${room.address}/`)) return false;
    for (const event of room.handle(stanza)) this.#event(event);
    return true;
  }

  #event(event: RoomEvent): void {
    const { emit } = this.#link;
    if (this.#purpose === "hosting") {
      if (event.kind === "occupant" && event.occupant.role !== "moderator" && event.occupant.realJid !== undefined)
        emit({
          kind: "knocker",
          nick: event.occupant.endpoint,
          name: event.occupant.name ?? "",
          realJid: event.occupant.realJid,
        });
      if (event.kind === "left") emit({ kind: "knocker-gone", nick: event.endpoint });
      if (event.kind === "chat") emit({ kind: "lobby-chat", message: event.message });
      if (event.kind === "destroyed") this.#room = undefined;
      return;
    }
    switch (event.kind) {
      case "joined":
        emit({ kind: "waiting-in-lobby", waitingForHost: this.#waitingForHost });
        return;
      case "removed":
        this.#room = undefined;
        emit({ kind: "lobby-refused" });
        return;
      case "destroyed":
        this.#room = undefined;
        if (event.alternate !== undefined) this.#link.admitted();
        else emit({ kind: "ended", reason: "ended", actor: undefined, text: event.text });
        return;
      case "chat":
        emit({ kind: "lobby-chat", message: event.message });
        return;
      case "refused":
        this.#room = undefined;
        emit({ kind: "fault", fault: { kind: "refused", refusal: event.refusal } });
        return;
      default:
        return;
    }
  }

  admit(realJids: readonly string[]): void {
    const id = `admit-${Math.random().toString(36).slice(2, 10)}`;
    this.#link.connection.send(admitMessage(this.#mainRoom, id, realJids));
  }

  deny(nick: string): void {
    const room = this.#room;
    if (room !== undefined)
      void this.#link.connection.request("set", room.address, kickElement(nick, "You have been kicked."));
  }

  /** To the hosts, or from a host to one who waits. */
  chat(body: string, to: string | undefined): void {
    const room = this.#room;
    if (room === undefined) return;
    this.#link.connection.send(lobbyChat(room.address, body, to));
  }

  /** The stream that carried it is gone. */
  forget(): void {
    this.#room = undefined;
    this.#address = undefined;
    this.#purpose = "waiting";
  }

  leave(): void {
    const room = this.#room;
    this.#room = undefined;
    if (room !== undefined) this.#link.connection.send(leavePresence(`${room.address}/${room.self}`));
  }
}

const lobbyChat = (room: string, body: string, to: string | undefined): Element =>
  xml(
    "message",
    { xmlns: NS.client, to: to === undefined ? room : `${room}/${to}`, type: to === undefined ? "groupchat" : "chat" },
    xml("body", {}, body),
  );

/** Whether a message of the main room is the invitation that follows a knock. */
export const isInvitation = (stanza: Element): boolean => {
  const user = child(stanza, "x", NS.mucUser);
  return user !== undefined && child(user, "invite") !== undefined;
};
