/**
 * Options of meeting rooms. Kinds of options are in option.ts; the whole table is options.ts.
 */
import { choice, integer, secrets, text, yesNo } from "./option.ts";

/** https, or http to this machine itself; no slash at the end. */
const OUTSIDE_URL = /^$|^(https:\/\/[^\s?#]+|http:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(\/[^\s?#]*)?)(?<!\/)$/;

const outside = (reason: string) =>
  text({
    default: "",
    pattern: OUTSIDE_URL,
    expects: "an https URL (http to this machine itself) without a slash at the end",
    reason,
  });

const headers = (of: string) =>
  secrets({
    default: {},
    key: /^[A-Za-z0-9-]{1,64}$/,
    pattern: /^[^\r\n]{0,4000}$/,
    expects: 'a table of header = "value"',
    reason: `Headers sent with ${of}, such as Authorization.`,
  });

export const roomOptions = {
  "xmpp.rooms.owners": choice({
    default: "focus",
    of: ["focus", "token", "everybody"],
    reason:
      "Who becomes moderator: whom the focus chooses (the first one), holders of a token that says so, or everybody.",
  }),
  "xmpp.rooms.verify_tenant": yesNo({
    default: false,
    reason: "Tokens open only the rooms of the tenant they are for.",
  }),
  "xmpp.rooms.wait_for_host": yesNo({
    default: false,
    reason: "Guests wait in the lobby until somebody with an account or a token is there.",
  }),
  "xmpp.rooms.joins_per_second": integer({
    default: 0,
    min: 0,
    max: 1_000,
    unit: "joins/s",
    reason: "Joins that a room takes a second, further ones wait; 0: all at once.",
  }),
  "xmpp.rooms.tenants": yesNo({
    default: false,
    reason: "Each tenant (/tenant/room in the page's address) has rooms of its own.",
  }),
  "xmpp.rooms.file_sharing": yesNo({
    default: false,
    reason:
      "Stock clients share files by a list in the meeting; needs a service of yours that keeps the files (config.js).",
  }),
  "xmpp.rooms.plain": yesNo({
    default: false,
    reason: "Rooms for any XMPP client instead of meetings: made by whoever comes first, without focus, with any nick.",
  }),
  "xmpp.rooms.event_sync.url": outside(
    "Where events of rooms (made, joined, left, ended) are posted as JSON. Empty: nowhere.",
  ),
  "xmpp.rooms.event_sync.headers": headers("those events"),
  "xmpp.rooms.reservations.url": outside(
    "Reservation system that is asked before a new meeting. Empty: none, everybody may.",
  ),
  "xmpp.rooms.reservations.headers": headers("those questions"),
} as const;
