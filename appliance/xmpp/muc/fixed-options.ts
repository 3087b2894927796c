/**
 * Options that clients expect in the form and that do not change: no history in meetings (signaling.md 3.2), presence of every role is shown
 * (signaling.md 3.6). What is submitted for them has no effect.
 */
import type { RoomFeature } from "./feature.ts";

const ROLES = ["moderator", "participant", "visitor"] as const;

export const noHistory: RoomFeature = {
  configFields: () => ({
    section: "other",
    fields: [
      {
        type: "text-single",
        name: "muc#roomconfig_historylength",
        label: "Messages of history that the room keeps",
        datatype: "xs:integer",
        values: ["0"],
      },
    ],
  }),
};

export const fullPresence: RoomFeature = {
  configFields: () => ({
    section: "other",
    fields: [
      {
        type: "list-multi",
        name: "muc#roomconfig_presencebroadcast",
        label: "Roles whose presence is shown",
        options: ROLES.map((value) => ({ label: value, value })),
        values: ROLES,
      },
    ],
  }),
};
