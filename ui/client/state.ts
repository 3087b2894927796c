/**
 * The meeting page as one value, and how it changes: `update(state, event)` gives the next state and what has to be done about it (style 2.7).
 * Pure: times come in with events, effects go out as plain data and are performed by main.tsx.
 */
import type { MessageId } from "../messages/messages.ts";
import type { BreakoutRoom, ModeratedMedia, Poll } from "../session/components.ts";
import type { Components } from "../session/conference-request.ts";
import type { Role } from "../session/room.ts";
import type { JoinFault, MediaState, SessionEvent, ShownSource } from "../session/session-events.ts";
import { NO_SPEECH, type Speech } from "./speech.ts";

// ---------------------------------------------------------------- the state

export type Page = "start" | "prejoin" | "meeting" | "end";
/** What the Join button waits for. */
export type Joining = "no" | "connecting" | "focus" | "full" | "lobby";
/** How loaded the box is: pictures are smaller, or there is no room for further cameras. */
export type Load = "fine" | "smaller" | "full";
export type Drawer = "none" | "chat" | "people" | "polls" | "rooms";
export type View = "tiles" | "speaker";
export type Media = "microphone" | "camera";

/** Kept in the browser (product.md W6). */
export interface Preferences {
  readonly name: string;
  readonly microphone: string | undefined;
  readonly camera: string | undefined;
  readonly speaker: string | undefined;
  readonly microphoneOn: boolean;
  readonly cameraOn: boolean;
  readonly mirror: boolean;
  readonly view: View;
  readonly theme: "system" | "light" | "dark";
  readonly shortcuts: boolean;
  readonly sounds: boolean;
  readonly language: string;
}

export interface Device {
  readonly id: string;
  readonly label: string;
}

export interface Devices {
  readonly microphones: readonly Device[];
  readonly cameras: readonly Device[];
  readonly speakers: readonly Device[];
}

/** Why a device gives nothing. */
export type DeviceFault = "denied" | "system" | "missing" | "busy" | "other";

export interface Local {
  /** Wanted by the person; the track follows. */
  readonly microphoneOn: boolean;
  readonly cameraOn: boolean;
  readonly sharing: boolean;
  readonly microphoneFault: DeviceFault | undefined;
  readonly cameraFault: DeviceFault | undefined;
  /** Label of the device in use. */
  readonly microphoneLabel: string;
  readonly cameraLabel: string;
  /** No sound for 10 s from an unmuted microphone (W8). */
  readonly silent: boolean;
  /** Camera shows the person (mirrored) rather than the world. */
  readonly facing: "user" | "environment";
}

export interface Person {
  readonly endpoint: string;
  readonly name: string;
  readonly role: Role;
  readonly microphoneMuted: boolean;
  readonly cameraMuted: boolean;
  /** Milliseconds since the epoch; undefined: no hand up. */
  readonly handAt: number | undefined;
  readonly companion: boolean;
  /** The bridge hears nothing of this one. */
  readonly lost: boolean;
  readonly realJid: string | undefined;
  /** Last time as the dominant speaker, milliseconds since the epoch; 0: never. */
  readonly heardAt: number;
}

export interface ChatLine {
  readonly key: string;
  readonly kind: "message" | "event";
  /** Endpoint id; empty for events. */
  readonly from: string;
  readonly name: string;
  readonly body: string;
  readonly mine: boolean;
  /** Private: to whom (mine) or that it is for us alone. */
  readonly privateWith: string | undefined;
  readonly at: number;
  readonly failed: boolean;
}

export interface Toast {
  readonly key: number;
  /** A newer one of the same kind replaces an older one. */
  readonly kind: string;
  readonly text: Text;
  readonly icon: string;
  readonly action: { readonly label: Text; readonly event: UserAction } | undefined;
}

/** A text by its message name, with its arguments: state holds no language. */
export interface Text {
  readonly id: MessageId;
  readonly args: readonly (string | number)[];
}

