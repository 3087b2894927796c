/**
 * Mute IQs (signaling.md 5.2) and what AV moderation does to everybody (5.4).
 */
import type { Millis } from "../time.ts";
import { NS } from "../wire/namespaces.ts";
import { errorReply, iqResult, type StanzaError } from "../wire/stanza.ts";
import { attr, clone, type Element, text, xml } from "../wire/xml.ts";
import type { ModeratedMedia } from "./av-moderation.ts";
import { FEATURE } from "./codecs.ts";
import type { Conference } from "./conference.ts";
import { isJibri, isJigasi, isModerator, type Member } from "./member.ts";
import type { Participant } from "./participant.ts";

const MUTE_NS: Readonly<Record<ModeratedMedia, string>> = {
  audio: NS.jitmeetAudio,
  video: NS.jitmeetVideo,
  desktop: "http://jitsi.org/jitmeet/desktop",
};

/** Which kind a `<mute>` is about. */
export const muteMedia = (mute: Element): ModeratedMedia | undefined =>
  (["audio", "video", "desktop"] as const).find((media) => MUTE_NS[media] === mute.getNS());

export function handleMute(now: Millis, conference: Conference, sender: Participant, iq: Element, mute: Element): void {
  const { outbox, requests } = conference.context;
  const media = muteMedia(mute);
  const decision =
    media === undefined ? ({ condition: "bad-request" } as const) : decide(conference, sender, mute, media);
  if ("condition" in decision) {
    outbox.send(errorReply(iq, decision, clone(mute)));
    return;
  }
  outbox.send(iqResult(iq));
  // The request went to the focus, which is why a moderator's wish reaches clients that would not take it from others.
  if (media !== undefined && decision.target !== sender)
    requests.request(
      now,
      decision.target.member.occupantJid,
      "set",
      xml("mute", { xmlns: MUTE_NS[media], actor: sender.member.occupantJid }, "true"),
    );
}

function decide(
  conference: Conference,
  sender: Participant,
  mute: Element,
  media: ModeratedMedia,
): StanzaError | { readonly target: Participant } {
  const jid = attr(mute, "jid");
  const value = text(mute).trim().toLowerCase();
  if (jid === undefined || (value !== "true" && value !== "false")) return { condition: "bad-request" };
  const target = jid.startsWith(`${conference.jid}/`)
    ? conference.participants.get(jid.slice(conference.jid.length + 1))
    : undefined;
  if (target === undefined) return { condition: "internal-server-error" };
  if (target === sender) {
    const { member } = sender;
    const held = conference.avModeration.enabled(media) && !conference.avModeration.allowed(media, member.occupantJid);
    return value === "false" && held && !isModerator(member) ? { condition: "not-allowed" } : { target };
  }
  if (value === "false" || !isModerator(sender.member) || exempt(target.member)) return { condition: "not-allowed" };
  return { target };
}

/** Recorders, gateways and visitors are not muted. */
const exempt = (member: Member): boolean => isJibri(member) || isJigasi(member) || member.role === "visitor";

/** AV moderation was switched on or off for a kind. */
export function moderationSwitched(
  now: Millis,
  conference: Conference,
  media: ModeratedMedia,
  enabled: boolean,
  actor: string | undefined,
): void {
  const changed = conference.avModeration.enabled(media) !== enabled;
  conference.avModeration.setEnabled(media, enabled);
  conference.applyForceMute(now);
  if (!enabled || !changed) return;
  for (const participant of conference.participants.values()) {
    const { member } = participant;
    if (member.occupantJid === actor || member.role === "visitor" || isJibri(member)) continue;
    if (isJigasi(member) && !participant.has(FEATURE.audioMute)) continue;
    conference.context.requests.request(
      now,
      member.occupantJid,
      "set",
      xml("mute", { xmlns: MUTE_NS[media] }, "true"), // without an actor, as recorded
    );
  }
}

export function moderationAllowed(
  now: Millis,
  conference: Conference,
  lists: ReadonlyMap<ModeratedMedia, readonly string[]>,
): void {
  for (const [media, occupants] of lists) conference.avModeration.setAllowed(media, occupants);
  conference.applyForceMute(now);
}
