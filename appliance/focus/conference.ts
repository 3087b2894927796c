/**
 * One meeting: who is in the room, who is on which bridge, who is told what. signaling.md 3.4, 3.5, 4, 5.1.
 * Requests of clients inside it are in jingle-requests.ts and moderation.ts.
 */
import { type Deadline, Deadlines, soonest } from "../deadlines.ts";
import { later, type Millis } from "../time.ts";
import { type Jingle, jingleElement } from "../wire/jingle.ts";
import { NS } from "../wire/namespaces.ts";
import type { RtpDescription } from "../wire/rtp-description.ts";
import { type EndpointSources, NO_SOURCES } from "../wire/sources.ts";
import { type Element, xml } from "../wire/xml.ts";
import { AvModeration } from "./av-moderation.ts";
import type { AllocationOutcome, BridgeSession } from "./bridge-session.ts";
import type { Bridge, Selection } from "./bridges.ts";
import { Cameras } from "./cameras.ts";
import { ChatRoom, type RoomConfiguration } from "./chat-room.ts";
import { FEATURE, offeredDescription } from "./codecs.ts";
import { ConferenceBridges } from "./conference-bridges.ts";
import type { FocusContext } from "./context.ts";
import { isJibri, isJigasi, isModerator, type Member } from "./member.ts";
import { offerElement } from "./offer.ts";
import { Ownership } from "./ownership.ts";
import { Participant } from "./participant.ts";
import { NO_METADATA, type RoomMetadata } from "./room-metadata.ts";
import { PublicSources, signalSources, usesJson } from "./source-signaling.ts";
import { ConferenceSources } from "./sources.ts";

export interface ConferenceEvents {
  /** Bridges are there, and all are loaded. */
  bridgesFull(now: Millis): boolean;
  selectBridge(now: Millis, conference: Conference, selection: Omit<Selection, "pinned">): Bridge | undefined;
  bridgeFailed(now: Millis, bridge: Bridge, reason: string): void;
  ready(now: Millis, conference: Conference): void;
  ended(now: Millis, conference: Conference, reason: string): void;
  /** Ends what bridges that this conference does not use have under that meeting id. */
  endElsewhere(now: Millis, conference: Conference, meetingId: string): void;
  /** Something of a member that other rooms mirror. */
  memberChanged(now: Millis, conference: Conference, member: Member): void;
}

/** What the first conference request said (signaling.md 2.1). */
export interface ConferenceOptions {
  readonly startAudioMuted: number | undefined;
  readonly startVideoMuted: number | undefined;
  readonly rtcstats: boolean;
}

type Name = "empty" | "alone" | "signal" | "invite" | "ghosts";

const INVITE_RETRY_MS = 2_000;
const MAX_INVITE_FAILURES = 3;
const MAX_PRESENCE_PARTS = 20;
/** Time for everybody to have a new session before what an earlier focus left on other bridges is ended. */
const GHOSTS_MS = 10_000;
/** Larger conferences hear of source changes in batches: participants → ms. */
const SIGNAL_DELAYS: readonly (readonly [number, number])[] = [
  [200, 2_000],
  [100, 1_000],
  [50, 500],
];

export class Conference {
  readonly room: ChatRoom;
  readonly context: FocusContext;
  readonly options: ConferenceOptions;
  readonly participants = new Map<string, Participant>();
  readonly sources: ConferenceSources;
  readonly avModeration = new AvModeration();
  metadata: RoomMetadata = NO_METADATA;
  configuration: RoomConfiguration = { meetingId: undefined, isBreakout: false, mainRoom: undefined };
  readonly started: Millis;
  /** Bare JID of who asked for it first; empty over HTTP. */
  requester = "";
  readonly bridges: ConferenceBridges;
  readonly ownership: Ownership;
  readonly cameras: Cameras;
  /** Further children of our presence, by their owner's name (recording status and the like). */
  readonly presenceParts = new Map<string, readonly Element[]>();
  readonly #events: ConferenceEvents;
  readonly #publicSources: PublicSources;
  readonly #deadlines = new Deadlines<Name>();
  /** What a moderator's presence says, where no component does (signaling.md 5.3 c). */
  #presenceStartMuted = { audio: false, video: false };
  #limitedPictures = 0;
  #sourcesDirty = false;
  #presenceDirty = false;
  #ended = false;

