/**
 * STUN messages (RFC 8489) with what ICE needs (RFC 8445 §16): parse, integrity, build. Short-term credentials: the key is the password's bytes.
 * Declines: MESSAGE-INTEGRITY-SHA256, PASSWORD-ALGORITHMS, other methods than Binding, RFC 3489 without the magic cookie.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { formatAddress, parseAddress } from "./address.ts";

export type StunClass = "request" | "indication" | "success" | "error";

/** An address as STUN carries it. */
export interface StunAddress {
  readonly address: string;
  readonly port: number;
}

/** A parsed message. Attributes after MESSAGE-INTEGRITY do not count (RFC 8489 §14.5). */
export interface StunMessage {
  readonly class: StunClass;
  /** 1: Binding. */
  readonly method: number;
  /** 12 bytes as 24 hex digits. */
  readonly transaction: string;
  readonly username?: string;
  /** 0 … 2³² − 1. */
  readonly priority?: number;
  readonly useCandidate: boolean;
  /** Tie-breaker as 16 hex digits. */
  readonly controlling?: string;
  readonly controlled?: string;
  readonly mappedAddress?: StunAddress;
  readonly errorCode?: number;
  /** Comprehension-required types (below 0x8000) that we do not know. */
  readonly unknownRequired: readonly number[];
  /** Offset of the MESSAGE-INTEGRITY attribute; undefined: there is none. */
  readonly integrityAt?: number;
  /** Whether the FINGERPRINT is right; undefined: there is none. */
  readonly fingerprint?: boolean;
}

export const BINDING = 1;
export const STUN_HEADER_BYTES = 20;
/** Longer messages are not taken: checks have some 100 bytes. */
export const STUN_MAX_BYTES = 1280;

const MAGIC_COOKIE = 0x2112a442;
const USERNAME = 0x0006;
const MESSAGE_INTEGRITY = 0x0008;
const ERROR_CODE = 0x0009;
const UNKNOWN_ATTRIBUTES = 0x000a;
const REALM = 0x0014;
const NONCE = 0x0015;
const MESSAGE_INTEGRITY_SHA256 = 0x001c;
const XOR_MAPPED_ADDRESS = 0x0020;
const PRIORITY = 0x0024;
const USE_CANDIDATE = 0x0025;
const SOFTWARE = 0x8022;
const FINGERPRINT = 0x8028;
const ICE_CONTROLLED = 0x8029;
const ICE_CONTROLLING = 0x802a;
const FINGERPRINT_XOR = 0x5354554e;
/** Known, required to be known, but of no use in ICE. */
const IGNORED: readonly number[] = [0x0001, REALM, NONCE, MESSAGE_INTEGRITY_SHA256];
const MAX_USERNAME_BYTES = 512;
const MAX_ATTRIBUTES = 40;

