/**
 * Rooms with a password, XEP-0045 §7.2.6: form fields `muc#roomconfig_roomsecret` and `muc#roomconfig_passwordprotectedroom`, disco feature
 * `muc_passwordprotected`, refusal auth/not-authorized. Services need none (signaling.md 6.8); nor do members of a members-only room, who were
 * let in by somebody (signaling.md 6.3).
 */
import { timingSafeEqual } from "node:crypto";
import { bareText } from "../../wire/jid.ts";
import { affiliationRank } from "./affiliation.ts";
import { formBoolean, formText } from "./data-form.ts";
import type { JoinRequest, RoomFeature } from "./feature.ts";
import { isMembersOnly } from "./lock.ts";
import type { Room } from "./room.ts";
import { RoomSlot } from "./slot.ts";

const SECRET = "muc#roomconfig_roomsecret";
const PROTECTED = "muc#roomconfig_passwordprotectedroom";
const MAX_LENGTH = 1_024;
const slot = new RoomSlot<string>(() => "");

export const isProtected = (room: Room): boolean => slot.of(room) !== "";

/** Whether the join carries the room's password (true in a room without one). */
export function knowsPassword(join: JoinRequest): boolean {
  const secret = slot.of(join.room);
  if (secret === "") return true;
  if (join.password === undefined) return false;
  const given = Buffer.from(join.password);
  const wanted = Buffer.from(secret);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

export interface PasswordOptions {
  /** Accounts of these domains join without (signaling.md 6.8, muc_password_whitelist). */
  readonly exemptDomains: ReadonlySet<string>;
}

export const password = (options: PasswordOptions): RoomFeature => ({
  configFields: (room) => ({
    section: "access",
    fields: [
      { type: "text-private", name: SECRET, label: "Password", values: [slot.of(room)] },
      {
        type: "boolean",
        name: PROTECTED,
        label: "Require the password to join",
        values: [isProtected(room) ? "1" : "0"],
      },
    ],
  }),
  checkConfig(room, values) {
    const wanted = formBoolean(values, PROTECTED);
    const secret = formText(values, SECRET);
    if (wanted === "bad" || (secret?.length ?? 0) > MAX_LENGTH) return { condition: "not-acceptable" };
    if (wanted === true && (secret ?? slot.of(room)) === "")
      return { condition: "not-acceptable", text: "A password is needed" };
    return undefined;
  },
  applyConfig(_turn, room, values) {
    const before = slot.of(room);
    const secret = formText(values, SECRET) ?? before;
    const after = formBoolean(values, PROTECTED) === false ? "" : secret;
    if (after === before) return { changed: false };
    slot.set(room, after);
    return { changed: true };
  },
  roomInfo: (room) => ({ features: [isProtected(room) ? "muc_passwordprotected" : "muc_unsecured"] }),
  checkJoin(_turn, join) {
    const { room, sender } = join;
    if (!isProtected(room) || sender.admin || options.exemptDomains.has(sender.jid.domain)) return undefined;
    const admitted =
      isMembersOnly(room) && affiliationRank(room.affiliationOf(bareText(sender.jid))) >= affiliationRank("member");
    if (admitted || knowsPassword(join)) return undefined;
    return { type: "refuse", refusal: { error: { condition: "not-authorized" }, by: "room" } };
  },
});
