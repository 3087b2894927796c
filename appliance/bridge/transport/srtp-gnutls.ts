/**
 * Shell: AEAD-AES-128-GCM by the system's GnuTLS (RFC 7714): one call for a packet. For cold caches that counts more than the cipher: five calls into libcrypto are a
 * hundred lines of compiled code for each direction. A handle per endpoint, direction and RTP/RTCP, its key set once. Nothing is allocated per packet.
 */
import type { Pointer } from "bun:ffi";
import { GNUTLS_E_DECRYPTION_FAILED, GNUTLS_E_SUCCESS, type Gnutls, loadGnutls } from "../native/gnutls.ts";
import { address } from "../native/libcrypto.ts";
import { Pinned } from "../native/pinned.ts";
import { write32 } from "../rtp/bytes.ts";
import {
  GCM_IV_BYTES,
  GCM_TAG_BYTES,
  type PacketMemory,
  RTCP_HEADER_BYTES,
  RTCP_TRAILER_BYTES,
  SRTP_AUTHENTICATION,
  SRTP_INTERNAL,
  type SrtpProvider,
  type SrtpTransform,
} from "./srtp.ts";
import { GcmSalt, writeGcmRtcpIv, writeGcmRtpIv } from "./srtp-iv.ts";
import type { SessionKeys } from "./srtp-keys.ts";

/** Provider over one packet memory, for GCM alone: GnuTLS has no counter mode without it. Throws LibraryMissing. */
export function gnutlsProvider(memory: PacketMemory): SrtpProvider {
  const shared = new Shared(memory, loadGnutls());
  return {
    name: "gnutls",
    profiles: ["AEAD_AES_128_GCM"],
    createTransform: (profile, keys: SessionKeys): SrtpTransform => {
      if (profile !== "AEAD_AES_128_GCM") throw new Error(`gnutls cannot do ${profile}`);
      return new GcmTransform(shared, keys);
    },
  };
}

// Words of the scratch memory that GnuTLS sees.
const IV = 0;
/** A size_t, whose upper half stays zero. */
const OUT_LENGTH = 4;
/** What SRTCP authenticates does not lie in one piece: header (or the whole packet, when it is not encrypted) and index. */
const AUTHENTICATED = 8;
/** No datagram is longer. */
const MOST_AUTHENTICATED_BYTES = 65_536;

/** What all transforms of one provider use in turn: one thread, one packet at a time. */
class Shared {
  readonly bytes: Uint8Array;
  readonly base: number;
  readonly encrypt: Gnutls["encrypt"];
  readonly decrypt: Gnutls["decrypt"];
  readonly gnutls: Gnutls;
  readonly #scratch = new Pinned(4 * AUTHENTICATED + MOST_AUTHENTICATED_BYTES);
  readonly scratch: Int32Array;
  readonly #scratchBytes: Uint8Array;
  readonly ivAt: Pointer;
  readonly lengthAt: Pointer;
  readonly authenticatedAt: Pointer;

  constructor(memory: PacketMemory, gnutls: Gnutls) {
    this.bytes = memory.bytes;
    this.base = memory.base;
    this.gnutls = gnutls;
    this.encrypt = gnutls.encrypt;
    this.decrypt = gnutls.decrypt;
    this.scratch = this.#scratch.words;
    this.#scratchBytes = this.#scratch.bytes;
    const at = this.#scratch.at as number;
    this.ivAt = address(at + 4 * IV);
    this.lengthAt = address(at + 4 * OUT_LENGTH);
    this.authenticatedAt = address(at + 4 * AUTHENTICATED);
  }

  /** Lays the bytes that SRTCP authenticates one behind the other; their number. */
  authenticated(packet: number, clear: number, trailer: number): number {
    const to = this.#scratchBytes;
    const { bytes } = this;
    for (let i = 0; i < clear; i++) to[4 * AUTHENTICATED + i] = bytes[packet + i] as number;
    for (let i = 0; i < RTCP_TRAILER_BYTES; i++) to[4 * AUTHENTICATED + clear + i] = bytes[trailer + i] as number;
    return clear + RTCP_TRAILER_BYTES;
  }
}

class GcmTransform implements SrtpTransform {
  readonly tagBytes = GCM_TAG_BYTES;
  readonly rtcpBytesAfterIndex = 0;
  readonly #shared: Shared;
  readonly #rtp: Pointer;
  // Of RTP they stand here: every packet needs them.
  #salt0: number;
  #salt1: number;
  #salt2: number;
  readonly #rtcp: Pointer;
  readonly #rtcpSalt: GcmSalt;