  constructor(now: Millis, jid: string, context: FocusContext, options: ConferenceOptions, events: ConferenceEvents) {
    this.context = context;
    this.options = options;
    this.#events = events;
    this.started = now;
    this.sources = new ConferenceSources({
      ssrcs: context.settings.maxSsrcsPerParticipant,
      groups: context.settings.maxSsrcGroupsPerParticipant,
    });
    this.#publicSources = new PublicSources(this.sources);
    this.cameras = new Cameras(this);
    this.room = new ChatRoom(jid, context, {
      ready: (at, configuration) => this.#ready(at, configuration),
      gone: (at, reason) => this.end(at, reason),
      memberJoined: (at, member) => this.#memberJoined(at, member),
      memberChanged: (at, member, before) => this.#memberChanged(at, member, before),
      memberLeft: (at, member) => this.#memberLeft(at, member),
    });
    this.bridges = new ConferenceBridges(context, jid, options.rtcstats, {
      select: (at, selection) => events.selectBridge(at, this, selection),
      blame: (at, bridge, reason) => events.bridgeFailed(at, bridge, reason),
      over: (at, session) => this.#sessionOver(at, session),
      endpointLost: (at, id) => this.#endpointLost(at, id),
      changed: () => {
        this.#presenceDirty = true;
      },
    });
    // Where people log in, whoever has logged in is owner.
    this.ownership = new Ownership(
      this.room,
      context.settings.autoOwner && context.settings.authentication === undefined,
    );
  }

  get jid(): string {
    return this.room.jid;
  }

  get ended(): boolean {
    return this.#ended;
  }

  start(now: Millis): void {
    this.room.join(now);
  }

  /** Somebody asked for this conference again: an empty room waits for him. */
  requested(now: Millis): void {
    if (this.room.ready && this.participants.size === 0)
      this.#deadlines.set("empty", later(now, this.context.settings.initialTimeout));
  }

  /** An authenticated user asked. */
  authenticated(now: Millis, jid: string): void {
    this.ownership.authenticated(now, jid, this.members);
  }

  get members(): Member[] {
    return [...this.participants.values()].map((each) => each.member);
  }

  /** Leaves the room and frees the bridges. */
  end(now: Millis, reason: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.context.stats.conferenceSeconds += (now - this.started) / 1000;
    for (const each of this.participants.values()) this.context.stats.endpointSeconds += (now - each.joined) / 1000;
    this.bridges.endAll(now);
    this.participants.clear();
    this.room.leave();
    this.context.outbox.log("info", "conference ended", { conference: this.jid, cause: reason });
    this.#events.ended(now, this, reason);
  }

  tick(now: Millis): void {
    this.room.tick(now);
    for (const due of this.#deadlines.due(now)) {
      if (due === "empty") {
        if (this.participants.size === 0) this.end(now, "nobody came");
      } else if (due === "alone") this.#expireAlone(now);
      else if (due === "signal") this.#signalAll(now);
      else if (due === "ghosts") this.#events.endElsewhere(now, this, this.configuration.meetingId ?? "");
      else this.inviteAll(now);
    }
  }

