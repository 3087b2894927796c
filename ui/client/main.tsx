/**
 * Shell: the meeting page's entry. Reads settings and preferences, runs the one loop of events and effects, and wires browser, conference and
 * components together.
 */
import { render } from "preact";
import { chooseLanguage, LANGUAGES, message } from "../messages/messages.ts";
import { Conference } from "../session/conference.ts";
import { sourceNames } from "../session/own-sources.ts";
import { readSettings } from "../session/settings.ts";
import { epochMillis } from "../session/time.ts";
import { App } from "./components/app.tsx";
import { exposeForSupport } from "./debug.ts";
import { type Performer, performEffect } from "./effects.ts";
import { KeyboardListener } from "./keyboard.ts";
import { SpeechLevels } from "./levels.ts";
import { LinkWatch } from "./link-watch.ts";
import { LocalMedia } from "./media.ts";
import { loadPreferences, machineId } from "./preferences.ts";
import { Seen } from "./seen.ts";
import { initialState, type MeetingEvent } from "./state.ts";
import { Store } from "./store.ts";
import { update } from "./update.ts";

const settings = readSettings((globalThis as { config?: unknown }).config, location);
const preferences = loadPreferences(settings.displayName);
const texts = LANGUAGES[chooseLanguage(preferences.language, navigator.languages)]?.messages;

const beginning = initialState({
  room: {
    id: settings.room ?? "",
    title: settings.roomTitle,
    subject: settings.subject ?? "",
    appName: settings.appName ?? "",
  },
  preferences,
  requireName: settings.requireDisplayName,
  loginUrl: settings.loginUrl,
  startMicrophoneMuted: settings.startWithAudioMuted,
  startCameraMuted: settings.startWithVideoMuted,
});

const queue: MeetingEvent[] = [];
let running = false;

/** One event, all its effects, then the next (style 3.1). */
function handle(event: MeetingEvent): void {
  queue.push(event);
  if (running) return;
  running = true;
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const before = store.peek();
    const [state, effects] = update(before, next, epochMillis(Date.now()));
    store.set(state);
    if (next.from === "session" && (next.event.kind === "sources" || next.event.kind === "joined"))
      store.tracks.value += 1;
    for (const effect of effects) performEffect(effect, performer);
    seen.changed();
  }
  running = false;
}

const media = new LocalMedia(preferences, settings.cameraHeight, {
  event: (event) => handle({ from: "devices", event }),
  track: (kind, track) => {
    store.tracks.value += 1;
    void performer.conference?.media.setTrack(kind, track);
  },
  unnamed: (kind, n) =>
    texts === undefined
      ? `${n}`
      : `${message(texts, kind === "audioinput" ? "prejoin.microphone" : kind === "videoinput" ? "prejoin.camera" : "prejoin.speaker")} ${n}`,
});

const store = new Store(
  beginning,
  {
    track: (name) => performer.conference?.media.session?.track(name),
    ownTrack: (kind) => (kind === "camera" ? media.camera : kind === "screen" ? media.screen : media.microphone),
    watchLevel: (watcher) => media.meter.watch(watcher),
    speaker: () => media.speaker,
    soundBlocked: () => {
      if (!store.peek().soundBlocked) handle({ from: "devices", event: { kind: "sound-blocked", blocked: true } });
    },
  },
  (event) => handle({ from: "user", event }),
  navigator.languages,
);

const performer: Performer = {
  store,
  media,
  conference: undefined,
  handle,
  newConference: () => new Conference(settings, (event) => handle({ from: "session", event })),
  machine: machineId(),
};

const seen = new Seen(store, () => performer.conference?.media);
new SpeechLevels(
  () => performer.conference?.media.session,
  media.meter,
  () => sourceNames(store.peek().self.endpoint).microphone,
).start();
new LinkWatch(
  () => performer.conference?.media.session,
  () => store.peek().self.endpoint,
  (links) => handle({ from: "devices", event: { kind: "links", links } }),
).start();
new KeyboardListener(store).start();
exposeForSupport(performer);

document.documentElement.dataset["theme"] = preferences.theme === "system" ? undefined : preferences.theme;
if (preferences.theme === "system") delete document.documentElement.dataset["theme"];

const root = document.getElementById("app");
if (root === null) throw new Error("the page has no #app");
render(<App store={store} stayedMs={() => performer.stayedMs ?? 0} />, root);

if (beginning.page === "prejoin") {
  void media.refresh();
  void media.acquire(beginning.local.microphoneOn, beginning.local.cameraOn);
}

addEventListener("pagehide", () => {
  performer.conference?.unload();
});
addEventListener("visibilitychange", () => seen.changed());
