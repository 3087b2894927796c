/**
 * All that is said between the bridge's control side and its media loop (design.md 4). Plain data: commands go down by postMessage in batches
 * and are applied between packet batches; events come up, bounded. Nothing per packet crosses here except what the control side must see.
 */

/** Slot of an endpoint in the loop's tables, 0 … MAX_ENDPOINTS − 1. Chosen by the control side; free again after `endpoint-removed`. */
export type EndpointIndex = number;
/** Slot of a source (one microphone, camera or screen with all its layers), 0 … MAX_SOURCES − 1; chosen by the control side; free after `source-removed`. */
export type SourceIndex = number;

/** One way to a peer: which of our sockets, and the peer's address behind it. */
export interface Path {
  /** Index into the sockets of the `ready` event. */
  readonly socket: number;
  /** Text form, IPv4 dotted or IPv6 (no zone, no brackets). */
  readonly address: string;
  readonly port: number;
}

export type SrtpProfile = "AES128_CM_HMAC_SHA1_80" | "AEAD_AES_128_GCM";

export interface SrtpMaster {
  /** 16 bytes. */
  readonly key: Uint8Array;
  /** 14 bytes (CM) or 12 bytes (GCM). */
  readonly salt: Uint8Array;
}

export type MediaKind = "audio" | "video";
export type CodecName = "opus" | "red" | "telephone-event" | "vp8" | "vp9" | "av1" | "h264" | "rtx" | "other";

export interface PayloadTypeEntry {
  /** 0 … 127. */
  readonly payloadType: number;
  readonly kind: MediaKind;
  readonly codec: CodecName;
  /** Hz. */
  readonly clockRate: number;
  /** For rtx: the payload type it repeats. */
  readonly apt?: number;
  readonly nack: boolean;
  readonly pli: boolean;
  readonly fir: boolean;
  readonly transportCc: boolean;
}

/** Header extension ids, 1 … 255, by what we do with them; absent: not negotiated. */
export interface ExtensionIds {
  readonly audioLevel?: number;
  readonly absSendTime?: number;
  readonly transportCc?: number;
  readonly mid?: number;
  readonly dependencyDescriptor?: number;
  readonly videoOrientation?: number;
}

/** One encoding of a source: its SSRC and its RTX partner (0: none). */
export interface EncodingSsrcs {
  readonly ssrc: number;
  readonly rtxSsrc: number;
}

export interface MediaSource {
  readonly source: SourceIndex;
  readonly name: string;
  readonly kind: MediaKind;
  /** Low to high; one entry without simulcast. The first SSRC is the one under which receivers know the source (bridge.md 4.5). */
  readonly encodings: readonly EncodingSsrcs[];
}

/**
 * Layer index of bridge.md 4.5: (encoding << 6) | (spatial << 3) | temporal. −1: nothing.
 */
export type LayerIndex = number;

/** What one receiver shall get of one video source. */
export interface VideoTarget {
  readonly source: SourceIndex;
  /** Highest layer to forward; −1 stops. */
  readonly layer: LayerIndex;
  /** SSRC and RTX SSRC under which the receiver knows the source: the primary's own, or a slot's in rewriting mode. 0 as rtxSsrc: repeat plain. */
  readonly ssrc: number;
  readonly rtxSsrc: number;
  /**
   * Absent: the best encoding at or below `layer`. Given: this encoding and no other, whatever `layer` says of encodings; a receiver may have one such
   * target per encoding, each under its own SSRC (relays, bridge.md 7.1: simulcast travels whole).
   */
  readonly encoding?: number;
  /** Stamped on every packet of that SSRC and its RTX (bridge.md 1.2: rtp-mid-demux), at most 16 ASCII characters; never another one for the same SSRC. */
  readonly mid?: string;
}

