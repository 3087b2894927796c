/** Self-signed certificate of the bridge's DTLS. */
export interface Certificate {
  readonly der: Uint8Array;
  readonly privateKeyDer: Uint8Array;
  /** `sha-256` fingerprint, upper-case hex with colons. */
  readonly fingerprint: string;
}
