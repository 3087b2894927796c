/**
 * The administrator's calls: moving endpoints, pinning a conference to a bridge version. signaling.md 5.8. A core around the focus.
 */
import type { Millis } from "../time.ts";
import type { Bridge } from "./bridges.ts";
import type { Focus, FocusInput } from "./focus.ts";

export interface AdminAnswer {
  readonly status: number;
  /** Text, or a value for JSON. */
  readonly body: unknown;
}

type Query = Readonly<Record<string, string | undefined>>;

const MAX_PIN_MINUTES = 525_600;

export function administration(focus: Focus, handle: (input: FocusInput) => void) {
  const bad = (body: string): AdminAnswer => ({ status: 400, body });
  const missing = (body: string): AdminAnswer => ({ status: 404, body });

  /** Moves up to `count` endpoints of these rooms away from the bridge. */
  const move = (now: Millis, bridge: Bridge, rooms: readonly string[], count: number): AdminAnswer => {
    let movedEndpoints = 0;
    let conferences = 0;
    for (const room of rooms) {
      if (movedEndpoints >= count) break;
      const wanted = focus.endpointsOn(room, bridge).slice(0, count - movedEndpoints);
      const moved = focus.movable(now, room, bridge, wanted);
      if (moved.length === 0) continue;
      handle({ kind: "move", conference: room, bridge, endpoints: moved });
      movedEndpoints += moved.length;
      conferences++;
    }
    return { status: 200, body: { movedEndpoints, conferences } };
  };

  return {
    moveEndpoint(now: Millis, query: Query): AdminAnswer {
      const { conference: room, endpoint, bridge: name } = query;
      if (room === undefined || endpoint === undefined) return bad("conference and endpoint are required");
      const participant = focus.conferences.get(room)?.participants.get(endpoint);
      if (participant === undefined) return missing("no such conference or endpoint");
      const bridge = participant.bridge?.bridge;
      if (bridge === undefined || (name !== undefined && focus.bridges.find(name) !== bridge))
        return bad("the endpoint is not on that bridge");
      const moved = focus.movable(now, room, bridge, [endpoint]);
      if (moved.length > 0) handle({ kind: "move", conference: room, bridge, endpoints: moved });
      return { status: 200, body: { movedEndpoints: moved.length, conferences: moved.length > 0 ? 1 : 0 } };
    },

    moveEndpoints(now: Millis, query: Query): AdminAnswer {
      const bridge = focus.bridges.find(query["bridge"] ?? "");
      if (bridge === undefined) return missing("no such bridge");
      const count = query["numEndpoints"] === undefined ? 1 : Number(query["numEndpoints"]);
      if (!Number.isInteger(count) || count < 1) return bad("numEndpoints is a number from 1");
      const room = query["conference"];
      if (room !== undefined && !focus.conferences.has(room)) return missing("no such conference");
      return move(now, bridge, room === undefined ? [...focus.conferences.keys()] : [room], count);
    },

    moveFraction(now: Millis, query: Query): AdminAnswer {
      const bridge = focus.bridges.find(query["bridge"] ?? "");
      if (bridge === undefined) return missing("no such bridge");
      const fraction = query["fraction"] === undefined ? 0.1 : Number(query["fraction"]);
      if (!(fraction > 0 && fraction <= 1)) return bad("fraction is a number above 0, up to 1");
      const rooms = [...focus.conferences.keys()];
      const here = rooms.reduce((sum, room) => sum + focus.endpointsOn(room, bridge).length, 0);
      return move(now, bridge, rooms, Math.ceil(here * fraction));
    },

    pins(now: Millis): unknown[] {
      return [...focus.pins.current(now)].map(([conferenceId, { version, until }]) => ({
        conferenceId,
        jvbVersion: version,
        minutesLeft: Math.ceil((until - now) / 60_000),
      }));
    },

    pin(now: Millis, body: unknown): AdminAnswer {
      const { conferenceId, jvbVersion, durationMinutes } = record(body);
      const minutes = Number(durationMinutes);
      if (
        typeof conferenceId !== "string" ||
        typeof jvbVersion !== "string" ||
        !(minutes > 0 && minutes <= MAX_PIN_MINUTES)
      )
        return bad("conferenceId, jvbVersion and durationMinutes are required");
      return focus.pins.add(now, conferenceId, jvbVersion, minutes * 60_000)
        ? { status: 200, body: "" }
        : { status: 429, body: "too many pins" };
    },

    unpin(body: unknown): AdminAnswer {
      const { conferenceId } = record(body);
      if (typeof conferenceId !== "string") return bad("conferenceId is required");
      return focus.pins.remove(conferenceId) ? { status: 200, body: "" } : missing("not pinned");
    },
  };
}

const record = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
