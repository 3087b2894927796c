/**
 * The lobby, signaling.md 6.3: while a meeting is members-only, a second room stands before it, in which people knock and moderators admit or
 * deny them. Knockers see moderators' doings only, moderators see everybody.
 */

import { bareText } from "../../wire/jid.ts";
import { NS } from "../../wire/namespaces.ts";
import type { StanzaError } from "../../wire/stanza.ts";
import { type Element, xml } from "../../wire/xml.ts";
import type { Sender } from "../host.ts";
import type { Affiliation } from "../muc/affiliation.ts";
import type { JoinRequest, LeaveCause, Refusal, RoomFeature } from "../muc/feature.ts";
import { isMembersOnly, setMembersOnly } from "../muc/lock.ts";
import type { Occupant } from "../muc/occupants.ts";
import { isProtected, knowsPassword } from "../muc/password.ts";
import { setPersistent } from "../muc/persistence.ts";
import { payloadOf } from "../muc/presence.ts";
import type { Room } from "../muc/room.ts";
import type { MucService } from "../muc/service.ts";
import type { Turn } from "../muc/turn.ts";
import { displayName } from "./component.ts";
import { queriedRooms } from "./meetings.ts";
import type { RoomMetadata } from "./room-metadata.ts";

const DISPLAY_NAME_REQUIRED = "http://jitsi.org/protocol/lobbyrooms#displayname_required";

export interface LobbyOptions {
  /** `lobby.meet.jitsi`. */
  readonly domain: string;
  readonly metadata: RoomMetadata;
  /** Recorders come from here and pass (signaling.md 6.3). */
  readonly hiddenDomain: string;
}

export class Lobby {
  #meetings: MucService | undefined;
  #lobbies: MucService | undefined;
  /** Rooms whose lobby waits for a host rather than for a moderator's consent. */
  readonly #waiting = new WeakSet<Room>();

  constructor(private readonly options: LobbyOptions) {}

  attach(meetings: MucService, lobbies: MucService): void {
    this.#meetings = meetings;
    this.#lobbies = lobbies;
  }

  address(room: Room): string {
    return `${room.jid.local}@${this.options.domain}`;
  }

  lobbyOf(room: Room): Room | undefined {
    const { local } = room.jid;
    return local === undefined ? undefined : this.#lobbies?.room(local);
  }

  meetingOf(lobby: Room): Room | undefined {
    const { local } = lobby.jid;
    return local === undefined ? undefined : this.#meetings?.room(local);
  }

  /** Opens the lobby without a form: it waits for a host (`mod_muc_wait_for_host`). */
  openForHost(turn: Turn, room: Room): void {
    if (isMembersOnly(room)) return;
    setMembersOnly(room, true);
    this.#waiting.add(room);
    this.changed(turn, room, true, undefined);
  }

  /** The host is here: those waiting come in. */
  hostArrived(turn: Turn, room: Room): void {
    if (!this.#waiting.delete(room) || !isMembersOnly(room)) return;
    setMembersOnly(room, false);
    this.changed(turn, room, false, undefined);
    room.groupchat(turn, room.jidText, xml("x", { xmlns: NS.mucUser }, xml("status", { code: 104 })));
  }

  /** Members-only was switched, by `actor`. */
  changed(turn: Turn, room: Room, membersOnly: boolean, actor: Occupant | undefined): void {
    const { local } = room.jid;
    if (local === undefined) return;
    if (!membersOnly) this.#waiting.delete(room);
    if (membersOnly) {
      const lobby = this.lobbyOf(room) ?? this.#lobbies?.create(turn, local);
      if (lobby !== undefined) setPersistent(lobby, true);
      this.#notify(turn, room, actor, { event: "LOBBY-ENABLED", value: true });
      this.options.metadata.set(turn, room, "lobbyEnabled", true, true);
      return;
    }
    this.options.metadata.set(turn, room, "lobbyEnabled", false, true);
    this.lobbyOf(room)?.destroy(turn, { alternate: room.jidText, reason: "Lobby room closed." });
    this.#notify(turn, room, actor, { event: "LOBBY-ENABLED", value: false });
  }

  /** Recorders pass; who knows the password passes and is a member from then on. */
  exempt(turn: Turn, join: JoinRequest): boolean {
    const { room, sender } = join;
    if (sender.jid.domain === this.options.hiddenDomain) return true;
    if (!isProtected(room) || !knowsPassword(join)) return false;
    return room.setAffiliation(turn, bareText(sender.jid), "member");
  }

  refusal(join: JoinRequest): Refusal {
    const { room, presence } = join;
    if (displayName(payloadOf(presence).children) === undefined)
      return {
        error: {
          condition: "not-acceptable",
          extra: [xml("displayname-required", { xmlns: NS.jitmeet, lobby: true })],
        },
      };
    const address = this.address(room);
    return {
      error: {
        condition: "registration-required",
        extra: [
          xml("lobbyroom", { xmlns: NS.jitmeet }, address),
          ...(this.#waiting.has(room) ? [xml("waiting-for-host", { xmlns: NS.jitmeet })] : []),
        ],
      },
      code: 407,
      // COMPAT clients before the namespaced element look for a bare one (signaling.md 6.3).
      after: [xml("lobbyroom", {}, address), xml("x", { xmlns: NS.muc })],
    };
  }

  /** Somebody was let in by invitation. */
  admitted(turn: Turn, room: Room, invited: string, by: Occupant): void {
    const lobby = this.lobbyOf(room);
    const knocker = lobby?.occupants.byJid(invited) ?? lobby?.occupants.ofBare(invited.split("/", 1)[0] ?? "")[0];
    if (lobby === undefined || knocker === undefined) return;
    this.#notify(turn, room, by, {
      event: "LOBBY-ACCESS-GRANTED",
      value: lobby.occupantJid(knocker),
      name: displayName(knocker.payload.children),
    });
  }

