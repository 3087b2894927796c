/**
 * What the server's components say in JSON messages (signaling.md 6.2-6.7), as events; undefined: nothing that we know. Pure.
 */
import {
  readBreakout,
  readLobbyNews,
  readMetadata,
  readModeration,
  readPolls,
  readSpeakerStats,
} from "./components.ts";
import type { SessionEvent } from "./session-events.ts";

/** `from`: nick of the occupant who sent it, empty for a component. `inRoom`: our media have begun; before, start-muted settles how they begin. */
export function componentNews(
  payload: Readonly<Record<string, unknown>>,
  from: string,
  inRoom: boolean,
): { readonly events: readonly SessionEvent[]; readonly moveTo?: string } | undefined {
  const metadata = readMetadata(payload);
  if (metadata !== undefined) {
    const { startMuted } = metadata;
    const muted: readonly SessionEvent[] =
      !inRoom && (startMuted.audio || startMuted.video) ? [{ kind: "start-muted", ...startMuted }] : [];
    return { events: [{ kind: "metadata", metadata }, ...muted] };
  }
  const moderation = readModeration(payload);
  if (moderation !== undefined) return { events: [{ kind: "moderation", news: moderation }] };
  const lobby = readLobbyNews(payload);
  if (lobby !== undefined) return { events: [{ kind: "lobby", news: lobby, from }] };
  const polls = readPolls(payload);
  if (polls !== undefined) return { events: [{ kind: "polls", news: polls }] };
  const spoken = readSpeakerStats(payload);
  if (spoken !== undefined) return { events: [{ kind: "spoken", times: spoken }] };
  const breakout = readBreakout(payload);
  if (breakout?.kind === "rooms") return { events: [{ kind: "breakout", rooms: breakout.rooms }] };
  return breakout?.kind === "move" ? { events: [], moveTo: breakout.roomJid } : undefined;
}
