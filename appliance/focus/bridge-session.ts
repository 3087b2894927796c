/**
 * One conference on one bridge: the colibri2 conversation. bridge.md 1.1–1.9.
 */
import type { Millis } from "../time.ts";
import {
  type ColibriEndpoint,
  type ColibriRelay,
  type ConferenceModified,
  type ConferenceModify,
  conferenceModify,
  conferenceModifyElement,
  endpoint,
  isColibriFault,
  mediaSources,
  readColibriReason,
  readConferenceModified,
} from "../wire/colibri2.ts";
import type { IceTransport } from "../wire/ice-transport.ts";
import { NS } from "../wire/namespaces.ts";
import type { RtpDescription } from "../wire/rtp-description.ts";
import type { EndpointSources, Source } from "../wire/sources.ts";
import { attr, child, type Element } from "../wire/xml.ts";
import type { Bridge } from "./bridges.ts";
import type { FocusContext } from "./context.ts";
import type { Answer } from "./requests.ts";

export interface EndpointRequest {
  readonly id: string;
  readonly statsId: string | undefined;
  readonly audio: RtpDescription;
  readonly video: RtpDescription;
  readonly forceMute: ForceMute | undefined;
  readonly sctp: boolean;
  /** The bridge keeps a pool of SSRCs for this receiver (signaling.md 4.8). */
  readonly ssrcRewriting: boolean;
  /** And tells them apart by their mid. */
  readonly midDemux: boolean;
  /** Recorders and SIP gateways sit in the bridge's own network. */
  readonly privateAddresses: boolean;
  /** `urn:parley:table` (design.md 3): nobody hears his own table. */
  readonly table: string | undefined;
}

export interface ForceMute {
  readonly audio: boolean;
  readonly video: boolean;
}

/** What the bridge made for an endpoint. */
export interface Allocated {
  readonly transport: IceTransport;
  /** The bridge's own sources, with the msids by which clients know them. */
  readonly feedback: EndpointSources;
  readonly sctpPort: number | undefined;
}

export type AllocationOutcome =
  | { readonly kind: "allocated"; readonly allocated: Allocated }
  /** This participant cannot be served; asking again would not help. */
  | { readonly kind: "refused"; readonly reason: string }
  /** Said by `failed` already; everybody of this session is being moved. */
  | { readonly kind: "session-failed" };

export interface BridgeSessionEvents {
  /** The whole session is of no use; `blame`: nor is the bridge. */
  failed(now: Millis, session: BridgeSession, reason: string, blame: boolean): void;
  /** Somebody else's conference has our meeting id on that bridge. */
  meetingTaken(now: Millis, session: BridgeSession): void;
  /** The bridge lost this endpoint only. */
  endpointLost(now: Millis, session: BridgeSession, endpointId: string): void;
}

export class BridgeSession {
  readonly bridge: Bridge;
  /** What clients repeat when they ask for a restart; the same for all participants here (signaling.md 4.1). */
  readonly id: string;
  readonly meetingId: string;
  readonly #context: FocusContext;
  readonly #events: BridgeSessionEvents;
  readonly #room: string;
  readonly #rtcstats: boolean;
  readonly endpoints = new Set<string>();
  #created = false;
  #over = false;

  constructor(
    context: FocusContext,
    events: BridgeSessionEvents,
    bridge: Bridge,
    meeting: { readonly id: string; readonly room: string; readonly rtcstats: boolean },
  ) {
    this.#context = context;
    this.#events = events;
    this.bridge = bridge;
    this.id = context.random.uuid();
    this.meetingId = meeting.id;
    this.#room = meeting.room;
    this.#rtcstats = meeting.rtcstats;
  }