  nextDeadline(): Deadline | undefined {
    return soonest(this.#deadlines.soonest(), this.room.nextDeadline());
  }

  /** Called after every input: what changed is told once. */
  flush(now: Millis): void {
    if (this.#ended) return;
    this.bridges.sync(now, (id) => this.sources.of(id));
    if (this.cameras.settle(now) || this.#limitedPictures !== this.limitedPictures) this.#presenceDirty = true;
    if (this.#sourcesDirty) this.#scheduleSignal(now);
    if (!this.#presenceDirty) {
      this.cameras.askToMute(now);
      return;
    }
    this.#presenceDirty = false;
    this.room.publish(this.#presence(now));
    this.cameras.askToMute(now);
  }

  setPresencePart(name: string, elements: readonly Element[]): void {
    this.presenceParts.delete(name);
    this.presenceParts.set(name, elements);
    const oldest = this.presenceParts.keys().next();
    if (this.presenceParts.size > MAX_PRESENCE_PARTS && oldest.done !== true) this.presenceParts.delete(oldest.value);
    this.#presenceDirty = true;
  }

  sourcesChanged(): void {
    this.#sourcesDirty = true;
    this.#presenceDirty = true;
  }

  // Invitations ------------------------------------------------------------------------------------------------------

  get minimum(): number {
    return this.metadata.transcribing ? 1 : this.context.settings.minParticipants;
  }

  inviteAll(now: Millis): void {
    if (this.#ended || !this.room.ready || this.participants.size < this.minimum) return;
    this.#deadlines.clear("alone");
    for (const participant of [...this.participants.values()]) this.#invite(now, participant);
  }

  #invite(now: Millis, participant: Participant): void {
    const { features, id } = participant;
    if (participant.state !== "idle" || features === undefined) return;
    const session = this.bridges.choose(now, participant.member.region);
    if (session === undefined) return;
    const { settings } = this.context;
    const attempt = ++participant.attempt;
    participant.state = "allocating";
    participant.bridge = session;
    const inside = isJibri(participant.member) || isJigasi(participant.member);
    participant.forceMuted = this.forceMuteOf(participant);
    const { forceMuted } = participant;
    session.allocate(
      now,
      {
        id,
        statsId: participant.member.statsId,
        ...this.#offered(participant),
        forceMute: forceMuted.audio || forceMuted.video ? forceMuted : undefined,
        sctp: this.#offersSctp(participant),
        ssrcRewriting: participant.rewriting(settings.ssrcRewriting),
        midDemux: participant.midDemux(settings.ssrcRewriting),
        privateAddresses: inside,
        table: participant.member.table,
      },
      (at, outcome) => {
        if (participant.attempt === attempt && this.participants.get(id) === participant)
          this.#allocated(at, participant, session, outcome);
      },
    );
  }

  /** What a participant may send and get; a bridge that tells slots apart by their mid needs the extension for it. */
  #offered(participant: Participant): { audio: RtpDescription; video: RtpDescription } {
    const { codecs, ssrcRewriting } = this.context.settings;
    const features = participant.features ?? new Set();
    const chosen = participant.midDemux(ssrcRewriting) ? { ...codecs, mid: true } : codecs;
    return {
      audio: offeredDescription("audio", features, chosen),
      video: offeredDescription("video", features, chosen),
    };
  }

  #allocated(now: Millis, participant: Participant, session: BridgeSession, outcome: AllocationOutcome): void {
    if (participant.state !== "allocating") return;
    if (outcome.kind === "session-failed") return; // bridgeFailed has put it back to idle
    if (outcome.kind === "refused") {
      this.closeSession(now, participant, true); // a refused create may have left the endpoint behind (bridge.md 1.6)
      participant.state = "out";
      this.context.stats.inviteFailed++;
      this.context.outbox.log("warn", "the bridge refuses a participant", {
        conference: this.jid,
        endpoint: participant.id,
        cause: outcome.reason,
      });
      return;
    }
    const { allocated } = outcome;
    const { settings } = this.context;
    const view = participant.rewriting(settings.ssrcRewriting)
      ? new Map<string, EndpointSources>()
      : this.#publicSources.viewOf(participant.id);
    participant.signaled.clear();
    for (const [owner, sources] of view) participant.signaled.set(owner, sources);
    const sid = this.context.random.id(13);
    participant.state = "invited";
    participant.session = { sid, bridge: session, accepted: false, allocated };
    const offer = offerElement({
      sid,
      initiator: `${settings.focusJid}/${settings.focusResource}`,
      ...this.#offered(participant),
      transport: allocated.transport,
      sctpPort: this.#offersSctp(participant) ? allocated.sctpPort : undefined,
      bridgeSessionId: session.id,
      region: session.bridge.region,
      sources: new Map([["jvb", allocated.feedback], ...view]),
      startMuted: this.#startMuted(now, participant),
      json: usesJson(this.context, participant),
    });
    this.context.stats.sent("session-initiate");
    this.context.requests.request(now, participant.member.occupantJid, "set", offer, (at, answer) => {
      if (answer.kind !== "error" || participant.session?.sid !== sid) return; // silence counts as success
      this.#inviteRefused(at, participant, answer.error.condition);
    });
  }

  #inviteRefused(now: Millis, participant: Participant, condition: string): void {
    this.context.stats.inviteFailed++;
    this.context.outbox.log("warn", "a participant refuses its session", {
      conference: this.jid,
      endpoint: participant.id,
      condition,
    });
    this.closeSession(now, participant, true);
    participant.inviteFailures++;
    if (participant.inviteFailures >= MAX_INVITE_FAILURES) {
      participant.state = "out";
      return;
    }
    this.#deadlines.set("invite", later(now, INVITE_RETRY_MS));
  }

  /** Ends what the participant has, without telling it; it is idle then. `free`: the bridge is to forget it, too. */
  closeSession(now: Millis, participant: Participant, free: boolean): void {
    const bridge = participant.bridge;
    participant.endSession();
    participant.state = "idle";
    if (this.sources.of(participant.id) !== NO_SOURCES) {
      this.sources.removeAll(participant.id);
      this.sourcesChanged();
    }
    if (free && bridge !== undefined) this.bridges.release(now, bridge, participant.id);
  }

  /** Tells the participant that its session is over. */
  terminate(now: Millis, participant: Participant, condition: string, text?: string): void {
    const session = participant.session;
    if (session === undefined) return;
    const jingle: Jingle = {
      action: "session-terminate",
      sid: session.sid,
      contents: [],
      sources: new Map(),
      reason: { condition, ...(text !== undefined ? { text } : {}) },
    };
    this.context.stats.sent("session-terminate");
    this.context.requests.request(now, participant.member.occupantJid, "set", jingleElement(jingle));
  }

  /** Gives participants a new session elsewhere (administration, signaling.md 5.8). */
  move(now: Millis, participants: readonly Participant[]): void {
    for (const participant of participants) {
      this.terminate(now, participant, "success", "moving to another bridge");
      this.closeSession(now, participant, true);
      this.context.stats.participantsMoved++;
    }
    this.inviteAll(now);
  }

  // Bridges ----------------------------------------------------------------------------------------------------------

  /** A place may have become free for those who had none. */
  bridgeAvailable(now: Millis): void {
    if (this.bridges.unavailable) this.inviteAll(now);
  }

  /** Everybody of a session gets a new one, elsewhere or in the same place. */
  #sessionOver(now: Millis, session: BridgeSession): void {
    for (const participant of this.participants.values()) {
      if (participant.bridge !== session) continue;
      this.context.stats.participantsMoved++;
      this.terminate(now, participant, "success", "moving to another bridge");
      participant.endSession();
      participant.state = "idle";
      this.sources.removeAll(participant.id);
    }
    this.sourcesChanged();
    this.inviteAll(now);
  }

  #endpointLost(now: Millis, id: string): void {
    const lost = this.participants.get(id);
    if (lost === undefined) return;
    this.terminate(now, lost, "success", "the bridge lost the endpoint");
    this.closeSession(now, lost, false);
    this.inviteAll(now);
  }

