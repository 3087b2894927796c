/**
 * Questions about rooms from outside, signaling.md 6.10 (mod_muc_size, mod_muc_census): plain functions for the private HTTP side. The focus is no
 * participant.
 */
import { childText, type Element } from "../../wire/xml.ts";
import type { HttpPage } from "../host.ts";
import type { Occupant } from "../muc/occupants.ts";
import type { Room } from "../muc/room.ts";
import type { MucService } from "../muc/service.ts";
import { displayName } from "./component.ts";

export interface RoomQuery {
  readonly room: string;
  /** `meet.jitsi`. */
  readonly domain: string;
  /** Tenant. */
  readonly subdomain?: string | undefined;
}

export interface ParticipantFacts {
  readonly jid: string;
  readonly email: string;
  readonly display_name: string;
}

export interface CensusEntry {
  readonly room_name: string;
  readonly participants: number;
  /** Milliseconds since 1970. */
  readonly created_time: number;
  readonly leaked: boolean;
}

const isParticipant = (occupant: Occupant): boolean => !occupant.admin;

export class Census {
  constructor(
    private readonly meetings: MucService,
    /** `meet.jitsi`. */
    private readonly domain: string,
  ) {}

  /** Undefined: no such room (404). */
  size(query: RoomQuery): { readonly participants: number } | undefined {
    const room = this.#find(query);
    return room === undefined ? undefined : { participants: [...room.occupants.all()].filter(isParticipant).length };
  }

  /** Undefined: no such room (404). */
  participants(query: RoomQuery): readonly ParticipantFacts[] | undefined {
    const room = this.#find(query);
    return room === undefined ? undefined : [...room.occupants.all()].filter(isParticipant).map(facts);
  }

  all(): { readonly room_census: readonly CensusEntry[] } {
    return {
      room_census: [...this.meetings.rooms()].map((room) => {
        const all = [...room.occupants.all()];
        return {
          room_name: room.jidText,
          participants: all.filter(isParticipant).length,
          created_time: Math.floor(room.createdEpoch),
          // A room that nobody but a service is in, or nobody at all, should be gone soon.
          leaked: all.length === 0,
        };
      }),
    };
  }

  /** The answers of the originals' HTTP paths: 400 without the room's name, 404 for a room that is not there; undefined for other paths. */
  page(path: string, query: ReadonlyMap<string, string>): HttpPage | undefined {
    if (path === "/room-census") return jsonPage(this.all());
    if (path !== "/room-size" && path !== "/room") return undefined;
    const room = query.get("room");
    const domain = query.get("domain") ?? this.domain;
    if (room === undefined || room === "") return { status: 400, type: "text/plain", body: "" };
    const about: RoomQuery = { room, domain, subdomain: query.get("subdomain") };
    const answer = path === "/room" ? this.participants(about) : this.size(about);
    return answer === undefined ? { status: 404, type: "text/plain", body: "" } : jsonPage(answer);
  }

  #find(query: RoomQuery): Room | undefined {
    if (query.domain !== this.domain && query.domain !== this.meetings.domain) return undefined;
    const name = query.room.toLowerCase();
    const tenant = query.subdomain?.toLowerCase();
    return this.meetings.room(tenant === undefined || tenant === "" ? name : `[${tenant}]${name}`);
  }
}

const jsonPage = (value: unknown): HttpPage => ({
  status: 200,
  type: "application/json; charset=utf-8",
  body: JSON.stringify(value),
});

function facts(occupant: Occupant): ParticipantFacts {
  const elements = occupant.payload.children.filter((each): each is Element => typeof each !== "string");
  const user = elements.find((each) => each.getName() === "identity")?.getChild("user");
  const email = elements.find((each) => each.getName() === "email")?.getText();
  return {
    jid: occupant.jidText,
    email: (user === undefined ? undefined : childText(user, "email")) ?? email ?? "",
    display_name: displayName(occupant.payload.children) ?? "",
  };
}
