/**
 * Shell: draws a key. The bridge's self-signed certificate for DTLS (RFC 8827 §6.5) and its fingerprint (RFC 8122): ECDSA P-256 with SHA-256, written in DER by hand,
 * signed by node:crypto. Valid from a day ago (clocks differ) for a week; renewed daily (bridge.md 3.6), an endpoint keeps the one it began with.
 */
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import type { EpochMillis } from "../../time.ts";
import type { RandomBytes } from "./random.ts";

export interface Certificate {
  /** X.509 v3. */
  readonly der: Uint8Array;
  /** PKCS #8. */
  readonly privateKeyDer: Uint8Array;
  /** `sha-256` fingerprint, upper-case hex with colons. */
  readonly fingerprint: string;
  readonly notAfter: EpochMillis;
}

const DAY_MS = 86_400_000;
export const CERTIFICATE_BACKDATE_MS = DAY_MS;
export const CERTIFICATE_LIFETIME_MS = 7 * DAY_MS;
export const CERTIFICATE_RENEWAL_MS = DAY_MS;

/** Whether new endpoints should get a new certificate: it is a day old. */
export const certificateIsStale = (certificate: Certificate, now: EpochMillis): boolean =>
  now >= certificate.notAfter - CERTIFICATE_LIFETIME_MS + CERTIFICATE_RENEWAL_MS;

export function makeCertificate(now: EpochMillis, random: RandomBytes): Certificate {
  const { publicKey, privateKey } = generateKeyPairSync("ec", {
    namedCurve: "prime256v1",
    publicKeyEncoding: { type: "spki", format: "der" },
    privateKeyEncoding: { type: "pkcs8", format: "der" },
  });
  const notAfter = (now + CERTIFICATE_LIFETIME_MS) as EpochMillis;
  const signature = sequence(oid(1, 2, 840, 10045, 4, 3, 2)); // ecdsa-with-SHA256
  const name = sequence(set(sequence(oid(2, 5, 4, 3), der(0x0c, new TextEncoder().encode("parley")))));
  const serial = random(16);
  // Positive and not zero, as RFC 5280 §4.1.2.2 wants.
  serial[0] = ((serial[0] as number) & 0x3f) | 0x40;
  const body = sequence(
    der(0xa0, der(0x02, Uint8Array.of(2))),
    der(0x02, serial),
    signature,
    name,
    sequence(time((now - CERTIFICATE_BACKDATE_MS) as EpochMillis), time(notAfter)),
    name,
    new Uint8Array(publicKey),
  );
  const proof = sign("sha256", body, { key: privateKey, format: "der", type: "pkcs8" });
  const certificate = sequence(body, signature, der(0x03, Uint8Array.of(0), new Uint8Array(proof)));
  return {
    der: certificate,
    privateKeyDer: new Uint8Array(privateKey),
    fingerprint: fingerprintOf(certificate, "sha256"),
    notAfter,
  };
}

/** Fingerprint of a DER certificate as SDP writes it. `hash`: node's name, e.g. `sha256`. */
export const fingerprintOf = (certificate: Uint8Array, hash: string): string =>
  createHash(hash)
    .update(certificate)
    .digest("hex")
    .toUpperCase()
    .replace(/(..)(?!$)/g, "$1:");

function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head =
    length < 128 ? [tag, length] : length < 256 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 255];
  const bytes = new Uint8Array(head.length + length);
  bytes.set(head);
  let at = head.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

const sequence = (...parts: readonly Uint8Array[]): Uint8Array => der(0x30, ...parts);
const set = (...parts: readonly Uint8Array[]): Uint8Array => der(0x31, ...parts);

function oid(first: number, second: number, ...rest: readonly number[]): Uint8Array {
  const bytes = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 127];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) groups.unshift((left & 127) | 128);
    bytes.push(...groups);
  }
  return der(0x06, Uint8Array.from(bytes));
}

/** UTCTime until 2049, GeneralizedTime from 2050 (RFC 5280 §4.1.2.5). */
function time(at: EpochMillis): Uint8Array {
  const text = `${new Date(at).toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`;
  const generalized = text >= "2050";
  return der(generalized ? 0x18 : 0x17, new TextEncoder().encode(generalized ? text : text.slice(2)));
}
