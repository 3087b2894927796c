/**
 * Reservations, signaling.md 6.10: a conference request for a room that is not there asks an outside system first. The gate stands before the host
 * that takes conference requests; granted requests go on to it, refused ones get the original's error. The meeting ends with its time.
 */
import { type Deadline, Deadlines, soonest } from "../../deadlines.ts";
import { type EpochMillis, later, type Millis } from "../../time.ts";
import { bareText, type Jid, parseJid } from "../../wire/jid.ts";
import { NS } from "../../wire/namespaces.ts";
import { errorReply } from "../../wire/stanza.ts";
import { attr, child, type Element, xml } from "../../wire/xml.ts";
import type { AdvertisedIdentity, Host, HostAction, HttpAnswer, HttpRequest, Sender } from "../host.ts";
import type { MucService } from "../muc/service.ts";
import { Turn } from "../muc/turn.ts";
import { readJson } from "./component.ts";

export interface ReservationOptions {
  /** `https://booking.example`. */
  readonly urlPrefix: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly newId: () => string;
  readonly toEpoch: (now: Millis) => EpochMillis;
}

interface Reservation {
  readonly id: string;
  readonly ends: Millis;
}

interface Waiting {
  readonly local: string;
  readonly requests: { readonly stanza: Element; readonly sender: Sender }[];
}

const MAX_ASKING = 100;
const MAX_REQUESTS_PER_ROOM = 100;
const MAX_RESERVATIONS = 10_000;
/** A granted request whose room never came is forgotten after its time; rooms are looked at this often to see whether they are gone. */
const LOOK_EVERY = 10_000;
/** An answer that has not come by then never will: the request was not even made. */
const ABANDON_AFTER = 15_000;

export class ReservationGate implements Host {
  readonly domain: string;
  readonly listed: boolean;
  readonly advertised: readonly AdvertisedIdentity[];
  /** By id of the request in the air. */
  readonly #asking = new Map<string, Waiting>();
  readonly #byRoom = new Map<string, Reservation>();
  /** Rooms with a reservation that have been seen alive. */
  readonly #seen = new Set<string>();
  readonly #deadlines = new Deadlines();

  constructor(
    private readonly inner: Host,
    private readonly meetings: MucService,
    private readonly options: ReservationOptions,
  ) {
    this.domain = inner.domain;
    this.listed = inner.listed ?? false;
    this.advertised = inner.advertised ?? [];
  }

  handle(now: Millis, stanza: Element, sender: Sender): readonly HostAction[] {
    const local = this.#newRoom(stanza);
    if (local === undefined || sender.admin) return this.inner.handle(now, stanza, sender);
    const reservation = this.#byRoom.get(local);
    if (reservation !== undefined && reservation.ends > now) return this.inner.handle(now, stanza, sender);
    const turn = new Turn(now);
    const waiting = [...this.#asking.values()].find((each) => each.local === local);
    const full = (waiting?.requests.length ?? 0) >= MAX_REQUESTS_PER_ROOM || this.#asking.size >= MAX_ASKING;
    if (full || this.#byRoom.size >= MAX_RESERVATIONS)
      turn.send(errorReply(stanza, { condition: "resource-constraint" }));
    else if (waiting !== undefined) waiting.requests.push({ stanza, sender });
    else this.#ask(turn, local, stanza, sender);
    return turn.actions;
  }

  sessionClosed(now: Millis, jid: Jid): readonly HostAction[] {
    return this.inner.sessionClosed?.(now, jid) ?? [];
  }

  nextDeadline(): Deadline | undefined {
    return soonest(this.#deadlines.soonest(), this.inner.nextDeadline?.());
  }

  handleTimeout(now: Millis): readonly HostAction[] {
    const turn = new Turn(now);
    for (const name of this.#deadlines.due(now)) {
      if (name === "look") this.#look(turn);
      else if (name.startsWith("ask ")) this.#abandon(turn, name.slice("ask ".length));
      else this.#expire(turn, name.slice("end ".length));
    }
    return [...turn.actions, ...(this.inner.handleTimeout?.(now) ?? [])];
  }

  httpAnswered(now: Millis, id: string, answer: HttpAnswer): readonly HostAction[] {
    const waiting = this.#asking.get(id);
    if (waiting === undefined) return this.inner.httpAnswered?.(now, id, answer) ?? [];
    this.#asking.delete(id);
    this.#deadlines.clear(`ask ${id}`);
    const turn = new Turn(now);
    const json = readJson(answer.body);
    const conflict = json?.["conflict_id"];
    if (answer.status === 409 && (typeof conflict === "string" || typeof conflict === "number")) {
      // Somebody has reserved it already: ask for that reservation.
      this.#request(turn, waiting, {
        method: "GET",
        url: `${this.options.urlPrefix}/conference/${encodeURIComponent(String(conflict))}`,
      });
      return turn.actions;
    }
    const reservation = answer.status === 200 || answer.status === 201 ? this.#read(now, json) : undefined;
    if (reservation === undefined)
      this.#refuse(turn, waiting, answer.status === 200 ? 500 : answer.status, json?.["message"]);
    else if (reservation.ends <= now) this.#refuse(turn, waiting, 419, "The time of this conference is over");
    else return this.#grant(now, waiting, reservation);
    return turn.actions;
  }

  #newRoom(stanza: Element): string | undefined {
    const conference = child(stanza, "conference", NS.focus);
    if (stanza.getName() !== "iq" || attr(stanza, "type") !== "set" || conference === undefined) return undefined;
    const room = parseJid(attr(conference, "room"));
    if (room?.local === undefined || room.domain !== this.meetings.domain) return undefined;
    return this.meetings.room(room.local) === undefined ? room.local : undefined;
  }

