/**
 * SRTP by node:crypto: the portable fallback (design.md 4), a cipher and a hash object per packet. It allocates, so it is never the choice where
 * another provider runs; it is also what the others are checked against.
 */
import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from "node:crypto";
import type { SrtpProfile } from "../media-commands.ts";
import { write32 } from "../rtp/bytes.ts";
import {
  CM_TAG_BYTES,
  GCM_TAG_BYTES,
  type PacketMemory,
  RTCP_HEADER_BYTES,
  RTCP_TRAILER_BYTES,
  SRTP_AUTHENTICATION,
  SRTP_PROFILES,
  type SrtpDirection,
  type SrtpProvider,
  type SrtpTransform,
} from "./srtp.ts";
import { GcmSalt, saltWords, writeCounterIv, writeGcmRtcpIv, writeGcmRtpIv } from "./srtp-iv.ts";
import type { SessionKeySet, SessionKeys } from "./srtp-keys.ts";

export const nodeProvider = (memory: PacketMemory): SrtpProvider => ({
  name: "node",
  profiles: SRTP_PROFILES,
  createTransform: (profile: SrtpProfile, keys: SessionKeys, _direction: SrtpDirection): SrtpTransform =>
    profile === "AEAD_AES_128_GCM"
      ? new NodeGcmTransform(memory.bytes, keys)
      : new NodeCounterTransform(memory.bytes, keys),
});

/** One IV at a time, as bytes. */
const ivWords = new Int32Array(4);
const ivBytes = new Uint8Array(ivWords.buffer);

class NodeCounterTransform implements SrtpTransform {
  readonly tagBytes = CM_TAG_BYTES;
  readonly rtcpBytesAfterIndex = CM_TAG_BYTES;
  readonly #bytes: Uint8Array;
  readonly #keys: SessionKeys;
  readonly #rtpSalt: Int32Array;
  readonly #rtcpSalt: Int32Array;

