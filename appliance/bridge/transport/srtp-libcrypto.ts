/**
 * Shell: SRTP by the system's libcrypto (design.md 4). A cipher context per endpoint, direction and RTP/RTCP, its key set once, only the IV changed per
 * packet. AES-CM: two calls for AES, two for SHA-1, whose states after the padded HMAC key are kept. GCM: five calls. Nothing is allocated per
 * packet; whatever C sees by address stays reachable here.
 */
import { type Pointer, ptr } from "bun:ffi";
import type { SrtpProfile } from "../media-commands.ts";
import { address, type Libcrypto, loadLibcrypto, OctetParam, type ProviderCipher } from "../native/libcrypto.ts";
import { Pinned } from "../native/pinned.ts";
import { read16, readInt32, write32 } from "../rtp/bytes.ts";
import {
  CM_TAG_BYTES,
  GCM_IV_BYTES,
  GCM_TAG_BYTES,
  type PacketMemory,
  RTCP_HEADER_BYTES,
  RTCP_TRAILER_BYTES,
  SRTP_AUTHENTICATION,
  SRTP_INTERNAL,
  SRTP_PROFILES,
  type SrtpDirection,
  type SrtpProvider,
  type SrtpTransform,
} from "./srtp.ts";
import { GcmSalt, saltWords, swap, writeCounterIv, writeGcmRtcpIv, writeGcmRtpIv } from "./srtp-iv.ts";
import type { SessionKeySet, SessionKeys } from "./srtp-keys.ts";

const COUNTER_IV_BYTES = 16;

/** Provider over one packet memory. Throws LibraryMissing. */
export function libcryptoProvider(memory: PacketMemory): SrtpProvider {
  const shared = new Shared(memory, loadLibcrypto());
  return {
    name: "libcrypto",
    profiles: SRTP_PROFILES,
    createTransform: (profile: SrtpProfile, keys: SessionKeys, direction: SrtpDirection): SrtpTransform =>
      profile === "AEAD_AES_128_GCM" ? new GcmTransform(shared, keys, direction) : new CounterTransform(shared, keys),
  };
}

// Words of the scratch memory that libcrypto sees.
const IV = 0;
const OUT_LENGTH = 4;
/** SHA_CTX of OpenSSL: h[5], Nl, Nh, data[16], num. */
const SHA = 8;
const SHA_NUM = SHA + 23;
/** The outer hash's only block: digest, padding, length. */
const OUTER = 32;
const SCRATCH_WORDS = 48;
/** Bits hashed before and in the outer block: 64 bytes of padded key, 20 of digest. */
const OUTER_BITS = (64 + 20) * 8;

/** What all transforms of one provider use in turn: one thread, one packet at a time. */
class Shared {
  readonly bytes: Uint8Array;
  readonly base: number;
  readonly crypto: Libcrypto;
  readonly counter: ProviderCipher;
  readonly gcm: ProviderCipher;
  /** Where a packet's tag is, or goes. */
  readonly tag = new OctetParam("tag", GCM_TAG_BYTES);
  readonly #scratch = new Pinned(4 * SCRATCH_WORDS);
  readonly scratch: Int32Array;
  readonly ivAt: Pointer;
  readonly lengthAt: Pointer;
  readonly shaAt: Pointer;
  readonly outerAt: Pointer;

  constructor(memory: PacketMemory, crypto: Libcrypto) {
    this.bytes = memory.bytes;
    this.base = memory.base;
    this.crypto = crypto;
    this.counter = crypto.cipher("AES-128-CTR");
    this.gcm = crypto.cipher("AES-128-GCM");
    this.scratch = this.#scratch.words;
    const at = this.#scratch.at as number;
    this.ivAt = address(at + 4 * IV);
    this.lengthAt = address(at + 4 * OUT_LENGTH);
    this.shaAt = address(at + 4 * SHA);
    this.outerAt = address(at + 4 * OUTER);
    this.scratch[OUTER + 5] = swap(0x80000000 | 0);
    this.scratch[OUTER + 15] = swap(OUTER_BITS);
  }

