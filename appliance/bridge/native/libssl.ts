/**
 * Shell: the system's libssl by bun:ffi, as facts of the transport ask for it: DTLS 1.2 over memory BIOs, one thread, no sockets, no clock of ours.
 * Numbers are OpenSSL 3.0's public constants. Never `libssl3.so`: that is NSS.
 */
import { CString, dlopen, JSCallback, type Pointer, ptr, read } from "bun:ffi";
import { openLibrary } from "./library.ts";
import { Pinned } from "./pinned.ts";

const DTLS1_2_VERSION = 0xfefd;
const SSL_OP_NO_QUERY_MTU = 0x1000;
const SSL_OP_NO_TICKET = 0x4000;
const SSL_OP_NO_RENEGOTIATION = 0x40000000;
const SSL_CTRL_SET_MTU = 17;
const SSL_CTRL_SET_SESS_CACHE_MODE = 44;
const DTLS_CTRL_GET_TIMEOUT = 73;
const DTLS_CTRL_HANDLE_TIMEOUT = 74;
const SSL_CTRL_SET_GROUPS_LIST = 92;
const SSL_CTRL_GET_EXTMS_SUPPORT = 122;
const SSL_CTRL_SET_MIN_PROTO_VERSION = 123;
const SSL_VERIFY_PEER_AND_FAIL = 3;
const BIO_CTRL_RESET = 1;
const BIO_C_SET_BUF_MEM_EOF_RETURN = 130;
const SSL_ERROR_SSL = 1;
const SSL_ERROR_WANT_READ = 2;
const SSL_ERROR_WANT_WRITE = 3;
const SSL_ERROR_ZERO_RETURN = 6;
/** Reason codes from here on are received alerts. */
const FIRST_ALERT_REASON = 1000;

const SSL_SYMBOLS = {
  DTLS_method: { args: [], returns: "ptr" },
  SSL_CTX_new: { args: ["ptr"], returns: "ptr" },
  SSL_CTX_free: { args: ["ptr"], returns: "void" },
  SSL_CTX_ctrl: { args: ["ptr", "i32", "i64", "ptr"], returns: "i32" },
  SSL_CTX_set_options: { args: ["ptr", "u64"], returns: "void" },
  SSL_CTX_set_verify: { args: ["ptr", "i32", "ptr"], returns: "void" },
  SSL_CTX_set_cert_verify_callback: { args: ["ptr", "ptr", "ptr"], returns: "void" },
  SSL_CTX_use_certificate_ASN1: { args: ["ptr", "i32", "ptr"], returns: "i32" },
  SSL_CTX_use_PrivateKey: { args: ["ptr", "ptr"], returns: "i32" },
  SSL_CTX_set_cipher_list: { args: ["ptr", "ptr"], returns: "i32" },
  SSL_CTX_set_tlsext_use_srtp: { args: ["ptr", "ptr"], returns: "i32" },
  SSL_new: { args: ["ptr"], returns: "ptr" },
  SSL_free: { args: ["ptr"], returns: "void" },
  SSL_ctrl: { args: ["ptr", "i32", "i64", "ptr"], returns: "i32" },
  SSL_set_bio: { args: ["ptr", "ptr", "ptr"], returns: "void" },
  SSL_set_accept_state: { args: ["ptr"], returns: "void" },
  SSL_set_connect_state: { args: ["ptr"], returns: "void" },
  SSL_do_handshake: { args: ["ptr"], returns: "i32" },
  SSL_read: { args: ["ptr", "ptr", "i32"], returns: "i32" },
  SSL_write: { args: ["ptr", "ptr", "i32"], returns: "i32" },
  SSL_shutdown: { args: ["ptr"], returns: "i32" },
  SSL_get_error: { args: ["ptr", "i32"], returns: "i32" },
  SSL_get_selected_srtp_profile: { args: ["ptr"], returns: "ptr" },
  SSL_get1_peer_certificate: { args: ["ptr"], returns: "ptr" },
  SSL_get_current_cipher: { args: ["ptr"], returns: "ptr" },
  SSL_CIPHER_get_protocol_id: { args: ["ptr"], returns: "u16" },
  SSL_export_keying_material: {
    args: ["ptr", "ptr", "u64", "ptr", "u64", "ptr", "u64", "i32"],
    returns: "i32",
  },
  DTLS_set_timer_cb: { args: ["ptr", "ptr"], returns: "void" },
} as const;

