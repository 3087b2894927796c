/** How the page changes by what people do on it. */

import type { EpochMillis } from "../session/time.ts";
import {
  type Effect,
  emptyMeeting,
  isModerator,
  type MeetingState,
  mayUnmute,
  none,
  type Preferences,
  type Step,
  say,
  text,
  type UserAction,
  withChatLine,
  withToast,
} from "./state.ts";

export function updateAction(state: MeetingState, action: UserAction, now: EpochMillis): Step {
  switch (action.kind) {
    case "open-room":
      return action.name.trim() === "" ? none(state) : [state, [{ kind: "go-to-room", name: action.name.trim() }]];
    case "set-name": {
      const name = action.name.slice(0, 80);
      const step = withPreferences(state, { name });
      return state.page === "meeting" ? [step[0], [...step[1], { kind: "name", name: name.trim() }]] : step;
    }
    case "join":
      if (state.joining !== "no" || (state.requireName && state.preferences.name.trim() === "")) return none(state);
      return [{ ...state, joining: "connecting", fault: undefined, lobbyRefused: false }, [{ kind: "join" }]];
    case "cancel-join":
      return [{ ...state, joining: "no", fault: undefined, dialog: undefined }, [{ kind: "leave" }]];
    case "password-given":
      return [{ ...state, dialog: undefined, joining: "connecting" }, [{ kind: "retry", password: action.password }]];
    case "login-given":
      return [
        { ...state, dialog: undefined, joining: "connecting" },
        [{ kind: "login", user: action.user, password: action.password }],
      ];
    case "ask-again":
      return [{ ...state, joining: "connecting", lobbyRefused: false }, [{ kind: "retry" }]];
    case "lobby-message":
      return [
        withChatLine(state, {
          kind: "message",
          from: "",
          name: state.preferences.name,
          body: action.body,
          mine: true,
          privateWith: undefined,
          at: now,
          failed: false,
        }),
        [{ kind: "lobby-chat", body: action.body }],
      ];
    case "toggle":
      return toggle(state, action);
    case "talk":
      return talk(state, action.on);
    case "companion":
      return companion(state, action.on);
    case "choose-device": {
      const key = action.device;
      const step = withPreferences(state, { [key]: action.id });
      return [step[0], [...step[1], { kind: "use-device", device: action.device, id: action.id }]];
    }
    case "try-devices-again":
      return [
        {
          ...state,
          permission: "unknown",
          local: {
            ...state.local,
            microphoneOn: true,
            cameraOn: true,
            microphoneFault: undefined,
            cameraFault: undefined,
          },
        },
        [{ kind: "acquire", microphone: true, camera: true }],
      ];
    case "test-speaker":
      return [state, [{ kind: "test-speaker" }]];
    case "switch-camera":
      return [state, [{ kind: "switch-camera" }]];
    case "share":
      if (action.on && !mayUnmute(state, "desktop")) return forbidden(state);
      return [state, [{ kind: "share", on: action.on }]];
    case "hand":
      return hand(state, action.up ?? state.handAt === undefined, now);
    case "react":
      return showReaction(
        [state, [{ kind: "react", reaction: action.reaction }]],
        state.self.endpoint,
        action.reaction,
      );
    case "view": {
      const view = action.view ?? (state.view === "tiles" ? "speaker" : "tiles");
      const step = withPreferences(
        { ...state, view, viewByShare: false, pinned: view === "tiles" ? undefined : state.pinned, tilePage: 0 },
        { view },
      );
      return say(step, text(view === "tiles" ? "said.tiles" : "said.speaker"));
    }
    case "pin":
      return none({
        ...state,
        pinned: state.pinned === action.tile ? undefined : action.tile,
        view: action.tile === undefined || state.pinned === action.tile ? state.view : "speaker",
      });
    case "tile-page":
      return none({ ...state, tilePage: Math.max(0, action.page) });
    case "drawer": {
      const drawer = state.drawer === action.drawer ? "none" : action.drawer;
      return none({
        ...state,
        drawer,
        unread: drawer === "chat" ? 0 : state.unread,
        unseenPolls: drawer === "polls" ? 0 : state.unseenPolls,
      });
    }
    case "chat-to":
      return none({ ...state, chatTo: action.endpoint, drawer: "chat", unread: 0 });
    case "send-chat":
      return sendChat(state, action.body, now);
    case "dialog":
      return none({ ...state, dialog: action.dialog });
    case "preference": {
      const step = withPreferences(state, action.change);
      return action.change.theme === undefined
        ? step
        : [step[0], [...step[1], { kind: "theme", theme: action.change.theme }]];
    }
    case "audio-only":
      return none({ ...state, audioOnly: action.on });
    case "sound-on":
      return [{ ...state, soundBlocked: false }, [{ kind: "resume-sound" }]];
    case "mute-all": {
      const effects: Effect[] = [{ kind: "request", action }];
      return [{ ...state, dialog: undefined }, effects];
    }
    case "kick":
      return [{ ...state, dialog: undefined }, [{ kind: "request", action }]];
    case "mute-person":
    case "grant":
    case "allow":
    case "moderate":
    case "set-password":
    case "set-lobby":
    case "set-subject":
    case "vote":
    case "breakout-add":
    case "breakout-remove":
    case "breakout-move":
    case "breakout-enter":
      return [state, [{ kind: "request", action }]];
    case "set-start-muted":
      // At once: one message carries both switches, and the second may be flipped before the room has answered for the first.
      return [{ ...state, startMuted: { audio: action.audio, video: action.video } }, [{ kind: "request", action }]];
    case "new-poll":
    case "breakout-rename":
      return [{ ...state, dialog: undefined }, [{ kind: "request", action }]];
    case "admit": {
      const gone = new Set(action.nicks);
      return [
        { ...state, knockers: state.knockers.filter((each) => !gone.has(each.nick)) },
        [{ kind: "request", action: { ...action, nicks: realJids(state, gone) } }],
      ];
    }
    case "deny":
      return [
        { ...state, knockers: state.knockers.filter((each) => each.nick !== action.nick) },
        [{ kind: "request", action }],
      ];
    case "leave":
      return [{ ...state, dialog: undefined }, [{ kind: "leave" }]];
    case "end-for-all":
      return [{ ...state, dialog: undefined }, [{ kind: "request", action }]];
    case "join-again":
      return [
        {
          ...state,
          ...emptyMeeting(state.preferences.view),
          page: "prejoin",
          joining: "connecting",
          fault: undefined,
          handAt: undefined,
          chat: [],
          toasts: [],
          dialog: undefined,
          drawer: "none",
          local: { ...state.local, sharing: false },
        },
        [{ kind: "acquire", microphone: state.local.microphoneOn, camera: state.local.cameraOn }, { kind: "join" }],
      ];
    case "close-toast":
      return none({ ...state, toasts: state.toasts.filter((each) => each.key !== action.key) });
    case "reaction-over":
      return none({ ...state, reactions: state.reactions.filter((each) => each.key !== action.key) });
    case "toast":
      return withToast(none(state), {
        kind: action.toastKind,
        text: action.text,
        icon: action.icon,
        action: undefined,
      });
  }
}