export type Dialog =
  | { readonly kind: "password"; readonly wrong: boolean }
  | { readonly kind: "login"; readonly wrong: boolean }
  | { readonly kind: "leave" }
  | { readonly kind: "remove"; readonly endpoint: string }
  | { readonly kind: "mute-all" }
  | { readonly kind: "settings" }
  | { readonly kind: "shortcuts" }
  | { readonly kind: "security" }
  | { readonly kind: "poll" }
  | { readonly kind: "rename-room"; readonly jid: string }
  | { readonly kind: "speaking-time" }
  | { readonly kind: "devices" };

/** What is told about the network; the worst wins (look.md 7, texts 1 to 4). */
export type Network = "fine" | "stream-lost" | "media-lost" | "new-session" | "moving";

export interface Knocker {
  readonly nick: string;
  readonly name: string;
  readonly realJid: string;
}

export type EndState =
  | { readonly kind: "left" | "ended" | "replaced" | "banned" | "gone" }
  | { readonly kind: "kicked"; readonly actor: string | undefined };

export interface MeetingState {
  readonly page: Page;
  readonly room: { readonly id: string; readonly title: string; readonly subject: string; readonly appName: string };
  readonly requireName: boolean;
  /** Where people log in, when it is not done on this page. */
  readonly loginUrl: string | undefined;
  readonly preferences: Preferences;
  readonly devices: Devices;
  readonly permission: "unknown" | "asking" | "granted" | "denied";
  readonly local: Local;
  readonly companion: boolean;
  readonly joining: Joining;
  readonly fault: JoinFault | undefined;
  readonly waitingForHost: boolean;
  readonly waitingSince: number;
  readonly lobbyRefused: boolean;
  readonly self: { readonly endpoint: string; readonly role: Role; readonly realJid: string | undefined };
  readonly people: ReadonlyMap<string, Person>;
  readonly sources: readonly ShownSource[];
  /** Source names that the bridge forwards now; undefined: not told yet. */
  readonly forwarded: ReadonlySet<string> | undefined;
  /** Endpoint ids in the order of the tiles. */
  readonly order: readonly string[];
  readonly speaker: string | undefined;
  readonly speech: Speech;
  readonly view: View;
  /** The large view was chosen by a share, and ends with it. */
  readonly viewByShare: boolean;
  /** Tile key (`endpoint` or `endpoint:screen`). */
  readonly pinned: string | undefined;
  readonly tilePage: number;
  readonly drawer: Drawer;
  readonly chat: readonly ChatLine[];
  /** Endpoint id of a private conversation being written. */
  readonly chatTo: string | undefined;
  readonly unread: number;
  readonly handAt: number | undefined;
  readonly network: Network;
  readonly media: MediaState;
  readonly channelOpen: boolean;
  readonly bridgeMissing: boolean;
  readonly load: Load;
  readonly recording: boolean;
  readonly toasts: readonly Toast[];
  /** For the live region: the last of them is read out (W71). */
  readonly announcement: Text | undefined;
  readonly dialog: Dialog | undefined;
  readonly info: {
    readonly locked: boolean;
    readonly lobbyOn: boolean;
    readonly createdAt: number | undefined;
    readonly isBreakout: boolean;
    readonly mainRoom: string | undefined;
  };
  /** Newcomers start without (signaling.md 5.3). */
  readonly startMuted: { readonly audio: boolean; readonly video: boolean };
  readonly components: Components;
  readonly knockers: readonly Knocker[];
  readonly moderation: {
    /** Kinds that only those allowed may switch on. */
    readonly on: ReadonlySet<ModeratedMedia>;
    /** Whether we may, by kind. */
    readonly approved: ReadonlySet<ModeratedMedia>;
    readonly allowed: ReadonlyMap<ModeratedMedia, readonly string[]>;
  };
  readonly polls: readonly Poll[];
  readonly unseenPolls: number;
  readonly breakout: readonly BreakoutRoom[];
  readonly reactions: readonly { readonly key: number; readonly from: string; readonly reaction: string }[];
  readonly audioOnly: boolean;
  /** Connections that are not good, by endpoint id (W61). */
  readonly links: ReadonlyMap<string, "medium" | "poor">;
  /** The browser waits for a tap before it plays sound (W29). */
  readonly soundBlocked: boolean;
  readonly joinedAt: number;
  readonly end: EndState;
  readonly nextKey: number;
}

