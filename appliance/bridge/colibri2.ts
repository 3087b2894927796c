/**
 * Requests of the focus (bridge.md 1.6): validated, applied, answered; the errors of bridge.md 1.7.
 */
import type { Millis } from "../time.ts";
import {
  type ColibriEndpoint,
  type ColibriReason,
  type ColibriRelay,
  type ConferenceModified,
  type ConferenceModify,
  colibriErrorElement,
  endpoint as plainEndpoint,
} from "../wire/colibri2.ts";
import type { IceTransport } from "../wire/ice-transport.ts";
import { parseJid } from "../wire/jid.ts";
import { NS } from "../wire/namespaces.ts";
import type { Condition, StanzaError } from "../wire/stanza.ts";
import { xml } from "../wire/xml.ts";
import { Conference } from "./conference.ts";
import type { BridgeContext } from "./context.ts";
import type { Endpoint } from "./endpoint.ts";
import { MediaExport } from "./export.ts";
import { isExportFault, readExportRequests } from "./export-request.ts";
import type { OwnPort } from "./link.ts";
import { Relay } from "./relay.ts";

/** The conferences of this bridge, by meeting id. */
export interface Conferences {
  readonly byMeeting: Map<string, Conference>;
  /** Graceful shutdown: no new conferences. */
  readonly closing: boolean;
}

export type ColibriOutcome = { readonly modified: ConferenceModified } | { readonly error: StanzaError };

const SCTP_PORT = 5000;

const refuse = (
  condition: Condition,
  text: string,
  reason?: ColibriReason,
  ...extra: StanzaError["extra"] & object
): { error: StanzaError } => ({
  error: {
    condition,
    text,
    extra: [...(reason === undefined ? [] : [colibriErrorElement(reason)]), ...extra],
  },
});
const notImplemented = (text: string): { error: StanzaError } =>
  refuse("feature-not-implemented", text, "feature_not_implemented");

export function handleConferenceModify(
  now: Millis,
  context: BridgeContext,
  conferences: Conferences,
  request: ConferenceModify,
): ColibriOutcome {
  const outcome = handle(now, context, conferences, request);
  context.counters.request("error" in outcome ? outcome.error.condition : "ok");
  return outcome;
}

function handle(
  now: Millis,
  context: BridgeContext,
  conferences: Conferences,
  request: ConferenceModify,
): ColibriOutcome {
  const { meetingId } = request;
  const present = conferences.byMeeting.get(meetingId);
  if (request.name !== undefined && parseJid(request.name) === undefined)
    return refuse("bad-request", `Invalid conference name: ${request.name}`);
  if (request.create && present !== undefined)
    return refuse("conflict", `Conference already exists for ID: ${meetingId}`, "conference_already_exists");
  if (!request.create && present === undefined)
    return refuse("item-not-found", `Conference not found for ID: ${meetingId}`, "conference_not_found");
  if (request.create && conferences.closing)
    return refuse("service-unavailable", "In graceful shutdown", "graceful_shutdown");
  if (request.expire) {
    present?.expire(now);
    conferences.byMeeting.delete(meetingId);
    return { modified: { endpoints: [], relays: [] } };
  }
  const invalid = validate(request);
  if (invalid !== undefined) return invalid;
  const unknown = present === undefined ? undefined : unknownEndpoint(present, request);
  if (unknown !== undefined) return unknown;
  if (present === undefined && conferences.byMeeting.size >= context.settings.maxConferences)
    return refuse("resource-constraint", "Too many conferences");
  const conference = present ?? new Conference(context, meetingId, request.name, request.rtcstatsEnabled, now);
  if (present === undefined) conferences.byMeeting.set(meetingId, conference);
  const outcome = apply(now, context, conferences, conference, request);
  const failedCreate = "error" in outcome && request.create && conference.isEmpty;
  if (failedCreate || (!request.create && conference.isEmpty)) {
    conference.expire(now);
    conferences.byMeeting.delete(meetingId);
  }
  return outcome;
}

const isPureExpire = (each: ColibriEndpoint): boolean => each.expire && !each.create;
const isPureForceMute = (each: ColibriEndpoint): boolean => each.forceMute !== undefined && !asksMore(each);
const asksMore = (each: ColibriEndpoint): boolean =>
  each.create || each.media.length > 0 || each.transport !== undefined || each.sources !== undefined;

function validate(request: ConferenceModify): ColibriOutcome | undefined {
  const { endpoints, relays } = request;
  if (endpoints.length > 0 && relays.length > 0) return notImplemented("Using endpoints and relays in one request");
  if (endpoints.length > 1 && !endpoints.every((each) => isPureExpire(each) || isPureForceMute(each)))
    return notImplemented("Creating or updating more than one endpoint in one request");
  if (relays.length > 1) return notImplemented("More than one relay in one request");
  const exports = readExportRequests(request.connects);
  if (isExportFault(exports))
    return exports.fault === "bad-request" ? refuse("bad-request", exports.text) : notImplemented(exports.text);
  return undefined;
}

