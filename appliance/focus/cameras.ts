/**
 * Cameras of one conference under load: which are let in, which are held back because no bridge of the conference can forward them (admission.ts).
 *
 * Who sends already goes on. Who comes with a camera that does not fit is muted at the bridge and asked to mute by the focus's own mute IQ (signaling.md 5.2),
 * so that any client shows its camera as off; switching it on later is tried again then, and refused like a sender limit (5.1) while there is no room.
 */
import { later, type Millis, seconds } from "../time.ts";
import { NS } from "../wire/namespaces.ts";
import { xml } from "../wire/xml.ts";
import type { BridgeSession } from "./bridge-session.ts";
import type { FocusContext } from "./context.ts";
import { isJibri, isJigasi } from "./member.ts";
import type { Participant } from "./participant.ts";

/** What is needed of the conference. */
export interface CameraHome {
  readonly jid: string;
  readonly context: FocusContext;
  readonly participants: ReadonlyMap<string, Participant>;
  readonly bridges: { readonly sessions: Iterable<readonly [unknown, BridgeSession]> };
  hasVideo(id: string): boolean;
  /** Who is held has changed. */
  applyForceMute(now: Millis): void;
}

/** `full` is told to everybody: not more often than this. */
const FULL_HOLD = seconds(15);
const ASK_AGAIN = seconds(5);

export class Cameras {
  readonly #home: CameraHome;
  readonly #letIn = new Set<string>();
  /** When each that is held was last asked to mute. */
  readonly #held = new Map<string, Millis>();
  /** Whose receiving is known to the bridge's pending count. */
  readonly #receiving = new Map<string, BridgeSession>();
  readonly #toAsk: Participant[] = [];
  #fullSince: Millis | undefined;

  constructor(home: CameraHome) {
    this.#home = home;
  }

  /** No further camera of somebody here fits. */
  get full(): boolean {
    return this.#fullSince !== undefined;
  }

  isHeld(id: string): boolean {
    return this.#held.has(id);
  }

  /** Whether a newcomer's camera would fit: with what it receives itself. */
  takesNewcomer(now: Millis, id: string): boolean {
    return this.#letIn.has(id) || this.#fits(now, id, this.#sending(id));
  }

  /** Whether somebody here may announce video. */
  mayAdd(now: Millis, participant: Participant): boolean {
    if (this.#letIn.has(participant.id) || this.#fits(now, participant.id, 0)) return true;
    this.#home.context.stats.camerasRefused++;
    return false;
  }

  /** After every input: cameras that were switched on or off, people who came or left. True: `full` has changed. */
  settle(now: Millis): boolean {
    const { participants } = this.#home;
    for (const id of this.#receiving.keys()) if (!participants.has(id)) this.#forget(id);
    let changed = false;
    for (const participant of participants.values()) if (this.#review(now, participant)) changed = true;
    if (changed) this.#home.applyForceMute(now);
    return this.#settleFull(now);
  }

  #forget(id: string): void {
    this.#receiving.delete(id);
    this.#letIn.delete(id);
    this.#held.delete(id);
  }

  /** True: it is held now and was not, or the other way round. */
  #review(now: Millis, participant: Participant): boolean {
    const { id, session, member } = participant;
    if (session?.accepted !== true || isJibri(member) || isJigasi(member)) return false;
    if (this.#receiving.get(id) !== session.bridge) {
      this.#receiving.set(id, session.bridge);
      session.bridge.bridge.admission.letIn(now, this.#sending(id));
    }
    if (!member.sendsVideo || !this.#home.hasVideo(id)) {
      this.#letIn.delete(id);
      return false;
    }
    if (this.#letIn.has(id)) return false;
    if (this.#fits(now, id, 0)) {
      for (const [bridge, cameras] of this.#receivers(id)) bridge.bridge.admission.letIn(now, cameras);
      this.#letIn.add(id);
      return this.#held.delete(id);
    }
    const asked = this.#held.get(id);
    if (asked !== undefined && now < later(asked, ASK_AGAIN)) return false;
    this.#held.set(id, now);
    this.#toAsk.push(participant);
    return asked === undefined;
  }

  /** After everybody has been told that there is no room: so that who is asked knows why. */
  askToMute(now: Millis): void {
    for (const participant of this.#toAsk.splice(0))
      if (this.#home.participants.get(participant.id) === participant) this.#ask(now, participant);
  }

  #ask(now: Millis, participant: Participant): void {
    const { context, jid } = this.#home;
    context.stats.camerasHeld++;
    context.outbox.log("info", "a camera is held back: the bridge is full", {
      conference: jid,
      endpoint: participant.id,
    });
    context.requests.request(
      now,
      participant.member.occupantJid,
      "set",
      xml("mute", { xmlns: NS.jitmeetVideo }, "true"), // without an actor: it is nobody's wish
    );
  }

  #settleFull(now: Millis): boolean {
    const full = this.#receiving.size > 0 && !this.#fits(now, undefined, 0);
    const before = this.#fullSince;
    if (full) this.#fullSince = now;
    else if (before !== undefined && now >= later(before, FULL_HOLD)) this.#fullSince = undefined;
    return (before === undefined) !== (this.#fullSince === undefined);
  }

  get #unlimited(): boolean {
    for (const [, session] of this.#home.bridges.sessions) if (!session.bridge.admission.unlimited) return false;
    return true;
  }

  /** Cameras let in, but for his own. */
  #sending(id: string): number {
    return this.#letIn.size - (this.#letIn.has(id) ? 1 : 0);
  }

  /** Who would get a camera of `id`, by bridge; undefined: of anybody here. */
  #receivers(id: string | undefined): Map<BridgeSession, number> {
    const counts = new Map<BridgeSession, number>();
    for (const [, session] of this.#home.bridges.sessions) counts.set(session, 0);
    for (const [receiver, session] of this.#receiving)
      if (receiver !== id && counts.has(session)) counts.set(session, (counts.get(session) ?? 0) + 1);
    // Somebody here does not get his own.
    if (id === undefined) for (const [session, count] of counts) counts.set(session, Math.max(1, count - 1));
    return counts;
  }

  #fits(now: Millis, id: string | undefined, received: number): boolean {
    if (this.#unlimited) return true; // the usual case, asked after every input
    for (const [session, cameras] of this.#receivers(id))
      if (!session.bridge.admission.takesCameras(now, cameras + received)) return false;
    return true;
  }
}
