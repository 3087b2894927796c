/** How the page changes by what the meeting tells. */
import type { Poll, PollNews } from "../session/components.ts";
import type { Occupant } from "../session/room.ts";
import type { SessionEvent } from "../session/session-events.ts";
import type { EpochMillis } from "../session/time.ts";
import { faultText } from "./fault-text.ts";
import { counted, speaks } from "./speech.ts";
import {
  type Effect,
  emptyMeeting,
  isModerator,
  type Load,
  type MeetingState,
  nameOf,
  none,
  type Person,
  type Step,
  say,
  text,
  withChatLine,
  withToast,
} from "./state.ts";
import { showReaction } from "./state-actions.ts";

/** More people than this inside: joining makes no sound (W14). */
const QUIET_ABOVE = 12;
/** More people than this inside: a newcomer starts muted (W14). */
const MUTED_ABOVE = 8;

export function updateSession(state: MeetingState, event: SessionEvent, now: EpochMillis): Step {
  switch (event.kind) {
    case "stream":
      return stream(state, event.state);
    case "waiting-for-focus":
      return none({ ...state, joining: state.page === "meeting" ? state.joining : event.full ? "full" : "focus" });
    case "fault":
      return fault(state, event.fault);
    case "joined":
      return joined(state, event, now);
    case "self": {
      const was = state.self.role;
      const next = { ...state, self: { ...state.self, role: event.self.role, realJid: event.self.realJid } };
      return was !== "moderator" && event.self.role === "moderator" && state.page === "meeting" && state.people.size > 0
        ? withToast(none(next), { kind: "role", icon: "crown", text: text("toast.you-moderate"), action: undefined })
        : none(next);
    }
    case "permissions":
      return none(state);
    case "occupant":
      return occupant(state, event.occupant, event.isNew, now);
    case "left":
      return left(state, event.endpoint, event.reason, now);
    case "ended":
      return ended(state, event);
    case "media":
      return media(state, event.state);
    case "sources":
      return sources(state, event.sources);
    case "channel":
      return none({ ...state, channelOpen: event.open, forwarded: event.open ? state.forwarded : undefined });
    case "dominant":
      return dominant(state, event.endpoint, event.silence, now);
    case "spoken":
      return none({ ...state, speech: counted(state.speech, event.times) });
    case "forwarded":
      return none({ ...state, forwarded: new Set(event.sources) });
    case "connectivity":
      return none(changePerson(state, event.endpoint, { lost: !event.active }));
    case "wanted":
      return none(state);
    case "muted-by":
      return mutedBy(state, event);
    case "start-muted":
      return startMuted(state, event);
    case "send-refused":
      return sendRefused(state, event.media);
    case "chat":
      return chat(state, event.message, now);
    case "chat-refused":
      return none({
        ...state,
        chat: state.chat.map((line) => (line.key === event.id ? { ...line, failed: true } : line)),
      });
    case "subject":
      return none({ ...state, room: { ...state.room, subject: event.subject } });
    case "room-info":
      return none({
        ...state,
        info: {
          locked: event.info.locked,
          lobbyOn: event.info.membersOnly,
          createdAt: event.info.createdAt,
          isBreakout: event.info.isBreakout,
          mainRoom: event.info.mainRoom,
        },
        knockers: event.info.membersOnly ? state.knockers : [],
      });
    case "focus": {
      const { bridgeMissing, recording, properties } = event;
      const next = { ...state, bridgeMissing, recording, load: loadOf(properties) };
      return event.recording && !state.recording ? say(none(next), text("said.recording")) : none(next);
    }
    case "focus-left":
      return none(state);
    case "components":
      return none({ ...state, components: event.components });
    case "metadata":
      return none({
        ...state,
        startMuted: event.metadata.startMuted,
        info: { ...state.info, lobbyOn: event.metadata.lobbyEnabled ?? state.info.lobbyOn },
      });
    case "moderation":
      return moderation(state, event.news);
    case "lobby":
      if (event.news.event === "LOBBY-ENABLED")
        return say(none(state), text(event.news.on ? "said.lobby-on" : "said.lobby-off"));
      return none(state);
    case "knocker": {
      if (state.knockers.some((each) => each.nick === event.nick)) return none(state);
      const knocker = { nick: event.nick, name: event.name, realJid: event.realJid };
      return say(
        [{ ...state, knockers: [...state.knockers, knocker].slice(0, 200) }, sound(state, "knock")],
        text("said.knocks", event.name),
      );
    }
    case "knocker-gone":
      return none({ ...state, knockers: state.knockers.filter((each) => each.nick !== event.nick) });
    case "waiting-in-lobby":
      return say(
        none({
          ...state,
          joining: "lobby",
          waitingForHost: event.waitingForHost,
          waitingSince: now,
          lobbyRefused: false,
          chat: [],
        }),
        text("lobby.waiting"),
      );
    case "lobby-refused":
      return say(none({ ...state, joining: "no", lobbyRefused: true }), text("lobby.refused"));
    case "lobby-chat":
      return none(
        withChatLine(state, {
          kind: "message",
          from: event.message.from,
          name: state.knockers.find((each) => each.nick === event.message.from)?.name ?? "",
          body: event.message.body,
          mine: false,
          privateWith: undefined,
          at: now,
          failed: false,
        }),
      );
    case "breakout":
      return none({ ...state, breakout: event.rooms });
    case "moved":
      return none({
        ...state,
        ...emptyMeeting(state.view),
        breakout: state.breakout,
        components: state.components,
        network: "moving",
        handAt: undefined,
        chat: [],
      });
    case "polls":
      return polls(state, event.news);
    case "reaction":
      return event.reactions
        .slice(0, 3)
        .reduce<Step>((step, each) => showReaction(step, event.from, each), none(state));
    case "request-refused":
      return withToast(none(state), {
        kind: `refused-${event.what}`,
        icon: "triangle-alert",
        text: text(`refused.${event.what}`),
        action: undefined,
      });
  }
}