/** Reads a message; undefined when it is not STUN with the magic cookie, or malformed. Integrity is `checkIntegrity`'s. */
export function parseStun(bytes: Uint8Array): StunMessage | undefined {
  if (bytes.length < STUN_HEADER_BYTES || bytes.length > STUN_MAX_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const type = view.getUint16(0);
  const length = view.getUint16(2);
  if (type > 0x3fff || length % 4 !== 0 || length + STUN_HEADER_BYTES !== bytes.length) return undefined;
  if (view.getUint32(4) !== MAGIC_COOKIE) return undefined;

  const message: { -readonly [Key in keyof StunMessage]: StunMessage[Key] } & { unknownRequired: number[] } = {
    class: classOf(type),
    method: (type & 0x000f) | ((type & 0x00e0) >> 1) | ((type & 0x3e00) >> 2),
    transaction: hex(bytes, 8, 12),
    useCandidate: false,
    unknownRequired: [],
  };
  const seen = new Set<number>();
  let count = 0;
  for (let at = STUN_HEADER_BYTES; at < bytes.length; ) {
    if (at + 4 > bytes.length || ++count > MAX_ATTRIBUTES) return undefined;
    const attribute = view.getUint16(at);
    const size = view.getUint16(at + 2);
    const value = at + 4;
    const next = value + ((size + 3) & ~3);
    if (next > bytes.length) return undefined;
    if (attribute === FINGERPRINT) {
      // The last attribute, always.
      if (size !== 4 || next !== bytes.length) return undefined;
      message.fingerprint = view.getUint32(value) === fingerprintOf(bytes, at);
    } else if (message.integrityAt === undefined && !seen.has(attribute)) {
      seen.add(attribute);
      switch (attribute) {
        case USERNAME:
          if (size > MAX_USERNAME_BYTES) return undefined;
          message.username = new TextDecoder().decode(bytes.subarray(value, value + size));
          break;
        case MESSAGE_INTEGRITY:
          if (size !== 20) return undefined;
          message.integrityAt = at;
          break;
        case ERROR_CODE: {
          if (size < 4) return undefined;
          const hundreds = (bytes[value + 2] as number) & 7;
          const rest = bytes[value + 3] as number;
          if (hundreds < 3 || hundreds > 6 || rest > 99) return undefined;
          message.errorCode = hundreds * 100 + rest;
          break;
        }
        case XOR_MAPPED_ADDRESS: {
          const mapped = readXorAddress(bytes, value, size);
          if (mapped === undefined) return undefined;
          message.mappedAddress = mapped;
          break;
        }
        case PRIORITY:
          if (size !== 4) return undefined;
          message.priority = view.getUint32(value);
          break;
        case USE_CANDIDATE:
          message.useCandidate = true;
          break;
        case ICE_CONTROLLING:
          if (size !== 8) return undefined;
          message.controlling = hex(bytes, value, 8);
          break;
        case ICE_CONTROLLED:
          if (size !== 8) return undefined;
          message.controlled = hex(bytes, value, 8);
          break;
        default:
          if (attribute < 0x8000 && attribute !== UNKNOWN_ATTRIBUTES && !IGNORED.includes(attribute))
            message.unknownRequired.push(attribute);
      }
    }
    at = next;
  }
  return message;
}

/** Whether the message's MESSAGE-INTEGRITY is that of the key; false when there is none. */
export function checkIntegrity(bytes: Uint8Array, message: StunMessage, key: Uint8Array | string): boolean {
  const at = message.integrityAt;
  if (at === undefined) return false;
  return timingSafeEqual(integrityOf(bytes, at, key), bytes.subarray(at + 4, at + 24));
}

/** What a message to be written may have. */
export interface StunFields {
  readonly class: StunClass;
  /** 24 hex digits. */
  readonly transaction: string;
  readonly username?: string;
  readonly priority?: number;
  readonly useCandidate?: boolean;
  readonly controlling?: string;
  readonly controlled?: string;
  readonly mappedAddress?: StunAddress;
  readonly error?: { readonly code: number; readonly reason: string };
  readonly unknownAttributes?: readonly number[];
  readonly software?: string;
}

/** Writes a Binding message; with a key it carries MESSAGE-INTEGRITY, always FINGERPRINT. */
export function writeStun(fields: StunFields, key?: Uint8Array | string): Uint8Array {
  const parts: Uint8Array[] = [];
  const attribute = (type: number, value: Uint8Array): void => {
    const part = new Uint8Array(4 + ((value.length + 3) & ~3));
    new DataView(part.buffer).setUint32(0, type * 65536 + value.length);
    part.set(value, 4);
    parts.push(part);
  };
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  if (fields.software !== undefined) attribute(SOFTWARE, text(fields.software));
  if (fields.error !== undefined) {
    const { code, reason } = fields.error;
    attribute(ERROR_CODE, Uint8Array.of(0, 0, Math.floor(code / 100), code % 100, ...text(reason)));
  }
  if (fields.unknownAttributes !== undefined)
    attribute(UNKNOWN_ATTRIBUTES, Uint8Array.from(fields.unknownAttributes.flatMap((type) => [type >> 8, type & 255])));
  if (fields.mappedAddress !== undefined)
    attribute(XOR_MAPPED_ADDRESS, xorAddress(fields.mappedAddress, fields.transaction));
  if (fields.username !== undefined) attribute(USERNAME, text(fields.username));
  if (fields.priority !== undefined) {
    const value = new Uint8Array(4);
    new DataView(value.buffer).setUint32(0, fields.priority);
    attribute(PRIORITY, value);
  }
  if (fields.useCandidate === true) attribute(USE_CANDIDATE, new Uint8Array(0));
  if (fields.controlling !== undefined) attribute(ICE_CONTROLLING, fromHex(fields.controlling));
  if (fields.controlled !== undefined) attribute(ICE_CONTROLLED, fromHex(fields.controlled));

  const plain = parts.reduce((sum, part) => sum + part.length, STUN_HEADER_BYTES);
  const total = plain + (key === undefined ? 0 : 24) + 8;
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, BINDING | { request: 0, indication: 0x010, success: 0x100, error: 0x110 }[fields.class]);
  view.setUint16(2, total - STUN_HEADER_BYTES);
  view.setUint32(4, MAGIC_COOKIE);
  bytes.set(fromHex(fields.transaction), 8);
  let at = STUN_HEADER_BYTES;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  if (key !== undefined) {
    view.setUint32(at, MESSAGE_INTEGRITY * 65536 + 20);
    bytes.set(integrityOf(bytes, at, key), at + 4);
    at += 24;
  }
  view.setUint32(at, FINGERPRINT * 65536 + 4);
  view.setUint32(at + 4, fingerprintOf(bytes, at));
  return bytes;
}