  allocate(now: Millis, request: EndpointRequest, then: (now: Millis, outcome: AllocationOutcome) => void): void {
    const first = !this.#created;
    this.#created = true;
    this.#hold(request.id);
    this.bridge.added(now);
    const modify = conferenceModify(this.meetingId, {
      ...(first ? { create: true, name: this.#room, rtcstatsEnabled: this.#rtcstats } : {}),
      endpoints: [
        endpoint(request.id, {
          create: true,
          ...statsId(request.statsId),
          media: [
            { type: "audio", description: request.audio },
            { type: "video", description: request.video },
          ],
          transport: {
            iceControlling: true,
            useUniquePort: false,
            iceRestart: false,
            ...(request.sctp ? { sctp: {} } : {}),
          },
          sources: [],
          ...(request.forceMute !== undefined ? { forceMute: request.forceMute } : {}),
          ...(request.table !== undefined ? { table: request.table } : {}),
          capabilities: [
            "source-names",
            ...(request.ssrcRewriting ? ["ssrc-rewriting"] : []),
            ...(request.midDemux ? ["rtp-mid-demux"] : []),
            ...(request.privateAddresses ? ["private-address-connectivity"] : []),
          ],
        }),
      ],
    });
    this.#send(now, modify, (at, answer) => {
      if (this.#over) {
        then(at, { kind: "session-failed" });
        return;
      }
      if (answer.kind !== "result") {
        then(at, this.#allocationFailed(at, answer));
        return;
      }
      const modified = readModified(answer.stanza);
      const made = modified?.endpoints.find((each) => each.id === request.id);
      const transport = made?.transport;
      if (modified === undefined || transport?.ice === undefined) {
        then(at, { kind: "refused", reason: "the bridge answered without a transport" });
        return;
      }
      if (request.sctp && transport.sctp?.port === undefined) {
        this.expire(at, [request.id]);
        then(at, { kind: "refused", reason: "the bridge answered without an SCTP port" });
        return;
      }
      then(at, {
        kind: "allocated",
        allocated: { transport: transport.ice, feedback: feedbackSources(modified), sctpPort: transport.sctp?.port },
      });
    });
  }

  /** Transport, sources (always the full set) or initial last-N of an endpoint. */
  update(
    now: Millis,
    id: string,
    statsIdText: string | undefined,
    change: { transport?: IceTransport; sources?: EndpointSources; initialLastN?: number },
  ): void {
    const modified = endpoint(id, {
      ...statsId(statsIdText),
      ...(change.transport !== undefined
        ? {
            transport: {
              iceControlling: false,
              useUniquePort: false,
              iceRestart: false,
              ice: clientTransport(change.transport),
            },
          }
        : {}),
      ...(change.sources !== undefined ? { sources: mediaSources(withoutMsids(change.sources)) } : {}),
      ...(change.initialLastN !== undefined ? { initialLastN: change.initialLastN } : {}),
    });
    this.#modify(now, [modified]);
  }

  forceMute(now: Millis, mutes: ReadonlyMap<string, ForceMute>): void {
    const known = [...mutes].filter(([id]) => this.endpoints.has(id));
    if (known.length > 0)
      this.#modify(
        now,
        known.map(([id, forceMute]) => endpoint(id, { forceMute })),
      );
  }

  /** Empty: at no table. */
  setTable(now: Millis, id: string, table: string): void {
    if (this.endpoints.has(id)) this.#modify(now, [endpoint(id, { table })]);
  }

