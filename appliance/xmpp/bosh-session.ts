/**
 * One BOSH session's window (XEP-0124 1.11, XEP-0206 1.4): requests in any order in, their bodies in order out, and answers that hold what is
 * to be said. No IO; the shell keeps the HTTP requests that wait, named by `RequestId`.
 *
 * Bounds: `requests` (hold + 1) may be on their way at once, the same number of answers is kept for repetition, output that finds no request
 * waits up to 2 MiB. Acknowledgements (§9) and key sequencing (§15) are not offered.
 */
import { later, type Millis, seconds } from "../time.ts";
import { NS } from "../wire/namespaces.ts";
import { attr, type Element, xml } from "../wire/xml.ts";
import type { RequestId } from "./server-io.ts";

/** XEP-0124 §17. */
export type BoshCondition =
  | "bad-request"
  | "host-unknown"
  | "improper-addressing"
  | "internal-server-error"
  | "item-not-found"
  | "other-request"
  | "policy-violation"
  | "remote-stream-error"
  | "system-shutdown"
  | "undefined-condition";

export interface BoshTerms {
  readonly sid: string;
  /** Seconds that a request may be held. */
  readonly wait: number;
  /** Requests held at most. */
  readonly hold: number;
}

export type BoshStep =
  /** The body of the next request in order. */
  | { readonly type: "body"; readonly body: Element }
  | { readonly type: "answer"; readonly request: RequestId; readonly body: string }
  /** The session must end, with that condition. */
  | { readonly type: "violation"; readonly condition: BoshCondition };

/** Seconds without a request after which the session ends (§10). */
export const INACTIVITY_SECONDS = 60;
/** Seconds between polls of a client that has nothing held (§12). */
export const POLLING_SECONDS = 5;
export const MAX_PAUSE_SECONDS = 120;
const MAX_OUTPUT = 2 * 1024 * 1024;

interface Held {
  readonly request: RequestId;
  readonly rid: number;
  readonly since: Millis;
}

export class BoshSession {
  readonly terms: BoshTerms;
  /** Of the last request whose body was handed on. */
  #lastRid: number;
  readonly #early = new Map<number, { readonly request: RequestId; readonly body: Element }>();
  #held: Held[] = [];
  /** Processed, but its connection broke before an answer. */
  readonly #orphans = new Set<number>();
  readonly #answers = new Map<number, string>();
  #output: string[] = [];
  #outputSize = 0;
  #quietSince: Millis;
  #pause: number | undefined;
  #lastPoll: Millis | undefined;
  #first: Readonly<Record<string, string | number>> | undefined;

  /** `first`: attributes that only the first answer carries. */
  constructor(
    now: Millis,
    terms: BoshTerms,
    request: RequestId,
    rid: number,
    first: Readonly<Record<string, string | number>>,
  ) {
    this.terms = terms;
    this.#lastRid = rid;
    this.#held = [{ request, rid, since: now }];
    this.#quietSince = now;
    this.#first = first;
  }

  get requests(): number {
    return this.terms.hold + 1;
  }