/** A new screen takes the stage; when the last one ends, the tiles come back (W18). */
function sources(state: MeetingState, now: MeetingState["sources"]): Step {
  const screens = now.filter((each) => each.videoType === "desktop");
  const isNew = screens.some((each) => !state.sources.some((old) => old.name === each.name));
  const next = { ...state, sources: now };
  if (isNew && state.view === "tiles") return none({ ...next, view: "speaker", viewByShare: true });
  if (screens.length === 0 && state.viewByShare) return none({ ...next, view: "tiles", viewByShare: false });
  return none(next);
}

const sound = (state: MeetingState, which: "join" | "leave" | "hand" | "chat" | "knock"): readonly Effect[] =>
  state.preferences.sounds ? [{ kind: "sound", sound: which }] : [];

function stream(state: MeetingState, change: "connected" | "resumed" | "lost" | "new-session"): Step {
  if (state.page !== "meeting") return none({ ...state, fault: change === "lost" ? state.fault : undefined });
  switch (change) {
    case "lost":
      return say(none({ ...state, network: "stream-lost" }), text("network.stream-lost"));
    case "new-session":
      return say(none({ ...state, network: "new-session" }), text("network.new-session"));
    case "resumed":
      return backAgain({ ...state, network: state.media === "interrupted" ? "media-lost" : "fine" });
    case "connected":
      return none(state);
  }
}

const backAgain = (state: MeetingState): Step =>
  withToast(none(state), { kind: "back", icon: "wifi", text: text("network.back"), action: undefined });

function fault(state: MeetingState, which: MeetingState["fault"]): Step {
  if (which === undefined) return none(state);
  const dialogOf = (): MeetingState["dialog"] => {
    if (which.kind === "refused" && which.refusal.kind === "password")
      return { kind: "password", wrong: state.dialog === undefined && state.fault?.kind === "refused" };
    if (which.kind === "credentials" || which.kind === "login-elsewhere" || which.kind === "login-required")
      return { kind: "login", wrong: state.fault?.kind === "credentials" };
    return state.dialog;
  };
  const dialog = dialogOf();
  // Inside the meeting the stream goes on trying; only what needs an answer is shown.
  if (state.page === "meeting" && which.kind === "unreachable") return none(state);
  const waits = which.kind === "unreachable";
  return say(none({ ...state, fault: which, dialog, joining: waits ? state.joining : "no" }), faultText(which));
}

