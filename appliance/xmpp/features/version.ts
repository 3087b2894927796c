/**
 * XEP-0092 (1.1): name and version; the operating system is nobody's business.
 */
import { NS } from "../../wire/namespaces.ts";
import { iqResult } from "../../wire/stanza.ts";
import { attr, is, xml } from "../../wire/xml.ts";
import type { IqFeature } from "./iq-feature.ts";

export const version = (software: { readonly name: string; readonly version: string }): IqFeature => ({
  features: [NS.version],
  handle: (_now, iq, payload, _sender, target) =>
    target.kind === "domain" && attr(iq, "type") === "get" && is(payload, "query", NS.version)
      ? iqResult(
          iq,
          xml("query", { xmlns: NS.version }, xml("name", {}, software.name), xml("version", {}, software.version)),
        )
      : undefined,
});
