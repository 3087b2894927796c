/**
 * What clients say to the domain's components, and what those answer: AV moderation, lobby, breakout rooms, metadata, polls, end of conference
 * (signaling.md 6.2 to 6.7). Readers take the JSON of a json-message and never throw.
 */
import { NS } from "../../appliance/wire/namespaces.ts";
import { type Element, xml } from "../../appliance/wire/xml.ts";

type Json = Readonly<Record<string, unknown>>;
const record = (value: unknown): Json | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
const string = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
const resource = (jid: string | undefined): string | undefined =>
  jid === undefined || !jid.includes("/") ? undefined : jid.slice(jid.indexOf("/") + 1);

const message = (to: string, ...payload: Element[]): Element => xml("message", { xmlns: NS.client, to }, payload);
const json = (payload: unknown): Element => xml("json-message", { xmlns: NS.jitmeet }, JSON.stringify(payload));

// --- AV moderation, 6.2

export type ModeratedMedia = "audio" | "video" | "desktop";

export const moderationSwitch = (component: string, mediaType: ModeratedMedia, enable: boolean): Element =>
  message(component, xml("av_moderation", { enable, mediaType }));

export const moderationApproval = (
  component: string,
  mediaType: ModeratedMedia,
  occupant: string,
  allow: boolean,
): Element =>
  message(component, xml("av_moderation", { mediaType, [allow ? "jidToWhitelist" : "jidToBlacklist"]: occupant }));

export type ModerationNews =
  | {
      readonly kind: "switched";
      readonly mediaType: ModeratedMedia;
      readonly enabled: boolean;
      readonly actor: string | undefined;
    }
  | { readonly kind: "approved"; readonly mediaType: ModeratedMedia; readonly approved: boolean }
  | { readonly kind: "list"; readonly allowed: ReadonlyMap<ModeratedMedia, readonly string[]> };

export function readModeration(payload: Json): ModerationNews | undefined {
  const mediaType = payload["mediaType"];
  if (
    payload["type"] !== "av_moderation" ||
    (mediaType !== "audio" && mediaType !== "video" && mediaType !== "desktop")
  )
    return undefined;
  if (typeof payload["enabled"] === "boolean")
    return { kind: "switched", mediaType, enabled: payload["enabled"], actor: resource(string(payload["actor"])) };
  const lists = record(payload["whitelists"]);
  if (lists !== undefined)
    return {
      kind: "list",
      allowed: new Map(
        (["audio", "video", "desktop"] as const).map((media) => {
          const list = lists[media];
          return [media, Array.isArray(list) ? list.flatMap((each) => resource(string(each)) ?? []) : []] as const;
        }),
      ),
    };
  if (payload["approved"] === true) return { kind: "approved", mediaType, approved: true };
  if (payload["removed"] === true) return { kind: "approved", mediaType, approved: false };
  return undefined;
}

// --- lobby, 6.3

export const admitMessage = (room: string, id: string, realJids: readonly string[]): Element =>
  xml(
    "message",
    { xmlns: NS.client, to: room, id },
    xml(
      "x",
      { xmlns: NS.mucUser },
      realJids.map((to) => xml("invite", { to })),
    ),
  );

export interface LobbyNews {
  readonly event: "LOBBY-ENABLED" | "LOBBY-ACCESS-GRANTED" | "LOBBY-ACCESS-DENIED";
  readonly on: boolean;
  readonly name: string | undefined;
}

export function readLobbyNews(payload: Json): LobbyNews | undefined {
  const event = payload["event"];
  if (payload["type"] !== "lobby-notify") return undefined;
  if (event !== "LOBBY-ENABLED" && event !== "LOBBY-ACCESS-GRANTED" && event !== "LOBBY-ACCESS-DENIED")
    return undefined;
  return { event, on: payload["value"] === true, name: string(payload["name"]) };
}

// --- breakout rooms, 6.4

export const breakoutCommand = (
  component: string,
  command: "add" | "remove" | "rename" | "move-to-room",
  attributes: Readonly<Record<string, string>>,
): Element => message(component, xml("breakout_rooms", { type: `features/breakout-rooms/${command}`, ...attributes }));

export interface BreakoutRoom {
  readonly id: string;
  readonly jid: string;
  readonly name: string;
  readonly isMain: boolean;
  readonly people: readonly { readonly realJid: string; readonly name: string; readonly endpoint: string }[];
}

export type BreakoutNews =
  | { readonly kind: "rooms"; readonly rooms: readonly BreakoutRoom[] }
  | { readonly kind: "move"; readonly roomJid: string };

export function readBreakout(payload: Json): BreakoutNews | undefined {
  if (payload["type"] !== "breakout_rooms") return undefined;
  if (payload["event"] === "features/breakout-rooms/move-to-room") {
    const roomJid = string(payload["roomJid"]);
    return roomJid === undefined ? undefined : { kind: "move", roomJid };
  }
  const rooms = record(payload["rooms"]);
  if (payload["event"] !== "features/breakout-rooms/update" || rooms === undefined) return undefined;
  return {
    kind: "rooms",
    rooms: Object.values(rooms)
      .slice(0, 200)
      .flatMap((each) => {
        const room = record(each);
        const jid = string(room?.["jid"]);
        if (room === undefined || jid === undefined) return [];
        const people = Object.entries(record(room["participants"]) ?? {})
          .slice(0, 1000)
          .flatMap(([occupant, value]) => {
            const person = record(value);
            const realJid = string(person?.["jid"]);
            if (realJid === undefined) return [];
            return [{ realJid, name: string(person?.["displayName"]) ?? "", endpoint: resource(occupant) ?? "" }];
          });
        return [
          {
            id: string(room["id"]) ?? jid,
            jid,
            name: string(room["name"]) ?? "",
            isMain: room["isMainRoom"] === true,
            people,
          },
        ];
      }),
  };
}