/** HMAC-SHA1 over everything before the attribute, the length field saying that the message ends with it. */
function integrityOf(bytes: Uint8Array, at: number, key: Uint8Array | string): Uint8Array {
  const length = at + 24 - STUN_HEADER_BYTES;
  const head = Uint8Array.of(bytes[0] as number, bytes[1] as number, length >> 8, length & 255);
  return createHmac("sha1", key).update(head).update(bytes.subarray(4, at)).digest();
}

/** CRC-32 of everything before the attribute, XOR "STUN"; the length field is already the final one, FINGERPRINT being last. */
const fingerprintOf = (bytes: Uint8Array, at: number): number => (crc32(bytes, at) ^ FINGERPRINT_XOR) >>> 0;

const CRC_TABLE = Int32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 0 ? value >>> 1 : (value >>> 1) ^ 0xedb88320;
  return value;
});

/** CRC-32 of ISO/IEC 3309 over the first `length` bytes. */
function crc32(bytes: Uint8Array, length: number): number {
  let value = -1;
  for (let i = 0; i < length; i++) value = (CRC_TABLE[(value ^ (bytes[i] as number)) & 255] as number) ^ (value >>> 8);
  return ~value;
}

const classOf = (type: number): StunClass =>
  (["request", "indication", "success", "error"] as const)[((type >> 7) & 2) | ((type >> 4) & 1)] ?? "request";

function readXorAddress(bytes: Uint8Array, at: number, size: number): StunAddress | undefined {
  const family = size >= 4 ? bytes[at + 1] : 0;
  const length = family === 1 && size === 8 ? 4 : family === 2 && size === 20 ? 16 : undefined;
  if (length === undefined) return undefined;
  const plain = new Uint8Array(length);
  // The mask is cookie and transaction, which stand at offset 4 of the message.
  for (let i = 0; i < length; i++) plain[i] = (bytes[at + 4 + i] as number) ^ (bytes[4 + i] as number);
  const port = (((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) ^ (MAGIC_COOKIE >>> 16);
  return { address: formatAddress(plain, 0, length), port };
}

function xorAddress({ address, port }: StunAddress, transaction: string): Uint8Array {
  const plain = parseAddress(address);
  if (plain === undefined) throw new RangeError(`not an address: ${address}`);
  const mask = fromHex(`2112a442${transaction}`);
  const masked = port ^ (MAGIC_COOKIE >>> 16);
  const value = Uint8Array.of(0, plain.length === 4 ? 1 : 2, masked >> 8, masked & 255, ...plain);
  for (let i = 0; i < plain.length; i++) value[4 + i] = (value[4 + i] as number) ^ (mask[i] as number);
  return value;
}

export const hex = (bytes: Uint8Array, at = 0, length = bytes.length - at): string => {
  let text = "";
  for (let i = at; i < at + length; i++) text += (bytes[i] as number).toString(16).padStart(2, "0");
  return text;
};

const fromHex = (text: string): Uint8Array =>
  Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
