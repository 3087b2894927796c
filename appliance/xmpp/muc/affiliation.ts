/**
 * Roles and affiliations, XEP-0045 §5.
 */
export const AFFILIATIONS = ["outcast", "none", "member", "admin", "owner"] as const;
export type Affiliation = (typeof AFFILIATIONS)[number];

export const ROLES = ["none", "visitor", "participant", "moderator"] as const;
export type Role = (typeof ROLES)[number];

export const readAffiliation = (text: string | undefined): Affiliation | undefined =>
  AFFILIATIONS.find((each) => each === text);
export const readRole = (text: string | undefined): Role | undefined => ROLES.find((each) => each === text);

/** Order of power: outcast 0 … owner 4. */
export const affiliationRank = (affiliation: Affiliation): number => AFFILIATIONS.indexOf(affiliation);
/** Order of power: none 0 … moderator 3. */
export const roleRank = (role: Role): number => ROLES.indexOf(role);

/** The role that an affiliation gives on entering (XEP-0045 §5.1.2). */
export function defaultRole(affiliation: Affiliation, moderatedRoom: boolean): Role {
  switch (affiliation) {
    case "owner":
    case "admin":
      return "moderator";
    case "member":
      return "participant";
    case "none":
      return moderatedRoom ? "visitor" : "participant";
    case "outcast":
      return "none";
  }
}
