/**
 * Shell: the media side of a conference: Jingle session, bridge channel, what is sent and what is wanted. Outlives single sessions: when the
 * focus offers a new one (another bridge, a restart, a new stream), tracks and wishes are carried over.
 */
import type { BridgeMessage, ClientMessage, VideoTypeName } from "../../appliance/wire/channel-messages.ts";
import type { Jingle } from "../../appliance/wire/jingle.ts";
import { BridgeChannel, channelUrls } from "./bridge-channel.ts";
import { type IqOutcome, JingleSession, type JingleSessionEvent } from "./jingle-session.ts";
import { MediaWatch, type WatchAction } from "./media-watch.ts";
import { sourceNames } from "./own-sources.ts";
import type { OwnMedia } from "./peer.ts";
import { type QualityChoice, receiverConstraints, type SeenSource } from "./quality.ts";
import type { SessionEvent } from "./session-events.ts";
import type { ClientSettings } from "./settings.ts";
import { type Millis, millis } from "./time.ts";

export interface MediaLink {
  readonly settings: ClientSettings;
  readonly send: (jingle: Jingle) => Promise<IqOutcome<unknown>>;
  readonly emit: (event: SessionEvent) => void;
  /** Media cannot be mended within the session: join the room again. */
  readonly rejoin: () => void;
  /** Whether the stream stands; without it nothing can be asked of the focus. */
  readonly reachable: () => boolean;
  /** WebSockets are refused here (W60): the data channel carries the messages if the offer has one. */
  readonly socketless: () => boolean;
}

export interface MediaAddress {
  readonly endpoint: string;
  readonly focusAddress: string;
  readonly ownAddress: string;
}

const SETTLE_MS = 100;