export type MediaCommand =
  /** A conference; loudest: how many speakers are forwarded, 0 = everybody. feedbackSsrcs: `jvb-a0` and `jvb-v0`. */
  | {
      readonly type: "conference";
      readonly conference: number;
      readonly loudest: number;
      readonly feedbackSsrcs: { readonly audio: number; readonly video: number };
    }
  | { readonly type: "remove-conference"; readonly conference: number }
  /**
   * `ssrcRewriting` (absent: false): the receiver hears a microphone only after an `audio-ssrc` has given it a slot (bridge.md 4.6); until then
   * `audio-heard` asks for one.
   */
  | {
      readonly type: "add-endpoint";
      readonly endpoint: EndpointIndex;
      readonly conference: number;
      readonly ssrcRewriting?: boolean;
      /** Another bridge (absent: false): many people speak through it, so their levels go up per source. */
      readonly relay?: boolean;
    }
  /** Answered by `endpoint-removed` once nothing in the loop refers to it. */
  | { readonly type: "remove-endpoint"; readonly endpoint: EndpointIndex }
  /**
   * The loop answers by itself Binding requests from accepted addresses whose USERNAME is `localUfrag:remoteUfrag`, whose integrity holds and whose
   * role attribute is the opposite of ours; everything else (another ufrag, a role conflict, USE-CANDIDATE from a path that is not selected) goes up as
   * `datagram`. A later command replaces an earlier one. `controlling` (absent: true) is our role.
   */
  | {
      readonly type: "ice-credentials";
      readonly endpoint: EndpointIndex;
      readonly localUfrag: string;
      readonly localPwd: string;
      readonly remoteUfrag: string;
      readonly controlling?: boolean;
    }
  /** Packets from this address belong to the endpoint: an integrity-checked Binding request or response has come from it. */
  | { readonly type: "accept-address"; readonly endpoint: EndpointIndex; readonly path: Path }
  /** No effect where the address has become another endpoint's meanwhile. */
  | { readonly type: "forget-address"; readonly endpoint: EndpointIndex; readonly path: Path }
  /** Where the endpoint's media goes. */
  | { readonly type: "select-path"; readonly endpoint: EndpointIndex; readonly path: Path }
  | {
      readonly type: "srtp-keys";
      readonly endpoint: EndpointIndex;
      readonly profile: SrtpProfile;
      /** Protects what the endpoint sends to us. */
      readonly receive: SrtpMaster;
      /** Protects what we send to it. */
      readonly send: SrtpMaster;
    }
  | {
      readonly type: "payload-types";
      readonly endpoint: EndpointIndex;
      readonly payloadTypes: readonly PayloadTypeEntry[];
      readonly extensions: ExtensionIds;
      readonly allowMixed: boolean;
    }
  /** The whole set of what the endpoint sends; sources not listed any more are removed (`source-removed`). */
  | { readonly type: "sources"; readonly endpoint: EndpointIndex; readonly sources: readonly MediaSource[] }
  | {
      readonly type: "force-mute";
      readonly endpoint: EndpointIndex;
      readonly audio: boolean;
      readonly video: boolean;
    }
  /** Changes for one receiver; sources not named stay as they are. */
  | { readonly type: "video-targets"; readonly receiver: EndpointIndex; readonly targets: readonly VideoTarget[] }
  /** Which microphones of its conference a receiver takes: all but those listed, or only those listed. Default: all. */
  | {
      readonly type: "audio-subscription";
      readonly receiver: EndpointIndex;
      readonly all: boolean;
      readonly sources: readonly SourceIndex[];
    }
  /** Outgoing SSRC of a microphone at one receiver (rewriting mode); 0 takes it away; without it the source's own. */
  | {
      readonly type: "audio-ssrc";
      readonly receiver: EndpointIndex;
      readonly source: SourceIndex;
      readonly ssrc: number;
      /** As of VideoTarget. */
      readonly mid?: string;
    }
  /** The dominant speaker, who is heard whatever `loudest` says; endpoint −1: nobody. */
  | { readonly type: "dominant-speaker"; readonly conference: number; readonly endpoint: EndpointIndex | -1 }
  /** Table group of product.md W31: nobody hears their own table. 0: none. */
  | { readonly type: "table"; readonly endpoint: EndpointIndex; readonly table: number }
  | { readonly type: "request-key-frame"; readonly source: SourceIndex }
  /** One more socket per address on a free port, for a link to another bridge (bridge.md 3.1); answered by `port-opened`, or not at all where there is no room. */
  | { readonly type: "open-port" }
  /** Closes the sockets that were opened together from this index on. */
  | { readonly type: "close-port"; readonly first: number }
  /** A datagram made by the control side (STUN, DTLS). */
  | { readonly type: "send"; readonly path: Path; readonly bytes: Uint8Array }
  /** Answered by `statistics`. */
  | { readonly type: "report" }
  | { readonly type: "stop" };

/** One local socket of the media port. */
export interface MediaSocket {
  readonly address: string;
  readonly family: 4 | 6;
  readonly port: number;
}

export interface LayerState {
  readonly layer: LayerIndex;
  /** Pixels; 0 when not known yet. */
  readonly height: number;
  readonly frameRate: number;
  /** Bits per second over the last second, all lower layers that it depends on included. */
  readonly bitrateBps: number;
}

export interface EndpointLevels {
  readonly endpoint: EndpointIndex;
  /** Of a relay: which of its sources. */
  readonly source?: SourceIndex;
  readonly levels: readonly number[];
}

