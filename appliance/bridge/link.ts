/**
 * One peer's place in the media loop and its transport: what endpoints and relays have in common. Turns the transport's actions into media commands.
 */
import type { Deadline } from "../deadlines.ts";
import type { Millis } from "../time.ts";
import type { IceTransport } from "../wire/ice-transport.ts";
import { candidates, plainAddress } from "./addresses.ts";
import type { BridgeContext, SctpRole, TransportCore } from "./context.ts";
import type { EndpointIndex, MediaSocket, Path } from "./media-commands.ts";
import type { TransportFailure } from "./transport/transport.ts";

/** Sockets that the loop opened for one link: their indexes begin at `first`. */
export interface OwnPort {
  readonly first: number;
  readonly sockets: readonly MediaSocket[];
}

/** What the owner is told. */
export interface LinkOwner {
  linkConnected(now: Millis): void;
  linkFailed(now: Millis, reason: TransportFailure): void;
  linkClosed(now: Millis): void;
  dataChannelOpen(now: Millis): void;
  dataChannelText(now: Millis, text: string): void;
  dataChannelClosed(now: Millis): void;
}

export interface LinkOptions {
  readonly index: EndpointIndex;
  readonly conference: number;
  readonly controlling: boolean;
  readonly sctp: SctpRole | undefined;
  readonly ssrcRewriting: boolean;
  readonly relay: boolean;
  /** The peer is told private addresses whatever the configuration says (bridge.md 1.2). */
  readonly privateAddresses: boolean;
  /** Sockets of its own; undefined: those of the media port. */
  readonly port?: OwnPort | undefined;
}

const MAX_RELAYED = 32;

export class Link {
  readonly index: EndpointIndex;
  readonly #context: BridgeContext;
  readonly #owner: LinkOwner;
  readonly #transport: TransportCore;
  readonly #fingerprint: string;
  readonly #controlling: boolean;
  readonly #port: OwnPort | undefined;
  readonly #privateAddresses: boolean;
  /** Registered with the demultiplexer, the current one last. */
  #ufrags: string[];
  #localUfrag: string;
  #localPwd: string;
  #generation: number | undefined;
  #closed = false;
  #wasIceConnected = false;
  /** Addresses that the peer says are of a TURN server. */
  readonly #relayed = new Set<string>();
  #selected: Path | undefined;
  #restarting = false;
  #wasConnected = false;
  /** Of the transport, since the last input; asked for after every input to any link. */
  #deadline: Deadline | undefined;
  #deadlineKnown = false;

