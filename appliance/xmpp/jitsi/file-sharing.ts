/**
 * The list of a meeting's shared files, signaling.md 6.7: who has put which file where an outside service keeps it; told on to everybody, newcomers
 * get the whole. The files themselves never come by here.
 *
 * Bounds: 100 files a room, 4 KiB of metadata each.
 */
import { NS } from "../../wire/namespaces.ts";
import type { StanzaError } from "../../wire/stanza.ts";
import { attr, child, type Element, text } from "../../wire/xml.ts";
import type { Sender } from "../host.ts";
import type { RoomFeature } from "../muc/feature.ts";
import type { Occupant } from "../muc/occupants.ts";
import type { Room } from "../muc/room.ts";
import { RoomSlot } from "../muc/slot.ts";
import type { Turn } from "../muc/turn.ts";
import { displayName, jsonMessage, readJson, UNHEARD } from "./component.ts";
import type { Meetings } from "./meetings.ts";
import { deniedFeature, holdsFeature } from "./token-claims.ts";

interface SharedFile {
  /** Nick of whoever shared it. */
  readonly owner: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

const FEATURE = "file-upload";
const MAX_FILES = 100;
const MAX_METADATA = 4_096;
const MAX_ID = 256;

export class FileSharing implements RoomFeature {
  readonly #slot = new RoomSlot<Map<string, SharedFile>>(() => new Map());

  constructor(private readonly domain: string) {}

  command(meetings: Meetings, turn: Turn, message: Element, sender: Sender): StanzaError | undefined {
    const element = child(message, "file-sharing", NS.jitmeet);
    const found = element === undefined ? undefined : meetings.of(sender);
    if (element === undefined || found === undefined) return UNHEARD;
    const { room, occupant } = found;
    switch (attr(element, "type")) {
      case "add":
        return this.#add(turn, room, occupant, text(element));
      case "remove":
        return this.#remove(turn, room, occupant, attr(element, "fileId"));
      default:
        return { condition: "bad-request" };
    }
  }

  welcome(turn: Turn, room: Room, occupant: Occupant): void {
    const files = this.#slot.of(room);
    if (files.size === 0 || occupant.admin) return;
    // By entries: a file may be called `__proto__`.
    const list: unknown = Object.fromEntries([...files].map(([fileId, { metadata }]) => [fileId, metadata]));
    turn.send(jsonMessage(this.domain, occupant.jidText, { type: "file-sharing", event: "list", files: list }));
  }

  #add(turn: Turn, room: Room, occupant: Occupant, payload: string): StanzaError | undefined {
    if (deniedFeature(occupant, FEATURE) || !holdsFeature(occupant, FEATURE)) return { condition: "not-allowed" };
    if (payload.length > MAX_METADATA) return { condition: "policy-violation", text: "Too much about one file" };
    const json = readJson(payload);
    const fileId = json?.["fileId"];
    if (json === undefined || typeof fileId !== "string" || fileId === "" || fileId.length > MAX_ID)
      return { condition: "bad-request" };
    const files = this.#slot.of(room);
    if (files.has(fileId)) return { condition: "conflict" };
    if (files.size >= MAX_FILES) return { condition: "resource-constraint", text: "Too many files" };
    // Who it is from is what the room knows, not what he says.
    const metadata = {
      ...json,
      authorParticipantId: occupant.nick,
      authorParticipantJid: occupant.jidText,
      authorParticipantName: displayName(occupant.payload.children),
    };
    files.set(fileId, { owner: occupant.nick, metadata });
    this.#tell(turn, room, { type: "file-sharing", event: "add", file: metadata });
    return undefined;
  }

  #remove(turn: Turn, room: Room, occupant: Occupant, fileId: string | undefined): StanzaError | undefined {
    const files = this.#slot.of(room);
    const file = fileId === undefined ? undefined : files.get(fileId);
    if (fileId === undefined || file === undefined) return { condition: "item-not-found" };
    if (file.owner !== occupant.nick && occupant.role !== "moderator") return { condition: "not-allowed" };
    files.delete(fileId);
    this.#tell(turn, room, { type: "file-sharing", event: "remove", fileId });
    return undefined;
  }

  #tell(turn: Turn, room: Room, json: object): void {
    for (const each of room.occupants.all()) if (!each.admin) turn.send(jsonMessage(this.domain, each.jidText, json));
  }
}
