import { describe, expect, test } from "bun:test";
import type { Occupant, Role } from "../session/room.ts";
import type { SessionEvent } from "../session/session-events.ts";
import { epochMillis } from "../session/time.ts";
import {
  DEFAULT_PREFERENCES,
  type DeviceEvent,
  type Effect,
  handNumbers,
  initialState,
  type MeetingEvent,
  type MeetingState,
  type UserAction,
} from "./state.ts";
import { muteAllMakesSense } from "./state-actions.ts";
import { update } from "./update.ts";

const START = initialState({
  room: { id: "r", title: "R", subject: "", appName: "" },
  preferences: { ...DEFAULT_PREFERENCES, name: "Ana" },
  requireName: false,
  startMicrophoneMuted: false,
  startCameraMuted: false,
});

/** A page that events are played on; keeps the effects of the last one and all of them. */
class Played {
  state: MeetingState;
  effects: readonly Effect[] = [];
  all: Effect[] = [];
  now = 1_787_000_000_000;
  constructor(state: MeetingState = START) {
    this.state = state;
  }
  #play(event: MeetingEvent): this {
    const [state, effects] = update(this.state, event, epochMillis(this.now));
    this.state = state;
    this.effects = effects;
    this.all.push(...effects);
    this.now += 10;
    return this;
  }
  session = (event: SessionEvent): this => this.#play({ from: "session", event });
  user = (event: UserAction): this => this.#play({ from: "user", event });
  device = (event: DeviceEvent): this => this.#play({ from: "devices", event });
  later(ms: number): this {
    this.now += ms;
    return this;
  }
  kinds = (): string[] => this.effects.map((each) => each.kind);
}

const occupant = (endpoint: string, change: Partial<Occupant> = {}): Occupant => ({
  endpoint,
  realJid: `${endpoint}@x/y`,
  role: "participant",
  affiliation: "none",
  name: `Name ${endpoint}`,
  hidden: false,
  sources: new Map([
    [`${endpoint}-a0`, { muted: false, videoType: "camera" }],
    [`${endpoint}-v0`, { muted: false, videoType: "camera" }],
  ]),
  handAt: undefined,
  companion: false,
  features: [],
  codecs: [],
  ...change,
});
const here = (endpoint: string, change: Partial<Occupant> = {}): SessionEvent => ({
  kind: "occupant",
  occupant: occupant(endpoint, change),
  isNew: true,
});
const joined = (role: Role = "participant"): SessionEvent => ({
  kind: "joined",
  self: occupant("me", { role }),
  room: "r@muc",
  again: false,
});
const inside = (role: Role = "participant"): Played => new Played().user({ kind: "join" }).session(joined(role));

