/**
 * A room, XEP-0045: who is in it, who may do what, and what everybody gets to see. Rules about entering, configuration, chat and all
 * further features live in their own files; the room knows them only as `RoomFeature`.
 *
 * Declines: history (kept at zero, signaling.md 3.2), reserved nicks and registration, logging.
 */
import type { EpochMillis, Millis } from "../../time.ts";
import { bareText, type Jid, jidText } from "../../wire/jid.ts";
import { NS } from "../../wire/namespaces.ts";
import { type Element, xml } from "../../wire/xml.ts";
import type { Sender } from "../host.ts";
import { type Affiliation, affiliationRank, defaultRole, type Role } from "./affiliation.ts";
import type { LeaveCause, RoomFeature, SelfPresenceOccasion } from "./feature.ts";
import { Occupant, Occupants, type PresencePayload } from "./occupants.ts";
import { addressed, type ItemFacts, mucUser, payloadOf, presenceStanza } from "./presence.ts";
import type { Turn } from "./turn.ts";

/** What a room needs of the service it belongs to. */
export interface RoomSurroundings {
  readonly features: readonly RoomFeature[];
  occupantId(room: string, bare: string): string;
  /** The affiliation by another room that this one follows (lobby, breakout room: signaling.md 6.3, 6.4). */
  affiliationElsewhere(room: Room, bare: string): Affiliation | undefined;
  entered(room: Room, occupant: Occupant): void;
  exited(room: Room, occupant: Occupant): void;
  /** Nobody is left: the service decides whether the room goes. */
  emptied(turn: Turn, room: Room): void;
  closed(turn: Turn, room: Room): void;
}

/** Who changes somebody else's standing, and why; both are shown to all. */
export interface Deed {
  readonly actor?: Occupant | undefined;
  readonly reason?: string | undefined;
}

export interface Farewell extends Deed {
  readonly cause: LeaveCause;
  /** Status codes in front of the item, e.g. 307. */
  readonly codes?: readonly number[];
  /** What the leaving one says himself (status text and the like). */
  readonly payload?: PresencePayload;
  /** A `destroy` element. */
  readonly destroy?: Element;
}

const NOTHING_SAID: PresencePayload = { id: undefined, lang: undefined, children: [] };

export class Room {
  readonly occupants = new Occupants();
  readonly jidText: string;
  /** Whether everybody sees real addresses (non-anonymous); the feature whois.ts sets it. */
  publicAddresses = true;
  /** Whether new occupants without affiliation are visitors; the feature moderated.ts sets it. */
  moderated = false;
  isClosed = false;

  constructor(
    readonly jid: Jid,
    readonly createdAt: Millis,
    readonly createdEpoch: EpochMillis,
    private readonly surroundings: RoomSurroundings,
  ) {
    this.jidText = bareText(jid);
  }

  get features(): readonly RoomFeature[] {
    return this.surroundings.features;
  }

  /** `room@service/nick`. */
  occupantJid(occupant: Occupant): string {
    return `${this.jidText}/${occupant.nick}`;
  }

  /** XEP-0045 §5.2; services with the admin flag own every room. */
  affiliationOf(bare: string, admin = false): Affiliation {
    if (admin) return "owner";
    const elsewhere = this.surroundings.affiliationElsewhere(this, bare);
    if (elsewhere !== undefined) return elsewhere;
    const stored = this.occupants.stored(bare);
    if (stored !== undefined) return stored.affiliation;
    return this.occupants.ofBare(bare).some((each) => each.admin) ? "owner" : "none";
  }

  affiliation(occupant: Occupant): Affiliation {
    return this.affiliationOf(occupant.bareText, occupant.admin);
  }

  occupantOf(sender: Sender): Occupant | undefined {
    return this.occupants.byJid(jidText(sender.jid));
  }