  /** A request came in. */
  request(now: Millis, request: RequestId, rid: number, body: Element): BoshStep[] {
    this.#quietSince = now;
    this.#pause = undefined;
    if (rid <= this.#lastRid) return this.#repeated(now, request, rid);
    if (rid > this.#lastRid + this.requests) return [{ type: "violation", condition: "item-not-found" }];
    const twin = this.#early.get(rid);
    this.#early.set(rid, { request, body });
    const steps: BoshStep[] =
      twin === undefined ? [] : [{ type: "answer", request: twin.request, body: this.#wrap("", {}) }];
    if (this.#held.length + this.#early.size > this.requests + 1)
      return [...steps, { type: "violation", condition: "policy-violation" }];
    for (let next = this.#early.get(this.#lastRid + 1); next !== undefined; next = this.#early.get(this.#lastRid + 1)) {
      this.#early.delete(++this.#lastRid);
      this.#held.push({ request: next.request, rid: this.#lastRid, since: now });
      if (this.#pollsTooFast(now, next.body)) return [...steps, { type: "violation", condition: "policy-violation" }];
      steps.push({ type: "body", body: next.body });
      const pause = attr(next.body, "pause");
      if (pause !== undefined) {
        const value = Number(pause);
        if (!/^\d{1,4}$/.test(pause) || value > MAX_PAUSE_SECONDS)
          return [...steps, { type: "violation", condition: "policy-violation" }];
        this.#pause = value;
      }
    }
    return steps;
  }

  /** The client's connection broke while its request was held. */
  aborted(request: RequestId): void {
    const gone = this.#held.find((each) => each.request === request);
    if (gone === undefined) {
      for (const [rid, early] of this.#early) if (early.request === request) this.#early.delete(rid);
      return;
    }
    this.#held = this.#held.filter((each) => each !== gone);
    this.#orphans.add(gone.rid);
    for (const rid of this.#orphans) if (rid <= this.#lastRid - this.requests) this.#orphans.delete(rid);
  }

  /** Something to say. False: too much waits for a client that does not ask. */
  say(data: string): boolean {
    this.#output.push(data);
    this.#outputSize += data.length;
    return this.#outputSize <= MAX_OUTPUT;
  }

  /** Answers that are due: output that finds a request, requests beyond `hold` or beyond `wait`, a pause. */
  answers(now: Millis): BoshStep[] {
    const steps: BoshStep[] = [];
    const first = this.#held[0];
    if (this.#output.length > 0 && first !== undefined) steps.push(this.#answer(now, first, this.#drain(), {}));
    for (let oldest = this.#held[0]; oldest !== undefined; oldest = this.#held[0]) {
      const due =
        this.#held.length > this.terms.hold ||
        oldest.since + this.terms.wait * 1000 <= now ||
        this.#pause !== undefined;
      if (!due) break;
      steps.push(this.#answer(now, oldest, "", {}));
    }
    return steps;
  }

  /** The end: whatever is left to say goes into the first held request, all are answered. */
  finish(now: Millis, condition: BoshCondition | undefined): BoshStep[] {
    const attributes = { type: "terminate", condition };
    const steps: BoshStep[] = [];
    for (let held = this.#held[0]; held !== undefined; held = this.#held[0])
      steps.push(this.#answer(now, held, this.#drain(), attributes));
    for (const early of this.#early.values())
      steps.push({ type: "answer", request: early.request, body: this.#wrap("", attributes) });
    this.#early.clear();
    return steps;
  }

  /** When `answers` has something to do again, or the session has died of silence. */
  deadline(): Millis {
    const oldest = this.#held[0];
    if (oldest !== undefined) return later(oldest.since, seconds(this.terms.wait));
    return later(this.#quietSince, seconds(this.#pause ?? INACTIVITY_SECONDS));
  }

  isInactive(now: Millis): boolean {
    return this.#held.length === 0 && now >= this.deadline();
  }

  #repeated(now: Millis, request: RequestId, rid: number): BoshStep[] {
    const kept = this.#answers.get(rid);
    if (kept !== undefined) return [{ type: "answer", request, body: kept }];
    const twin = this.#held.find((each) => each.rid === rid);
    if (twin !== undefined) {
      this.#held = this.#held.map((each) => (each === twin ? { ...each, request } : each));
      return [{ type: "answer", request: twin.request, body: this.#wrap("", {}) }];
    }
    if (!this.#orphans.delete(rid)) return [{ type: "violation", condition: "item-not-found" }];
    this.#held.push({ request, rid, since: now });
    this.#held.sort((a, b) => a.rid - b.rid);
    return [];
  }

  /** §12: who holds nothing must not ask without cause more often than agreed. */
  #pollsTooFast(now: Millis, body: Element): boolean {
    if (
      this.terms.hold > 0 ||
      body.children.length > 0 ||
      attr(body, "type") !== undefined ||
      attr(body, "pause") !== undefined ||
      attr(body, "xmpp:restart") !== undefined
    )
      return false;
    const last = this.#lastPoll;
    this.#lastPoll = now;
    return last !== undefined && now - last < POLLING_SECONDS * 1000 && this.#output.length === 0;
  }

  #answer(
    now: Millis,
    held: Held,
    payload: string,
    attributes: Readonly<Record<string, string | undefined>>,
  ): BoshStep {
    this.#held = this.#held.filter((each) => each !== held);
    this.#quietSince = now;
    const body = this.#wrap(payload, attributes);
    this.#answers.set(held.rid, body);
    for (const rid of this.#answers.keys()) if (this.#answers.size > this.requests) this.#answers.delete(rid);
    return { type: "answer", request: held.request, body };
  }

  #drain(): string {
    const payload = this.#output.join("");
    this.#output = [];
    this.#outputSize = 0;
    return payload;
  }

  #wrap(payload: string, attributes: Readonly<Record<string, string | undefined>>): string {
    const first = this.#first;
    this.#first = undefined;
    return boshBody({ sid: this.terms.sid, ...first, ...attributes }, payload);
  }
}

export function boshBody(attributes: Readonly<Record<string, string | number | undefined>>, payload = ""): string {
  const head = xml("body", { xmlns: NS.httpbind, "xmlns:stream": NS.stream, ...attributes }).toString();
  return payload === "" ? head : `${head.slice(0, -2)}>${payload}</body>`;
}
