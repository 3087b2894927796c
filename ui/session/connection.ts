/**
 * Shell: the XMPP stream, by strophe.js over WebSocket or long-polling, with resumption (XEP-0198; signaling.md 1).
 *
 * strophe's connection object lasts for one stream; ours lasts for the visit. Requests in flight, and what is sent while the stream is away,
 * survive a resumption here and are given up when a new session starts.
 */
import { Builder, Strophe } from "strophe.js";
import { NS } from "../../appliance/wire/namespaces.ts";
import { errorReply, iq, iqResult, readError } from "../../appliance/wire/stanza.ts";
import { attr, type Element as XmlElement, xml } from "../../appliance/wire/xml.ts";
import { fromDom, toDom } from "./dom-xml.ts";
import type { IqOutcome } from "./jingle-session.ts";
import { type Attempt, Reconnecting } from "./reconnecting.ts";
import type { ClientSettings } from "./settings.ts";
import { type Millis, millis } from "./time.ts";

export type IqAnswer = IqOutcome<XmlElement>;

export type ConnectionEvent =
  | { readonly kind: "connected"; readonly jid: string; readonly resumed: boolean }
  /** An established stream is gone; trying again. */
  | { readonly kind: "lost" }
  /** No stream could be made yet; `attempts` so far. */
  | { readonly kind: "unreachable"; readonly attempts: number }
  /** The server refuses us; nothing is tried again. */
  | { readonly kind: "refused"; readonly reason: "credentials" | "token" | "conflict"; readonly text: string }
  | { readonly kind: "stanza"; readonly stanza: XmlElement };

/** Answers a request of others; undefined: not ours. */
export type RequestHandler = (request: XmlElement) => XmlElement | undefined;

Strophe.setLogLevel(Strophe.LogLevel.FATAL); // what matters is told by events

const OPEN_TIMEOUT_MS = 3000;
const STREAM_TIMEOUT_MS = 10_000;
const PING_EVERY_MS = 10_000;
const PING_TIMEOUT_MS = 5000;
const IQ_TIMEOUT_MS = 10_000;
/** Stanzas kept while the stream is away. */
const OUTBOX_LIMIT = 256;

interface ResumableState {
  readonly id?: string | null;
}

export class XmppConnection {
  readonly #settings: ClientSettings;
  readonly #on: (event: ConnectionEvent) => void;
  readonly #answer: RequestHandler;
  readonly #reconnecting: Reconnecting;
  readonly #pending = new Map<string, { done: (answer: IqAnswer) => void; timer: ReturnType<typeof setTimeout> }>();
  #credentials: { readonly user: string; readonly password: string } | undefined;
  #stream: InstanceType<typeof Strophe.Connection> | undefined;
  #saved: ResumableState | undefined;
  #established = false;
  #everConnected = false;
  #attempts = 0;
  #stopped = false;
  #jid = "";
  #outbox: XmlElement[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setTimeout> | undefined;
  #ping: ReturnType<typeof setInterval> | undefined;
  #heardAt: Millis = millis(0);
  #pingFailures = 0;
  #counter = 0;
  #transport: Attempt["transport"] = "websocket";