  #offersSctp(participant: Participant): boolean {
    const { sctp } = this.context.settings;
    if (sctp === "off" || !participant.has(FEATURE.sctp)) return false;
    return sctp === "on" || participant.has(FEATURE.noWebSocket);
  }

  // Members ----------------------------------------------------------------------------------------------------------

  #ready(now: Millis, configuration: RoomConfiguration): void {
    this.configuration = configuration;
    if (configuration.meetingId !== undefined) this.bridges.meetingId = configuration.meetingId;
    this.#deadlines.set("empty", later(now, this.context.settings.initialTimeout));
    this.bridges.resumed = this.room.members.size > 0;
    // People are here before us: an earlier focus had this meeting, perhaps on other bridges than ours will be.
    if (this.room.members.size > 0 && configuration.meetingId !== undefined)
      this.#deadlines.set("ghosts", later(now, GHOSTS_MS));
    this.room.publish(this.#presence(now));
    this.context.outbox.log("info", "conference started", { conference: this.jid });
    this.#events.ready(now, this);
  }

  #memberJoined(now: Millis, member: Member): void {
    if (member.nick === "jvb") return; // the bridge's own name among owners of sources
    this.#deadlines.clear("empty");
    const participant = new Participant(member, now);
    this.participants.set(member.nick, participant);
    this.context.stats.participantsTotal++;
    if (member.sendsAudio || member.sendsVideo) this.#presenceDirty = true;
    this.#seen(now, member);
    this.context.caps.features(now, member, (at, features) => {
      if (this.participants.get(member.nick) !== participant) return;
      participant.features = new Set([...features, ...participant.member.features]);
      if (!participant.has(FEATURE.startMutedMetadata)) this.context.stats.participantsWithoutMutedMetadata++;
      this.inviteAll(at);
    });
    if (this.participants.size >= this.minimum) this.inviteAll(now);
  }

  #memberChanged(now: Millis, member: Member, before: Member): void {
    const participant = this.participants.get(member.nick);
    if (participant === undefined) return;
    participant.member = member;
    if (member.sendsAudio !== before.sendsAudio || member.sendsVideo !== before.sendsVideo) this.#presenceDirty = true;
    if (isModerator(member) !== isModerator(before)) this.applyForceMute(now);
    if (member.table !== before.table) participant.bridge?.setTable(now, member.nick, member.table ?? "");
    this.#seen(now, member);
  }

  #seen(now: Millis, member: Member): void {
    if (isModerator(member) && member.startMuted !== undefined) this.#presenceStartMuted = member.startMuted;
    this.ownership.seen(now, member);
    this.#events.memberChanged(now, this, member);
    this.#elect(now);
  }

  #elect(now: Millis): void {
    if (!this.configuration.isBreakout && !this.#ended) this.ownership.elect(now, this.members);
  }

  #memberLeft(now: Millis, member: Member): void {
    const participant = this.participants.get(member.nick);
    if (participant === undefined) return;
    this.participants.delete(member.nick);
    this.context.stats.endpointSeconds += (now - participant.joined) / 1000;
    this.sources.removeAll(member.nick);
    this.sourcesChanged();
    const bridge = participant.bridge;
    participant.endSession();
    if (bridge !== undefined) this.bridges.release(now, bridge, member.nick);
    if (this.participants.size === 0) {
      this.end(now, "everybody left");
      return;
    }
    if (this.participants.size < this.minimum && !this.#deadlines.has("alone"))
      this.#deadlines.set("alone", later(now, this.context.settings.singleParticipantTimeout));
    this.#elect(now);
  }

  #expireAlone(now: Millis): void {
    if (this.participants.size >= this.minimum) return;
    for (const participant of this.participants.values()) {
      this.terminate(now, participant, "expired", "Idle session timeout");
      if (participant.state === "out") continue;
      participant.endSession();
      participant.state = "idle";
      this.sources.removeAll(participant.id);
    }
    this.bridges.endAll(now);
    this.bridges.setUnavailable(false);
    this.sourcesChanged();
  }

  // What everybody is told -------------------------------------------------------------------------------------------

  /** How far bridges of this conference limit pictures because they are loaded. */
  get limitedPictures(): number {
    return Math.max(0, ...[...this.bridges.sessions.keys()].map((bridge) => bridge.qualityStep ?? 0));
  }

  hasVideo(id: string): boolean {
    return this.sources.of(id).sources.some((each) => each.mediaType === "video");
  }

  #presence(now: Millis): Element[] {
    const { unavailable } = this.bridges;
    this.#limitedPictures = this.limitedPictures;
    const property = (key: string, value: string | number | boolean): Element => xml("property", { key, value });
    const { settings } = this.context;
    return [
      ...[...this.presenceParts.values()].flat(),
      ...(unavailable ? [xml("bridgeNotAvailable", { xmlns: NS.focus })] : []),
      xml("versions", { xmlns: NS.jitmeet }, xml("component", { name: "focus" }, settings.version)),
      xml(
        "conference-properties",
        { xmlns: NS.focus },
        property("support-terminate-restart", true),
        ...(this.bridges.count === undefined ? [] : [property("bridge-count", this.bridges.count)]),
        ...(this.audioLimitReached ? [property("audio-limit-reached", true)] : []),
        ...(this.videoLimitReached || this.cameras.full ? [property("video-limit-reached", true)] : []),
        ...(this.cameras.full || (unavailable && this.#events.bridgesFull(now)) ? [property("parley_full", true)] : []),
        ...(this.#limitedPictures > 0 ? [property("parley_quality_step", this.#limitedPictures)] : []),
      ),
    ];
  }

  get audioLimitReached(): boolean {
    return this.#senders((member) => member.sendsAudio) >= this.context.settings.maxAudioSenders;
  }

  get videoLimitReached(): boolean {
    return this.#senders((member) => member.sendsVideo) >= this.context.settings.maxVideoSenders;
  }

  #senders(sends: (member: Member) => boolean): number {
    let count = 0;
    for (const each of this.participants.values()) if (sends(each.member)) count++;
    return count;
  }

  #scheduleSignal(now: Millis): void {
    this.#sourcesDirty = false;
    const delay = SIGNAL_DELAYS.find(([size]) => this.participants.size >= size)?.[1] ?? 0;
    if (delay === 0) this.#signalAll(now);
    else if (!this.#deadlines.has("signal")) this.#deadlines.set("signal", later(now, delay));
  }

  #signalAll(now: Millis): void {
    const present = (owner: string): boolean => this.participants.has(owner);
    for (const participant of this.participants.values()) {
      if (participant.session?.accepted !== true) continue;
      if (participant.rewriting(this.context.settings.ssrcRewriting)) continue;
      signalSources(now, this.context, participant, this.#publicSources.viewOf(participant.id), present);
    }
  }

  #startMuted(now: Millis, participant: Participant): { audio: boolean; video: boolean } {
    const { startAudioMuted, startVideoMuted } = this.options;
    const startMuted = this.metadata === NO_METADATA ? this.#presenceStartMuted : this.metadata.startMuted;
    const place = [...this.participants.keys()].indexOf(participant.id) + 1;
    return {
      audio: startMuted.audio || (startAudioMuted !== undefined && place > startAudioMuted),
      video:
        startMuted.video ||
        (startVideoMuted !== undefined && place > startVideoMuted) ||
        !this.cameras.takesNewcomer(now, participant.id),
    };
  }

  // AV moderation at the bridge --------------------------------------------------------------------------------------

  /** What the bridge is to drop of this participant (signaling.md 5.4). */
  forceMuteOf(participant: Participant): { audio: boolean; video: boolean } {
    const { member } = participant;
    if (isModerator(member) || isJibri(member) || isJigasi(member))
      return { audio: false, video: this.cameras.isHeld(participant.id) };
    const muted = (media: "audio" | "video"): boolean =>
      this.avModeration.enabled(media) && !this.avModeration.allowed(media, member.occupantJid);
    return { audio: muted("audio"), video: muted("video") || this.cameras.isHeld(participant.id) };
  }

  applyForceMute(now: Millis): void {
    const bySession = new Map<BridgeSession, Map<string, { audio: boolean; video: boolean }>>();
    for (const participant of this.participants.values()) {
      const wanted = this.forceMuteOf(participant);
      const { forceMuted, bridge } = participant;
      if (wanted.audio === forceMuted.audio && wanted.video === forceMuted.video) continue;
      participant.forceMuted = wanted;
      if (bridge === undefined) continue;
      const mutes = bySession.get(bridge) ?? new Map();
      bySession.set(bridge, mutes.set(participant.id, wanted));
    }
    for (const [session, mutes] of bySession) session.forceMute(now, mutes);
  }
}
