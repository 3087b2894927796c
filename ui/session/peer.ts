/**
 * Shell: one RTCPeerConnection toward the bridge. Takes a media plan, makes the browser agree to it, and hands out its tracks, parameters and
 * statistics. Knows nothing of Jingle.
 */
import { type Line, type MediaPlan, remoteSdp } from "./media-plan.ts";
import { CAMERA_MID } from "./own-sources.ts";
import { readSdp, type SdpMedia } from "./sdp.ts";
import { Settling } from "./settling.ts";
import { activeLayers, CAMERA_LAYERS, SCREEN_MAX_BITRATE_BPS, withSimulcast } from "./simulcast.ts";

export type PeerState = "new" | "connecting" | "connected" | "disconnected" | "failed";

export interface PeerEvents {
  readonly state: (state: PeerState) => void;
  readonly channel: (channel: RTCDataChannel) => void;
}

export interface PeerOptions {
  readonly iceServers: readonly RTCIceServer[];
  readonly simulcast: boolean;
}

/** Waits before the parameters of a sender are tried again that a browser refused, ms. */
const RETRY_MS = [100, 400, 1600] as const;

/** What is sent on a line of ours. */
export type OwnMedia = "microphone" | "camera" | "screen";

const isGecko = (): boolean => "mozInnerScreenX" in globalThis;

export class Peer {
  readonly #connection: RTCPeerConnection;
  readonly #options: PeerOptions;
  readonly #rids: boolean;
  #version = 1;
  #screenMid: string | undefined;
  /** Wanted by the bridge, px; −1: no limit. */
  readonly #wanted = new Map<OwnMedia, number>();
  readonly #tracks = new Map<OwnMedia, MediaStreamTrack>();
  /** A browser refuses the second of two calls at a time to a sender, and what that one asked for would be lost. */
  readonly #parameters = {
    camera: new Settling(() => this.#applyParameters("camera")),
    screen: new Settling(() => this.#applyParameters("screen")),
  } as const;
  /** Refusals in a row. */
  readonly #refusals = { camera: 0, screen: 0 };
  #closed = false;

  constructor(options: PeerOptions, events: PeerEvents) {
    this.#options = options;
    this.#rids = options.simulcast && isGecko();
    this.#connection = new RTCPeerConnection({
      iceServers: [...options.iceServers],
      bundlePolicy: "max-bundle",
      rtcpMuxPolicy: "require",
    });
    const connection = this.#connection;
    connection.addEventListener("connectionstatechange", () => {
      const state = connection.connectionState;
      if (!this.#closed && state !== "closed") events.state(state);
    });
    connection.addEventListener("datachannel", (event) => events.channel(event.channel));
  }

  /** Agrees to a plan; the sections of our own description come back. One call at a time. */
  async negotiate(plan: MediaPlan, screenMid: string | undefined): Promise<readonly SdpMedia[]> {
    const connection = this.#connection;
    this.#version += 1;
    this.#screenMid = screenMid;
    await connection.setRemoteDescription({
      type: "offer",
      sdp: remoteSdp(plan, { version: this.#version, rids: this.#rids }),
    });
    for (const line of plan.lines) this.#direct(line);
    const answer = await connection.createAnswer();
    await this.#setLocal(answer);
    await this.#attachAll();
    return readSdp(connection.localDescription?.sdp ?? "");
  }

  #direct(line: Line): void {
    const transceiver = this.#transceiver(line.mid);
    if (transceiver === undefined) return;
    const direction = (
      { own: "sendrecv", send: "sendonly", receive: "recvonly", free: "inactive", channel: undefined } as const
    )[line.use.kind];
    if (direction !== undefined && transceiver.direction !== direction) transceiver.direction = direction;
  }

  async #setLocal(answer: RTCSessionDescriptionInit): Promise<void> {
    const connection = this.#connection;
    if (!this.#options.simulcast || this.#rids) return connection.setLocalDescription(answer);
    const newSsrc = (): number => {
      const [random] = crypto.getRandomValues(new Uint32Array(1));
      return random === undefined || random === 0 ? 1 : random;
    };
    const sdp = withSimulcast(answer.sdp ?? "", CAMERA_MID, newSsrc);
    try {
      await connection.setLocalDescription({ type: "answer", sdp });
    } catch (error) {
      // A browser that refuses named layers still sends one picture: better than none.
      console.warn("simulcast refused by the browser", error);
      await connection.setLocalDescription(answer);
    }
  }

  #transceiver(mid: string): RTCRtpTransceiver | undefined {
    return this.#connection.getTransceivers().find((each) => each.mid === mid);
  }

