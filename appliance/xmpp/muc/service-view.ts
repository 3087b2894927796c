/**
 * A MUC service as its parts see it, and what it is set up with. Types alone; service.ts is what they describe, and imports those parts.
 */
import type { EpochMillis, Millis } from "../../time.ts";
import type { StanzaError } from "../../wire/stanza.ts";
import type { Element } from "../../wire/xml.ts";
import type { AdvertisedIdentity, HttpPage, Sender } from "../host.ts";
import type { Affiliation } from "./affiliation.ts";
import type { Refusal, RoomFeature } from "./feature.ts";
import type { Room } from "./room.ts";
import type { Turn } from "./turn.ts";

export interface MucLimits {
  readonly rooms: number;
  readonly occupantsPerRoom: number;
  readonly roomsPerUser: number;
}

export interface MucServiceOptions {
  readonly domain: string;
  /** Shown in disco#info. */
  readonly name: string;
  readonly features: readonly RoomFeature[];
  readonly limits: MucLimits;
  /** Keyed into occupant ids (XEP-0421); secret, any length. */
  readonly occupantIdKey: string;
  readonly toEpoch: (now: Millis) => EpochMillis;
  /** Fresh ids, unguessable (UUIDs). */
  readonly newId: () => string;
  /** Undefined: this sender may make a room of that name. */
  readonly mayCreate: (sender: Sender, local: string) => Refusal | undefined;
  /** Undefined: this sender may talk to the service at all. */
  readonly mayEnter?: (sender: Sender) => StanzaError | undefined;
  /** Nick changes inside a room; refused with not-allowed where false (signaling.md 3.1). */
  readonly nickChanges: boolean;
  /** Rooms here follow other rooms' affiliations. */
  readonly affiliationElsewhere?: (room: Room, bare: string) => Affiliation | undefined;
  /** Where affiliations of such a room are changed. */
  readonly affiliationHome?: (room: Room) => Room | undefined;
  /** Kicking somebody also takes his affiliation (signaling.md 3.8). */
  readonly kickResetsAffiliation: boolean;
  /** Room information for occupants only (signaling.md 3.6). */
  readonly hidesRooms: boolean;
  readonly listed: boolean;
  readonly advertised?: readonly AdvertisedIdentity[];
  /** Answers to disco#info with a node, by node. */
  readonly discoNode?: (node: string, sender: Sender) => readonly string[] | undefined;
  /** Pages on the server's HTTP port about these rooms. */
  readonly httpGet?: (
    service: MucServiceView,
    path: string,
    query: ReadonlyMap<string, string>,
  ) => HttpPage | undefined;
  /** A message to the service's bare domain; an error refuses it. */
  readonly serviceMessage?: (turn: Turn, message: Element, sender: Sender) => StanzaError | undefined;
}

export interface MucServiceView {
  readonly domain: string;
  readonly options: MucServiceOptions;
  readonly features: readonly RoomFeature[];
  rooms(): IterableIterator<Room>;
  refuse(turn: Turn, stanza: Element, refusal: Refusal): void;
}
