/**
 * Shell: the page with invented people instead of a meeting, for screenshots and for looking at single states: `?show=tiles&people=9`. Built
 * only by tests (`buildUi(folder, { entry })`); never part of what the gateway serves.
 */
import { render } from "preact";
import { epochMillis } from "../session/time.ts";
import { App } from "./components/app.tsx";
import { DEFAULT_PREFERENCES, type Dialog, initialState, type MeetingState, type Person } from "./state.ts";
import { Store } from "./store.ts";
import { update } from "./update.ts";

const NAMES = [
  "Amira Nasser",
  "Jonas Keller",
  "Mei Lin",
  "Ade Bankole",
  "Priya Shah",
  "Tom Whitfield",
  "Sofia Marin",
  "Ravi Kumar",
  "Lena Vogt",
  "Óscar Peña",
  "Noor de Vries",
  "Kofi Mensah",
];
const query = new URLSearchParams(location.search);
const show = query.get("show") ?? "tiles";
const count = Number(query.get("people") ?? "9");
const pictures = new Map<string, MediaStreamTrack>();

/** A still life per person: a head and shoulders on a calm ground, like the mock pages. */
function picture(name: string, n: number): MediaStreamTrack | undefined {
  const known = pictures.get(name);
  if (known !== undefined) return known;
  const canvas = document.createElement("canvas");
  canvas.width = 640;
  canvas.height = 360;
  const pen = canvas.getContext("2d");
  if (pen === null) return undefined;
  const grounds = ["#b9ab98", "#cfd8d6", "#a8b8b0", "#c4b7ab", "#9fb3bd", "#b5aa98"];
  const clothes = ["#4d3a4a", "#2f4a5c", "#c9c2b4", "#c07a3d", "#2d6a6e", "#5b6428"];
  const draw = (): void => {
    pen.fillStyle = grounds[n % 6] ?? "#a8b8b0";
    pen.fillRect(0, 0, 640, 360);
    pen.fillStyle = clothes[n % 6] ?? "#2d6a6e";
    pen.beginPath();
    pen.ellipse(320, 380, 170, 150, 0, 0, 7);
    pen.fill();
    pen.fillStyle = ["#e3ab80", "#f6d7c0", "#523221", "#b97f57"][n % 4] ?? "#e3ab80";
    pen.beginPath();
    pen.ellipse(320, 165, 66, 84, 0, 0, 7);
    pen.fill();
  };
  draw();
  setInterval(draw, 200);
  const track = canvas.captureStream(5).getVideoTracks()[0];
  if (track !== undefined) pictures.set(name, track);
  return track;
}

function screenPicture(): MediaStreamTrack | undefined {
  const known = pictures.get("screen");
  if (known !== undefined) return known;
  const canvas = document.createElement("canvas");
  canvas.width = 1280;
  canvas.height = 720;
  const pen = canvas.getContext("2d");
  if (pen === null) return undefined;
  const draw = (): void => {
    pen.fillStyle = "#fbfaf7";
    pen.fillRect(0, 0, 1280, 720);
    pen.fillStyle = "#1d2521";
    pen.font = "700 40px sans-serif";
    pen.fillText("Moving to floor 2: what changes in December", 80, 110);
    pen.fillStyle = "#9fcdb6";
    for (let i = 0; i < 6; i += 1) pen.fillRect(80 + (i % 3) * 180, 180 + Math.floor(i / 3) * 120, 150, 90);
  };
  draw();
  setInterval(draw, 200);
  const track = canvas.captureStream(5).getVideoTracks()[0];
  if (track !== undefined) pictures.set("screen", track);
  return track;
}

const endpointOf = (i: number): string => (0x10000000 + i * 7919).toString(16);

