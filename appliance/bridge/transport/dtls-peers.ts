/**
 * Shell: tests only. Peers that DTLS must cope with. A libssl client of any configuration (no certificate, no extended master secret, a ClientHello of two
 * fragments), and werift's client as the forger: it presents what it is told to, and a Finished that can be spoilt.
 */

import { dlopen, type Pointer, ptr } from "bun:ffi";
import { createRequire } from "node:module";
import { type Libssl, loadLibssl, type SslContext, type SslSession } from "../native/libssl.ts";
import type { Certificate } from "./certificate.ts";

const RAW = {
  DTLS_method: { args: [], returns: "ptr" },
  SSL_CTX_new: { args: ["ptr"], returns: "ptr" },
  SSL_CTX_set_options: { args: ["ptr", "u64"], returns: "void" },
  SSL_CTX_set_alpn_protos: { args: ["ptr", "ptr", "u32"], returns: "i32" },
  SSL_CTX_set_tlsext_use_srtp: { args: ["ptr", "ptr"], returns: "i32" },
  SSL_CTX_use_certificate_ASN1: { args: ["ptr", "i32", "ptr"], returns: "i32" },
} as const;

const SSL_OP_NO_EXTENDED_MASTER_SECRET = 0x1;
const SSL_OP_NO_QUERY_MTU = 0x1000;
/** The timer callback lives in a context of the ordinary kind. */
const CIPHERS = "ECDHE-ECDSA-AES128-GCM-SHA256";

/** A bare libssl client, stepped by hand. */
export class RawClient {
  readonly library: Libssl = loadLibssl();
  readonly session: SslSession;
  readonly #kept: Uint8Array[] = [];

  constructor(
    certificate: Certificate,
    options: {
      readonly certificate: boolean;
      readonly extendedMasterSecret?: boolean;
      readonly alpnBytes?: number;
      /** OpenSSL's name of the one suite that is offered. */
      readonly suite?: string;
    },
  ) {
    const ordinary = this.library.newContext({
      certificateDer: certificate.der,
      privateKeyDer: certificate.privateKeyDer,
      srtpProfiles: ["SRTP_AES128_CM_SHA1_80"],
      cipherList: options.suite ?? CIPHERS,
      groups: "X25519:P-256",
      mtu: 1200,
      firstTimerMicros: 40_000,
      maximumTimerMicros: 40_000,
    });
    const raw = dlopen("libssl.so.3", RAW).symbols;
    let address = ordinary.address;
    if (!options.certificate) {
      address = raw.SSL_CTX_new(raw.DTLS_method()) as Pointer;
      const name = Buffer.from("SRTP_AES128_CM_SHA1_80\0");
      this.#kept.push(name);
      raw.SSL_CTX_set_tlsext_use_srtp(address, ptr(name));
      raw.SSL_CTX_set_options(address, SSL_OP_NO_QUERY_MTU);
    }
    if (options.extendedMasterSecret === false) raw.SSL_CTX_set_options(address, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    if (options.alpnBytes !== undefined) {
      // Names of up to 250 bytes until there are enough.
      const names: number[] = [];
      while (names.length < options.alpnBytes) names.push(250, ...new Array<number>(250).fill(97));
      const list = Uint8Array.from(names);
      this.#kept.push(list);
      raw.SSL_CTX_set_alpn_protos(address, ptr(list), list.length);
    }
    const context: SslContext = { ...ordinary, address };
    this.session = this.library.newSession(context, "client");
  }

  /** Datagrams after an input (or at the start), one per DTLS record. */
  step(datagram?: Uint8Array): Uint8Array[] {
    if (datagram !== undefined) this.library.put(this.session, datagram);
    this.library.handshake(this.session);
    const bytes = this.library.take(this.session);
    return bytes === undefined ? [] : records(bytes);
  }

  free(): void {
    this.library.freeSession(this.session);
  }
}

/** Cuts a datagram at its records. */
export function records(bytes: Uint8Array): Uint8Array[] {
  const cut: Uint8Array[] = [];
  for (let at = 0; at + 13 <= bytes.length; ) {
    const next = at + 13 + (((bytes[at + 11] as number) << 8) | (bytes[at + 12] as number));
    cut.push(bytes.slice(at, next));
    at = next;
  }
  return cut;
}

interface WeriftClient {
  readonly onConnect: { subscribe(callback: () => void): void };
  connect(): Promise<void>;
  close(): void;
}

export interface WeriftTransport {
  onData?: (bytes: Uint8Array) => void;
  send(bytes: Uint8Array): Promise<void>;
  close(): void;
  readonly type: string;
}

const weriftRequire = createRequire(import.meta.url);
const weriftFile = (path: string): unknown =>
  weriftRequire(Bun.fileURLToPath(new URL(path, import.meta.resolve("werift"))));

/** werift's DTLS client: shows `certificate`, signs with `key` (PEM), whether they belong together or not. */
export function weriftClient(transport: WeriftTransport, certificate: string, key: string): WeriftClient {
  const { DtlsClient } = weriftFile("./dtls/src/client.js") as {
    readonly DtlsClient: new (options: object) => WeriftClient;
  };
  return new DtlsClient({
    transport,
    cert: certificate,
    key,
    // sha256 with ecdsa
    signatureHash: { hash: 4, signature: 3 },
    srtpProfiles: [1],
    extendedMasterSecret: true,
    certificateRequest: true,
  });
}

/** While `work` runs, werift's Finished has a wrong byte. */
export async function withSpoiltFinished(work: () => Promise<void>): Promise<void> {
  const { Finished } = weriftFile("./dtls/src/handshake/message/finished.js") as {
    readonly Finished: { readonly prototype: { serialize(): Uint8Array } };
  };
  const honest = Finished.prototype.serialize;
  Finished.prototype.serialize = function (this: object): Uint8Array {
    const data = Buffer.from(honest.call(this));
    data[5] = (data[5] as number) ^ 1;
    return data;
  };
  try {
    await work();
  } finally {
    Finished.prototype.serialize = honest;
  }
}

export const pem = (label: string, der: Uint8Array): string =>
  `-----BEGIN ${label}-----\n${(
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? []
  ).join("\n")}\n-----END ${label}-----\n`;
