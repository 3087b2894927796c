/**
 * DTLS 1.2 for SRTP (RFC 5764, RFC 8827 §6.5) over the endpoint's datagrams, by the system's libssl: both roles, mutual certificates, fingerprint
 * check (RFC 8122), extended master secret (RFC 7627), SRTP keys by exporter. A core: datagrams and time in, actions out.
 *
 * Declines: DTLS 1.0 and 1.3, renegotiation, tickets, cookies (the peer's address is proven by ICE before DTLS is looked at).
 */
import { createHash } from "node:crypto";
import type { Deadline } from "../../deadlines.ts";
import { later, type Millis } from "../../time.ts";
import type { Fingerprint } from "../../wire/ice-transport.ts";
import type { SrtpMaster, SrtpProfile } from "../media-commands.ts";
import { loadLibssl, type SslSession, type SslStep } from "../native/libssl.ts";
import type { Certificate } from "./certificate.ts";
import { exporterLength, splitExportedKeys } from "./srtp-keys.ts";

/** RFC 5764 §4.1.2 and RFC 7714 §14.2, with OpenSSL's names. */
const PROFILES: Readonly<Record<SrtpProfile, { readonly id: number; readonly name: string }>> = {
  AES128_CM_HMAC_SHA1_80: { id: 0x0001, name: "SRTP_AES128_CM_SHA1_80" },
  AEAD_AES_128_GCM: { id: 0x0007, name: "SRTP_AEAD_AES_128_GCM" },
};
/** AEAD suites with forward secrecy, in the order of bridge.md 3.6. */
const CIPHERS =
  "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:" +
  "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:DHE-RSA-AES128-GCM-SHA256";
const GROUPS = "X25519:P-256";
const EXPORTER_LABEL = "EXTRACTOR-dtls_srtp";
/** Fits IPv6's minimum MTU of 1280 with room for tunnels. */
const MTU = 1200;
const RECORD_HEADER_BYTES = 13;
const MAX_DATAGRAM_BYTES = 8192;
/** What a protected record carries beside its text: 8 bytes of nonce and 16 of tag (RFC 5288 §3), or the tag alone (RFC 7905 §2). */
const GCM_OVERHEAD_BYTES = 24;
const CHACHA_OVERHEAD_BYTES = 16;
/** RFC 7905 §2: ECDHE-RSA, ECDHE-ECDSA, DHE-RSA with ChaCha20-Poly1305. */
const CHACHA_SUITES: readonly number[] = [0xcca8, 0xcca9, 0xccaa];
/** Of one datagram; a flight in one datagram has seven. */
const MAX_RECORDS = 32;
const HANDSHAKE_TIMEOUT_MS = 30_000;
const HASHES: readonly string[] = ["sha-512", "sha-384", "sha-256", "sha-224", "sha-1"];

/** When libssl sends an unanswered flight again: first wait and longest, doubling in between. */
export interface DtlsRetransmission {
  readonly firstMs: number;
  readonly maximumMs: number;
}

/** 1 s, libssl's own first wait, is what a lost packet would cost everybody who joins. */
const RETRANSMISSION: DtlsRetransmission = { firstMs: 100, maximumMs: 1000 };

/** Certificate and SRTP profile order for all endpoints made while it is current. */
export class DtlsContext {
  readonly certificate: Certificate;
  readonly #library = loadLibssl();
  readonly #context: ReturnType<typeof this.makeContext>;
  #sessions = 0;
  #closed = false;

  /** `profiles`: ours, preferred first; as server the first that the client offers is taken. Throws where libssl cannot be loaded or refuses. */
  constructor(certificate: Certificate, profiles: readonly SrtpProfile[], retransmission = RETRANSMISSION) {
    this.certificate = certificate;
    this.#context = this.makeContext(profiles, retransmission);
  }

  /** For DtlsSession. */
  newSession(role: DtlsRole): SslSession {
    this.#sessions++;
    return this.#library.newSession(this.#context, role);
  }

  /** For DtlsSession. */
  freeSession(session: SslSession): void {
    this.#library.freeSession(session);
    this.#sessions--;
    this.#freeIfUnused();
  }

