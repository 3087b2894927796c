/**
 * The bridge as an occupant of its brewery (bridge.md 1.10, 1.11): joins, makes the room show real addresses where it owns it, repeats its
 * statistics as presence, and knows which IQs are from occupants.
 */
import { createHash } from "node:crypto";
import type { Deadline } from "../deadlines.ts";
import { later, type Millis } from "../time.ts";
import { type Jid, jidText, parseJid, sameBare, withResource } from "../wire/jid.ts";
import { NS } from "../wire/namespaces.ts";
import { iq, readError } from "../wire/stanza.ts";
import { attr, child, children, type Element, xml } from "../wire/xml.ts";
import type { Stats } from "./stats.ts";

const PRESENCE_MS = 5_000;
const REJOIN_MS = 2_000;
const NODE = "https://github.com/parley/bridge";

export const BRIDGE_FEATURES = [NS.discoInfo, NS.health, NS.jingleDtls, NS.jingleIceUdp, NS.version] as const;
export const BRIDGE_IDENTITY = { category: "client", type: "bot", name: "JVB" } as const;

/** XEP-0115 §5.1. */
const capsVersion = createHash("sha1")
  .update(
    `${BRIDGE_IDENTITY.category}/${BRIDGE_IDENTITY.type}//${BRIDGE_IDENTITY.name}<${[...BRIDGE_FEATURES].sort().join("<")}<`,
  )
  .digest("base64");

export class Brewery {
  readonly #room: Jid;
  readonly #newNick: () => string;
  #nick: string;
  #state: "offline" | "joining" | "joined" = "offline";
  #presenceAt: Millis | undefined;
  #rejoinAt: Millis | undefined;
  #requests = 0;
  #configId: string | undefined;

  /** Throws on a room that is no address: a fault of the configuration. `newNick` answers another one at each call. */
  constructor(room: string, newNick: () => string) {
    const parsed = parseJid(room);
    if (parsed?.local === undefined) throw new Error(`bridge.brewery is no room address: ${room}`);
    this.#room = parsed;
    this.#newNick = newNick;
    this.#nick = newNick();
  }

  get joined(): boolean {
    return this.#state === "joined";
  }

  get nick(): string {
    return this.#nick;
  }

  /** A new session: whatever was joined before is gone. */
  online(now: Millis): Element[] {
    this.#state = "joining";
    this.#presenceAt = undefined;
    this.#rejoinAt = later(now, REJOIN_MS * 5);
    return [
      xml(
        "presence",
        { xmlns: NS.client, to: jidText(withResource(this.#room, this.#nick)) },
        xml("priority", {}, "0"),
        xml("x", { xmlns: NS.muc }),
        caps(),
      ),
    ];
  }

  offline(): void {
    this.#state = "offline";
    this.#presenceAt = undefined;
    this.#rejoinAt = undefined;
  }

  leave(): Element[] {
    if (this.#state === "offline") return [];
    this.offline();
    return [
      xml("presence", { xmlns: NS.client, to: jidText(withResource(this.#room, this.#nick)), type: "unavailable" }),
    ];
  }

  /** Whether a stanza comes from an occupant; the room itself vouches for that. */
  isOccupant(from: string | undefined): boolean {
    const jid = parseJid(from);
    return jid?.resource !== undefined && sameBare(jid, this.#room);
  }

  nextDeadline(): Deadline | undefined {
    if (this.#presenceAt !== undefined) return { at: this.#presenceAt, why: "brewery presence" };
    return this.#rejoinAt === undefined ? undefined : { at: this.#rejoinAt, why: "brewery join" };
  }

  /** True: the statistics are due, call `presence`. */
  handleTimeout(now: Millis): { readonly presenceDue: boolean; readonly stanzas: readonly Element[] } {
    if (this.#rejoinAt !== undefined && now >= this.#rejoinAt && this.#state !== "offline")
      return { presenceDue: false, stanzas: this.online(now) };
    return { presenceDue: this.#presenceAt !== undefined && now >= this.#presenceAt, stanzas: [] };
  }

  /** The statistics now; the next ones are due 5 s later. */
  presence(now: Millis, stats: Stats): Element[] {
    if (this.#state !== "joined") return [];
    this.#presenceAt = later(now, PRESENCE_MS);
    const entries = [...stats].map(([name, value]) => xml("stat", { name, value: String(value) }));
    return [
      xml(
        "presence",
        { xmlns: NS.client, to: jidText(withResource(this.#room, this.#nick)) },
        xml("priority", {}, "0"),
        xml("stats", { xmlns: NS.colibri }, entries),
        caps(),
      ),
    ];
  }

  /** Presence of the room, and answers to our own requests; undefined: the stanza is not the brewery's. */
  handle(
    now: Millis,
    stanza: Element,
  ): { readonly stanzas: readonly Element[]; readonly joinedNow: boolean } | undefined {
    const from = parseJid(attr(stanza, "from"));
    if (from === undefined || !sameBare(from, this.#room)) return undefined;
    const nothing = { stanzas: [], joinedNow: false };
    if (stanza.getName() === "iq") {
      const type = attr(stanza, "type");
      if (type !== "result" && type !== "error") return undefined;
      if (attr(stanza, "id") === this.#configId) this.#configId = undefined;
      return nothing;
    }
    if (stanza.getName() !== "presence" || this.#state === "offline") return nothing;
    const type = attr(stanza, "type");
    if (type === "error") return { stanzas: this.#refused(now, stanza), joinedNow: false };
    const user = child(stanza, "x", NS.mucUser);
    const codes = user === undefined ? [] : children(user, "status").map((each) => attr(each, "code"));
    const own = codes.includes("110") || from.resource === this.#nick;
    if (!own) return nothing;
    if (type === "unavailable") {
      // Taken out of the room: by a restart of the MUC, or by hand. Try again shortly.
      this.#state = "joining";
      this.#presenceAt = undefined;
      this.#rejoinAt = later(now, REJOIN_MS);
      return nothing;
    }
    if (from.resource !== undefined) this.#nick = from.resource;
    const joinedNow = this.#state === "joining";
    this.#state = "joined";
    this.#rejoinAt = undefined;
    if (joinedNow) this.#presenceAt = now;
    return { stanzas: codes.includes("201") ? [this.#showAddresses()] : [], joinedNow };
  }

  #refused(now: Millis, stanza: Element): Element[] {
    this.#presenceAt = undefined;
    this.#state = "joining";
    this.#rejoinAt = later(now, REJOIN_MS);
    if (readError(stanza)?.condition !== "conflict") return [];
    this.#nick = this.#newNick();
    return this.online(now);
  }

  /** The focus addresses bridges by their real addresses as well: the room must not hide them. */
  #showAddresses(): Element {
    this.#configId = `config-${++this.#requests}`;
    const field = (name: string, value: string): Element => xml("field", { var: name }, xml("value", {}, value));
    return iq(
      "set",
      { id: this.#configId, to: jidText(this.#room) },
      xml(
        "query",
        { xmlns: NS.mucOwner },
        xml(
          "x",
          { xmlns: NS.dataForms, type: "submit" },
          field("FORM_TYPE", NS.mucRoomConfig),
          field("muc#roomconfig_whois", "anyone"),
        ),
      ),
    );
  }
}

const caps = (): Element => xml("c", { xmlns: NS.caps, hash: "sha-1", node: NODE, ver: capsVersion });
