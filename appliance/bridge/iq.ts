/**
 * IQs that a bridge answers (bridge.md 1.10): colibri2, health check, version, disco, ping. Only occupants of the brewery are served.
 */
import {
  type ConferenceModify,
  conferenceModifiedElement,
  isColibriFault,
  readConferenceModify,
} from "../wire/colibri2.ts";
import { NS } from "../wire/namespaces.ts";
import { errorReply, iqResult } from "../wire/stanza.ts";
import { attr, type Element, is, xml } from "../wire/xml.ts";
import { BRIDGE_FEATURES, BRIDGE_IDENTITY } from "./brewery.ts";
import type { ColibriOutcome } from "./colibri2.ts";
import type { BridgeCounters } from "./counters.ts";

export interface IqContext {
  readonly fromOccupant: boolean;
  /** Why the bridge is not well. */
  readonly fault: string | undefined;
  readonly version: string;
  readonly os: string;
  readonly counters: BridgeCounters;
  modify(request: ConferenceModify): ColibriOutcome;
}

/** The reply; undefined: the stanza is no request. */
export function answerIq(stanza: Element, context: IqContext): Element | undefined {
  const type = attr(stanza, "type");
  if (type !== "get" && type !== "set") return undefined;
  const payload = stanza.getChildElements()[0];
  const asks = (name: string, ns: string): boolean => type === "get" && payload !== undefined && is(payload, name, ns);
  if (asks("ping", NS.ping)) return iqResult(stanza);
  if (!context.fromOccupant) {
    context.counters.drop("iq-from-stranger");
    return errorReply(stanza, { condition: "forbidden" });
  }
  if (payload === undefined) return errorReply(stanza, { condition: "bad-request" });
  if (asks("conference-modify", NS.colibri2)) return conferenceModify(stanza, payload, context);
  if (asks("healthcheck", NS.health))
    return context.fault === undefined
      ? iqResult(stanza)
      : errorReply(stanza, { condition: "internal-server-error", text: context.fault });
  if (asks("query", NS.version)) return iqResult(stanza, version(context));
  if (asks("query", NS.discoInfo)) return iqResult(stanza, discoInfo(payload));
  return errorReply(stanza, { condition: "service-unavailable" });
}

function conferenceModify(stanza: Element, payload: Element, context: IqContext): Element {
  const request = readConferenceModify(payload);
  if (isColibriFault(request)) {
    context.counters.request("bad-request");
    return errorReply(stanza, { condition: "bad-request", text: request.text });
  }
  const outcome = context.modify(request);
  return "error" in outcome
    ? errorReply(stanza, outcome.error)
    : iqResult(stanza, conferenceModifiedElement(outcome.modified));
}

const version = (context: IqContext): Element =>
  xml(
    "query",
    { xmlns: NS.version },
    xml("name", {}, "JVB"),
    xml("version", {}, context.version),
    xml("os", {}, context.os),
  );

function discoInfo(request: Element): Element {
  return xml(
    "query",
    { xmlns: NS.discoInfo, node: attr(request, "node") },
    xml("identity", BRIDGE_IDENTITY),
    BRIDGE_FEATURES.map((feature) => xml("feature", { var: feature })),
  );
}