function meeting(): MeetingState {
  const beginning = initialState({
    room: { id: "weekly-planning", title: "Weekly planning", subject: "", appName: "Harbour Office box" },
    preferences: { ...DEFAULT_PREFERENCES, name: "Alex Berg", microphone: "m1", camera: "c1" },
    requireName: false,
    startMicrophoneMuted: false,
    startCameraMuted: false,
  });
  const now = Date.now();
  const people = new Map<string, Person>();
  for (let i = 0; i < count - 1; i += 1) {
    const endpoint = endpointOf(i);
    people.set(endpoint, {
      endpoint,
      name: NAMES[i % NAMES.length] ?? "",
      role: i === 0 ? "moderator" : "participant",
      microphoneMuted: i % 3 === 2,
      cameraMuted: i % 5 === 4,
      handAt: i === 2 ? now - 9000 : i === 7 ? now - 4000 : undefined,
      companion: i === 7,
      lost: i === 6,
      realJid: `${endpoint}@meet.jitsi/x`,
      heardAt: i === 1 ? now : 0,
    });
  }
  const sharing = show === "share";
  const sources = [...people.keys()].flatMap((owner, i) => [
    { name: `${owner}-a0`, owner, kind: "audio" as const, videoType: "camera" as const },
    { name: `${owner}-v0`, owner, kind: "video" as const, videoType: "camera" as const },
    ...(sharing && i === 0
      ? [{ name: `${owner}-v1`, owner, kind: "video" as const, videoType: "desktop" as const }]
      : []),
  ]);
  const line = (i: number, body: string, minutes: number, extra: object = {}) => ({
    key: `l${i}-${minutes}`,
    kind: "message" as const,
    from: endpointOf(i),
    name: NAMES[i] ?? "",
    body,
    mine: false,
    privateWith: undefined,
    at: now - minutes * 60_000,
    failed: false,
    ...extra,
  });
  return {
    ...beginning,
    page: "meeting",
    devices: {
      microphones: [{ id: "m1", label: "Jabra Speak 510" }],
      cameras: [{ id: "c1", label: "Built-in camera" }],
      speakers: [],
    },
    local: {
      ...beginning.local,
      microphoneOn: false,
      microphoneLabel: "Jabra Speak 510",
      cameraLabel: "Built-in camera",
    },
    self: { endpoint: "self0001", role: "moderator", realJid: undefined },
    people,
    order: [...people.keys(), "self0001"],
    sources,
    forwarded: new Set(sources.map((each) => each.name)),
    speaker: endpointOf(1),
    view: sharing || show === "speaker" ? "speaker" : "tiles",
    joinedAt: now - 2_892_000,
    recording: show !== "alone",
    unread: 3,
    media: "connected",
    channelOpen: true,
    components: {
      polls: "polls",
      breakoutRooms: "breakout",
      lobby: "lobby",
      avModeration: "av",
      endConference: "end",
      roomMetadata: "metadata",
    },
    speech: {
      spoken: new Map(
        [1, 0, 3, 2].map((i, n) => [
          endpointOf(i),
          { name: NAMES[i] ?? "", ms: [1_260_000, 754_000, 92_000, 8_000][n] ?? 0 },
        ]),
      ),
      speaker: endpointOf(1),
      since: epochMillis(now),
    },
    chat: [
      line(2, "The plan for the second floor is draft 4, from this morning.", 30),
      line(3, "Can we keep the door display for the workshop? https://box.local/door", 27),
      line(0, "Yes. It shows the next three bookings.", 27, { mine: true, from: "self0001", name: "Alex Berg" }),
      { ...line(0, "event.joined", 20), kind: "event" as const, name: "Sofia Marin" },
      line(6, "My train has a tunnel coming. If I freeze, go on.", 19),
      line(1, "Will you take the vote, or shall I?", 17, { privateWith: "Jonas Keller" }),
    ],
    knockers:
      show === "people" || show === "knock"
        ? [
            { nick: "k1", name: "Paula Ortiz", realJid: "p@x/y" },
            { nick: "k2", name: "Dieter Frank", realJid: "d@x/y" },
          ]
        : [],
    polls: [
      {
        id: "p1",
        senderId: endpointOf(0),
        senderName: "Amira Nasser",
        question: "Who keeps a fixed desk?",
        answers: [
          {
            name: "Everybody who wants one",
            voters: new Map([
              ["self0001", "Alex"],
              [endpointOf(1), "Jonas"],
            ]),
          },
          { name: "Nobody", voters: new Map([[endpointOf(2), "Mei"]]) },
        ],
      },
    ],
    breakout: [
      {
        id: "m",
        jid: "m@x",
        name: "",
        isMain: true,
        people: [{ realJid: "a", name: "Alex Berg", endpoint: "self0001" }],
      },
      {
        id: "g",
        jid: "g@x",
        name: "Group 1",
        isMain: false,
        people: [{ realJid: "b", name: "Mei Lin", endpoint: endpointOf(2) }],
      },
    ],
  };
}

const dialogs: Readonly<Record<string, Dialog>> = {
  password: { kind: "password", wrong: true },
  settings: { kind: "settings" },
  security: { kind: "security" },
  leave: { kind: "leave" },
  shortcuts: { kind: "shortcuts" },
  "mute-all": { kind: "mute-all" },
  poll: { kind: "poll" },
  "rename-room": { kind: "rename-room", jid: "g@x" },
  "speaking-time": { kind: "speaking-time" },
};

function chosen(): MeetingState {
  const state = meeting();
  const dialog = dialogs[show];
  if (dialog !== undefined) return { ...state, dialog };
  switch (show) {
    case "prejoin":
      return { ...state, page: "prejoin", local: { ...state.local, microphoneOn: true } };
    case "faults":
      return {
        ...state,
        page: "prejoin",
        fault: { kind: "refused", refusal: { kind: "full" } },
        local: { ...state.local, cameraOn: false, cameraFault: "denied", microphoneFault: "missing" },
      };
    case "lobby":
      return { ...state, page: "prejoin", joining: "lobby", waitingSince: Date.now() - 84_000, chat: [] };
    case "end":
      return { ...state, page: "end" };
    case "start":
      return { ...state, page: "start" };
    case "chat":
    case "people":
    case "polls":
    case "rooms":
      return { ...state, drawer: show };
    case "reconnecting":
      return { ...state, network: "stream-lost" };
    case "toast":
      return {
        ...state,
        handAt: Date.now(),
        toasts: [
          {
            key: 1,
            kind: "muted-hint",
            icon: "mic-off",
            text: { id: "toast.you-are-muted", args: [] },
            action: {
              label: { id: "action.unmute", args: [] },
              event: { kind: "toggle", media: "microphone", on: true },
            },
          },
        ],
      };
    case "alone":
      return { ...state, people: new Map(), order: ["self0001"], sources: [] };
    default:
      return state;
  }
}

const store = new Store(
  chosen(),
  {
    track: (name) => {
      const owner = name.split("-")[0] ?? "";
      return name.endsWith("-v1") ? screenPicture() : picture(owner, [...store.peek().people.keys()].indexOf(owner));
    },
    ownTrack: (media) => (media === "camera" ? picture("self", 4) : undefined),
    watchLevel: (watcher) => {
      watcher(0.6);
      return () => undefined;
    },
    speaker: () => undefined,
    soundBlocked: () => undefined,
  },
  (event) => store.set(update(store.peek(), { from: "user", event }, epochMillis(Date.now()))[0]),
  [query.get("language") ?? "en"],
);
if (query.get("dir") === "rtl") document.documentElement.dir = "rtl";
const root = document.getElementById("app");
if (root !== null) render(<App store={store} stayedMs={() => 2_892_000} />, root);
