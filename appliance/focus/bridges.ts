/**
 * The bridges of the brewery: what their presence says, whether they answer health checks, which one takes the next participant. signaling.md 5.7.
 */
import type { Deadline } from "../deadlines.ts";
import { later, type Millis, seconds } from "../time.ts";
import { NS } from "../wire/namespaces.ts";
import { boolean } from "../wire/numbers.ts";
import { attr, child, children, type Element, xml } from "../wire/xml.ts";
import { Admission, type AdmissionSettings } from "./admission.ts";
import type { Outbox } from "./outbox.ts";
import type { Requests } from "./requests.ts";
import { type Strategy, selectBridge } from "./selection.ts";

export interface BridgeSettings extends AdmissionSettings {
  /** How bridges are found to be well: by asking them, or by the `healthy` of their presence. */
  readonly health: "iq" | "presence";
  /** Stress from which a bridge is taken only when there is no other. */
  readonly overload: number;
  /** Participants of one conference on one bridge. */
  readonly maxParticipants: number;
  readonly strategy: Strategy;
  /** Whether bridges of different versions may share a conference: ours and Jitsi's, say. */
  readonly mixedVersions?: boolean;
  /** Region of this focus: preferred for participants whose own region is not known. */
  readonly region?: string;
  /** Regions that are near each other; absent: none are. */
  readonly regionGroups?: readonly (readonly string[])[];
}

/** Recently added endpoints are not in the reported stress yet. */
const RECENT = seconds(20);
const HEALTH_INTERVAL = seconds(10);
const HEALTH_TIMEOUT = seconds(5);
const HEALTH_RETRY = seconds(5);
/** A bridge that failed is left alone that long, however well it looks, while others can serve. */
const FAILURE_PAUSE = seconds(60);
/** The only one there is is tried again sooner: a busy machine answers late, and nobody else can serve. */
const ONLY_PAUSE = seconds(5);
const PRESENCE_TIMEOUT = seconds(45);
/** A bridge from which a tenth of at least ten endpoints ask for a restart within a minute does not get media through: others are taken for five. */
const RESTART_WINDOW = seconds(60);
const RESTART_MIN_ENDPOINTS = 10;
const RESTART_SHARE = 0.1;
const FAILING_ICE_PAUSE = seconds(300);
const DEFAULT_PARTICIPANT_STRESS = 0.01;
const MAX_BRIDGES = 1000;

export class Bridge {
  /** Occupant JID in the brewery. */
  readonly jid: string;
  readonly id: string;
  stress = 0;
  participantStress = DEFAULT_PARTICIPANT_STRESS;
  /** Assumed until the bridge says otherwise. */
  drain = true;
  gracefulShutdown = false;
  shuttingDown = false;
  healthy = true;
  version: string | undefined;
  release: string | undefined;
  region: string | undefined;
  relayId: string | undefined;
  /** It announces a relay id and yet cannot be linked: its conferences are not split any more. */
  refusesRelays = false;
  /** Out of the brewery: nothing reaches it any more. */
  gone = false;
  lastPresence: Millis;
  /** Until when it is not used because it failed. */
  failedUntil: Millis | undefined;
  /** Whether the last health check found it well. */
  responding = true;
  nextHealthCheck: Millis;
  retried = false;
  /** Endpoints that this focus has on it. */
  endpoints = 0;
  /** Restarts that they asked for since the start. */
  restartRequests = 0;
  /** What it may be given more. */
  readonly admission: Admission;
  /** How many more cameras it can forward; undefined: it does not say. */
  cameraRoom: number | undefined;
  /** How far it limits pictures because it is loaded; 0: not. Undefined: it does not say, so it is none of ours. */
  qualityStep: number | undefined;
  readonly #recent: Millis[] = [];
  readonly #restarts: Millis[] = [];
  #failingIceUntil: Millis | undefined;

  constructor(jid: string, now: Millis, settings: AdmissionSettings) {
    this.jid = jid;
    this.admission = new Admission(settings);
    this.id = jid.slice(jid.indexOf("/") + 1);
    this.lastPresence = now;
    this.nextHealthCheck = later(now, HEALTH_INTERVAL);
  }