// --- room metadata, 6.5

export interface RoomMetadata {
  readonly startMuted: { readonly audio: boolean; readonly video: boolean };
  readonly lobbyEnabled: boolean | undefined;
  readonly recording: boolean;
  readonly visitors: boolean;
}

export function readMetadata(payload: Json): RoomMetadata | undefined {
  const metadata = record(payload["metadata"]);
  if (payload["type"] !== "room_metadata" || metadata === undefined) return undefined;
  const startMuted = record(metadata["startMuted"]);
  return {
    startMuted: { audio: startMuted?.["audio"] === true, video: startMuted?.["video"] === true },
    lobbyEnabled: typeof metadata["lobbyEnabled"] === "boolean" ? metadata["lobbyEnabled"] : undefined,
    recording: record(metadata["recording"])?.["isTranscribingEnabled"] === true,
    visitors: record(metadata["visitors"])?.["live"] === true,
  };
}

export const metadataMessage = (component: string, room: string, key: string, data: unknown): Element =>
  message(
    component,
    xml("room_metadata", { xmlns: NS.jitmeet, room }, JSON.stringify({ key, data, type: "room_metadata" })),
  );

// --- speaker statistics, 6.6

/** What the server counted before we came, by endpoint id; names as they were then. */
export type SpokenTimes = ReadonlyMap<string, { readonly name: string; readonly ms: number }>;

export function readSpeakerStats(payload: Json): SpokenTimes | undefined {
  const users = record(payload["users"]);
  if (payload["type"] !== "speakerstats" || users === undefined) return undefined;
  return new Map(
    Object.entries(users)
      .slice(0, 1000)
      .flatMap(([endpoint, value]) => {
        const user = record(value);
        const ms = user?.["totalDominantSpeakerTime"];
        if (typeof ms !== "number" || !Number.isFinite(ms) || ms < 0) return [];
        return [[endpoint, { name: (string(user?.["displayName"]) ?? "").slice(0, 200), ms }] as const];
      }),
  );
}

export const speakerMessage = (component: string, room: string): Element =>
  message(component, xml("speakerstats", { xmlns: NS.jitmeet, room, silence: "false" }));

// --- polls, 6.7

export interface Poll {
  readonly id: string;
  /** Endpoint id. */
  readonly senderId: string;
  readonly senderName: string | undefined;
  readonly question: string;
  readonly answers: readonly { readonly name: string; readonly voters: ReadonlyMap<string, string> }[];
}

export type PollNews =
  | { readonly kind: "new"; readonly poll: Poll }
  | {
      readonly kind: "vote";
      readonly pollId: string;
      readonly voterId: string;
      readonly voterName: string;
      readonly answers: readonly boolean[];
    }
  | { readonly kind: "old"; readonly polls: readonly Poll[] };

const pollMessage = (component: string, payload: unknown): Element =>
  xml("message", { xmlns: NS.client, type: "chat", to: component }, json(payload));

export const newPoll = (component: string, pollId: string, question: string, answers: readonly string[]): Element =>
  pollMessage(component, {
    type: "polls",
    command: "new-poll",
    pollId,
    question,
    answers: answers.map((name) => ({ name })),
  });

export const votePoll = (component: string, pollId: string, answers: readonly boolean[]): Element =>
  pollMessage(component, { type: "polls", command: "answer-poll", pollId, answers });

export function readPolls(payload: Json): PollNews | undefined {
  if (payload["type"] !== "polls") return undefined;
  switch (payload["command"]) {
    case "new-poll": {
      const poll = readPoll(payload);
      return poll === undefined ? undefined : { kind: "new", poll };
    }
    case "answer-poll": {
      const pollId = string(payload["pollId"]);
      const voterId = string(payload["senderId"]);
      const answers = payload["answers"];
      if (pollId === undefined || voterId === undefined || !Array.isArray(answers)) return undefined;
      return {
        kind: "vote",
        pollId,
        voterId,
        voterName: string(payload["senderName"]) ?? "",
        answers: answers.slice(0, 50).map((each) => each === true),
      };
    }
    case "old-polls": {
      const polls = payload["polls"];
      if (!Array.isArray(polls)) return undefined;
      return {
        kind: "old",
        polls: polls.slice(0, 128).flatMap((each) => {
          const source = record(each);
          return (source && readPoll(source)) ?? [];
        }),
      };
    }
    default:
      return undefined;
  }
}

function readPoll(source: Json): Poll | undefined {
  const id = string(source["pollId"]);
  const question = string(source["question"]);
  const answers = source["answers"];
  if (id === undefined || question === undefined || !Array.isArray(answers)) return undefined;
  return {
    id,
    senderId: string(source["senderId"]) ?? "",
    senderName: string(source["senderName"]),
    question: question.slice(0, 1000),
    answers: answers.slice(0, 50).map((each) => {
      const answer = record(each);
      const voters = answer?.["voters"];
      return {
        name: (string(answer?.["name"]) ?? "").slice(0, 1000),
        voters: new Map(
          Array.isArray(voters)
            ? voters.slice(0, 1000).flatMap((voter) => {
                const person = record(voter);
                const voterId = string(person?.["id"]);
                return voterId === undefined ? [] : [[voterId, string(person?.["name"]) ?? ""] as const];
              })
            : [],
        ),
      };
    }),
  };
}

// --- end for all, 6.7

export const endConference = (component: string): Element => message(component, xml("end_conference"));
