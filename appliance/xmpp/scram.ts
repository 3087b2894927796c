/**
 * The server's side of SCRAM: RFC 5802 with SHA-1, RFC 7677 with SHA-256, channel binding by RFC 5929 (tls-server-end-point) and RFC 9266
 * (tls-exporter). Pure: nonces, salts and binding data come from outside. SASLprep is applied as NFKC; its prohibition tables are not.
 */
import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from "node:crypto";

export type ScramHash = "sha1" | "sha256";

/** What is kept of a password. */
export interface ScramKeys {
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

export interface ScramCredentials {
  readonly salt: Buffer;
  readonly iterations: number;
  readonly sha1: ScramKeys;
  readonly sha256: ScramKeys;
}

export interface ChannelBinding {
  readonly type: "tls-exporter" | "tls-server-end-point";
  readonly data: Uint8Array;
}

export interface ClientFirst {
  readonly user: string;
  readonly authzid: string | undefined;
  readonly nonce: string;
  /** n: the client cannot bind; y: it can and thinks we cannot; otherwise the name of the binding. */
  readonly binding: "n" | "y" | { readonly type: string };
  readonly gs2Header: string;
  readonly bare: string;
}

export function scramCredentials(password: string, salt: Buffer, iterations: number): ScramCredentials {
  return {
    salt,
    iterations,
    sha1: keys("sha1", password, salt, iterations),
    sha256: keys("sha256", password, salt, iterations),
  };
}

/** StoredKey of a password, to check one that came in clear. */
export const scramStoredKey = (hash: ScramHash, password: string, salt: Buffer, iterations: number): Buffer =>
  keys(hash, password, salt, iterations).storedKey;

function keys(hash: ScramHash, password: string, salt: Buffer, iterations: number): ScramKeys {
  const salted = pbkdf2Sync(password.normalize("NFKC"), salt, iterations, hash === "sha1" ? 20 : 32, hash);
  const clientKey = createHmac(hash, salted).update("Client Key").digest();
  return {
    storedKey: createHash(hash).update(clientKey).digest(),
    serverKey: createHmac(hash, salted).update("Server Key").digest(),
  };
}

const saslname = (value: string): string | undefined => {
  if (/=(?!2C|3D)/.test(value) || value === "") return undefined;
  return value.replaceAll("=2C", ",").replaceAll("=3D", "=").normalize("NFKC");
};

/** client-first-message, RFC 5802 §7; undefined when it is none. */
export function readClientFirst(message: string): ClientFirst | undefined {
  const match =
    /^((?:(n|y)|p=([A-Za-z0-9.-]{1,64})),(?:a=([^,]{1,1023}))?,)(n=([^,]{1,1023}),r=([\x21-\x2b\x2d-\x7e]{1,512})(?:,[A-Za-z]=[^,]*)*)$/.exec(
      message,
    );
  if (match === null) return undefined;
  const [, gs2Header = "", flag, cbName = "", authzid, bare = "", name = "", nonce = ""] = match;
  const user = saslname(name);
  if (user === undefined || bare.startsWith("m=")) return undefined;
  const authorization = authzid === undefined ? undefined : saslname(authzid);
  if (authzid !== undefined && authorization === undefined) return undefined;
  return {
    user,
    authzid: authorization,
    nonce,
    binding: flag === "n" || flag === "y" ? flag : { type: cbName },
    gs2Header,
    bare,
  };
}

export const serverFirst = (
  first: ClientFirst,
  serverNonce: string,
  credentials: { salt: Buffer; iterations: number },
): string => `r=${first.nonce}${serverNonce},s=${credentials.salt.toString("base64")},i=${credentials.iterations}`;

/** server-final-message (`v=…`) when the client's proof, nonce and channel binding hold; otherwise undefined. */
export function verifyClientFinal(
  hash: ScramHash,
  keysOfUser: ScramKeys,
  first: ClientFirst,
  serverFirstMessage: string,
  bindingData: Uint8Array | undefined,
  message: string,
): string | undefined {
  const match =
    /^(c=([A-Za-z0-9+/=]{1,4096}),r=([\x21-\x2b\x2d-\x7e]{1,1024})(?:,[A-Za-z]=[^,]*)*),p=([A-Za-z0-9+/]{1,128}={0,2})$/.exec(
      message,
    );
  if (match === null) return undefined;
  const [, withoutProof = "", cbind = "", nonce = "", proofText = ""] = match;
  const expected = Buffer.concat([Buffer.from(first.gs2Header, "utf8"), bindingData ?? Buffer.alloc(0)]);
  const nonceSent = serverFirstMessage.slice(2, serverFirstMessage.indexOf(","));
  if (cbind !== expected.toString("base64") || nonce !== nonceSent) return undefined;
  const authMessage = `${first.bare},${serverFirstMessage},${withoutProof}`;
  const signature = createHmac(hash, keysOfUser.storedKey).update(authMessage).digest();
  const proof = Buffer.from(proofText, "base64");
  if (proof.length !== signature.length) return undefined;
  const clientKey = Buffer.from(proof.map((byte, index) => byte ^ (signature[index] ?? 0)));
  if (!timingSafeEqual(createHash(hash).update(clientKey).digest(), keysOfUser.storedKey)) return undefined;
  return `v=${createHmac(hash, keysOfUser.serverKey).update(authMessage).digest("base64")}`;
}