// ---------------------------------------------------------------- events

export type UserAction =
  | { readonly kind: "open-room"; readonly name: string }
  | { readonly kind: "set-name"; readonly name: string }
  | { readonly kind: "join" }
  | { readonly kind: "cancel-join" }
  | { readonly kind: "password-given"; readonly password: string }
  | { readonly kind: "login-given"; readonly user: string; readonly password: string }
  | { readonly kind: "ask-again" }
  | { readonly kind: "lobby-message"; readonly body: string }
  | { readonly kind: "toggle"; readonly media: Media; readonly on?: boolean }
  | { readonly kind: "talk"; readonly on: boolean }
  | { readonly kind: "companion"; readonly on: boolean }
  | { readonly kind: "choose-device"; readonly device: "microphone" | "camera" | "speaker"; readonly id: string }
  | { readonly kind: "try-devices-again" }
  | { readonly kind: "test-speaker" }
  | { readonly kind: "switch-camera" }
  | { readonly kind: "share"; readonly on: boolean }
  | { readonly kind: "hand"; readonly up?: boolean }
  | { readonly kind: "react"; readonly reaction: string }
  | { readonly kind: "view"; readonly view?: View }
  | { readonly kind: "pin"; readonly tile: string | undefined }
  | { readonly kind: "tile-page"; readonly page: number }
  | { readonly kind: "drawer"; readonly drawer: Drawer }
  | { readonly kind: "chat-to"; readonly endpoint: string | undefined }
  | { readonly kind: "send-chat"; readonly body: string }
  | { readonly kind: "dialog"; readonly dialog: Dialog | undefined }
  | { readonly kind: "preference"; readonly change: Partial<Preferences> }
  | { readonly kind: "audio-only"; readonly on: boolean }
  | { readonly kind: "sound-on" }
  | { readonly kind: "mute-person"; readonly endpoint: string; readonly media: ModeratedMedia }
  | { readonly kind: "mute-all"; readonly media: ModeratedMedia; readonly forbid: boolean }
  | { readonly kind: "kick"; readonly endpoint: string }
  | { readonly kind: "grant"; readonly endpoint: string }
  | { readonly kind: "allow"; readonly endpoint: string; readonly media: ModeratedMedia; readonly on: boolean }
  | { readonly kind: "moderate"; readonly media: ModeratedMedia; readonly on: boolean }
  | { readonly kind: "set-start-muted"; readonly audio: boolean; readonly video: boolean }
  | { readonly kind: "set-password"; readonly password: string }
  | { readonly kind: "set-lobby"; readonly on: boolean }
  | { readonly kind: "set-subject"; readonly subject: string }
  | { readonly kind: "admit"; readonly nicks: readonly string[] }
  | { readonly kind: "deny"; readonly nick: string }
  | { readonly kind: "new-poll"; readonly question: string; readonly answers: readonly string[] }
  | { readonly kind: "vote"; readonly poll: string; readonly answers: readonly boolean[] }
  | { readonly kind: "breakout-add"; readonly name: string }
  | { readonly kind: "breakout-remove"; readonly jid: string }
  | { readonly kind: "breakout-rename"; readonly jid: string; readonly name: string }
  | { readonly kind: "breakout-move"; readonly realJid: string; readonly jid: string }
  | { readonly kind: "breakout-enter"; readonly jid: string }
  | { readonly kind: "leave" }
  | { readonly kind: "end-for-all" }
  | { readonly kind: "join-again" }
  | { readonly kind: "close-toast"; readonly key: number }
  | { readonly kind: "reaction-over"; readonly key: number }
  | { readonly kind: "toast"; readonly toastKind: string; readonly text: Text; readonly icon: string };