  #sender(media: OwnMedia): RTCRtpSender | undefined {
    const mid = media === "microphone" ? "0" : media === "camera" ? CAMERA_MID : this.#screenMid;
    return mid === undefined ? undefined : this.#transceiver(mid)?.sender;
  }

  async #attachAll(): Promise<void> {
    for (const media of ["microphone", "camera", "screen"] as const) await this.#attach(media);
  }

  async #attach(media: OwnMedia): Promise<void> {
    const sender = this.#sender(media);
    const track = this.#tracks.get(media) ?? null;
    if (sender === undefined) return;
    if (sender.track !== track) await sender.replaceTrack(track);
    if (media !== "microphone") await this.#parameters[media].settle();
  }

  /** Sends this track from now on, or nothing. */
  async setTrack(media: OwnMedia, track: MediaStreamTrack | undefined): Promise<void> {
    if (track === undefined) this.#tracks.delete(media);
    else this.#tracks.set(media, track);
    await this.#attach(media);
  }

  /** How high a picture anybody wants, px; −1: no limit; 0: nobody looks (SenderSourceConstraints). */
  async setWanted(media: "camera" | "screen", maxHeight: number): Promise<void> {
    this.#wanted.set(media, maxHeight);
    await this.#parameters[media].settle();
  }

  async #applyParameters(media: "camera" | "screen"): Promise<void> {
    const sender = this.#sender(media);
    if (sender === undefined || this.#closed) return;
    try {
      await this.#setParameters(media, sender);
      this.#refusals[media] = 0;
    } catch (error) {
      // Between two negotiations a sender's encodings may not be what they were a moment ago.
      console.warn("parameters not taken", error);
      const waitMs = RETRY_MS[this.#refusals[media]];
      this.#refusals[media] += 1;
      if (waitMs !== undefined) setTimeout(() => void this.#parameters[media].settle(), waitMs);
    }
  }

  async #setParameters(media: "camera" | "screen", sender: RTCRtpSender): Promise<void> {
    const parameters = sender.getParameters();
    const count = parameters.encodings.length;
    if (count === 0) return;
    const wanted = this.#wanted.get(media) ?? -1;
    const height = this.#tracks.get(media)?.getSettings().height ?? 720;
    const active = activeLayers(count, height, wanted);
    const layers = CAMERA_LAYERS.slice(-count);
    parameters.encodings.forEach((encoding, i) => {
      const layer = layers[i];
      if (layer === undefined) return;
      if (media === "screen") {
        encoding.active = wanted !== 0;
        encoding.maxBitrate = SCREEN_MAX_BITRATE_BPS;
        return;
      }
      encoding.active = active[i] ?? true;
      encoding.maxBitrate = layer.maxBitrateBps;
      encoding.scaleResolutionDownBy = layer.scaleDown;
    });
    await sender.setParameters(parameters);
  }

  /** The track that a line receives. */
  receiver(mid: string): RTCRtpReceiver | undefined {
    return this.#transceiver(mid)?.receiver;
  }

  openChannel(): RTCDataChannel {
    return this.#connection.createDataChannel("JVB data channel", { protocol: "http://jitsi.org/protocols/colibri" });
  }

  stats(): Promise<RTCStatsReport> {
    return this.#connection.getStats();
  }

  get state(): PeerState {
    const state = this.#connection.connectionState;
    return state === "closed" ? "failed" : state;
  }

  close(): void {
    this.#closed = true;
    this.#connection.close();
  }
}