  affiliation(lobby: Room, bare: string): Affiliation | undefined {
    return this.meetingOf(lobby)?.affiliationOf(bare);
  }

  /** Features of a session's lobby, asked for by node before it joins (signaling.md 6.3). */
  discoNode(node: string, sender: Sender): readonly string[] | undefined {
    if (node !== "lobbyrooms") return undefined;
    const hasLobby = queriedRooms(sender).some((local) => this.#lobbies?.room(local) !== undefined);
    return hasLobby ? [DISPLAY_NAME_REQUIRED] : [];
  }

  /** For the meeting room. */
  meetingFeature(): RoomFeature {
    return {
      roomInfo: (room) =>
        isMembersOnly(room)
          ? {
              fields: [
                {
                  type: "text-single",
                  name: "muc#roominfo_lobbyroom",
                  label: "Address of the lobby",
                  values: [this.address(room)],
                },
              ],
            }
          : {},
      affiliationChanged: (turn, room, bare) => this.lobbyOf(room)?.refreshStanding(turn, bare),
      roomDestroyed: (turn, room) => this.lobbyOf(room)?.destroy(turn, { reason: "Lobby room closed." }),
    };
  }

  /** For the lobby room. */
  lobbyFeature(): RoomFeature {
    const isModerator = (occupant: Occupant): boolean => occupant.role === "moderator";
    return {
      sees: (_room, viewer, subject, unavailable) => isModerator(viewer) || (unavailable && isModerator(subject)),
      hears: (_room, viewer, from) => isModerator(viewer) || isModerator(from),
      checkJoin: (_turn, join) => {
        const error = this.#knock(join);
        return error === undefined ? undefined : { type: "refuse", refusal: { error } };
      },
      left: (turn, lobby, knocker, cause: LeaveCause, actor) => {
        const room = this.meetingOf(lobby);
        if (cause !== "kicked" || room === undefined) return;
        this.#notify(turn, room, actor === undefined ? undefined : room.occupants.byJid(actor.jidText), {
          event: "LOBBY-ACCESS-DENIED",
          value: lobby.occupantJid(knocker),
          name: displayName(knocker.payload.children),
        });
      },
    };
  }

  #knock(join: JoinRequest): StanzaError | undefined {
    if (this.meetingOf(join.room) === undefined) return { condition: "not-allowed" };
    if (join.sender.admin || join.room.affiliationOf(bareText(join.sender.jid)) === "owner") return undefined;
    return displayName(payloadOf(join.presence).children) === undefined
      ? { condition: "not-acceptable", extra: [xml("displayname-required", { xmlns: NS.jitmeet, lobby: true })] }
      : undefined;
  }

  #notify(turn: Turn, room: Room, actor: Occupant | undefined, what: object): void {
    const from = actor === undefined ? room.jidText : room.occupantJid(actor);
    const message: Element = xml(
      "json-message",
      { xmlns: NS.jitmeet },
      JSON.stringify({ type: "lobby-notify", ...what }),
    );
    room.groupchat(turn, from, message);
  }
}
