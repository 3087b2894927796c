/**
 * Shell: one Jingle session with the focus (signaling.md 4): its offer, our answer, sources coming and going, our own tracks.
 *
 * Every change of the plan is one step of a queue, so that the browser negotiates one thing at a time; steps that only change the plan are
 * merged into the negotiation that is next.
 */
import type { IceTransport } from "../../appliance/wire/ice-transport.ts";
import type { Jingle } from "../../appliance/wire/jingle.ts";
import { type EndpointSources, NO_SOURCES } from "../../appliance/wire/sources.ts";
import type { StanzaError } from "../../appliance/wire/stanza.ts";
import {
  addSendLine,
  addSources,
  isOfferFault,
  lineOf,
  type MediaPlan,
  planOffer,
  receivedSources,
  removeSendLine,
  removeSources,
  withRestartedIce,
} from "./media-plan.ts";
import { type Announced, acceptOf, ownSources, restartAnswerOf, sourceChanges } from "./own-sources.ts";
import { type OwnMedia, Peer, type PeerState } from "./peer.ts";
import { BRIDGE_OWNER, type RemoteSource, remoteSources } from "./remote-sources.ts";
import type { SdpMedia } from "./sdp.ts";

export type IqOutcome<Stanza> =
  | { readonly kind: "result"; readonly stanza: Stanza }
  | { readonly kind: "error"; readonly error: StanzaError }
  | { readonly kind: "timeout" };

export interface JingleSessionOptions {
  readonly endpoint: string;
  readonly focusAddress: string;
  readonly ownAddress: string;
  readonly codecPreference: readonly string[];
  readonly lastN: number;
  readonly iceServers: readonly RTCIceServer[];
  readonly simulcast: boolean;
  readonly send: (jingle: Jingle) => Promise<IqOutcome<unknown>>;
  readonly on: (event: JingleSessionEvent) => void;
}

export type JingleSessionEvent =
  | { readonly kind: "state"; readonly state: PeerState }
  | { readonly kind: "sources"; readonly sources: readonly RemoteSource[] }
  | { readonly kind: "accepted" }
  | { readonly kind: "failed"; readonly reason: "offer" | "browser" | "refused"; readonly text: string }
  /** The focus refused to let us send (resource-constraint: too many senders). */
  | { readonly kind: "send-refused"; readonly media: OwnMedia; readonly condition: string };

export class JingleSession {
  readonly sid: string;
  readonly bridgeSessionId: string | undefined;
  readonly #options: JingleSessionOptions;
  readonly #peer: Peer;
  #plan: MediaPlan | undefined;
  #announced: Announced = { microphone: false, camera: false, screen: undefined };
  /** What the focus knows of us. */
  #known: EndpointSources = NO_SOURCES;
  #sections: readonly SdpMedia[] = [];
  #queue: Promise<void> = Promise.resolve();
  #dirty = false;
  #accepted = false;
  #iceGeneration = 0;
  #closed = false;

