/**
 * Members-only rooms, XEP-0045 §7.2.5 and §9.3–9.5: form field `muc#roomconfig_membersonly`, disco feature `muc_membersonly`, refusal
 * auth/registration-required, code 322 for those who have to go when a room becomes members-only. The lobby (jitsi/lobby.ts) builds on it.
 */
import { bareText } from "../../wire/jid.ts";
import { affiliationRank } from "./affiliation.ts";
import { formBoolean } from "./data-form.ts";
import type { JoinRequest, Refusal, RoomFeature } from "./feature.ts";
import type { Occupant } from "./occupants.ts";
import type { Room } from "./room.ts";
import { RoomSlot } from "./slot.ts";
import type { Turn } from "./turn.ts";

const FIELD = "muc#roomconfig_membersonly";
const slot = new RoomSlot<boolean>(() => false);
const MEMBER = affiliationRank("member");

export const isMembersOnly = (room: Room): boolean => slot.of(room);

/** Sets it without a form; those without membership stay (lobbies opened by the server). */
export const setMembersOnly = (room: Room, membersOnly: boolean): void => slot.set(room, membersOnly);

export interface LockOptions {
  /** Who enters without membership, besides services. */
  readonly exempt?: (turn: Turn, join: JoinRequest) => boolean;
  /** What others are told. */
  readonly refusal?: (join: JoinRequest) => Refusal;
  /** Those inside without membership when the room becomes members-only: out they go (XEP-0045 §10.2), or they are made members. */
  readonly strangers: "remove" | "admit";
  /** People who count as inside though they are elsewhere for the moment (breakout rooms). */
  readonly elsewhere?: (room: Room) => Iterable<Occupant>;
  /** Where this room's affiliations are kept, if elsewhere (breakout rooms). */
  readonly home?: (room: Room) => Room | undefined;
  readonly changed?: (turn: Turn, room: Room, membersOnly: boolean, actor: Occupant | undefined) => void;
}

function strangers(turn: Turn, room: Room, options: LockOptions): void {
  const home = options.home?.(room) ?? room;
  const away = options.strangers === "admit" ? (options.elsewhere?.(room) ?? []) : [];
  for (const occupant of [...room.occupants.all(), ...away]) {
    if (affiliationRank(room.affiliationOf(occupant.bareText, occupant.admin)) >= MEMBER) continue;
    if (options.strangers === "admit") home.setAffiliation(turn, occupant.bareText, "member");
    else room.exit(turn, occupant, { cause: "members-only", codes: [322] });
  }
}

export const lock = (options: LockOptions): RoomFeature => ({
  configFields: (room) => ({
    section: "access",
    fields: [
      {
        type: "boolean",
        name: FIELD,
        label: "Only members may join",
        description: "Access for owners, admins and members only",
        values: [slot.of(room) ? "1" : "0"],
      },
    ],
  }),
  checkConfig: (_room, values) => (formBoolean(values, FIELD) === "bad" ? { condition: "bad-request" } : undefined),
  applyConfig(turn, room, values, actor) {
    const wanted = formBoolean(values, FIELD);
    if (typeof wanted !== "boolean" || wanted === slot.of(room)) return { changed: false };
    slot.set(room, wanted);
    if (wanted) strangers(turn, room, options);
    options.changed?.(turn, room, wanted, actor);
    return { changed: true };
  },
  roomInfo: (room) => ({ features: [slot.of(room) ? "muc_membersonly" : "muc_open"] }),
  checkJoin(turn, join) {
    if (!slot.of(join.room)) return undefined;
    const affiliation = join.room.affiliationOf(bareText(join.sender.jid), join.sender.admin);
    if (affiliationRank(affiliation) >= MEMBER || options.exempt?.(turn, join) === true) return undefined;
    const refusal = options.refusal?.(join) ?? { error: { condition: "registration-required" }, by: "room" };
    return { type: "refuse", refusal };
  },
});
