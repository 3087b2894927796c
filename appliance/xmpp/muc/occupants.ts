/**
 * Who is in a room: occupants by nick and by real address, affiliations by bare address (XEP-0045 §5, §7).
 */
import { bareText, type Jid, jidText } from "../../wire/jid.ts";
import type { Element } from "../../wire/xml.ts";
import type { ConnectionInfo, Sender } from "../host.ts";
import type { Affiliation, Role } from "./affiliation.ts";

/** What an occupant last said of himself: the attributes and children of his presence that go to others. */
export interface PresencePayload {
  readonly id: string | undefined;
  readonly lang: string | undefined;
  readonly children: readonly (Element | string)[];
}

export class Occupant {
  role: Role;
  payload: PresencePayload;
  readonly jid: Jid;
  readonly jidText: string;
  readonly bareText: string;
  readonly kind: Sender["kind"];
  /** Owner of every room by the server's configuration (focus, recorders, administration). */
  readonly admin: boolean;
  readonly connection: ConnectionInfo | undefined;
  /** Features keep what they know of an occupant here, under their own symbol; it ends with the occupancy. */
  readonly notes = new Map<symbol, unknown>();

  constructor(
    public nick: string,
    sender: Sender,
    role: Role,
    payload: PresencePayload,
    /** XEP-0421. */
    readonly occupantId: string,
  ) {
    this.jid = sender.jid;
    this.jidText = jidText(sender.jid);
    this.bareText = bareText(sender.jid);
    this.kind = sender.kind;
    this.admin = sender.admin;
    this.connection = sender.connection;
    this.role = role;
    this.payload = payload;
  }
}

export interface AffiliationEntry {
  readonly affiliation: Affiliation;
  readonly reason?: string;
}

/** Stored affiliations a room; beyond it a change is refused with resource-constraint. */
const MAX_AFFILIATIONS = 10_000;

export class Occupants {
  readonly #byNick = new Map<string, Occupant>();
  readonly #byJid = new Map<string, Occupant>();
  readonly #byBare = new Map<string, Set<Occupant>>();
  readonly #affiliations = new Map<string, AffiliationEntry>();

  get size(): number {
    return this.#byNick.size;
  }

  /** In order of joining. */
  all(): IterableIterator<Occupant> {
    return this.#byNick.values();
  }

  byNick(nick: string): Occupant | undefined {
    return this.#byNick.get(nick);
  }

  /** By real full address. */
  byJid(address: string): Occupant | undefined {
    return this.#byJid.get(address);
  }

  /** All occupants of one bare address. */
  ofBare(bare: string): Occupant[] {
    return [...(this.#byBare.get(bare) ?? [])];
  }

  add(occupant: Occupant): void {
    this.#byNick.set(occupant.nick, occupant);
    this.#byJid.set(occupant.jidText, occupant);
    const same = this.#byBare.get(occupant.bareText);
    if (same === undefined) this.#byBare.set(occupant.bareText, new Set([occupant]));
    else same.add(occupant);
  }

  remove(occupant: Occupant): void {
    this.#byNick.delete(occupant.nick);
    this.#byJid.delete(occupant.jidText);
    const same = this.#byBare.get(occupant.bareText);
    same?.delete(occupant);
    if (same?.size === 0) this.#byBare.delete(occupant.bareText);
  }

  rename(occupant: Occupant, nick: string): void {
    this.#byNick.delete(occupant.nick);
    occupant.nick = nick;
    this.#byNick.set(nick, occupant);
  }

  /** The affiliation that the room has stored; services with the admin flag are owners besides (Room.affiliationOf). */
  stored(bare: string): AffiliationEntry | undefined {
    return this.#affiliations.get(bare);
  }

  /** False when the table is full. */
  store(bare: string, entry: AffiliationEntry): boolean {
    if (entry.affiliation === "none") {
      this.#affiliations.delete(bare);
      return true;
    }
    if (!this.#affiliations.has(bare) && this.#affiliations.size >= MAX_AFFILIATIONS) return false;
    this.#affiliations.set(bare, entry);
    return true;
  }

  affiliations(): IterableIterator<[string, AffiliationEntry]> {
    return this.#affiliations.entries();
  }
}
