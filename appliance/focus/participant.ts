/**
 * One person (or recorder, or gateway) in a conference: its member, its Jingle session, what it was told about others' sources.
 */
import type { Millis } from "../time.ts";
import type { EndpointSources } from "../wire/sources.ts";
import type { Allocated, BridgeSession } from "./bridge-session.ts";
import { FEATURE } from "./codecs.ts";
import type { Member } from "./member.ts";

export interface JingleSession {
  readonly sid: string;
  readonly bridge: BridgeSession;
  /** Offered, not accepted yet. */
  accepted: boolean;
  readonly allocated: Allocated;
}

export type InviteState =
  /** Not in a session and to be invited when the conference can. */
  | "idle"
  /** Waiting for the bridge's answer. */
  | "allocating"
  /** Has been offered a session (and perhaps accepted it). */
  | "invited"
  /** It ended its session itself, or cannot be served: not invited again by ourselves. */
  | "out";

const ENDED_KEPT = 4;
/** Restarts of one participant: seconds apart, and per minute (signaling.md 4.9). */
const RESTART_GAP_MS = 5_000;
const RESTARTS_PER_MINUTE = 5;

export class Participant {
  member: Member;
  /** Undefined until disco#info was answered. */
  features: ReadonlySet<string> | undefined;
  state: InviteState = "idle";
  /** Distinguishes a late answer of an earlier allocation. */
  attempt = 0;
  /** The bridge that is preparing or serving it. */
  bridge: BridgeSession | undefined;
  session: JingleSession | undefined;
  /** What it knows of others' sources, by owner; objects are compared by identity, they never change. */
  readonly signaled = new Map<string, EndpointSources>();
  /** Enforced at the bridge. */
  forceMuted = { audio: false, video: false };
  /** When it came: whom start-muted counts from. */
  readonly joined: Millis;
  inviteFailures = 0;
  #ended: string[] = [];
  readonly #restarts: { session: Millis[]; ice: Millis[] } = { session: [], ice: [] };

  constructor(member: Member, joined: Millis) {
    this.member = member;
    this.joined = joined;
  }

  get id(): string {
    return this.member.nick;
  }

  has(feature: string): boolean {
    return this.features?.has(feature) ?? false;
  }

  /** Its receiving SSRCs are the bridge's; the focus tells it no sources (signaling.md 4.8). */
  rewriting(enabled: boolean): boolean {
    return enabled && this.has(FEATURE.ssrcRewriting);
  }

  /** Its receiving SSRCs are told apart by their mid (signaling.md 1.12). */
  midDemux(rewritingEnabled: boolean): boolean {
    return this.rewriting(rewritingEnabled) && this.has(FEATURE.midDemux);
  }

  /** Forgets the session; its sid is remembered for late requests. */
  endSession(): void {
    if (this.session !== undefined) {
      this.#ended.push(this.session.sid);
      if (this.#ended.length > ENDED_KEPT) this.#ended.shift();
    }
    this.session = undefined;
    this.bridge = undefined;
    this.signaled.clear();
    this.attempt++;
  }

  hadSession(sid: string): boolean {
    return this.#ended.includes(sid);
  }

  /** Whether one more restart is within the limits; counts it if so. Those of ICE alone and of whole sessions count apart: one is the other's fallback. */
  mayRestart(now: Millis, kind: "session" | "ice"): boolean {
    const recent = this.#restarts[kind].filter((at) => now - at < 60_000);
    this.#restarts[kind] = recent;
    const last = recent.at(-1);
    if (recent.length >= RESTARTS_PER_MINUTE || (last !== undefined && now - last < RESTART_GAP_MS)) return false;
    recent.push(now);
    return true;
  }
}
