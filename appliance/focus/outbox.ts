/**
 * What the focus's cores want done: collected during one input, performed by the shell afterwards, in order (style 3.1).
 */
import type { LogFields, LogLevel } from "../log.ts";
import type { Element } from "../wire/xml.ts";
import type { HttpAnswer } from "./conference-request.ts";

/** Which login a stanza goes through: the account in the rooms, or the external component that clients ask (design.md 3). */
export type Via = "client" | "component";

export type FocusAction =
  | { readonly kind: "send"; readonly via: Via; readonly stanza: Element }
  | { readonly kind: "log"; readonly level: LogLevel; readonly message: string; readonly fields: LogFields }
  /** GET a key of tokens; `fetched` follows. */
  | { readonly kind: "fetch"; readonly url: string }
  /** The answer to the HTTP conference request of that token. */
  | { readonly kind: "http-answer"; readonly token: number; readonly answer: HttpAnswer };

export class Outbox {
  #actions: FocusAction[] = [];

  send(stanza: Element, via: Via = "client"): void {
    this.#actions.push({ kind: "send", via, stanza });
  }

  log(level: LogLevel, message: string, fields: LogFields = {}): void {
    this.#actions.push({ kind: "log", level, message, fields });
  }

  answerHttp(token: number, answer: HttpAnswer): void {
    this.#actions.push({ kind: "http-answer", token, answer });
  }

  fetchKey(url: string): void {
    this.#actions.push({ kind: "fetch", url });
  }

  take(): FocusAction[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }
}