const CRYPTO_SYMBOLS = {
  BIO_new: { args: ["ptr"], returns: "ptr" },
  BIO_s_mem: { args: [], returns: "ptr" },
  BIO_free: { args: ["ptr"], returns: "i32" },
  BIO_ctrl: { args: ["ptr", "i32", "i64", "ptr"], returns: "i32" },
  BIO_read: { args: ["ptr", "ptr", "i32"], returns: "i32" },
  BIO_write: { args: ["ptr", "ptr", "i32"], returns: "i32" },
  ERR_clear_error: { args: [], returns: "void" },
  ERR_get_error: { args: [], returns: "u64" },
  ERR_reason_error_string: { args: ["u64"], returns: "ptr" },
  d2i_AutoPrivateKey: { args: ["ptr", "ptr", "i64"], returns: "ptr" },
  EVP_PKEY_free: { args: ["ptr"], returns: "void" },
  i2d_X509: { args: ["ptr", "ptr"], returns: "i32" },
  X509_free: { args: ["ptr"], returns: "void" },
} as const;

/** User-space addresses fit a double; the types of bun:ffi leave BigInt open. */
const pointer = (value: Pointer | bigint | null): Pointer | null => value as Pointer | null;

const openSsl = () => dlopen("libssl.so.3", SSL_SYMBOLS).symbols;
const openCrypto = () => dlopen("libcrypto.so.3", CRYPTO_SYMBOLS).symbols;

/** A certificate, its key and how sessions made with it behave. */
export interface SslContextOptions {
  readonly certificateDer: Uint8Array;
  readonly privateKeyDer: Uint8Array;
  /** OpenSSL's names, preferred first: `SRTP_AEAD_AES_128_GCM`, `SRTP_AES128_CM_SHA1_80`. */
  readonly srtpProfiles: readonly string[];
  readonly cipherList: string;
  /** E.g. `X25519:P-256`. */
  readonly groups: string;
  /** Bytes of a datagram of the handshake, DTLS headers included. */
  readonly mtu: number;
  /** First wait before a flight is sent again, and the longest, in µs; doubling in between. */
  readonly firstTimerMicros: number;
  readonly maximumTimerMicros: number;
}

export type SslStep =
  | "waiting"
  | "done"
  /** close_notify came. */
  | "closed"
  /** The peer sent a fatal alert. */
  | "alert"
  | "error";

/** Largest datagram that is handed in or out, and largest piece of application data. */
const BUFFER_BYTES = 65_536;

export class Libssl {
  readonly #ssl = openSsl();
  readonly #crypto = openCrypto();
  readonly #buffer = new Pinned(BUFFER_BYTES);
  /** struct timeval: seconds, microseconds, 64 bits each. */
  readonly #timeval = new Pinned(16);
  /** Self-signed certificates are normal here: the signature over the handshake is libssl's to check, the fingerprint ours. */
  readonly #acceptCertificate = new JSCallback(() => 1, { args: ["ptr", "ptr"], returns: "i32" });
  readonly #timers = new Map<string, JSCallback>();