/** An admitted one is named to the server by its real address. */
const realJids = (state: MeetingState, nicks: ReadonlySet<string>): readonly string[] =>
  state.knockers.filter((each) => nicks.has(each.nick)).map((each) => each.realJid);

function withPreferences(state: MeetingState, change: Partial<Preferences>): Step {
  const preferences = { ...state.preferences, ...change };
  return [{ ...state, preferences }, [{ kind: "save-preferences", preferences }]];
}

function toggle(state: MeetingState, action: Extract<UserAction, { kind: "toggle" }>): Step {
  const microphone = action.media === "microphone";
  const on = action.on ?? !(microphone ? state.local.microphoneOn : state.local.cameraOn);
  if (state.companion) return none(state);
  if (on && state.page === "meeting" && !mayUnmute(state, microphone ? "audio" : "video")) return forbidden(state);
  const local = microphone ? { ...state.local, microphoneOn: on, silent: false } : { ...state.local, cameraOn: on };
  const [next, effects] = withPreferences(
    { ...state, local, toasts: state.toasts.filter((each) => !ABOUT_MUTING.has(each.kind)) },
    microphone ? { microphoneOn: on } : { cameraOn: on },
  );
  return say(
    [next, [...effects, { kind: action.media, on }, ...presence(state)]],
    text(`said.${action.media}-${on ? "on" : "off"}`),
  );
}