  constructor(shared: Shared, keys: SessionKeys) {
    this.#shared = shared;
    this.#rtp = shared.gnutls.aes128Gcm(keys.rtp.key);
    const salt = new GcmSalt(keys.rtp.salt);
    this.#salt0 = salt.word0;
    this.#salt1 = salt.word1;
    this.#salt2 = salt.word2;
    salt.wipe();
    this.#rtcp = shared.gnutls.aes128Gcm(keys.rtcp.key);
    this.#rtcpSalt = new GcmSalt(keys.rtcp.salt);
  }

  sealRtp(
    destination: number,
    headerBytes: number,
    source: number,
    payloadBytes: number,
    ssrc: number,
    roc: number,
    sequence: number,
  ): number {
    const { scratch, base, encrypt, ivAt, lengthAt } = this.#shared;
    writeGcmRtpIv(scratch, IV, this.#salt0, this.#salt1, this.#salt2, ssrc, roc, sequence);
    const sealed = payloadBytes + GCM_TAG_BYTES;
    scratch[OUT_LENGTH] = sealed;
    const to = base + destination;
    return encrypt(
      this.#rtp,
      ivAt,
      GCM_IV_BYTES,
      address(to),
      headerBytes,
      GCM_TAG_BYTES,
      address(base + source),
      address(payloadBytes),
      address(to + headerBytes),
      lengthAt,
    ) === GNUTLS_E_SUCCESS
      ? headerBytes + sealed
      : SRTP_INTERNAL;
  }

  openRtp(packet: number, headerBytes: number, length: number, ssrc: number, roc: number, sequence: number): number {
    const { scratch, base, decrypt, ivAt, lengthAt } = this.#shared;
    writeGcmRtpIv(scratch, IV, this.#salt0, this.#salt1, this.#salt2, ssrc, roc, sequence);
    const sealed = length - headerBytes;
    scratch[OUT_LENGTH] = sealed;
    const payload = address(base + packet + headerBytes);
    const result = decrypt(
      this.#rtp,
      ivAt,
      GCM_IV_BYTES,
      address(base + packet),
      headerBytes,
      GCM_TAG_BYTES,
      payload,
      address(sealed),
      payload,
      lengthAt,
    );
    return result === GNUTLS_E_SUCCESS ? sealed - GCM_TAG_BYTES : refused(result);
  }

  sealRtcp(packet: number, length: number, ssrc: number, index: number): number {
    const { bytes, encrypt } = this.#shared;
    const trailer = packet + length + GCM_TAG_BYTES;
    write32(bytes, trailer, index | 0x80000000);
    const result = this.#rtcpBody(encrypt, packet, RTCP_HEADER_BYTES, length - RTCP_HEADER_BYTES, trailer, ssrc, index);
    return result === GNUTLS_E_SUCCESS ? length + GCM_TAG_BYTES + RTCP_TRAILER_BYTES : SRTP_INTERNAL;
  }

  openRtcp(packet: number, length: number, ssrc: number, index: number, encrypted: boolean): number {
    const trailer = packet + length - RTCP_TRAILER_BYTES;
    const plain = length - RTCP_TRAILER_BYTES - GCM_TAG_BYTES;
    const clear = encrypted ? RTCP_HEADER_BYTES : plain;
    const result = this.#rtcpBody(this.#shared.decrypt, packet, clear, trailer - packet - clear, trailer, ssrc, index);
    return result === GNUTLS_E_SUCCESS ? plain : refused(result);
  }

  /** `length` bytes behind the first `clear` of the packet, in place; GnuTLS's answer. */
  #rtcpBody(
    call: Gnutls["encrypt"],
    packet: number,
    clear: number,
    length: number,
    trailer: number,
    ssrc: number,
    index: number,
  ): number {
    const shared = this.#shared;
    writeGcmRtcpIv(shared.scratch, IV, this.#rtcpSalt, ssrc, index);
    shared.scratch[OUT_LENGTH] = length + GCM_TAG_BYTES;
    const body = address(shared.base + packet + clear);
    return call(
      this.#rtcp,
      shared.ivAt,
      GCM_IV_BYTES,
      shared.authenticatedAt,
      shared.authenticated(packet, clear, trailer),
      GCM_TAG_BYTES,
      body,
      address(length),
      body,
      shared.lengthAt,
    );
  }

  ahead(): number {
    return this.#salt0;
  }

  close(): void {
    this.#shared.gnutls.free(this.#rtp);
    this.#shared.gnutls.free(this.#rtcp);
    this.#salt0 = 0;
    this.#salt1 = 0;
    this.#salt2 = 0;
    this.#rtcpSalt.wipe();
  }
}

const refused = (result: number): number =>
  result === GNUTLS_E_DECRYPTION_FAILED ? SRTP_AUTHENTICATION : SRTP_INTERNAL;