  constructor(context: BridgeContext, owner: LinkOwner, options: LinkOptions) {
    this.#context = context;
    this.#owner = owner;
    this.index = options.index;
    this.#controlling = options.controlling;
    this.#port = options.port;
    this.#privateAddresses = options.privateAddresses;
    this.#localUfrag = context.ufrag();
    this.#localPwd = context.pwd();
    this.#ufrags = [this.#localUfrag];
    this.#fingerprint = context.transports.fingerprint;
    this.#transport = context.transports.create({
      localUfrag: this.#localUfrag,
      localPwd: this.#localPwd,
      controlling: options.controlling,
      sockets: this.#port?.sockets ?? context.sockets,
      sctp: options.sctp,
      wake: () => context.wake(this),
    });
    context.links.set(this.index, this);
    context.demux.add(this.#localUfrag, this.#localPwd, this);
    context.media({
      type: "add-endpoint",
      endpoint: this.index,
      conference: options.conference,
      ...(options.ssrcRewriting ? { ssrcRewriting: true } : {}),
      ...(options.relay ? { relay: true } : {}),
    });
  }

  get state(): TransportCore["state"] {
    return this.#transport.state;
  }

  get iceConnected(): boolean {
    return this.#wasIceConnected;
  }

  get connected(): boolean {
    return this.#wasConnected;
  }

  /** Our side, as it is signalled. */
  description(webSockets: readonly string[]): IceTransport {
    return {
      ufrag: this.#localUfrag,
      pwd: this.#localPwd,
      ...(this.#generation !== undefined ? { iceGeneration: this.#generation } : {}),
      rtcpMux: true,
      fingerprints: [
        { hash: "sha-256", value: this.#fingerprint, setup: this.#generation === undefined ? "actpass" : "passive" },
      ],
      candidates: candidates(this.#port?.sockets ?? this.#context.sockets, {
        advertise: this.#context.settings.advertise ?? [],
        withPrivate: this.#privateAddresses || this.#context.settings.advertisePrivate !== false,
        id: () => this.#context.hex(10),
      }),
      webSockets,
    };
  }

  setRemote(now: Millis, remote: IceTransport): void {
    for (const { type, ip, port } of remote.candidates)
      if (type === "relay" && this.#relayed.size < MAX_RELAYED) this.#relayed.add(`${plainAddress(ip)} ${port}`);
    this.#transport.setRemote(now, {
      ufrag: remote.ufrag,
      pwd: remote.pwd,
      iceGeneration: remote.iceGeneration,
      fingerprints: remote.fingerprints,
      candidates: remote.candidates,
    });
    this.#drain(now);
  }

  /** False: there is nothing yet that could be restarted. */
  restartIce(now: Millis): boolean {
    if (this.#transport.state !== "connected") return false;
    this.#localUfrag = this.#context.ufrag();
    this.#localPwd = this.#context.pwd();
    // The restart before this one, if it still runs, is superseded.
    if (this.#restarting) this.#context.counters.iceRestartsSuperseded++;
    this.#restarting = true;
    for (const old of this.#ufrags.splice(1)) this.#context.demux.remove(old);
    this.#ufrags.push(this.#localUfrag);
    this.#generation = this.#transport.restartIce(now, this.#localUfrag, this.#localPwd);
    this.#context.demux.add(this.#localUfrag, this.#localPwd, this);
    this.#drain(now);
    return true;
  }

  handleDatagram(now: Millis, path: Path, bytes: Uint8Array): void {
    const first = this.#port?.first ?? 0;
    const count = this.#port?.sockets.length ?? this.#context.sockets.length;
    const socket = path.socket - first;
    if (socket < 0 || socket >= count) {
      this.#context.counters.drop("datagram-on-other-port");
      return;
    }
    this.#transport.handleDatagram(now, { ...path, socket }, bytes);
    this.#drain(now);
  }

  /** The transport counts its own sockets from 0. */
  #outer(path: Path): Path {
    return this.#port === undefined ? path : { ...path, socket: path.socket + this.#port.first };
  }

  handleTimeout(now: Millis): void {
    this.#transport.handleTimeout(now);
    this.#drain(now);
  }

  /** The transport has something to say. */
  woken(now: Millis): void {
    this.#drain(now);
  }

  nextDeadline(): Deadline | undefined {
    if (this.#closed) return undefined;
    if (!this.#deadlineKnown) {
      this.#deadline = this.#transport.nextDeadline();
      this.#deadlineKnown = true;
    }
    return this.#deadline;
  }

  /** False: no data channel, or its queue is full. */
  sendText(now: Millis, text: string): boolean {
    const taken = this.#transport.sendMessage(text);
    this.#drain(now);
    return taken;
  }

  close(now: Millis): void {
    if (this.#closed) return;
    this.#transport.close();
    this.#drain(now);
    this.#closed = true;
    for (const ufrag of this.#ufrags) this.#context.demux.remove(ufrag);
    this.#context.media({ type: "remove-endpoint", endpoint: this.index });
    if (this.#port !== undefined) this.#context.media({ type: "close-port", first: this.#port.first });
  }

  /** Ends every input to the transport. */
  #drain(now: Millis): void {
    this.#deadlineKnown = false;
    if (this.#closed) return;
    const endpoint = this.index;
    for (let action = this.#transport.poll(); action !== undefined; action = this.#transport.poll()) {
      switch (action.type) {
        case "send":
          this.#context.media({ ...action, path: this.#outer(action.path) });
          break;
        case "accept-address":
        case "forget-address":
        case "select-path":
          if (action.type === "select-path") this.#selected = action.path;
          this.#context.media({ type: action.type, endpoint, path: this.#outer(action.path) });
          break;
        case "ice-credentials":
          this.#context.media({ ...action, endpoint, controlling: this.#controlling });
          this.#credentialsInUse(action.localUfrag);
          break;
        case "srtp-keys":
          this.#context.media({ ...action, endpoint });
          break;
        case "ice-connected":
          if (!this.#wasIceConnected) this.#countConnected();
          this.#wasIceConnected = true;
          break;
        case "connected":
          this.#wasConnected = true;
          this.#owner.linkConnected(now);
          break;
        case "channel-open":
          this.#owner.dataChannelOpen(now);
          break;
        case "channel-message":
          this.#owner.dataChannelText(now, action.text);
          break;
        case "channel-closed":
          this.#owner.dataChannelClosed(now);
          break;
        case "ice-restart-failed":
          this.#restartFailed(action.generation);
          break;
        case "failed":
          this.#owner.linkFailed(now, action.reason);
          break;
        case "closed":
          this.#owner.linkClosed(now);
          break;
      }
    }
  }

  #countConnected(): void {
    this.#context.counters.iceSucceeded++;
    const path = this.#selected;
    if (path !== undefined && this.#relayed.has(`${plainAddress(path.address)} ${path.port}`))
      this.#context.counters.iceSucceededRelayed++;
  }

  /** After a restart the former credentials stay registered only until the next one begins: late checks still find the endpoint. */
  #credentialsInUse(ufrag: string): void {
    const place = this.#ufrags.indexOf(ufrag);
    if (place > 0 && this.#restarting) {
      this.#restarting = false;
      this.#context.counters.iceRestartsSucceeded++;
    }
    if (place > 0) for (const old of this.#ufrags.splice(0, place - 1)) this.#context.demux.remove(old);
  }

  #restartFailed(generation: number): void {
    this.#context.counters.iceRestartsFailed++;
    if (generation !== this.#generation) return;
    this.#restarting = false;
    const failed = this.#ufrags.length > 1 ? this.#ufrags.pop() : undefined;
    if (failed !== undefined) this.#context.demux.remove(failed);
  }
}
