/**
 * What all of the bridge's control side shares: the actions it answers with, the numbers it hands out, its counters. A core: randomness, DTLS and
 * transports are handed in.
 */

import type { Deadline } from "../deadlines.ts";
import type { Millis } from "../time.ts";
import type { Element } from "../wire/xml.ts";
import type { PublicAddress } from "./addresses.ts";
import { BridgeCounters } from "./counters.ts";
import type { Link, OwnPort } from "./link.ts";
import type { MediaCommand, MediaEvent, MediaSocket, Path } from "./media-commands.ts";
import type { MucClientLogin } from "./muc-client-json.ts";
import { QUALITY_STEPS, type QualityLimits } from "./quality.ts";
import type { StunDemux } from "./transport/stun-demux.ts";
import type { RemoteTransport, Transport, TransportAction } from "./transport/transport.ts";

/** Number of a WebSocket that the shell has accepted or opened; never used twice. */
export type ChannelId = number;

/** Number of one of the XMPP servers that are served; never used twice. */
export type MucClientNumber = number;

export type BridgeAction =
  /** To that XMPP server; lost while there is no session. */
  | { readonly type: "stanza"; readonly client: MucClientNumber; readonly stanza: Element }
  /** Log in to one more XMPP server; `xmppOnline`, `stanza`, `xmppOffline` follow under that number. */
  | { readonly type: "muc-client-open"; readonly client: MucClientNumber; readonly login: MucClientLogin }
  /** End the stream after what was sent to it. */
  | { readonly type: "muc-client-close"; readonly client: MucClientNumber }
  | { readonly type: "media"; readonly command: MediaCommand }
  | { readonly type: "channel-text"; readonly channel: ChannelId; readonly text: string }
  | { readonly type: "channel-close"; readonly channel: ChannelId; readonly code: number; readonly reason: string }
  /** Open a WebSocket as client; `channelOpened`, `channelText`, `channelClosed` follow under that number. */
  | {
      readonly type: "channel-dial";
      readonly channel: ChannelId;
      readonly url: string;
      readonly headers: Readonly<Record<string, string>>;
    }
  /** The peer of a dialled WebSocket is silent: drop the connection and dial again. */
  | { readonly type: "channel-redial"; readonly channel: ChannelId }
  /** Open a UDP socket on that address of ours, that the loop sends an export's packets to; `tapOpened`, `tapDatagram` follow. */
  | { readonly type: "tap-open"; readonly tap: number; readonly address: string }
  | { readonly type: "tap-close"; readonly tap: number }
  | {
      readonly type: "log";
      readonly level: "debug" | "info" | "warn";
      readonly message: string;
      readonly fields: Readonly<Record<string, string | number | boolean>>;
    }
  /** The bridge has nothing left to do: end the process's part. */
  | { readonly type: "shutdown" };

/** What is needed of Transport; the class fits. */
export interface TransportCore {
  readonly state: Transport["state"];
  readonly dropped: ReadonlyMap<string, number>;
  setRemote(now: Millis, remote: RemoteTransport): void;
  restartIce(now: Millis, localUfrag: string, localPwd: string): number;
  handleDatagram(now: Millis, path: Path, bytes: Uint8Array): void;
  handleTimeout(now: Millis): void;
  nextDeadline(): Deadline | undefined;
  sendMessage(text: string): boolean;
  close(): void;
  poll(): TransportAction | undefined;
}

/** The client makes the association and opens the channel. */
export type SctpRole = "server" | "client";

/** Makes the transports of new endpoints with the certificate that is current. */
export interface TransportFactory {
  /** `sha-256` fingerprint of the current certificate. */
  readonly fingerprint: string;
  create(options: {
    readonly localUfrag: string;
    readonly localPwd: string;
    readonly controlling: boolean;
    readonly sockets: readonly MediaSocket[];
    /** Which side of SCTP we are; undefined: none. */
    readonly sctp: SctpRole | undefined;
    /** Actions have arisen outside of a call. */
    readonly wake: () => void;
  }): TransportCore;
}

export interface BridgeSettings {
  /** Full room JID of the brewery. */
  readonly brewery: string;
  readonly serverId: string;
  readonly channelHost: string;
  readonly relayUrl?: string;
  readonly region: string | undefined;
  /** Name of a set of bridges that may share a conference (bridge.md 1.11); absent: none. */
  readonly release?: string | undefined;
  readonly sctp: boolean;
  readonly loudestSpeakers: number;
  /** Public addresses that lead here; absent: none. */
  readonly advertise?: readonly PublicAddress[];
  /** Absent: true. */
  readonly advertisePrivate?: boolean;
  readonly version: string;
  readonly os: string;
  /** Slots of the media loop's tables. */
  readonly maxEndpoints: number;
  readonly maxSources: number;
  readonly maxConferences: number;
  /** Cameras that may be forwarded at once; absent or 0: what the machine carries. */
  readonly maxCameras?: number;
  /** µs of the media core for one forwarded packet, measured at start; absent: a guess for a PC. */
  readonly microsPerPacket?: number;
  /** Who encrypts, and the µs of a packet, measured at start. */
  readonly srtp?: Extract<MediaEvent, { type: "ready" }>["providers"];
}