  added(now: Millis): void {
    this.#recent.push(now);
    if (this.#recent.length > 1000) this.#recent.shift();
    this.admit(now);
  }

  /** Reported stress plus what was added since. */
  correctedStress(now: Millis): number {
    while (this.#recent[0] !== undefined && this.#recent[0] < now - RECENT) this.#recent.shift();
    return this.stress + this.#recent.length * this.participantStress;
  }

  /** An endpoint here asks for a new session because its transport failed. */
  restartRequested(now: Millis): void {
    this.restartRequests++;
    while (this.#restarts[0] !== undefined && this.#restarts[0] < now - RESTART_WINDOW) this.#restarts.shift();
    this.#restarts.push(now);
    if (this.#restarts.length > 1000) this.#restarts.shift();
    if (this.endpoints >= RESTART_MIN_ENDPOINTS && this.#restarts.length > this.endpoints * RESTART_SHARE)
      this.#failingIceUntil = later(now, FAILING_ICE_PAUSE);
  }

  /** Its endpoints do not reach it. */
  failingIce(now: Millis): boolean {
    return this.#failingIceUntil !== undefined && this.#failingIceUntil > now;
  }

  /**
   * True: it takes new conferences again. A foreign bridge is never full, only less liked, as under the original focus: its stress may be how busy its whole
   * machine is, and it has measures of its own.
   */
  admit(now: Millis): boolean {
    const stress = this.qualityStep === undefined ? 0 : this.correctedStress(now);
    return this.admission.update(now, stress, this.cameraRoom);
  }

  operational(now: Millis, settings: BridgeSettings): boolean {
    if (this.shuttingDown || !this.responding) return false;
    if (settings.health === "presence" && !this.healthy) return false;
    return this.failedUntil === undefined || this.failedUntil <= now;
  }
}

export interface BridgesEvents {
  /** It left, or is not to be used any more: what runs on it must move. */
  lost(now: Millis, bridge: Bridge): void;
  /** There may be a place for those who had none. */
  available(now: Millis): void;
}

/** What the choice depends on. */
export interface Selection {
  /** Bridges of this conference with their participants of it. */
  readonly used: ReadonlyMap<Bridge, number>;
  readonly region: string | undefined;
  /** Version that the conference is pinned to by the administrator. */
  readonly pinned: string | undefined;
  readonly exclude?: Bridge | undefined;
  /** The conference has had a bridge: it is not turned away because all are loaded. */
  readonly running?: boolean;
}

export class Bridges {
  readonly #settings: BridgeSettings;
  readonly #outbox: Outbox;
  readonly #requests: Requests;
  readonly #events: BridgesEvents;
  readonly #bridges = new Map<string, Bridge>();
  lost = 0;

  constructor(settings: BridgeSettings, outbox: Outbox, requests: Requests, events: BridgesEvents) {
    this.#settings = settings;
    this.#outbox = outbox;
    this.#requests = requests;
    this.#events = events;
  }

  all(): IterableIterator<Bridge> {
    return this.#bridges.values();
  }

  get(jid: string): Bridge | undefined {
    return this.#bridges.get(jid);
  }

  /** By occupant JID or by nick. */
  find(name: string): Bridge | undefined {
    for (const bridge of this.#bridges.values()) if (bridge.jid === name || bridge.id === name) return bridge;
    return undefined;
  }

  operational(now: Millis): number {
    let count = 0;
    for (const bridge of this.#bridges.values()) if (bridge.operational(now, this.#settings)) count++;
    return count;
  }

  isOperational(now: Millis, bridge: Bridge): boolean {
    return this.#bridges.get(bridge.jid) === bridge && bridge.operational(now, this.#settings);
  }

  /** Presence of a brewery occupant. */
  presence(now: Millis, stanza: Element): void {
    const jid = attr(stanza, "from");
    if (jid === undefined) return;
    const type = attr(stanza, "type");
    const known = this.#bridges.get(jid);
    if (type === "unavailable") {
      if (known !== undefined) this.#remove(now, known, "left the brewery");
      return;
    }
    const stats = child(stanza, "stats", NS.colibri);
    if (type !== undefined || stats === undefined) return;
    if (known === undefined && this.#bridges.size >= MAX_BRIDGES) return;
    const bridge = known ?? new Bridge(jid, now, this.#settings);
    const wasUsable = known !== undefined && this.#usable(now, bridge);
    bridge.lastPresence = now;
    readStats(bridge, stats);
    const admitsAgain = bridge.admit(now);
    if (known === undefined) {
      this.#bridges.set(jid, bridge);
      this.#outbox.log("info", "bridge joined the brewery", { bridge: bridge.id, version: bridge.version });
    }
    if (!bridge.operational(now, this.#settings)) {
      if (wasUsable) this.#events.lost(now, bridge);
    } else if (!wasUsable || admitsAgain) this.#events.available(now);
  }

  /** There are bridges, and none of them takes a new conference because all are loaded. */
  full(now: Millis): boolean {
    const usable = [...this.#bridges.values()].filter((bridge) => bridge.operational(now, this.#settings));
    return usable.length > 0 && usable.every((bridge) => !bridge.admission.takesConferences);
  }

  /** The brewery is out of sight: after a new login everybody's presence comes again. */
  clear(now: Millis): void {
    for (const bridge of [...this.#bridges.values()]) this.#remove(now, bridge, "the brewery is out of sight");
  }

  /** A request to it failed. */
  failed(now: Millis, bridge: Bridge, reason: string): void {
    bridge.failedUntil = later(now, FAILURE_PAUSE); // not operational itself while others are counted
    const pause = this.operational(now) > 0 ? FAILURE_PAUSE : ONLY_PAUSE;
    bridge.failedUntil = later(now, pause);
    this.#outbox.log("warn", "bridge taken out of use for a while", {
      bridge: bridge.id,
      reason,
      seconds: pause / 1000,
    });
    this.#events.lost(now, bridge);
  }

  tick(now: Millis): void {
    for (const bridge of [...this.#bridges.values()]) {
      if (bridge.failedUntil !== undefined && bridge.failedUntil <= now) {
        bridge.failedUntil = undefined;
        if (bridge.operational(now, this.#settings)) this.#events.available(now);
      }
      if (bridge.nextHealthCheck > now) continue;
      bridge.nextHealthCheck = later(now, HEALTH_INTERVAL);
      if (this.#settings.health === "presence") {
        if (now - bridge.lastPresence >= PRESENCE_TIMEOUT) this.#remove(now, bridge, "no presence for 45 s");
      } else this.#check(now, bridge);
    }
  }

  nextDeadline(): Deadline | undefined {
    let at: Millis | undefined;
    for (const bridge of this.#bridges.values())
      for (const each of [bridge.nextHealthCheck, bridge.failedUntil])
        if (each !== undefined && (at === undefined || each < at)) at = each;
    return at === undefined ? undefined : { at, why: "bridge health" };
  }

  /** The bridge for one more participant of a conference; undefined: none can take it. */
  select(now: Millis, selection: Selection): Bridge | undefined {
    return selectBridge(now, this.#bridges.values(), this.#settings, selection);
  }

  #usable(now: Millis, bridge: Bridge): boolean {
    return bridge.operational(now, this.#settings) && !bridge.drain;
  }

  #check(now: Millis, bridge: Bridge): void {
    const check = xml("healthcheck", { xmlns: NS.health });
    this.#requests.request(
      now,
      bridge.jid,
      "get",
      check,
      (at, answer) => {
        if (this.#bridges.get(bridge.jid) !== bridge || answer.kind === "offline") return;
        if (answer.kind === "result") {
          bridge.retried = false;
          if (bridge.responding) return;
          bridge.responding = true;
          this.#outbox.log("info", "bridge is well again", { bridge: bridge.id });
          this.#events.available(at);
          return;
        }
        if (answer.kind === "timeout" && !bridge.retried) {
          bridge.retried = true;
          bridge.nextHealthCheck = later(at, HEALTH_RETRY);
          return;
        }
        const wasResponding = bridge.responding;
        bridge.responding = false;
        if (!wasResponding) return;
        const reason = answer.kind === "error" ? answer.error.condition : answer.kind;
        this.#outbox.log("warn", "bridge failed its health check", { bridge: bridge.id, cause: reason });
        this.#events.lost(at, bridge);
      },
      HEALTH_TIMEOUT,
    );
  }

  #remove(now: Millis, bridge: Bridge, reason: string): void {
    this.#bridges.delete(bridge.jid);
    bridge.gone = true;
    this.lost++;
    this.#outbox.log("info", "bridge gone", { bridge: bridge.id, cause: reason });
    this.#events.lost(now, bridge);
  }
}

function readStats(bridge: Bridge, stats: Element): void {
  const values = new Map<string, string>();
  for (const stat of children(stats, "stat")) {
    const name = attr(stat, "name");
    const value = attr(stat, "value");
    if (name !== undefined && value !== undefined) values.set(name, value);
  }
  const number = (name: string): number | undefined => {
    const value = Number(values.get(name) ?? Number.NaN);
    return Number.isFinite(value) && value >= 0 ? value : undefined;
  };
  bridge.stress = number("stress_level") ?? bridge.stress;
  bridge.participantStress = number("average_participant_stress") ?? bridge.participantStress;
  bridge.cameraRoom = number("parley_camera_room");
  bridge.qualityStep = number("parley_quality_step");
  if (values.has("drain")) bridge.drain = boolean(values.get("drain"));
  if (values.has("graceful_shutdown")) bridge.gracefulShutdown = boolean(values.get("graceful_shutdown"));
  if (values.has("shutting_down")) bridge.shuttingDown = boolean(values.get("shutting_down"));
  if (values.has("healthy")) bridge.healthy = boolean(values.get("healthy"));
  bridge.version = values.get("version") ?? bridge.version;
  bridge.release = values.get("release") ?? bridge.release;
  bridge.region = values.get("region") ?? bridge.region;
  bridge.relayId = bridge.refusesRelays ? undefined : (values.get("relay_id") ?? bridge.relayId);
}