/** Toasts that a press of the button answers. */
const ABOUT_MUTING: ReadonlySet<string> = new Set(["muted-hint", "muted-by", "approved", "forbidden", "start-muted"]);

const presence = (state: MeetingState): readonly Effect[] =>
  state.page === "meeting" ? [{ kind: "own-presence" }] : [];

/** Push to talk: only while it is held, nothing is remembered (W39). */
function talk(state: MeetingState, on: boolean): Step {
  if (state.companion || state.page !== "meeting" || state.local.microphoneOn === on) return none(state);
  if (on && !mayUnmute(state, "audio")) return forbidden(state);
  return [
    { ...state, local: { ...state.local, microphoneOn: on } },
    [{ kind: "microphone", on }, { kind: "own-presence" }],
  ];
}

/** A host keeps microphones off: asking is done by raising the hand. */
function forbidden(state: MeetingState): Step {
  return withToast(none(state), {
    kind: "forbidden",
    icon: "hand",
    text: text("toast.ask-to-speak"),
    action:
      state.handAt === undefined ? { label: text("action.raise-hand"), event: { kind: "hand", up: true } } : undefined,
  });
}

function companion(state: MeetingState, on: boolean): Step {
  const local = on
    ? { ...state.local, microphoneOn: false, cameraOn: false }
    : { ...state.local, microphoneOn: state.preferences.microphoneOn, cameraOn: state.preferences.cameraOn };
  const effects: Effect[] = [
    { kind: "microphone", on: local.microphoneOn },
    { kind: "camera", on: local.cameraOn },
  ];
  if (state.page === "meeting") effects.push({ kind: "companion", on });
  return [{ ...state, companion: on, local }, effects];
}

function hand(state: MeetingState, up: boolean, now: EpochMillis): Step {
  if ((state.handAt !== undefined) === up) return none(state);
  const handAt = up ? now : undefined;
  return say([{ ...state, handAt }, [{ kind: "hand", at: handAt }]], text(up ? "said.hand-up" : "said.hand-down"));
}

function sendChat(state: MeetingState, body: string, now: EpochMillis): Step {
  const trimmed = body.trim();
  if (trimmed === "") return none(state);
  const id = `chat-${state.self.endpoint}-${state.nextKey}-${now}`;
  const effect: Effect = { kind: "send-chat", id, body: trimmed, to: state.chatTo };
  // Everybody's messages come back from the room; a private one does not (signaling.md 3.10).
  if (state.chatTo === undefined) return [{ ...state, nextKey: state.nextKey + 1 }, [effect]];
  return [
    withChatLine(state, {
      key: id,
      kind: "message",
      from: state.self.endpoint,
      name: state.preferences.name,
      body: trimmed,
      mine: true,
      privateWith: state.people.get(state.chatTo)?.name ?? state.chatTo,
      at: now,
      failed: false,
    }),
    [effect],
  ];
}

const REACTIONS_SHOWN = 12;

export function showReaction(step: Step, from: string, reaction: string): Step {
  const [state, effects] = step;
  const key = state.nextKey;
  return [
    {
      ...state,
      nextKey: key + 1,
      reactions: [...state.reactions.slice(-(REACTIONS_SHOWN - 1)), { key, from, reaction }],
    },
    [...effects, { kind: "reaction-timer", key }],
  ];
}

/** "Mute all" has no effect where everybody could undo it at once (product.md 0.7): all others are moderators. */
export const muteAllMakesSense = (state: MeetingState): boolean =>
  isModerator(state) && [...state.people.values()].some((person) => person.role !== "moderator");