export type DeviceEvent =
  | { readonly kind: "devices"; readonly devices: Devices }
  | { readonly kind: "asking" }
  | {
      readonly kind: "acquired";
      readonly media: Media;
      readonly label: string;
      readonly deviceId: string;
      readonly facing: "user" | "environment";
    }
  | { readonly kind: "refused"; readonly media: Media; readonly fault: DeviceFault }
  | { readonly kind: "released"; readonly media: Media }
  /** The device in use went away; `next` is what is used now. */
  | {
      readonly kind: "unplugged";
      readonly media: Media | "speaker";
      readonly label: string;
      readonly next: string | undefined;
    }
  | { readonly kind: "plugged"; readonly device: "microphone" | "camera" | "speaker"; readonly added: Device }
  | { readonly kind: "silent"; readonly silent: boolean }
  | { readonly kind: "speaking-while-muted" }
  | { readonly kind: "sharing"; readonly on: boolean }
  | { readonly kind: "share-failed"; readonly denied: boolean }
  | { readonly kind: "sound-blocked"; readonly blocked: boolean }
  | { readonly kind: "speaker-tested" }
  | { readonly kind: "links"; readonly links: ReadonlyMap<string, "medium" | "poor"> };

export type MeetingEvent =
  | { readonly from: "session"; readonly event: SessionEvent }
  | { readonly from: "devices"; readonly event: DeviceEvent }
  | { readonly from: "user"; readonly event: UserAction };

// ---------------------------------------------------------------- effects

export type Effect =
  | { readonly kind: "save-preferences"; readonly preferences: Preferences }
  | { readonly kind: "go-to-room"; readonly name: string }
  | { readonly kind: "acquire"; readonly microphone: boolean; readonly camera: boolean }
  | { readonly kind: "microphone"; readonly on: boolean }
  | { readonly kind: "camera"; readonly on: boolean }
  | { readonly kind: "use-device"; readonly device: "microphone" | "camera" | "speaker"; readonly id: string }
  | { readonly kind: "switch-camera" }
  | { readonly kind: "test-speaker" }
  | { readonly kind: "share"; readonly on: boolean }
  | { readonly kind: "resume-sound" }
  | { readonly kind: "join" }
  | { readonly kind: "retry"; readonly password?: string; readonly name?: string }
  | { readonly kind: "login"; readonly user: string; readonly password: string }
  | { readonly kind: "leave" }
  | { readonly kind: "own-presence" }
  | { readonly kind: "hand"; readonly at: number | undefined }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "companion"; readonly on: boolean }
  | { readonly kind: "send-chat"; readonly id: string; readonly body: string; readonly to: string | undefined }
  | { readonly kind: "lobby-chat"; readonly body: string }
  | { readonly kind: "speaking" }
  | { readonly kind: "react"; readonly reaction: string }
  | { readonly kind: "request"; readonly action: UserAction }
  | { readonly kind: "toast-timer"; readonly key: number; readonly ms: number }
  | { readonly kind: "sound"; readonly sound: "join" | "leave" | "hand" | "chat" | "knock" }
  | { readonly kind: "theme"; readonly theme: Preferences["theme"] }
  | { readonly kind: "reaction-timer"; readonly key: number }
  | { readonly kind: "call-ended" };

export type Step = readonly [MeetingState, readonly Effect[]];

// ---------------------------------------------------------------- beginnings

export const DEFAULT_PREFERENCES: Preferences = {
  name: "",
  microphone: undefined,
  camera: undefined,
  speaker: undefined,
  microphoneOn: true,
  cameraOn: true,
  mirror: true,
  view: "tiles",
  theme: "system",
  shortcuts: true,
  sounds: true,
  language: "",
};

export interface Beginning {
  readonly room: MeetingState["room"];
  readonly preferences: Preferences;
  readonly loginUrl?: string | undefined;
  readonly requireName: boolean;
  readonly startMicrophoneMuted: boolean;
  readonly startCameraMuted: boolean;
}

