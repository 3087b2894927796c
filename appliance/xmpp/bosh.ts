/**
 * BOSH as a transport of client streams (XEP-0124, XEP-0206): finds the session of each request, opens new ones, turns bodies into the events
 * that streams know, and writes into answers. A sid is 144 random bits, so guessing one is as good as guessing a password.
 */
import type { Deadline } from "../deadlines.ts";
import type { Millis } from "../time.ts";
import { NS } from "../wire/namespaces.ts";
import { attr, type Element } from "../wire/xml.ts";
import {
  type BoshCondition,
  BoshSession,
  type BoshStep,
  boshBody,
  INACTIVITY_SECONDS,
  MAX_PAUSE_SECONDS,
  POLLING_SECONDS,
} from "./bosh-session.ts";
import { type Framing, type FramingEvent, type StreamCondition, streamError } from "./framing.ts";
import type { HttpOrigin, LinkId, RequestId } from "./server-io.ts";
import { Timers } from "./timers.ts";
import { type XmlLimits, XmlParser } from "./xml-parser.ts";

export interface BoshServer {
  isUserDomain(domain: string): boolean;
  randomId(): string;
  count(reason: string): void;
  answer(request: RequestId, body: string): void;
  opened(now: Millis, link: LinkId, origin: HttpOrigin, framing: Framing): void;
  events(now: Millis, link: LinkId, events: readonly FramingEvent[], bytes: number): void;
  /** The session has ended: nothing of this link follows. */
  gone(now: Millis, link: LinkId): void;
}

const WAIT_SECONDS = 60;
/** Several stanzas of a client may come in one body. */
const STANZAS_PER_BODY = 2;

/** What a stream writes over BOSH: elements without a header, wrapped later. */
export class BoshFraming implements Framing {
  open(): string {
    return "";
  }
  element(element: Element): string {
    return element.toString();
  }
  stanza(serialised: string): string {
    return serialised;
  }
  error(condition: StreamCondition, text: string | undefined): string {
    return streamError(condition, text).toString();
  }
  close(): string {
    return "";
  }
  restart(): void {}
  setLimits(): void {}
}

interface Entry {
  readonly session: BoshSession;
  readonly link: LinkId;
  readonly domain: string;
  failed: boolean;
}

export class Bosh {
  readonly #server: BoshServer;
  readonly #limits: XmlLimits;
  readonly #bySid = new Map<string, Entry>();
  readonly #byLink = new Map<LinkId, Entry>();
  readonly #byRequest = new Map<RequestId, Entry>();
  readonly #timers = new Timers<LinkId>();
  readonly #touched = new Set<Entry>();
  /** Links of BOSH count downwards from −1: the shell's count upwards. */
  #lastLink = 0;

