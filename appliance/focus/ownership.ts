/**
 * Who is owner, hence moderator, of a room: the first participant, or every authenticated one (signaling.md 3.5).
 * Breakout rooms mirror their main room instead; the focus does that across conferences.
 */
import type { Millis } from "../time.ts";
import type { ChatRoom } from "./chat-room.ts";
import { isJibri, isJigasi, isOwner, type Member } from "./member.ts";

const MAX_AUTHENTICATED = 5_000;

/** The first member that may be owner; undefined while somebody is, or nobody can be. Members in the order they came. */
export function ownerCandidate(members: readonly Member[]): Member | undefined {
  if (members.some(isOwner)) return undefined;
  return members.find(
    (each) =>
      each.realJid !== undefined &&
      each.role !== "visitor" &&
      each.role !== "none" &&
      !isJibri(each) &&
      !isJigasi(each),
  );
}

export class Ownership {
  /** Owners here, by bare JID; who has left keeps his place in it. */
  readonly owners = new Set<string>();
  readonly #room: ChatRoom;
  readonly #autoOwner: boolean;
  readonly #authenticated = new Set<string>();
  /** Whom ownership was granted to whose new presence has not come yet. */
  #granted: string | undefined;

  /** `autoOwner`: elect the first participant. */
  constructor(room: ChatRoom, autoOwner: boolean) {
    this.#room = room;
    this.#autoOwner = autoOwner;
  }

  /** An authenticated user asked for the conference: he is owner as soon as he is here. */
  authenticated(now: Millis, jid: string, members: readonly Member[]): void {
    if (this.#authenticated.size < MAX_AUTHENTICATED) this.#authenticated.add(bareOf(jid));
    for (const member of members) this.#grantAuthenticated(now, member);
  }

  /** A member came or changed. */
  seen(now: Millis, member: Member): void {
    const user = member.realJid === undefined ? undefined : bareOf(member.realJid);
    if (user === undefined) return;
    if (member.affiliation === "owner") this.owners.add(user);
    else this.owners.delete(user);
    this.#grantAuthenticated(now, member);
  }

  /** Elects one if nobody is owner. */
  elect(now: Millis, members: readonly Member[]): void {
    if (!this.#autoOwner) return;
    const candidate = ownerCandidate(members);
    if (candidate === undefined || this.#granted === candidate.occupantJid) return;
    this.#granted = candidate.occupantJid;
    this.#room.grantOwner(now, candidate);
  }

  #grantAuthenticated(now: Millis, member: Member): void {
    if (
      member.realJid !== undefined &&
      this.#authenticated.has(bareOf(member.realJid)) &&
      member.affiliation !== "owner"
    )
      this.#room.grantOwner(now, member);
  }
}

const bareOf = (jid: string): string => jid.split("/")[0] ?? jid;
