/**
 * Jingle IQs from clients: accept, sources, transport, restart. signaling.md 4.6, 4.7, 4.9, 4.10.
 */
import type { Millis } from "../time.ts";
import type { IceTransport } from "../wire/ice-transport.ts";
import { isJingleFault, type Jingle, jingleElement, readJingle } from "../wire/jingle.ts";
import { type EndpointSources, NO_SOURCES } from "../wire/sources.ts";
import { errorReply, iqResult, type StanzaError } from "../wire/stanza.ts";
import { clone, type Element } from "../wire/xml.ts";
import type { Conference } from "./conference.ts";
import type { JingleSession, Participant } from "./participant.ts";
import { isRefusal } from "./sources.ts";

/** Answered at once with a result or this error; `undefined`: answered later by the handler itself. */
type Reply = "result" | StanzaError | undefined;

export function handleJingle(
  now: Millis,
  conference: Conference,
  participant: Participant,
  iq: Element,
  element: Element,
): void {
  const { outbox, stats } = conference.context;
  const jingle = readJingle(element);
  let reply: Reply;
  if (isJingleFault(jingle)) {
    stats.drop(`jingle ${jingle.fault}`);
    reply = { condition: "bad-request", text: jingle.text };
  } else {
    stats.received(jingle.action);
    reply = dispatch(now, conference, participant, jingle, iq);
  }
  if (reply === undefined) return;
  outbox.send(reply === "result" ? iqResult(iq) : errorReply(iq, reply, clone(element)));
}

function dispatch(now: Millis, conference: Conference, participant: Participant, jingle: Jingle, iq: Element): Reply {
  const session = participant.session;
  if (session === undefined || session.sid !== jingle.sid) return wrongSession(participant, jingle);
  switch (jingle.action) {
    case "session-accept":
      return accept(now, conference, participant, session, jingle, iq);
    case "source-add":
      return addSources(now, conference, participant, session, jingle);
    case "source-remove":
      return removeSources(now, conference, participant, session, jingle);
    case "transport-info":
      return transportInfo(now, participant, session, jingle);
    // COMPAT: clients of before 2022 answer a transport-replace with these; we never send one.
    case "transport-accept":
    case "transport-reject":
      return "result";
    case "session-terminate":
      return terminate(now, conference, participant, session, jingle);
    case "session-info":
      return sessionInfo(now, conference, participant, session, jingle, iq);
    default:
      return { condition: "feature-not-implemented" };
  }
}

function wrongSession(participant: Participant, jingle: Jingle): StanzaError {
  if (!participant.hadSession(jingle.sid)) return { condition: "bad-request" };
  return jingle.action === "source-add" || jingle.action === "source-remove"
    ? { condition: "item-not-found", text: "The session is over" }
    : { condition: "gone", text: "The session is over" };
}

/** What a client announces: everything is the sender's own, whatever it writes. */
function announced(jingle: Jingle): EndpointSources {
  const all = [...jingle.sources.values()];
  if (all.length === 0) return NO_SOURCES;
  return { sources: all.flatMap((each) => each.sources), groups: all.flatMap((each) => each.groups) };
}

/** The client's transport: all contents carry the same one. */
const transportOf = (jingle: Jingle): IceTransport | undefined =>
  jingle.contents.find((each) => each.transport?.ufrag !== undefined || (each.transport?.candidates.length ?? 0) > 0)
    ?.transport ?? jingle.contents.find((each) => each.transport !== undefined)?.transport;

function accept(
  now: Millis,
  conference: Conference,
  participant: Participant,
  session: JingleSession,
  jingle: Jingle,
  iq: Element,
): Reply {
  if (session.accepted) return { condition: "unexpected-request", text: "Already accepted" };
  if (participant.member.role === "visitor" && announced(jingle).sources.length > 0) return { condition: "forbidden" };
  const transport = transportOf(jingle);
  if (transport === undefined) return { condition: "bad-request", text: "No transport" };
  const refusal = overLimit(conference, participant, announced(jingle));
  if (refusal !== undefined) return refusal;
  const sources = conference.sources.add(participant.id, announced(jingle));
  if (isRefusal(sources)) return refused(conference, participant, sources.refused);
  session.accepted = true;
  participant.inviteFailures = 0;
  const lastN = jingle.contents.find((each) => each.initialLastN !== undefined)?.initialLastN;
  session.bridge.update(now, participant.id, participant.member.statsId, {
    transport,
    sources,
    ...(lastN !== undefined && lastN >= 0 ? { initialLastN: lastN } : {}),
  });
  // First the result: until it comes the client keeps what it has to say itself (signaling.md 4.6).
  conference.context.outbox.send(iqResult(iq));
  conference.sourcesChanged();
  return undefined;
}

function addSources(
  now: Millis,
  conference: Conference,
  participant: Participant,
  session: JingleSession,
  jingle: Jingle,
): Reply {
  if (participant.member.role === "visitor") return { condition: "forbidden" };
  const added = announced(jingle);
  const refusal = overLimit(conference, participant, added) ?? overLoad(now, conference, participant, added);
  if (refusal !== undefined) return refusal;
  const sources = conference.sources.add(participant.id, added);
  if (isRefusal(sources)) return refused(conference, participant, sources.refused);
  return sourcesUpdated(now, conference, participant, session, sources);
}

