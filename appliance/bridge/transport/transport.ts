/**
 * One endpoint's transport as a core: ICE (RFC 8445, 7675), DTLS (RFC 5764) and, where asked for, one SCTP data channel (RFC 8831) over the bridge's
 * shared port. Datagrams and time go in, actions come out by `poll()`; media itself does not come here, its keys go to the media loop.
 *
 * After each call that changes something (setRemote, restartIce, handleDatagram, handleTimeout, sendMessage, close): drain `poll()` until it answers
 * undefined, then set the timer to `nextDeadline()`. Nothing here throws on what the network sends.
 */
import type { Deadline } from "../../deadlines.ts";
import type { Millis } from "../../time.ts";
import type { Candidate, Fingerprint } from "../../wire/ice-transport.ts";
import type { MediaSocket, Path, SrtpMaster, SrtpProfile } from "../media-commands.ts";
import type { DataChannelFactory } from "./data-channel.ts";
import type { DtlsContext } from "./dtls.ts";
import type { RandomBytes } from "./random.ts";

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
  | "dtls-timeout"
  | "dtls-alert"
  | "dtls-protocol"
  | "dtls-fingerprint"
  | "dtls-no-common-profile"
  | "dtls-no-extended-master-secret";

export type TransportAction =
  | { readonly type: "send"; readonly path: Path; readonly bytes: Uint8Array }
  /** An integrity-checked STUN message of this endpoint came from there: tell the loop that packets from it are this endpoint's. */
  | { readonly type: "accept-address"; readonly path: Path }
  /** The endpoint no longer uses it. */
  | { readonly type: "forget-address"; readonly path: Path }
  /** Send media there from now on. */
  | { readonly type: "select-path"; readonly path: Path }
  /** What the loop needs to answer Binding requests on the selected path itself; again after an ICE restart was completed. */
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

export declare class Transport {
  constructor(options: TransportOptions);
  readonly state: TransportState;
  /** Datagrams and messages dropped, by reason. */
  readonly dropped: ReadonlyMap<string, number>;
  readonly selectedPath: Path | undefined;
  /** Adds what the peer signalled. Repeating the same is harmless; other credentials without a restart are taken as the peer's restart. */
  setRemote(now: Millis, remote: RemoteTransport): void;
  /** Begins an ICE restart with new local credentials; the old pair carries media until the new one connects. Answers its generation (≥ 1). */
  restartIce(now: Millis, localUfrag: string, localPwd: string): number;
  /** A datagram of this endpoint: STUN (with one of its ufrags, or an answer to its checks) or DTLS. */
  handleDatagram(now: Millis, path: Path, bytes: Uint8Array): void;
  handleTimeout(now: Millis): void;
  nextDeadline(): Deadline | undefined;
  /** Queues a text on the data channel. False: no channel is open, or its send queue (1 MiB) is full. */
  sendMessage(now: Millis, text: string): boolean;
  /** Says goodbye (close_notify) and ends. */
  close(now: Millis): void;
  poll(): TransportAction | undefined;
}
