/**
 * Telling participants about each other's sources: each is brought from what it was told to what is true, whatever happened in between.
 * signaling.md 4.5, 4.7, 4.8.
 */
import type { Millis } from "../time.ts";
import { type Jingle, jingleElement } from "../wire/jingle.ts";
import { type EndpointSources, encodeJsonSources, NO_SOURCES } from "../wire/sources.ts";
import { FEATURE } from "./codecs.ts";
import type { FocusContext } from "./context.ts";
import type { Participant } from "./participant.ts";
import { type ConferenceSources, difference, isEmpty, stripSimulcast } from "./sources.ts";

/** What everybody but the owner is told of an owner's sources. Identity of the value tells whether anything changed. */
export class PublicSources {
  readonly #sources: ConferenceSources;
  readonly #cache = new Map<string, { readonly full: EndpointSources; readonly stripped: EndpointSources }>();

  constructor(sources: ConferenceSources) {
    this.#sources = sources;
  }

  of(owner: string): EndpointSources {
    const full = this.#sources.of(owner);
    const cached = this.#cache.get(owner);
    if (cached !== undefined && cached.full === full) return cached.stripped;
    const stripped = full === NO_SOURCES ? NO_SOURCES : stripSimulcast(full);
    if (full === NO_SOURCES) this.#cache.delete(owner);
    else this.#cache.set(owner, { full, stripped });
    return stripped;
  }

  /** All that a receiver is to know, by owner. */
  viewOf(receiver: string): Map<string, EndpointSources> {
    const view = new Map<string, EndpointSources>();
    for (const owner of this.#sources.owners()) if (owner !== receiver) view.set(owner, this.of(owner));
    return view;
  }
}

/** Sends source-remove and source-add so that the participant knows exactly `view`. `present`: owners still in the room. */
export function signalSources(
  now: Millis,
  context: FocusContext,
  participant: Participant,
  view: ReadonlyMap<string, EndpointSources>,
  present: (owner: string) => boolean,
): void {
  const session = participant.session;
  if (session === undefined || !session.accepted) return;
  const removed = new Map<string, EndpointSources>();
  const added = new Map<string, EndpointSources>();
  for (const [owner, told] of participant.signaled) {
    const current = view.get(owner) ?? NO_SOURCES;
    if (current === told) continue;
    const gone = difference(told, current);
    // Clients take the sources of somebody who left away by his presence, except those that expect the bridge
    // to reuse SSRCs: in them dead ones would pile up (signaling.md 4.8).
    if (!isEmpty(gone) && (present(owner) || participant.has(FEATURE.ssrcRewriting))) removed.set(owner, gone);
    if (current === NO_SOURCES) participant.signaled.delete(owner);
  }
  for (const [owner, current] of view) {
    const told = participant.signaled.get(owner) ?? NO_SOURCES;
    if (current === told) continue;
    const fresh = difference(current, told);
    if (!isEmpty(fresh)) added.set(owner, fresh);
    participant.signaled.set(owner, current);
  }
  if (removed.size > 0) send(now, context, participant, "source-remove", session.sid, removed);
  if (added.size > 0) send(now, context, participant, "source-add", session.sid, added);
}

function send(
  now: Millis,
  context: FocusContext,
  participant: Participant,
  action: "source-add" | "source-remove",
  sid: string,
  sources: ReadonlyMap<string, EndpointSources>,
): void {
  const jingle: Jingle = { action, sid, contents: [], sources };
  const json = usesJson(context, participant) ? encodeJsonSources(sources) : undefined;
  context.stats.sent(action);
  context.requests.request(now, participant.member.occupantJid, "set", jingleElement(jingle, json));
}

export const usesJson = (context: FocusContext, participant: Participant): boolean =>
  context.settings.jsonSources && participant.has(FEATURE.jsonSources);