  newContext(options: SslContextOptions): SslContext {
    const ssl = this.#ssl;
    const context = pointer(ssl.SSL_CTX_new(ssl.DTLS_method()));
    if (context === null) throw new Error(`SSL_CTX_new: ${this.#errorText()}`);
    const expect = (what: string, good: boolean): void => {
      if (good) return;
      const why = this.#errorText();
      ssl.SSL_CTX_free(context);
      throw new Error(`${what}: ${why}`);
    };
    expect("DTLS 1.2", ssl.SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, DTLS1_2_VERSION, null) === 1);
    ssl.SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU + SSL_OP_NO_TICKET + SSL_OP_NO_RENEGOTIATION);
    ssl.SSL_CTX_ctrl(context, SSL_CTRL_SET_SESS_CACHE_MODE, 0, null);
    ssl.SSL_CTX_set_verify(context, SSL_VERIFY_PEER_AND_FAIL, null);
    ssl.SSL_CTX_set_cert_verify_callback(context, this.#acceptCertificate.ptr, null);
    const { certificateDer, privateKeyDer } = options;
    expect("certificate", ssl.SSL_CTX_use_certificate_ASN1(context, certificateDer.length, ptr(certificateDer)) === 1);
    const slot = new BigUint64Array([BigInt(ptr(privateKeyDer))]);
    const key = this.#crypto.d2i_AutoPrivateKey(null, ptr(slot), privateKeyDer.length);
    expect("private key", key !== null && ssl.SSL_CTX_use_PrivateKey(context, key) === 1);
    this.#crypto.EVP_PKEY_free(key);
    const kept: Uint8Array[] = [];
    const text = (value: string): Pointer => {
      const bytes = Buffer.from(`${value}\0`, "latin1");
      kept.push(bytes);
      return ptr(bytes);
    };
    expect("cipher list", ssl.SSL_CTX_set_cipher_list(context, text(options.cipherList)) === 1);
    expect("groups", ssl.SSL_CTX_ctrl(context, SSL_CTRL_SET_GROUPS_LIST, 0, text(options.groups)) === 1);
    // 0 is success here.
    expect("use_srtp", ssl.SSL_CTX_set_tlsext_use_srtp(context, text(options.srtpProfiles.join(":"))) === 0);
    return { address: context, mtu: options.mtu, timer: this.#timer(options), kept };
  }

  freeContext(context: SslContext): void {
    this.#ssl.SSL_CTX_free(context.address);
  }

  newSession(context: SslContext, role: "server" | "client"): SslSession {
    const ssl = this.#ssl;
    const crypto = this.#crypto;
    const address = pointer(ssl.SSL_new(context.address));
    const input = pointer(crypto.BIO_new(crypto.BIO_s_mem()));
    const output = pointer(crypto.BIO_new(crypto.BIO_s_mem()));
    if (address === null || input === null || output === null) {
      const why = this.#errorText();
      if (address !== null) ssl.SSL_free(address);
      if (input !== null) crypto.BIO_free(input);
      if (output !== null) crypto.BIO_free(output);
      throw new Error(`no memory for a DTLS session: ${why}`);
    }
    // An empty memory BIO means "come again", not "end of file".
    crypto.BIO_ctrl(input, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, null);
    crypto.BIO_ctrl(output, BIO_C_SET_BUF_MEM_EOF_RETURN, -1, null);
    ssl.SSL_set_bio(address, input, output);
    ssl.SSL_ctrl(address, SSL_CTRL_SET_MTU, context.mtu, null);
    ssl.DTLS_set_timer_cb(address, context.timer.ptr);
    if (role === "server") ssl.SSL_set_accept_state(address);
    else ssl.SSL_set_connect_state(address);
    return { address, input, output };
  }

  /** Frees session and BIOs. No call with it may follow. */
  freeSession(session: SslSession): void {
    this.#ssl.SSL_free(session.address);
  }

  /** Puts one datagram (13 … 65 536 bytes) before the session; step at once, two datagrams would run together. */
  put(session: SslSession, datagram: Uint8Array): void {
    this.#crypto.BIO_ctrl(session.input, BIO_CTRL_RESET, 0, null);
    this.#crypto.BIO_write(session.input, ptr(datagram), datagram.length);
  }

  /** What the session wants sent: whole records, one after the other; undefined when nothing. */
  take(session: SslSession): Uint8Array | undefined {
    const count = this.#crypto.BIO_read(session.output, this.#buffer.at, BUFFER_BYTES);
    return count > 0 ? this.#buffer.bytes.slice(0, count) : undefined;
  }

  handshake(session: SslSession): SslStep {
    this.#crypto.ERR_clear_error();
    const result = this.#ssl.SSL_do_handshake(session.address);
    return result === 1 ? "done" : this.#outcome(session, result);
  }

  /** One piece of application data, or why there is none now. */
  read(session: SslSession): Uint8Array | Exclude<SslStep, "done"> {
    this.#crypto.ERR_clear_error();
    const count = this.#ssl.SSL_read(session.address, this.#buffer.at, BUFFER_BYTES);
    return count > 0 ? this.#buffer.bytes.slice(0, count) : this.#outcome(session, count);
  }

  /** False: not taken. */
  write(session: SslSession, data: Uint8Array): boolean {
    this.#crypto.ERR_clear_error();
    return this.#ssl.SSL_write(session.address, ptr(data), data.length) === data.length;
  }

  /** Queues close_notify. */
  shutdown(session: SslSession): void {
    this.#crypto.ERR_clear_error();
    this.#ssl.SSL_shutdown(session.address);
  }

  /** Milliseconds until the flight is to be sent again; undefined: no flight is open. */
  timerMs(session: SslSession): number | undefined {
    if (this.#ssl.SSL_ctrl(session.address, DTLS_CTRL_GET_TIMEOUT, 0, this.#timeval.at) !== 1) return undefined;
    return (this.#timeval.words[0] as number) * 1000 + (this.#timeval.words[2] as number) / 1000;
  }

  /** Sends the flight again if its time has come by libssl's clock. False: it was the thirteenth time, and libssl's session is at its end, though it goes on calling its timer due. */
  timerExpired(session: SslSession): boolean {
    this.#crypto.ERR_clear_error();
    return this.#ssl.SSL_ctrl(session.address, DTLS_CTRL_HANDLE_TIMEOUT, 0, null) >= 0;
  }

  /** Number of the negotiated SRTP profile (RFC 5764 §4.1.2); 0: none. */
  srtpProfile(session: SslSession): number {
    const profile = this.#ssl.SSL_get_selected_srtp_profile(session.address);
    // struct { const char *name; unsigned long id; }
    return profile === null ? 0 : read.u32(profile, 8);
  }

  /** Number of the negotiated cipher suite (IANA's registry, 0xc02b and so on); 0: none yet. */
  cipherSuite(session: SslSession): number {
    const cipher = this.#ssl.SSL_get_current_cipher(session.address);
    return cipher === null ? 0 : this.#ssl.SSL_CIPHER_get_protocol_id(cipher);
  }

  hasExtendedMasterSecret(session: SslSession): boolean {
    return this.#ssl.SSL_ctrl(session.address, SSL_CTRL_GET_EXTMS_SUPPORT, 0, null) === 1;
  }

  /** The peer's certificate, DER; undefined when it showed none. */
  peerCertificate(session: SslSession): Uint8Array | undefined {
    const certificate = this.#ssl.SSL_get1_peer_certificate(session.address);
    if (certificate === null) return undefined;
    const length = this.#crypto.i2d_X509(certificate, null);
    let der: Uint8Array | undefined;
    if (length > 0) {
      der = new Uint8Array(length);
      const slot = new BigUint64Array([BigInt(ptr(der))]);
      if (this.#crypto.i2d_X509(certificate, ptr(slot)) !== length) der = undefined;
    }
    this.#crypto.X509_free(certificate);
    return der;
  }

  /** Keying material of RFC 5705 without context; undefined when libssl refuses. */
  exportKeyingMaterial(session: SslSession, label: string, length: number): Uint8Array | undefined {
    const out = new Uint8Array(length);
    const name = Buffer.from(label, "latin1");
    const result = this.#ssl.SSL_export_keying_material(
      session.address,
      ptr(out),
      length,
      ptr(name),
      name.length,
      null,
      0,
      0,
    );
    return result === 1 ? out : undefined;
  }

  /** One callback per schedule: they last as long as the process, so there must be few. */
  #timer({ firstTimerMicros, maximumTimerMicros }: SslContextOptions): JSCallback {
    const schedule = `${firstTimerMicros}/${maximumTimerMicros}`;
    let timer = this.#timers.get(schedule);
    if (timer === undefined) {
      timer = new JSCallback(
        (_session: number, former: number) =>
          former === 0 ? firstTimerMicros : Math.min(former * 2, maximumTimerMicros),
        { args: ["ptr", "u32"], returns: "u32" },
      );
      this.#timers.set(schedule, timer);
    }
    return timer;
  }

  #outcome(session: SslSession, result: number): Exclude<SslStep, "done"> {
    const error = this.#ssl.SSL_get_error(session.address, result);
    if (error === SSL_ERROR_WANT_READ || error === SSL_ERROR_WANT_WRITE) return "waiting";
    if (error === SSL_ERROR_ZERO_RETURN) return "closed";
    if (error !== SSL_ERROR_SSL) return "error";
    const reason = Number(this.#crypto.ERR_get_error() & 0x7fffffn);
    return reason >= FIRST_ALERT_REASON && reason < FIRST_ALERT_REASON + 256 ? "alert" : "error";
  }

  #errorText(): string {
    const code = this.#crypto.ERR_get_error();
    const text = this.#crypto.ERR_reason_error_string(code);
    return text === null ? `OpenSSL error ${code}` : new CString(text).toString();
  }
}

export interface SslContext {
  readonly address: Pointer;
  readonly mtu: number;
  readonly timer: JSCallback;
  /** Texts whose addresses were passed. */
  readonly kept: readonly Uint8Array[];
}

export interface SslSession {
  readonly address: Pointer;
  readonly input: Pointer;
  readonly output: Pointer;
}

let loaded: Libssl | undefined;

/** The library, loaded at the first call. Throws LibraryMissing. */
export function loadLibssl(): Libssl {
  loaded ??= openLibrary(
    "the bridge needs OpenSSL 3 (libssl.so.3 and libcrypto.so.3; Debian package libssl3), which cannot be loaded",
    () => new Libssl(),
  );
  return loaded;
}
