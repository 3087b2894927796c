/**
 * Tenants in room names, signaling.md 6.1: clients see `room@muc.<tenant>.<domain>`, inside it is `[tenant]room@muc.<domain>`. The mapping wraps a
 * host; it also reaches the `room` values of JSON messages and of component commands.
 */
import type { Deadline } from "../../deadlines.ts";
import type { Millis } from "../../time.ts";
import { bareText, type Jid, parseJid } from "../../wire/jid.ts";
import { attr, clone, type Element } from "../../wire/xml.ts";
import type { AdvertisedIdentity, Host, HostAction, HttpAnswer, HttpPage, Sender } from "../host.ts";

/** Attributes that hold room or occupant addresses. */
const ADDRESSES = [
  "room",
  "jid",
  "jidToWhitelist",
  "jidToBlacklist",
  "breakoutRoomJid",
  "roomJid",
  "focusjid",
] as const;

export class TenantNames {
  /** `muc.`, and the rest `meet.jitsi`. */
  readonly #prefix: string;
  readonly #base: string;
  readonly #inside: RegExp;
  readonly #outside: RegExp;

  /** `muc`: the service's domain, its first label the one that the tenant follows. */
  constructor(readonly muc: string) {
    const dot = muc.indexOf(".");
    this.#prefix = muc.slice(0, dot);
    this.#base = muc.slice(dot + 1);
    const quoted = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    this.#inside = new RegExp(`\\[([^\\]@/"<>\\s]+)\\]([^@/"<>\\s]+)@${quoted(muc)}`, "g");
    this.#outside = new RegExp(
      `([^@/"<>\\s]+)@${quoted(this.#prefix)}\\.([^@/"<>\\s]+?)\\.${quoted(this.#base)}(?=[/"<\\s]|$)`,
      "g",
    );
  }

  /** The tenant that a domain such as `muc.acme.meet.jitsi` is for; undefined for all others. */
  tenantOf(domain: string): string | undefined {
    const start = `${this.#prefix}.`;
    const end = `.${this.#base}`;
    if (!domain.startsWith(start) || !domain.endsWith(end) || domain.length <= start.length + end.length - 1)
      return undefined;
    const tenant = domain.slice(start.length, -end.length);
    return /^[a-z0-9_-]+$/.test(tenant) ? tenant : undefined;
  }

  /** Every address in a text, as clients write it, to ours. */
  inward(text: string): string {
    return text.replace(this.#outside, (whole, room: string, tenant: string) =>
      this.tenantOf(`${this.#prefix}.${tenant}.${this.#base}`) === undefined ? whole : `[${tenant}]${room}@${this.muc}`,
    );
  }

  /** And back. */
  outward(text: string): string {
    return text.replace(
      this.#inside,
      (_whole, tenant: string, room: string) => `${room}@${this.#prefix}.${tenant}.${this.#base}`,
    );
  }
}

/** Rewrites `from`, `to`, address attributes and JSON texts all the way down; the stanza itself is left as it is. */
export function rewritten(stanza: Element, rewrite: (text: string) => string): Element {
  const copy = clone(stanza);
  const walk = (element: Element, top: boolean): void => {
    for (const name of top ? (["from", "to"] as const) : ADDRESSES) {
      const value = attr(element, name);
      if (value !== undefined) element.attrs[name] = rewrite(value);
    }
    const isText =
      element.getName() === "json-message" ||
      element.getName() === "room_metadata" ||
      element.getName() === "lobbyroom";
    element.children = element.children.map((each) => {
      if (typeof each !== "string") walk(each, false);
      else if (isText || TENANT_TEXT.test(each)) return rewrite(each);
      return each;
    });
  };
  walk(copy, true);
  return copy;
}

/** Texts of forms and the like that are nothing but an address. */
const TENANT_TEXT = /^[^@\s]+@[^@\s]+$/;

/** A host behind the mapping. `services`: domains whose people see inside names (focus, recorders). */
export class TenantHost implements Host {
  readonly domain: string;
  readonly listed: boolean;
  readonly advertised: readonly AdvertisedIdentity[];

  constructor(
    private readonly inner: Host,
    private readonly names: TenantNames,
    private readonly services: ReadonlySet<string>,
  ) {
    this.domain = inner.domain;
    this.listed = inner.listed ?? false;
    this.advertised = inner.advertised ?? [];
  }

  /** Only the service of the rooms answers for tenants' domains. */
  answersFor(domain: string): boolean {
    return this.inner.domain === this.names.muc && this.names.tenantOf(domain) !== undefined;
  }

  handle(now: Millis, stanza: Element, sender: Sender): readonly HostAction[] {
    const inward = this.concerns(stanza) ? rewritten(stanza, (text) => this.names.inward(text)) : stanza;
    return this.outward(this.inner.handle(now, inward, sender));
  }

  sessionClosed(now: Millis, jid: Jid): readonly HostAction[] {
    return this.outward(this.inner.sessionClosed?.(now, jid) ?? []);
  }

  nextDeadline(): Deadline | undefined {
    return this.inner.nextDeadline?.();
  }

  handleTimeout(now: Millis): readonly HostAction[] {
    return this.outward(this.inner.handleTimeout?.(now) ?? []);
  }

  httpAnswered(now: Millis, id: string, answer: HttpAnswer): readonly HostAction[] {
    return this.outward(this.inner.httpAnswered?.(now, id, answer) ?? []);
  }

  httpGet(now: Millis, path: string, query: ReadonlyMap<string, string>): HttpPage | undefined {
    return this.inner.httpGet?.(now, path, query);
  }

  private concerns(stanza: Element): boolean {
    const to = parseJid(attr(stanza, "to"));
    return to !== undefined && (this.names.tenantOf(to.domain) !== undefined || bareText(to) === this.inner.domain);
  }

  private outward(actions: readonly HostAction[]): readonly HostAction[] {
    return actions.map((action) => {
      if (action.type !== "send") return action;
      const to = parseJid(attr(action.stanza, "to"));
      const from = attr(action.stanza, "from") ?? "";
      if (to === undefined || this.services.has(to.domain)) return action;
      // Stanzas of rooms without tenant, the great many, pass untouched.
      if (from.includes("@") && !from.startsWith("[")) return action;
      return { type: "send", stanza: rewritten(action.stanza, (text) => this.names.outward(text)) };
    });
  }
}
