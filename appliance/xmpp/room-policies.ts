/**
 * From the part's configuration to what the rooms take: TURN in room metadata, what tokens open, and the table `rooms`.
 */
import type { XmppConfig } from "../config.ts";
import type { EpochMillis, Millis } from "../time.ts";
import { serviceElement } from "./features/external-services.ts";
import type { MucHostsOptions } from "./muc/hosts.ts";

type Policies = Pick<
  MucHostsOptions,
  | "services"
  | "plain"
  | "token"
  | "owners"
  | "waitForHost"
  | "joinsPerSecond"
  | "tenants"
  | "fileSharing"
  | "eventSync"
  | "reservations"
>;

export function roomPolicies(config: XmppConfig, toEpoch: (now: Millis) => EpochMillis): Policies {
  const { rooms = {}, tokens, externalServices, guestDomain } = config;
  const { verifyTenant = false, ...others } = rooms;
  return {
    ...others,
    // The attributes of XEP-0215's element are the keys that clients read (signaling.md 6.5).
    services: (turn, occupant) =>
      externalServices.map((service) => ({
        ...serviceElement(service, toEpoch(turn.now), occupant.jid.local ?? "service").attrs,
      })),
    ...(tokens === undefined
      ? {}
      : {
          token: {
            required: !tokens.allowEmpty && guestDomain === undefined,
            requireRoom: tokens.requireRoom ?? true,
            verifyTenant,
          },
        }),
  };
}