/** Expire, force-mute and initial-last-n tolerate ids that are gone; anything else does not (bridge.md 1.6). */
function unknownEndpoint(conference: Conference, request: ConferenceModify): ColibriOutcome | undefined {
  const strict =
    request.endpoints.some((each) => !isPureExpire(each) && asksMore(each)) ||
    request.relays.some((each) => !each.expire);
  if (!strict) return undefined;
  const unknown = request.endpoints.find((each) => !each.create && !each.expire && !conference.endpoints.has(each.id));
  if (unknown === undefined) return undefined;
  return refuse(
    "item-not-found",
    `Unknown endpoint ${unknown.id}`,
    "unknown_endpoint",
    xml("endpoint", { xmlns: NS.colibri2, id: unknown.id }),
  );
}

function apply(
  now: Millis,
  context: BridgeContext,
  conferences: Conferences,
  conference: Conference,
  request: ConferenceModify,
): ColibriOutcome {
  const endpoints: ColibriEndpoint[] = [];
  const relays: ColibriRelay[] = [];
  let created = request.create;
  for (const each of request.endpoints) {
    const answer = handleEndpoint(now, context, conference, each);
    if ("error" in answer) return answer;
    endpoints.push(answer);
    created ||= each.create;
  }
  const refusedExport = handleExports(context, conference, request);
  if (refusedExport !== undefined) return refusedExport;
  for (const each of request.relays) {
    const answer = handleRelay(now, context, conferences, conference, each);
    if ("error" in answer) return answer;
    relays.push(answer);
  }
  return {
    modified: { endpoints, relays, ...(created ? { sources: conference.feedbackSources } : {}) },
  };
}

function handleEndpoint(
  now: Millis,
  context: BridgeContext,
  conference: Conference,
  request: ColibriEndpoint,
): ColibriEndpoint | { error: StanzaError } {
  const { id } = request;
  if (request.expire) {
    conference.removeEndpoint(now, id);
    return plainEndpoint(id, { expire: true });
  }
  let endpoint = conference.endpoints.get(id);
  if (request.create) {
    const created = createEndpoint(now, context, conference, request, endpoint);
    if ("error" in created) return created;
    endpoint = created;
  }
  if (endpoint === undefined) return plainEndpoint(id);
  const sctpFault = request.create ? undefined : checkSctp(context, request);
  if (sctpFault !== undefined) return sctpFault;
  if (endpoint.visitor && request.sources?.some((each) => each.sources.sources.length > 0) === true)
    return refuse("bad-request", "Visitors may not have sources");
  update(now, context, conference, endpoint, request);
  const restarted =
    request.transport?.iceRestart === true && !request.create ? restartIce(now, context, endpoint) : undefined;
  const ice = request.create ? endpoint.description() : restarted;
  if (ice === undefined) return plainEndpoint(id);
  return plainEndpoint(id, {
    transport: {
      iceControlling: false,
      useUniquePort: false,
      iceRestart: false,
      ice,
      ...(endpoint.sctp && request.create ? { sctp: { port: SCTP_PORT, role: "server" } } : {}),
    },
  });
}

function createEndpoint(
  now: Millis,
  context: BridgeContext,
  conference: Conference,
  request: ColibriEndpoint,
  present: Endpoint | undefined,
): Endpoint | { error: StanzaError } {
  if (present !== undefined) return refuse("conflict", `Endpoint with ID: ${request.id} already exists`);
  if (request.transport === undefined)
    return refuse("bad-request", `Attempt to create endpoint ${request.id} with no transport`);
  if (!request.capabilities.includes("source-names")) return refuse("bad-request", "Source name support is mandatory");
  const sctpFault = checkSctp(context, request);
  if (sctpFault !== undefined) return sctpFault;
  if (
    request.mucRole?.toLowerCase() === "visitor" &&
    request.sources?.some((each) => each.sources.sources.length > 0) === true
  )
    return refuse("bad-request", "Visitors may not have sources");
  const index = context.endpointIndices.take();
  if (index === undefined) return refuse("resource-constraint", "Too many endpoints");
  return conference.addEndpoint(now, request, index);
}

/** For an endpoint the bridge is always the SCTP server, on port 5000 (bridge.md 1.3). */
function checkSctp(context: BridgeContext, request: ColibriEndpoint): { error: StanzaError } | undefined {
  const sctp = request.transport?.sctp;
  if (sctp === undefined) return undefined;
  if (!context.settings.sctp) return notImplemented("SCTP support is not configured");
  if (sctp.role !== undefined && sctp.role !== "server") return notImplemented("SCTP role must be server");
  if (sctp.port !== undefined && sctp.port !== SCTP_PORT)
    return refuse("bad-request", `SCTP port must be ${SCTP_PORT}`);
  return undefined;
}