function removeSources(
  now: Millis,
  conference: Conference,
  participant: Participant,
  session: JingleSession,
  jingle: Jingle,
): Reply {
  const sources = conference.sources.remove(participant.id, announced(jingle));
  if (isRefusal(sources)) return refused(conference, participant, sources.refused);
  return sourcesUpdated(now, conference, participant, session, sources);
}

function sourcesUpdated(
  now: Millis,
  conference: Conference,
  participant: Participant,
  session: JingleSession,
  sources: EndpointSources,
): Reply {
  session.bridge.update(now, participant.id, participant.member.statsId, { sources });
  conference.sourcesChanged();
  return "result";
}

/** Sender limits count participants, not sources: who sends already may add (signaling.md 5.1). */
function overLimit(conference: Conference, participant: Participant, added: EndpointSources): StanzaError | undefined {
  for (const media of ["audio", "video"] as const) {
    if (!added.sources.some((each) => each.mediaType === media)) continue;
    const sends = media === "audio" ? participant.member.sendsAudio : participant.member.sendsVideo;
    const reached = media === "audio" ? conference.audioLimitReached : conference.videoLimitReached;
    if (reached && !sends) return { condition: "resource-constraint", text: `Too many ${media} senders` };
  }
  return undefined;
}

/** The bridge is full (cameras.ts). */
function overLoad(
  now: Millis,
  conference: Conference,
  participant: Participant,
  added: EndpointSources,
): StanzaError | undefined {
  if (!added.sources.some((each) => each.mediaType === "video")) return undefined;
  if (conference.cameras.mayAdd(now, participant)) return undefined;
  return { condition: "resource-constraint", text: "The bridge is full" };
}

function refused(conference: Conference, participant: Participant, text: string): StanzaError {
  conference.context.stats.sourcesRefused++;
  conference.context.outbox.log("info", "sources refused", {
    conference: conference.jid,
    endpoint: participant.id,
    cause: text,
  });
  return { condition: "bad-request", text };
}

function transportInfo(now: Millis, participant: Participant, session: JingleSession, jingle: Jingle): Reply {
  const transport = transportOf(jingle);
  if (transport === undefined) return { condition: "bad-request", text: "No transport" };
  session.bridge.update(now, participant.id, participant.member.statsId, { transport });
  return "result";
}

function terminate(
  now: Millis,
  conference: Conference,
  participant: Participant,
  session: JingleSession,
  jingle: Jingle,
): Reply {
  const { stats } = conference.context;
  const named = jingle.bridgeSession;
  if (named?.id !== undefined && named.id !== session.bridge.id)
    return { condition: "item-not-found", text: "No such bridge session" };
  const restart = named?.restart === true;
  if (restart) {
    stats.requestRestart++;
    session.bridge.bridge.restartRequested(now);
  }
  if (jingle.reason?.condition === "connectivity-error") stats.iceFailed++;
  conference.closeSession(now, participant, true);
  if (!restart) {
    participant.state = "out";
    return "result";
  }
  if (!participant.mayRestart(now, "session")) {
    stats.restartsRateLimited++;
    participant.state = "out";
    return { condition: "resource-constraint", type: "wait", text: "rate-limited" };
  }
  conference.inviteAll(now);
  return "result";
}

function sessionInfo(
  now: Millis,
  conference: Conference,
  participant: Participant,
  session: JingleSession,
  jingle: Jingle,
  iq: Element,
): Reply {
  const { context } = conference;
  // COMPAT: older clients report a failed ICE this way and restart by themselves.
  if (jingle.iceState !== undefined) {
    if (jingle.iceState === "failed") context.stats.iceFailed++;
    return "result";
  }
  const named = jingle.bridgeSession;
  if (named?.iceRestart !== true) return { condition: "feature-not-implemented" };
  if (named.id !== session.bridge.id) return { condition: "item-not-found", text: "No such bridge session" };
  if (!context.settings.iceRestart) return { condition: "feature-not-implemented" };
  if (!participant.mayRestart(now, "ice"))
    return { condition: "resource-constraint", type: "wait", text: "rate-limited" };
  const { sid } = session;
  session.bridge.iceRestart(now, participant.id, participant.member.statsId, (at, transport) => {
    if (transport === undefined || participant.session?.sid !== sid) {
      // The client falls back to a full restart.
      context.outbox.send(errorReply(iq, { condition: "feature-not-implemented" }));
      return;
    }
    context.stats.iceRestarts++;
    context.outbox.send(iqResult(iq));
    const info: Jingle = {
      action: "transport-info",
      sid,
      contents: [{ name: "audio", creator: "initiator", transport }],
      sources: new Map(),
    };
    context.stats.sent("transport-info");
    context.requests.request(at, participant.member.occupantJid, "set", jingleElement(info));
  });
  return undefined;
}
