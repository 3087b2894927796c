/**
 * What a subscription stanza does to a contact, RFC 6121 appendix A: one function for stanzas that the account sends (A.2), one for those that
 * reach it (A.3). Pure.
 */
import type { Contact } from "./contact.ts";

export type SubscriptionType = "subscribe" | "subscribed" | "unsubscribe" | "unsubscribed";

const TYPES: ReadonlySet<string> = new Set(["subscribe", "subscribed", "unsubscribe", "unsubscribed"]);

export const isSubscriptionType = (type: string | undefined): type is SubscriptionType =>
  type !== undefined && TYPES.has(type);

export interface Outbound {
  readonly contact: Contact;
  /** The stanza goes on to the contact. */
  readonly route: boolean;
}

/** The account sends it. */
export function outbound(contact: Contact, type: SubscriptionType): Outbound {
  switch (type) {
    case "subscribe":
      return { contact: { ...contact, ask: !contact.to, listed: true }, route: true };
    case "unsubscribe":
      return { contact: { ...contact, to: false, ask: false }, route: true };
    case "subscribed":
      // Without a request this is an approval in advance (§3.4), which stays here.
      return contact.request !== undefined
        ? { contact: { ...contact, from: true, request: undefined, listed: true }, route: true }
        : { contact: contact.from ? contact : { ...contact, approved: true, listed: true }, route: false };
    case "unsubscribed":
      return {
        contact: { ...contact, from: false, request: undefined, approved: false },
        route: contact.from || contact.request !== undefined,
      };
  }
}

export interface Inbound {
  readonly contact: Contact;
  /** The account's clients are told. */
  readonly deliver: boolean;
  /** The server answers in the account's name. */
  readonly answer: "subscribed" | undefined;
}

/** It reaches the account. `request`: the stanza as text, kept until it is answered. */
export function inbound(contact: Contact, type: SubscriptionType, request: string): Inbound {
  const quiet: Inbound = { contact, deliver: false, answer: undefined };
  switch (type) {
    case "subscribe":
      if (contact.from) return { ...quiet, answer: "subscribed" };
      if (contact.approved)
        return { contact: { ...contact, from: true, approved: false }, deliver: false, answer: "subscribed" };
      // Asked again: told again at the next login only (A.3.1).
      return contact.request === undefined ? { ...quiet, contact: { ...contact, request }, deliver: true } : quiet;
    case "unsubscribe":
      return contact.from || contact.request !== undefined
        ? { ...quiet, contact: { ...contact, from: false, request: undefined }, deliver: true }
        : quiet;
    case "subscribed":
      return contact.ask ? { ...quiet, contact: { ...contact, to: true, ask: false }, deliver: true } : quiet;
    case "unsubscribed":
      return contact.ask || contact.to
        ? { ...quiet, contact: { ...contact, to: false, ask: false }, deliver: true }
        : quiet;
  }
}
