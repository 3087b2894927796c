/**
 * The recorders of a Jibri brewery: which are idle and healthy, which one is next. signaling.md 5.6.
 */
import { later, type Millis, seconds } from "../time.ts";
import { NS } from "../wire/namespaces.ts";
import { attr, child, type Element } from "../wire/xml.ts";

interface Instance {
  readonly jid: string;
  idle: boolean;
  healthy: boolean;
  /** Its presence may lag behind what it was just asked for. */
  notBefore: Millis;
}

const SETTLE = 200;
const FAILURE_PAUSE = seconds(60);
const MAX_INSTANCES = 1_000;
const HEALTH_NS = "http://jitsi.org/protocol/health";

export class JibriDetector {
  readonly #instances = new Map<string, Instance>();

  get count(): number {
    return this.#instances.size;
  }

  available(now: Millis): number {
    let count = 0;
    for (const each of this.#instances.values()) if (usable(each, now)) count++;
    return count;
  }

  has(jid: string): boolean {
    return this.#instances.has(jid);
  }

  /** Reads a presence; true when that instance has left. */
  presence(now: Millis, stanza: Element): boolean {
    const jid = attr(stanza, "from");
    if (jid === undefined) return false;
    const type = attr(stanza, "type");
    if (type === "unavailable") return this.#instances.delete(jid);
    const status = child(stanza, "jibri-status", NS.jibri);
    if (type !== undefined || status === undefined) return false;
    const known = this.#instances.get(jid);
    if (known === undefined && this.#instances.size >= MAX_INSTANCES) return false;
    const instance = known ?? { jid, idle: false, healthy: false, notBefore: now };
    const busy = child(status, "busy-status", NS.jibri);
    const health = child(status, "health-status", HEALTH_NS);
    instance.idle = busy !== undefined && attr(busy, "status")?.toLowerCase() === "idle";
    instance.healthy = health === undefined || attr(health, "status")?.toLowerCase() === "healthy";
    this.#instances.set(jid, instance);
    return false;
  }

  /** Takes an idle one that is not among `tried`. */
  take(now: Millis, tried: ReadonlySet<string>): string | undefined {
    for (const each of this.#instances.values()) {
      if (!usable(each, now) || tried.has(each.jid)) continue;
      each.notBefore = later(now, SETTLE);
      return each.jid;
    }
    return undefined;
  }

  failed(now: Millis, jid: string): void {
    const instance = this.#instances.get(jid);
    if (instance !== undefined) instance.notBefore = later(now, FAILURE_PAUSE);
  }

  clear(): void {
    this.#instances.clear();
  }
}

const usable = (each: Instance, now: Millis): boolean => each.idle && each.healthy && each.notBefore <= now;
