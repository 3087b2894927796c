/**
 * SRTP and SRTCP (RFC 3711, RFC 7714) by offsets in one fixed buffer: the interface that the media loop uses, and all of it that does not depend on
 * who does the cipher work: roll-over counters, replay windows, SRTCP indices, limits of key use. A provider (srtp-gnutls, srtp-libcrypto,
 * srtp-node, srtp-scalar) brings an `SrtpTransform` per context: seal and open one packet whose index is known.
 *
 * Declines: MKI, key derivation rates other than 0, SRTCP without encryption on the sending side, the 32-bit tag profile.
 */
import type { SrtpMaster, SrtpProfile } from "../media-commands.ts";
import { readInt32 } from "../rtp/bytes.ts";
import { clearReplayWindow, markReplayWindow, REPLAY_WINDOW_WORDS, replayVerdict } from "./replay-window.ts";
import { type SessionKeys, sessionKeys } from "./srtp-keys.ts";

/** The packet memory of a media loop: allocated once, never grown, its address known. */
export interface PacketMemory {
  readonly memory: WebAssembly.Memory;
  /** All of `memory`. */
  readonly bytes: Uint8Array;
  /** Address of `bytes[0]` in this process; may exceed 2³². */
  readonly base: number;
}

/**
 * No AES-256 (profile 8, which browsers offer too): every client that offers it offers one of these, the originals leave it out, and on cores without AES
 * instructions its four more rounds would cost a fifth of all that a packet costs.
 */
export const SRTP_PROFILES: readonly SrtpProfile[] = ["AEAD_AES_128_GCM", "AES128_CM_HMAC_SHA1_80"];

/** Direction of a context: `receive` opens what the peer sends, `send` seals what we send to it. */
export type SrtpDirection = "receive" | "send";

export const SRTP_PROVIDER_NAMES = ["gnutls", "libcrypto", "vector", "scalar", "node"] as const;
export type SrtpProviderName = (typeof SRTP_PROVIDER_NAMES)[number];

/** Reason codes of the packet functions: results below zero. */
export const SRTP_MALFORMED = -1;
export const SRTP_AUTHENTICATION = -2;
export const SRTP_REPLAYED = -3;
/** Older than the replay window reaches. */
export const SRTP_TOO_OLD = -4;
/** The context knows its full number of SSRCs and this is a new one. */
export const SRTP_TOO_MANY_SSRCS = -5;
/** The key may not protect more packets (2⁴⁸ RTP, 2³¹ RTCP, RFC 3711 §9.2). */
export const SRTP_KEY_EXHAUSTED = -6;
/** The cipher library failed. */
export const SRTP_INTERNAL = -7;

export const CM_TAG_BYTES = 10;
export const GCM_TAG_BYTES = 16;
export const GCM_IV_BYTES = 12;
/** Of an SRTCP packet: what is never encrypted, and the word of the E bit and the index. */
export const RTCP_HEADER_BYTES = 8;
export const RTCP_TRAILER_BYTES = 4;

/** Bytes that protect adds at most: to RTP a tag, to RTCP a tag and the index word. */
export const SRTP_MAX_OVERHEAD = 20;
/**
 * Bytes after the last byte of a packet's plain or protected form that every packet function may overwrite (the padding of HMAC is written
 * behind the packet). So: leave them free in each receive slot, protect packets in the order in which they lie, back to back.
 */
export const SRTP_SCRATCH_BYTES = 96;

/** SSRCs a context remembers. A send context must never forget one: its roll-over counter starting again would repeat a key stream. */
export const MAX_SSRCS_RECEIVE = 1024;
export const MAX_SSRCS_SEND = 8192;

/** The cipher work of one context; made by a provider. Offsets are into the packet memory; numbers may be signed or unsigned 32-bit. */
export interface SrtpTransform {
  /** Encrypts `payloadBytes` from `source` to `destination + headerBytes` (may be the same place), appends the tag; total length or a reason code. */
  sealRtp(
    destination: number,
    headerBytes: number,
    source: number,
    payloadBytes: number,
    ssrc: number,
    roc: number,
    sequence: number,
  ): number;
  /** Checks the tag and decrypts in place; payload length or a reason code. On failure the packet is to be dropped: its bytes may have changed. */
  openRtp(packet: number, headerBytes: number, length: number, ssrc: number, roc: number, sequence: number): number;
  /** In place; `index` has 31 bits; protected length or a reason code. */
  sealRtcp(packet: number, length: number, ssrc: number, index: number): number;
  /** In place; `index` as read from the packet; plain length or a reason code. */
  openRtcp(packet: number, length: number, ssrc: number, index: number, encrypted: boolean): number;
  /** Bytes behind the E and index word of an SRTCP packet: the tag with CM (10); with GCM the tag stands before the word (0). */
  readonly rtcpBytesAfterIndex: number;
  readonly tagBytes: number;
  /** Reads something of what sealing needs, so that it is in the cache when it comes to that; the number means nothing. */
  ahead(): number;
  /** Frees what the transform holds and wipes its keys. No call may follow. */
  close(): void;
}