describe("joining", () => {
  test("join asks the session; the second press does nothing", () => {
    const page = new Played().user({ kind: "join" });
    expect(page.kinds()).toEqual(["join"]);
    expect(page.state.joining).toBe("connecting");
    expect(page.user({ kind: "join" }).kinds()).toEqual([]);
  });

  test("a name that is asked for has to be given", () => {
    const page = new Played({ ...START, requireName: true, preferences: { ...START.preferences, name: " " } });
    expect(page.user({ kind: "join" }).kinds()).toEqual([]);
    expect(page.user({ kind: "set-name", name: "A" }).user({ kind: "join" }).kinds()).toEqual(["join"]);
  });

  test("inside: the meeting page, ourselves first in the order", () => {
    const page = inside();
    expect(page.state.page).toBe("meeting");
    expect(page.state.order).toEqual(["me"]);
    expect(page.kinds()).toContain("own-presence");
    expect(page.session(here("b")).state.order).toEqual(["me", "b"]);
  });

  test("password: a dialog, wrong on the second time, gone when inside", () => {
    const refused: SessionEvent = { kind: "fault", fault: { kind: "refused", refusal: { kind: "password" } } };
    const page = new Played().user({ kind: "join" }).session(refused);
    expect(page.state.dialog).toEqual({ kind: "password", wrong: false });
    page.user({ kind: "password-given", password: "x" });
    expect(page.effects).toEqual([{ kind: "retry", password: "x" }]);
    expect(page.session(refused).state.dialog).toEqual({ kind: "password", wrong: true });
    expect(page.session(joined()).state.dialog).toBeUndefined();
  });

  test("lobby: waiting, refused, asked again, let in", () => {
    const page = new Played().user({ kind: "join" }).session({ kind: "waiting-in-lobby", waitingForHost: false });
    expect(page.state.joining).toBe("lobby");
    page.session({ kind: "lobby-refused" });
    expect(page.state).toMatchObject({ joining: "no", lobbyRefused: true });
    expect(page.user({ kind: "ask-again" }).effects).toEqual([{ kind: "retry" }]);
    expect(page.session(joined()).state).toMatchObject({ page: "meeting", joining: "no" });
  });

  test("every fault of joining frees the button and has its text", () => {
    const refusals = [
      "members-only",
      "name-required",
      "login-required",
      "not-there-yet",
      "full",
      "banned",
      "not-allowed",
      "other",
    ] as const;
    for (const kind of refusals) {
      const page = new Played()
        .user({ kind: "join" })
        .session({ kind: "fault", fault: { kind: "refused", refusal: { kind } as never } });
      expect(page.state.joining).toBe("no");
      expect(page.state.announcement?.id).toBe(`fault.join.${kind}`);
    }
  });

  test("cancelled before one was inside: back to the first page, not to an end", () => {
    const page = new Played().user({ kind: "join" }).user({ kind: "cancel-join" });
    expect(page.kinds()).toEqual(["leave"]);
    expect(page.session({ kind: "ended", reason: "left", actor: undefined, text: undefined }).state.page).toBe(
      "prejoin",
    );
  });
});

