/**
 * RFC 3921 §3: session establishment, a no-op that is offered as optional and asked for all the same (signaling.md 1.5).
 */
import { NS } from "../../wire/namespaces.ts";
import { iqResult } from "../../wire/stanza.ts";
import { attr, is } from "../../wire/xml.ts";
import type { IqFeature } from "./iq-feature.ts";

export const sessionRequest: IqFeature = {
  features: [],
  handle: (_now, iq, payload) =>
    attr(iq, "type") === "set" && is(payload, "session", NS.session) ? iqResult(iq) : undefined,
};
