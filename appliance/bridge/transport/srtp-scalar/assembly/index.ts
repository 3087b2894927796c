/**
 * The SRTP kernel: AES-128-CM with HMAC-SHA1-80 (RFC 3711) and AEAD-AES-128-GCM (RFC 7714), the whole packet in one call, over the loop's own
 * packet memory. No allocation, no memory of its own, no imports but the memory. The loader (srtp-scalar.ts) says why it is made as it is.
 *
 * A context is two sets of keys (layout.ts), of RTP and RTCP; the functions get the address of the set they need. Results: a length, or −2 where the tag
 * is wrong.
 */
import { begin, crypt, expandKey, initAes } from "./cipher";
import { beginHash, hash, hashBlock, hashHigh, hashLow, initGhash, setHashKey } from "./ghash";
import { BLOCK, SALT, STATE } from "./layout";
import { hmac, initSha1, setHmacKey } from "./sha1";

const AUTHENTICATION: i32 = -2;
const CM_TAG: u32 = 10;
const GCM_TAG: u32 = 16;
const RTCP_HEADER: u32 = 8;
const RTCP_TRAILER: u32 = 4;

/** Fills the tables; once per memory. */
export function init(): void {
  initAes();
  initGhash();
  initSha1();
}

/** Sets a set's keys for CM: 16 bytes of cipher key, 20 of authentication key, 14 of salt at the addresses given. */
export function setCounterKeys(keys: usize, cipherKey: usize, authKey: usize, salt: usize): void {
  expandKey(keys, cipherKey);
  setHmacKey(keys, authKey, 20);
  store<u64>(keys, 0, SALT + 8);
  memory.copy(keys + SALT, salt, 14);
}

/** Sets a set's keys for GCM: 16 bytes of cipher key, 12 of salt. */
export function setGcmKeys(keys: usize, cipherKey: usize, salt: usize): void {
  expandKey(keys, cipherKey);
  store<u64>(keys, 0, SALT + 8);
  memory.copy(keys + SALT, salt, 12);
  memory.fill(BLOCK, 0, 16);
  begin(keys, 0, 0, 0, 0, 1);
  crypt(keys, 0, BLOCK, BLOCK, 16);
  setHashKey(keys, BLOCK);
  memory.fill(BLOCK, 0, 16);
}

// ---- AES-CM with HMAC-SHA1-80 ----

/** RFC 3711 §4.1.1: `high` and `low` are the index's upper 32 and lower 16 bits. */
// @ts-ignore: decorator
@inline
function counterCrypt(keys: usize, from: usize, to: usize, length: u32, ssrc: u32, high: u32, low: u32): void {
  begin(
    keys,
    load<u32>(keys, SALT),
    load<u32>(keys, SALT + 4) ^ bswap(ssrc),
    load<u32>(keys, SALT + 8) ^ bswap(high),
    load<u32>(keys, SALT + 12) ^ bswap(low << 16),
    (length + 15) >> 4,
  );
  crypt(keys, 0, from, to, length);
}

export function sealCounterRtp(
  keys: usize,
  destination: usize,
  headerBytes: u32,
  source: usize,
  payloadBytes: u32,
  ssrc: u32,
  roc: u32,
  sequence: u32,
): i32 {
  counterCrypt(keys, source, destination + headerBytes, payloadBytes, ssrc, roc, sequence);
  const end = destination + headerBytes + payloadBytes;
  store<u32>(end, bswap(roc));
  hmac(keys, destination, end + 4);
  writeTag(end);
  return headerBytes + payloadBytes + CM_TAG;
}

export function openCounterRtp(
  keys: usize,
  packet: usize,
  headerBytes: u32,
  length: u32,
  ssrc: u32,
  roc: u32,
  sequence: u32,
): i32 {
  const end = packet + length - CM_TAG;
  const tag = load<u64>(end);
  const rest = load<u16>(end, 8);
  store<u32>(end, bswap(roc));
  hmac(keys, packet, end + 4);
  if (!sameTag(tag, rest)) return AUTHENTICATION;
  const payload = packet + headerBytes;
  counterCrypt(keys, payload, payload, <u32>(end - payload), ssrc, roc, sequence);
  return <i32>(end - payload);
}

