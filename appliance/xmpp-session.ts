/**
 * Shell: how focus, bridge and recorder log in to an XMPP server: one TCP connection with STARTTLS verified by `ServerTrust`, reconnecting by itself.
 * The stream itself is the core xmpp-client-stream.ts.
 *
 * Not @xmpp/client (design.md 3 names it): it has no way to verify against a root or a pin, always asks for resumption, keeps an unbounded queue, answers
 * every unknown IQ itself, breaks characters that fall on a packet's edge, throws out of the socket handler on a malformed `from`, and has neither
 * SCRAM-SHA-256 nor components; replacing all that left less than the core next door is long.
 */
import { createHash, randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { checkServerIdentity, connect as connectTls, type TLSSocket } from "node:tls";
import { monotonicNow } from "./clock.ts";
import type { ServerTrust } from "./config.ts";
import { DeadlineTimer } from "./deadline-timer.ts";
import type { Logger } from "./log.ts";
import { attr, type Element } from "./wire/xml.ts";
import { ClientStream, type ClientStreamAction, type ClientStreamOptions } from "./xmpp-client-stream.ts";

export interface XmppSessionOptions {
  readonly host: string;
  readonly port: number;
  readonly stream: ClientStreamOptions;
  /** Undefined: the connection is not encrypted (XEP-0114 components, which have no STARTTLS, over the loopback). */
  readonly tls: ServerTrust | undefined;
  readonly log: Logger;
  readonly handlers: XmppSessionHandlers;
}

export interface XmppSessionHandlers {
  /** Logged in; `resumed`: nothing was lost, rooms are still joined. Otherwise a new session: join again. */
  online(jid: string, resumed: boolean): void;
  /** Every stanza that no `request` was waiting for. */
  stanza(stanza: Element): void;
  /** The session is gone; requests under way have failed. A new `online` follows when the server is back. */
  offline(reason: string): void;
}

/** How a request ended. */
export type IqOutcome =
  | { readonly kind: "result"; readonly stanza: Element }
  | { readonly kind: "error"; readonly stanza: Element }
  | { readonly kind: "timeout" }
  | { readonly kind: "offline" };

interface PendingRequest {
  readonly to: string | undefined;
  readonly timer: ReturnType<typeof setTimeout>;
  readonly settle: (outcome: IqOutcome) => void;
}

const RECONNECT_MS = 1_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** What a dead connection may hold before it is given up, bytes. */
const MAX_UNSENT_BYTES = 8 * 1024 * 1024;
const MAX_REQUESTS = 10_000;

export class XmppSession {
  readonly #options: XmppSessionOptions;
  readonly #stream: ClientStream;
  readonly #requests = new Map<string, PendingRequest>();
  #socket: Socket | TLSSocket | undefined;
  /** Distinguishes events of this connection from late ones of the last. */
  #generation = 0;
  readonly #timer = new DeadlineTimer(() => this.#perform(this.#stream.tick(monotonicNow())));
  #reconnect: ReturnType<typeof setTimeout> | undefined;
  #running = false;
  #fault: string | undefined = "not connected yet";
  #lastLogged: string | undefined;
  #nextId = 0;

  constructor(options: XmppSessionOptions) {
    this.#options = options;
    this.#stream = new ClientStream(options.stream, () => randomBytes(18).toString("base64url"));
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#connect();
  }

  get online(): boolean {
    return this.#stream.online;
  }

  /** Undefined when online; otherwise why not. */
  health(): string | undefined {
    return this.#stream.online ? undefined : (this.#fault ?? "logging in");
  }

  /** False: there is no session and the stanza is lost. */
  send(stanza: Element): boolean {
    const actions = this.#stream.send(stanza);
    if (actions === undefined) return false;
    this.#perform(actions);
    return true;
  }

  /** Sends an IQ get or set (its id is set here) and waits for the answer of the same peer. Never rejects. */
  request(iq: Element, timeoutMs = 15_000): Promise<IqOutcome> {
    const id = `r${++this.#nextId}`;
    iq.attrs.id = id;
    return new Promise((resolve) => {
      if (this.#requests.size >= MAX_REQUESTS) return resolve({ kind: "offline" });
      const settle = (outcome: IqOutcome): void => {
        const pending = this.#requests.get(id);
        if (pending === undefined) return;
        this.#requests.delete(id);
        clearTimeout(pending.timer);
        resolve(outcome);
      };
      const timer = setTimeout(() => settle({ kind: "timeout" }), timeoutMs);
      this.#requests.set(id, { to: attr(iq, "to"), timer, settle });
      if (!this.send(iq)) settle({ kind: "offline" });
    });
  }

  /** Closes the stream; resolves when the connection is down, after `deadlineMs` at the latest. */
  stop(deadlineMs: number): Promise<void> {
    this.#running = false;
    clearTimeout(this.#reconnect);
    const socket = this.#socket;
    this.#perform(this.#stream.stop());
    if (socket === undefined || socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        socket.destroy();
        resolve();
      }, deadlineMs);
      socket.once("close", () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #connect(): void {
    const generation = ++this.#generation;
    const { host, port } = this.#options;
    const socket = connect({ host, port, noDelay: true, keepAlive: true });
    this.#socket = socket;
    const timeout = setTimeout(
      () => this.#down(generation, `${host}:${port}: connecting timed out`),
      CONNECT_TIMEOUT_MS,
    );
    socket.once("connect", () => {
      clearTimeout(timeout);
      if (generation !== this.#generation) return;
      this.#attach(socket, generation);
      this.#perform(this.#stream.connected(monotonicNow(), this.#options.tls === undefined));
    });
    socket.on("error", (error) => {
      clearTimeout(timeout);
      this.#down(generation, `${host}:${port} is unreachable: ${error.message}`);
    });
    socket.once("close", () => {
      clearTimeout(timeout);
      this.#down(generation, "connection closed");
    });
  }

  #attach(socket: Socket | TLSSocket, generation: number): void {
    socket.setEncoding("utf8"); // keeps characters whole across packets
    socket.on("data", (chunk: string | Buffer) => {
      if (generation === this.#generation && socket === this.#socket)
        this.#perform(this.#stream.received(monotonicNow(), chunk.toString()));
    });
  }

  #startTls(trust: ServerTrust): void {
    const plain = this.#socket;
    if (plain === undefined) return;
    const generation = this.#generation;
    plain.removeAllListeners("data");
    const domain = this.#options.stream.domain;
    let secure: TLSSocket;
    try {
      secure = connectTls({
        socket: plain,
        servername: domain,
        rejectUnauthorized: trust.kind === "ca",
        ...(trust.kind === "ca" ? { ca: trust.certificates } : {}),
        // RFC 6120 §13.7.2.1: the domain, or the host that the administrator named explicitly.
        checkServerIdentity: (_name, certificate) => {
          const wrong = checkServerIdentity(domain, certificate);
          return wrong === undefined ? undefined : checkServerIdentity(this.#options.host, certificate) && wrong;
        },
      });
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      this.#down(generation, `the certificates to trust are unusable: ${detail}`);
      return;
    }
    this.#socket = secure;
    secure.once("secureConnect", () => {
      if (generation !== this.#generation) return;
      const refused = trust.kind === "pin" ? pinMismatch(secure, trust.sha256) : undefined;
      if (refused !== undefined) return this.#down(generation, `the server's certificate is refused: ${refused}`);
      this.#attach(secure, generation);
      this.#perform(this.#stream.secured());
    });
    secure.on("error", (error) => this.#down(generation, `the server's certificate is refused: ${error.message}`));
    secure.once("close", () => this.#down(generation, "connection closed"));
  }

  #down(generation: number, reason: string): void {
    if (generation !== this.#generation) return;
    this.#generation++;
    this.#socket?.destroy();
    this.#socket = undefined;
    this.#fault = reason;
    if (this.#running) {
      const log = this.#options.log;
      const message = "XMPP connection lost, connecting again every second";
      if (reason === this.#lastLogged) log.debug(message, { reason });
      else log.warn(message, { reason, server: `${this.#options.host}:${this.#options.port}` });
      this.#lastLogged = reason;
      clearTimeout(this.#reconnect);
      this.#reconnect = setTimeout(() => {
        if (this.#running) this.#connect();
      }, RECONNECT_MS);
    }
    this.#perform(this.#stream.disconnected(reason));
  }

  #perform(actions: readonly ClientStreamAction[]): void {
    for (const action of actions) {
      switch (action.kind) {
        case "write":
          this.#write(action.text);
          break;
        case "start-tls":
          if (this.#options.tls !== undefined) this.#startTls(this.#options.tls);
          break;
        case "online":
          this.#fault = undefined;
          this.#lastLogged = undefined;
          this.#options.log.info("XMPP session online", { jid: action.jid, resumed: action.resumed });
          if (this.#options.tls?.kind === "insecure")
            this.#options.log.warn("the XMPP server's certificate is not verified (xmpp.tls = insecure)");
          this.#options.handlers.online(action.jid, action.resumed);
          break;
        case "offline":
          for (const pending of [...this.#requests.values()]) pending.settle({ kind: "offline" });
          this.#options.handlers.offline(action.reason);
          break;
        case "stanza":
          this.#deliver(action.stanza);
          break;
        case "close":
          this.#finish(action.reason);
          break;
      }
    }
    this.#timer.set(this.#stream.nextDeadline());
  }

  #write(data: string): void {
    const socket = this.#socket;
    if (socket === undefined || socket.destroyed) return;
    socket.write(data);
    if (socket.writableLength > MAX_UNSENT_BYTES) this.#down(this.#generation, "the server reads nothing any more");
  }

  /** Ends the connection after what was written, and treats it as lost. */
  #finish(reason: string): void {
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.end();
    this.#down(this.#generation, reason);
  }

  #deliver(stanza: Element): void {
    if (stanza.getName() === "iq") {
      const type = attr(stanza, "type");
      const pending = this.#requests.get(attr(stanza, "id") ?? "");
      if ((type === "result" || type === "error") && pending !== undefined && attr(stanza, "from") === pending.to) {
        pending.settle({ kind: type, stanza });
        return;
      }
    }
    this.#options.handlers.stanza(stanza);
  }
}

function pinMismatch(socket: TLSSocket, sha256: string): string | undefined {
  const raw = socket.getPeerCertificate().raw;
  if (raw === undefined) return "the server showed none";
  const fingerprint = createHash("sha256").update(raw).digest("hex");
  const wanted = sha256.toLowerCase().replaceAll(":", "");
  return fingerprint === wanted ? undefined : `its SHA-256 is ${fingerprint}, not the pinned ${wanted}`;
}
