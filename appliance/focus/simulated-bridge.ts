/**
 * Tests only: a bridge's side of colibri2, as far as a focus sees it.
 */
import { type ConferenceModify, colibriErrorElement, conferenceModifiedElement, endpoint } from "../wire/colibri2.ts";
import { NS } from "../wire/namespaces.ts";
import { errorReply, iqResult } from "../wire/stanza.ts";
import { type Element, xml } from "../wire/xml.ts";

/** A bridge of the simulated brewery. */
export interface SimulatedBridge {
  readonly nick: string;
  readonly jid: string;
  /** meeting id → endpoint ids. */
  readonly meetings: Map<string, Set<string>>;
  readonly requests: ConferenceModify[];
  /** Meeting and relay id → far endpoint → SSRCs. */
  readonly relays: Map<string, Map<string, number[]>>;
  /** What it does with the next requests; default: serve. Late: does what is asked, but answers when nobody waits any more. */
  behaviour: "serve" | "silent" | "late" | ((modify: ConferenceModify) => Element | undefined);
  stats: Record<string, string>;
}

function forget(bridge: SimulatedBridge, meetingId: string): void {
  bridge.meetings.delete(meetingId);
  for (const key of bridge.relays.keys()) if (key.startsWith(`${meetingId} `)) bridge.relays.delete(key);
}

/** Answers as a bridge does, and fails on what no focus may ask. */
export function serve(bridge: SimulatedBridge, modify: ConferenceModify, iq: Element): Element {
  let meeting = bridge.meetings.get(modify.meetingId);
  if (modify.create) {
    if (meeting !== undefined)
      return errorReply(iq, { condition: "conflict", extra: [colibriErrorElement("conference_already_exists")] });
    meeting = new Set();
    bridge.meetings.set(modify.meetingId, meeting);
  }
  if (meeting === undefined)
    return errorReply(iq, { condition: "item-not-found", extra: [colibriErrorElement("conference_not_found")] });
  if (modify.expire) {
    forget(bridge, modify.meetingId);
    return iqResult(iq, conferenceModifiedElement({ endpoints: [], relays: [] }));
  }
  // A focus that has just come back links bridges before one has said that it still has the meeting of the focus before.
  if (modify.relays.some((each) => each.create && bridge.relays.has(`${modify.meetingId} ${each.id}`)))
    return errorReply(iq, { condition: "conflict" });
  const relays = modify.relays.map((each) => {
    const key = `${modify.meetingId} ${each.id}`;
    if (each.create) bridge.relays.set(key, new Map());
    const far = bridge.relays.get(key);
    if (far === undefined) throw new Error(`a relay ${each.id} that ${bridge.nick} does not have`);
    if (each.expire) bridge.relays.delete(key);
    for (const one of each.endpoints) {
      if (one.create === far.has(one.id))
        throw new Error(`relay endpoint ${one.id} created ${one.create ? "twice" : "never"}`);
      if (one.expire) far.delete(one.id);
      else if (one.sources !== undefined)
        far.set(
          one.id,
          one.sources.flatMap(({ sources }) => sources.sources.map(({ ssrc }) => ssrc)),
        );
    }
    const transport = {
      iceControlling: false,
      useUniquePort: false,
      iceRestart: false,
      ice: {
        ufrag: `relay-${bridge.nick}`,
        pwd: "p",
        rtcpMux: true,
        webSockets: [`wss://${bridge.nick}/relay`],
        fingerprints: [{ hash: "sha-256", value: "AB:CD", setup: "actpass" as const }],
        candidates: [],
      },
    };
    return {
      id: each.id,
      create: false,
      expire: each.expire,
      media: [],
      initiator: false,
      endpoints: [],
      ...(each.create ? { transport } : {}),
    };
  });
  const answers = [];
  let created = modify.create;
  for (const each of modify.endpoints) {
    if (each.create) {
      if (meeting.has(each.id)) return errorReply(iq, { condition: "conflict" });
      meeting.add(each.id);
      created = true;
    }
    if (each.expire) meeting.delete(each.id);
    else if (!meeting.has(each.id))
      return errorReply(iq, {
        condition: "item-not-found",
        extra: [colibriErrorElement("unknown_endpoint"), xml("endpoint", { xmlns: NS.colibri2, id: each.id })],
      });
    const restart = each.transport?.iceRestart === true;
    answers.push(
      endpoint(each.id, {
        expire: each.expire,
        ...(each.create || restart
          ? {
              transport: {
                iceControlling: false,
                useUniquePort: false,
                iceRestart: false,
                ...(each.transport?.sctp !== undefined ? { sctp: { port: 5000, role: "server" } } : {}),
                ice: {
                  ufrag: `u${each.id}`,
                  pwd: "bridge-password-0123456789",
                  rtcpMux: true,
                  webSockets: [`wss://meet.test/colibri-ws/${bridge.nick}/c/${each.id}?pwd=x`],
                  fingerprints: [{ hash: "sha-256", value: "AB:CD", setup: restart ? "passive" : "actpass" }],
                  candidates: [
                    {
                      foundation: "1",
                      component: 1,
                      protocol: "udp",
                      priority: 2130706431,
                      ip: "192.0.2.2",
                      port: 10000,
                      type: "host",
                      generation: 0,
                      id: "c1",
                      network: "0",
                    },
                  ],
                  ...(restart ? { iceGeneration: 1 } : {}),
                },
              },
            }
          : {}),
      }),
    );
  }
  if (meeting.size === 0 && !modify.create && modify.relays.length === 0) forget(bridge, modify.meetingId);
  const source = (type: "audio" | "video", ssrc: number) => ({
    type,
    id: `jvb-${type[0]}0`,
    synthetic: false,
    sources: { sources: [{ ssrc, mediaType: type, name: `jvb-${type[0]}0` }], groups: [] },
  });
  return iqResult(
    iq,
    conferenceModifiedElement({
      endpoints: answers,
      relays,
      ...(created ? { sources: [source("audio", 111), source("video", 222)] } : {}),
    }),
  );
}
