/**
 * Service accounts and what is kept of their passwords: SCRAM keys, and a keyed digest against which PLAIN is checked cheaply (a PBKDF2 per
 * guess would let strangers burn our processor).
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { ServiceAccount } from "../config.ts";
import { type ScramCredentials, scramCredentials } from "./scram.ts";

/** RFC 7677 §4 asks for at least 4096; Prosody keeps 10000. */
const ITERATIONS = 10_000;

export interface Account {
  readonly user: string;
  readonly domain: string;
  readonly admin: boolean;
  readonly scram: ScramCredentials;
}

export class Accounts {
  readonly #byAddress = new Map<string, { readonly account: Account; readonly digest: Buffer }>();
  readonly #domains: ReadonlySet<string>;
  readonly #key: Buffer;
  readonly #iterations: number;

  /** `random`: that many random bytes. `iterations` is for tests. */
  constructor(accounts: readonly ServiceAccount[], random: (size: number) => Buffer, iterations = ITERATIONS) {
    this.#key = random(32);
    this.#iterations = iterations;
    this.#domains = new Set(accounts.map((account) => account.domain));
    for (const { user, domain, password, admin } of accounts)
      this.#byAddress.set(`${user}@${domain}`, {
        account: { user, domain, admin, scram: scramCredentials(password, random(16), iterations) },
        digest: this.#digest(password),
      });
  }

  /** Whether somebody can log in there with a password. */
  serves(domain: string): boolean {
    return this.#domains.has(domain);
  }

  find(user: string, domain: string): Account | undefined {
    return this.#byAddress.get(`${user}@${domain}`)?.account;
  }

  /** RFC 4616: the account when the password is right. */
  check(user: string, domain: string, password: string): Account | undefined {
    const found = this.#byAddress.get(`${user}@${domain}`);
    const right = timingSafeEqual(this.#digest(password), found?.digest ?? this.#digest(`${password}x`));
    return right ? found?.account : undefined;
  }

  /** Salt and keys for a user who does not exist: the same every time, so that asking tells nothing. */
  decoy(user: string, domain: string): ScramCredentials {
    const salt = createHmac("sha256", this.#key).update(`salt ${user}@${domain}`).digest().subarray(0, 16);
    const nothing = { storedKey: this.#digest(`${user} stored`), serverKey: this.#digest(`${user} server`) };
    return {
      salt,
      iterations: this.#iterations,
      sha1: { storedKey: nothing.storedKey.subarray(0, 20), serverKey: nothing.serverKey.subarray(0, 20) },
      sha256: nothing,
    };
  }

  #digest(password: string): Buffer {
    return createHmac("sha256", this.#key).update(password.normalize("NFKC")).digest();
  }
}