  /** Frees the library's context as soon as no session uses it. No new transport may be made with it. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#freeIfUnused();
  }

  private makeContext(profiles: readonly SrtpProfile[], retransmission: DtlsRetransmission) {
    return this.#library.newContext({
      certificateDer: this.certificate.der,
      privateKeyDer: this.certificate.privateKeyDer,
      srtpProfiles: profiles.map((profile) => PROFILES[profile].name),
      cipherList: CIPHERS,
      groups: GROUPS,
      mtu: MTU,
      firstTimerMicros: retransmission.firstMs * 1000,
      maximumTimerMicros: retransmission.maximumMs * 1000,
    });
  }

  #freeIfUnused(): void {
    if (this.#closed && this.#sessions === 0) this.#library.freeContext(this.#context);
  }
}

export type DtlsRole = "server" | "client";

export type DtlsFailure =
  | "dtls-timeout"
  | "dtls-alert"
  | "dtls-protocol"
  | "dtls-fingerprint"
  | "dtls-no-common-profile"
  | "dtls-no-extended-master-secret";

export type DtlsAction =
  | { readonly type: "send"; readonly bytes: Uint8Array }
  | {
      readonly type: "connected";
      readonly profile: SrtpProfile;
      /** Protects what the peer sends. */
      readonly receive: SrtpMaster;
      readonly send: SrtpMaster;
    }
  /** One piece of application data: one SCTP packet. */
  | { readonly type: "data"; readonly bytes: Uint8Array }
  | { readonly type: "failed"; readonly reason: DtlsFailure }
  /** close_notify came. */
  | { readonly type: "closed" };

/** Whether the certificate is one of those signalled: the strongest hash among the fingerprints decides (RFC 8122 §5). */
export function matchesFingerprint(certificate: Uint8Array, fingerprints: readonly Fingerprint[]): boolean {
  const strongest = HASHES.find((hash) => fingerprints.some((each) => each.hash === hash));
  if (strongest === undefined) return false;
  const digest = createHash(strongest.replace("-", "")).update(certificate).digest("hex");
  return fingerprints.some(
    (each) => each.hash === strongest && each.value.replaceAll(":", "").toLowerCase() === digest,
  );
}

export class DtlsSession {
  readonly role: DtlsRole;
  readonly #library = loadLibssl();
  readonly #context: DtlsContext;
  readonly #fingerprints: readonly Fingerprint[];
  #session: SslSession | undefined;
  #connected = false;
  /** Bytes that a protected record has at least. During the handshake only a Finished is protected, which is longer than either. */
  #overhead = GCM_OVERHEAD_BYTES;
  #retransmitAt: Millis | undefined;
  #giveUpAt: Millis | undefined;
  readonly #actions: DtlsAction[] = [];

  /** Begins at once; the client's first flight is among the first actions. */
  constructor(now: Millis, context: DtlsContext, role: DtlsRole, fingerprints: readonly Fingerprint[]) {
    this.role = role;
    this.#context = context;
    this.#fingerprints = fingerprints;
    this.#giveUpAt = later(now, HANDSHAKE_TIMEOUT_MS);
    this.#session = context.newSession(role);
    this.#step(now);
  }

  get connected(): boolean {
    return this.#connected && this.#session !== undefined;
  }