  /** New ICE credentials for an endpoint; undefined: the bridge refuses. */
  iceRestart(
    now: Millis,
    id: string,
    statsIdText: string | undefined,
    then: (now: Millis, transport: IceTransport | undefined) => void,
  ): void {
    const request = endpoint(id, {
      ...statsId(statsIdText),
      transport: { iceControlling: false, useUniquePort: false, iceRestart: true },
    });
    this.#send(now, conferenceModify(this.meetingId, { endpoints: [request] }), (at, answer) => {
      const modified = answer.kind === "result" ? readModified(answer.stanza) : undefined;
      then(at, modified?.endpoints.find((each) => each.id === id)?.transport?.ice);
    });
  }

  /** Makes, changes or ends a link to another bridge of the conference; `then` gets this bridge's side of a new one. */
  relay(now: Millis, relay: ColibriRelay, then?: (now: Millis, ice: IceTransport) => void): void {
    if (this.#over) return;
    this.#send(now, conferenceModify(this.meetingId, { relays: [relay] }), (at, answer) => {
      if (this.#over || answer.kind === "offline") return;
      if (answer.kind === "timeout") {
        this.#fail(at, "no answer to a relay", true);
        return;
      }
      if (answer.kind === "error") {
        if (answer.error.condition === "feature-not-implemented") {
          this.bridge.refusesRelays = true;
          this.bridge.relayId = undefined;
        }
        if (!relay.expire) this.#fail(at, `relay refused: ${answer.error.condition}`, false);
        return;
      }
      const ice = readModified(answer.stanza)?.relays.find((each) => each.id === relay.id)?.transport?.ice;
      if (ice !== undefined) then?.(at, ice);
    });
  }

  expire(now: Millis, ids: readonly string[]): void {
    const known = ids.filter((id) => this.#drop(id));
    if (known.length === 0 || this.#over) return;
    this.#modify(
      now,
      known.map((id) => endpoint(id, { expire: true })),
    );
  }

  /**
   * Ends the conference on this bridge, as far as it can be reached: one that was only slow carries out later what it was asked for, and would refuse
   * the same conference when it is used again.
   */
  end(now: Millis): void {
    this.#dropAll();
    if (this.#over) return;
    this.#over = true;
    if (this.#created && !this.bridge.gone) this.#send(now, conferenceModify(this.meetingId, { expire: true }));
  }

  #hold(id: string): void {
    if (!this.endpoints.has(id)) this.bridge.endpoints++;
    this.endpoints.add(id);
  }

  #drop(id: string): boolean {
    if (!this.endpoints.delete(id)) return false;
    this.bridge.endpoints--;
    return true;
  }

  #dropAll(): void {
    for (const id of [...this.endpoints]) this.#drop(id);
  }

  #modify(now: Millis, endpoints: readonly ColibriEndpoint[]): void {
    if (this.#over) return;
    this.#send(now, conferenceModify(this.meetingId, { endpoints }), (at, answer) => {
      if (this.#over || answer.kind === "result" || answer.kind === "offline") return;
      if (answer.kind === "timeout") {
        this.#context.outbox.log("warn", "the bridge did not answer an update", { bridge: this.bridge.id });
        return;
      }
      const lost = unknownEndpoint(answer.stanza);
      if (lost !== undefined) {
        if (this.#drop(lost)) this.#events.endpointLost(at, this, lost);
        return;
      }
      this.#fail(at, `update refused: ${answer.error.condition}`, false);
    });
  }

  /** bridge.md 1.7, first table of reactions. */
  #allocationFailed(now: Millis, answer: Exclude<Answer, { kind: "result" }>): AllocationOutcome {
    if (answer.kind === "offline") {
      this.#over = true;
      return { kind: "session-failed" };
    }
    if (answer.kind === "timeout") return this.#fail(now, "no answer", true);
    const reason = readColibriReason(answer.stanza);
    switch (answer.error.condition) {
      case "bad-request":
        return { kind: "refused", reason: answer.error.text ?? "bad-request" };
      case "item-not-found":
        // Without the marker the XMPP server says it: the bridge is not in the brewery any more.
        return this.#fail(now, reason ?? "the bridge is gone", reason === undefined);
      case "conflict":
        if (reason === "conference_already_exists") {
          this.#over = true;
          this.#send(now, conferenceModify(this.meetingId, { expire: true }));
          this.#events.meetingTaken(now, this);
          return { kind: "session-failed" };
        }
        return this.#fail(now, "conflict", false);
      case "service-unavailable":
        if (reason === "graceful_shutdown") {
          this.bridge.gracefulShutdown = true;
          return this.#fail(now, "graceful shutdown", false);
        }
        return this.#fail(now, answer.error.condition, true);
      default:
        return this.#fail(now, answer.error.condition, true);
    }
  }

  #fail(now: Millis, reason: string, blame: boolean): AllocationOutcome {
    if (!this.#over) {
      this.end(now);
      this.#events.failed(now, this, reason, blame);
    }
    return { kind: "session-failed" };
  }

  #send(now: Millis, modify: ConferenceModify, then?: (now: Millis, answer: Answer) => void): void {
    this.#context.requests.request(now, this.bridge.jid, "get", conferenceModifyElement(modify), then);
  }
}

function readModified(stanza: Element): ConferenceModified | undefined {
  const element = child(stanza, "conference-modified", NS.colibri2);
  const modified = element === undefined ? undefined : readConferenceModified(element);
  return modified === undefined || isColibriFault(modified) ? undefined : modified;
}

/** The endpoint that an error names as unknown. */
function unknownEndpoint(stanza: Element): string | undefined {
  if (readColibriReason(stanza) !== "unknown_endpoint") return undefined;
  const error = child(stanza, "error");
  const named = error === undefined ? undefined : child(error, "endpoint", NS.colibri2);
  return named === undefined ? undefined : attr(named, "id");
}

/** Clients tell the bridge's sources from people's by these msids (signaling.md 4.1). */
function feedbackSources(modified: ConferenceModified): EndpointSources {
  const sources: Source[] = [];
  for (const media of modified.sources ?? [])
    for (const source of media.sources.sources)
      sources.push({
        ssrc: source.ssrc,
        mediaType: media.type,
        name: media.id,
        msid: `mixedmslabel mixedlabel${media.type}0`,
      });
  return { sources, groups: [] };
}

const withoutMsids = (sources: EndpointSources): EndpointSources => ({
  sources: sources.sources.map(({ msid: _, ...rest }) => rest),
  groups: sources.groups,
});

/** What of a client's transport concerns the bridge. */
const clientTransport = (transport: IceTransport): IceTransport => ({ ...transport, rtcpMux: true, webSockets: [] });

const statsId = (id: string | undefined): { statsId?: string } => (id === undefined ? {} : { statsId: id });