function joined(state: MeetingState, event: Extract<SessionEvent, { kind: "joined" }>, now: EpochMillis): Step {
  const again = state.page === "meeting";
  const next: MeetingState = {
    ...state,
    ...emptyMeeting(state.view),
    breakout: state.breakout,
    speech: state.speech, // what the server counted may be told before the room lets us in
    info: again ? state.info : emptyMeeting(state.view).info,
    media: "none",
    page: "meeting",
    joining: "no",
    fault: undefined,
    dialog: again ? state.dialog : undefined,
    chat: again ? state.chat : [],
    unread: again ? state.unread : 0,
    self: { endpoint: event.self.endpoint, role: event.self.role, realJid: event.self.realJid },
    order: [event.self.endpoint],
    joinedAt: again ? state.joinedAt : now,
  };
  const effects: Effect[] = [{ kind: "own-presence" }];
  if (state.handAt !== undefined) effects.push({ kind: "hand", at: state.handAt });
  if (!again) return say([next, effects], text("said.joined", state.room.title));
  return state.network === "fine" || state.network === "moving" ? [next, effects] : merge(backAgain(next), effects);
}

const merge = (step: Step, effects: readonly Effect[]): Step => [step[0], [...effects, ...step[1]]];

function personOf(found: Occupant, before: Person | undefined): Person {
  const muted = (name: string): boolean => found.sources.get(`${found.endpoint}-${name}`)?.muted ?? true;
  return {
    endpoint: found.endpoint,
    name: found.name ?? "",
    role: found.role,
    microphoneMuted: muted("a0"),
    cameraMuted: muted("v0"),
    handAt: found.handAt,
    companion: found.companion,
    lost: before?.lost ?? false,
    realJid: found.realJid,
    heardAt: before?.heardAt ?? 0,
  };
}

function occupant(state: MeetingState, found: Occupant, isNew: boolean, now: EpochMillis): Step {
  if (found.hidden) return none(state);
  const before = state.people.get(found.endpoint);
  const person = personOf(found, before);
  const people = new Map(state.people).set(found.endpoint, person);
  const next: MeetingState = {
    ...state,
    people,
    order: state.order.includes(found.endpoint) ? state.order : [...state.order, found.endpoint],
  };
  const settled = now - state.joinedAt > 2000;
  if (before === undefined && isNew && settled) {
    const line = withChatLine(next, eventLine(text("event.joined").id, person.name, now));
    return say([line, people.size < QUIET_ABOVE ? sound(state, "join") : []], text("said.person-joined", person.name));
  }
  if (before === undefined && !settled && people.size > MUTED_ABOVE && state.people.size <= MUTED_ABOVE)
    return startMuted(next, { audio: true, video: false });
  if (before !== undefined && before.handAt === undefined && person.handAt !== undefined)
    return withToast([next, sound(state, "hand")], {
      kind: "hand",
      icon: "hand",
      text: text("toast.hand", person.name),
      action: undefined,
    });
  return none(next);
}

const eventLine = (body: string, name: string, at: number) =>
  ({ kind: "event", from: "", name, body, mine: false, privateWith: undefined, at, failed: false }) as const;

function left(
  state: MeetingState,
  endpoint: string,
  reason: "left" | "kicked" | "banned" | "moved",
  now: EpochMillis,
): Step {
  const person = state.people.get(endpoint);
  if (person === undefined) return none(state);
  const people = new Map(state.people);
  people.delete(endpoint);
  const gone = (tile: string | undefined): boolean => tile === endpoint || tile === `${endpoint}:screen`;
  const next: MeetingState = {
    ...state,
    people,
    order: state.order.filter((each) => each !== endpoint),
    sources: state.sources.filter((each) => each.owner !== endpoint),
    pinned: gone(state.pinned) ? undefined : state.pinned,
    speaker: state.speaker === endpoint ? undefined : state.speaker,
    chatTo: state.chatTo === endpoint ? undefined : state.chatTo,
  };
  const id = reason === "kicked" || reason === "banned" ? "event.removed" : "event.left";
  return say(
    [withChatLine(next, eventLine(id, person.name, now)), people.size < QUIET_ABOVE ? sound(state, "leave") : []],
    text(reason === "kicked" || reason === "banned" ? "said.person-removed" : "said.person-left", person.name),
  );
}

function ended(state: MeetingState, event: Extract<SessionEvent, { kind: "ended" }>): Step {
  const effects: Effect[] = [{ kind: "call-ended" }];
  // Cancelling before one was inside leads back to the first page, not to an end.
  if (event.reason === "left" && state.page !== "meeting") return [{ ...state, joining: "no" }, []];
  const end: MeetingState["end"] =
    event.reason === "kicked"
      ? { kind: "kicked", actor: event.actor }
      : { kind: event.reason === "conflict" ? "replaced" : event.reason };
  return say(
    [
      {
        ...state,
        page: "end",
        end,
        joining: "no",
        dialog: undefined,
        toasts: [],
        drawer: "none",
        network: "fine",
        handAt: undefined,
      },
      effects,
    ],
    text(`end.${end.kind}.title`, state.room.title),
  );
}