  constructor(bytes: Uint8Array, keys: SessionKeys) {
    this.#bytes = bytes;
    this.#keys = keys;
    this.#rtpSalt = saltWords(keys.rtp.salt);
    this.#rtcpSalt = saltWords(keys.rtcp.salt);
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
    writeCounterIv(ivWords, 0, this.#rtpSalt, ssrc, roc, sequence);
    this.#crypt(this.#keys.rtp, destination + headerBytes, source, payloadBytes);
    const end = destination + headerBytes + payloadBytes;
    this.#bytes.set(this.#tag(this.#keys.rtp, destination, end, roc), end);
    return headerBytes + payloadBytes + CM_TAG_BYTES;
  }

  openRtp(packet: number, headerBytes: number, length: number, ssrc: number, roc: number, sequence: number): number {
    const end = packet + length - CM_TAG_BYTES;
    const tag = this.#bytes.subarray(end, end + CM_TAG_BYTES);
    if (!timingSafeEqual(this.#tag(this.#keys.rtp, packet, end, roc), tag)) return SRTP_AUTHENTICATION;
    writeCounterIv(ivWords, 0, this.#rtpSalt, ssrc, roc, sequence);
    const payload = packet + headerBytes;
    this.#crypt(this.#keys.rtp, payload, payload, end - payload);
    return end - payload;
  }

  sealRtcp(packet: number, length: number, ssrc: number, index: number): number {
    writeCounterIv(ivWords, 0, this.#rtcpSalt, ssrc, index >>> 16, index & 0xffff);
    const body = packet + RTCP_HEADER_BYTES;
    this.#crypt(this.#keys.rtcp, body, body, length - RTCP_HEADER_BYTES);
    write32(this.#bytes, packet + length, index | 0x80000000);
    const end = packet + length + RTCP_TRAILER_BYTES;
    this.#bytes.set(this.#tag(this.#keys.rtcp, packet, end), end);
    return length + RTCP_TRAILER_BYTES + CM_TAG_BYTES;
  }

  openRtcp(packet: number, length: number, ssrc: number, index: number, encrypted: boolean): number {
    const end = packet + length - CM_TAG_BYTES;
    const tag = this.#bytes.subarray(end, end + CM_TAG_BYTES);
    if (!timingSafeEqual(this.#tag(this.#keys.rtcp, packet, end), tag)) return SRTP_AUTHENTICATION;
    const plain = length - CM_TAG_BYTES - RTCP_TRAILER_BYTES;
    if (encrypted) {
      writeCounterIv(ivWords, 0, this.#rtcpSalt, ssrc, index >>> 16, index & 0xffff);
      const body = packet + RTCP_HEADER_BYTES;
      this.#crypt(this.#keys.rtcp, body, body, plain - RTCP_HEADER_BYTES);
    }
    return plain;
  }

  ahead(): number {
    return 0;
  }

  close(): void {
    wipe(this.#keys);
  }

  #crypt(set: SessionKeySet, to: number, from: number, length: number): void {
    const cipher = createCipheriv("aes-128-ctr", set.key, ivBytes);
    this.#bytes.set(cipher.update(this.#bytes.subarray(from, from + length)), to);
  }

  #tag(set: SessionKeySet, start: number, end: number, roc?: number): Uint8Array {
    const hmac = createHmac("sha1", set.authKey).update(this.#bytes.subarray(start, end));
    if (roc !== undefined) hmac.update(Uint8Array.of(roc >>> 24, roc >>> 16, roc >>> 8, roc));
    return hmac.digest().subarray(0, CM_TAG_BYTES);
  }
}

class NodeGcmTransform implements SrtpTransform {
  readonly tagBytes = GCM_TAG_BYTES;
  readonly rtcpBytesAfterIndex = 0;
  readonly #bytes: Uint8Array;
  readonly #keys: SessionKeys;
  readonly #rtpSalt: GcmSalt;
  readonly #rtcpSalt: GcmSalt;

  constructor(bytes: Uint8Array, keys: SessionKeys) {
    this.#bytes = bytes;
    this.#keys = keys;
    this.#rtpSalt = new GcmSalt(keys.rtp.salt);
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
    writeRtpIv(this.#rtpSalt, ssrc, roc, sequence);
    const aad = this.#bytes.subarray(destination, destination + headerBytes);
    this.#seal(this.#keys.rtp, aad, destination + headerBytes, source, payloadBytes);
    return headerBytes + payloadBytes + GCM_TAG_BYTES;
  }

  openRtp(packet: number, headerBytes: number, length: number, ssrc: number, roc: number, sequence: number): number {
    writeRtpIv(this.#rtpSalt, ssrc, roc, sequence);
    const payloadBytes = length - headerBytes - GCM_TAG_BYTES;
    const aad = this.#bytes.subarray(packet, packet + headerBytes);
    const good = this.#open(this.#keys.rtp, aad, packet + headerBytes, payloadBytes, packet + length - GCM_TAG_BYTES);
    return good ? payloadBytes : SRTP_AUTHENTICATION;
  }

  sealRtcp(packet: number, length: number, ssrc: number, index: number): number {
    writeRtcpIv(this.#rtcpSalt, ssrc, index);
    const trailer = packet + length + GCM_TAG_BYTES;
    write32(this.#bytes, trailer, index | 0x80000000);
    const body = packet + RTCP_HEADER_BYTES;
    const aad = this.#associated(packet, RTCP_HEADER_BYTES, trailer);
    this.#seal(this.#keys.rtcp, aad, body, body, length - RTCP_HEADER_BYTES);
    return length + GCM_TAG_BYTES + RTCP_TRAILER_BYTES;
  }

  openRtcp(packet: number, length: number, ssrc: number, index: number, encrypted: boolean): number {
    writeRtcpIv(this.#rtcpSalt, ssrc, index);
    const plain = length - RTCP_TRAILER_BYTES - GCM_TAG_BYTES;
    const clear = encrypted ? RTCP_HEADER_BYTES : plain;
    const aad = this.#associated(packet, clear, packet + length - RTCP_TRAILER_BYTES);
    const good = this.#open(this.#keys.rtcp, aad, packet + clear, plain - clear, packet + plain);
    return good ? plain : SRTP_AUTHENTICATION;
  }

  ahead(): number {
    return 0;
  }

  close(): void {
    wipe(this.#keys);
  }

  #associated(packet: number, clear: number, trailer: number): Uint8Array {
    const aad = new Uint8Array(clear + RTCP_TRAILER_BYTES);
    aad.set(this.#bytes.subarray(packet, packet + clear));
    aad.set(this.#bytes.subarray(trailer, trailer + RTCP_TRAILER_BYTES), clear);
    return aad;
  }

  /** The tag goes behind the ciphertext. */
  #seal(set: SessionKeySet, aad: Uint8Array, to: number, from: number, length: number): void {
    const cipher = createCipheriv("aes-128-gcm", set.key, ivBytes.subarray(0, 12));
    cipher.setAAD(aad);
    this.#bytes.set(cipher.update(this.#bytes.subarray(from, from + length)), to);
    cipher.final();
    this.#bytes.set(cipher.getAuthTag(), to + length);
  }

  #open(set: SessionKeySet, aad: Uint8Array, at: number, length: number, tag: number): boolean {
    const cipher = createDecipheriv("aes-128-gcm", set.key, ivBytes.subarray(0, 12), { authTagLength: GCM_TAG_BYTES });
    cipher.setAAD(aad);
    cipher.setAuthTag(this.#bytes.subarray(tag, tag + GCM_TAG_BYTES));
    const plain = cipher.update(this.#bytes.subarray(at, at + length));
    try {
      cipher.final();
    } catch {
      // How node:crypto says that the tag is wrong.
      return false;
    }
    this.#bytes.set(plain, at);
    return true;
  }
}

const wipe = (keys: SessionKeys): void => {
  for (const set of [keys.rtp, keys.rtcp]) {
    set.key.fill(0);
    set.salt.fill(0);
    set.authKey.fill(0);
  }
};

const writeRtpIv = (salt: GcmSalt, ssrc: number, roc: number, sequence: number): void =>
  writeGcmRtpIv(ivWords, 0, salt.word0, salt.word1, salt.word2, ssrc, roc, sequence);

const writeRtcpIv = (salt: GcmSalt, ssrc: number, index: number): void => writeGcmRtcpIv(ivWords, 0, salt, ssrc, index);