export function sealCounterRtcp(keys: usize, packet: usize, length: u32, ssrc: u32, index: u32): i32 {
  const body = packet + RTCP_HEADER;
  counterCrypt(keys, body, body, length - RTCP_HEADER, ssrc, index >> 16, index & 0xffff);
  store<u32>(packet + length, bswap(index | 0x80000000));
  const end = packet + length + RTCP_TRAILER;
  hmac(keys, packet, end);
  writeTag(end);
  return length + RTCP_TRAILER + CM_TAG;
}

export function openCounterRtcp(
  keys: usize,
  packet: usize,
  length: u32,
  ssrc: u32,
  index: u32,
  encrypted: bool,
): i32 {
  const end = packet + length - CM_TAG;
  const tag = load<u64>(end);
  const rest = load<u16>(end, 8);
  hmac(keys, packet, end);
  if (!sameTag(tag, rest)) return AUTHENTICATION;
  const plain = length - CM_TAG - RTCP_TRAILER;
  const body = packet + RTCP_HEADER;
  if (encrypted) counterCrypt(keys, body, body, plain - RTCP_HEADER, ssrc, index >> 16, index & 0xffff);
  return plain;
}

/** The digest's first 80 bits. */
function writeTag(at: usize): void {
  store<u32>(at, bswap(load<u32>(STATE, 0)), 0);
  store<u32>(at, bswap(load<u32>(STATE, 4)), 4);
  store<u16>(at, <u16>bswap(load<u32>(STATE, 8)), 8);
}

/** In constant time. */
function sameTag(tag: u64, rest: u16): bool {
  const first = <u64>bswap(load<u32>(STATE, 0)) | (<u64>bswap(load<u32>(STATE, 4)) << 32);
  return ((tag ^ first) | <u64>(rest ^ <u16>bswap(load<u32>(STATE, 8)))) == 0;
}

// ---- AEAD-AES-128-GCM ----

// Under an IV of 12 bytes the block with counter 1 encrypts the tag; the text begins at 2.
const TAG_BLOCK: u32 = 1;
const TEXT_BLOCK: u32 = 2;

// @ts-ignore: decorator
@inline
function gcmBegin(keys: usize, i0: u32, i1: u32, i2: u32, textBytes: u32): void {
  begin(keys, i0, i1, i2, 0, TEXT_BLOCK + ((textBytes + 15) >> 4));
}

/** The tag over what was hashed so far; its words are then at BLOCK. `aadBytes`, `textBytes`: their lengths. */
function finishTag(keys: usize, aadBytes: u32, textBytes: u32): void {
  // Lengths in bits, each 64 bits big-endian.
  hashBlock(keys, <u64>bswap(aadBytes << 3) << 32, <u64>bswap(textBytes << 3) << 32);
  store<u64>(BLOCK, hashLow(), 0);
  store<u64>(BLOCK, hashHigh(), 8);
  crypt(keys, TAG_BLOCK, BLOCK, BLOCK, 16);
}

/** In constant time. */
function sameGcmTag(at: usize): bool {
  return ((load<u64>(at, 0) ^ load<u64>(BLOCK, 0)) | (load<u64>(at, 8) ^ load<u64>(BLOCK, 8))) == 0;
}

function writeGcmTag(at: usize): void {
  store<u64>(at, load<u64>(BLOCK, 0), 0);
  store<u64>(at, load<u64>(BLOCK, 8), 8);
}

// RFC 7714 §8.1: 00 00 | SSRC | ROC | SEQ, XOR salt.
// @ts-ignore: decorator
@inline
function rtpIv0(keys: usize, ssrc: u32): u32 {
  return load<u32>(keys, SALT) ^ bswap(ssrc >> 16);
}
// @ts-ignore: decorator
@inline
function rtpIv1(keys: usize, ssrc: u32, roc: u32): u32 {
  return load<u32>(keys, SALT + 4) ^ bswap((ssrc << 16) | (roc >> 16));
}
// @ts-ignore: decorator
@inline
function rtpIv2(keys: usize, roc: u32, sequence: u32): u32 {
  return load<u32>(keys, SALT + 8) ^ bswap((roc << 16) | sequence);
}