function media(state: MeetingState, change: MeetingState["media"]): Step {
  const next: MeetingState = { ...state, media: change };
  if (state.network === "stream-lost" || state.network === "new-session" || state.network === "moving")
    return none(next);
  if (change === "interrupted" || change === "failed")
    return say(none({ ...next, network: "media-lost" }), text("network.media-lost"));
  if (change === "connected" && state.network === "media-lost") return backAgain({ ...next, network: "fine" });
  if (change === "none" && state.network === "media-lost") return none(next);
  return none(next);
}

function dominant(state: MeetingState, endpoint: string, silence: boolean, now: EpochMillis): Step {
  const speech = speaks(state.speech, silence ? undefined : endpoint, nameOf(state, endpoint), now);
  const next = changePerson({ ...state, speaker: endpoint, speech }, endpoint, { heardAt: now });
  return [next, endpoint === state.self.endpoint ? [{ kind: "speaking" }] : []];
}

function changePerson(state: MeetingState, endpoint: string, change: Partial<Person>): MeetingState {
  const person = state.people.get(endpoint);
  if (person === undefined) return state;
  return { ...state, people: new Map(state.people).set(endpoint, { ...person, ...change }) };
}

function mutedBy(state: MeetingState, event: Extract<SessionEvent, { kind: "muted-by" }>): Step {
  const actor = event.actor === undefined ? "" : nameOf(state, event.actor);
  if (event.media === "desktop") {
    if (!state.local.sharing) return none(state);
    return withToast([state, [{ kind: "share", on: false }]], {
      kind: "muted-by",
      icon: "monitor-off",
      text: text("toast.share-stopped-by", actor),
      action: undefined,
    });
  }
  const microphone = event.media === "audio";
  const on = microphone ? state.local.microphoneOn : state.local.cameraOn;
  if (!on) return none(state);
  const local = microphone ? { ...state.local, microphoneOn: false } : { ...state.local, cameraOn: false };
  return withToast(
    [{ ...state, local }, [{ kind: microphone ? "microphone" : "camera", on: false }, { kind: "own-presence" }]],
    {
      kind: "muted-by",
      icon: microphone ? "mic-off" : "video-off",
      text:
        actor !== ""
          ? text(`toast.${event.media}-off-by`, actor)
          : text(!microphone && state.load === "full" ? "toast.cameras-full" : `toast.${event.media}-off`),
      action: undefined,
    },
  );
}

/** `parley_…`: what our focus adds (appliance/focus/conference.ts); others only know the limit itself. */
function loadOf(properties: ReadonlyMap<string, string>): Load {
  if (properties.get("parley_full") === "true") return "full";
  return Number(properties.get("parley_quality_step") ?? 0) > 0 ? "smaller" : "fine";
}

function startMuted(state: MeetingState, which: { readonly audio: boolean; readonly video: boolean }): Step {
  const audio = which.audio && state.local.microphoneOn;
  const video = which.video && state.local.cameraOn;
  if (!audio && !video) return none(state);
  const effects: Effect[] = [
    ...(audio ? [{ kind: "microphone", on: false } as const] : []),
    ...(video ? [{ kind: "camera", on: false } as const] : []),
    { kind: "own-presence" },
  ];
  return withToast(
    [
      {
        ...state,
        local: {
          ...state.local,
          microphoneOn: state.local.microphoneOn && !which.audio,
          cameraOn: state.local.cameraOn && !which.video,
        },
      },
      effects,
    ],
    audio
      ? { kind: "start-muted", icon: "mic-off", text: text("toast.start-muted"), action: undefined }
      : { kind: "start-muted", icon: "video-off", text: text("toast.start-camera-off"), action: undefined },
  );
}