/** Numbers 0 … size − 1, each given out once until it is given back. */
export class IndexPool {
  readonly #free: number[] = [];
  #next = 0;
  constructor(readonly size: number) {}

  get available(): number {
    return this.size - this.#next + this.#free.length;
  }

  take(): number | undefined {
    return this.#free.pop() ?? (this.#next < this.size ? this.#next++ : undefined);
  }

  give(index: number): void {
    if (index >= 0 && index < this.#next && !this.#free.includes(index)) this.#free.push(index);
  }
}

/** Random bytes, `count` of them. */
export type RandomBytes = (count: number) => Uint8Array;

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const UFRAG_LENGTH = 14;
const PWD_LENGTH = 26;
const CHANNEL_SECRET_LENGTH = 24;

export class BridgeContext {
  readonly counters = new BridgeCounters();
  readonly endpointIndices: IndexPool;
  readonly sourceIndices: IndexPool;
  /** By the loop's endpoint number. */
  readonly links = new Map<number, Link>();
  #out: BridgeAction[] = [];
  #channels = 0;
  #conferences = 0;
  /** Set when the loop is ready. */
  sockets: readonly MediaSocket[] = [];
  /** What anybody may have at most while the bridge is loaded. */
  quality: QualityLimits = QUALITY_STEPS[0] as QualityLimits;
  #sparePort: OwnPort | undefined;
  #portWanted = false;

  constructor(
    readonly settings: BridgeSettings,
    readonly transports: TransportFactory,
    readonly demux: StunDemux<Link>,
    readonly random: RandomBytes,
    /** Called when a link has something to say outside of any input: `Bridge.woken` then, not from within. */
    readonly wake: (link: Link) => void,
  ) {
    this.endpointIndices = new IndexPool(settings.maxEndpoints);
    this.sourceIndices = new IndexPool(settings.maxSources);
  }

  act(action: BridgeAction): void {
    this.#out.push(action);
  }

  media(command: MediaCommand): void {
    this.#out.push({ type: "media", command });
  }

  log(
    level: "debug" | "info" | "warn",
    message: string,
    fields: Readonly<Record<string, string | number | boolean>> = {},
  ): void {
    this.#out.push({ type: "log", level, message, fields });
  }

  /** A port for one link alone, if there is one yet; in any case the next one is asked for. */
  takePort(): OwnPort | undefined {
    const port = this.#sparePort;
    this.#sparePort = undefined;
    if (!this.#portWanted) this.media({ type: "open-port" });
    this.#portWanted = true;
    return port;
  }

  portOpened(port: OwnPort): void {
    this.#portWanted = false;
    this.#sparePort = port;
  }

  /** Asks for a spare port ahead of need. */
  preparePort(): void {
    if (this.#portWanted || this.#sparePort !== undefined) return;
    this.#portWanted = true;
    this.media({ type: "open-port" });
  }

  /** What has been asked for since the last call, in order. */
  take(): readonly BridgeAction[] {
    const out = this.#out;
    this.#out = [];
    return out;
  }

  newChannel(): ChannelId {
    return ++this.#channels;
  }

  newConference(): number {
    return this.#conferences++;
  }

  /** 1 … 2³² − 1. */
  ssrc(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.random(4);
    return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0 || 1;
  }

  /** Lower-case hex of that many random bytes. */
  hex(bytes: number): string {
    return this.random(bytes).reduce((text, byte) => text + byte.toString(16).padStart(2, "0"), "");
  }

  ufrag(): string {
    return this.#letters(UFRAG_LENGTH);
  }

  pwd(): string {
    return this.#letters(PWD_LENGTH);
  }

  channelSecret(): string {
    return this.#letters(CHANNEL_SECRET_LENGTH);
  }

  /** Unbiased: bytes beyond the last whole multiple are drawn again. */
  #letters(length: number): string {
    const usable = 256 - (256 % LETTERS.length);
    let text = "";
    while (text.length < length)
      for (const byte of this.random(length))
        if (byte < usable && text.length < length) text += LETTERS[byte % LETTERS.length];
    return text;
  }
}
