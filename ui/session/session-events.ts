/**
 * What a meeting tells the page: plain values, printable as JSON (style 3.4). Tracks are asked for by source name.
 */
import type { BreakoutRoom, LobbyNews, ModerationNews, PollNews, RoomMetadata, SpokenTimes } from "./components.ts";
import type { Components } from "./conference-request.ts";
import type { ChatMessage, JoinRefusal, LeaveReason, Occupant } from "./room.ts";
import type { RoomInfo } from "./room-settings.ts";

export interface ShownSource {
  readonly name: string;
  readonly owner: string;
  readonly kind: "audio" | "video";
  readonly videoType: "camera" | "desktop";
}

export type MediaState = "none" | "connecting" | "connected" | "interrupted" | "failed";

export type EndReason = "left" | "kicked" | "banned" | "replaced" | "ended" | "conflict";

export type JoinFault =
  | { readonly kind: "unreachable" }
  | { readonly kind: "credentials" }
  /** A token is needed, and there is a place to get one (`tokenAuthUrl`). */
  | { readonly kind: "login-elsewhere" }
  | { readonly kind: "token"; readonly text: string }
  | { readonly kind: "login-required" }
  | { readonly kind: "reservation"; readonly text: string }
  | { readonly kind: "focus"; readonly text: string }
  | { readonly kind: "refused"; readonly refusal: JoinRefusal };

export type SessionEvent =
  | { readonly kind: "stream"; readonly state: "connected" | "resumed" | "lost" | "new-session" }
  /** `full`: the box carries no further conference for now. */
  | { readonly kind: "waiting-for-focus"; readonly full: boolean }
  | { readonly kind: "fault"; readonly fault: JoinFault }
  | { readonly kind: "joined"; readonly self: Occupant; readonly room: string; readonly again: boolean }
  | { readonly kind: "self"; readonly self: Occupant }
  | { readonly kind: "permissions"; readonly granted: ReadonlySet<string> }
  | { readonly kind: "occupant"; readonly occupant: Occupant; readonly isNew: boolean }
  | {
      readonly kind: "left";
      readonly endpoint: string;
      readonly reason: LeaveReason;
      readonly actor: string | undefined;
    }
  | {
      readonly kind: "ended";
      readonly reason: EndReason;
      readonly actor: string | undefined;
      readonly text: string | undefined;
    }
  | { readonly kind: "media"; readonly state: MediaState }
  | { readonly kind: "sources"; readonly sources: readonly ShownSource[] }
  | { readonly kind: "channel"; readonly open: boolean }
  | { readonly kind: "dominant"; readonly endpoint: string; readonly silence: boolean }
  | { readonly kind: "spoken"; readonly times: SpokenTimes }
  | { readonly kind: "forwarded"; readonly sources: readonly string[] }
  | { readonly kind: "connectivity"; readonly endpoint: string; readonly active: boolean }
  | { readonly kind: "wanted"; readonly source: string; readonly maxHeight: number }
  | { readonly kind: "muted-by"; readonly media: "audio" | "video" | "desktop"; readonly actor: string | undefined }
  | { readonly kind: "start-muted"; readonly audio: boolean; readonly video: boolean }
  | { readonly kind: "send-refused"; readonly media: "microphone" | "camera" | "screen"; readonly condition: string }
  | { readonly kind: "chat"; readonly message: ChatMessage }
  | { readonly kind: "chat-refused"; readonly id: string; readonly text: string }
  | { readonly kind: "subject"; readonly subject: string; readonly actor: string | undefined }
  | { readonly kind: "room-info"; readonly info: RoomInfo }
  | {
      readonly kind: "focus";
      readonly bridgeMissing: boolean;
      readonly recording: boolean;
      readonly properties: ReadonlyMap<string, string>;
    }
  | { readonly kind: "focus-left" }
  | { readonly kind: "components"; readonly components: Components }
  | { readonly kind: "metadata"; readonly metadata: RoomMetadata }
  | { readonly kind: "moderation"; readonly news: ModerationNews }
  | { readonly kind: "lobby"; readonly news: LobbyNews; readonly from: string }
  | { readonly kind: "knocker"; readonly nick: string; readonly name: string; readonly realJid: string }
  | { readonly kind: "knocker-gone"; readonly nick: string }
  | { readonly kind: "waiting-in-lobby"; readonly waitingForHost: boolean }
  | { readonly kind: "lobby-refused" }
  | { readonly kind: "lobby-chat"; readonly message: ChatMessage }
  | { readonly kind: "breakout"; readonly rooms: readonly BreakoutRoom[] }
  | { readonly kind: "moved"; readonly room: string }
  | { readonly kind: "polls"; readonly news: PollNews }
  | { readonly kind: "reaction"; readonly from: string; readonly reactions: readonly string[] }
  /** A request of ours to the room or the focus was refused. */
  | { readonly kind: "request-refused"; readonly what: RequestName; readonly condition: string };

export type RequestName = "mute" | "kick" | "grant" | "password" | "lobby" | "moderation";