describe("microphone and camera", () => {
  test("toggled: device, presence and memory follow", () => {
    const page = inside().user({ kind: "toggle", media: "microphone" });
    expect(page.state.local.microphoneOn).toBe(false);
    expect(page.kinds()).toEqual(["save-preferences", "microphone", "own-presence"]);
    expect(page.state.announcement?.id).toBe("said.microphone-off");
    expect(page.user({ kind: "toggle", media: "microphone" }).state.local.microphoneOn).toBe(true);
  });

  test("push to talk is not remembered and leaves an open microphone alone", () => {
    const page = inside();
    expect(page.user({ kind: "talk", on: true }).kinds()).toEqual([]);
    page.user({ kind: "toggle", media: "microphone", on: false });
    expect(page.user({ kind: "talk", on: true }).kinds()).toEqual(["microphone", "own-presence"]);
    expect(page.state.preferences.microphoneOn).toBe(false);
    expect(page.user({ kind: "talk", on: false }).state.local.microphoneOn).toBe(false);
  });

  test("muted by a moderator: off, told by whom; not when already off", () => {
    const page = inside().session(here("b")).session({ kind: "muted-by", media: "audio", actor: "b" });
    expect(page.state.local.microphoneOn).toBe(false);
    expect(page.state.toasts[0]?.text).toEqual({ id: "toast.audio-off-by", args: ["Name b"] });
    expect(page.kinds()).toEqual(["microphone", "own-presence", "toast-timer"]);
    expect(page.session({ kind: "muted-by", media: "audio", actor: "b" }).kinds()).toEqual([]);
  });

  test("under moderation only those allowed may switch on", () => {
    const page = inside()
      .user({ kind: "toggle", media: "microphone", on: false })
      .session({ kind: "moderation", news: { kind: "switched", mediaType: "audio", enabled: true, actor: "b" } });
    page.user({ kind: "toggle", media: "microphone" });
    expect(page.state.local.microphoneOn).toBe(false);
    expect(page.state.toasts.at(-1)?.text.id).toBe("toast.ask-to-speak");
    page.session({ kind: "moderation", news: { kind: "approved", mediaType: "audio", approved: true } });
    expect(page.user({ kind: "toggle", media: "microphone" }).state.local.microphoneOn).toBe(true);
    expect(
      inside("moderator")
        .session({
          kind: "moderation",
          news: { kind: "switched", mediaType: "audio", enabled: true, actor: undefined },
        })
        .user({ kind: "toggle", media: "microphone", on: false })
        .user({ kind: "toggle", media: "microphone", on: true }).state.local.microphoneOn,
    ).toBe(true);
  });

  test("a device that fails switches itself off and says why", () => {
    const page = inside().device({ kind: "refused", media: "camera", fault: "busy" });
    expect(page.state.local).toMatchObject({ cameraOn: false, cameraFault: "busy" });
    expect(page.state.toasts[0]?.text.id).toBe("fault.camera.busy");
    expect(
      page.device({ kind: "acquired", media: "camera", label: "Cam", deviceId: "1", facing: "user" }).state.local
        .cameraFault,
    ).toBeUndefined();
  });

  test("in the room itself: neither device, and no way to switch them on", () => {
    const page = new Played().user({ kind: "companion", on: true });
    expect(page.state.local).toMatchObject({ microphoneOn: false, cameraOn: false });
    expect(page.user({ kind: "toggle", media: "microphone" }).state.local.microphoneOn).toBe(false);
    expect(page.user({ kind: "companion", on: false }).state.local).toMatchObject({
      microphoneOn: true,
      cameraOn: true,
    });
  });

  test("the focus has no room for one more sender", () => {
    const page = inside().session({ kind: "send-refused", media: "camera", condition: "resource-constraint" });
    expect(page.state.local.cameraOn).toBe(false);
    expect(page.state.toasts[0]?.text.id).toBe("toast.too-many-senders");
  });

  test("the box carries no further cameras: ours goes off, and why is said while it lasts", () => {
    const focus = (properties: Record<string, string>) =>
      ({
        kind: "focus",
        bridgeMissing: false,
        recording: false,
        properties: new Map(Object.entries(properties)),
      }) as const;
    const page = inside().session(focus({ "video-limit-reached": "true", parley_full: "true" }));
    expect(page.state.load).toBe("full");
    page.session({ kind: "muted-by", media: "video", actor: undefined });
    expect(page.state.local.cameraOn).toBe(false);
    expect(page.state.toasts.at(-1)?.text.id).toBe("toast.cameras-full");
    page.session({ kind: "send-refused", media: "camera", condition: "resource-constraint" });
    expect(page.state.toasts.at(-1)?.text.id).toBe("toast.cameras-full");
    expect(page.session(focus({ parley_quality_step: "2" })).state.load).toBe("smaller");
    expect(page.session(focus({ "video-limit-reached": "true" })).state.load).toBe("fine");
  });

  test("the box carries no further conference: the page waits and says so", () => {
    const page = new Played().session({ kind: "waiting-for-focus", full: true });
    expect(page.state.joining).toBe("full");
    expect(page.session({ kind: "waiting-for-focus", full: false }).state.joining).toBe("focus");
  });

  test("many people inside: a newcomer starts muted", () => {
    const page = inside();
    for (let i = 0; i < 9; i += 1) page.session(here(`p${i}`));
    expect(page.state.local.microphoneOn).toBe(false);
    expect(page.state.preferences.microphoneOn).toBe(true);
  });
});