export function sealGcmRtp(
  keys: usize,
  destination: usize,
  headerBytes: u32,
  source: usize,
  payloadBytes: u32,
  ssrc: u32,
  roc: u32,
  sequence: u32,
): i32 {
  const i0 = rtpIv0(keys, ssrc);
  const i1 = rtpIv1(keys, ssrc, roc);
  const i2 = rtpIv2(keys, roc, sequence);
  const payload = destination + headerBytes;
  gcmBegin(keys, i0, i1, i2, payloadBytes);
  crypt(keys, TEXT_BLOCK, source, payload, payloadBytes);
  beginHash();
  hash(keys, destination, headerBytes);
  hash(keys, payload, payloadBytes);
  finishTag(keys, headerBytes, payloadBytes);
  writeGcmTag(payload + payloadBytes);
  return headerBytes + payloadBytes + GCM_TAG;
}

export function openGcmRtp(
  keys: usize,
  packet: usize,
  headerBytes: u32,
  length: u32,
  ssrc: u32,
  roc: u32,
  sequence: u32,
): i32 {
  const i0 = rtpIv0(keys, ssrc);
  const i1 = rtpIv1(keys, ssrc, roc);
  const i2 = rtpIv2(keys, roc, sequence);
  const payload = packet + headerBytes;
  const payloadBytes = length - headerBytes - GCM_TAG;
  gcmBegin(keys, i0, i1, i2, payloadBytes);
  beginHash();
  hash(keys, packet, headerBytes);
  hash(keys, payload, payloadBytes);
  finishTag(keys, headerBytes, payloadBytes);
  if (!sameGcmTag(payload + payloadBytes)) return AUTHENTICATION;
  crypt(keys, TEXT_BLOCK, payload, payload, payloadBytes);
  return payloadBytes;
}

/** RFC 7714 §9.1: the first 8 bytes in the clear (or all, where it is not encrypted) and the index word are authenticated only. */
function hashRtcp(keys: usize, packet: usize, clear: u32, trailer: usize, textBytes: u32): void {
  beginHash();
  if (clear == RTCP_HEADER) {
    // Header and index word make one block.
    hashBlock(keys, load<u64>(packet), <u64>load<u32>(trailer));
  } else {
    // The index word follows the clear bytes without a gap, in the place of the tag, which is put back.
    const at = packet + clear;
    const kept = load<u32>(at);
    store<u32>(at, load<u32>(trailer));
    hash(keys, packet, clear + RTCP_TRAILER);
    store<u32>(at, kept);
  }
  hash(keys, packet + RTCP_HEADER, textBytes);
}

export function sealGcmRtcp(keys: usize, packet: usize, length: u32, ssrc: u32, index: u32): i32 {
  const i0 = load<u32>(keys, SALT) ^ bswap(ssrc >> 16);
  const i1 = load<u32>(keys, SALT + 4) ^ bswap(ssrc << 16);
  const i2 = load<u32>(keys, SALT + 8) ^ bswap(index);
  const body = packet + RTCP_HEADER;
  const textBytes = length - RTCP_HEADER;
  const trailer = packet + length + GCM_TAG;
  store<u32>(trailer, bswap(index | 0x80000000));
  gcmBegin(keys, i0, i1, i2, textBytes);
  crypt(keys, TEXT_BLOCK, body, body, textBytes);
  hashRtcp(keys, packet, RTCP_HEADER, trailer, textBytes);
  finishTag(keys, RTCP_HEADER + RTCP_TRAILER, textBytes);
  writeGcmTag(packet + length);
  return length + GCM_TAG + RTCP_TRAILER;
}

export function openGcmRtcp(
  keys: usize,
  packet: usize,
  length: u32,
  ssrc: u32,
  index: u32,
  encrypted: bool,
): i32 {
  const i0 = load<u32>(keys, SALT) ^ bswap(ssrc >> 16);
  const i1 = load<u32>(keys, SALT + 4) ^ bswap(ssrc << 16);
  const i2 = load<u32>(keys, SALT + 8) ^ bswap(index);
  const plain = length - GCM_TAG - RTCP_TRAILER;
  const clear = encrypted ? RTCP_HEADER : plain;
  const textBytes = plain - clear;
  const body = packet + RTCP_HEADER;
  gcmBegin(keys, i0, i1, i2, textBytes);
  hashRtcp(keys, packet, clear, packet + length - RTCP_TRAILER, textBytes);
  finishTag(keys, clear + RTCP_TRAILER, textBytes);
  if (!sameGcmTag(packet + plain)) return AUTHENTICATION;
  crypt(keys, TEXT_BLOCK, body, body, textBytes);
  return plain;
}
