/**
 * One endpoint's transport as a core: ICE (RFC 8445, 7675), DTLS (RFC 5764) and, where asked for, one SCTP data channel (RFC 8831) over the bridge's
 * shared port. Datagrams and time go in, actions come out by `poll()`; media itself does not come here, its keys go to the media loop.
 *
 * After each call that changes something (setRemote, restartIce, handleDatagram, handleTimeout, sendMessage, close): drain `poll()` until it answers
 * undefined, then set the timer to `nextDeadline()`. Nothing here throws on what the network sends.
 */
import { type Deadline, Deadlines, soonest } from "../../deadlines.ts";
import { later, type Millis } from "../../time.ts";
import type { Candidate, Fingerprint } from "../../wire/ice-transport.ts";
import type { MediaSocket, Path, SrtpMaster, SrtpProfile } from "../media-commands.ts";
import type { DataChannel, DataChannelFactory } from "./data-channel.ts";
import { isDtls, isStun } from "./demux.ts";
import { type DtlsContext, type DtlsFailure, DtlsSession } from "./dtls.ts";
import { IceAgent, type IceDrop, keyOf } from "./ice.ts";
import type { RandomBytes } from "./random.ts";
import { parseStun } from "./stun.ts";

export interface TransportOptions {
  /** ≥ 4 and ≥ 22 ice-chars, made with `makeUfrag`/`makePwd` of ice.ts. */
  readonly localUfrag: string;
  readonly localPwd: string;
  /** Our ICE role at the start; default true, as the focus always asks for it. */
  readonly controlling?: boolean;
  /** Our sockets in the order of the loop's `ready` event: which families and loopback we can send from. */
  readonly sockets: readonly MediaSocket[];
  /** Certificate and SRTP profile order, made once per certificate (dtls.ts). */
  readonly dtls: DtlsContext;
  /** Makes the data channel over DTLS; absent: no SCTP for this endpoint. */
  readonly dataChannel?: DataChannelFactory;
  readonly random: RandomBytes;
  /**
   * Called when actions have arisen outside of a call (the SCTP library works in promises and timers of its own): poll then, not from within.
   * Needed with `dataChannel` only.
   */
  readonly wake?: () => void;
}

/** What the peer signalled; may come in several pieces, each adding to the former. */
export interface RemoteTransport {
  readonly ufrag?: string | undefined;
  readonly pwd?: string | undefined;
  /** Answers the restart with this generation (bridge.md 1.9). */
  readonly iceGeneration?: number | undefined;
  /** Verified against the peer's certificate: the strongest hash among them decides. `setup` of the first that has one gives our DTLS role. */
  readonly fingerprints: readonly Fingerprint[];
  readonly candidates: readonly Candidate[];
}

export type TransportFailure =
  /** No pair became valid in time. */
  | "ice-timeout"
  /** Consent was not renewed for 30 s (RFC 7675 §5.1). */
  | "consent-expired"
  | DtlsFailure;

export type TransportAction =
  | { readonly type: "send"; readonly path: Path; readonly bytes: Uint8Array }
  /** An integrity-checked STUN message of this endpoint came from there: tell the loop that packets from it are this endpoint's. */
  | { readonly type: "accept-address"; readonly path: Path }
  /** The endpoint no longer uses it. */
  | { readonly type: "forget-address"; readonly path: Path }
  /** Send media there from now on. */
  | { readonly type: "select-path"; readonly path: Path }
  /**
   * What the loop needs to answer Binding requests on the selected path itself; again after an ICE restart was completed. Requests from other
   * paths, or with another ufrag, must come up here: they found new pairs.
   */
  | {
      readonly type: "ice-credentials";
      readonly localUfrag: string;
      readonly localPwd: string;
      readonly remoteUfrag: string;
    }
  | {
      readonly type: "srtp-keys";
      readonly profile: SrtpProfile;
      readonly receive: SrtpMaster;
      readonly send: SrtpMaster;
    }
  /** A pair was selected (first time, or again after a restart). */
  | { readonly type: "ice-connected" }
  /** ICE and DTLS are up; `srtp-keys` came just before. */
  | { readonly type: "connected" }
  | { readonly type: "channel-open" }
  /** One text message of the channel, at most 256 KiB. */
  | { readonly type: "channel-message"; readonly text: string }
  | { readonly type: "channel-closed" }
  /** A restart was given up after 20 s; the old pair goes on. */
  | { readonly type: "ice-restart-failed"; readonly generation: number }
  /** The transport is of no more use; `closed` follows. */
  | { readonly type: "failed"; readonly reason: TransportFailure }
  /** The peer ended DTLS, or `close` was called. Last action. */
  | { readonly type: "closed" };