describe("people", () => {
  test("coming and going is told in chat and to the screen reader, once settled", () => {
    const page = inside().session(here("early")).later(5000).session(here("b"));
    expect(page.state.chat.map((line) => [line.kind, line.body, line.name])).toEqual([
      ["event", "event.joined", "Name b"],
    ]);
    expect(page.state.announcement).toEqual({ id: "said.person-joined", args: ["Name b"] });
    expect(page.kinds()).toEqual(["sound"]);
    page.session({ kind: "left", endpoint: "b", reason: "kicked", actor: "early" });
    expect(page.state.people.has("b")).toBe(false);
    expect(page.state.chat.at(-1)?.body).toBe("event.removed");
  });

  test("whoever leaves takes pin, private chat and pictures along", () => {
    const page = inside()
      .session(here("b"))
      .session({ kind: "sources", sources: [{ name: "b-v0", owner: "b", kind: "video", videoType: "camera" }] })
      .user({ kind: "pin", tile: "b" })
      .user({ kind: "chat-to", endpoint: "b" })
      .session({ kind: "dominant", endpoint: "b", silence: false })
      .session({ kind: "left", endpoint: "b", reason: "left", actor: undefined });
    expect(page.state).toMatchObject({
      pinned: undefined,
      chatTo: undefined,
      speaker: undefined,
      sources: [],
      order: ["me"],
    });
  });

  test("hands are numbered by time, ours too", () => {
    const page = inside()
      .session(here("b", { handAt: 5 }))
      .user({ kind: "hand" })
      .session(here("c", { handAt: 2 }));
    expect([...handNumbers(page.state)]).toEqual([
      ["c", 1],
      ["b", 2],
      ["me", 3],
    ]);
    expect(page.user({ kind: "hand" }).effects).toEqual([{ kind: "hand", at: undefined }]);
  });

  test("a hidden recorder is nobody", () => {
    expect(inside().session(here("rec", { hidden: true })).state.people.size).toBe(0);
  });

  test("mute all is offered only where it lasts", () => {
    const page = inside("moderator").session(here("b", { role: "moderator" }));
    expect(muteAllMakesSense(page.state)).toBe(false);
    expect(muteAllMakesSense(page.session(here("c")).state)).toBe(true);
    expect(muteAllMakesSense(inside().session(here("c")).state)).toBe(false);
  });

  test("admitting names real addresses and clears the door", () => {
    const page = inside("moderator")
      .session({ kind: "knocker", nick: "k1", name: "K", realJid: "k@x/y" })
      .session({ kind: "knocker", nick: "k1", name: "K", realJid: "k@x/y" });
    expect(page.state.knockers).toHaveLength(1);
    page.user({ kind: "admit", nicks: ["k1"] });
    expect(page.effects).toEqual([{ kind: "request", action: { kind: "admit", nicks: ["k@x/y"] } }]);
    expect(page.state.knockers).toEqual([]);
  });
});

describe("chat", () => {
  const message = (from: string, body: string, extra: object = {}): SessionEvent => ({
    kind: "chat",
    message: {
      id: `${from}-${body}`,
      from,
      body,
      isPrivate: false,
      sentAt: undefined,
      senderName: undefined,
      ...extra,
    },
  });

  test("our own to everybody comes back from the room, exactly once", () => {
    const page = inside().user({ kind: "send-chat", body: " hi " });
    expect(page.state.chat).toEqual([]);
    expect(page.effects).toMatchObject([{ kind: "send-chat", body: "hi", to: undefined }]);
    page.session(message("me", "hi")).session(message("me", "hi"));
    expect(page.state.chat.map((line) => [line.body, line.mine])).toEqual([["hi", true]]);
    expect(page.state.unread).toBe(0);
  });

  test("private: shown at once to us, marked on both sides", () => {
    const page = inside()
      .session(here("b"))
      .user({ kind: "chat-to", endpoint: "b" })
      .user({ kind: "send-chat", body: "psst" });
    expect(page.state.chat[0]).toMatchObject({ mine: true, privateWith: "Name b" });
    page.session(message("b", "yes", { isPrivate: true }));
    expect(page.state.chat[1]).toMatchObject({ mine: false, privateWith: "Name b" });
    expect(page.state.announcement?.id).toBe("said.private-from");
  });

  test("unread counts while the drawer is closed", () => {
    const page = inside().session(here("b")).session(message("b", "1")).session(message("b", "2"));
    expect(page.state.unread).toBe(2);
    expect(page.user({ kind: "drawer", drawer: "chat" }).state.unread).toBe(0);
    expect(page.session(message("b", "3")).state.unread).toBe(0);
  });

  test("a refused message is marked", () => {
    const page = inside()
      .session(here("b"))
      .user({ kind: "chat-to", endpoint: "b" })
      .user({ kind: "send-chat", body: "x" });
    const key = page.state.chat[0]?.key ?? "";
    expect(page.session({ kind: "chat-refused", id: key, text: "" }).state.chat[0]?.failed).toBe(true);
  });

  test("bounded at a thousand lines", () => {
    const page = inside().session(here("b"));
    for (let i = 0; i < 1100; i += 1) page.session(message("b", `m${i}`));
    expect(page.state.chat).toHaveLength(1000);
    expect(page.state.chat.at(-1)?.body).toBe("m1099");
  });
});