function sendRefused(state: MeetingState, which: "microphone" | "camera" | "screen"): Step {
  const local =
    which === "microphone"
      ? { ...state.local, microphoneOn: false }
      : which === "camera"
        ? { ...state.local, cameraOn: false }
        : { ...state.local, sharing: false };
  const effects: Effect[] = [
    which === "screen" ? { kind: "share", on: false } : { kind: which, on: false },
    { kind: "own-presence" },
  ];
  return withToast([{ ...state, local }, effects], {
    kind: "send-refused",
    icon: "triangle-alert",
    text: text(which !== "microphone" && state.load === "full" ? "toast.cameras-full" : "toast.too-many-senders"),
    action: undefined,
  });
}

function chat(
  state: MeetingState,
  message: Extract<SessionEvent, { kind: "chat" }>["message"],
  now: EpochMillis,
): Step {
  const mine = message.from === state.self.endpoint;
  if (message.id !== "" && state.chat.some((line) => line.key === message.id)) return none(state);
  const name = mine ? state.preferences.name : (message.senderName ?? state.people.get(message.from)?.name ?? "");
  const open = state.drawer === "chat";
  const next = withChatLine(
    { ...state, unread: mine || open ? state.unread : state.unread + 1 },
    {
      ...(message.id === "" ? {} : { key: message.id }),
      kind: "message",
      from: message.from,
      name,
      body: message.body,
      mine,
      privateWith: message.isPrivate ? name : undefined,
      at: message.sentAt ?? now,
      failed: false,
    },
  );
  if (mine || message.sentAt !== undefined) return none(next);
  return say([next, sound(state, "chat")], text(message.isPrivate ? "said.private-from" : "said.chat-from", name));
}

function moderation(state: MeetingState, news: Extract<SessionEvent, { kind: "moderation" }>["news"]): Step {
  const { moderation: before } = state;
  switch (news.kind) {
    case "switched": {
      const on = new Set(before.on);
      const approved = new Set(before.approved);
      if (news.enabled) on.add(news.mediaType);
      else on.delete(news.mediaType);
      approved.delete(news.mediaType);
      const next = { ...state, moderation: { ...before, on, approved } };
      if (isModerator(state) || state.page !== "meeting") return none(next);
      return withToast(none(next), {
        kind: "moderation",
        icon: "shield-check",
        text: text(news.enabled ? `toast.moderated-${news.mediaType}` : `toast.free-${news.mediaType}`),
        action: undefined,
      });
    }
    case "approved": {
      const approved = new Set(before.approved);
      if (news.approved) approved.add(news.mediaType);
      else approved.delete(news.mediaType);
      const next = { ...state, moderation: { ...before, approved } };
      if (!news.approved) return none(next);
      return withToast(none(next), {
        kind: "approved",
        icon: news.mediaType === "video" ? "video" : "mic",
        text: text(`toast.approved-${news.mediaType}`),
        action:
          news.mediaType === "desktop"
            ? undefined
            : {
                label: text(news.mediaType === "audio" ? "action.unmute" : "action.camera-on"),
                event: { kind: "toggle", media: news.mediaType === "audio" ? "microphone" : "camera", on: true },
              },
      });
    }
    case "list":
      return none({ ...state, moderation: { ...before, allowed: news.allowed } });
  }
}

function polls(state: MeetingState, news: PollNews): Step {
  switch (news.kind) {
    case "new": {
      if (state.polls.some((each) => each.id === news.poll.id)) return none(state);
      const mine = news.poll.senderId === state.self.endpoint;
      const next = {
        ...state,
        polls: [...state.polls, news.poll].slice(-128),
        unseenPolls: mine || state.drawer === "polls" ? state.unseenPolls : state.unseenPolls + 1,
      };
      if (mine) return none(next);
      return withToast(none(next), {
        kind: "poll",
        icon: "list",
        text: text("toast.poll", nameOf(state, news.poll.senderId)),
        action: { label: text("action.vote"), event: { kind: "drawer", drawer: "polls" } },
      });
    }
    case "old": {
      const known = new Set(state.polls.map((each) => each.id));
      return none({ ...state, polls: [...news.polls.filter((each) => !known.has(each.id)), ...state.polls] });
    }
    case "vote":
      return none({ ...state, polls: state.polls.map((poll) => (poll.id === news.pollId ? voted(poll, news) : poll)) });
  }
}

const voted = (poll: Poll, news: Extract<PollNews, { kind: "vote" }>): Poll => ({
  ...poll,
  answers: poll.answers.map((answer, i) => {
    const voters = new Map(answer.voters);
    if (news.answers[i] === true) voters.set(news.voterId, news.voterName);
    else voters.delete(news.voterId);
    return { ...answer, voters };
  }),
});