  /** The join has been allowed: presence in the order of XEP-0045 §7.2.3. */
  enter(turn: Turn, sender: Sender, nick: string, presence: Element, creates: boolean): Occupant {
    const bare = bareText(sender.jid);
    const role = defaultRole(this.affiliationOf(bare, sender.admin), this.moderated);
    const occupant = new Occupant(
      nick,
      sender,
      role,
      this.shown(sender, payloadOf(presence)),
      this.surroundings.occupantId(this.jidText, bare),
    );
    for (const other of this.occupants.all())
      if (this.sees(occupant, other, false)) this.sendPresence(turn, other, occupant, [], []);
    this.occupants.add(occupant);
    this.surroundings.entered(this, occupant);
    this.presenceToOthers(turn, occupant);
    const codes = [...(creates ? [201] : []), ...(this.publicAddresses ? [100] : [])];
    this.selfPresence(turn, occupant, codes, creates ? "created" : "joined");
    for (const feature of this.features) feature.joined?.(turn, this, occupant);
    for (const feature of this.features) feature.welcome?.(turn, this, occupant, presence);
    return occupant;
  }

  /** Somebody inside joins again, because he lost track: he is told everything anew, others see an update (XEP-0045 §7.2.2). */
  resync(turn: Turn, sender: Sender, occupant: Occupant, presence: Element): void {
    occupant.payload = this.shown(sender, payloadOf(presence));
    for (const other of this.occupants.all())
      if (other !== occupant && this.sees(occupant, other, false)) this.sendPresence(turn, other, occupant, [], []);
    this.presenceToOthers(turn, occupant);
    this.selfPresence(turn, occupant, this.publicAddresses ? [100] : [], "joined");
    for (const feature of this.features) feature.presenceChanged?.(turn, this, occupant);
    for (const feature of this.features) feature.welcome?.(turn, this, occupant, presence);
  }

  /** A new presence of somebody inside (signaling.md 3.1: forwarded to all, the sender included). */
  update(turn: Turn, sender: Sender, occupant: Occupant, presence: Element): void {
    occupant.payload = this.shown(sender, payloadOf(presence));
    this.showPresence(turn, occupant);
    for (const feature of this.features) feature.presenceChanged?.(turn, this, occupant);
  }

  /** Shows an occupant as he now is, to all and to himself. */
  showPresence(turn: Turn, occupant: Occupant, deed: Deed = {}): void {
    this.presenceToOthers(turn, occupant, deed);
    this.selfPresence(turn, occupant, [], "update", deed);
  }

  rename(turn: Turn, occupant: Occupant, nick: string, presence: Element, sender: Sender): void {
    const from = this.occupantJid(occupant);
    for (const viewer of this.occupants.all()) {
      const self = viewer === occupant;
      if (!self && !this.sees(viewer, occupant, true)) continue;
      const item = { ...this.item(occupant, viewer, {}), nick };
      const stanza = presenceStanza(
        { from, type: "unavailable", payload: NOTHING_SAID, occupantId: occupant.occupantId },
        mucUser([303], item, self ? [110] : []),
      );
      turn.send(addressed(stanza, viewer.jidText));
    }
    this.occupants.rename(occupant, nick);
    this.update(turn, sender, occupant, presence);
  }

  /** Takes somebody out and tells everybody, himself included, why. */
  exit(turn: Turn, occupant: Occupant, farewell: Farewell): void {
    if (this.occupants.byNick(occupant.nick) !== occupant) return;
    const from = this.occupantJid(occupant);
    const before = [...(farewell.destroy === undefined ? [] : [farewell.destroy]), ...(farewell.codes ?? [])];
    const parts = {
      from,
      type: "unavailable" as const,
      payload: farewell.payload ?? NOTHING_SAID,
      occupantId: occupant.occupantId,
    };
    const affiliation = this.affiliation(occupant);
    const stanzaFor = (viewer: Occupant, self: boolean): Element =>
      presenceStanza(
        parts,
        mucUser(before, { ...this.item(occupant, viewer, farewell), affiliation, role: "none" }, self ? [110] : []),
      );
    this.occupants.remove(occupant);
    this.surroundings.exited(this, occupant);
    const shared = new Map<boolean, Element>();
    for (const viewer of this.occupants.all()) {
      if (!this.sees(viewer, occupant, true)) continue;
      const full = this.showsAddress(viewer);
      const stanza = shared.get(full) ?? stanzaFor(viewer, false);
      shared.set(full, stanza);
      turn.send(addressed(stanza, viewer.jidText));
    }
    turn.send(addressed(stanzaFor(occupant, true), occupant.jidText));
    for (const feature of this.features) feature.left?.(turn, this, occupant, farewell.cause, farewell.actor);
    if (this.occupants.size === 0 && !this.isClosed) this.surroundings.emptied(turn, this);
  }