describe("the network", () => {
  test("lost and resumed: text 1, then text 3", () => {
    const page = inside().session({ kind: "stream", state: "lost" });
    expect(page.state.network).toBe("stream-lost");
    page.session({ kind: "stream", state: "resumed" });
    expect(page.state.network).toBe("fine");
    expect(page.state.toasts[0]?.text.id).toBe("network.back");
  });

  test("a new session: text 4 until we are in the room again, same mute states, chat kept", () => {
    const page = inside()
      .session(here("b"))
      .user({ kind: "toggle", media: "camera", on: false })
      .user({ kind: "hand" })
      .session({
        kind: "chat",
        message: { id: "1", from: "b", body: "hi", isPrivate: false, sentAt: undefined, senderName: undefined },
      })
      .session({ kind: "stream", state: "new-session" });
    expect(page.state.network).toBe("new-session");
    page.session({ ...joined(), self: occupant("me2"), again: true } as SessionEvent);
    expect(page.state).toMatchObject({ network: "fine", page: "meeting" });
    expect(page.state.local.cameraOn).toBe(false);
    expect(page.state.people.size).toBe(0);
    expect(page.state.self.endpoint).toBe("me2");
    expect(page.state.chat).toHaveLength(1);
    expect(page.kinds()).toEqual(expect.arrayContaining(["own-presence", "hand"]));
  });

  test("media lost and back: text 2, then text 3; the stream's loss outranks it", () => {
    const page = inside()
      .session({ kind: "media", state: "connected" })
      .session({ kind: "media", state: "interrupted" });
    expect(page.state.network).toBe("media-lost");
    expect(page.session({ kind: "media", state: "connected" }).state.network).toBe("fine");
    page.session({ kind: "stream", state: "lost" }).session({ kind: "media", state: "failed" });
    expect(page.state.network).toBe("stream-lost");
  });
});

describe("the stage", () => {
  const screen = { name: "b-v1", owner: "b", kind: "video" as const, videoType: "desktop" as const };

  test("a screen takes the stage and gives it back", () => {
    const page = inside()
      .session(here("b"))
      .session({ kind: "sources", sources: [screen] });
    expect(page.state.view).toBe("speaker");
    expect(page.session({ kind: "sources", sources: [] }).state.view).toBe("tiles");
  });

  test("chosen by hand it stays", () => {
    const page = inside()
      .session(here("b"))
      .session({ kind: "sources", sources: [screen] })
      .user({ kind: "view", view: "tiles" });
    expect(page.session({ kind: "sources", sources: [screen] }).state.view).toBe("tiles");
    page.user({ kind: "view", view: "speaker" });
    expect(page.session({ kind: "sources", sources: [] }).state.view).toBe("speaker");
  });
});

describe("toasts", () => {
  const toast = (kind: string): UserAction => ({
    kind: "toast",
    toastKind: kind,
    icon: "info",
    text: { id: "action.close", args: [] },
  });

  test("one shown, others wait; the time of each starts when it is shown", () => {
    const page = inside().user(toast("a"));
    expect(page.kinds()).toEqual(["toast-timer"]);
    expect(page.user(toast("b")).kinds()).toEqual([]);
    const [first, second] = page.state.toasts;
    page.user({ kind: "close-toast", key: first?.key ?? 0 });
    expect(page.effects).toEqual([{ kind: "toast-timer", key: second?.key ?? 0, ms: 5000 }]);
  });

  test("the same kind replaces, more than three waiting give way", () => {
    const page = inside();
    for (const kind of ["a", "b", "b", "c", "d", "e", "f"]) page.user(toast(kind));
    expect(page.state.toasts.length).toBeLessThanOrEqual(4);
    expect(new Set(page.state.toasts.map((each) => each.kind)).size).toBe(page.state.toasts.length);
  });
});