  constructor(server: BoshServer, stanzaLimits: XmlLimits) {
    this.#server = server;
    this.#limits = {
      ...stanzaLimits,
      elementSize: STANZAS_PER_BODY * stanzaLimits.elementSize,
      depth: stanzaLimits.depth + 1,
    };
  }

  has(link: LinkId): boolean {
    return this.#byLink.has(link);
  }

  request(now: Millis, request: RequestId, origin: HttpOrigin, source: string): void {
    const body = this.#parse(source);
    const ridText = body === undefined ? undefined : attr(body, "rid");
    if (body === undefined || ridText === undefined || !/^\d{1,16}$/.test(ridText)) {
      this.#refuse(request, "bad-request");
      return;
    }
    const rid = Number(ridText);
    if (rid > Number.MAX_SAFE_INTEGER - 1_000) {
      this.#refuse(request, "bad-request");
      return;
    }
    const sid = attr(body, "sid");
    if (sid === undefined) {
      this.#open(now, request, origin, rid, body, source.length);
      return;
    }
    const entry = this.#bySid.get(sid);
    if (entry === undefined) {
      this.#refuse(request, "item-not-found");
      return;
    }
    this.#byRequest.set(request, entry);
    this.#perform(now, entry, entry.session.request(now, request, rid, body), source.length);
    if (this.#byLink.has(entry.link)) this.#touch(entry);
    else if (this.#byRequest.delete(request)) this.#refuse(request, "item-not-found");
  }

  aborted(request: RequestId): void {
    const entry = this.#byRequest.get(request);
    this.#byRequest.delete(request);
    entry?.session.aborted(request);
    if (entry !== undefined) this.#touch(entry);
  }

  write(now: Millis, link: LinkId, data: string): void {
    const entry = this.#byLink.get(link);
    if (entry === undefined || data === "") return;
    if (data.startsWith("<stream:error")) entry.failed = true;
    if (entry.session.say(data)) this.#touch(entry);
    else {
      this.#server.count("bosh-output-full");
      this.#end(now, entry, "policy-violation");
    }
  }

  /** The stream has ended. */
  close(now: Millis, link: LinkId): void {
    const entry = this.#byLink.get(link);
    if (entry !== undefined) this.#end(now, entry, entry.failed ? "remote-stream-error" : undefined);
  }

  /** At the end of a turn: what was said in it goes out together. */
  flush(now: Millis): void {
    for (const entry of this.#touched) {
      if (!this.#byLink.has(entry.link)) continue;
      this.#perform(now, entry, entry.session.answers(now), 0);
      this.#timers.set(entry.link, entry.session.deadline(), "BOSH session");
    }
    this.#touched.clear();
  }

  nextDeadline(): Deadline | undefined {
    return this.#timers.soonest();
  }

  handleTimeout(now: Millis): void {
    this.#timers.due(now, (link) => {
      const entry = this.#byLink.get(link);
      if (entry === undefined) return;
      if (entry.session.isInactive(now)) {
        this.#server.count("bosh-inactivity");
        this.#end(now, entry, undefined);
      } else this.#touch(entry);
    });
  }

  #parse(source: string): Element | undefined {
    const events = new XmlParser("fragments", this.#limits).write(source);
    const only = events[0];
    if (
      events.length !== 1 ||
      only?.type !== "element" ||
      only.element.name !== "body" ||
      only.element.getNS() !== NS.httpbind
    ) {
      const problem = events.find((each) => each.type === "problem");
      this.#server.count(problem?.type === "problem" ? `bosh-${problem.problem}` : "bosh-no-body");
      return undefined;
    }
    return only.element;
  }

  #open(now: Millis, request: RequestId, origin: HttpOrigin, rid: number, body: Element, bytes: number): void {
    const domain = attr(body, "to")?.toLowerCase();
    if (domain === undefined) {
      this.#refuse(request, "improper-addressing");
      return;
    }
    if (!this.#server.isUserDomain(domain)) {
      this.#refuse(request, "host-unknown");
      return;
    }
    const sid = this.#server.randomId();
    const wait = Math.min(number(attr(body, "wait"), WAIT_SECONDS), WAIT_SECONDS);
    const hold = Math.min(number(attr(body, "hold"), 1), 1);
    const session = new BoshSession(now, { sid, wait, hold }, request, rid, {
      from: domain,
      authid: sid,
      wait,
      hold,
      requests: hold + 1,
      inactivity: INACTIVITY_SECONDS,
      polling: POLLING_SECONDS,
      maxpause: MAX_PAUSE_SECONDS,
      ver: "1.6",
      secure: origin.insecure === true ? "false" : "true",
      "xmlns:xmpp": NS.xbosh,
      "xmpp:version": "1.0",
      "xmpp:restartlogic": "true",
    });
    const link = --this.#lastLink as LinkId;
    const entry: Entry = { session, link, domain, failed: false };
    this.#bySid.set(sid, entry);
    this.#byLink.set(link, entry);
    this.#byRequest.set(request, entry);
    this.#server.opened(now, link, origin, new BoshFraming());
    this.#server.events(now, link, [header(domain, body), ...children(body)], bytes);
    this.#touch(entry);
  }

  #perform(now: Millis, entry: Entry, steps: readonly BoshStep[], bytes: number): void {
    for (const step of steps) {
      if (step.type === "answer") {
        this.#byRequest.delete(step.request);
        this.#server.answer(step.request, step.body);
      } else if (step.type === "violation") {
        this.#server.count(`bosh-${step.condition}`);
        this.#end(now, entry, step.condition);
        return;
      } else {
        const restart = attr(step.body, "xmpp:restart") === "true";
        const terminate = attr(step.body, "type") === "terminate";
        const events: FramingEvent[] = [
          ...(restart ? [header(entry.domain, step.body)] : []),
          ...children(step.body),
          ...(terminate ? [{ type: "close" as const }] : []),
        ];
        if (events.length > 0) this.#server.events(now, entry.link, events, bytes);
      }
    }
  }

  #end(now: Millis, entry: Entry, condition: BoshCondition | undefined): void {
    if (!this.#byLink.delete(entry.link)) return;
    this.#bySid.delete(entry.session.terms.sid);
    this.#timers.clear(entry.link);
    this.#touched.delete(entry);
    for (const step of entry.session.finish(now, condition))
      if (step.type === "answer") {
        this.#byRequest.delete(step.request);
        this.#server.answer(step.request, step.body);
      }
    this.#server.gone(now, entry.link);
  }

  #refuse(request: RequestId, condition: BoshCondition): void {
    this.#server.count(`bosh-${condition}`);
    this.#server.answer(request, boshBody({ type: "terminate", condition }));
  }

  #touch(entry: Entry): void {
    this.#touched.add(entry);
  }
}

const number = (text: string | undefined, otherwise: number): number =>
  text !== undefined && /^\d{1,5}$/.test(text) ? Number(text) : otherwise;

/** XEP-0206 §4: the body's attributes are the stream's header. */
const header = (domain: string, body: Element): FramingEvent => ({
  type: "open",
  header: {
    to: attr(body, "to") ?? domain,
    from: attr(body, "from"),
    version: "1.0",
    id: undefined,
    lang: attr(body, "xml:lang"),
    namespace: NS.client,
    dialback: false,
  },
});

function children(body: Element): FramingEvent[] {
  const events: FramingEvent[] = [];
  for (const element of body.getChildElements()) {
    element.parent = null;
    // COMPAT older clients: stanzas without a namespace of their own inherit that of <body/>.
    if (!element.attrs["xmlns"] && !element.name.includes(":")) element.attrs["xmlns"] = NS.client;
    // Prefixes that <body/> declares go along, or what is forwarded would not be well-formed.
    for (const [key, value] of Object.entries(body.attrs)) if (key.startsWith("xmlns:")) element.attrs[key] ??= value;
    events.push({ type: "element", element });
  }
  return events;
}
