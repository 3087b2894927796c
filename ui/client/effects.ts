/**
 * Shell: performs what the state asks for. No decisions on meetings here: those are in the updates.
 */
import type { Conference, OwnState } from "../session/conference.ts";
import type { LocalMedia } from "./media.ts";
import { savePreferences } from "./preferences.ts";
import { playSound, playTestTone } from "./sounds.ts";
import type { Effect, MeetingEvent, MeetingState, UserAction } from "./state.ts";
import type { Store } from "./store.ts";

export interface Performer {
  readonly store: Store;
  readonly media: LocalMedia;
  conference: Conference | undefined;
  readonly handle: (event: MeetingEvent) => void;
  readonly newConference: () => Conference;
  /** Lasting id of this browser. */
  readonly machine: string;
  stayedMs?: number;
  wakeLock?: WakeLockSentinel;
}

const REACTION_MS = 3000;

export function performEffect(effect: Effect, to: Performer): void {
  const { store, media, conference } = to;
  const state = store.peek();
  switch (effect.kind) {
    case "save-preferences":
      savePreferences(effect.preferences);
      return;
    case "go-to-room":
      location.assign(`/${encodeURIComponent(effect.name)}`);
      return;
    case "acquire":
      void media.acquire(effect.microphone, effect.camera);
      return;
    case "microphone":
      void media.setMicrophone(effect.on);
      return;
    case "camera":
      void media.setCamera(effect.on);
      return;
    case "use-device":
      void media.use(effect.device, effect.id);
      return;
    case "switch-camera":
      void media.switchCamera();
      return;
    case "test-speaker":
      void playTestTone(media.speaker).then(() => to.handle({ from: "devices", event: { kind: "speaker-tested" } }));
      return;
    case "share":
      void media.share(effect.on);
      return;
    case "resume-sound":
      return;
    case "join":
      join(to, state);
      return;
    case "retry":
      conference?.retry({
        ...(effect.password !== undefined ? { password: effect.password } : {}),
        name: state.preferences.name.trim(),
      });
      return;
    case "login":
      conference?.login(effect.user, effect.password);
      return;
    case "leave":
      conference?.leave();
      to.conference = undefined;
      return;
    case "own-presence":
      conference?.setOwn(ownOf(state));
      return;
    case "hand":
      conference?.setHand(effect.at);
      return;
    case "name":
      conference?.setName(effect.name);
      return;
    case "companion":
      conference?.setCompanion(effect.on);
      return;
    case "send-chat":
      conference?.sendChat(effect.id, effect.body, effect.to);
      return;
    case "lobby-chat":
      conference?.lobby.chat(effect.body, undefined);
      return;
    case "speaking":
      conference?.saySpeaking();
      return;
    case "react":
      conference?.media.sendEndpointMessage("", {
        name: "endpoint-reaction",
        reactions: [effect.reaction],
        timestamp: Date.now(),
      });
      return;
    case "request":
      if (conference !== undefined) request(conference, effect.action, state);
      return;
    case "toast-timer":
      setTimeout(() => to.handle({ from: "user", event: { kind: "close-toast", key: effect.key } }), effect.ms);
      return;
    case "sound":
      playSound(effect.sound, media.speaker);
      return;
    case "theme":
      if (effect.theme === "system") delete document.documentElement.dataset["theme"];
      else document.documentElement.dataset["theme"] = effect.theme;
      return;
    case "reaction-timer":
      setTimeout(() => to.handle({ from: "user", event: { kind: "reaction-over", key: effect.key } }), REACTION_MS);
      return;
    case "call-ended":
      to.stayedMs = state.joinedAt === 0 ? 0 : Date.now() - state.joinedAt;
      to.conference = undefined;
      media.stop();
      void to.wakeLock?.release().catch(() => undefined);
      return;
  }
}

function join(to: Performer, state: MeetingState): void {
  to.conference?.leave();
  const conference = to.newConference();
  to.conference = conference;
  const { media } = to;
  for (const kind of ["microphone", "camera"] as const) {
    const track = kind === "microphone" ? media.microphone : media.camera;
    if (track !== undefined && !state.companion) void conference.media.setTrack(kind, track);
  }
  void conference.join(
    { name: state.preferences.name.trim(), password: undefined, companion: state.companion, machine: to.machine },
    ownOf(state),
  );
  void keepAwake(to);
}

const ownOf = (state: MeetingState): OwnState => ({
  microphoneMuted: !state.local.microphoneOn,
  cameraMuted: !state.local.cameraOn,
  sharing: state.local.sharing,
});

/** The screen stays on during a call (W65); browsers without that go without. */
async function keepAwake(to: Performer): Promise<void> {
  try {
    const lock = await navigator.wakeLock?.request("screen");
    if (lock !== undefined) to.wakeLock = lock;
  } catch {
    // Refused on low battery or in a hidden page: nothing to be done.
  }
}

function request(conference: Conference, action: UserAction, state: MeetingState): void {
  const { requests, lobby } = conference;
  switch (action.kind) {
    case "mute-person":
      requests.mute(action.endpoint, action.media);
      return;
    case "mute-all":
      if (action.forbid) requests.setModeration(action.media, true);
      else requests.muteEverybody(action.media);
      return;
    case "kick":
      requests.kick(action.endpoint, "");
      return;
    case "grant":
      requests.grantModerator(action.endpoint);
      return;
    case "allow":
      requests.approve(action.endpoint, action.media, action.on);
      return;
    case "moderate":
      requests.setModeration(action.media, action.on);
      return;
    case "set-start-muted":
      requests.setStartMuted(action.audio, action.video);
      return;
    case "set-password":
      void requests.setPassword(action.password, state.info.lobbyOn);
      return;
    case "set-lobby":
      void requests.setLobby(action.on, state.info.locked);
      return;
    case "set-subject":
      requests.setSubject(action.subject);
      return;
    case "admit":
      lobby.admit(action.nicks);
      return;
    case "deny":
      lobby.deny(action.nick);
      return;
    case "new-poll":
      requests.createPoll(`${state.self.endpoint}-${Date.now().toString(36)}`, action.question, action.answers);
      return;
    case "vote":
      requests.votePoll(action.poll, action.answers);
      return;
    case "breakout-add":
      requests.breakout("add", { subject: action.name });
      return;
    case "breakout-remove":
      requests.breakout("remove", { breakoutRoomJid: action.jid });
      return;
    case "breakout-rename":
      requests.breakout("rename", { breakoutRoomJid: action.jid, subject: action.name });
      return;
    case "breakout-move":
      requests.breakout("move-to-room", { participantJid: action.realJid, roomJid: action.jid });
      return;
    case "breakout-enter":
      conference.moveTo(action.jid);
      return;
    case "end-for-all":
      requests.endForAll();
      return;
    default:
      return;
  }
}