  /** A context with its key. */
  keyed(cipher: ProviderCipher, key: Uint8Array, encrypt: boolean): Pointer {
    const context = cipher.newContext(cipher.providerContext) as Pointer | null;
    if (context === null) throw new Error("libcrypto: out of memory");
    const kept = Uint8Array.from(key);
    const init = encrypt ? cipher.encryptInit : cipher.decryptInit;
    const result = init(context, ptr(kept), kept.length, null, 0, null);
    kept.fill(0);
    if (result !== 1) throw new Error("libcrypto refused the key");
    return context;
  }

  /** SHA-1 state after one block of the key XORed with a pad. */
  midstate(key: Uint8Array, pad: number): Int32Array {
    const block = new Uint8Array(64).fill(pad);
    for (let i = 0; i < key.length; i++) block[i] = (block[i] as number) ^ (key[i] as number);
    const scratch = this.scratch;
    scratch.set([0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476, 0xc3d2e1f0 | 0], SHA);
    scratch.fill(0, SHA + 5, SHA_NUM + 1);
    this.crypto.sha1Update(this.shaAt, ptr(block), 64);
    block.fill(0);
    return scratch.slice(SHA, SHA + 5);
  }

  /**
   * HMAC-SHA1 of `length` bytes at `start`, with the ROC after them where `roc` is not `NO_ROC`; the digest's words are then in the scratch at SHA. The
   * padding is written behind the bytes (SRTP_SCRATCH_BYTES).
   */
  hmac(inner: Int32Array, outer: Int32Array, start: number, length: number, roc: number, withRoc: boolean): void {
    const { bytes, scratch, crypto } = this;
    let end = start + length;
    if (withRoc) {
      bytes[end] = roc >>> 24;
      bytes[end + 1] = roc >>> 16;
      bytes[end + 2] = roc >>> 8;
      bytes[end + 3] = roc;
      end += 4;
    }
    const bits = (end - start + 64) * 8;
    const blocksEnd = start + ((end - start + 9 + 63) & ~63);
    bytes[end] = 0x80;
    for (let at = end + 1; at < blocksEnd - 4; at++) bytes[at] = 0;
    bytes[blocksEnd - 4] = bits >>> 24;
    bytes[blocksEnd - 3] = bits >>> 16;
    bytes[blocksEnd - 2] = bits >>> 8;
    bytes[blocksEnd - 1] = bits;
    for (let i = 0; i < 5; i++) scratch[SHA + i] = inner[i] as number;
    scratch[SHA_NUM] = 0;
    crypto.sha1Update(this.shaAt, address(this.base + start), blocksEnd - start);
    for (let i = 0; i < 5; i++) {
      scratch[OUTER + i] = swap(scratch[SHA + i] as number);
      scratch[SHA + i] = outer[i] as number;
    }
    crypto.sha1Update(this.shaAt, this.outerAt, 64);
  }
}

/** Cipher and HMAC states of RTP or RTCP. */
class CounterKeys {
  readonly cipher: Pointer;
  readonly salt: Int32Array;
  readonly inner: Int32Array;
  readonly outer: Int32Array;

  constructor(shared: Shared, set: SessionKeySet) {
    this.cipher = shared.keyed(shared.counter, set.key, true);
    this.salt = saltWords(set.salt);
    this.inner = shared.midstate(set.authKey, 0x36);
    this.outer = shared.midstate(set.authKey, 0x5c);
  }
}

/** AES-128-CM with HMAC-SHA1-80. */
class CounterTransform implements SrtpTransform {
  readonly tagBytes = CM_TAG_BYTES;
  readonly rtcpBytesAfterIndex = CM_TAG_BYTES;
  readonly #shared: Shared;
  readonly #rtp: CounterKeys;
  readonly #rtcp: CounterKeys;

