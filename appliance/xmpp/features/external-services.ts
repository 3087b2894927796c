/**
 * XEP-0215 (1.0, and the older namespace `urn:xmpp:extdisco:1`): STUN and TURN services, with credentials that expire for those that have a
 * shared secret (the scheme of TURN servers' "REST API": user = expiry, password = HMAC-SHA1 of it).
 */
import { createHmac } from "node:crypto";
import type { ExternalService } from "../../config.ts";
import type { EpochMillis, Millis } from "../../time.ts";
import { NS } from "../../wire/namespaces.ts";
import { iqResult } from "../../wire/stanza.ts";
import { attr, type Element, is, xml } from "../../wire/xml.ts";
import type { IqFeature } from "./iq-feature.ts";

/** Seconds that TURN credentials are good for: a long meeting. */
const CREDENTIAL_SECONDS = 86_400;

export function serviceElement(service: ExternalService, wallNow: EpochMillis, user: string): Element {
  const { type, host, port, transport, secret } = service;
  if (secret === undefined) return xml("service", { type, host, port, transport });
  const expires = Math.floor(wallNow / 1000) + CREDENTIAL_SECONDS;
  const username = `${expires}:${user}`;
  return xml("service", {
    type,
    host,
    port,
    transport,
    restricted: "1",
    expires: new Date(expires * 1000).toISOString().replace(".000Z", "Z"),
    username,
    password: createHmac("sha1", secret).update(username).digest("base64"),
  });
}

export const externalServices = (
  services: readonly ExternalService[],
  wallClock: (now: Millis) => EpochMillis,
): IqFeature => ({
  features: [NS.extdisco1, NS.extdisco2],
  handle: (now, iq, payload, sender, target) => {
    const ns = payload.getNS();
    if (target.kind !== "domain" || (ns !== NS.extdisco1 && ns !== NS.extdisco2) || attr(iq, "type") !== "get")
      return undefined;
    const user = sender.jid.local ?? "service";
    const wanted = (
      type: string | undefined,
      host: string | undefined,
      port: string | undefined,
    ): readonly ExternalService[] =>
      services.filter(
        (each) =>
          (type === undefined || each.type === type) &&
          (host === undefined || each.host === host) &&
          (port === undefined || String(each.port) === port),
      );
    const elements = (chosen: readonly ExternalService[]): Element[] =>
      chosen.map((each) => serviceElement(each, wallClock(now), user));
    if (is(payload, "services"))
      return iqResult(
        iq,
        xml(
          "services",
          { xmlns: ns, type: attr(payload, "type") },
          elements(wanted(attr(payload, "type"), undefined, undefined)),
        ),
      );
    if (!is(payload, "credentials")) return undefined;
    const asked = payload.getChild("service");
    if (asked === undefined) return undefined;
    const chosen = wanted(attr(asked, "type"), attr(asked, "host"), attr(asked, "port"));
    return iqResult(iq, xml("credentials", { xmlns: ns }, elements(chosen)));
  },
});
