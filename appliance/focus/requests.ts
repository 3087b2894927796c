/**
 * IQ requests under way: ids given, answers matched by id and sender, time-outs by deadline. A core.
 */
import type { Deadline } from "../deadlines.ts";
import { later, type Millis, seconds } from "../time.ts";
import { iq, readError, type StanzaError } from "../wire/stanza.ts";
import { attr, type Element } from "../wire/xml.ts";
import type { Outbox } from "./outbox.ts";

export type Answer =
  | { readonly kind: "result"; readonly stanza: Element }
  | { readonly kind: "error"; readonly stanza: Element; readonly error: StanzaError }
  | { readonly kind: "timeout" }
  /** The session with the XMPP server is gone. */
  | { readonly kind: "offline" };

export type Continuation = (now: Millis, answer: Answer) => void;

/** As Smack's default, which original bridges and clients are used to (signaling.md 7.1). */
export const REPLY_TIMEOUT = seconds(15);
const MAX_PENDING = 50_000;

interface Pending {
  readonly to: string;
  readonly at: Millis;
  readonly then: Continuation;
}

export class Requests {
  readonly #outbox: Outbox;
  readonly #pending = new Map<string, Pending>();
  #counter = 0;
  #next: Millis | undefined;
  /** Makes ids of this start differ from an earlier one's, whose answers may still arrive. */
  readonly #prefix: string;

  constructor(outbox: Outbox, prefix: string) {
    this.#outbox = outbox;
    this.#prefix = prefix;
  }

  /** Sends an IQ; `then` is called exactly once, later. */
  request(
    now: Millis,
    to: string,
    type: "get" | "set",
    payload: Element,
    then: Continuation = () => {},
    timeout: number = REPLY_TIMEOUT,
  ): void {
    const id = `${this.#prefix}-${++this.#counter}`;
    if (this.#pending.size >= MAX_PENDING) {
      this.#outbox.log("error", "too many requests under way", { to });
      return;
    }
    const at = later(now, timeout);
    this.#pending.set(id, { to, at, then });
    this.#expect(at);
    this.#outbox.send(iq(type, { to, id }, payload));
  }

  /** Whether the stanza answered a request. */
  answer(now: Millis, stanza: Element): boolean {
    const id = attr(stanza, "id") ?? "";
    const pending = this.#pending.get(id);
    if (pending === undefined || attr(stanza, "from") !== pending.to) return false;
    this.#pending.delete(id);
    const error =
      attr(stanza, "type") === "error" ? (readError(stanza) ?? { condition: "undefined-condition" }) : undefined;
    pending.then(now, error === undefined ? { kind: "result", stanza } : { kind: "error", stanza, error });
    return true;
  }

  offline(now: Millis): void {
    const all = [...this.#pending.values()];
    this.#pending.clear();
    this.#next = undefined;
    for (const each of all) each.then(now, { kind: "offline" });
  }

  tick(now: Millis): void {
    if (this.#next === undefined || this.#next > now) return;
    this.#next = undefined;
    for (const [id, pending] of [...this.#pending]) {
      if (pending.at > now) {
        this.#expect(pending.at);
        continue;
      }
      this.#pending.delete(id);
      pending.then(now, { kind: "timeout" });
    }
  }

  /** May be earlier than any time-out when the request it was for has been answered: then the tick finds nothing to do. */
  nextDeadline(): Deadline | undefined {
    return this.#next === undefined ? undefined : { at: this.#next, why: "iq time-out" };
  }

  get size(): number {
    return this.#pending.size;
  }

  #expect(at: Millis): void {
    if (this.#next === undefined || at < this.#next) this.#next = at;
  }
}