function update(
  now: Millis,
  context: BridgeContext,
  conference: Conference,
  endpoint: Endpoint,
  request: ColibriEndpoint,
): void {
  if (request.statsId !== undefined) endpoint.statsId = request.statsId;
  if (endpoint.payloadTypes.add(request.media)) {
    const { entries, extensions, allowMixed } = endpoint.payloadTypes;
    context.media({ type: "payload-types", endpoint: endpoint.index, payloadTypes: entries, extensions, allowMixed });
    conference.changed(endpoint);
  }
  if (request.initialLastN !== undefined && !endpoint.settings.received) {
    endpoint.settings = { ...endpoint.settings, lastN: request.initialLastN };
    conference.changed(endpoint);
  }
  if (request.transport?.ice !== undefined) endpoint.link.setRemote(now, request.transport.ice);
  if (request.sources !== undefined) conference.setSources(now, endpoint, request.sources);
  if (request.forceMute !== undefined) {
    endpoint.forceMute = request.forceMute;
    context.media({ type: "force-mute", endpoint: endpoint.index, ...request.forceMute });
    conference.changed();
  }
  if (request.table !== undefined)
    context.media({ type: "table", endpoint: endpoint.index, table: conference.tableNumber(request.table) });
}

/** No transport in the answer says that the restart is refused; the focus then invites anew (bridge.md 1.9). */
function restartIce(now: Millis, context: BridgeContext, endpoint: Endpoint): IceTransport | undefined {
  if (endpoint.link.restartIce(now)) {
    context.counters.iceRestarts++;
    return endpoint.description();
  }
  context.counters.iceRestartsRejected++;
  return undefined;
}

/** Delta by id (bridge.md 7.3): create, expire, or update of an existing one. */
function handleExports(
  context: BridgeContext,
  conference: Conference,
  request: ConferenceModify,
): { error: StanzaError } | undefined {
  const wanted = readExportRequests(request.connects);
  if (isExportFault(wanted)) return refuse("bad-request", wanted.text);
  for (const each of wanted) {
    const present = conference.exports.get(each.id);
    if (each.expire) {
      present?.close();
      conference.exports.delete(each.id);
    } else if (each.create) {
      if (present !== undefined) return refuse("bad-request", `connect ${each.id} already exists`);
      const index = context.endpointIndices.take();
      if (index === undefined) return refuse("resource-constraint", "Too many endpoints");
      conference.exports.set(each.id, new MediaExport(context, conference, each, index));
    } else if (present === undefined) return refuse("bad-request", `Unknown connect ${each.id}`);
    else present.update(each);
  }
  return undefined;
}

/**
 * Two conferences between the same two bridges must differ in an address: the initiator of the second one takes a port of its own. The first one has the
 * media port's, so that nothing is opened where bridges never meet twice.
 */
function portFor(context: BridgeContext, conferences: Conferences, request: ColibriRelay): OwnPort | undefined {
  if (request.transport?.useUniquePort !== true) return undefined;
  for (const conference of conferences.byMeeting.values())
    if (conference.relays.has(request.id)) return context.takePort();
  context.preparePort();
  return undefined;
}

function handleRelay(
  now: Millis,
  context: BridgeContext,
  conferences: Conferences,
  conference: Conference,
  request: ColibriRelay,
): ColibriRelay | { error: StanzaError } {
  const { id } = request;
  const plain = (rest: Partial<ColibriRelay>): ColibriRelay => ({
    id,
    create: false,
    expire: false,
    media: [],
    initiator: false,
    endpoints: [],
    ...rest,
  });
  if (request.expire) {
    conference.removeRelay(now, id);
    return plain({ expire: true });
  }
  let relay = conference.relays.get(id);
  if (request.create) {
    if (relay !== undefined) return refuse("conflict", `Relay with ID: ${id} already exists`);
    if (request.transport === undefined)
      return refuse("bad-request", `Attempt to create relay ${id} with no transport`);
    const { sctp } = request.transport;
    if (sctp !== undefined && !context.settings.sctp) return notImplemented("SCTP support is not configured");
    if (sctp?.role !== undefined && sctp.role !== "server" && sctp.role !== "client")
      return refuse("bad-request", "SCTP role must be server or client");
    if (sctp?.port !== undefined && sctp.port !== SCTP_PORT)
      return refuse("bad-request", `SCTP port must be ${SCTP_PORT}`);
    const index = context.endpointIndices.take();
    if (index === undefined) return refuse("resource-constraint", "Too many endpoints");
    relay = new Relay(context, conference, request, index, now, portFor(context, conferences, request));
    conference.addRelay(relay);
  }
  if (relay === undefined) return refuse("bad-request", `Unknown relay ${id}`);
  if (relay.payloadTypes.add(request.media)) {
    const { entries, extensions, allowMixed } = relay.payloadTypes;
    context.media({ type: "payload-types", endpoint: relay.index, payloadTypes: entries, extensions, allowMixed });
  }
  if (request.transport?.ice !== undefined) relay.setRemote(now, request.transport.ice);
  relay.updateEndpoints(now, request.endpoints);
  if (!request.create) return plain({});
  return plain({
    transport: {
      iceControlling: false,
      useUniquePort: false,
      iceRestart: false,
      ice: relay.description(),
      // The role told is the other bridge's, as JVB has it.
      ...(relay.sctp === undefined
        ? {}
        : { sctp: { port: SCTP_PORT, role: relay.sctp === "client" ? "server" : "client" } }),
    },
  });
}
