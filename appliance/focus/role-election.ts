/**
 * Who becomes owner when nobody is: auto owner, signaling.md 3.5. Pure.
 */
import { isJibri, isJigasi, isOwner, type Member } from "./member.ts";

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