export type TransportState = "new" | "ice-connected" | "connected" | "failed" | "closed";

export type TransportDrop =
  | IceDrop
  | "stun-malformed"
  | "dtls-unheard-address"
  | "dtls-early-queue-full"
  | "dtls-size"
  | "not-for-transport"
  | "remote-changed-fingerprint"
  | "remote-unknown-generation"
  | "transport-closed"
  | "channel-not-taken"
  | Parameters<Parameters<DataChannelFactory>[0]["dropped"]>[0];

/** DTLS that comes before its session can begin: two fragments a flight, eight flights. */
const MAX_EARLY_DATAGRAMS = 16;
/** bridge.md 3.7. */
const RESTART_GIVE_UP_MS = 20_000;
const RESTART_OVERLAP_MS = 3_000;

export class Transport {
  readonly #options: TransportOptions;
  #state: TransportState = "new";
  #agent: IceAgent;
  #restart: { readonly agent: IceAgent; readonly generation: number } | undefined;
  /** The agent that a restart replaced: answers the peer's last checks for a while. */
  #former: IceAgent | undefined;
  /** Generations given out so far, and that of the agent in use. */
  #generation = 0;
  #current = 0;
  #fingerprints: readonly Fingerprint[] = [];
  #dtls: DtlsSession | undefined;
  #early: Uint8Array[] = [];
  #channel: DataChannel | undefined;
  readonly #accepted = new Map<string, Path>();
  readonly #deadlines = new Deadlines<"restart-give-up" | "restart-overlap">();
  readonly #actions: TransportAction[] = [];
  readonly #dropped = new Map<TransportDrop, number>();
  /** Inside one of our calls: whoever made it polls afterwards. */
  #inside = false;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#agent = this.#newAgent(options.localUfrag, options.localPwd, options.controlling ?? true);
  }

  get state(): TransportState {
    return this.#state;
  }
  get selectedPath(): Path | undefined {
    return this.#agent.selectedPath;
  }
  /** Datagrams and messages dropped, by reason. */
  get dropped(): ReadonlyMap<TransportDrop, number> {
    return this.#dropped;
  }

  /** Adds what the peer signalled. Repeating the same is harmless; other credentials without a restart are taken as the peer's own restart. */
  setRemote(now: Millis, remote: RemoteTransport): void {
    this.#call(() => {
      const generation = remote.iceGeneration;
      let agent = this.#agent;
      if (generation !== undefined && generation !== this.#current) {
        if (this.#restart?.generation !== generation) return this.#drop("remote-unknown-generation");
        agent = this.#restart.agent;
      }
      if (remote.fingerprints.length > 0) {
        if (this.#dtls === undefined) this.#fingerprints = remote.fingerprints;
        else if (!sameFingerprints(this.#fingerprints, remote.fingerprints)) this.#drop("remote-changed-fingerprint");
      }
      agent.setRemote(now, remote.ufrag, remote.pwd, remote.candidates);
      this.#drainIce(now);
      this.#startDtls(now);
    });
  }

  /** Begins an ICE restart with new local credentials; the old pair carries media until the new one connects. Answers its generation (≥ 1). */
  restartIce(now: Millis, localUfrag: string, localPwd: string): number {
    this.#restart?.agent.close();
    this.#generation++;
    this.#restart = {
      agent: this.#newAgent(localUfrag, localPwd, this.#agent.controlling),
      generation: this.#generation,
    };
    this.#deadlines.set("restart-give-up", later(now, RESTART_GIVE_UP_MS));
    return this.#generation;
  }

  /** A datagram of this endpoint: STUN (with one of its ufrags, or an answer to its checks) or DTLS. */
  handleDatagram(now: Millis, path: Path, bytes: Uint8Array): void {
    this.#call(() => {
      const first = bytes[0];
      if (first === undefined) this.#drop("not-for-transport");
      else if (isStun(first)) this.#handleStun(now, path, bytes);
      else if (isDtls(first)) this.#handleDtls(now, path, bytes);
      else this.#drop("not-for-transport");
    });
  }

  handleTimeout(now: Millis): void {
    this.#call(() => {
      for (const why of this.#deadlines.due(now)) {
        if (why === "restart-overlap") this.#endFormer();
        else this.#giveUpRestart();
      }
      for (const agent of this.#agents()) agent.handleTimeout(now);
      this.#drainIce(now);
      this.#dtls?.handleTimeout(now);
      this.#drainDtls();
    });
  }

  nextDeadline(): Deadline | undefined {
    if (this.#over) return undefined;
    return soonest(
      this.#agent.nextDeadline(),
      this.#restart?.agent.nextDeadline(),
      this.#dtls?.nextDeadline(),
      this.#deadlines.soonest(),
    );
  }

  /** Queues a text on the data channel. False: no channel is open, or its send queue (1 MiB) is full. */
  sendMessage(text: string): boolean {
    let taken = false;
    this.#call(() => {
      taken = this.#channel?.send(text) ?? false;
      if (!taken) this.#drop("channel-not-taken");
    });
    return taken;
  }

  /** Says goodbye (close_notify) and ends. Browsers stop all media at it: only when the endpoint is really over. */
  close(): void {
    this.#call(() => this.#end("closed"));
  }

  poll(): TransportAction | undefined {
    return this.#actions.shift();
  }

  get #over(): boolean {
    return this.#state === "failed" || this.#state === "closed";
  }

  /** Runs one input; after the end nothing has an effect. */
  #call(work: () => void): void {
    if (this.#over) {
      this.#drop("transport-closed");
      return;
    }
    this.#inside = true;
    try {
      work();
    } finally {
      this.#inside = false;
    }
  }

  #handleStun(now: Millis, path: Path, bytes: Uint8Array): void {
    const message = parseStun(bytes);
    if (message === undefined) {
      this.#drop("stun-malformed");
      return;
    }
    let agent: IceAgent | undefined = this.#agent;
    if (message.class === "request") {
      const ufrag = message.username?.split(":", 1)[0];
      agent = this.#agents().find((each) => each.localUfrag === ufrag);
      if (agent === undefined) {
        this.#drop(ufrag === undefined ? "stun-no-username" : "stun-unknown-ufrag");
        return;
      }
    } else if (message.class !== "indication") {
      agent = this.#agents().find((each) => each.owns(message.transaction));
      if (agent === undefined) {
        this.#drop("stun-unknown-transaction");
        return;
      }
    }
    const drop = agent.handleStun(now, path, bytes, message);
    if (drop !== undefined) this.#drop(drop);
    this.#drainIce(now);
  }

  #handleDtls(now: Millis, path: Path, bytes: Uint8Array): void {
    if (!this.#agents().some((agent) => agent.hasHeard(path))) {
      this.#drop("dtls-unheard-address");
      return;
    }
    if (this.#dtls === undefined) {
      if (this.#early.length >= MAX_EARLY_DATAGRAMS) this.#drop("dtls-early-queue-full");
      else this.#early.push(bytes.slice());
      return;
    }
    if (!this.#dtls.handleDatagram(now, bytes)) this.#drop("dtls-size");
    this.#drainDtls();
  }

  #drainIce(now: Millis): void {
    for (const agent of this.#agents()) {
      for (let action = agent.poll(); action !== undefined; action = agent.poll()) {
        switch (action.type) {
          case "send":
            this.#actions.push(action);
            break;
          case "accept-address":
            if (!this.#accepted.has(keyOf(action.path))) this.#actions.push(action);
            this.#accepted.set(keyOf(action.path), action.path);
            break;
          case "forget-address": {
            const { path } = action;
            if (this.#agents().some((each) => each.hasHeard(path))) break;
            if (this.#accepted.delete(keyOf(path))) this.#actions.push(action);
            break;
          }
          case "select-path":
            this.#selected(now, agent, action.path);
            break;
          case "failed":
            if (agent === this.#restart?.agent) this.#giveUpRestart();
            else if (agent === this.#agent && this.#restart === undefined) {
              this.#end("failed", action.reason);
              return;
            }
        }
      }
    }
  }

  #selected(now: Millis, agent: IceAgent, path: Path): void {
    if (agent === this.#former) return;
    if (agent === this.#restart?.agent) {
      this.#former?.close();
      this.#former = this.#agent;
      this.#agent = agent;
      this.#current = this.#restart.generation;
      this.#restart = undefined;
      this.#deadlines.clear("restart-give-up");
      this.#deadlines.set("restart-overlap", later(now, RESTART_OVERLAP_MS));
    }
    const { localUfrag, localPwd, remoteUfrag } = agent;
    if (remoteUfrag !== undefined) this.#actions.push({ type: "ice-credentials", localUfrag, localPwd, remoteUfrag });
    this.#actions.push({ type: "select-path", path });
    if (this.#state === "new") this.#state = "ice-connected";
    this.#actions.push({ type: "ice-connected" });
    this.#startDtls(now);
  }

  #giveUpRestart(): void {
    if (this.#restart === undefined) return;
    const { agent, generation } = this.#restart;
    agent.close();
    this.#restart = undefined;
    this.#deadlines.clear("restart-give-up");
    this.#actions.push({ type: "ice-restart-failed", generation });
    // The pair that the restart was to replace may have died meanwhile.
    if (this.#agent.over) this.#end("failed", "consent-expired");
  }

  #endFormer(): void {
    this.#former?.close();
    this.#former = undefined;
    for (const [key, path] of this.#accepted) {
      if (this.#agents().some((agent) => agent.hasHeard(path))) continue;
      this.#accepted.delete(key);
      this.#actions.push({ type: "forget-address", path });
    }
  }

  /** As soon as there is a pair to send on and a fingerprint to check against. */
  #startDtls(now: Millis): void {
    if (this.#dtls !== undefined || this.#over) return;
    if (this.selectedPath === undefined || this.#fingerprints.length === 0) return;
    // RFC 8842 §5: whoever says active sends the ClientHello; bridge.md 3.6.
    const setup = this.#fingerprints.find((each) => each.setup !== undefined)?.setup ?? "active";
    const role = setup === "active" ? "server" : "client";
    this.#dtls = new DtlsSession(now, this.#options.dtls, role, this.#fingerprints);
    this.#drainDtls();
    const early = this.#early;
    this.#early = [];
    for (const bytes of early) {
      if (!this.#dtls.handleDatagram(now, bytes)) this.#drop("dtls-size");
      this.#drainDtls();
      if (this.#over) return;
    }
  }

  #drainDtls(): void {
    const session = this.#dtls;
    if (session === undefined) return;
    for (let action = session.poll(); action !== undefined; action = session.poll()) {
      switch (action.type) {
        case "send": {
          const path = this.selectedPath;
          if (path !== undefined) this.#push({ type: "send", path, bytes: action.bytes });
          break;
        }
        case "connected": {
          const { profile, receive, send } = action;
          this.#state = "connected";
          this.#push({ type: "srtp-keys", profile, receive, send });
          this.#push({ type: "connected" });
          this.#channel = this.#options.dataChannel?.({
            sendPacket: (packet) => {
              this.#dtls?.send(packet);
              this.#drainDtls();
            },
            open: () => this.#push({ type: "channel-open" }),
            message: (text) => this.#push({ type: "channel-message", text }),
            closed: () => this.#push({ type: "channel-closed" }),
            dropped: (reason) => this.#drop(reason),
          });
          break;
        }
        case "data":
          this.#channel?.handlePacket(action.bytes);
          break;
        case "failed":
          this.#end("failed", action.reason);
          return;
        case "closed":
          this.#end("closed");
          return;
      }
    }
  }

  #end(state: "failed" | "closed", reason?: TransportFailure): void {
    if (this.#over) return;
    this.#channel?.close();
    this.#dtls?.close();
    this.#drainDtls();
    this.#state = state;
    for (const agent of this.#agents()) agent.close();
    this.#early = [];
    for (const path of this.#accepted.values()) this.#actions.push({ type: "forget-address", path });
    this.#accepted.clear();
    if (reason !== undefined) this.#actions.push({ type: "failed", reason });
    this.#push({ type: "closed" });
  }

  #push(action: TransportAction): void {
    if (this.#over && action.type !== "closed") return;
    this.#actions.push(action);
    if (!this.#inside && this.#actions.length === 1) this.#options.wake?.();
  }

  #drop(reason: TransportDrop): void {
    this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + 1);
  }

  #agents(): readonly IceAgent[] {
    const agents = [this.#agent];
    if (this.#restart !== undefined) agents.push(this.#restart.agent);
    if (this.#former !== undefined) agents.push(this.#former);
    return agents;
  }

  #newAgent(localUfrag: string, localPwd: string, controlling: boolean): IceAgent {
    const { sockets, random } = this.#options;
    return new IceAgent({ localUfrag, localPwd, controlling, sockets, random });
  }
}

const sameFingerprints = (a: readonly Fingerprint[], b: readonly Fingerprint[]): boolean =>
  b.every((each) => a.some(({ hash, value }) => hash === each.hash && value === each.value));
