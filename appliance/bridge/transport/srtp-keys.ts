/**
 * Session keys of SRTP: key derivation with rate 0 (RFC 3711 §4.3, RFC 7714 §11), and how the DTLS exporter's bytes are cut (RFC 5764 §4.2).
 */
import { createCipheriv } from "node:crypto";
import type { SrtpMaster, SrtpProfile } from "../media-commands.ts";

/** Lengths of one profile in bytes (bridge.md 6.1). */
export interface SrtpProfileSizes {
  readonly key: number;
  readonly salt: number;
  /** HMAC-SHA1 key; 0 with GCM. */
  readonly authKey: number;
  readonly rtpTag: number;
  readonly rtcpTag: number;
}

export const SRTP_PROFILE_SIZES: Readonly<Record<SrtpProfile, SrtpProfileSizes>> = {
  AES128_CM_HMAC_SHA1_80: { key: 16, salt: 14, authKey: 20, rtpTag: 10, rtcpTag: 10 },
  AEAD_AES_128_GCM: { key: 16, salt: 12, authKey: 0, rtpTag: 16, rtcpTag: 16 },
};

/** Keys of one direction for one of RTP and RTCP. */
export interface SessionKeySet {
  readonly key: Uint8Array;
  /** 14 bytes (CM) or 12 (GCM). */
  readonly salt: Uint8Array;
  /** 20 bytes (CM) or none (GCM). */
  readonly authKey: Uint8Array;
}

export interface SessionKeys {
  readonly rtp: SessionKeySet;
  readonly rtcp: SessionKeySet;
}

/** `length` bytes of AES-CM key stream for a label (RFC 3711 §4.3.1, §4.3.3). `salt` has 12 or 14 bytes; a short one counts as followed by zeros. */
export function deriveKey(masterKey: Uint8Array, salt: Uint8Array, label: number, length: number): Uint8Array {
  const iv = Buffer.alloc(16);
  iv.set(salt, 0);
  iv[7] = (iv[7] as number) ^ label;
  const cipher = createCipheriv(masterKey.length === 32 ? "aes-256-ctr" : "aes-128-ctr", masterKey, iv);
  return new Uint8Array(cipher.update(Buffer.alloc(length)));
}

/** Session keys from a master key and salt. Throws a RangeError on wrong lengths: those are ours to get right. */
export function sessionKeys(profile: SrtpProfile, master: SrtpMaster): SessionKeys {
  const sizes = SRTP_PROFILE_SIZES[profile];
  if (master.key.length !== sizes.key || master.salt.length !== sizes.salt)
    throw new RangeError(`${profile} takes ${sizes.key} bytes of key and ${sizes.salt} of salt`);
  const set = (first: number): SessionKeySet => ({
    key: deriveKey(master.key, master.salt, first, sizes.key),
    authKey: deriveKey(master.key, master.salt, first + 1, sizes.authKey),
    salt: deriveKey(master.key, master.salt, first + 2, sizes.salt),
  });
  return { rtp: set(0), rtcp: set(3) };
}

/** Bytes to export for a profile: two keys and two salts. */
export const exporterLength = (profile: SrtpProfile): number =>
  2 * (SRTP_PROFILE_SIZES[profile].key + SRTP_PROFILE_SIZES[profile].salt);

/** Cuts exported material: client key, server key, client salt, server salt (RFC 5764 §4.2). */
export function splitExportedKeys(
  profile: SrtpProfile,
  material: Uint8Array,
): { readonly client: SrtpMaster; readonly server: SrtpMaster } {
  const { key, salt } = SRTP_PROFILE_SIZES[profile];
  if (material.length !== 2 * (key + salt)) throw new RangeError("exported material has the wrong length");
  return {
    client: { key: material.slice(0, key), salt: material.slice(2 * key, 2 * key + salt) },
    server: { key: material.slice(key, 2 * key), salt: material.slice(2 * key + salt) },
  };
}
