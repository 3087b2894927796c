/**
 * The room's information (disco) and its owner form: password, lobby (signaling.md 3.6, 3.9).
 */
import { NS } from "../../appliance/wire/namespaces.ts";
import { attr, child, children, childText, type Element, xml } from "../../appliance/wire/xml.ts";

export interface RoomInfo {
  readonly locked: boolean;
  readonly membersOnly: boolean;
  readonly lobby: string | undefined;
  readonly meetingId: string | undefined;
  /** Milliseconds since the epoch. */
  readonly createdAt: number | undefined;
  readonly isBreakout: boolean;
  readonly mainRoom: string | undefined;
}

export function readRoomInfo(stanza: Element): RoomInfo | undefined {
  const query = child(stanza, "query", NS.discoInfo);
  if (query === undefined) return undefined;
  const features = new Set(children(query, "feature").map((each) => attr(each, "var")));
  const form = children(query, "x", NS.dataForms)[0];
  const field = (name: string): string | undefined => {
    const found = form === undefined ? undefined : children(form, "field").find((each) => attr(each, "var") === name);
    const value = found === undefined ? undefined : childText(found, "value");
    return value === "" ? undefined : value;
  };
  const created = Number(field("muc#roominfo_created_timestamp"));
  return {
    locked: features.has("muc_passwordprotected"),
    membersOnly: features.has("muc_membersonly"),
    lobby: field("muc#roominfo_lobbyroom"),
    meetingId: field("muc#roominfo_meetingId"),
    createdAt: Number.isFinite(created) && created > 0 ? created : undefined,
    isBreakout: field("muc#roominfo_isbreakout") !== undefined,
    mainRoom: field("muc#roominfo_breakout_main_room"),
  };
}

const submit = (fields: readonly (readonly [string, string])[]): Element =>
  xml(
    "query",
    { xmlns: NS.mucOwner },
    xml(
      "x",
      { xmlns: NS.dataForms, type: "submit" },
      xml("field", { var: "FORM_TYPE" }, xml("value", {}, NS.mucRoomConfig)),
      fields.map(([name, value]) => xml("field", { var: name }, xml("value", {}, value))),
    ),
  );

/** Sets or, with an empty text, removes the password. Lobby and whois are repeated: servers reset what is absent (signaling.md 3.6). */
export const passwordForm = (password: string, membersOnly: boolean): Element =>
  submit([
    ["muc#roomconfig_roomsecret", password],
    ["muc#roomconfig_passwordprotectedroom", password === "" ? "0" : "1"],
    ["muc#roomconfig_whois", "anyone"],
    ...(membersOnly ? ([["muc#roomconfig_membersonly", "true"]] as const) : []),
  ]);

export const lobbyForm = (on: boolean, locked: boolean): Element =>
  submit([
    ["muc#roomconfig_membersonly", on ? "true" : "false"],
    ...(locked ? ([["muc#roomconfig_passwordprotectedroom", "1"]] as const) : []),
  ]);

export const ownerFormRequest = (): Element => xml("query", { xmlns: NS.mucOwner });

export const grantElement = (bareJids: readonly string[], affiliation: "owner" | "member" | "none"): Element =>
  xml(
    "query",
    { xmlns: NS.mucAdmin },
    bareJids.map((jid) => xml("item", { affiliation, jid })),
  );

export const kickElement = (nick: string, reason: string): Element =>
  xml("query", { xmlns: NS.mucAdmin }, xml("item", { nick, role: "none" }, xml("reason", {}, reason)));
