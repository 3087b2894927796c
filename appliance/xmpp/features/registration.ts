/**
 * XEP-0077 (2.4): people make accounts for themselves, change their password, give the account up. Off unless configured; bounded in number and
 * in rate, on an encrypted stream only, and by default only from this machine.
 */
import type { Millis } from "../../time.ts";
import { type Jid, parseJid } from "../../wire/jid.ts";
import { NS } from "../../wire/namespaces.ts";
import { errorReply, iqResult } from "../../wire/stanza.ts";
import { attr, child, childText, type Element, is, xml } from "../../wire/xml.ts";
import type { Accounts } from "../accounts.ts";
import { RateLimit } from "../rate-limit.ts";
import type { IqFeature } from "./iq-feature.ts";

/** New accounts: so many at once, then so many a second; each costs some 10 ms of hashing. */
const BURST = 60;
const PER_SECOND = 1;
const MAX_PASSWORD = 1_023;

export interface RegistrationOptions {
  readonly domain: string;
  /** Who may make accounts. */
  readonly from: "loopback" | "network";
  readonly accounts: Accounts;
  /** The account is gone: so are its contact list and, at the end of the turn, its sessions. */
  readonly removed: (account: Jid) => void;
}

export class Registration {
  readonly #options: RegistrationOptions;
  readonly #rate: RateLimit;

  constructor(now: Millis, options: RegistrationOptions) {
    this.#options = options;
    this.#rate = new RateLimit(now, PER_SECOND, BURST);
  }

  /** Whether a stream that is not logged in may make an account. */
  offered(domain: string, secure: boolean, remoteAddress: string): boolean {
    const { from, domain: ours } = this.#options;
    return domain === ours && secure && (from === "network" || isLoopback(remoteAddress));
  }

  /** A get or set of `jabber:iq:register` before login (§3.1); undefined: it is none. */
  beforeLogin(now: Millis, iq: Element): Element | undefined {
    const query = child(iq, "query", NS.register);
    if (!is(iq, "iq") || query === undefined) return undefined;
    if (attr(iq, "type") === "get")
      return iqResult(iq, xml("query", { xmlns: NS.register }, xml("instructions", {}, INSTRUCTIONS), ...fields()));
    if (attr(iq, "type") !== "set") return undefined;
    const { accounts, domain } = this.#options;
    const user = userName(childText(query, "username"), domain);
    const password = childText(query, "password") ?? "";
    if (user === undefined || password === "" || password.length > MAX_PASSWORD)
      return errorReply(iq, { condition: "not-acceptable" });
    if (this.#rate.waitMs(now) > 0)
      return errorReply(iq, { condition: "resource-constraint", text: "Too many, too fast" });
    this.#rate.spend(now, 1);
    switch (accounts.register(user, domain, password)) {
      case "made":
        return iqResult(iq);
      case "conflict":
        return errorReply(iq, { condition: "conflict", text: "The user name is taken" });
      case "full":
        return errorReply(iq, { condition: "not-allowed", text: "No more accounts are made here" });
    }
  }

  /** After login (§3.2, 3.3): by the account itself, asked of its server. */
  readonly feature: IqFeature = {
    features: [NS.register],
    handle: (now, iq, payload, sender) => {
      if (!is(payload, "query", NS.register)) return undefined;
      const { accounts, domain } = this.#options;
      const { local: user } = sender.jid;
      if (user === undefined || sender.jid.domain !== domain || accounts.find(user, domain) === undefined)
        return errorReply(iq, { condition: "forbidden" });
      if (attr(iq, "type") === "get")
        return iqResult(
          iq,
          xml("query", { xmlns: NS.register }, xml("registered"), xml("username", {}, user), xml("password")),
        );
      if (child(payload, "remove") !== undefined) {
        if (payload.getChildElements().length !== 1) return errorReply(iq, { condition: "bad-request" });
        if (!accounts.remove(user, domain)) return errorReply(iq, { condition: "not-allowed" });
        this.#options.removed({ local: user, domain, resource: undefined });
        return iqResult(iq);
      }
      const named = childText(payload, "username");
      const password = childText(payload, "password") ?? "";
      if (password === "" || password.length > MAX_PASSWORD || userName(named ?? user, domain) !== user)
        return errorReply(iq, { condition: "bad-request" });
      if (this.#rate.waitMs(now) > 0) return errorReply(iq, { condition: "resource-constraint" });
      this.#rate.spend(now, 1);
      return accounts.changePassword(user, domain, password)
        ? iqResult(iq)
        : errorReply(iq, { condition: "not-allowed" });
    },
  };
}

const INSTRUCTIONS = "Choose a user name and a password";
const fields = (): Element[] => [xml("username"), xml("password")];

/** Guests are called so: an account of that name would be somebody who is in a meeting now, with his rights. */
const GUEST_NAME = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Normalised local part; undefined when the text is none, or a guest's. */
function userName(text: string | undefined, domain: string): string | undefined {
  const local = text === undefined ? undefined : parseJid(`${text}@${domain}`)?.local;
  return local === undefined || GUEST_NAME.test(local) ? undefined : local;
}

const isLoopback = (address: string): boolean =>
  address === "::1" || address.startsWith("127.") || address.startsWith("::ffff:127.");
