/**
 * What answers IQ requests that the server itself takes: those to a user domain, and those to an account (RFC 6120 §10.3.3, RFC 6121 §8.5).
 */
import type { Millis } from "../../time.ts";
import type { Jid } from "../../wire/jid.ts";
import type { Element } from "../../wire/xml.ts";
import type { Sender } from "../host.ts";

export interface IqTarget {
  /** `domain`: the server itself; `account`: the sender's own bare JID. */
  readonly kind: "domain" | "account";
  readonly jid: Jid;
}

export interface IqFeature {
  /** Shown in disco#info of the domains. */
  readonly features: readonly string[];
  /** The answer (result or error), or undefined when this feature does not know the request. `payload` is the IQ's only child. */
  handle(now: Millis, iq: Element, payload: Element, sender: Sender, target: IqTarget): Element | undefined;
}
