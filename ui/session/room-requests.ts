/**
 * Shell: what a person may ask of the room, the focus and the components; a refusal comes back as an event.
 */
import { NS } from "../../appliance/wire/namespaces.ts";
import { type Element, xml } from "../../appliance/wire/xml.ts";
import {
  breakoutCommand,
  endConference,
  type ModeratedMedia,
  metadataMessage,
  moderationApproval,
  moderationSwitch,
  newPoll,
  votePoll,
} from "./components.ts";
import type { Components } from "./conference-request.ts";
import type { IqAnswer, XmppConnection } from "./connection.ts";
import type { Room } from "./room.ts";
import { grantElement, kickElement, lobbyForm, ownerFormRequest, passwordForm } from "./room-settings.ts";
import type { RequestName, SessionEvent } from "./session-events.ts";

export interface RequestLink {
  readonly connection: XmppConnection;
  readonly emit: (event: SessionEvent) => void;
  readonly room: () => Room | undefined;
  readonly components: () => Components;
}

const MUTE_NAMESPACES = {
  audio: NS.jitmeetAudio,
  video: NS.jitmeetVideo,
  desktop: "http://jitsi.org/jitmeet/desktop",
} as const satisfies Record<ModeratedMedia, string>;

export class RoomRequests {
  readonly #link: RequestLink;

  constructor(link: RequestLink) {
    this.#link = link;
  }

  #ask(what: RequestName, to: "room" | "focus", payload: Element): Promise<boolean> {
    const room = this.#link.room();
    if (room === undefined) return Promise.resolve(false);
    return this.#link.connection
      .request("set", to === "focus" ? room.focusAddress : room.address, payload)
      .then((answer) => this.#report(what, answer));
  }

  #report(what: RequestName, answer: IqAnswer): boolean {
    if (answer.kind === "result") return true;
    const condition = answer.kind === "error" ? answer.error.condition : "timeout";
    this.#link.emit({ kind: "request-refused", what, condition });
    return false;
  }

  /** Asks somebody's client to be quiet (signaling.md 5.2). */
  mute(endpoint: string, media: ModeratedMedia): void {
    const room = this.#link.room();
    if (room === undefined) return;
    const jid = `${room.address}/${endpoint}`;
    void this.#ask("mute", "focus", xml("mute", { xmlns: MUTE_NAMESPACES[media], jid }, "true"));
  }

  muteEverybody(media: ModeratedMedia): void {
    const room = this.#link.room();
    if (room === undefined) return;
    for (const each of room.occupants) if (each.endpoint !== room.self && !each.hidden) this.mute(each.endpoint, media);
  }

  kick(endpoint: string, reason: string): void {
    void this.#ask("kick", "room", kickElement(endpoint, reason));
  }

  grantModerator(endpoint: string): void {
    const jid = this.#link.room()?.occupant(endpoint)?.realJid;
    const bare = jid?.split("/")[0];
    if (bare !== undefined) void this.#ask("grant", "room", grantElement([bare], "owner"));
  }

  setSubject(subject: string): void {
    const room = this.#link.room();
    if (room !== undefined)
      this.#link.connection.send(
        xml("message", { xmlns: NS.client, to: room.address, type: "groupchat" }, xml("subject", {}, subject)),
      );
  }

  /** An empty text removes the password. */
  async setPassword(password: string, membersOnly: boolean): Promise<void> {
    await this.#ownerForm();
    await this.#ask("password", "room", passwordForm(password, membersOnly));
  }

  async setLobby(on: boolean, locked: boolean): Promise<void> {
    const room = this.#link.room();
    if (room === undefined) return;
    if (on) {
      // Those who are inside stay members, or they could not come back.
      const members = room.occupants.flatMap((each) =>
        each.affiliation === "none" ? (each.realJid?.split("/")[0] ?? []) : [],
      );
      if (members.length > 0) await this.#ask("lobby", "room", grantElement([...new Set(members)], "member"));
    }
    await this.#ownerForm();
    await this.#ask("lobby", "room", lobbyForm(on, locked));
  }

  async #ownerForm(): Promise<void> {
    const room = this.#link.room();
    if (room !== undefined) await this.#link.connection.request("get", room.address, ownerFormRequest());
  }

  setModeration(media: ModeratedMedia, on: boolean): void {
    const { avModeration } = this.#link.components();
    if (avModeration !== undefined) this.#link.connection.send(moderationSwitch(avModeration, media, on));
  }

  approve(endpoint: string, media: ModeratedMedia, allow: boolean): void {
    const { avModeration } = this.#link.components();
    const room = this.#link.room();
    if (avModeration !== undefined && room !== undefined)
      this.#link.connection.send(moderationApproval(avModeration, media, `${room.address}/${endpoint}`, allow));
  }

  setStartMuted(audio: boolean, video: boolean): void {
    const { roomMetadata } = this.#link.components();
    const room = this.#link.room();
    if (roomMetadata !== undefined && room !== undefined)
      this.#link.connection.send(metadataMessage(roomMetadata, room.address, "startMuted", { audio, video }));
  }

  createPoll(id: string, question: string, answers: readonly string[]): void {
    const { polls } = this.#link.components();
    if (polls !== undefined) this.#link.connection.send(newPoll(polls, id, question, answers));
  }

  votePoll(id: string, answers: readonly boolean[]): void {
    const { polls } = this.#link.components();
    if (polls !== undefined) this.#link.connection.send(votePoll(polls, id, answers));
  }

  breakout(command: "add" | "remove" | "rename" | "move-to-room", attributes: Readonly<Record<string, string>>): void {
    const { breakoutRooms } = this.#link.components();
    if (breakoutRooms !== undefined) this.#link.connection.send(breakoutCommand(breakoutRooms, command, attributes));
  }

  endForAll(): void {
    const { endConference: component } = this.#link.components();
    if (component !== undefined) this.#link.connection.send(endConference(component));
  }
}
