/**
 * SASL on a stream, RFC 6120 §6: ANONYMOUS (RFC 4505), PLAIN (RFC 4616, only under TLS), SCRAM-SHA-1 and -256 with and without channel
 * binding. EXTERNAL is between servers only (s2s.ts). Payloads in and out are base64 as on the wire.
 */
import type { Account, Accounts } from "./accounts.ts";
import {
  type ChannelBinding,
  type ClientFirst,
  readClientFirst,
  type ScramCredentials,
  type ScramHash,
  serverFirst,
  verifyClientFinal,
} from "./scram.ts";

/** RFC 6120 §6.5. */
export type SaslCondition =
  | "aborted"
  | "account-disabled"
  | "credentials-expired"
  | "encryption-required"
  | "incorrect-encoding"
  | "invalid-authzid"
  | "invalid-mechanism"
  | "malformed-request"
  | "mechanism-too-weak"
  | "not-allowed"
  | "not-authorized"
  | "temporary-auth-failure";

export type SaslAnswer =
  | { readonly type: "challenge"; readonly data: string }
  | { readonly type: "success"; readonly data: string | undefined; readonly account: Account }
  /** The caller decides (token, resumption) and makes the identity. */
  | { readonly type: "anonymous" }
  | { readonly type: "failure"; readonly condition: SaslCondition };

export interface SaslContext {
  readonly domain: string;
  /** Whether the transport keeps secrets: TLS, or a trusted proxy that ends TLS. */
  readonly secure: boolean;
  readonly anonymous: boolean;
  readonly accounts: Accounts;
  /** Asked before a password check that costs some milliseconds. */
  readonly mayDerive: () => boolean;
  readonly bindings: readonly ChannelBinding[];
  /** Printable, without comma. */
  readonly nonce: () => string;
}

interface ScramExchange {
  readonly hash: ScramHash;
  readonly first: ClientFirst;
  readonly serverFirst: string;
  readonly account: Account | undefined;
  readonly credentials: ScramCredentials;
  readonly binding: ChannelBinding | undefined;
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const MAX_PAYLOAD = 8_192;
const failure = (condition: SaslCondition): SaslAnswer => ({ type: "failure", condition });

/** Mechanisms that may be used on this stream, the strongest first. */
export function mechanisms(context: SaslContext): string[] {
  const offered: string[] = [];
  if (context.accounts.serves(context.domain)) {
    if (context.secure && context.bindings.length > 0) offered.push("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS");
    offered.push("SCRAM-SHA-256", "SCRAM-SHA-1");
    if (context.secure) offered.push("PLAIN");
  }
  if (context.anonymous) offered.push("ANONYMOUS");
  return offered;
}

/** One stream's negotiation: at most one exchange at a time. */
export class Sasl {
  readonly #context: SaslContext;
  #exchange: ScramExchange | undefined;
  #awaitsInitial: string | undefined;

  constructor(context: SaslContext) {
    this.#context = context;
  }

  /** `<auth mechanism>payload</auth>`. */
  auth(mechanism: string | undefined, payload: string): SaslAnswer {
    this.#exchange = undefined;
    this.#awaitsInitial = undefined;
    if (mechanism === undefined || !mechanisms(this.#context).includes(mechanism)) return failure("invalid-mechanism");
    if (mechanism === "ANONYMOUS") return { type: "anonymous" };
    if (payload === "") {
      this.#awaitsInitial = mechanism;
      return { type: "challenge", data: "" };
    }
    return this.#initial(mechanism, payload === "=" ? "" : payload);
  }

  /** `<response>payload</response>`. */
  response(payload: string): SaslAnswer {
    const mechanism = this.#awaitsInitial;
    this.#awaitsInitial = undefined;
    if (mechanism !== undefined) return this.#initial(mechanism, payload);
    const exchange = this.#exchange;
    this.#exchange = undefined;
    if (exchange === undefined) return failure("malformed-request");
    const message = text(payload);
    if (message === undefined) return failure("incorrect-encoding");
    const { hash, first, credentials, binding } = exchange;
    const final = verifyClientFinal(hash, credentials[hash], first, exchange.serverFirst, binding?.data, message);
    if (final === undefined || exchange.account === undefined) return failure("not-authorized");
    return { type: "success", data: Buffer.from(final).toString("base64"), account: exchange.account };
  }

  abort(): SaslAnswer {
    this.#exchange = undefined;
    this.#awaitsInitial = undefined;
    return failure("aborted");
  }

  #initial(mechanism: string, payload: string): SaslAnswer {
    const message = text(payload);
    if (message === undefined) return failure("incorrect-encoding");
    return mechanism === "PLAIN" ? this.#plain(message) : this.#scram(mechanism, message);
  }

  #plain(message: string): SaslAnswer {
    const parts = message.split("\0");
    const [authzid = "", user = "", password = ""] = parts;
    if (parts.length !== 3 || user === "" || password === "") return failure("malformed-request");
    const { accounts, domain } = this.#context;
    const account = accounts.check(user.normalize("NFKC").toLowerCase(), domain, password, this.#context.mayDerive);
    if (account === "busy") return failure("temporary-auth-failure");
    if (account === undefined) return failure("not-authorized");
    if (!mayActAs(account, authzid)) return failure("invalid-authzid");
    return { type: "success", data: undefined, account };
  }

  #scram(mechanism: string, message: string): SaslAnswer {
    const first = readClientFirst(message);
    if (first === undefined) return failure("malformed-request");
    const { accounts, domain, bindings } = this.#context;
    const plus = mechanism.endsWith("-PLUS");
    let binding: ChannelBinding | undefined;
    if (typeof first.binding === "object") {
      const { type } = first.binding;
      binding = bindings.find((each) => each.type === type);
      if (!plus || binding === undefined) return failure("malformed-request");
    } else if (plus) return failure("malformed-request");
    // RFC 5802 §6: a client that could bind but believes we cannot has been lied to on the way.
    else if (first.binding === "y" && bindings.length > 0 && this.#context.secure) return failure("not-authorized");
    const user = first.user.toLowerCase();
    const account = accounts.find(user, domain);
    if (account !== undefined && !mayActAs(account, first.authzid ?? "")) return failure("invalid-authzid");
    const credentials = account?.scram ?? accounts.decoy(user, domain);
    const answer = serverFirst(first, this.#context.nonce(), credentials);
    const hash = mechanism.startsWith("SCRAM-SHA-256") ? "sha256" : "sha1";
    this.#exchange = { hash, first, serverFirst: answer, account, credentials, binding };
    return { type: "challenge", data: Buffer.from(answer).toString("base64") };
  }
}

/** RFC 6120 §6.3.8: acting for oneself only. */
const mayActAs = (account: Account, authzid: string): boolean =>
  authzid === "" || authzid.toLowerCase() === `${account.user}@${account.domain}`;

function text(payload: string): string | undefined {
  if (payload.length > MAX_PAYLOAD || !BASE64.test(payload)) return undefined;
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(payload, "base64"));
  } catch {
    return undefined;
  }
}