  #ask(turn: Turn, local: string, stanza: Element, sender: Sender): void {
    const form = new URLSearchParams({
      name: local,
      start_time: new Date(this.options.toEpoch(turn.now)).toISOString(),
      mail_owner: bareText(sender.jid),
    });
    this.#request(
      turn,
      { local, requests: [{ stanza, sender }] },
      {
        method: "POST",
        url: `${this.options.urlPrefix}/conference`,
        contentType: "application/x-www-form-urlencoded",
        body: form.toString(),
      },
    );
  }

  #request(
    turn: Turn,
    waiting: Waiting,
    what: { method: HttpRequest["method"]; url: string; contentType?: string; body?: string },
  ): void {
    const id = this.options.newId();
    this.#asking.set(id, waiting);
    this.#deadlines.set(`ask ${id}`, later(turn.now, ABANDON_AFTER));
    const type = what.contentType === undefined ? {} : { "content-type": what.contentType };
    const request: HttpRequest = {
      method: what.method,
      url: what.url,
      headers: { ...this.options.headers, ...type },
      ...(what.body === undefined ? {} : { body: what.body }),
    };
    turn.act({ type: "http", id, request });
  }

  #read(now: Millis, json: Readonly<Record<string, unknown>> | undefined): Reservation | undefined {
    const id = json?.["id"];
    const start = Date.parse(String(json?.["start_time"]));
    const durationS = Number(json?.["duration"]);
    if ((typeof id !== "string" && typeof id !== "number") || !Number.isFinite(start) || !(durationS > 0))
      return undefined;
    const leftMs = start + durationS * 1_000 - this.options.toEpoch(now);
    return { id: String(id), ends: later(now, leftMs) };
  }

  #grant(now: Millis, waiting: Waiting, reservation: Reservation): readonly HostAction[] {
    this.#byRoom.set(waiting.local, reservation);
    this.#deadlines.set(`end ${waiting.local}`, reservation.ends);
    if (!this.#deadlines.has("look")) this.#deadlines.set("look", later(now, LOOK_EVERY));
    return waiting.requests.flatMap(({ stanza, sender }) => [...this.inner.handle(now, stanza, sender)]);
  }

  #refuse(turn: Turn, waiting: Waiting, code: number, message: unknown): void {
    for (const { stanza } of waiting.requests)
      turn.send(
        errorReply(stanza, {
          condition: "service-unavailable",
          text: typeof message === "string" ? message.slice(0, 1_024) : "The reservation was refused",
          extra: [xml("reservation-error", { xmlns: NS.focus, "error-code": code })],
        }),
      );
  }

  #expire(turn: Turn, local: string): void {
    this.meetings.room(local)?.destroy(turn, { reason: "The time of this conference is over" });
    this.#end(turn, local);
  }

  #abandon(turn: Turn, id: string): void {
    const waiting = this.#asking.get(id);
    this.#asking.delete(id);
    if (waiting !== undefined) this.#refuse(turn, waiting, 0, "The reservation system does not answer");
  }

  /** Finds meetings that have ended before their time, and tells so. */
  #look(turn: Turn): void {
    for (const local of [...this.#byRoom.keys()]) {
      if (this.meetings.room(local) !== undefined) this.#seen.add(local);
      else if (this.#seen.has(local)) this.#end(turn, local);
    }
    if (this.#byRoom.size > 0) this.#deadlines.set("look", later(turn.now, LOOK_EVERY));
  }

  #end(turn: Turn, local: string): void {
    const reservation = this.#byRoom.get(local);
    this.#byRoom.delete(local);
    this.#seen.delete(local);
    this.#deadlines.clear(`end ${local}`);
    if (reservation === undefined) return;
    turn.act({
      type: "http",
      id: this.options.newId(),
      request: {
        method: "DELETE",
        url: `${this.options.urlPrefix}/conference/${encodeURIComponent(reservation.id)}`,
        headers: this.options.headers,
      },
    });
  }
}