/** One implementation of the ciphers over one packet memory. */
export interface SrtpProvider {
  readonly name: SrtpProviderName;
  /** Those that it can do. */
  readonly profiles: readonly SrtpProfile[];
  /** Throws where the provider's bound of contexts (given when it was made) is reached: a fault of ours, not of the network. */
  createTransform(profile: SrtpProfile, keys: SessionKeys, direction: SrtpDirection): SrtpTransform;
}

/** The context of one endpoint and direction, its keys derived and set once. */
export function createSrtpContext(
  provider: SrtpProvider,
  memory: PacketMemory,
  profile: SrtpProfile,
  master: SrtpMaster,
  direction: SrtpDirection,
): SrtpContext {
  return new SrtpContext(memory, direction, provider.createTransform(profile, sessionKeys(profile, master), direction));
}

// One record per SSRC in a flat table, words:
const SSRC = 0;
/** Bit 0: in use; bit 1: RTP seen; bit 2: RTCP seen. */
const FLAGS = 1;
const ROC = 2;
/** Highest sequence number seen or sent, 0 … 65535. */
const HIGHEST = 3;
/** Send: next SRTCP index. Receive: highest SRTCP index. */
const RTCP_INDEX = 4;
const SEND_WORDS = 5;
const RTP_WINDOW = 5;
const RTCP_WINDOW = RTP_WINDOW + REPLAY_WINDOW_WORDS;
const RECEIVE_WORDS = RTCP_WINDOW + REPLAY_WINDOW_WORDS;

const IN_USE = 1;
const RTP_SEEN = 2;
const RTCP_SEEN = 4;
const MAX_RTCP_INDEX = 0x7fffffff;
const MIN_RTP_HEADER = 12;

/**
 * Protects or unprotects the packets of one endpoint and direction. Per packet nothing is allocated; a new SSRC may grow the table.
 * Packet functions answer a length ≥ 0 or a reason code < 0.
 */
export class SrtpContext {
  // First what every packet touches: fields lie in memory in the order in which they stand here.
  #closed = false;
  readonly #bytes: Uint8Array;
  #records: Int32Array;
  /** Word offset of the record found last: packets of one SSRC come in runs. */
  #last = 0;
  readonly #transform: SrtpTransform;

  #capacity: number;
  readonly #recordWords: number;
  readonly #limit: number;
  // Replays of an SSRC not seen before cannot be; its record is made after the first packet that authenticated.
  #used = 0;
  readonly direction: SrtpDirection;

  constructor(memory: PacketMemory, direction: SrtpDirection, transform: SrtpTransform) {
    this.direction = direction;
    this.#bytes = memory.bytes;
    this.#transform = transform;
    this.#recordWords = direction === "send" ? SEND_WORDS : RECEIVE_WORDS;
    this.#limit = direction === "send" ? MAX_SSRCS_SEND : MAX_SSRCS_RECEIVE;
    this.#capacity = 16;
    this.#records = new Int32Array(this.#capacity * this.#recordWords);
  }

