/**
 * What a feature of rooms may do: answer for form fields, disco, joins, presence and messages, and follow what happens. A MUC service runs
 * its features in order; the first objection to a join and the first that takes a message end the question.
 */
import type { Deadline } from "../../deadlines.ts";
import type { Jid } from "../../wire/jid.ts";
import type { StanzaError } from "../../wire/stanza.ts";
import type { Element } from "../../wire/xml.ts";
import type { HttpAnswer, Sender } from "../host.ts";
import type { Affiliation, Role } from "./affiliation.ts";
import type { FormField, FormValues } from "./data-form.ts";
import type { Occupant, PresencePayload } from "./occupants.ts";
import type { Room } from "./room.ts";
import type { Turn } from "./turn.ts";

/** Somebody wants to enter. */
export interface JoinRequest {
  readonly room: Room;
  readonly sender: Sender;
  readonly nick: string;
  readonly presence: Element;
  /** Password in the muc element, if any. */
  readonly password: string | undefined;
  /** This join makes the room. */
  readonly creates: boolean;
}

/** A refused request: the error, who says so (`by`), and what follows the error element. */
export interface Refusal {
  readonly error: StanzaError;
  readonly by?: "room" | "service";
  readonly code?: number;
  readonly after?: readonly Element[];
}

export type JoinVerdict =
  | undefined
  | { readonly type: "refuse"; readonly refusal: Refusal }
  /** The feature keeps the request and brings it again later. */
  | { readonly type: "hold" };

export type LeaveCause =
  | "left"
  | "kicked"
  | "banned"
  | "affiliation"
  | "members-only"
  | "destroyed"
  | "replaced"
  | "error";

/** `created`: the self-presence with 201; `joined`: that of another join; `update`: any later one. */
export type SelfPresenceOccasion = "created" | "joined" | "update";

export type FormSection = "information" | "access" | "permissions" | "other";

export interface RoomChange {
  readonly occupant: Occupant;
  readonly affiliationBefore: Affiliation;
  readonly roleBefore: Role;
  readonly affiliation: Affiliation;
}

/** What applying a submitted form did: `codes` replace the plain 104 of a change. */
export interface ConfigOutcome {
  readonly changed: boolean;
  readonly codes?: readonly number[];
}

export interface RoomFeature {
  /** Fields of the owner form, XEP-0045 §10.2. */
  configFields?(room: Room): { readonly section: FormSection; readonly fields: readonly FormField[] };
  /** A fault in the feature's own fields: nothing of the form is applied. */
  checkConfig?(room: Room, values: FormValues, sender: Sender): StanzaError | undefined;
  applyConfig?(turn: Turn, room: Room, values: FormValues, actor: Occupant | undefined): ConfigOutcome;
  /** Part of the room's disco#info, XEP-0045 §6.4. */
  roomInfo?(room: Room): { readonly features?: readonly string[]; readonly fields?: readonly FormField[] };

  roomCreated?(turn: Turn, room: Room): void;
  roomDestroyed?(turn: Turn, room: Room): void;
  /** True keeps an empty room. */
  keepsEmpty?(turn: Turn, room: Room): boolean;

  checkJoin?(turn: Turn, join: JoinRequest): JoinVerdict;
  /** What others get to see instead of the payload. */
  presence?(room: Room, sender: Sender, payload: PresencePayload): PresencePayload;
  /** Refuses a presence update. */
  checkPresence?(room: Room, occupant: Occupant, presence: Element): StanzaError | undefined;
  /** True: the feature keeps this update and brings the latest of an occupant later (`Room.update`). */
  delaysPresence?(turn: Turn, room: Room, occupant: Occupant, presence: Element, sender: Sender): boolean;
  /** May `viewer` see this presence of `subject`? All features must agree. */
  sees?(room: Room, viewer: Occupant, subject: Occupant, unavailable: boolean): boolean;
  /** May `viewer` hear what `from` says (groupchat, private messages, IQs)? All features must agree. */
  hears?(room: Room, viewer: Occupant, from: Occupant): boolean;
  /** Just before a self-presence (signaling.md 3.2 step 2). */
  beforeSelfPresence?(turn: Turn, room: Room, occupant: Occupant, occasion: SelfPresenceOccasion): void;
  /** Elements behind the muc#user element of an occupant's self-presence. */
  selfPresence?(room: Room, occupant: Occupant): readonly Element[];
  joined?(turn: Turn, room: Room, occupant: Occupant): void;
  /** What a newcomer (or somebody who lost track) is told after his self-presence. */
  welcome?(turn: Turn, room: Room, occupant: Occupant, presence: Element): void;
  left?(turn: Turn, room: Room, occupant: Occupant, cause: LeaveCause, actor?: Occupant): void;
  presenceChanged?(turn: Turn, room: Room, occupant: Occupant): void;
  /** Affiliation or role of somebody present changed; his new presence has been sent. */
  standingChanged?(turn: Turn, room: Room, change: RoomChange): void;
  /** A bare address got another affiliation, present or not. */
  affiliationChanged?(turn: Turn, room: Room, bare: string, affiliation: Affiliation): void;

  /** Groupchat of an occupant: an error refuses it; "taken" when the feature has dealt with it. */
  groupchat?(turn: Turn, room: Room, occupant: Occupant, message: Element): StanzaError | "taken" | undefined;
  /** A groupchat message that has gone out to all, as it went out. */
  reflected?(turn: Turn, room: Room, occupant: Occupant, message: Element): void;
  /** Message to another occupant. */
  privateMessage?(room: Room, from: Occupant, to: Occupant, message: Element): StanzaError | undefined;
  /** Message to the room that is not groupchat (invitations, voice requests). */
  roomMessage?(turn: Turn, room: Room, sender: Sender, message: Element): StanzaError | "taken" | undefined;
  /** A request to the room that is neither disco, ping nor administration: its answer. */
  request?(turn: Turn, room: Room, sender: Sender, iq: Element, query: Element): Element | undefined;
  /** The nick that this user has registered (XEP-0045 §7.12). */
  ownNick?(room: Room, sender: Sender): string | undefined;
  /** Forbids a kick or a change of affiliation, after the rules of XEP-0045 have allowed it. */
  protects?(room: Room, target: Occupant, actor: Sender): boolean;

  /** Somebody takes back a join that a feature holds; true when it held one. `room` is the room's bare address. */
  joinWithdrawn?(room: string, jid: Jid): boolean;
  /** A session is gone for good; the rooms it was in are dealt with by the service. */
  sessionClosed?(turn: Turn, jid: Jid): void;
  nextDeadline?(): Deadline | undefined;
  handleTimeout?(turn: Turn): void;
  /** The answer to a request of this feature's; others' ids are none of its business. */
  httpAnswered?(turn: Turn, id: string, answer: HttpAnswer): void;
}
