/**
 * Accounts and what is kept of their passwords: SCRAM keys, and, in memory only, a keyed digest against which PLAIN is checked cheaply (a PBKDF2
 * per guess would let strangers burn our processor). Accounts are named in the configuration, or made over the wire where that is allowed
 * (features/registration.ts); those are told to the store.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { ServiceAccount } from "../config.ts";
import { type ScramCredentials, scramCredentials, scramStoredKey } from "./scram.ts";

/** RFC 7677 §4 asks for at least 4096; Prosody keeps 10000. */
const ITERATIONS = 10_000;

export interface Account {
  readonly user: string;
  readonly domain: string;
  readonly admin: boolean;
  readonly scram: ScramCredentials;
}

/** An account that somebody made for himself. */
export type RegisteredAccount = Omit<Account, "admin">;

export type AccountChange =
  | { readonly type: "account"; readonly account: RegisteredAccount }
  | { readonly type: "account-gone"; readonly user: string; readonly domain: string };

export interface Registered {
  readonly stored: readonly RegisteredAccount[];
  readonly changed: (change: AccountChange) => void;
  /** Where accounts are made. */
  readonly domain: string;
  /** Most accounts that may be made. */
  readonly bound: number;
}

interface Kept {
  readonly account: Account;
  /** Undefined: not logged in by PLAIN since the start, and made over the wire. */
  digest: Buffer | undefined;
  readonly registered: boolean;
}

export class Accounts {
  readonly #byAddress = new Map<string, Kept>();
  readonly #domains: Set<string>;
  readonly #key: Buffer;
  readonly #iterations: number;
  readonly #random: (size: number) => Buffer;
  readonly #registered: Registered | undefined;
  #made = 0;

  /** `random`: that many random bytes. `iterations` is for tests. */
  constructor(
    accounts: readonly ServiceAccount[],
    random: (size: number) => Buffer,
    iterations = ITERATIONS,
    registered?: Registered,
  ) {
    this.#key = random(32);
    this.#iterations = iterations;
    this.#random = random;
    this.#registered = registered;
    this.#domains = new Set(accounts.map((account) => account.domain));
    if (registered !== undefined) {
      this.#domains.add(registered.domain);
      this.#made = registered.stored.length;
      for (const each of registered.stored)
        this.#byAddress.set(addressOf(each.user, each.domain), {
          account: { ...each, admin: false },
          digest: undefined,
          registered: true,
        });
    }
    for (const { user, domain, password, admin } of accounts)
      this.#byAddress.set(addressOf(user, domain), {
        account: { user, domain, admin, scram: scramCredentials(password, random(16), iterations) },
        digest: this.#digest(password),
        registered: false,
      });
  }

  /** Whether somebody can log in there with a password. */
  serves(domain: string): boolean {
    return this.#domains.has(domain);
  }

  find(user: string, domain: string): Account | undefined {
    return this.#byAddress.get(addressOf(user, domain))?.account;
  }

  /** Whether that account was made over the wire, hence may be changed over it. */
  isRegistered(user: string, domain: string): boolean {
    return this.#byAddress.get(addressOf(user, domain))?.registered ?? false;
  }

  /**
   * RFC 4616: the account when the password is right. `mayDerive` is asked before a costly check (first PLAIN login of an account that was made
   * over the wire); "busy": it said no.
   */
  check(user: string, domain: string, password: string, mayDerive: () => boolean): Account | undefined | "busy" {
    const found = this.#byAddress.get(addressOf(user, domain));
    const digest = this.#digest(password);
    if (found !== undefined && found.digest === undefined) {
      if (!mayDerive()) return "busy";
      const { scram } = found.account;
      const stored = scramStoredKey("sha256", password, scram.salt, scram.iterations);
      if (!timingSafeEqual(stored, scram.sha256.storedKey)) return undefined;
      found.digest = digest;
      return found.account;
    }
    const right = timingSafeEqual(digest, found?.digest ?? this.#digest(`${password}x`));
    return right ? found?.account : undefined;
  }

  /** Makes an account, or changes the password of one that was made so. "full": no more may be made. */
  register(user: string, domain: string, password: string): "made" | "conflict" | "full" {
    const address = addressOf(user, domain);
    const found = this.#byAddress.get(address);
    if (found !== undefined) return "conflict";
    if (this.#registered === undefined || this.#made >= this.#registered.bound) return "full";
    this.#made++;
    this.#keep(user, domain, password);
    return "made";
  }

  changePassword(user: string, domain: string, password: string): boolean {
    if (!this.isRegistered(user, domain)) return false;
    this.#keep(user, domain, password);
    return true;
  }

  remove(user: string, domain: string): boolean {
    if (!this.isRegistered(user, domain)) return false;
    this.#byAddress.delete(addressOf(user, domain));
    this.#made--;
    this.#registered?.changed({ type: "account-gone", user, domain });
    return true;
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

  #keep(user: string, domain: string, password: string): void {
    const account = { user, domain, scram: scramCredentials(password, this.#random(16), this.#iterations) };
    this.#byAddress.set(addressOf(user, domain), {
      account: { ...account, admin: false },
      digest: this.#digest(password),
      registered: true,
    });
    this.#registered?.changed({ type: "account", account });
  }

  #digest(password: string): Buffer {
    return createHmac("sha256", this.#key).update(password.normalize("NFKC")).digest();
  }
}

const addressOf = (user: string, domain: string): string => `${user}@${domain}`;