  constructor(offer: Jingle, options: JingleSessionOptions) {
    this.sid = offer.sid;
    this.bridgeSessionId = offer.bridgeSession?.id;
    this.#options = options;
    this.#peer = new Peer(options, {
      state: (state) => options.on({ kind: "state", state }),
      channel: () => undefined,
    });
  }

  /** URLs of the bridge channel in the offer. */
  get channelUrls(): readonly string[] {
    return this.#plan?.transport.webSockets ?? [];
  }

  /** Whether the offer asks for the SCTP data channel. */
  get hasDataContent(): boolean {
    return this.#plan?.sctpPort !== undefined;
  }

  get peer(): Peer {
    return this.#peer;
  }

  get accepted(): boolean {
    return this.#accepted;
  }

  get sources(): readonly RemoteSource[] {
    return this.#plan === undefined ? [] : receivedSources(this.#plan);
  }

  /** Takes the offer, answers it. `tracks` are what is sent from the first packet on. */
  start(
    offer: Jingle,
    tracks: ReadonlyMap<OwnMedia, MediaStreamTrack>,
    announced: { readonly microphone: boolean; readonly camera: boolean },
  ): Promise<void> {
    const plan = planOffer(offer, this.#options.codecPreference);
    if (isOfferFault(plan)) {
      this.#options.on({ kind: "failed", reason: "offer", text: plan.fault });
      return Promise.resolve();
    }
    this.#plan = plan;
    return this.#enqueue(async () => {
      for (const [media, track] of tracks) if (media !== "screen") await this.#peer.setTrack(media, track);
      this.#announced = { ...announced, screen: undefined };
      await this.#negotiate();
      const sources = ownSources(this.#sections, this.#options.endpoint, this.#announced);
      const outcome = await this.#options.send(
        acceptOf(
          this.#sections,
          sources,
          { sid: this.sid, initiator: this.#options.focusAddress, responder: this.#options.ownAddress },
          plan.sctpPort,
          this.#options.lastN,
        ),
      );
      if (this.#closed) return;
      if (outcome.kind !== "result") {
        const text = outcome.kind === "error" ? outcome.error.condition : "timeout";
        this.#options.on({ kind: "failed", reason: "refused", text });
        return;
      }
      this.#known = sources;
      this.#accepted = true;
      this.#options.on({ kind: "accepted" });
      const screen = tracks.get("screen");
      if (screen !== undefined) this.setScreen(screen);
    });
  }

  /** source-add of the focus, or new slots of a source map. */
  addSources(sources: readonly RemoteSource[]): void {
    this.#change((plan) =>
      addSources(
        plan,
        sources.filter((each) => each.owner !== BRIDGE_OWNER),
      ),
    );
  }

  addAnnounced(announced: ReadonlyMap<string, EndpointSources>): void {
    this.addSources(remoteSources(announced));
  }

  /** source-remove of the focus: matched by SSRC, because names may be left out. */
  removeAnnounced(announced: ReadonlyMap<string, EndpointSources>): void {
    const gone = new Set([...announced.values()].flatMap((own) => own.sources.map((each) => each.ssrc)));
    const names = this.sources.filter((each) => each.ssrcs.some((ssrc) => gone.has(ssrc))).map((each) => each.name);
    this.#remove(new Set(names));
  }

  /** Somebody left the room: no source-remove follows (signaling.md 4.7). */
  removeOwner(endpoint: string): void {
    this.#remove(new Set(this.sources.filter((each) => each.owner === endpoint).map((each) => each.name)));
  }

  #remove(names: ReadonlySet<string>): void {
    if (names.size > 0) this.#change((plan) => removeSources(plan, names));
  }

  #change(edit: (plan: MediaPlan) => MediaPlan): void {
    if (this.#plan === undefined || this.#closed) return;
    this.#plan = edit(this.#plan);
    this.#dirty = true;
    void this.#enqueue(async () => {
      if (this.#dirty) await this.#negotiate();
    });
  }

  /** Microphone or camera: announces the source when it is sent for the first time. */
  setTrack(media: "microphone" | "camera", track: MediaStreamTrack | undefined): Promise<void> {
    return this.#enqueue(async () => {
      await this.#peer.setTrack(media, track);
      if (track !== undefined && !this.#announced[media]) {
        this.#announced = { ...this.#announced, [media]: true };
        await this.#announce(media);
      }
    });
  }

  setScreen(track: MediaStreamTrack | undefined): Promise<void> {
    return this.#enqueue(async () => {
      const plan = this.#plan;
      if (plan === undefined) return;
      if (track !== undefined) {
        const { plan: next, mid } = addSendLine(plan);
        this.#plan = next;
        this.#announced = { ...this.#announced, screen: mid };
        await this.#negotiate();
        await this.#peer.setTrack("screen", track);
        await this.#announce("screen");
        return;
      }
      const mid = this.#announced.screen;
      await this.#peer.setTrack("screen", undefined);
      if (mid === undefined) return;
      this.#announced = { ...this.#announced, screen: undefined };
      await this.#announce("screen");
      this.#plan = removeSendLine(this.#plan ?? plan, mid);
      await this.#negotiate();
    });
  }

  /** Tells the focus what changed in what we send. */
  async #announce(media: OwnMedia): Promise<void> {
    if (!this.#accepted || this.#closed) return;
    const now = ownSources(this.#sections, this.#options.endpoint, this.#announced);
    const { added, removed } = sourceChanges(this.#known, now);
    this.#known = now;
    for (const [action, sources] of [["source-remove", removed] as const, ["source-add", added] as const]) {
      if (sources.sources.length === 0) continue;
      const outcome = await this.#options.send({
        action,
        sid: this.sid,
        initiator: this.#options.focusAddress,
        contents: [],
        sources: new Map([["", sources]]),
      });
      if (action === "source-add" && outcome.kind !== "result" && !this.#closed) {
        this.#known = sourceChanges(added, now).added;
        this.#announced =
          media === "screen" ? { ...this.#announced, screen: undefined } : { ...this.#announced, [media]: false };
        await this.#peer.setTrack(media, undefined);
        const condition = outcome.kind === "error" ? outcome.error.condition : "timeout";
        this.#options.on({ kind: "send-refused", media, condition });
      }
    }
  }

  async #negotiate(): Promise<void> {
    const plan = this.#plan;
    if (plan === undefined || this.#closed) return;
    this.#dirty = false;
    this.#sections = await this.#peer.negotiate(plan, this.#announced.screen);
    if (!this.#closed) this.#options.on({ kind: "sources", sources: this.sources });
  }

  /** The track that carries a source now. */
  track(sourceName: string): MediaStreamTrack | undefined {
    return this.receiver(sourceName)?.track;
  }

  receiver(sourceName: string): RTCRtpReceiver | undefined {
    const line = this.#plan === undefined ? undefined : lineOf(this.#plan, sourceName);
    return line === undefined ? undefined : this.#peer.receiver(line.mid);
  }

  /**
   * In-place ICE restart (signaling.md 4.9): takes the bridge's new transport and tells the focus ours, under the generation that it came with.
   * One that carries no newer generation says nothing.
   */
  restartIce(transport: IceTransport): void {
    const plan = this.#plan;
    const generation = transport.iceGeneration ?? 0;
    const restarted = plan === undefined ? undefined : withRestartedIce(plan.transport, transport);
    if (plan === undefined || restarted === undefined || generation <= this.#iceGeneration) return;
    this.#iceGeneration = generation;
    this.#change((current) => ({ ...current, transport: restarted }));
    void this.#enqueue(async () => {
      if (this.#iceGeneration === generation)
        await this.#options.send(restartAnswerOf(this.#sections, this.sid, this.#options.focusAddress, generation));
    });
  }

  /** Ends here, without telling the focus. */
  close(): void {
    this.#closed = true;
    this.#peer.close();
  }

  #enqueue(step: () => Promise<void>): Promise<void> {
    const run = this.#queue.then(async () => {
      if (this.#closed) return;
      try {
        await step();
      } catch (error) {
        if (!this.#closed) this.#options.on({ kind: "failed", reason: "browser", text: String(error) });
      }
    });
    this.#queue = run;
    return run;
  }
}
