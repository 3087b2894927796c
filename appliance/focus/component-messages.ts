/**
 * JSON messages of the server's components to the focus: AV moderation and room metadata. signaling.md 5.4, 6.2, 6.5.
 */
import type { Millis } from "../time.ts";
import { NS } from "../wire/namespaces.ts";
import { attr, child, type Element, text } from "../wire/xml.ts";
import { isModeratedMedia, type ModeratedMedia } from "./av-moderation.ts";
import type { Conference } from "./conference.ts";
import type { FocusContext } from "./context.ts";
import { moderationAllowed, moderationSwitched } from "./moderation.ts";
import { readRoomMetadata } from "./room-metadata.ts";

const MAX_LENGTH = 256 * 1024;

export function handleComponentMessage(
  now: Millis,
  context: FocusContext,
  message: Element,
  components: ReadonlyMap<string, string>,
  conferences: ReadonlyMap<string, Conference>,
): void {
  const json = child(message, "json-message", NS.jitmeet);
  if (json === undefined || attr(message, "type") !== undefined) return; // chat and subjects are not for the focus
  const from = attr(message, "from");
  const { domain } = context.settings.domains;
  // Only the components themselves are believed: anybody can send a message that looks like theirs.
  const moderation = from === (components.get("av_moderation") ?? `avmoderation.${domain}`);
  const metadata = from === (components.get("room_metadata") ?? `metadata.${domain}`);
  if (!moderation && !metadata) {
    context.stats.drop("json-message of a stranger");
    return;
  }
  const body = parseObject(text(json));
  if (body === undefined) {
    context.stats.drop("malformed json-message");
    return;
  }
  const room = attr(json, "room") ?? body["room"];
  const conference = typeof room === "string" ? conferences.get(room) : undefined;
  if (conference === undefined) {
    context.stats.drop("json-message for an unknown room");
    return;
  }
  if (moderation) moderationMessage(now, conference, body);
  else if (body["type"] === "room_metadata") {
    conference.metadata = readRoomMetadata(body["metadata"]);
    conference.inviteAll(now);
  }
}

function moderationMessage(now: Millis, conference: Conference, body: Record<string, unknown>): void {
  const media = body["mediaType"];
  const actor = body["actor"];
  if (typeof body["enabled"] === "boolean" && isModeratedMedia(media)) {
    moderationSwitched(now, conference, media, body["enabled"], typeof actor === "string" ? actor : undefined);
    return;
  }
  const whitelists = body["whitelists"];
  if (typeof whitelists !== "object" || whitelists === null) return;
  const lists = new Map<ModeratedMedia, readonly string[]>();
  for (const [kind, occupants] of Object.entries(whitelists))
    if (isModeratedMedia(kind))
      lists.set(kind, Array.isArray(occupants) ? occupants.filter((each) => typeof each === "string") : []);
  moderationAllowed(now, conference, lists);
}

function parseObject(source: string): Record<string, unknown> | undefined {
  if (source.length > MAX_LENGTH) return undefined;
  try {
    const parsed: unknown = JSON.parse(source);
    return typeof parsed === "object" && parsed !== null ? (parsed as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // counted by the caller
  }
}