  constructor(shared: Shared, keys: SessionKeys) {
    this.#shared = shared;
    this.#rtp = new CounterKeys(shared, keys.rtp);
    this.#rtcp = new CounterKeys(shared, keys.rtcp);
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
    const { scratch } = this.#shared;
    writeCounterIv(scratch, IV, this.#rtp.salt, ssrc, roc, sequence);
    if (!this.#crypt(this.#rtp, destination + headerBytes, source, payloadBytes)) return SRTP_INTERNAL;
    const length = headerBytes + payloadBytes;
    this.#shared.hmac(this.#rtp.inner, this.#rtp.outer, destination, length, roc, true);
    this.#writeTag(destination + length);
    return length + CM_TAG_BYTES;
  }

  openRtp(packet: number, headerBytes: number, length: number, ssrc: number, roc: number, sequence: number): number {
    const end = length - CM_TAG_BYTES;
    const { bytes, scratch } = this.#shared;
    const tag = packet + end;
    const tag0 = readInt32(bytes, tag);
    const tag1 = readInt32(bytes, tag + 4);
    const tag2 = read16(bytes, tag + 8);
    this.#shared.hmac(this.#rtp.inner, this.#rtp.outer, packet, end, roc, true);
    if (!this.#sameTag(tag0, tag1, tag2)) return SRTP_AUTHENTICATION;
    writeCounterIv(scratch, IV, this.#rtp.salt, ssrc, roc, sequence);
    const payload = packet + headerBytes;
    return this.#crypt(this.#rtp, payload, payload, end - headerBytes) ? end - headerBytes : SRTP_INTERNAL;
  }

  sealRtcp(packet: number, length: number, ssrc: number, index: number): number {
    const { bytes, scratch } = this.#shared;
    const body = packet + RTCP_HEADER_BYTES;
    writeCounterIv(scratch, IV, this.#rtcp.salt, ssrc, index >>> 16, index & 0xffff);
    if (!this.#crypt(this.#rtcp, body, body, length - RTCP_HEADER_BYTES)) return SRTP_INTERNAL;
    write32(bytes, packet + length, index | 0x80000000);
    const end = length + RTCP_TRAILER_BYTES;
    this.#shared.hmac(this.#rtcp.inner, this.#rtcp.outer, packet, end, 0, false);
    this.#writeTag(packet + end);
    return end + CM_TAG_BYTES;
  }

  openRtcp(packet: number, length: number, ssrc: number, index: number, encrypted: boolean): number {
    const end = length - CM_TAG_BYTES;
    const { bytes, scratch } = this.#shared;
    const tag = packet + end;
    const tag0 = readInt32(bytes, tag);
    const tag1 = readInt32(bytes, tag + 4);
    const tag2 = read16(bytes, tag + 8);
    this.#shared.hmac(this.#rtcp.inner, this.#rtcp.outer, packet, end, 0, false);
    if (!this.#sameTag(tag0, tag1, tag2)) return SRTP_AUTHENTICATION;
    const plain = end - RTCP_TRAILER_BYTES;
    if (!encrypted) return plain;
    writeCounterIv(scratch, IV, this.#rtcp.salt, ssrc, index >>> 16, index & 0xffff);
    const body = packet + RTCP_HEADER_BYTES;
    return this.#crypt(this.#rtcp, body, body, plain - RTCP_HEADER_BYTES) ? plain : SRTP_INTERNAL;
  }

  ahead(): number {
    const keys = this.#rtp;
    return ((keys.salt[0] as number) + (keys.inner[0] as number) + (keys.outer[0] as number)) | 0;
  }

  close(): void {
    for (const keys of [this.#rtp, this.#rtcp]) {
      this.#shared.counter.freeContext(keys.cipher);
      keys.salt.fill(0);
      keys.inner.fill(0);
      keys.outer.fill(0);
    }
  }

  #crypt(keys: CounterKeys, to: number, from: number, length: number): boolean {
    if (length === 0) return true;
    const { counter, base, ivAt, lengthAt } = this.#shared;
    return (
      counter.encryptInit(keys.cipher, null, 0, ivAt, COUNTER_IV_BYTES, null) === 1 &&
      counter.cipher(keys.cipher, address(base + to), lengthAt, length, address(base + from), length) === 1
    );
  }

  #writeTag(at: number): void {
    const { bytes, scratch } = this.#shared;
    write32(bytes, at, scratch[SHA] as number);
    write32(bytes, at + 4, scratch[SHA + 1] as number);
    const last = scratch[SHA + 2] as number;
    bytes[at + 8] = last >>> 24;
    bytes[at + 9] = last >>> 16;
  }

  /** In constant time. */
  #sameTag(tag0: number, tag1: number, tag2: number): boolean {
    const { scratch } = this.#shared;
    const difference =
      (tag0 ^ (scratch[SHA] as number)) |
      (tag1 ^ (scratch[SHA + 1] as number)) |
      (tag2 ^ ((scratch[SHA + 2] as number) >>> 16));
    return difference === 0;
  }
}

class GcmKeys {
  readonly cipher: Pointer;
  readonly salt: GcmSalt;

  constructor(shared: Shared, set: SessionKeySet, encrypt: boolean) {
    this.cipher = shared.keyed(shared.gcm, set.key, encrypt);
    this.salt = new GcmSalt(set.salt);
  }
}

/** AEAD-AES-128-GCM (RFC 7714). */
class GcmTransform implements SrtpTransform {
  readonly tagBytes = GCM_TAG_BYTES;
  readonly rtcpBytesAfterIndex = 0;
  readonly #shared: Shared;
  // Those of RTP stand here as well: every packet needs them.
  readonly #cipher: Pointer;
  #salt0: number;
  #salt1: number;
  #salt2: number;
  readonly #rtp: GcmKeys;
  readonly #rtcp: GcmKeys;

  constructor(shared: Shared, keys: SessionKeys, direction: SrtpDirection) {
    this.#shared = shared;
    this.#rtp = new GcmKeys(shared, keys.rtp, direction === "send");
    this.#rtcp = new GcmKeys(shared, keys.rtcp, direction === "send");
    this.#cipher = this.#rtp.cipher;
    this.#salt0 = this.#rtp.salt.word0;
    this.#salt1 = this.#rtp.salt.word1;
    this.#salt2 = this.#rtp.salt.word2;
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
    const cipher = this.#cipher;
    writeGcmRtpIv(this.#shared.scratch, IV, this.#salt0, this.#salt1, this.#salt2, ssrc, roc, sequence);
    const end = headerBytes + payloadBytes;
    return this.#beginSeal(cipher) &&
      this.#authenticate(cipher, destination, headerBytes) &&
      this.#crypt(cipher, destination + headerBytes, source, payloadBytes) &&
      this.#finishSeal(cipher, destination + end)
      ? end + GCM_TAG_BYTES
      : SRTP_INTERNAL;
  }

  openRtp(packet: number, headerBytes: number, length: number, ssrc: number, roc: number, sequence: number): number {
    const cipher = this.#cipher;
    writeGcmRtpIv(this.#shared.scratch, IV, this.#salt0, this.#salt1, this.#salt2, ssrc, roc, sequence);
    const end = length - GCM_TAG_BYTES;
    const payload = packet + headerBytes;
    if (
      !this.#beginOpen(cipher, packet + end) ||
      !this.#authenticate(cipher, packet, headerBytes) ||
      !this.#crypt(cipher, payload, payload, end - headerBytes)
    )
      return SRTP_INTERNAL;
    return this.#finishOpen(cipher) ? end - headerBytes : SRTP_AUTHENTICATION;
  }

  sealRtcp(packet: number, length: number, ssrc: number, index: number): number {
    const { bytes, scratch } = this.#shared;
    const keys = this.#rtcp;
    writeGcmRtcpIv(scratch, IV, keys.salt, ssrc, index);
    const { cipher } = keys;
    const trailer = packet + length + GCM_TAG_BYTES;
    write32(bytes, trailer, index | 0x80000000);
    const body = packet + RTCP_HEADER_BYTES;
    return this.#beginSeal(cipher) &&
      this.#authenticate(cipher, packet, RTCP_HEADER_BYTES) &&
      this.#authenticate(cipher, trailer, RTCP_TRAILER_BYTES) &&
      this.#crypt(cipher, body, body, length - RTCP_HEADER_BYTES) &&
      this.#finishSeal(cipher, packet + length)
      ? length + GCM_TAG_BYTES + RTCP_TRAILER_BYTES
      : SRTP_INTERNAL;
  }

  openRtcp(packet: number, length: number, ssrc: number, index: number, encrypted: boolean): number {
    const keys = this.#rtcp;
    writeGcmRtcpIv(this.#shared.scratch, IV, keys.salt, ssrc, index);
    const { cipher } = keys;
    const trailer = packet + length - RTCP_TRAILER_BYTES;
    const plain = length - RTCP_TRAILER_BYTES - GCM_TAG_BYTES;
    const clear = encrypted ? RTCP_HEADER_BYTES : plain;
    const body = packet + RTCP_HEADER_BYTES;
    if (
      !this.#beginOpen(cipher, packet + plain) ||
      !this.#authenticate(cipher, packet, clear) ||
      !this.#authenticate(cipher, trailer, RTCP_TRAILER_BYTES) ||
      !this.#crypt(cipher, body, body, encrypted ? plain - RTCP_HEADER_BYTES : 0)
    )
      return SRTP_INTERNAL;
    return this.#finishOpen(cipher) ? plain : SRTP_AUTHENTICATION;
  }

  ahead(): number {
    return this.#salt0;
  }

  close(): void {
    for (const keys of [this.#rtp, this.#rtcp]) {
      this.#shared.gcm.freeContext(keys.cipher);
      keys.salt.wipe();
    }
    this.#salt0 = 0;
    this.#salt1 = 0;
    this.#salt2 = 0;
  }

  #beginSeal(cipher: Pointer): boolean {
    const { gcm, ivAt } = this.#shared;
    return gcm.encryptInit(cipher, null, 0, ivAt, GCM_IV_BYTES, null) === 1;
  }

  /** `tag`: where the tag to be found is. */
  #beginOpen(cipher: Pointer, tag: number): boolean {
    const { gcm, base, ivAt, tag: param } = this.#shared;
    param.set(base + tag);
    return gcm.decryptInit(cipher, null, 0, ivAt, GCM_IV_BYTES, param.at) === 1;
  }

  #authenticate(cipher: Pointer, at: number, length: number): boolean {
    const { gcm, base, lengthAt } = this.#shared;
    return gcm.cipher(cipher, null, lengthAt, length, address(base + at), length) === 1;
  }

  #crypt(cipher: Pointer, to: number, from: number, length: number): boolean {
    if (length === 0) return true;
    const { gcm, base, lengthAt } = this.#shared;
    return gcm.cipher(cipher, address(base + to), lengthAt, length, address(base + from), length) === 1;
  }

  #finishSeal(cipher: Pointer, tag: number): boolean {
    const { gcm, base, lengthAt, tag: param } = this.#shared;
    param.set(base + tag);
    return (
      gcm.final(cipher, address(base + tag), lengthAt, GCM_TAG_BYTES) === 1 &&
      gcm.getContextParams(cipher, param.at) === 1
    );
  }

  #finishOpen(cipher: Pointer): boolean {
    const { gcm, lengthAt, ivAt } = this.#shared;
    // Writes nothing; any valid address will do.
    return gcm.final(cipher, ivAt, lengthAt, GCM_TAG_BYTES) === 1;
  }
}
