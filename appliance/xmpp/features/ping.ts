/**
 * XEP-0199 (2.0): the server answers pings to its domains and for accounts.
 */
import { NS } from "../../wire/namespaces.ts";
import { iqResult } from "../../wire/stanza.ts";
import { attr, is } from "../../wire/xml.ts";
import type { IqFeature } from "./iq-feature.ts";

export const ping: IqFeature = {
  features: [NS.ping],
  handle: (_now, iq, payload) =>
    attr(iq, "type") === "get" && is(payload, "ping", NS.ping) ? iqResult(iq) : undefined,
};