  /**
   * Protects one RTP packet whose header (`headerBytes`, with CSRCs and extension) stands at `destination`; its plain payload at `source`, which is
   * `destination + headerBytes` or a place that does not overlap the output. `place`: where the SSRC's state may be, as `place` said after its last packet. Answers the length
   * of the protected packet.
   */
  protectRtp(
    destination: number,
    headerBytes: number,
    source: number,
    payloadBytes: number,
    place: number = this.#last,
  ): number {
    if (headerBytes < MIN_RTP_HEADER || payloadBytes < 0 || this.#closed) return SRTP_MALFORMED;
    const bytes = this.#bytes;
    const sequence = ((bytes[destination + 2] as number) << 8) | (bytes[destination + 3] as number);
    const ssrc = readInt32(bytes, destination + 8);
    let record = this.#find(ssrc, place);
    if (record < 0) {
      record = this.#insert(ssrc);
      if (record < 0) return SRTP_TOO_MANY_SSRCS;
    }
    const records = this.#records;
    let roc = records[record + ROC] as number;
    const flags = records[record + FLAGS] as number;
    if ((flags & RTP_SEEN) === 0) {
      records[record + FLAGS] = flags | RTP_SEEN;
      records[record + HIGHEST] = sequence;
    } else {
      const highest = records[record + HIGHEST] as number;
      const step = ((sequence - highest) << 16) >> 16;
      if (step > 0) {
        if (sequence < highest) {
          if (roc === -1) return SRTP_KEY_EXHAUSTED;
          roc = (roc + 1) | 0;
          records[record + ROC] = roc;
        }
        records[record + HIGHEST] = sequence;
      } else if (sequence > highest) {
        // A repetition from before the last roll-over; before the first there is none.
        if (roc === 0) return SRTP_TOO_OLD;
        roc = (roc - 1) | 0;
      }
    }
    return this.#transform.sealRtp(destination, headerBytes, source, payloadBytes, ssrc, roc, sequence);
  }

  /** Unprotects one RTP packet in place; `headerBytes` as parsed from its header. Answers the length of the payload. */
  unprotectRtp(packet: number, headerBytes: number, length: number): number {
    if (headerBytes < MIN_RTP_HEADER || headerBytes + this.#transform.tagBytes > length || this.#closed)
      return SRTP_MALFORMED;
    const bytes = this.#bytes;
    const sequence = ((bytes[packet + 2] as number) << 8) | (bytes[packet + 3] as number);
    const ssrc = readInt32(bytes, packet + 8);
    let record = this.#find(ssrc, this.#last);
    let roc = 0;
    let step = 0;
    const known = record >= 0 && ((this.#records[record + FLAGS] as number) & RTP_SEEN) !== 0;
    if (known) {
      const highest = this.#records[record + HIGHEST] as number;
      roc = this.#records[record + ROC] as number;
      step = ((sequence - highest) << 16) >> 16;
      if (step > 0) {
        if (sequence < highest) {
          if (roc === -1) return SRTP_KEY_EXHAUSTED;
          roc = (roc + 1) | 0;
        }
      } else {
        if (sequence > highest) {
          if (roc === 0) return SRTP_TOO_OLD;
          roc = (roc - 1) | 0;
        }
        const verdict = replayVerdict(this.#records, record + RTP_WINDOW, -step, sequence);
        if (verdict < 0) return verdict;
      }
    } else if (record < 0 && this.#used >= this.#limit) return SRTP_TOO_MANY_SSRCS;
    const payload = this.#transform.openRtp(packet, headerBytes, length, ssrc, roc, sequence);
    if (payload < 0) return payload;
    if (record < 0) record = this.#insert(ssrc);
    const records = this.#records;
    if (!known) {
      records[record + FLAGS] = (records[record + FLAGS] as number) | RTP_SEEN;
      records[record + HIGHEST] = sequence;
      clearReplayWindow(records, record + RTP_WINDOW);
      markReplayWindow(records, record + RTP_WINDOW, 0, sequence);
    } else {
      if (step > 0) {
        records[record + ROC] = roc;
        records[record + HIGHEST] = sequence;
      }
      markReplayWindow(records, record + RTP_WINDOW, step, sequence);
    }
    return payload;
  }

  /** Protects one compound RTCP packet in place. Answers its protected length. */
  protectRtcp(packet: number, length: number): number {
    if (length < RTCP_HEADER_BYTES || this.#closed) return SRTP_MALFORMED;
    const ssrc = readInt32(this.#bytes, packet + 4);
    let record = this.#find(ssrc, this.#last);
    if (record < 0) {
      record = this.#insert(ssrc);
      if (record < 0) return SRTP_TOO_MANY_SSRCS;
    }
    const index = this.#records[record + RTCP_INDEX] as number;
    if (index < 0) return SRTP_KEY_EXHAUSTED;
    // MAX_RTCP_INDEX is used once; then the counter is −1 for good.
    this.#records[record + RTCP_INDEX] = index === MAX_RTCP_INDEX ? -1 : index + 1;
    return this.#transform.sealRtcp(packet, length, ssrc, index);
  }

  /** Unprotects one compound SRTCP packet in place. Answers its plain length. */
  unprotectRtcp(packet: number, length: number): number {
    const transform = this.#transform;
    if (length < RTCP_HEADER_BYTES + transform.tagBytes + RTCP_TRAILER_BYTES || this.#closed) return SRTP_MALFORMED;
    const ssrc = readInt32(this.#bytes, packet + 4);
    const trailer = readInt32(this.#bytes, packet + length - transform.rtcpBytesAfterIndex - RTCP_TRAILER_BYTES);
    const index = trailer & MAX_RTCP_INDEX;
    let record = this.#find(ssrc, this.#last);
    const known = record >= 0 && ((this.#records[record + FLAGS] as number) & RTCP_SEEN) !== 0;
    let step = 0;
    if (known) {
      step = index - (this.#records[record + RTCP_INDEX] as number);
      if (step <= 0) {
        const verdict = replayVerdict(this.#records, record + RTCP_WINDOW, -step, index);
        if (verdict < 0) return verdict;
      }
    } else if (record < 0 && this.#used >= this.#limit) return SRTP_TOO_MANY_SSRCS;
    const plain = transform.openRtcp(packet, length, ssrc, index, trailer < 0);
    if (plain < 0) return plain;
    if (record < 0) record = this.#insert(ssrc);
    const records = this.#records;
    if (!known) {
      records[record + FLAGS] = (records[record + FLAGS] as number) | RTCP_SEEN;
      records[record + RTCP_INDEX] = index;
      clearReplayWindow(records, record + RTCP_WINDOW);
      markReplayWindow(records, record + RTCP_WINDOW, 0, index);
    } else {
      if (step > 0) records[record + RTCP_INDEX] = index;
      markReplayWindow(records, record + RTCP_WINDOW, step, index);
    }
    return plain;
  }

  /** Reads what the next packet will need (media-loop/ahead.ts); the number means nothing. */
  ahead(place: number): number {
    return ((this.#records[place] ?? 0) + this.#transform.ahead()) | 0;
  }

  /** Where the state of the SSRC of the last packet is: a hint for its next, wrong without harm after a change of keys. */
  get place(): number {
    return this.#last;
  }

  /** SSRCs with state here. */
  get ssrcCount(): number {
    return this.#used;
  }

  /**
   * Continues an SSRC where another context left off: roll-over counter (0 … 2³² − 1), highest sequence number, next (send) or highest (receive)
   * SRTCP index. Answers a reason code or 0. Tests use it to stand before a roll-over.
   */
  resume(ssrc: number, roc: number, highestSequence: number, rtcpIndex: number): number {
    let record = this.#find(ssrc | 0, this.#last);
    if (record < 0) record = this.#insert(ssrc | 0);
    if (record < 0) return SRTP_TOO_MANY_SSRCS;
    const records = this.#records;
    records[record + FLAGS] = IN_USE | RTP_SEEN | RTCP_SEEN;
    records[record + ROC] = roc | 0;
    records[record + HIGHEST] = highestSequence & 0xffff;
    records[record + RTCP_INDEX] = rtcpIndex & MAX_RTCP_INDEX;
    if (this.direction === "receive") {
      clearReplayWindow(records, record + RTP_WINDOW);
      clearReplayWindow(records, record + RTCP_WINDOW);
    }
    return 0;
  }

  /** Frees the provider's context; further calls answer SRTP_MALFORMED. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#transform.close();
  }

  /** Word offset of the SSRC's record, −1 when there is none. */
  #find(ssrc: number, place: number): number {
    const records = this.#records;
    if (records[place + SSRC] === ssrc && records[place + FLAGS] !== 0) {
      if (place !== this.#last) this.#last = place;
      return place;
    }
    const mask = this.#capacity - 1;
    let slot = hash(ssrc) & mask;
    for (;;) {
      const record = slot * this.#recordWords;
      if (records[record + FLAGS] === 0) return -1;
      if (records[record + SSRC] === ssrc) {
        this.#last = record;
        return record;
      }
      slot = (slot + 1) & mask;
    }
  }

  #insert(ssrc: number): number {
    if (this.#used >= this.#limit) return -1;
    if ((this.#used + 1) * 2 > this.#capacity) this.#grow();
    this.#used++;
    const record = freeRecord(this.#records, this.#recordWords, this.#capacity, ssrc);
    this.#records[record + SSRC] = ssrc;
    this.#records[record + FLAGS] = IN_USE;
    this.#last = record;
    return record;
  }

  #grow(): void {
    const words = this.#recordWords;
    const old = this.#records;
    const capacity = this.#capacity * 2;
    const records = new Int32Array(capacity * words);
    for (let at = 0; at < old.length; at += words) {
      if (old[at + FLAGS] === 0) continue;
      const to = freeRecord(records, words, capacity, old[at + SSRC] as number);
      records.set(old.subarray(at, at + words), to);
    }
    this.#records = records;
    this.#capacity = capacity;
    this.#last = 0;
  }
}

const freeRecord = (records: Int32Array, words: number, capacity: number, ssrc: number): number => {
  let slot = hash(ssrc) & (capacity - 1);
  while (records[slot * words + FLAGS] !== 0) slot = (slot + 1) & (capacity - 1);
  return slot * words;
};

/** SSRCs are chosen by peers: spread them, so that neighbours do not pile up. */
const hash = (ssrc: number): number => {
  const mixed = Math.imul(ssrc ^ (ssrc >>> 16), 0x45d9f3b);
  return mixed ^ (mixed >>> 15);
};
