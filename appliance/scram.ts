/**
 * The client's half of SCRAM (RFC 5802, RFC 7677) with SHA-1 or SHA-256, without channel binding. A core: the nonce is an argument.
 * The password is used after NFKC normalisation (the part of SASLprep, RFC 4013, that changes ordinary passwords).
 */
import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from "node:crypto";

export type ScramMechanism = "SCRAM-SHA-256" | "SCRAM-SHA-1";

/** More would stop this process for seconds; servers use 4,096 … 100,000. */
const MAX_ITERATIONS = 500_000;

export type ScramStep =
  | { readonly kind: "response"; readonly data: string }
  | { readonly kind: "failed"; readonly reason: string };

export class ScramClient {
  readonly #hash: "sha256" | "sha1";
  readonly #clientFirstBare: string;
  readonly #nonce: string;
  readonly #password: string;
  #serverSignature: Uint8Array | undefined;

  /** `nonce`: printable, no comma, 16 characters or more. */
  constructor(mechanism: ScramMechanism, user: string, password: string, nonce: string) {
    this.#hash = mechanism === "SCRAM-SHA-256" ? "sha256" : "sha1";
    this.#nonce = nonce;
    this.#password = password.normalize("NFKC");
    const name = user.normalize("NFKC").replaceAll("=", "=3D").replaceAll(",", "=2C");
    this.#clientFirstBare = `n=${name},r=${nonce}`;
  }

  /** client-first-message. */
  first(): string {
    return `n,,${this.#clientFirstBare}`;
  }

  /** server-first-message in, client-final-message out. */
  respond(serverFirst: string): ScramStep {
    const fields = readFields(serverFirst);
    const nonce = fields.get("r");
    const salt = fields.get("s");
    const iterations = Number(fields.get("i"));
    if (nonce === undefined || !nonce.startsWith(this.#nonce) || nonce.length <= this.#nonce.length)
      return { kind: "failed", reason: "the server's nonce does not extend ours" };
    if (salt === undefined || !Number.isInteger(iterations) || iterations < 1 || iterations > MAX_ITERATIONS)
      return { kind: "failed", reason: "the server's salt or iteration count is unusable" };
    const length = this.#hash === "sha256" ? 32 : 20;
    const salted = pbkdf2Sync(this.#password, Buffer.from(salt, "base64"), iterations, length, this.#hash);
    const clientKey = this.#hmac(salted, "Client Key");
    const storedKey = createHash(this.#hash).update(clientKey).digest();
    const withoutProof = `c=biws,r=${nonce}`;
    const authMessage = `${this.#clientFirstBare},${serverFirst},${withoutProof}`;
    const clientSignature = this.#hmac(storedKey, authMessage);
    const proof = clientKey.map((byte, index) => byte ^ (clientSignature[index] ?? 0));
    this.#serverSignature = this.#hmac(this.#hmac(salted, "Server Key"), authMessage);
    return { kind: "response", data: `${withoutProof},p=${Buffer.from(proof).toString("base64")}` };
  }

  /** Whether the server-final-message proves that the server knows the password too. */
  verify(serverFinal: string): boolean {
    const signature = readFields(serverFinal).get("v");
    if (signature === undefined || this.#serverSignature === undefined) return false;
    const received = Buffer.from(signature, "base64");
    return received.length === this.#serverSignature.length && timingSafeEqual(received, this.#serverSignature);
  }

  #hmac(key: Uint8Array, data: string): Uint8Array {
    return createHmac(this.#hash, key).update(data).digest();
  }
}

function readFields(message: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const part of message.split(",")) if (part[1] === "=") fields.set(part.slice(0, 1), part.slice(2));
  return fields;
}