  constructor(settings: ClientSettings, on: (event: ConnectionEvent) => void, answer: RequestHandler) {
    this.#settings = settings;
    this.#on = on;
    this.#answer = answer;
    this.#reconnecting = new Reconnecting({
      websocket: settings.websocket !== undefined && typeof WebSocket !== "undefined",
      bosh: settings.bosh !== undefined,
    });
  }

  get jid(): string {
    return this.#jid;
  }

  get transport(): string {
    return this.#transport;
  }

  get established(): boolean {
    return this.#established;
  }

  connect(credentials?: { readonly user: string; readonly password: string }): void {
    this.#credentials = credentials;
    this.#stopped = false;
    addEventListener("online", this.#online);
    this.#schedule(this.#reconnecting.first(now()));
  }

  readonly #online = (): void => {
    if (!this.#established && !this.#stopped) this.#schedule(this.#reconnecting.online(now()));
  };

  #schedule(attempt: Attempt): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#attempt(attempt), Math.max(0, attempt.at - now()));
  }

  #attempt(attempt: Attempt): void {
    if (this.#stopped) return;
    this.#dropStream();
    this.#attempts += 1;
    this.#transport = attempt.transport;
    if (!attempt.resume) this.#saved = undefined;
    const stream = new Strophe.Connection(this.#url(attempt), {
      enableStreamManagement: attempt.transport === "websocket",
      streamManagement: {
        storage: {
          load: () => (this.#saved ?? null) as never,
          save: (_key: string, state: ResumableState) => {
            if (this.#stream === stream) this.#saved = state;
          },
          clear: () => {
            if (this.#stream === stream) this.#saved = undefined;
          },
        },
      },
    });
    this.#stream = stream;
    const engine = stream.sm;
    if (engine !== undefined)
      engine.onFailed = () => {
        // A new session follows: what the old one did not deliver means nothing in it.
        const { serverSupported } = engine;
        engine.reset();
        engine.serverSupported = serverSupported;
        this.#reconnecting.resumeFailed();
      };
    stream.addHandler(
      (stanza: Element) => {
        if (this.#stream === stream) this.#receive(stanza);
        return true;
      },
      null,
      null,
      null,
    );
    // A socket that is not open after 3 s is refused in silence (W60); a stream that is not up after 10 s hangs.
    this.#watch = setTimeout(
      () => {
        if (stream.features !== null && stream.features !== undefined) {
          this.#watch = setTimeout(() => this.#broken(stream), STREAM_TIMEOUT_MS - OPEN_TIMEOUT_MS);
        } else this.#broken(stream);
      },
      attempt.transport === "websocket" && this.#settings.bosh !== undefined && !this.#everConnected
        ? OPEN_TIMEOUT_MS
        : STREAM_TIMEOUT_MS,
    );
    const login =
      this.#credentials === undefined
        ? this.#settings.loginDomain
        : this.#credentials.user.includes("@")
          ? this.#credentials.user
          : `${this.#credentials.user}@${this.#settings.domain}`;
    try {
      stream.connect(login, this.#credentials?.password ?? "", (status, condition, element) => {
        if (this.#stream === stream) this.#status(stream, status, condition, element);
      });
    } catch (error) {
      console.warn("connecting failed", error);
      this.#broken(stream);
    }
  }

  #url(attempt: Attempt): string {
    const base = attempt.transport === "websocket" ? this.#settings.websocket : this.#settings.bosh;
    const url = new URL(base ?? "/http-bind", location.href);
    if (this.#settings.room !== undefined && !url.searchParams.has("room"))
      url.searchParams.set("room", this.#settings.room);
    if (this.#settings.token !== undefined) url.searchParams.set("token", this.#settings.token);
    const id = attempt.resume ? this.#saved?.id : undefined;
    if (typeof id === "string") url.searchParams.set("previd", id);
    return url.href;
  }

  #status(
    stream: InstanceType<typeof Strophe.Connection>,
    status: number,
    condition: string | null,
    element?: Element,
  ): void {
    const { Status } = Strophe;
    switch (status) {
      case Status.CONNECTED:
        this.#connected(stream);
        return;
      case Status.AUTHFAIL:
      case Status.CONNFAIL:
        if (
          status === Status.AUTHFAIL ||
          condition === Strophe.ErrorCondition.NO_AUTH_MECH ||
          condition === "x-strophe-bad-non-anon-jid"
        ) {
          const text = element?.getElementsByTagName("text")[0]?.textContent ?? "";
          const reason = this.#settings.token !== undefined ? "token" : "credentials";
          this.stop();
          this.#on({ kind: "refused", reason, text });
          return;
        }
        this.#broken(stream);
        return;
      case Status.ERROR:
        if (condition === "conflict") {
          this.stop();
          this.#on({ kind: "refused", reason: "conflict", text: "" });
          return;
        }
        this.#broken(stream);
        return;
      case Status.DISCONNECTED:
      case Status.CONNTIMEOUT:
        this.#broken(stream);
        return;
    }
  }

  #connected(stream: InstanceType<typeof Strophe.Connection>): void {
    clearTimeout(this.#watch);
    const resumed = stream.hasResumed();
    this.#jid = stream.jid;
    this.#established = true;
    this.#everConnected = true;
    this.#attempts = 0;
    this.#heardAt = now();
    this.#pingFailures = 0;
    this.#reconnecting.connected();
    if (!resumed) {
      this.#outbox = [];
      this.#giveUpPending();
    }
    clearInterval(this.#ping);
    this.#ping = setInterval(() => void this.#probe(), PING_EVERY_MS / 2);
    this.#on({ kind: "connected", jid: this.#jid, resumed });
    const waiting = this.#outbox;
    this.#outbox = [];
    for (const each of waiting) this.send(each);
  }

  #broken(stream: InstanceType<typeof Strophe.Connection>): void {
    if (this.#stream !== stream || this.#stopped) return;
    const was = this.#established;
    this.#dropStream();
    const attempt = this.#reconnecting.lost(now());
    if (was) this.#on({ kind: "lost" });
    else if (!this.#everConnected) this.#on({ kind: "unreachable", attempts: this.#attempts });
    this.#schedule(attempt);
  }

  #dropStream(): void {
    clearTimeout(this.#watch);
    clearInterval(this.#ping);
    const stream = this.#stream;
    this.#stream = undefined;
    this.#established = false;
    if (stream === undefined) return;
    try {
      stream._doDisconnect(); // not disconnect(): that would end the session, which is to be resumed
    } catch (error) {
      console.debug("closing the old stream", error);
    }
  }

  #receive(element: Element): void {
    try {
      this.#heardAt = now();
      if (element.tagName !== "iq" && element.tagName !== "message" && element.tagName !== "presence") return;
      const stanza = fromDom(element);
      if (element.tagName === "iq") this.#receiveIq(stanza);
      else this.#on({ kind: "stanza", stanza });
    } catch (error) {
      console.error("stanza not handled", error); // strophe would silently drop our handler
    }
  }

  #receiveIq(stanza: XmlElement): void {
    const type = attr(stanza, "type");
    const id = attr(stanza, "id") ?? "";
    if (type === "result" || type === "error") {
      const pending = this.#pending.get(id);
      if (pending === undefined) return;
      this.#pending.delete(id);
      clearTimeout(pending.timer);
      if (type === "result") pending.done({ kind: "result", stanza });
      else pending.done({ kind: "error", error: readError(stanza) ?? { condition: "undefined-condition" } });
      return;
    }
    if (type !== "get" && type !== "set") return;
    if (id.startsWith("_bind_auth_") || id.startsWith("_session_auth_")) return;
    this.send(this.#answer(stanza) ?? errorReply(stanza, { condition: "service-unavailable" }));
  }

  /** Sends now, or when the stream has been resumed. */
  send(stanza: XmlElement): void {
    const stream = this.#stream;
    if (!this.#established || stream === undefined) {
      if (this.#outbox.length < OUTBOX_LIMIT) this.#outbox.push(stanza);
      return;
    }
    stream.send(toDom(stanza));
  }

  /** An IQ with its answer. The id is ours. */
  request(type: "get" | "set", to: string, payload: XmlElement, timeoutMs: number = IQ_TIMEOUT_MS): Promise<IqAnswer> {
    this.#counter += 1;
    const id = `p${this.#counter}-${Math.random().toString(36).slice(2, 8)}`;
    return new Promise((done) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        done({ kind: "timeout" });
      }, timeoutMs);
      this.#pending.set(id, { done, timer });
      this.send(iq(type, { id, to }, payload));
    });
  }

  #giveUpPending(): void {
    for (const { done, timer } of this.#pending.values()) {
      clearTimeout(timer);
      done({ kind: "timeout" });
    }
    this.#pending.clear();
  }

  async #probe(): Promise<void> {
    const stream = this.#stream;
    if (stream === undefined || now() - this.#heardAt < PING_EVERY_MS) return;
    const answer = await this.request("get", this.#settings.domain, xml("ping", { xmlns: NS.ping }), PING_TIMEOUT_MS);
    if (this.#stream !== stream) return;
    if (answer.kind !== "timeout") this.#pingFailures = 0;
    else {
      this.#pingFailures += 1;
      if (this.#pingFailures >= 2) this.#broken(stream);
    }
  }

  /** For tests and for a token that changed: drops the socket as a network would. */
  drop(): void {
    if (this.#stream !== undefined) this.#broken(this.#stream);
  }

  /** The page is being closed: over long-polling the last words go as a beacon, which outlives the page. */
  unload(last: XmlElement): void {
    const stream = this.#stream;
    const transport = stream?._proto;
    if (stream === undefined || transport === undefined || !("_buildBody" in transport)) return;
    const build = transport._buildBody;
    if (typeof build !== "function") return;
    const body: unknown = build.call(transport);
    if (!(body instanceof Builder)) return;
    body.attrs({ type: "terminate" }).cnode(toDom(last));
    navigator.sendBeacon(
      stream.service,
      new Blob([Builder.serialize(body) ?? ""], { type: "text/xml; charset=utf-8" }),
    );
    this.#stream = undefined;
  }

  /** Ends the session for good. */
  stop(): void {
    this.#stopped = true;
    removeEventListener("online", this.#online);
    clearTimeout(this.#timer);
    clearTimeout(this.#watch);
    clearInterval(this.#ping);
    this.#giveUpPending();
    const stream = this.#stream;
    this.#stream = undefined;
    this.#established = false;
    this.#saved = undefined;
    stream?.disconnect("leaving");
  }
}

const now = (): Millis => millis(performance.now());

/** An empty result, for handlers. */
export const acknowledge = (request: XmlElement): XmlElement => iqResult(request);
