/** What moderators set, what links say, and the way between rooms, in the page's state. */
import { expect, test } from "bun:test";
import type { Occupant } from "../session/room.ts";
import type { SessionEvent } from "../session/session-events.ts";
import { epochMillis } from "../session/time.ts";
import { faultText } from "./fault-text.ts";
import { DEFAULT_PREFERENCES, type Effect, initialState, type MeetingState, type UserAction } from "./state.ts";
import { update } from "./update.ts";

const self: Occupant = {
  endpoint: "me",
  realJid: "me@x/y",
  role: "moderator",
  affiliation: "owner",
  name: "Ana",
  hidden: false,
  sources: new Map(),
  handAt: undefined,
  companion: false,
  features: [],
  codecs: [],
};
const START = initialState({
  room: { id: "r", title: "R", subject: "", appName: "" },
  preferences: { ...DEFAULT_PREFERENCES, name: "Ana" },
  requireName: false,
  startMicrophoneMuted: false,
  startCameraMuted: false,
});
const now = epochMillis(1_787_000_000_000);
const session = (state: MeetingState, event: SessionEvent, at = now): MeetingState =>
  update(state, { from: "session", event }, at)[0];
const user = (state: MeetingState, event: UserAction): readonly [MeetingState, readonly Effect[]] =>
  update(state, { from: "user", event }, now);
const joined = (room = "r@muc", again = false): SessionEvent => ({ kind: "joined", self, room, again });
const inside = (): MeetingState => session(START, joined());

test("how newcomers start is told by the room and set through it", () => {
  const told = session(inside(), {
    kind: "metadata",
    metadata: { startMuted: { audio: true, video: false }, lobbyEnabled: undefined, recording: false, visitors: false },
  });
  expect(told.startMuted).toEqual({ audio: true, video: false });
  const [state, effects] = user(told, { kind: "set-start-muted", audio: true, video: true });
  expect(state.startMuted).toEqual({ audio: true, video: true }); // at once: one message carries both switches
  expect(effects).toEqual([{ kind: "request", action: { kind: "set-start-muted", audio: true, video: true } }]);
  const refused = session(state, {
    kind: "metadata",
    metadata: { startMuted: { audio: true, video: false }, lobbyEnabled: undefined, recording: false, visitors: false },
  });
  expect(refused.startMuted).toEqual({ audio: true, video: false }); // the room has the last word
});

test("the way to another room is no lost connection: its own words, and no welcome back", () => {
  const moving = session(inside(), { kind: "moved", room: "g@breakout" });
  expect(moving.network).toBe("moving");
  expect(session(moving, { kind: "media", state: "none" }).network).toBe("moving");
  const there = session(moving, joined("g@breakout", true));
  expect(there.network).toBe("fine");
  expect(there.toasts).toEqual([]);
});

test("what the server counted before the room let us in is kept; another room begins anew", () => {
  const times = new Map([["b", { name: "Ben", ms: 42_000 }]]);
  const early = session(session(START, { kind: "spoken", times }), joined());
  expect(early.speech.spoken.get("b")?.ms).toBe(42_000);
  const later = epochMillis(now + 5_000);
  const spoke = session(session(early, { kind: "dominant", endpoint: "b", silence: false }), {
    kind: "dominant",
    endpoint: "b",
    silence: true,
  });
  expect(spoke.speech.speaker).toBeUndefined();
  const heard = session(
    session(early, { kind: "dominant", endpoint: "b", silence: false }),
    { kind: "dominant", endpoint: "me", silence: false },
    later,
  );
  expect(heard.speech.spoken.get("b")?.ms).toBe(47_000);
  expect(session(heard, { kind: "moved", room: "g@breakout" }).speech.spoken.size).toBe(0);
});

test("a group is renamed through the room, and the question is gone", () => {
  const asked = user(inside(), { kind: "dialog", dialog: { kind: "rename-room", jid: "g@x" } })[0];
  const [state, effects] = user(asked, { kind: "breakout-rename", jid: "g@x", name: "Blue" });
  expect(state.dialog).toBeUndefined();
  expect(effects).toEqual([{ kind: "request", action: { kind: "breakout-rename", jid: "g@x", name: "Blue" } }]);
});

test.each([
  ["token expired", "fault.token-expired"],
  ["Token has expired", "fault.token-expired"],
  ["token is not valid yet", "fault.token-early"],
  ["token signature is wrong", "fault.token"],
  ["", "fault.token"],
])("a refused token (%p) is told in words of ours: %s", (text, id) => {
  expect(faultText({ kind: "token", text })).toEqual({ id: id as "fault.token", args: [] });
});

test("a box that takes tokens of another place asks where to log in, not for a password", () => {
  const state = session({ ...START, joining: "connecting" }, { kind: "fault", fault: { kind: "login-elsewhere" } });
  expect(state.dialog).toEqual({ kind: "login", wrong: false });
  expect(state.joining).toBe("no");
});
