/**
 * What a verified token says of its bearer (signaling.md 6.9), read from the connection's claims: features, user, group, moderator.
 */

import { isRecord } from "../../wire/json.ts";
import type { ConnectionInfo } from "../host.ts";
import type { Occupant } from "../muc/occupants.ts";

export interface TokenContext {
  readonly user: Readonly<Record<string, unknown>> | undefined;
  readonly group: string | undefined;
  /** Feature → granted. Undefined: the token names none, defaults apply. */
  readonly features: ReadonlyMap<string, boolean> | undefined;
}

const truthy = (value: unknown): boolean => value === true || value === "true";

export function tokenContext(connection: ConnectionInfo | undefined): TokenContext | undefined {
  const context = connection?.claims?.["context"];
  if (!isRecord(context)) return undefined;
  const { user, group, features } = context;
  return {
    user: isRecord(user) ? user : undefined,
    group: typeof group === "string" ? group : undefined,
    features: isRecord(features)
      ? new Map(Object.entries(features).map(([name, value]) => [name, truthy(value)]))
      : undefined,
  };
}

/** Whether the token makes its bearer a moderator (`context.user.moderator`). */
export const isTokenModerator = (connection: ConnectionInfo | undefined): boolean =>
  truthy(tokenContext(connection)?.user?.["moderator"]);

/** Whether an occupant holds a feature: by his token where it names features, else as a moderator (signaling.md 6.9). */
export function holdsFeature(occupant: Occupant, feature: string): boolean {
  if (occupant.admin) return true;
  const features = tokenContext(occupant.connection)?.features;
  return features === undefined ? occupant.role === "moderator" : features.get(feature) === true;
}

/** Whether his token explicitly denies a feature. */
export const deniedFeature = (occupant: Occupant, feature: string): boolean =>
  tokenContext(occupant.connection)?.features?.get(feature) === false;