export type MediaEvent =
  | {
      readonly type: "ready";
      readonly sockets: readonly MediaSocket[];
      /** SRTP provider per profile, chosen by measurement at start, with its cost in µs for one 1200-byte packet. */
      readonly providers: Readonly<Record<SrtpProfile, { readonly name: string; readonly microsPerPacket: number }>>;
      /** µs that the kernel takes to send a datagram of 1200 bytes, measured at start over the loopback, unsegmented. */
      readonly datagramMicros: number;
      /** The one core that the loop's thread runs on; absent: any. */
      readonly core?: number;
      /** Bytes that the kernel granted for the receive buffer. */
      readonly receiveBufferBytes: number;
    }
  /** STUN that the loop does not answer itself, DTLS; endpoint −1: the address is not known. At most 200 a turn, the rest dropped and counted. */
  | {
      readonly type: "datagram";
      readonly endpoint: EndpointIndex | -1;
      readonly path: Path;
      readonly bytes: Uint8Array;
    }
  /**
   * Audio levels (0 … 127, 127 = loudest, i.e. 127 − RFC 6464 value) of every packet since the last event, oldest first, per endpoint that sent any: what
   * speaker detection counts is packets (bridge.md 5.6), so none may be merged. At most every 100 ms, at most 32 per endpoint (the newest are kept).
   */
  | { readonly type: "levels"; readonly levels: readonly EndpointLevels[] }
  /** Which layers of a video source are alive; at most once a second per source and on change. */
  | { readonly type: "layers"; readonly source: SourceIndex; readonly layers: readonly LayerState[] }
  /** Milliseconds since each listed endpoint last sent RTP/RTCP or an answered consent check; once a second. */
  | { readonly type: "activity"; readonly idleMs: readonly (readonly [EndpointIndex, number])[] }
  /** Round-trip time to an endpoint in ms, from its receiver reports. */
  | { readonly type: "round-trip"; readonly endpoint: EndpointIndex; readonly rttMs: number }
  /** Audio of this source would go to receivers in rewriting mode that have no slot for it; repeated at most once a second while that is so. */
  | { readonly type: "audio-heard"; readonly source: SourceIndex }
  /** Bandwidth estimate toward a receiver. */
  | { readonly type: "estimate"; readonly endpoint: EndpointIndex; readonly bandwidthBps: number }
  /** Answers `open-port`: the sockets have the indexes from `first` on. */
  | { readonly type: "port-opened"; readonly first: number; readonly sockets: readonly MediaSocket[] }
  | { readonly type: "endpoint-removed"; readonly endpoint: EndpointIndex }
  | { readonly type: "source-removed"; readonly source: SourceIndex }
  | { readonly type: "statistics"; readonly statistics: MediaStatistics }
  /** The loop cannot go on. */
  | { readonly type: "fault"; readonly message: string };

/** Counters since start, all cumulative. */
export interface MediaStatistics {
  readonly packetsReceived: number;
  readonly bytesReceived: number;
  readonly packetsSent: number;
  readonly bytesSent: number;
  /** By DropReason. */
  readonly dropped: Readonly<Record<string, number>>;
  readonly keyFramesReceived: number;
  readonly keyFrameRequestsSent: number;
  readonly nacksReceived: number;
  readonly nacksSent: number;
  readonly retransmissions: number;
  /** Transport-wide feedback about packets that were never sent. */
  readonly unmatchedFeedback: number;
  /** Endpoints that sent REMB although transport-wide feedback was agreed with them. */
  readonly spuriousRembEndpoints: number;
  /** Fraction of the last second that the loop was busy, 0 … 1; at most twice the processor's time that its thread got. */
  readonly load: number;
  /** Messages given to the kernel, each a run of packets to one receiver: packetsSent over it is the length of a run. */
  readonly messagesSent: number;
  /** Calls that brought datagrams in: packetsReceived over it is the size of a batch. */
  readonly batches: number;
  /** Packets that waited for others under load. */
  readonly packetsHeld: number;
  /** How long video may wait now, ms; 0: it does not. */
  readonly holdMs: number;
  /** Longest turn since the last report, and the length that one turn in a thousand exceeds, ms. */
  readonly longestTurnMs: number;
  readonly turnP999Ms: number;
  readonly endpoints: readonly EndpointStatistics[];
}

export interface EndpointStatistics {
  readonly endpoint: EndpointIndex;
  readonly packetsReceived: number;
  readonly bytesReceived: number;
  readonly packetsSent: number;
  readonly bytesSent: number;
  /** Packets the endpoint's receiver reports call lost. */
  readonly packetsLostByReceiver: number;
  /** Packets of the endpoint that never came here. */
  readonly packetsLostOnReceive: number;
  readonly rttMs: number;
}
