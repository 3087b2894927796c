/**
 * The XMPP servers that this bridge serves: one client each, and the breweries that it joins there (bridge.md 1.11, 1.13). The configured one is there from
 * the start, others come and go over HTTP. A core: what goes to a server is acted out under the client's number, and answers go back where the question came from.
 */
import { type Deadline, soonest } from "../deadlines.ts";
import type { Millis } from "../time.ts";
import { attr, type Element } from "../wire/xml.ts";
import { Brewery } from "./brewery.ts";
import type { BridgeContext, MucClientNumber } from "./context.ts";
import type { MucClientLogin, MucClientRequest } from "./muc-client-json.ts";
import type { MucClientCensus, Stats } from "./stats.ts";

/** The one of the configuration, which the shell logs in by itself. */
export const CONFIGURED_CLIENT: MucClientNumber = 0;

/** A stream and its TLS each; who asks for more is refused. */
export const MAX_MUC_CLIENTS = 64;

interface MucClient {
  readonly number: MucClientNumber;
  /** Undefined: the configured one. */
  readonly login: MucClientLogin | undefined;
  readonly breweries: readonly Brewery[];
  online: boolean;
}

export class MucClients {
  readonly #context: BridgeContext;
  /** By id. */
  readonly #clients = new Map<string, MucClient>();
  #numbers = CONFIGURED_CLIENT;

  /** The configured client is known by its brewery's address. Throws when that is none: a fault of the configuration. */
  constructor(context: BridgeContext, brewery: string, newNick: () => string) {
    this.#context = context;
    this.#clients.set(brewery, {
      number: CONFIGURED_CLIENT,
      login: undefined,
      breweries: [new Brewery(brewery, newNick)],
      online: false,
    });
  }

  get ids(): readonly string[] {
    return [...this.#clients.keys()];
  }

  get joined(): boolean {
    return this.#breweries().some((each) => each.joined);
  }

  /** Occupant name in the first brewery: what a focus knows this bridge by. */
  get nick(): string {
    return this.#breweries()[0]?.nick ?? "";
  }

  census(): MucClientCensus {
    const clients = [...this.#clients.values()];
    const breweries = this.#breweries();
    return {
      clients: clients.length,
      connected: clients.filter((each) => each.online).length,
      rooms: breweries.length,
      joined: breweries.filter((each) => each.joined).length,
    };
  }

  /** False: there are as many as there may be. One that is there already stays as it is when it logs in to the same account of the same server, and is replaced otherwise. */
  add(request: MucClientRequest): boolean {
    const former = this.#clients.get(request.id);
    if (former !== undefined) {
      if (former.login !== undefined && sameAccount(former.login, request.login)) return true;
      this.remove(request.id);
    } else if (this.#clients.size >= MAX_MUC_CLIENTS) return false;
    const number = ++this.#numbers;
    this.#clients.set(request.id, {
      number,
      login: request.login,
      breweries: request.rooms.map((room) => new Brewery(room, this.#nicks(request.nick))),
      online: false,
    });
    this.#context.act({ type: "muc-client-open", client: number, login: request.login });
    return true;
  }

  /** The name that was asked for; where it is taken, others that begin with it. */
  #nicks(nick: string): () => string {
    let first = true;
    return () => {
      if (!first) return `${nick}-${this.#context.hex(4)}`;
      first = false;
      return nick;
    };
  }

  /** Leaves its breweries and its server. False: there is none of that id. */
  remove(id: string): boolean {
    const client = this.#clients.get(id);
    if (client === undefined) return false;
    this.#clients.delete(id);
    for (const brewery of client.breweries) this.#send(client, brewery.leave());
    this.#context.act({ type: "muc-client-close", client: client.number });
    return true;
  }

  online(now: Millis, number: MucClientNumber, resumed: boolean): void {
    const client = this.#byNumber(number);
    if (client === undefined) return;
    client.online = true;
    for (const brewery of client.breweries) if (!resumed || !brewery.joined) this.#send(client, brewery.online(now));
  }

  offline(number: MucClientNumber): void {
    const client = this.#byNumber(number);
    if (client === undefined) return;
    client.online = false;
    for (const brewery of client.breweries) brewery.offline();
  }

  /** A stanza of that client's server. What no brewery takes is answered by `answer`, which is told whether an occupant asks. */
  stanza(
    now: Millis,
    number: MucClientNumber,
    stanza: Element,
    stats: () => Stats,
    answer: (fromOccupant: boolean) => Element | undefined,
  ): void {
    const client = this.#byNumber(number);
    if (client === undefined) return; // late: it has just been removed
    for (const brewery of client.breweries) {
      const taken = brewery.handle(now, stanza);
      if (taken === undefined) continue;
      this.#send(client, taken.stanzas);
      if (taken.joinedNow) this.#send(client, brewery.presence(now, stats()));
      return;
    }
    if (stanza.getName() !== "iq") return;
    const from = attr(stanza, "from");
    const reply = answer(client.breweries.some((each) => each.isOccupant(from)));
    if (reply !== undefined) this.#send(client, [reply]);
  }

  /** To every brewery that is joined. */
  presence(now: Millis, stats: Stats): void {
    for (const client of this.#clients.values())
      for (const brewery of client.breweries) this.#send(client, brewery.presence(now, stats));
  }

  leave(): void {
    for (const client of this.#clients.values())
      for (const brewery of client.breweries) this.#send(client, brewery.leave());
  }

  nextDeadline(): Deadline | undefined {
    let next: Deadline | undefined;
    for (const brewery of this.#breweries()) next = soonest(next, brewery.nextDeadline());
    return next;
  }

  handleTimeout(now: Millis, stats: () => Stats): void {
    let current: Stats | undefined;
    for (const client of this.#clients.values())
      for (const brewery of client.breweries) {
        const { presenceDue, stanzas } = brewery.handleTimeout(now);
        this.#send(client, stanzas);
        if (!presenceDue) continue;
        current ??= stats();
        this.#send(client, brewery.presence(now, current));
      }
  }

  #breweries(): readonly Brewery[] {
    return [...this.#clients.values()].flatMap((each) => each.breweries);
  }

  #byNumber(number: MucClientNumber): MucClient | undefined {
    for (const client of this.#clients.values()) if (client.number === number) return client;
    return undefined;
  }

  #send(client: MucClient, stanzas: readonly Element[]): void {
    for (const stanza of stanzas) this.#context.act({ type: "stanza", client: client.number, stanza });
  }
}

const sameAccount = (a: MucClientLogin, b: MucClientLogin): boolean =>
  a.host === b.host && a.port === b.port && a.domain === b.domain && a.user === b.user;