export function initialState(beginning: Beginning): MeetingState {
  const { preferences } = beginning;
  return {
    page: beginning.room.id === "" ? "start" : "prejoin",
    room: beginning.room,
    requireName: beginning.requireName,
    loginUrl: beginning.loginUrl,
    preferences,
    devices: { microphones: [], cameras: [], speakers: [] },
    permission: "unknown",
    local: {
      microphoneOn: preferences.microphoneOn && !beginning.startMicrophoneMuted,
      cameraOn: preferences.cameraOn && !beginning.startCameraMuted,
      sharing: false,
      microphoneFault: undefined,
      cameraFault: undefined,
      microphoneLabel: "",
      cameraLabel: "",
      silent: false,
      facing: "user",
    },
    companion: false,
    joining: "no",
    fault: undefined,
    waitingForHost: false,
    waitingSince: 0,
    lobbyRefused: false,
    ...emptyMeeting(preferences.view),
    chat: [],
    chatTo: undefined,
    unread: 0,
    handAt: undefined,
    drawer: "none",
    toasts: [],
    announcement: undefined,
    dialog: undefined,
    startMuted: { audio: false, video: false },
    components: {},
    audioOnly: false,
    soundBlocked: false,
    joinedAt: 0,
    end: { kind: "left" },
    nextKey: 1,
  };
}

/** What belongs to one stay in one room. */
export const emptyMeeting = (view: View) =>
  ({
    self: { endpoint: "", role: "none", realJid: undefined },
    people: new Map<string, Person>(),
    sources: [],
    forwarded: undefined,
    order: [],
    speaker: undefined,
    speech: NO_SPEECH,
    view,
    viewByShare: false,
    pinned: undefined,
    tilePage: 0,
    network: "fine",
    media: "none",
    channelOpen: false,
    bridgeMissing: false,
    load: "fine",
    recording: false,
    info: { locked: false, lobbyOn: false, createdAt: undefined, isBreakout: false, mainRoom: undefined },
    knockers: [],
    moderation: { on: new Set<ModeratedMedia>(), approved: new Set<ModeratedMedia>(), allowed: new Map() },
    polls: [],
    unseenPolls: 0,
    breakout: [],
    reactions: [],
    links: new Map<string, "medium" | "poor">(),
  }) as const satisfies Partial<MeetingState>;

// ---------------------------------------------------------------- small steps shared by the three updates

export const none = (state: MeetingState): Step => [state, []];
export const text = (id: MessageId, ...args: readonly (string | number)[]): Text => ({ id, args });

const TOAST_QUEUE = 3;

/**
 * Shows a toast, or queues it behind the one that is shown; one of the same kind is replaced, more than three waiting give way (look.md 6). Its
 * time starts when it is shown.
 */
export function withToast(step: Step, toast: Omit<Toast, "key">): Step {
  const [state, effects] = step;
  const key = state.nextKey;
  const kept = state.toasts.filter((each) => each.kind !== toast.kind).slice(0, TOAST_QUEUE);
  const toasts = [...kept, { ...toast, key }];
  return [{ ...state, nextKey: key + 1, toasts, announcement: toast.text }, effects];
}

export const say = (step: Step, announcement: Text): Step => [{ ...step[0], announcement }, step[1]];

const CHAT_LIMIT = 1000;

export function withChatLine(
  state: MeetingState,
  line: Omit<ChatLine, "key"> & { readonly key?: string },
): MeetingState {
  const key = line.key ?? `line-${state.nextKey}`;
  return {
    ...state,
    nextKey: state.nextKey + 1,
    chat: [...state.chat.slice(-(CHAT_LIMIT - 1)), { ...line, key }],
  };
}

/** Hands in the order of raising: endpoint → number from 1 (W51). Our own included. */
export function handNumbers(state: MeetingState): ReadonlyMap<string, number> {
  const hands = [...state.people.values()].flatMap((person) =>
    person.handAt === undefined ? [] : [[person.endpoint, person.handAt] as const],
  );
  if (state.handAt !== undefined) hands.push([state.self.endpoint, state.handAt]);
  return new Map(hands.toSorted((a, b) => a[1] - b[1]).map(([endpoint], i) => [endpoint, i + 1] as const));
}

export const isModerator = (state: MeetingState): boolean => state.self.role === "moderator";

export const nameOf = (state: MeetingState, endpoint: string): string =>
  endpoint === state.self.endpoint ? state.preferences.name : (state.people.get(endpoint)?.name ?? "");

/** Whether we may switch this on: free, or allowed by a moderator, or being one. */
export const mayUnmute = (state: MeetingState, media: ModeratedMedia): boolean =>
  !state.moderation.on.has(media) || isModerator(state) || state.moderation.approved.has(media);