describe("the end", () => {
  test.each([
    ["left", "left"],
    ["kicked", "kicked"],
    ["banned", "banned"],
    ["replaced", "replaced"],
    ["ended", "ended"],
    ["conflict", "replaced"],
  ] as const)("%p shows %p and releases everything", (reason, kind) => {
    const page = inside().session({ kind: "ended", reason, actor: "b", text: undefined });
    expect(page.state).toMatchObject({ page: "end", end: { kind } });
    expect(page.kinds()).toEqual(["call-ended"]);
  });

  test("join again: devices and session anew, nothing of the old meeting", () => {
    const page = inside()
      .session(here("b"))
      .session({ kind: "ended", reason: "left", actor: undefined, text: undefined })
      .user({ kind: "join-again" });
    expect(page.state).toMatchObject({ page: "prejoin", joining: "connecting", chat: [] });
    expect(page.state.people.size).toBe(0);
    expect(page.kinds()).toEqual(["acquire", "join"]);
  });
});

test("any sequence of events keeps the state printable and never throws (seed printed)", () => {
  const seed = 20261121;
  console.log(`seed ${seed}`);
  let x = seed;
  const random = (n: number): number => {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    return x % n;
  };
  const who = () => `p${random(5)}`;
  const makers: (() => MeetingEvent)[] = [
    () => ({ from: "session", event: joined(random(2) === 0 ? "moderator" : "participant") }),
    () => ({ from: "session", event: here(who(), { handAt: random(3) === 0 ? random(9) : undefined }) }),
    () => ({ from: "session", event: { kind: "left", endpoint: who(), reason: "left", actor: undefined } }),
    () => ({
      from: "session",
      event: { kind: "stream", state: (["connected", "resumed", "lost", "new-session"] as const)[random(4)] ?? "lost" },
    }),
    () => ({
      from: "session",
      event: {
        kind: "media",
        state: (["none", "connecting", "connected", "interrupted", "failed"] as const)[random(5)] ?? "none",
      },
    }),
    () => ({
      from: "session",
      event: {
        kind: "sources",
        sources: [
          { name: `${who()}-v1`, owner: who(), kind: "video", videoType: random(2) === 0 ? "desktop" : "camera" },
        ],
      },
    }),
    () => ({ from: "session", event: { kind: "dominant", endpoint: who(), silence: false } }),
    () => ({ from: "session", event: { kind: "muted-by", media: random(2) === 0 ? "audio" : "video", actor: who() } }),
    () => ({ from: "session", event: { kind: "ended", reason: "left", actor: undefined, text: undefined } }),
    () => ({ from: "user", event: { kind: "toggle", media: random(2) === 0 ? "microphone" : "camera" } }),
    () => ({ from: "user", event: { kind: "pin", tile: who() } }),
    () => ({ from: "user", event: { kind: "hand" } }),
    () => ({ from: "user", event: { kind: "join" } }),
    () => ({ from: "user", event: { kind: "join-again" } }),
    () => ({ from: "user", event: { kind: "send-chat", body: "x" } }),
    () => ({ from: "devices", event: { kind: "refused", media: "camera", fault: "denied" } }),
    () => ({ from: "devices", event: { kind: "sharing", on: random(2) === 0 } }),
  ];
  let state = START;
  for (let i = 0; i < 5000; i += 1) {
    const make = makers[random(makers.length)];
    if (make === undefined) continue;
    [state] = update(state, make(), epochMillis(1_787_000_000_000 + i * 100));
    expect(state.toasts.length).toBeLessThanOrEqual(4);
    expect(new Set(state.order).size).toBe(state.order.length);
    for (const endpoint of state.people.keys()) expect(state.order).toContain(endpoint);
  }
  expect(() => JSON.stringify(state)).not.toThrow();
});