export class ConferenceMedia {
  readonly #link: MediaLink;
  readonly #watch: MediaWatch;
  readonly #tracks = new Map<OwnMedia, MediaStreamTrack>();
  #announced = { microphone: false, camera: false };
  #session: JingleSession | undefined;
  #channel: BridgeChannel | undefined;
  #endpoint = "";
  #iceServers: readonly RTCIceServer[] = [];
  #seen: readonly SeenSource[] = [];
  #choice: QualityChoice = { audioOnly: false, hidden: false, maxHeight: 2160, lastN: -1 };
  #asked = "";
  #lastAsked: WatchAction | "nothing" = "nothing";
  #demandTimer: ReturnType<typeof setTimeout> | undefined;
  #watchTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(link: MediaLink) {
    this.#link = link;
    this.#watch = new MediaWatch(link.settings.iceRestart);
    this.#choice = { ...this.#choice, lastN: link.settings.channelLastN };
  }

  get session(): JingleSession | undefined {
    return this.#session;
  }

  /** What was last asked for because media was lost. */
  get asked(): WatchAction | "nothing" {
    return this.#lastAsked;
  }

  get channelOpen(): boolean {
    return this.#channel?.isOpen ?? false;
  }

  setIceServers(servers: readonly RTCIceServer[]): void {
    this.#iceServers = servers;
  }

  /** A session-initiate: answers it; what there was before ends. */
  accept(offer: Jingle, address: MediaAddress): void {
    this.#endSession();
    this.#watch.renewed();
    this.#endpoint = address.endpoint;
    const session = new JingleSession(offer, {
      ...address,
      codecPreference: ["VP8", "H264", "VP9", "AV1"],
      lastN: this.#link.settings.channelLastN,
      iceServers: this.#iceServers,
      simulcast: this.#link.settings.simulcast,
      send: this.#link.send,
      on: (event) => {
        if (this.#session === session) this.#sessionEvent(event, session);
      },
    });
    this.#session = session;
    this.#link.emit({ kind: "media", state: "connecting" });
    const announced = {
      microphone: this.#announced.microphone || this.#tracks.has("microphone"),
      camera: this.#announced.camera || this.#tracks.has("camera"),
    };
    this.#announced = announced;
    const started = session.start(offer, this.#tracks, announced);
    this.#openChannel(session);
    void started;
  }

  #openChannel(session: JingleSession): void {
    const channel = new BridgeChannel({
      open: () => {
        this.#asked = "";
        this.#sendVideoTypes();
        this.#demand();
        this.#link.emit({ kind: "channel", open: true });
      },
      closed: () => this.#link.emit({ kind: "channel", open: false }),
      message: (message) => this.#channelMessage(message),
    });
    this.#channel = channel;
    const { preferSctp, ignoredChannelDomain } = this.#link.settings;
    if (session.hasDataContent && (preferSctp || this.#link.socketless()))
      channel.useDataChannel(session.peer.openChannel());
    else channel.useWebSocket(channelUrls(session.channelUrls, location, ignoredChannelDomain));
  }

  #sessionEvent(event: JingleSessionEvent, session: JingleSession): void {
    const { emit } = this.#link;
    switch (event.kind) {
      case "state":
        if (event.state === "connected") this.#watch.connected();
        if (event.state === "disconnected") this.#watch.interrupted(now());
        if (event.state === "failed") this.#watch.failed(now());
        emit({
          kind: "media",
          state: event.state === "new" ? "connecting" : event.state === "disconnected" ? "interrupted" : event.state,
        });
        this.#schedule();
        return;
      case "sources":
        emit({
          kind: "sources",
          sources: event.sources.map(({ name, owner, kind, videoType }) => ({ name, owner, kind, videoType })),
        });
        return;
      case "accepted":
        return;
      case "failed":
        console.error("media session", event.reason, event.text);
        emit({ kind: "media", state: "failed" });
        session.close();
        this.#watch.failed(now());
        this.#schedule();
        return;
      case "send-refused":
        this.#tracks.delete(event.media);
        emit({ kind: "send-refused", media: event.media, condition: event.condition });
        return;
    }
  }

  #schedule(): void {
    clearTimeout(this.#watchTimer);
    const at = this.#watch.nextDeadline();
    if (at !== undefined) this.#watchTimer = setTimeout(() => this.#check(), Math.max(0, at - now()));
  }

  #check(): void {
    if (!this.#link.reachable()) {
      this.#watchTimer = setTimeout(() => this.#check(), 1000); // first the stream, then the media
      return;
    }
    const action = this.#watch.due(now());
    if (action !== undefined) this.#lastAsked = action;
    if (action === "ice-restart") void this.#restartIce();
    if (action === "restart") void this.#restart();
    if (action === "rejoin") this.#link.rejoin();
    this.#schedule();
  }

  /** Asks for new ICE in the session that stands: the bridge's new transport follows as transport-info (signaling.md 4.9). */
  async #restartIce(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    const outcome = await this.#link.send({
      action: "session-info",
      sid: session.sid,
      contents: [],
      sources: new Map(),
      bridgeSession: { ...idOf(session), iceRestart: true },
    });
    if (outcome.kind === "result" || this.#session !== session) return;
    this.#watch.inPlaceRefused(now());
    this.#schedule();
  }

  /** Asks the focus for a new session on the spot. */
  async #restart(): Promise<void> {
    const session = this.#session;
    if (session === undefined) return;
    const outcome = await this.#link.send({
      action: "session-terminate",
      sid: session.sid,
      contents: [],
      sources: new Map(),
      reason: { condition: "connectivity-error", text: "ICE FAILED" },
      bridgeSession: { ...idOf(session), restart: true },
    });
    if (outcome.kind === "error" && this.#session === session) {
      this.#watch.failed(now());
      this.#schedule();
    }
  }

  /** Any other action of the focus on the session. `false`: not ours. */
  handle(jingle: Jingle): boolean {
    const session = this.#session;
    if (session === undefined || jingle.sid !== session.sid) return false;
    switch (jingle.action) {
      case "source-add":
        session.addAnnounced(jingle.sources);
        return true;
      case "source-remove":
        session.removeAnnounced(jingle.sources);
        return true;
      case "session-terminate":
        this.#endSession();
        this.#watch.ended();
        this.#schedule();
        this.#link.emit({ kind: "sources", sources: [] });
        this.#link.emit({ kind: "media", state: "none" });
        return true;
      case "transport-info": {
        const transport = jingle.contents.find((each) => each.transport !== undefined)?.transport;
        if (transport !== undefined) session.restartIce(transport);
        return true;
      }
      case "transport-replace":
        return true;
      default:
        return true;
    }
  }

  removeOwner(endpoint: string): void {
    this.#session?.removeOwner(endpoint);
  }

  async setTrack(media: OwnMedia, track: MediaStreamTrack | undefined): Promise<void> {
    if (track === undefined) this.#tracks.delete(media);
    else this.#tracks.set(media, track);
    if (media !== "screen" && track !== undefined) this.#announced = { ...this.#announced, [media]: true };
    const session = this.#session;
    if (session !== undefined) {
      if (media === "screen") await session.setScreen(track);
      else await session.setTrack(media, track);
    }
    this.#sendVideoTypes();
  }

  #sendVideoTypes(): void {
    if (!this.channelOpen) return;
    const names = sourceNames(this.#endpoint);
    const say = (sourceName: string, videoType: VideoTypeName): void =>
      this.#channel?.send({ colibriClass: "SourceVideoTypeMessage", sourceName, videoType });
    if (this.#announced.camera) say(names.camera, this.#tracks.has("camera") ? "camera" : "none");
    if (this.#tracks.has("screen")) say(names.screen, "desktop");
  }

  /** What is on the screen now, and how good it shall be. Merged for 100 ms, sent when it differs. */
  show(seen: readonly SeenSource[], choice: Partial<QualityChoice>): void {
    this.#seen = seen;
    this.#choice = { ...this.#choice, ...choice };
    this.#demandTimer ??= setTimeout(() => this.#demand(), SETTLE_MS);
  }

  #demand(): void {
    clearTimeout(this.#demandTimer);
    this.#demandTimer = undefined;
    if (!this.channelOpen) return;
    const message = receiverConstraints(this.#seen, this.#choice);
    const text = JSON.stringify(message);
    if (text === this.#asked) return;
    this.#asked = text;
    this.#channel?.send(message);
  }

  sendEndpointMessage(to: string, payload: unknown): void {
    const raw = { colibriClass: "EndpointMessage", to, msgPayload: payload } as const;
    this.#channel?.send({ ...raw, raw });
  }

  #channelMessage(message: BridgeMessage | ClientMessage): void {
    const { emit } = this.#link;
    switch (message.colibriClass) {
      case "DominantSpeakerEndpointChangeEvent":
        emit({ kind: "dominant", endpoint: message.dominantSpeakerEndpoint, silence: message.silence });
        return;
      case "ForwardedSources":
        emit({ kind: "forwarded", sources: message.forwardedSources });
        return;
      case "EndpointConnectivityStatusChangeEvent":
        emit({ kind: "connectivity", endpoint: message.endpoint, active: message.active === "true" });
        return;
      case "SenderSourceConstraints": {
        const names = sourceNames(this.#endpoint);
        const media =
          message.sourceName === names.camera ? "camera" : message.sourceName === names.screen ? "screen" : undefined;
        if (media !== undefined) void this.#session?.peer.setWanted(media, message.maxHeight);
        emit({ kind: "wanted", source: message.sourceName, maxHeight: message.maxHeight });
        return;
      }
      case "EndpointMessage":
        this.#endpointMessage(message.from ?? "", message.msgPayload);
        return;
      default:
        return; // ServerHello, statistics of others, maps that we do not ask for
    }
  }

  /** COMPAT: jitsi-meet's pages send reactions as endpoint messages of that name. */
  #endpointMessage(from: string, payload: unknown): void {
    if (typeof payload !== "object" || payload === null) return;
    const { name, reactions } = payload as Record<string, unknown>;
    if (name !== "endpoint-reaction" || !Array.isArray(reactions)) return;
    this.#link.emit({
      kind: "reaction",
      from,
      reactions: reactions.slice(0, 20).filter((each): each is string => typeof each === "string"),
    });
  }

  #endSession(): void {
    this.#channel?.close();
    this.#channel = undefined;
    this.#session?.close();
    this.#session = undefined;
    this.#asked = "";
  }

  /** Ends here only: who leaves tells nobody but the room, as stock clients do; a focus that hears of the end first misses the participant then. */
  close(): void {
    this.#endSession();
    this.#watch.ended();
    clearTimeout(this.#watchTimer);
    clearTimeout(this.#demandTimer);
    this.#demandTimer = undefined;
  }
}

const idOf = (session: JingleSession): { readonly id?: string } =>
  session.bridgeSessionId === undefined ? {} : { id: session.bridgeSessionId };

const now = (): Millis => millis(performance.now());
