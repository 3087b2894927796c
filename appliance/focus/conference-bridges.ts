/**
 * The bridges of one conference: which session the next participant gets, what happens when one fails, the links between them.
 */
import type { Millis } from "../time.ts";
import type { EndpointSources } from "../wire/sources.ts";
import { BridgeSession } from "./bridge-session.ts";
import type { Bridge, Selection } from "./bridges.ts";
import { FEATURE, offeredDescription } from "./codecs.ts";
import type { FocusContext } from "./context.ts";
import { RelayMesh } from "./relays.ts";

export interface ConferenceBridgesEvents {
  select(now: Millis, selection: Omit<Selection, "pinned">): Bridge | undefined;
  /** The bridge is at fault: everybody's conferences leave it. Comes back as `lost`. */
  blame(now: Millis, bridge: Bridge, reason: string): void;
  /** This session is over: its participants need another. */
  over(now: Millis, session: BridgeSession): void;
  endpointLost(now: Millis, endpointId: string): void;
  /** `count` or `unavailable` is another. */
  changed(): void;
}

/** Failures of sessions that are nobody's fault, before the bridge is blamed: else a session would be made again and again. */
const MAX_FAILURES = 3;
/** The end of an earlier conference takes an original a moment, in which it refuses ours once more. */
const MAX_TAKEN = 3;
const FAILURE_WINDOW_MS = 60_000;
/** Between bridges everything passes that anybody may be offered. */
const ALL_FEATURES: ReadonlySet<string> = new Set(Object.values(FEATURE));

export class ConferenceBridges {
  /** The conference's key on every bridge. */
  meetingId: string;
  /** The meeting ran before this focus: it is not a new one, however full the bridges are. */
  resumed = false;
  readonly #context: FocusContext;
  readonly #events: ConferenceBridgesEvents;
  readonly #room: string;
  readonly #rtcstats: boolean;
  readonly #sessions = new Map<Bridge, BridgeSession>();
  readonly #relays: RelayMesh;
  /** How often a bridge has had a conference of our id that was not ours. */
  readonly #taken = new Map<Bridge, number>();
  #failures: readonly Millis[] = [];
  #count: number | undefined;
  #unavailable = false;

  constructor(context: FocusContext, room: string, rtcstats: boolean, events: ConferenceBridgesEvents) {
    this.#context = context;
    this.#events = events;
    this.#room = room;
    this.#rtcstats = rtcstats;
    this.meetingId = context.random.uuid();
    this.#relays = new RelayMesh({
      audio: offeredDescription("audio", ALL_FEATURES, context.settings.codecs),
      video: offeredDescription("video", ALL_FEATURES, context.settings.codecs),
    });
  }

  get sessions(): ReadonlyMap<Bridge, BridgeSession> {
    return this.#sessions;
  }

  /** Bridges in use; undefined before the first. */
  get count(): number | undefined {
    return this.#count;
  }

  /** Whether somebody waits because no bridge takes him. */
  get unavailable(): boolean {
    return this.#unavailable;
  }

  setUnavailable(value: boolean): void {
    if (this.#unavailable === value) return;
    this.#unavailable = value;
    this.#events.changed();
    if (value) this.#context.outbox.log("warn", "no bridge available", { conference: this.#room });
  }

  /** The session for one more participant; undefined: no bridge takes him. */
  choose(now: Millis, region: string | undefined): BridgeSession | undefined {
    const used = new Map<Bridge, number>();
    for (const [bridge, session] of this.#sessions) used.set(bridge, session.endpoints.size);
    const bridge = this.#events.select(now, { used, region, running: this.#count !== undefined || this.resumed });
    this.setUnavailable(bridge === undefined);
    if (bridge === undefined) return undefined;
    return this.#sessions.get(bridge) ?? this.#open(bridge);
  }

  /** The bridge is not to be used any more. */
  lost(now: Millis, bridge: Bridge): void {
    const session = this.#sessions.get(bridge);
    if (session === undefined) return;
    session.end(now);
    this.#close(now, session);
  }

  /** Frees an endpoint. With its last one a bridge forgets the conference, so the session ends as a whole. */
  release(now: Millis, session: BridgeSession, endpointId: string): void {
    if (session.endpoints.size > 1 || !session.endpoints.has(endpointId)) {
      session.expire(now, [endpointId]);
      return;
    }
    session.end(now);
    this.#forget(session);
  }

  endAll(now: Millis): void {
    for (const session of [...this.#sessions.values()]) {
      session.end(now);
      this.#forget(session);
    }
  }

  /** Tells every bridge what it has to know of the others. */
  sync(now: Millis, sourcesOf: (endpoint: string) => EndpointSources): void {
    this.#relays.sync(now, [...this.#sessions.values()], sourcesOf);
  }

  #open(bridge: Bridge): BridgeSession {
    const session = new BridgeSession(
      this.#context,
      {
        failed: (now, failed, reason, blame) => {
          this.#context.outbox.log("warn", "bridge session failed", {
            conference: this.#room,
            bridge: failed.bridge.id,
            cause: reason,
          });
          if (blame || this.#failsTooOften(now)) this.#events.blame(now, failed.bridge, reason);
          else this.#close(now, failed);
        },
        meetingTaken: (now, taken) => {
          const times = (this.#taken.get(taken.bridge) ?? 0) + 1;
          this.#taken.set(taken.bridge, times);
          // An earlier focus's conference of this room was still there and has been told to end: ours takes its place, under the id that the room and the other bridges have.
          if (times <= MAX_TAKEN) return this.#close(now, taken);
          // Somebody makes it again and again, another focus perhaps: all of ours goes under a name of its own.
          this.meetingId = this.#context.random.uuid();
          this.#taken.clear();
          for (const session of [...this.#sessions.values()]) this.#close(now, session);
        },
        endpointLost: (now, _, endpointId) => this.#events.endpointLost(now, endpointId),
      },
      bridge,
      { id: this.meetingId, room: this.#room, rtcstats: this.#rtcstats },
    );
    this.#sessions.set(bridge, session);
    this.#recount();
    return session;
  }

  #close(now: Millis, session: BridgeSession): void {
    session.end(now);
    this.#forget(session);
    this.#context.stats.bridgesRemoved++;
    this.#events.over(now, session);
  }

  #forget(session: BridgeSession): void {
    if (this.#sessions.get(session.bridge) === session) this.#sessions.delete(session.bridge);
    this.#recount();
  }

  #recount(): void {
    this.#count = this.#sessions.size;
    this.#events.changed();
  }

  #failsTooOften(now: Millis): boolean {
    this.#failures = [...this.#failures.filter((at) => now - at < FAILURE_WINDOW_MS), now];
    return this.#failures.length > MAX_FAILURES;
  }
}