  /** XEP-0045 §10.9: everybody gets his own unavailable presence with the `destroy` element, nobody anybody else's. */
  destroy(turn: Turn, cause: { reason?: string; alternate?: string; password?: string } = {}): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const destroy = xml(
      "destroy",
      { jid: cause.alternate },
      cause.reason !== undefined && xml("reason", {}, cause.reason),
      cause.password !== undefined && xml("password", {}, cause.password),
    );
    for (const occupant of [...this.occupants.all()]) {
      const item = { ...this.item(occupant, occupant, {}), role: "none" as const };
      const stanza = presenceStanza(
        {
          from: this.occupantJid(occupant),
          type: "unavailable",
          payload: NOTHING_SAID,
          occupantId: occupant.occupantId,
        },
        mucUser([destroy], item, [110]),
      );
      this.occupants.remove(occupant);
      this.surroundings.exited(this, occupant);
      turn.send(addressed(stanza, occupant.jidText));
      for (const feature of this.features) feature.left?.(turn, this, occupant, "destroyed");
    }
    for (const feature of this.features) feature.roomDestroyed?.(turn, this);
    this.surroundings.closed(turn, this);
  }

  /** Ends an empty room. */
  close(turn: Turn): void {
    if (this.isClosed) return;
    this.isClosed = true;
    for (const feature of this.features) feature.roomDestroyed?.(turn, this);
    this.surroundings.closed(turn, this);
  }

  /** Stores an affiliation and shows its effect (XEP-0045 §9, §10). False when the room can store no more. */
  setAffiliation(turn: Turn, bare: string, affiliation: Affiliation, deed: Deed = {}, membersOnly = false): boolean {
    const before = this.occupants.stored(bare)?.affiliation ?? "none";
    const reason = deed.reason === undefined ? {} : { reason: deed.reason };
    if (!this.occupants.store(bare, { affiliation, ...reason })) return false;
    const present = this.occupants.ofBare(bare);
    for (const occupant of present) {
      if (occupant.admin) continue; // owner by configuration, whatever is stored
      if (affiliation === "outcast") {
        this.exit(turn, occupant, { ...deed, cause: "banned", codes: [301] });
        continue;
      }
      if (membersOnly && affiliationRank(affiliation) < affiliationRank("member")) {
        this.exit(turn, occupant, { ...deed, cause: "affiliation", codes: [321] });
        continue;
      }
      const roleBefore = occupant.role;
      const role = defaultRole(affiliation, this.moderated);
      // Losing an affiliation takes what came with it; a voice given by hand stays (XEP-0045 §5.1.2).
      const keepsVoice = role === "visitor" && roleBefore === "participant" && affiliation === before;
      occupant.role = keepsVoice ? roleBefore : role;
      if (before !== affiliation || roleBefore !== occupant.role) {
        this.showPresence(turn, occupant, deed);
        for (const feature of this.features)
          feature.standingChanged?.(turn, this, { occupant, affiliationBefore: before, roleBefore, affiliation });
      }
    }
    if (before !== affiliation) {
      if (present.length === 0)
        for (const viewer of this.occupants.all())
          if (this.showsAddress(viewer)) this.announceTo(turn, viewer, bare, affiliation, deed.reason);
      for (const feature of this.features) feature.affiliationChanged?.(turn, this, bare, affiliation);
    }
    return true;
  }

  /** Tells somebody inside about the affiliation of one who is not (XEP-0045 §9.3, example 127). */
  announceTo(turn: Turn, viewer: Occupant, bare: string, affiliation: Affiliation, reason?: string): void {
    const item = xml("item", { jid: bare, affiliation }, reason !== undefined && xml("reason", {}, reason));
    turn.send(
      xml(
        "message",
        { xmlns: NS.client, from: this.jidText, to: viewer.jidText },
        xml("x", { xmlns: NS.mucUser }, item),
      ),
    );
  }

  /** An affiliation that comes from elsewhere has changed: roles follow, those banned go. */
  refreshStanding(turn: Turn, bare: string): void {
    const affiliation = this.affiliationOf(bare);
    for (const occupant of this.occupants.ofBare(bare)) {
      if (occupant.admin) continue;
      if (affiliation === "outcast") this.exit(turn, occupant, { cause: "banned", codes: [301] });
      else this.setRole(turn, occupant, defaultRole(affiliation, this.moderated));
    }
  }

  setRole(turn: Turn, occupant: Occupant, role: Role, deed: Deed = {}): void {
    if (role === "none") {
      this.exit(turn, occupant, { ...deed, cause: "kicked", codes: [307] });
      return;
    }
    if (occupant.role === role) return;
    const roleBefore = occupant.role;
    const affiliation = this.affiliation(occupant);
    occupant.role = role;
    this.showPresence(turn, occupant, deed);
    for (const feature of this.features)
      feature.standingChanged?.(turn, this, { occupant, affiliationBefore: affiliation, roleBefore, affiliation });
  }

  /** A stanza of the room to everybody inside (or those chosen). */
  broadcast(turn: Turn, stanza: Element, chosen: (viewer: Occupant) => boolean = () => true): void {
    for (const viewer of this.occupants.all()) if (chosen(viewer)) turn.send(addressed(stanza, viewer.jidText));
  }

  /** Whether `viewer` may hear `from`. */
  hears(viewer: Occupant, from: Occupant): boolean {
    for (const feature of this.features) if (feature.hears?.(this, viewer, from) === false) return false;
    return true;
  }

  /** A groupchat message in the name of the room, or of `from`. */
  groupchat(turn: Turn, from: string, ...children: readonly Element[]): void {
    this.broadcast(turn, xml("message", { xmlns: NS.client, from, type: "groupchat" }, children));
  }

  /** Whether this viewer gets to know real addresses (XEP-0045 §4.2 non-anonymous, semi-anonymous). */
  showsAddress(viewer: Occupant): boolean {
    return this.publicAddresses || viewer.role === "moderator";
  }

  private shown(sender: Sender, payload: PresencePayload): PresencePayload {
    let shown = payload;
    for (const feature of this.features) shown = feature.presence?.(this, sender, shown) ?? shown;
    return shown;
  }

  private sees(viewer: Occupant, subject: Occupant, unavailable: boolean): boolean {
    for (const feature of this.features) if (feature.sees?.(this, viewer, subject, unavailable) === false) return false;
    return true;
  }

  private item(subject: Occupant, viewer: Occupant, deed: Deed): ItemFacts {
    const self = subject === viewer;
    const full = self || this.showsAddress(viewer);
    const { actor } = deed;
    return {
      affiliation: this.affiliation(subject),
      role: subject.role,
      jid: full ? subject.jidText : undefined,
      // The one concerned learns who did it by nick only, as upstream has it (transcript ws-call-3).
      actor: actor === undefined ? undefined : { nick: actor.nick, jid: full && !self ? actor.jidText : undefined },
      reason: deed.reason,
    };
  }

  private sendPresence(
    turn: Turn,
    subject: Occupant,
    viewer: Occupant,
    before: readonly number[],
    after: readonly number[],
    deed: Deed = {},
    trailing: readonly Element[] = [],
  ): void {
    const stanza = presenceStanza(
      { from: this.occupantJid(subject), payload: subject.payload, occupantId: subject.occupantId },
      mucUser(before, this.item(subject, viewer, deed), after),
      trailing,
    );
    turn.send(addressed(stanza, viewer.jidText));
  }

  private presenceToOthers(turn: Turn, subject: Occupant, deed: Deed = {}): void {
    const shared = new Map<boolean, Element>();
    for (const viewer of this.occupants.all()) {
      if (viewer === subject || !this.sees(viewer, subject, false)) continue;
      const full = this.showsAddress(viewer);
      let stanza = shared.get(full);
      if (stanza === undefined) {
        stanza = presenceStanza(
          { from: this.occupantJid(subject), payload: subject.payload, occupantId: subject.occupantId },
          mucUser([], this.item(subject, viewer, deed), []),
        );
        shared.set(full, stanza);
      }
      turn.send(addressed(stanza, viewer.jidText));
    }
  }

  private selfPresence(
    turn: Turn,
    occupant: Occupant,
    before: readonly number[],
    occasion: SelfPresenceOccasion,
    deed: Deed = {},
  ): void {
    for (const feature of this.features) feature.beforeSelfPresence?.(turn, this, occupant, occasion);
    const trailing = this.features.flatMap((feature) => feature.selfPresence?.(this, occupant) ?? []);
    this.sendPresence(turn, occupant, occupant, before, [110], deed, trailing);
  }
}