  /** One datagram of first byte 20 … 63; false: dropped for its size or because the session is over. */
  handleDatagram(now: Millis, bytes: Uint8Array): boolean {
    if (this.#session === undefined) return false;
    if (bytes.length < RECORD_HEADER_BYTES || bytes.length > MAX_DATAGRAM_BYTES) return false;
    // A record at a time: libssl drops what follows an old handshake message in its datagram, and a peer that repeats its ClientHello while our flight
    // arrives packs both, repetition first.
    for (let at = 0, records = 0; at < bytes.length && records < MAX_RECORDS; records++) {
      const end = recordEnd(bytes, at);
      if (!this.#tooShort(bytes, at, end)) {
        this.#library.put(this.#session, bytes.subarray(at, end));
        this.#step(now);
        if (this.#session === undefined) break;
      }
      at = end;
    }
    return true;
  }

  handleTimeout(now: Millis): void {
    if (this.#session === undefined) return;
    if (this.#giveUpAt !== undefined && now >= this.#giveUpAt) {
      this.#fail("dtls-timeout");
      return;
    }
    if (this.#retransmitAt === undefined || now < this.#retransmitAt) return;
    if (!this.#library.timerExpired(this.#session)) this.#beginAgain(this.#session);
    this.#step(now);
  }

  nextDeadline(): Deadline | undefined {
    if (this.#session === undefined) return undefined;
    if (this.#retransmitAt !== undefined && (this.#giveUpAt === undefined || this.#retransmitAt < this.#giveUpAt))
      return { at: this.#retransmitAt, why: "dtls-retransmission" };
    return this.#giveUpAt === undefined ? undefined : { at: this.#giveUpAt, why: "dtls-timeout" };
  }

  /** Application data; false: not connected or not taken. */
  send(data: Uint8Array): boolean {
    if (this.#session === undefined || !this.#connected || data.length === 0) return false;
    const taken = this.#library.write(this.#session, data);
    this.#flush();
    return taken;
  }

  /** Says close_notify when connected, and frees the session. */
  close(): void {
    if (this.#session === undefined) return;
    if (this.#connected) {
      this.#library.shutdown(this.#session);
      this.#flush();
    }
    this.#free();
  }

  poll(): DtlsAction | undefined {
    return this.#actions.shift();
  }

  /**
   * A protected record that cannot hold what its cipher adds is forged, or cut on its way. Some builds of libssl (3.0.19) end the session over it instead of dropping
   * it, and anybody could send one.
   */
  #tooShort(bytes: Uint8Array, at: number, end: number): boolean {
    const epoch = at + RECORD_HEADER_BYTES <= end ? ((bytes[at + 3] as number) << 8) | (bytes[at + 4] as number) : 0;
    return epoch > 0 && end - at - RECORD_HEADER_BYTES < this.#overhead;
  }

  /** Nobody has answered for as long as libssl repeats itself; whoever does before #giveUpAt still finds a handshake. */
  #beginAgain(unanswered: SslSession): void {
    // In this order: a context that was replaced meanwhile goes with its last session.
    this.#session = this.#context.newSession(this.role);
    this.#context.freeSession(unanswered);
  }

  #step(now: Millis): void {
    const session = this.#session;
    if (session === undefined) return;
    if (!this.#connected) {
      const outcome = this.#library.handshake(session);
      this.#flush();
      if (outcome === "done") {
        if (!this.#verify(session)) return;
      } else if (outcome !== "waiting") {
        this.#ended(outcome);
        return;
      }
    }
    if (this.#connected) {
      for (;;) {
        const data = this.#library.read(session);
        if (data instanceof Uint8Array) {
          this.#actions.push({ type: "data", bytes: data });
          continue;
        }
        this.#flush();
        if (data !== "waiting") {
          this.#ended(data);
          return;
        }
        break;
      }
    }
    const wait = this.#library.timerMs(session);
    this.#retransmitAt = wait === undefined ? undefined : later(now, Math.max(wait, 1));
  }

  /** libssl calls the handshake done: is it done for us? */
  #verify(session: SslSession): boolean {
    const id = this.#library.srtpProfile(session);
    const profile = (Object.keys(PROFILES) as SrtpProfile[]).find((each) => PROFILES[each].id === id);
    const certificate = this.#library.peerCertificate(session);
    // With no profile in common libssl's handshake still succeeds.
    if (profile === undefined) this.#fail("dtls-no-common-profile");
    else if (certificate === undefined || !matchesFingerprint(certificate, this.#fingerprints))
      this.#fail("dtls-fingerprint");
    else if (!this.#library.hasExtendedMasterSecret(session)) this.#fail("dtls-no-extended-master-secret");
    else {
      const material = this.#library.exportKeyingMaterial(session, EXPORTER_LABEL, exporterLength(profile));
      if (material === undefined) this.#fail("dtls-protocol");
      else {
        const { client, server } = splitExportedKeys(profile, material);
        const [receive, send] = this.role === "server" ? [client, server] : [server, client];
        this.#connected = true;
        if (CHACHA_SUITES.includes(this.#library.cipherSuite(session))) this.#overhead = CHACHA_OVERHEAD_BYTES;
        this.#giveUpAt = undefined;
        this.#actions.push({ type: "connected", profile, receive, send });
      }
    }
    return this.#connected;
  }

  #ended(outcome: Exclude<SslStep, "waiting" | "done">): void {
    if (outcome !== "closed") {
      this.#fail(outcome === "alert" ? "dtls-alert" : "dtls-protocol");
      return;
    }
    this.#free();
    this.#actions.push({ type: "closed" });
  }

  #fail(reason: DtlsFailure): void {
    if (this.#session !== undefined && reason !== "dtls-alert") {
      // Tell the peer, which may think that it is connected.
      this.#library.shutdown(this.#session);
      this.#flush();
    }
    this.#free();
    this.#actions.push({ type: "failed", reason });
  }

  /** Cuts what libssl wrote at record borders and packs whole records into datagrams of at most the MTU. */
  #flush(): void {
    if (this.#session === undefined) return;
    const bytes = this.#library.take(this.#session);
    if (bytes === undefined) return;
    let start = 0;
    let end = 0;
    while (end + RECORD_HEADER_BYTES <= bytes.length) {
      const next = recordEnd(bytes, end);
      if (end > start && next - start > MTU) {
        this.#actions.push({ type: "send", bytes: bytes.subarray(start, end) });
        start = end;
      }
      end = next;
    }
    if (end > start) this.#actions.push({ type: "send", bytes: bytes.subarray(start, end) });
  }

  #free(): void {
    if (this.#session === undefined) return;
    this.#context.freeSession(this.#session);
    this.#session = undefined;
    this.#connected = false;
    this.#retransmitAt = undefined;
    this.#giveUpAt = undefined;
  }
}

/** Where the record that begins at `at` ends: by its header, or with the datagram. */
const recordEnd = (bytes: Uint8Array, at: number): number => {
  if (at + RECORD_HEADER_BYTES > bytes.length) return bytes.length;
  const length = ((bytes[at + 11] as number) << 8) | (bytes[at + 12] as number);
  return Math.min(at + RECORD_HEADER_BYTES + length, bytes.length);
};
